//! Orders that others found, pair by pair.

use super::class;
use crate::{
    experiment::{Claim, PublishedSummary, Summary, Verdict},
    report::number,
};
use minijinja::{Value, context};

/// A part per source.
pub fn section(summary: &Summary) -> Vec<Value> {
    summary.published.iter().map(order).collect()
}

fn order(order: &PublishedSummary) -> Value {
    let group = |arms: &Vec<String>| if arms.len() == 1 { arms[0].clone() } else { format!("{{{}}}", arms.join(", ")) };
    let decimals = number::decimals(order.claims.iter().filter_map(|claim| claim.ci95).map(number::half));
    context! {
        source => &order.source,
        ranking => order.order.iter().map(group).collect::<Vec<_>>().join(" before "),
        text => &order.text,
        rows => order.claims.iter().map(|claim| row(claim, decimals)).collect::<Vec<_>>(),
    }
}

fn row(claim: &Claim, decimals: usize) -> Value {
    let interval = claim.ci95.map(|ci95| number::interval(Some(ci95), decimals));
    context! {
        better => &claim.better,
        worse => &claim.worse,
        delta => claim.delta.map_or(number::NONE.into(), |delta| number::signed(delta, decimals)),
        interval,
        p => number::p_value(claim.p_adjusted),
        class => class(claim.verdict),
        here => match claim.verdict {
            Verdict::Better => "holds",
            Verdict::Worse => "the other way round",
            _ => "open",
        },
    }
}
