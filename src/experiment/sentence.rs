//! Verdicts in words.

use super::{Comparison, Verdict, plan::Plan};

/// What a comparison says, in words; `reference` is what it is compared with.
pub(super) fn verdict(test: &Comparison, reference: &str, margin: Option<f64>) -> String {
    let interval = test.delta_ci95.map(|[low, high]| format!(", 95 % interval {} to {}", signed(low), signed(high))).unwrap_or_default();
    let p = |p: Option<f64>, what: &str| match p {
        Some(p) if p < 0.0001 => format!(", adjusted p{what} < 0.0001"),
        Some(p) => format!(", adjusted p{what} {}", short(p)),
        None => String::new(),
    };
    let delta = test.delta.unwrap_or(0.0);
    // Better or worse by an amount, and the interval of that amount.
    let amount = || {
        let [low, high] = test.delta_ci95.map(|[low, high]| if delta < 0.0 { [-high, -low] } else { [low, high] })?;
        Some(format!(", 95 % interval {} to {}", short(low), short(high)))
    };
    let amount = || format!("{reference} by {}{}{}", short(delta.abs()), amount().unwrap_or_default(), p(test.p_adjusted, ""));
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
        Verdict::Better => format!("better than {}{small}", amount()),
        Verdict::Worse => format!("worse than {}{small}", amount()),
        Verdict::Equivalent => {
            let adjusted = test.equivalence.map(|equivalence| equivalence.p_adjusted);
            let margin = margin.map(short).unwrap_or_default();
            format!("equivalent to {reference} within {margin}: {}{interval}{}", signed(delta), p(adjusted, " of equivalence"))
        }
        Verdict::NoDifference if delta == 0.0 && test.delta_ci95 == Some([0.0, 0.0]) => {
            format!("no difference found: exactly 0 against {reference} in {pairs}")
        }
        Verdict::NoDifference => {
            let seen =
                test.detectable.map(|size| format!("; {pairs} would have shown {} with 80 % probability", short(size))).unwrap_or_default();
            format!("no difference to {reference} found: {}{interval}{}{seen}", signed(delta), p(test.p_adjusted, ""))
        }
        Verdict::Undecided => format!("undecided: {pairs} of finished runs with {reference}, two are needed"),
    }
}

/// What would change a verdict, in a sentence; none where there is nothing to say.
pub(super) fn would_change(test: &Comparison, plan: &Plan) -> Option<String> {
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
                Some(needed) if plan.sequential.is_some_and(|[_, max]| needed as u64 > max) => Some(format!(
                    "if the true difference is the {} seen here, {needed} fixed seeds would find it with 80 % probability; this plan ends \
                     at {}",
                    signed(delta),
                    plan.seeds.len()
                )),
                Some(needed) if more(needed) > 0 => Some(format!(
                    "if the true difference is the {} seen here, {} more seeds would find it with 80 % probability",
                    signed(delta),
                    more(needed)
                )),
                Some(_) => Some(format!("a few more seeds may settle it at α = {}", plan.alpha)),
                None => Some(match plan.margin {
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

/// A share as a percentage that somebody wrote: `0.5 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", (1e4 * share).round() / 1e2)
}

pub(super) fn signed(x: f64) -> String {
    if x > 0.0 { format!("+{}", short(x)) } else { short(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An amount is positive, and so is its interval; each p says what it asks.
    #[test]
    fn amounts_and_their_intervals_have_one_sign() {
        let test = |verdict: Verdict, delta: f64| -> Comparison {
            serde_json::from_value(serde_json::json!({
                "reference": "base", "pairs": 5, "delta": delta, "delta_ci95": [delta - 0.01, delta + 0.012], "p": 0.001,
                "p_adjusted": 0.002, "detectable": 0.1, "verdict": verdict,
                "equivalence": { "p": 0.003, "p_adjusted": 0.004, "interval": [delta - 0.005, delta + 0.005] },
            }))
            .unwrap()
        };
        let said = |verdict, delta| super::verdict(&test(verdict, delta), "base", None);
        assert_eq!(said(Verdict::Better, -0.19), "better than base by 0.190, 95 % interval 0.178 to 0.200, adjusted p 0.00200");
        assert_eq!(said(Verdict::Worse, 0.19), "worse than base by 0.190, 95 % interval 0.180 to 0.202, adjusted p 0.00200");
        let equivalent = super::verdict(&test(Verdict::Equivalent, -0.001), "base", Some(0.02));
        assert!(equivalent.contains("-0.00100, 95 % interval -0.0110 to +0.0110, adjusted p of equivalence 0.00400"), "{equivalent}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.012345, 1.5, -0.00001234, 123.4, 0.0].map(short), ["0.0123", "1.50", "-0.0000123", "123", "0"]);
        assert_eq!([0.5, -0.5, 0.0].map(signed), ["+0.500", "-0.500", "0"]);
        assert_eq!([0.005, 0.07, 0.5].map(percent), ["0.5 %", "7 %", "50 %"]);
    }
}
