//! Lines with bands: a quantity by step, one line per arm, the band from the lowest to the highest seed.

use super::{
    element::{coordinate, escape, path},
    frame::{Frame, LARGE, counts},
    look::look,
    scale::Scale,
};
use crate::report::curves::{Curve, Point, thin};
use std::fmt::Write;

/// Points of all lines of a plot together: what bounds the page, however many arms it has.
const POINTS: usize = 24_000;
/// Points of a single line: about one for each pixel of a small screen.
const LINE: [usize; 2] = [40, 240];
/// Arms up to which bands are drawn; more would cover each other.
const BANDS: usize = 24;
/// Runs that did not finish which are drawn one by one.
const STRAYS: usize = 200;

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

impl LinePlot<'_> {
    /// The drawing; none if there is nothing to draw.
    pub fn draw(&self) -> Option<String> {
        let [x, y] = self.scales()?;
        let strays = self.series.iter().map(|s| s.curve.strays.len()).sum::<usize>().min(STRAYS);
        let most = (POINTS / (self.series.len() + strays).max(1)).clamp(LINE[0], LINE[1]);
        let mut inside = String::new();
        // Bands below all lines; the base, first of the arms, on top.
        if self.bands() {
            for series in self.series.iter().rev() {
                inside.push_str(&series.band(&x, &y, most));
            }
        }
        let mut left = STRAYS;
        let mut over = String::new();
        let mut lines = Vec::new();
        for series in &self.series {
            let shown = &series.curve.strays[..series.curve.strays.len().min(left)];
            left -= shown.len();
            lines.push(series.lines(&x, &y, most, shown));
            over.push_str(&series.ends(&x, &y, shown));
        }
        inside.extend(lines.into_iter().rev());
        let ticks = counts(&x, 5);
        let frame = Frame { id: self.id, title: self.title, across: "step", up: self.quantity, size: LARGE, x, y, ticks };
        Some(frame.draw(&inside, &over))
    }

    /// Whether bands are drawn.
    pub fn bands(&self) -> bool {
        self.series.len() <= BANDS
    }

    /// Runs that did not finish and are not drawn, because there are too many.
    pub fn undrawn(&self) -> usize {
        self.series.iter().map(|s| s.curve.strays.len()).sum::<usize>().saturating_sub(STRAYS)
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
        Some([Scale::new([0.0, end.max(1.0)], LARGE.x()), Scale::new([low - margin, high + margin], LARGE.y())])
    }
}

impl Series<'_> {
    fn thinned(&self, most: usize) -> Vec<Point> {
        thin(&self.curve.points, most, &[|p| p.mean])
    }

    fn band(&self, x: &Scale, y: &Scale, most: usize) -> String {
        let points = thin(&self.curve.points, most, &[|p| p.low, |p| p.high]);
        if self.curve.seeds < 2 || points.len() < 2 {
            return String::new();
        }
        let upper = points.iter().map(|p| (x.place(p.step), y.place_beyond(p.high)));
        let lower = points.iter().rev().map(|p| (x.place(p.step), y.place_beyond(p.low)));
        format!("<path class=\"band {} arm{}\" d=\"{}Z\"/>", look(self.index).0, self.index, path(upper.chain(lower)))
    }

    /// A cross where a run ended early, on the frame's edge if its value ran out of the frame.
    fn ends(&self, x: &Scale, y: &Scale, strays: &[Vec<(f64, f64)>]) -> String {
        let colour = look(self.index).0;
        let ends = strays.iter().filter_map(|stray| stray.last());
        ends.map(|&(step, value)| {
            let (x, y) = (coordinate(x.place(step)), coordinate(y.place(value)));
            format!("<path class=\"line stray {colour} arm{}\" d=\"M{x} {y}m-4 -4l8 8m0 -8l-8 8\"/>", self.index)
        })
        .collect()
    }

    fn lines(&self, x: &Scale, y: &Scale, most: usize, strays: &[Vec<(f64, f64)>]) -> String {
        let (colour, dash) = look(self.index);
        let mut svg = format!("<g class=\"arm{}\"><title>{}</title>", self.index, escape(self.name));
        for stray in strays.iter().filter(|stray| !stray.is_empty()) {
            let points = thin(stray, most, &[|p| p.1]);
            let line = path(points.iter().map(|&(step, value)| (x.place(step), y.place_beyond(value))));
            let _ = write!(svg, "<path class=\"line stray {colour}\" d=\"{line}\"/>");
        }
        let points = self.thinned(most);
        let line = path(points.iter().map(|p| (x.place(p.step), y.place_beyond(p.mean))));
        let _ = match points.as_slice() {
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

    /// However many arms, runs and steps there are, a drawing stays within its bound and shows how high a line went.
    #[test]
    fn a_plot_is_bounded_and_keeps_its_extremes() {
        let points: Vec<Point> = (0..3000)
            .map(|i| {
                let mean = if i == 1777 { 9.0 } else { 2.0 };
                Point { step: f64::from(i), mean, low: mean, high: mean }
            })
            .collect();
        let stray: Vec<(f64, f64)> = (0..3000).map(|i| (f64::from(i), 3.0)).collect();
        let spiked = Curve { points, seeds: 5, strays: vec![stray; 5] };
        let series = (0..200).map(|index| Series { name: "a", index, curve: &spiked }).collect();
        let many = LinePlot { id: "p", title: "t", quantity: "loss", series };
        let svg = many.draw().unwrap();
        assert!(svg.len() < 600_000, "{} bytes", svg.len());
        assert_eq!(many.undrawn(), 800);
        // Heights of the line's own points: the spike stands alone near the top of the frame, all else near its bottom.
        let one = plot(&spiked).draw().unwrap();
        let [bottom, top] = LARGE.y();
        let share = |y: &f64| (y - bottom) / (top - bottom);
        let heights = |path: &str| -> Vec<f64> {
            let d = path.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            d.split(['M', 'L']).filter_map(|point| point.split_whitespace().nth(1)?.parse().ok()).collect()
        };
        let spiked = |heights: &Vec<f64>| {
            heights.iter().filter(|y| share(y) > 0.8).count() == 1 && heights.iter().filter(|y| share(y) < 0.3).count() > 100
        };
        assert!(one.split("<path").map(heights).any(|heights| spiked(&heights)), "{one}");
    }
}
