//! A forest plot in rows: each difference with its interval on one axis, drawn in percent of the width, so that text
//! beside it stays text of the page at any width.

use super::{
    element::{coordinate, escape},
    scale::{Scale, Ticks},
};
use crate::{experiment::Verdict, report::number};
use std::fmt::Write;

/// One difference.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// Arm minus reference.
    pub delta: f64,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// The narrower interval that decides equivalence, where there is a margin.
    pub inner: Option<[f64; 2]>,
    /// What it says; decides the marker.
    pub verdict: Verdict,
}

/// The axis that all rows share.
pub struct Forest {
    scale: Scale,
    ticks: Ticks,
    margin: Option<f64>,
}

impl Forest {
    /// An axis around zero for these differences. Intervals much wider than most (few pairs) run out of it, and so does a
    /// margin that is much wider.
    pub fn new(marks: &[Mark], margin: Option<f64>) -> Self {
        let ends = |mark: &Mark| mark.interval.unwrap_or([mark.delta; 2]);
        let mut extents: Vec<f64> = marks.iter().flat_map(|m| ends(m).map(f64::abs)).filter(|e| e.is_finite()).collect();
        extents.sort_by(f64::total_cmp);
        let points = marks.iter().map(|m| m.delta.abs()).filter(|d| d.is_finite()).fold(0.0, f64::max);
        let most = extents.get(extents.len() * 3 / 4).or(extents.last()).copied().unwrap_or(1.0);
        let limit = (2.0 * most).max(1.3 * points);
        let margin = margin.filter(|margin| margin.is_finite() && *margin > 0.0);
        let (mut low, mut high) = (0.0f64, 0.0f64);
        for mark in marks {
            let [from, to] = ends(mark);
            low = low.min(from.max(-limit)).min(mark.delta);
            high = high.max(to.min(limit)).max(mark.delta);
        }
        if let Some(margin) = margin.filter(|margin| marks.is_empty() || *margin <= 2.0 * limit) {
            (low, high) = (low.min(-margin), high.max(margin));
        }
        if !(low.is_finite() && high.is_finite() && high > low) {
            (low, high) = (-1.0, 1.0);
        }
        // Room on both sides of zero for the words that name the good direction.
        let span = high - low;
        low = low.min(-0.42 * span) - 0.04 * span;
        high = high.max(0.42 * span) + 0.04 * span;
        let scale = Scale::new([low, high], [0.0, 100.0]);
        Self { scale, ticks: scale.ticks(5), margin }
    }

    /// The words above the axis: which side is good.
    pub fn head(&self, lower_is_better: bool) -> String {
        let [left, right] = if lower_is_better { ["← better", "worse →"] } else { ["← worse", "better →"] };
        let zero = coordinate(self.scale.place(0.0));
        format!(
            "<svg class=\"forest\" width=\"100%\" height=\"18\" role=\"img\" aria-label=\"left: {}; right: {}\">\
             <text class=\"label end\" x=\"{zero}%\" dx=\"-8\" y=\"13\">{left}</text><text class=\"label\" x=\"{zero}%\" dx=\"8\" y=\"13\">{right}</text></svg>",
            left.trim_start_matches("← "),
            right.trim_end_matches(" →")
        )
    }

    /// One row; without a difference only the grid.
    pub fn row(&self, name: &str, mark: Option<&Mark>) -> String {
        let mut svg = format!("<svg class=\"forest\" width=\"100%\" height=\"100%\" role=\"img\" aria-label=\"{}\">", escape(name));
        self.grid(&mut svg, "100%");
        if let Some(mark) = mark.filter(|mark| mark.delta.is_finite()) {
            self.draw(&mut svg, mark);
        }
        svg.push_str("</svg>");
        svg
    }

    /// Numbers below the last row.
    pub fn axis(&self) -> String {
        let mut svg = String::from("<svg class=\"forest\" width=\"100%\" height=\"24\" aria-hidden=\"true\">");
        self.grid(&mut svg, "5");
        for tick in &self.ticks.values {
            let (place, text) = (coordinate(self.scale.place(*tick)), number::signed(*tick, self.ticks.decimals));
            let text = if tick.abs() < 1e-12 { "0".into() } else { text };
            let _ = write!(svg, "<text class=\"tick middle\" x=\"{place}%\" y=\"19\">{text}</text>");
        }
        svg.push_str("</svg>");
        svg
    }

    fn grid(&self, svg: &mut String, height: &str) {
        if let Some(margin) = self.margin {
            let [left, right] = [-margin, margin].map(|end| self.scale.place(end));
            let (x, width) = (coordinate(left), coordinate(right - left));
            let _ = write!(svg, "<rect class=\"margin\" x=\"{x}%\" width=\"{width}%\" y=\"0\" height=\"{height}\"/>");
        }
        for tick in self.ticks.values.iter().filter(|tick| tick.abs() > 1e-12) {
            let place = coordinate(self.scale.place(*tick));
            let _ = write!(svg, "<line class=\"grid\" x1=\"{place}%\" x2=\"{place}%\" y1=\"0\" y2=\"{height}\"/>");
        }
        let zero = coordinate(self.scale.place(0.0));
        let _ = write!(svg, "<line class=\"zero\" x1=\"{zero}%\" x2=\"{zero}%\" y1=\"0\" y2=\"{height}\"/>");
    }

