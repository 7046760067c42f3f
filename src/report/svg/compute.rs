//! What the base reaches with more and less compute, and where the arms lie beside it.

use super::{
    element::{coordinate, escape, path},
    frame::{Frame, LARGE, range, trimmed},
    look::look,
    scale::Scale,
};
use std::fmt::Write;

/// An arm beside the base's curve.
pub struct Worth<'a> {
    /// Name of the arm.
    pub name: &'a str,
    /// Its place among the arms; decides the colour.
    pub index: usize,
    /// Training FLOPs of a run.
    pub flops: f64,
    /// Mean of the metric.
    pub metric: f64,
    /// Compute with which the base reaches the same.
    pub base_flops: Option<f64>,
}

/// A drawing.
pub struct BudgetPlot<'a> {
    /// What it shows, in words.
    pub title: &'a str,
    /// The metric.
    pub quantity: &'a str,
    /// FLOPs and metric of the base, ascending.
    pub base: &'a [(f64, f64)],
    /// The arms.
    pub arms: Vec<Worth<'a>>,
}

impl BudgetPlot<'_> {
    /// The drawing; none without the base's curve.
    pub fn draw(&self) -> Option<String> {
        let base: Vec<(f64, f64)> = self.base.iter().copied().filter(|(flops, m)| *flops > 0.0 && m.is_finite()).collect();
        if base.is_empty() {
            return None;
        }
        let arms = || self.arms.iter().filter(|arm| arm.flops > 0.0 && arm.metric.is_finite());
        let all = || base.iter().copied().chain(arms().map(|arm| (arm.flops, arm.metric)));
        let x = Scale::log(range(all().map(|(flops, _)| flops.log10()))?.map(|end| 10f64.powf(end)), LARGE.x());
        let y = Scale::new(range(all().map(|(_, metric)| metric))?, LARGE.y());
        let at = |(flops, metric)| (x.place(flops), y.place(metric));
        let mut over = format!("<g class=\"arm0\"><path class=\"line c0\" d=\"{}\"/>", path(base.iter().copied().map(at)));
        for point in &base {
            let (x, y) = at(*point);
            let _ = write!(over, "<circle class=\"dot c0\" cx=\"{}\" cy=\"{}\" r=\"3.5\"/>", coordinate(x), coordinate(y));
        }
        over.push_str("</g>");
        for arm in arms() {
            let colour = look(arm.index).0;
            let (left, y) = at((arm.flops, arm.metric));
            let (left, y) = (coordinate(left), coordinate(y));
            let _ = write!(over, "<g class=\"arm{}\"><title>{}</title>", arm.index, escape(arm.name));
            if let Some(flops) = arm.base_flops.filter(|flops| *flops > 0.0) {
                let _ = write!(
                    over,
                    "<path class=\"line stray {colour}\" stroke-dasharray=\"2 2.5\" d=\"M{left} {y}H{}\"/>",
                    coordinate(x.place(flops))
                );
            }
            let _ = write!(over, "<path class=\"dot {colour}\" d=\"M{left} {y}m0 -6l6 6l-6 6l-6 -6Z\"/></g>");
        }
        let ticks = x.ticks(4).values.into_iter().map(|tick| (tick, trimmed(tick))).collect();
        let across = "training FLOPs of a run";
        Some(Frame { id: "budgets", title: self.title, across, up: self.quantity, size: LARGE, x, y, ticks }.draw("", &over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_lie_beside_the_base_and_point_at_its_curve() {
        let base = [(1e13, 2.4), (2e13, 2.3), (4e13, 2.2)];
        let arm = |base_flops| Worth { name: "<a>", index: 1, flops: 2e13, metric: 2.25, base_flops };
        let plot = BudgetPlot { title: "t", quantity: "bits", base: &base, arms: vec![arm(Some(2.8e13)), arm(None)] };
        let svg = plot.draw().unwrap();
        assert_eq!((svg.matches("<circle").count(), svg.matches("line stray").count()), (3, 1));
        assert!(svg.contains(">20T<") && svg.contains("&lt;a&gt;"), "{svg}");
        assert!(BudgetPlot { base: &[], ..plot }.draw().is_none());
    }
}
