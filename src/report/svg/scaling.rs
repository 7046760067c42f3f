//! Loss against size: points, and the fitted law where there is one.

use super::{
    element::{coordinate, escape, path},
    frame::{Frame, LARGE, counts, range},
    look::look,
    scale::Scale,
};
use std::fmt::Write;

/// Points of a fitted curve.
const STEPS: usize = 48;

/// An arm at its sizes.
pub struct SizeLine<'a> {
    /// Name of the arm.
    pub name: &'a str,
    /// Its place among the arms; decides colour and dash.
    pub index: usize,
    /// Non-embedding parameters and mean of the metric, ascending.
    pub points: Vec<(f64, f64)>,
    /// Floor (0 if there is none), factor and exponent of `floor + factor · N^-exponent`.
    pub law: Option<[f64; 3]>,
}

/// A drawing.
pub struct SizePlot<'a> {
    /// What it shows, in words.
    pub title: &'a str,
    /// The metric.
    pub quantity: &'a str,
    /// The arms.
    pub lines: Vec<SizeLine<'a>>,
}

impl SizePlot<'_> {
    /// The drawing; none without points.
    pub fn draw(&self) -> Option<String> {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied()).filter(|(n, _)| *n > 0.0);
        let sizes = range(points().map(|(n, _)| n.log10()))?.map(|end| 10f64.powf(end));
        let x = Scale::log(sizes, LARGE.x());
        let y = Scale::new(range(points().map(|(_, metric)| metric))?, LARGE.y());
        let (mut inside, mut over) = (String::new(), String::new());
        for line in self.lines.iter().rev() {
            let (colour, dash) = look(line.index);
            let found = || line.points.iter().copied().filter(|(n, metric)| *n > 0.0 && metric.is_finite());
            let _ = write!(inside, "<g class=\"arm{}\"><title>{}</title>", line.index, escape(line.name));
            let (class, curve) = match line.law.filter(|law| law.iter().all(|x| x.is_finite())) {
                Some(law) => ("line", path(fitted(law, sizes).map(|(n, metric)| (x.place(n), y.place_beyond(metric))))),
                // No law: the points are only tied together, so that the eye finds them.
                None => ("line tie", path(found().map(|(n, metric)| (x.place(n), y.place(metric))))),
            };
            let _ = write!(inside, "<path class=\"{class} {colour}\" stroke-dasharray=\"{dash}\" d=\"{curve}\"/></g>");
            let _ = write!(over, "<g class=\"arm{}\">", line.index);
            for (n, metric) in found() {
                let (x, y) = (coordinate(x.place(n)), coordinate(y.place(metric)));
                let _ = write!(over, "<circle class=\"dot {colour}\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>");
            }
            over.push_str("</g>");
        }
        let ticks = counts(&x, 4);
        let across = "non-embedding parameters";
        Some(Frame { id: "sizes", title: self.title, across, up: self.quantity, size: LARGE, x, y, ticks }.draw(&inside, &over))
    }
}

/// A law over a range of sizes, evenly by their logarithm.
fn fitted([floor, factor, exponent]: [f64; 3], [low, high]: [f64; 2]) -> impl Iterator<Item = (f64, f64)> {
    (0..=STEPS).map(move |step| {
        let n = low * (high / low).powf(step as f64 / STEPS as f64);
        (n, floor + factor * n.powf(-exponent))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_goes_through_its_own_points() {
        let law = [1.5, 40.0, 0.3];
        let points: Vec<(f64, f64)> = [1e5, 1e6, 1e7].map(|n: f64| (n, law[0] + law[1] * n.powf(-law[2]))).into();
        let ends: Vec<(f64, f64)> = fitted(law, [1e5, 1e7]).collect();
        assert!((ends[0].1 - points[0].1).abs() < 1e-9 && (ends[STEPS].1 - points[2].1).abs() < 1e-9);
        assert!((ends[STEPS / 2].0 - 1e6).abs() < 1.0);
        let lines = vec![SizeLine { name: "<a>", index: 0, points, law: Some(law) }];
        let svg = SizePlot { title: "t", quantity: "bits", lines }.draw().unwrap();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains(">1M<") && svg.contains("&lt;a&gt;") && !svg.contains("class=\"line tie"));
    }

    #[test]
    fn without_a_law_points_are_tied_and_without_points_there_is_nothing() {
        let line = |points: Vec<(f64, f64)>| SizeLine { name: "a", index: 2, points, law: None };
        let drawn = SizePlot { title: "t", quantity: "q", lines: vec![line(vec![(1e5, 2.0), (2e5, 1.9)])] }.draw().unwrap();
        assert!(drawn.contains("class=\"line tie c2"));
        assert!(SizePlot { title: "t", quantity: "q", lines: vec![line(vec![(0.0, 2.0)])] }.draw().is_none());
    }
}