    fn draw(&self, svg: &mut String, mark: &Mark) {
        let class = match mark.verdict {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Equivalent => "equal",
            _ => "open",
        };
        if let Some([low, high]) = mark.interval.filter(|i| i[0].is_finite() && i[1].is_finite()) {
            let ends = [low, high].map(|end| coordinate(self.scale.place(end)));
            let _ = write!(svg, "<line class=\"whisker {class}\" x1=\"{}%\" x2=\"{}%\" y1=\"50%\" y2=\"50%\"/>", ends[0], ends[1]);
            if let Some(inner) = mark.inner.filter(|i| i[0].is_finite() && i[1].is_finite()) {
                let [from, to] = inner.map(|end| coordinate(self.scale.place(end)));
                let _ = write!(svg, "<line class=\"whisker inner {class}\" x1=\"{from}%\" x2=\"{to}%\" y1=\"50%\" y2=\"50%\"/>");
            }
            // An end inside the axis is capped, one beyond it is an arrow.
            let caps = [(low < self.scale.data()[0], "M7 -4L0 0L7 4"), (high > self.scale.data()[1], "M-7 -4L0 0L-7 4")];
            for (place, (beyond, arrow)) in ends.iter().zip(caps) {
                let d = if beyond { arrow } else { "M0 -4V4" };
                let _ = write!(svg, "<svg x=\"{place}%\" y=\"50%\" class=\"mark\"><path class=\"whisker {class}\" d=\"{d}\"/></svg>");
            }
        }
        let shape = match mark.verdict {
            Verdict::Better => "<circle r=\"5\"/>",
            Verdict::Worse => "<path d=\"M0 -6.5L6.5 0L0 6.5L-6.5 0Z\"/>",
            Verdict::Equivalent => "<circle r=\"7\"/><path d=\"M-3.5 -2H3.5M-3.5 2H3.5\"/>",
            Verdict::NoDifference | Verdict::Base => "<circle r=\"4.5\"/>",
            Verdict::Undecided | Verdict::NotCompared => "<path d=\"M-4.5 -4.5H4.5V4.5H-4.5Z\"/>",
        };
        let place = coordinate(self.scale.place(mark.delta));
        let _ = write!(svg, "<svg x=\"{place}%\" y=\"50%\" class=\"mark {class}\">{shape}</svg>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(delta: f64, half: f64) -> Mark {
        Mark { delta, interval: Some([delta - half, delta + half]), inner: None, verdict: Verdict::NoDifference }
    }

    #[test]
    fn all_differences_and_zero_lie_on_the_axis_with_room_for_words() {
        for marks in [vec![mark(-0.03, 0.01), mark(-0.2, 0.02)], vec![mark(0.0, 0.0)], vec![mark(1e-9, 1e-10)], vec![]] {
            let forest = Forest::new(&marks, None);
            let [low, high] = forest.scale.data();
            assert!(low < 0.0 && high > 0.0);
            assert!((25.0..=75.0).contains(&forest.scale.place(0.0)), "zero at {}", forest.scale.place(0.0));
            assert!(marks.iter().all(|m| (low..=high).contains(&m.delta)));
        }
    }

    #[test]
    fn one_hopeless_interval_does_not_flatten_the_others() {
        let mut marks: Vec<Mark> = (1..8).map(|i| mark(-0.001 * f64::from(i), 0.001)).collect();
        marks.push(mark(0.002, 4.0));
        let forest = Forest::new(&marks, None);
        assert!(forest.scale.data()[1] - forest.scale.data()[0] < 0.2);
        let svg = forest.row("wide", marks.last());
        assert!(svg.contains("M7 -4L0 0L7 4") && svg.contains("M-7 -4L0 0L-7 4"), "both ends are arrows");
    }

    #[test]
    fn a_margin_is_a_band_that_hides_nothing() {
        let marks = [Mark { inner: Some([-0.006, 0.008]), verdict: Verdict::Equivalent, ..mark(0.001, 0.009) }];
        let forest = Forest::new(&marks, Some(0.01));
        let [low, high] = forest.scale.data();
        assert!(low < -0.01 && high > 0.01, "the whole band is inside");
        let svg = forest.row("x", marks.first());
        let [band, whisker] = ["class=\"margin\"", "class=\"whisker"].map(|part| svg.find(part).unwrap());
        assert!(band < whisker && svg.contains("whisker inner equal") && svg.contains("mark equal"));
        // A margin beyond all that was seen covers the frame instead of flattening it.
        let wide = Forest::new(&marks, Some(50.0));
        assert!(wide.scale.data()[1] < 1.0 && wide.row("x", None).contains("width=\"100%\" y=\"0\""));
        assert!(!Forest::new(&marks, Some(f64::NAN)).axis().contains("class=\"margin"));
    }

    #[test]
    fn rows_without_numbers_are_empty_and_names_are_escaped() {
        let forest = Forest::new(&[mark(f64::NAN, 1.0)], None);
        let svg = forest.row("<script>", Some(&mark(f64::NAN, 1.0))) + &forest.row("x", None) + &forest.axis() + &forest.head(true);
        assert!(!svg.contains("NaN") && !svg.contains("<script>") && !svg.contains("class=\"mark"));
    }
}
