"""Fixed inputs and what SciPy says of them, to hold `ablate::stats` against.

    python stats.py        writes stats.json
    python stats.py check  compares with the committed stats.json

Inputs are rounded to six digits, so that both sides read the same numbers. Where SciPy has no function for a question
(power of the equivalence test, the fit of L(N), effect of a bootstrap's correction), SciPy's distributions, quadrature and
optimizers answer it by another route than the library's.
"""

import itertools
import json
import math
import pathlib
import sys

import numpy as np
from scipy import integrate, interpolate, optimize, stats

PATH = pathlib.Path(__file__).with_suffix(".json")


def listed(values):
    return [round(float(value), 6) for value in values]


def samples():
    """Differences from two pairs to forty: normal, heavy-tailed, skewed, coarse with ties, far from 0."""
    rng = np.random.default_rng(20260101)
    for count in [2, 3, 4, 5, 6, 8, 10, 12, 15, 20]:
        yield rng.normal(0.3, 1.0, count)
        yield rng.standard_t(1.5, count)
        yield rng.exponential(1.0, count) - 1.0
        yield np.round(rng.normal(0.5, 1.5, count) * 2) / 2
        yield 3.0 + 1e-3 * rng.normal(0.2, 1.0, count)


def two_samples():
    rng = np.random.default_rng(20260102)
    for counts in [(2, 2), (2, 5), (3, 3), (5, 4), (10, 3), (20, 20)]:
        yield rng.normal(3.0, 0.1, counts[0]), rng.normal(3.05, 0.3, counts[1])
        yield rng.standard_t(3, counts[0]), rng.standard_t(2, counts[1])


def paired(d):
    test = stats.ttest_1samp(d, 0.0)
    interval = test.confidence_interval(0.95)
    margin = round(abs(float(np.mean(d))) + float(np.std(d, ddof=1)), 6)
    border = stats.ttest_1samp(d, margin, alternative="less").pvalue, stats.ttest_1samp(d, -margin, alternative="greater").pvalue
    case = {
        "differences": listed(d),
        "delta": np.mean(d),
        "deviation": np.std(d, ddof=1),
        "ci95": list(interval),
        "p": test.pvalue,
        "margin": margin,
        "equivalence_p": max(border),
        "interval90": list(test.confidence_interval(0.90)),
        "sign_flip_p": None,
    }
    if 6 <= len(d) <= 12:
        flips = np.array(list(itertools.product([1.0, -1.0], repeat=len(d))))
        sums = np.abs(flips @ np.array(d))
        case["sign_flip_p"] = np.mean(sums >= abs(np.sum(d)) - 1e-9)
        if len(d) <= 8:
            theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
            assert math.isclose(theirs.pvalue, case["sign_flip_p"], rel_tol=1e-12), (theirs.pvalue, case)
    return case


def welch(a, b):
    test = stats.ttest_ind(a, b, equal_var=False)
    return {
        "arm": listed(a),
        "reference": listed(b),
        "delta": np.mean(a) - np.mean(b),
        "freedom": test.df,
        "ci95": list(test.confidence_interval(0.95)),
        "p": test.pvalue,
    }


def ranks():
    rng = np.random.default_rng(20260103)
    for count in [3, 4, 5, 6, 7, 10, 15, 30]:
        x = rng.normal(size=count)
        for y in [x + rng.normal(size=count), rng.normal(size=count), np.round(x + 0.5 * rng.normal(size=count))]:
            x, y = np.array(listed(x)), np.array(listed(y))
            if len(set(y)) == 1:
                continue
            spearman, kendall = stats.spearmanr(x, y), stats.kendalltau(x, y, method="asymptotic")
            case = {
                "x": list(x),
                "y": list(y),
                "spearman": spearman.statistic,
                "spearman_p": spearman.pvalue,
                "kendall": kendall.statistic,
                "kendall_p": kendall.pvalue,
                "pearson": stats.pearsonr(x, y).statistic,
            }
            if count <= 7:  # Exact, ties and all, by SciPy's permutations.
                for name, statistic in [("spearman_p", lambda y: abs(stats.spearmanr(x, y).statistic)), ("kendall_p", lambda y: abs(stats.kendalltau(x, y).statistic))]:
                    if count <= 6:
                        values = np.array([statistic(np.array(order)) for order in itertools.permutations(y)])
                        case[name] = np.mean(values >= statistic(y) - 1e-9)
                    elif len(set(y)) == count and name == "kendall_p":
                        case[name] = stats.kendalltau(x, y, method="exact").pvalue
                    else:
                        case[name] = None
            yield case


