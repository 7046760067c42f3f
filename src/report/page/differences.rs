//! Every comparison: the forest plot, and how much its verdict is worth.

use super::{class, drawing};
use crate::{
    experiment::{Comparison, Summary},
    report::{
        number,
        svg::{Forest, Mark},
        words::{self, Compared},
    },
};
use minijinja::{Value, context};

/// The axis and a row per comparison: every arm with its reference, in a ladder with the base as well, and effects.
pub fn section(summary: &Summary) -> Value {
    let comparisons = words::comparisons(summary);
    let marks: Vec<Mark> = comparisons.iter().filter_map(|compared| mark(compared.comparison)).collect();
    let axis = Forest::new(&marks, summary.margin);
    let decimals = number::decimals(comparisons.iter().filter_map(|c| c.comparison.delta_ci95).map(number::half));
    let all = || comparisons.iter().map(|compared| compared.comparison);
    context! {
        rows => comparisons.iter().map(|compared| row(compared, &axis, decimals)).collect::<Vec<_>>(),
        head => drawing(axis.head(summary.lower_is_better)),
        axis => drawing(axis.axis()),
        margin => summary.margin.filter(|margin| margin.is_finite()),
        equivalences => all().any(|c| c.equivalence.is_some()),
        signs => all().any(|c| c.p_sign_flip.is_some()),
        pairing => all().any(|c| c.correlation.is_some() || c.welch.is_some()),
        changes => all().any(|c| c.would_change.is_some()),
        effects => !summary.effects.is_empty(),
    }
}

fn mark(c: &Comparison) -> Option<Mark> {
    Some(Mark { delta: c.delta?, interval: c.delta_ci95, inner: c.equivalence.map(|e| e.interval), verdict: c.verdict })
}

fn row(compared: &Compared, axis: &Forest, decimals: usize) -> Value {
    let Compared { name, comparison, .. } = *compared;
    let delta = number::plus_minus(comparison.delta, None, decimals, true);
    let interval = number::interval(comparison.delta_ci95, decimals);
    let against = compared.against();
    let label = format!("{name} {against}: {delta} {interval}, {}", words::verdict(comparison.verdict));
    let none = || number::NONE.to_string();
    context! {
        name,
        against,
        aliases => words::enumerate(compared.aliases),
        further => compared.further,
        plot => drawing(axis.row(&label, mark(comparison).as_ref())),
        delta => if number::exact_zero(comparison.delta, comparison.delta_ci95) { "0".to_string() } else { delta },
        interval,
        p => number::p_value(comparison.p),
        p_adjusted => number::p_value(comparison.p_adjusted),
        detectable => comparison.detectable.map(|d| number::fixed(d, decimals)).unwrap_or_else(none),
        pairs => words::plural(comparison.pairs, "pair"),
        verdict => words::verdict(comparison.verdict),
        class => class(comparison.verdict),
        correlation => comparison.correlation.map(|r| number::fixed(r, 2)).unwrap_or_else(none),
        gain => gain(comparison),
        welch => number::p_value(comparison.welch.map(|welch| welch.p)),
        sign_flip => number::p_value(comparison.p_sign_flip),
        equivalence => number::p_value(comparison.equivalence.map(|e| e.p_adjusted)),
        equivalence_alone => number::p_value(comparison.equivalence.map(|e| e.p)),
        needed => comparison.pairs_needed.map(|pairs| number::count(pairs as u64)),
        would_change => &comparison.would_change,
        text => compared.text,
    }
}

/// How much narrower the paired interval is than Welch's.
fn gain(comparison: &Comparison) -> Option<String> {
    let (paired, welch) = (number::half(comparison.delta_ci95?), number::half(comparison.welch?.ci95));
    let gain = welch / paired;
    (gain.is_finite() && gain > 0.0).then(|| match gain {
        gain if gain >= 1.05 => format!("{gain:.1}× narrower"),
        gain if gain <= 0.95 => format!("{:.1}× wider", 1.0 / gain),
        _ => "as wide".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Verdict, WelchSummary};

    #[test]
    fn the_gain_of_pairing_is_the_ratio_of_the_intervals() {
        let mut comparison: Comparison = serde_json::from_value(serde_json::json!({
            "reference": "base", "pairs": 5, "delta": 0.0, "delta_ci95": [-0.01, 0.01], "p": 1.0, "p_adjusted": 1.0,
            "detectable": null, "verdict": Verdict::NoDifference,
        }))
        .unwrap();
        assert_eq!(gain(&comparison), None);
        let mut with = |half: f64| {
            comparison.welch = Some(WelchSummary { ci95: [-half, half], p: 1.0 });
            gain(&comparison)
        };
        assert_eq!(with(0.024).as_deref(), Some("2.4× narrower"));
        assert_eq!(with(0.005).as_deref(), Some("2.0× wider"));
        assert_eq!(with(0.0101).as_deref(), Some("as wide"));
        assert_eq!(with(f64::NAN), None);
    }
}
