//! Lines with bands: a quantity by step, one line per arm, the band from the lowest to the highest seed.

use super::{
    element::{coordinate, escape, path},
    scale::Scale,
};
use crate::report::{curves::Curve, number};
use std::fmt::Write;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 44.0;
/// Colours besides the base's; the style sheet defines as many.
const COLOURS: usize = 6;
const DASHES: [&str; 4] = ["", "7 3", "2 2.5", "9 3 2 3"];

/// One arm's line.
pub struct Series<'a> {
    /// Name of the arm.
    pub name: &'a str,
    /// Its place among the arms, which decides colour and dash; 0 is the base.
    pub index: usize,
    /// What to draw.
    pub curve: &'a Curve,
}

/// A plot of one quantity by step.
pub struct LinePlot<'a> {
    /// Identifier, unique in the page.
    pub id: &'a str,
    /// For those who cannot see it.
    pub title: &'a str,
    /// The quantity, above the axis.
    pub quantity: &'a str,
    /// The lines; later ones are drawn under earlier ones.
    pub series: Vec<Series<'a>>,
}

/// Colour class and dash pattern: pairs repeat only after 24 arms, and neighbours differ in both.
fn look(index: usize) -> (String, &'static str) {
    match index.checked_sub(1) {
        None => ("c0".into(), DASHES[0]),
        Some(k) => (format!("c{}", 1 + k % COLOURS), DASHES[(k + k / COLOURS) % DASHES.len()]),
    }
}

/// A short sample of an arm's line for the legend.
pub fn swatch(index: usize) -> String {
    let (colour, dash) = look(index);
    format!(
        "<svg class=\"swatch\" viewBox=\"0 0 34 10\" width=\"34\" height=\"10\" aria-hidden=\"true\">\
         <path class=\"line {colour}\" stroke-dasharray=\"{dash}\" d=\"M1 5L33 5\"/></svg>"
    )
}

impl LinePlot<'_> {
    /// The drawing; none if there is nothing to draw.
    pub fn draw(&self) -> Option<String> {
        let [x, y] = self.scales()?;
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{0}-title\">\
             <title id=\"{0}-title\">{1}</title><clipPath id=\"{0}-clip\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{2}\" height=\"{3}\"/></clipPath>",
            self.id,
            escape(self.title),
            right - LEFT,
            bottom - TOP
        );
        let ticks = y.ticks(5);
        for tick in &ticks.values {
            let place = coordinate(y.place(*tick));
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {place}H{right}\"/><text class=\"tick end\" x=\"{}\" y=\"{place}\" dy=\"4\">{}</text>",
                LEFT - 7.0,
                number::fixed(*tick, ticks.decimals)
            );
        }
        for tick in x.ticks(5).values {
            let place = coordinate(x.place(tick));
            let _ = write!(
                svg,
                "<path class=\"axis\" d=\"M{place} {bottom}v4\"/><text class=\"tick middle\" x=\"{place}\" y=\"{}\">{}</text>",
                bottom + 18.0,
                number::count(tick.max(0.0).round() as u64)
            );
        }
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/><text class=\"label\" x=\"0\" y=\"13\">{}</text>\
             <text class=\"label middle\" x=\"{}\" y=\"{}\">step</text><g clip-path=\"url(#{}-clip)\">",
            escape(self.quantity),
            (LEFT + right) / 2.0,
            HEIGHT - 6.0,
            self.id
        );
        // Bands below all lines; the base, first of the arms, on top.
        for series in self.series.iter().rev() {
            svg.push_str(&series.band(&x, &y));
        }
        for series in self.series.iter().rev() {
            svg.push_str(&series.lines(&x, &y));
        }
        svg.push_str("</g>");
        for series in &self.series {
            svg.push_str(&series.ends(&x, &y));
        }
        svg.push_str("</svg>");
        Some(svg)
    }

    /// Whether the first steps lie above the frame.
    pub fn cuts(&self) -> bool {
        let Some([_, y]) = self.scales() else { return false };
        let top = y.data()[1];
        self.series.iter().flat_map(|s| &s.curve.points).any(|point| point.mean > top)
    }

    /// The frame holds everything from a fifth of the way on, so that the steep start does not flatten the rest.
    fn scales(&self) -> Option<[Scale; 2]> {
        let finished = || self.series.iter().flat_map(|s| &s.curve.points).map(|p| (p.step, p.low, p.high));
        let strays = || self.series.iter().flat_map(|s| s.curve.strays.iter().flatten()).map(|&(step, v)| (step, v, v));
        let points: Vec<_> = if finished().next().is_some() { finished().collect() } else { strays().collect() };
        let end = finished().chain(strays()).map(|p| p.0).fold(f64::NEG_INFINITY, f64::max);
        let settled: Vec<_> = points.iter().filter(|p| p.0 >= 0.2 * end).collect();
        let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let high = settled.iter().map(|p| p.2).fold(f64::NEG_INFINITY, f64::max);
        if !(end.is_finite() && low.is_finite() && high.is_finite()) {
            return None;
        }
        let margin = (high - low) * 0.04;
        Some([Scale::new([0.0, end.max(1.0)], [LEFT, WIDTH - RIGHT]), Scale::new([low - margin, high + margin], [HEIGHT - BOTTOM, TOP])])
    }
}

