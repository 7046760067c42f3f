//! Every function against SciPy: `tests/reference/stats.py` wrote the inputs and the answers.

use ablate::stats::{
    self, Law, Multiplier, bootstrap, correlation, equivalence, equivalence_power, kendall, mcnemar, multiplier, paired, pairs_needed,
    power, scaling, sign_flip, spearman, student, welch,
};
use serde_json::Value;

/// Where both sides compute in float64 by different formulas.
const RELATIVE: f64 = 1e-9;

fn cases(name: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../reference/stats.json")).unwrap();
    let cases = file[name].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} in {case}"))
}

fn numbers(case: &Value, key: &str) -> Vec<f64> {
    case[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Relative, or absolute where what is expected is smaller than `scale`.
#[track_caller]
fn near(value: f64, expected: f64, scale: f64, relative: f64) {
    assert!((value - expected).abs() <= relative * expected.abs().max(scale), "{value} is not {expected}");
}

#[test]
fn paired_tests() {
    for case in cases("paired") {
        let differences = numbers(&case, "differences");
        let test = paired(&differences).unwrap();
        // Means of numbers near 3 whose differences are near 0.001: the last digits of the numbers count.
        let size = differences.iter().fold(0.0, |size: f64, d| size.max(d.abs()));
        near(test.delta, number(&case, "delta"), size, 1e-13);
        near(test.deviation, number(&case, "deviation"), 1e-4 * size, RELATIVE);
        near(test.p.unwrap(), number(&case, "p"), 1e-30, 1e-8);
        for (value, expected) in test.ci95.unwrap().into_iter().zip(numbers(&case, "ci95")) {
            near(value, expected, test.deviation, RELATIVE);
        }
        let equal = equivalence(&differences, number(&case, "margin"), 0.05).unwrap();
        near(equal.p, number(&case, "equivalence_p"), 1e-30, 1e-8);
        for (value, expected) in equal.interval.into_iter().zip(numbers(&case, "interval90")) {
            near(value, expected, test.deviation, RELATIVE);
        }
        if let Some(expected) = case["sign_flip_p"].as_f64() {
            assert_eq!(sign_flip(&differences).unwrap().p, expected, "{case}");
        }
    }
}

#[test]
fn welch_tests() {
    for case in cases("welch") {
        let test = welch(&numbers(&case, "arm"), &numbers(&case, "reference")).unwrap();
        near(test.delta, number(&case, "delta"), 1.0, 1e-13);
        near(test.freedom.unwrap(), number(&case, "freedom"), 0.0, RELATIVE);
        near(test.p, number(&case, "p"), 0.0, RELATIVE);
        for (value, expected) in test.ci95.into_iter().zip(numbers(&case, "ci95")) {
            near(value, expected, 0.01, RELATIVE);
        }
    }
}

#[test]
fn correlations() {
    for case in cases("ranks") {
        let (x, y) = (numbers(&case, "x"), numbers(&case, "y"));
        near(correlation(&x, &y).unwrap(), number(&case, "pearson"), 1e-3, RELATIVE);
        for (test, name) in [(spearman(&x, &y), "spearman"), (kendall(&x, &y), "kendall")] {
            let test = test.unwrap();
            near(test.coefficient, number(&case, name), 1e-3, RELATIVE);
            if let Some(expected) = case[format!("{name}_p")].as_f64() {
                near(test.p, expected, 1e-12, RELATIVE);
            }
        }
    }
}

#[test]
fn quantiles() {
    for case in cases("quantiles") {
        let (freedom, p) = (number(&case, "freedom"), number(&case, "p"));
        near(student::upper(p, freedom), number(&case, "upper"), 0.0, RELATIVE);
        near(student::two_sided_p(1.7, freedom), number(&case, "two_sided"), 0.0, RELATIVE);
    }
}

#[test]
fn powers() {
    for case in cases("powers") {
        let (pairs, alpha, effect) = (number(&case, "pairs") as usize, number(&case, "alpha"), number(&case, "effect"));
        // Quadratures on both sides.
        near(power(effect * (pairs as f64).sqrt(), pairs, alpha), number(&case, "power"), 1e-3, 1e-8);
        near(equivalence_power(1.0, 0.1 * effect, effect, pairs, alpha), number(&case, "equivalence_power"), 1e-3, 1e-7);
    }
    for case in cases("pairs_needed") {
        let pairs = pairs_needed(2.0, 2.0 * number(&case, "effect"), number(&case, "alpha"), number(&case, "wanted"));
        assert_eq!(pairs, Some(number(&case, "pairs") as usize), "{case}");
    }
}

/// SciPy's optimizer goes down the same hill from nine starts: the library is nowhere above it, and where it is.
#[test]
fn scaling_laws() {
    for case in cases("laws") {
        let (sizes, losses) = (numbers(&case, "sizes"), numbers(&case, "losses"));
        let law: Law = scaling(&sizes, &[losses.iter().copied().map(Some).collect()]).unwrap().law;
        let cost: f64 = sizes.iter().zip(&losses).map(|(size, loss)| (law.at(*size) / loss - 1.0).powi(2)).sum();
        assert!(cost <= number(&case, "cost") * (1.0 + 1e-6), "{cost} for {case}");
        near(law.exponent, number(&case, "exponent"), 0.0, 1e-3);
        near(law.floor.unwrap(), number(&case, "floor"), 1.0, 1e-3);
    }
}

#[test]
fn multipliers() {
    for case in cases("multipliers") {
        let base: Vec<(f64, f64)> =
            case["base"].as_array().unwrap().iter().map(|row| (row[0].as_f64().unwrap(), row[1].as_f64().unwrap())).collect();
        let Multiplier::Times(times) = multiplier(&base, number(&case, "compute"), number(&case, "loss")).unwrap() else {
            panic!("{case}")
        };
        near(times, number(&case, "times"), 0.0, RELATIVE);
    }
}

/// Other draws than SciPy's: the ends of intervals from 5,000 draws have an error near a twentieth of the standard error.
#[test]
fn bootstraps() {
    for case in cases("bootstraps") {
        let items = bootstrap(&numbers(&case, "amounts"), &numbers(&case, "sizes")).unwrap();
        near(items.estimate, number(&case, "estimate"), 0.0, RELATIVE);
        near(items.error, number(&case, "error"), 0.0, 0.05);
        for (value, expected) in items.ci95.into_iter().zip(numbers(&case, "ci95")) {
            assert!((value - expected).abs() < 0.2 * items.error, "{items:?} for {case}");
        }
    }
}

/// The plain mean and its interval are what SciPy's one-sample test says too.
#[test]
fn means() {
    for case in cases("paired") {
        let m = stats::mean(&numbers(&case, "differences")).unwrap();
        near(m.ci95.unwrap()[1], numbers(&case, "ci95")[1], m.deviation, RELATIVE);
    }
}

/// The exact test is a binomial one. Terms of thousands of questions are exponentials of sums near 10⁴, known to 10⁻¹².
#[test]
fn mcnemars() {
    for case in cases("mcnemars") {
        let count = |key: &str| case[key].as_u64().unwrap();
        near(mcnemar(count("first"), count("second")).p, number(&case, "p"), 0.0, RELATIVE);
    }
}
