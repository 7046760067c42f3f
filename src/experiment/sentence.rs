//! Verdicts in words.

use super::{Comparison, Verdict};

/// What a comparison says, in words; `reference` is what it is compared with.
pub(super) fn verdict(test: &Comparison, reference: &str, margin: Option<f64>) -> String {
    let interval = test.delta_ci95.map(|[low, high]| format!(", 95 % interval {} to {}", signed(low), signed(high))).unwrap_or_default();
    let p = |p: Option<f64>| match p {
        Some(p) if p < 0.0001 => ", adjusted p < 0.0001".into(),
        Some(p) => format!(", adjusted p {}", short(p)),
        None => String::new(),
    };
    let delta = test.delta.unwrap_or(0.0);
    let pairs = if test.pairs == 1 { "1 pair".into() } else { format!("{} pairs", test.pairs) };
    // A difference can be real and too small to matter.
    let small = match (margin, &test.equivalence) {
        (Some(margin), Some(equivalence)) if equivalence.interval.iter().all(|end| end.abs() < margin) => {
            format!("; it is smaller than the margin of {}", short(margin))
        }
        _ => String::new(),
    };
    match test.verdict {
        Verdict::Base => "the base".into(),
        Verdict::NotCompared => "not compared".into(),
        Verdict::Better => format!("better than {reference} by {}{interval}{}{small}", short(delta.abs()), p(test.p_adjusted)),
        Verdict::Worse => format!("worse than {reference} by {}{interval}{}{small}", short(delta.abs()), p(test.p_adjusted)),
        Verdict::Equivalent => {
            let adjusted = test.equivalence.map(|equivalence| equivalence.p_adjusted);
            let margin = margin.map(short).unwrap_or_default();
            format!("equivalent to {reference} within {margin}: {}{interval}{}", signed(delta), p(adjusted))
        }
        Verdict::NoDifference if delta == 0.0 && test.delta_ci95 == Some([0.0, 0.0]) => {
            format!("no difference found: exactly 0 against {reference} in {pairs}")
        }
        Verdict::NoDifference => {
            let seen =
                test.detectable.map(|size| format!("; {pairs} would have shown {} with 80 % probability", short(size))).unwrap_or_default();
            format!("no difference to {reference} found: {}{interval}{}{seen}", signed(delta), p(test.p_adjusted))
        }
        Verdict::Undecided => format!("undecided: {pairs} of finished runs with {reference}, two are needed"),
    }
}

/// What would change a verdict, in a sentence; none where there is nothing to say.
pub(super) fn would_change(test: &Comparison, alpha: f64, margin: Option<f64>) -> Option<String> {
    let delta = test.delta?;
    let now = test.pairs;
    match test.verdict {
        Verdict::Better | Verdict::Worse => {
            // The nearest border of the interval says how much the differences would have to move.
            let room = test.delta_ci95.map(|[low, high]| low.abs().min(high.abs()))?;
            Some(format!("the differences would have to move by {} towards 0", short(room)))
        }
        Verdict::NoDifference => {
            let more = |needed: usize| needed.saturating_sub(now);
            match test.pairs_needed {
                _ if delta == 0.0 => None,
                Some(needed) if more(needed) > 0 => Some(format!(
                    "if the true difference is the {} seen here, {} more seeds would find it with 80 % probability",
                    signed(delta),
                    more(needed)
                )),
                Some(_) => Some(format!("a few more seeds may settle it at α = {alpha}")),
                None => Some(match margin {
                    Some(_) => "a difference this small would take more seeds than anybody trains, or a wider margin".into(),
                    None => {
                        "a difference this small would take more seeds than anybody trains; a margin would let it be called none".into()
                    }
                }),
            }
        }
        Verdict::Equivalent => {
            let interval = test.equivalence?.interval;
            let largest = interval[0].abs().max(interval[1].abs());
            Some(format!("a margin below {} would leave it open", short(largest)))
        }
        Verdict::Undecided | Verdict::Base | Verdict::NotCompared => None,
    }
}

/// How many runs were lost, in words.
pub(super) fn lost(seeds: usize, diverged: usize, failed: usize) -> String {
    [(diverged, "diverged"), (failed, "failed")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("; {count} of {seeds} {} {how}", if seeds == 1 { "run" } else { "runs" }))
        .collect()
}

/// Three significant digits, without exponents down to a millionth.
pub(super) fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let decimals = (2 - x.abs().log10().floor() as i64).clamp(0, 8) as usize;
    format!("{x:.decimals$}")
}

pub(super) fn signed(x: f64) -> String {
    if x > 0.0 { format!("+{}", short(x)) } else { short(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.012345, 1.5, -0.00001234, 123.4, 0.0].map(short), ["0.0123", "1.50", "-0.0000123", "123", "0"]);
        assert_eq!([0.5, -0.5, 0.0].map(signed), ["+0.500", "-0.500", "0"]);
    }
}
