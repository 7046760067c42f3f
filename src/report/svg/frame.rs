//! What plots share: a frame with two axes, their numbers and names, and a region that lines are cut to.

use super::{
    element::{coordinate, escape},
    scale::Scale,
};
use crate::report::number;
use std::fmt::Write;

/// Room around the frame for numbers and names.
const LEFT: f64 = 50.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 42.0;

/// How large a drawing is, in its own units; on the page it fills its column.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
    /// Room to the right of the frame.
    pub right: f64,
}

/// A plot that stands alone.
pub const LARGE: Size = Size { width: 440.0, height: 290.0, right: 12.0 };
/// One of several beside each other.
pub const SMALL: Size = Size { width: 320.0, height: 220.0, right: 12.0 };

impl Size {
    /// The same with other room to the right.
    pub fn with_right(self, right: f64) -> Self {
        Self { right, ..self }
    }

    /// Left and right end of the frame.
    pub fn x(self) -> [f64; 2] {
        [LEFT, self.width - self.right]
    }

    /// Lower and upper end of the frame, in this order: larger numbers are higher.
    pub fn y(self) -> [f64; 2] {
        [self.height - BOTTOM, TOP]
    }
}

/// Axes with their names.
pub struct Frame<'a> {
    /// Identifier, unique in the page.
    pub id: &'a str,
    /// For those who cannot see it.
    pub title: &'a str,
    /// Name of the horizontal axis.
    pub across: &'a str,
    /// Name of the vertical axis, above it.
    pub up: &'a str,
    /// Its size.
    pub size: Size,
    /// Places of the horizontal axis.
    pub x: Scale,
    /// Places of the vertical axis.
    pub y: Scale,
    /// Numbers of the horizontal axis, as written.
    pub ticks: Vec<(f64, String)>,
}

impl Frame<'_> {
    /// The drawing: the axes, `inside` cut to the frame, and `over` on top of all.
    pub fn draw(&self, inside: &str, over: &str) -> String {
        let Size { width, height, .. } = self.size;
        let ([left, right], [bottom, top]) = (self.size.x(), self.size.y());
        let mut svg = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{0}-title\">\
             <title id=\"{0}-title\">{1}</title><clipPath id=\"{0}-clip\"><rect x=\"{left}\" y=\"{top}\" width=\"{2}\" height=\"{3}\"/></clipPath>",
            self.id,
            escape(self.title),
            right - left,
            bottom - top
        );
        let ticks = self.y.ticks(5);
        for tick in &ticks.values {
            let place = coordinate(self.y.place(*tick));
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{left} {place}H{right}\"/><text class=\"tick end\" x=\"{}\" y=\"{place}\" dy=\"4\">{}</text>",
                left - 7.0,
                number::fixed(*tick, ticks.decimals)
            );
        }
        for (tick, text) in &self.ticks {
            let place = coordinate(self.x.place(*tick));
            let _ = write!(
                svg,
                "<path class=\"axis\" d=\"M{place} {bottom}v4\"/><text class=\"tick middle\" x=\"{place}\" y=\"{}\">{}</text>",
                bottom + 18.0,
                escape(text)
            );
        }
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{left} {bottom}H{right}\"/><text class=\"label\" x=\"0\" y=\"13\">{}</text>\
             <text class=\"label middle\" x=\"{}\" y=\"{}\">{}</text><g clip-path=\"url(#{}-clip)\">{inside}</g>{over}</svg>",
            escape(self.up),
            (left + right) / 2.0,
            height - 6.0,
            escape(self.across),
            self.id
        );
        svg
    }
}

/// Counts along an axis: `1,000`, `2M`.
pub fn counts(scale: &Scale, wanted: usize) -> Vec<(f64, String)> {
    let text = |tick: f64| if tick < 99_999.5 { number::count(tick.max(0.0).round() as u64) } else { trimmed(tick) };
    scale.ticks(wanted).values.into_iter().map(|tick| (tick, text(tick))).collect()
}

/// With a unit prefix and no zeros at the end: `2.5G`.
pub fn trimmed(x: f64) -> String {
    let text = number::short(x);
    let prefix = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, prefix) = text.split_at(prefix);
    match digits.contains('.') {
        true => format!("{}{prefix}", digits.trim_end_matches('0').trim_end_matches('.')),
        false => text,
    }
}

/// The lowest to the highest of these with a little room; none without any.
pub fn range(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    let ends = values
        .into_iter()
        .filter(|x| x.is_finite())
        .fold(None, |ends: Option<[f64; 2]>, x| Some(ends.map_or([x, x], |[low, high]| [low.min(x), high.max(x)])));
    ends.map(|[low, high]| [low - (high - low) * 0.06, high + (high - low) * 0.06])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_along_axes_are_short() {
        assert_eq!([2_500_000.0, 1e6, 120.0, 1.5e13].map(trimmed), ["2.5M", "1M", "120", "15T"]);
        let texts: Vec<String> = counts(&Scale::new([0.0, 4000.0], [0.0, 1.0]), 4).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0", "1,000", "2,000", "3,000", "4,000"]);
    }

    #[test]
    fn ranges_pass_over_what_is_no_number() {
        assert_eq!(range([f64::NAN, 1.0, 2.0, f64::INFINITY]), Some([0.94, 2.06]));
        assert_eq!(range([f64::NAN]), None);
    }
}