impl Series<'_> {
    fn band(&self, x: &Scale, y: &Scale) -> String {
        let points = &self.curve.points;
        if self.curve.seeds < 2 || points.len() < 2 {
            return String::new();
        }
        let upper = points.iter().map(|p| (x.place(p.step), y.place_beyond(p.high)));
        let lower = points.iter().rev().map(|p| (x.place(p.step), y.place_beyond(p.low)));
        format!("<path class=\"band {} arm{}\" d=\"{}Z\"/>", look(self.index).0, self.index, path(upper.chain(lower)))
    }

    /// A cross where a run ended early, on the frame's edge if its value ran out of the frame.
    fn ends(&self, x: &Scale, y: &Scale) -> String {
        let colour = look(self.index).0;
        let ends = self.curve.strays.iter().filter_map(|stray| stray.last());
        ends.map(|&(step, value)| {
            let (x, y) = (coordinate(x.place(step)), coordinate(y.place(value)));
            format!("<path class=\"line stray {colour} arm{}\" d=\"M{x} {y}m-4 -4l8 8m0 -8l-8 8\"/>", self.index)
        })
        .collect()
    }

    fn lines(&self, x: &Scale, y: &Scale) -> String {
        let (colour, dash) = look(self.index);
        let mut svg = format!("<g class=\"arm{}\"><title>{}</title>", self.index, escape(self.name));
        for stray in self.curve.strays.iter().filter(|stray| !stray.is_empty()) {
            let line = path(stray.iter().map(|&(step, value)| (x.place(step), y.place_beyond(value))));
            let _ = write!(svg, "<path class=\"line stray {colour}\" d=\"{line}\"/>");
        }
        let line = path(self.curve.points.iter().map(|p| (x.place(p.step), y.place_beyond(p.mean))));
        let _ = match self.curve.points.as_slice() {
            [] => Ok(()),
            [one] => {
                let (x, y) = (coordinate(x.place(one.step)), coordinate(y.place(one.mean)));
                write!(svg, "<circle class=\"dot {colour}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>")
            }
            _ => write!(svg, "<path class=\"line {colour}\" stroke-dasharray=\"{dash}\" d=\"{line}\"/>"),
        };
        svg.push_str("</g>");
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::Point;
    use std::collections::BTreeSet;

    fn curve(seeds: usize) -> Curve {
        let points = (1..=50).map(|i| {
            let mean = 8.0 / f64::from(i);
            Point { step: f64::from(i), mean, low: mean - 0.1, high: mean + 0.1 }
        });
        Curve { points: points.collect(), seeds, strays: vec![vec![(1.0, 9.0), (2.0, 1e30)]] }
    }

    fn plot(curve: &Curve) -> LinePlot<'_> {
        LinePlot { id: "p", title: "<t>", quantity: "loss", series: vec![Series { name: "<a>", index: 1, curve }] }
    }

    #[test]
    fn a_plot_has_finite_paths_and_escaped_names() {
        let svg = plot(&curve(3)).draw().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<a>") && !svg.contains("<t>"));
        assert!(svg.contains("class=\"band") && svg.contains("&lt;a&gt;"));
        assert!(plot(&curve(3)).cuts(), "the first steps are far above the rest");
    }

    #[test]
    fn one_seed_has_no_band_and_nothing_draws_nothing() {
        assert!(!plot(&curve(1)).draw().unwrap().contains("class=\"band"));
        assert!(plot(&Curve::default()).draw().is_none());
        let only_strays = Curve { strays: vec![vec![(1.0, 2.0), (2.0, 3.0)]], ..Curve::default() };
        assert!(plot(&only_strays).draw().unwrap().contains("stray"));
    }

    #[test]
    fn looks_differ_between_arms() {
        assert_eq!((0..25).map(look).collect::<BTreeSet<_>>().len(), 25);
    }
}
