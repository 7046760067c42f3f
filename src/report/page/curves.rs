//! Loss curves, with what their caption must say.

use super::{drawing, legend};
use crate::{
    experiment::Summary,
    report::{
        curves::{ArmCurves, Curve},
        svg::{LinePlot, Series},
        words,
    },
};
use minijinja::{Value, context};

/// Training loss and evaluations by step.
pub fn section(summary: &Summary, curves: &[ArmCurves]) -> Value {
    let series = |curve: fn(&ArmCurves) -> &Curve| {
        let each = summary.arms.iter().zip(curves).enumerate();
        each.map(|(index, (arm, curves))| Series { name: &arm.name, index, curve: curve(curves) }).collect()
    };
    let metric = words::metric(&summary.metric);
    let training =
        LinePlot { id: "training", title: "Training loss by step", quantity: "training loss, nats", series: series(|c| &c.training) };
    let title = format!("{metric} by step");
    let evaluation = LinePlot { id: "evaluation", title: &title, quantity: &metric, series: series(|c| &c.evaluation) };
    let missing: Vec<String> = summary
        .arms
        .iter()
        .zip(curves)
        .flat_map(|(arm, curves)| curves.missing.iter().map(move |seed| format!("{} seed {seed}", arm.name)))
        .collect();
    context! {
        cuts => training.cuts() || evaluation.cuts(),
        strays => curves.iter().map(|c| c.training.strays.len()).sum::<usize>(),
        legend => legend(summary, |_| true),
        undrawn => training.undrawn(),
        bands => training.bands() && curves.iter().any(|c| c.training.seeds > 1),
        plots => [training, evaluation].iter().filter_map(LinePlot::draw).map(drawing).collect::<Vec<_>>(),
        missing => words::some(&missing, 12),
    }
}