def powers():
    """Power by a quadrature over the mean, given which the spread's distribution is known; and by SciPy's noncentral t, which is not a number in places."""
    for pairs, alpha, effect in itertools.product([2, 3, 5, 10, 40], [0.05, 0.005], [0.2, 1.0, 3.0]):
        freedom = pairs - 1
        critical = stats.t.isf(alpha / 2, freedom)
        noncentrality = effect * math.sqrt(pairs)
        case = {"pairs": pairs, "alpha": alpha, "effect": effect}

        def rejects(z):
            return stats.chi2.cdf(freedom * (z / critical) ** 2, freedom) * stats.norm.pdf(z, noncentrality)

        ends = sorted([noncentrality - 12, 0, noncentrality, noncentrality + 12])
        case["power"] = sum(integrate.quad(rejects, *part, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for part in zip(ends, ends[1:]))
        theirs = stats.nct.sf(critical, freedom, noncentrality) + stats.nct.cdf(-critical, freedom, noncentrality)
        assert math.isnan(theirs) or math.isclose(theirs, case["power"], rel_tol=1e-8), (case, theirs)
        # Equivalence: the chance over the mean's normal distribution, given it over the spread's chi-squared one.
        margin, delta = effect, 0.1 * effect
        t = stats.t.isf(alpha, freedom)

        def given(mean):
            room = (margin - abs(mean)) * math.sqrt(pairs) / t
            return stats.chi2.cdf(room * room * freedom, freedom) * stats.norm.pdf(mean, delta, 1 / math.sqrt(pairs))

        case["equivalence_power"] = sum(integrate.quad(given, *part, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for part in [(-margin, 0), (0, margin)])
        yield case


def pairs_needed():
    for effect, alpha, wanted in itertools.product([0.1, 0.5, 1.0, 2.0], [0.05, 0.01], [0.8, 0.95]):
        for pairs in range(2, 10_000):
            critical = stats.t.isf(alpha / 2, pairs - 1)
            if stats.nct.sf(critical, pairs - 1, effect * math.sqrt(pairs)) >= wanted:  # The other tail is below 1e-5 there.
                break
        yield {"effect": effect, "alpha": alpha, "wanted": wanted, "pairs": pairs}


def quantiles():
    for freedom, p in itertools.product([1, 2, 3.7, 9, 30, 250], [1e-9, 1e-4, 0.025, 0.3]):
        yield {"freedom": freedom, "p": p, "upper": stats.t.isf(p, freedom), "two_sided": 2 * stats.t.sf(1.7, freedom)}


def laws():
    rng = np.random.default_rng(20260104)
    for sizes in [[1e6, 3e6, 1e7, 3e7], [2e6, 5e6, 1e7, 4e7, 2e8, 1e9]]:
        for floor, exponent in [(1.7, 0.34), (2.5, 0.15), (0.5, 0.08)]:
            x = np.array(sizes)
            losses = np.array(listed((floor + 2.0 * (x / 1e6) ** -exponent) * (1 + 0.001 * rng.normal(size=len(x)))))

            def residuals(theta):
                return (theta[0] + np.exp(theta[1]) * (x / 1e6) ** -np.exp(theta[2])) / losses - 1

            fits = [
                optimize.least_squares(residuals, [e, math.log(2.0), math.log(a)], bounds=([0, -20, math.log(0.01)], [20, 20, math.log(3)]), xtol=1e-15, ftol=1e-15, gtol=1e-15)
                for e in [0.1, 1.0, 2.0]
                for a in [0.05, 0.2, 0.8]
            ]
            best = min(fits, key=lambda fit: fit.cost)
            yield {"sizes": sizes, "losses": list(losses), "cost": 2 * best.cost, "exponent": math.exp(best.x[2]), "floor": best.x[0]}


def multipliers():
    compute = np.array([1e15, 4e15, 2e16, 1e17, 3e17])
    loss = np.array([4.0, 3.5, 3.1, 2.9, 2.85])
    curve = interpolate.PchipInterpolator(loss[::-1], np.log(compute[::-1]))
    for arm in [3.99, 3.7, 3.5, 3.3, 3.0, 2.95, 2.86]:
        yield {"base": [[c, l] for c, l in zip(compute, loss)], "compute": 1e16, "loss": arm, "times": math.exp(curve(arm)) / 1e16}


def bootstraps():
    """BCa intervals of a ratio of sums: other draws than the library's, so equal within what 20,000 and 5,000 draws leave open."""
    rng = np.random.default_rng(20260105)
    for count in [30, 200]:
        sizes = np.array(listed(50 + rng.exponential(300, count)))
        amounts = np.array(listed(sizes * (rng.exponential(0.2, count) - 0.15)))
        found = stats.bootstrap((amounts, sizes), lambda a, s, axis=-1: a.sum(axis) / s.sum(axis), paired=True, n_resamples=20_000, method="BCa", vectorized=True, rng=np.random.default_rng(1))
        yield {"amounts": list(amounts), "sizes": list(sizes), "estimate": amounts.sum() / sizes.sum(), "error": found.standard_error, "ci95": list(found.confidence_interval)}


def mcnemars():
    for first, second in [(0, 0), (0, 1), (3, 3), (1, 5), (12, 30), (30, 12), (100, 101), (700, 900), (5000, 5200), (0, 1000), (4000, 6500)]:
        p = stats.binomtest(first, first + second).pvalue if first + second else 1.0
        yield {"first": first, "second": second, "p": p}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, int) and not isinstance(value, bool) else float(value)


def everything():
    return plain(
        {
            "paired": [paired(np.array(listed(d))) for d in samples()],
            "welch": [welch(np.array(listed(a)), np.array(listed(b))) for a, b in two_samples()],
            "ranks": list(ranks()),
            "powers": list(powers()),
            "pairs_needed": list(pairs_needed()),
            "quantiles": list(quantiles()),
            "laws": list(laws()),
            "multipliers": list(multipliers()),
            "bootstraps": list(bootstraps()),
            "mcnemars": list(mcnemars()),
        }
    )


def same(a, b, rel_tol=1e-9):
    if isinstance(a, dict):
        # The place of a minimum is known to the square root of what its value is known to: optimizers differ by processor.
        return a.keys() == b.keys() and all(same(a[key], b[key], 1e-6 if key == "laws" else rel_tol) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(one, other, rel_tol) for one, other in zip(a, b))
    return a == b or a is not None and b is not None and math.isclose(a, b, rel_tol=rel_tol, abs_tol=1e-12)


if __name__ == "__main__":
    found = everything()
    if sys.argv[1:] == ["check"]:
        assert same(found, json.loads(PATH.read_text())), "stats.json is not what this SciPy says"
    else:
        PATH.write_text(json.dumps(found, indent=None, separators=(",", ":")).replace("},{", "},\n{").replace('],"', '],\n"') + "\n")
