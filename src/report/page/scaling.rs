//! Loss against size and against compute.

use super::{drawing, legend, place};
use crate::{
    experiment::{ScalingCurve, Summary},
    report::{
        number,
        svg::{BudgetPlot, SizeLine, SizePlot, Worth},
        words,
    },
};
use minijinja::{Value, context};

/// The fits, and how differences change with size.
pub fn sizes(summary: &Summary) -> Option<Value> {
    let scaling = summary.scaling.as_ref()?;
    let line = |curve: &'_ ScalingCurve| -> (Vec<(f64, f64)>, Option<[f64; 3]>) {
        let points = curve.points.iter().map(|(_, size, metric)| (*size as f64, *metric)).collect();
        (points, curve.fit.map(|fit| [fit.floor.unwrap_or(0.0), fit.factor, fit.exponent]))
    };
    let lines = scaling.curves.iter().map(|curve| {
        let (points, law) = line(curve);
        SizeLine { name: &curve.arm, index: place(summary, &curve.arm), points, law }
    });
    let metric = words::metric(&summary.metric);
    let plot = SizePlot { title: &format!("{metric} by size"), quantity: &metric, lines: lines.collect() }.draw();
    let rows = scaling.curves.iter().map(|curve| {
        let range = |interval: Option<[f64; 2]>| interval.map(|[low, high]| format!("{} to {}", number::fixed(low, 3), number::fixed(high, 3)));
        context! {
            arm => &curve.arm,
            sizes => curve.points.iter().map(|(name, size, _)| format!("{name} ({})", number::short(*size as f64))).collect::<Vec<_>>().join(", "),
            exponent => curve.fit.map(|fit| number::fixed(fit.exponent, 3)),
            exponent_range => curve.fit.and_then(|fit| range(fit.exponent_ci95)),
            floor => curve.fit.and_then(|fit| fit.floor).map(|floor| number::fixed(floor, 3)),
            floor_range => curve.fit.and_then(|fit| range(fit.floor_ci95)),
            residual => curve.fit.map(|fit| format!("{} %", number::fixed(fit.residual * 100.0, 2))),
            note => &curve.note,
        }
    });
    let trends = scaling.trends.iter().map(|trend| context! { arm => &trend.arm, text => &trend.text });
    let legend = legend(summary, |name| scaling.curves.iter().any(|curve| curve.arm == name));
    Some(context! { plot => plot.map(drawing), legend, rows => rows.collect::<Vec<_>>(), trends => trends.collect::<Vec<_>>() })
}

/// The base at its budgets, and what the arms' compute is worth.
pub fn budgets(summary: &Summary) -> Option<Value> {
    let compute = summary.compute.as_ref()?;
    let arms = compute.arms.iter().filter_map(|worth| {
        let index = place(summary, &worth.arm);
        let arm = summary.arms.get(index).filter(|arm| arm.name == worth.arm)?;
        let flops = arm.flops_per_token * arm.tokens as f64;
        Some(Worth { name: &arm.name, index, flops, metric: arm.mean?, base_flops: worth.multiplier.map(|times| times * flops) })
    });
    let metric = words::metric(&summary.metric);
    let title = format!("{metric} by training compute");
    let plot = BudgetPlot { title: &title, quantity: &metric, base: &compute.base, arms: arms.collect() }.draw();
    let rows = compute.arms.iter().map(|worth| {
        let times = |x: f64| format!("{}×", number::fixed(x, 2));
        let interval = worth.ci95.map(|[low, high]| format!("{} to {}", times(low), times(high)));
        context! { arm => &worth.arm, multiplier => worth.multiplier.map(times), interval, text => &worth.text }
    });
    // The base, first of the arms, is the line.
    let legend = legend(summary, |name| name == summary.arms[0].name || compute.arms.iter().any(|worth| worth.arm == name));
    Some(context! { plot => plot.map(drawing), legend, budgets => compute.base.len(), rows => rows.collect::<Vec<_>>() })
}
