//! An interaction of two factors: the metric at the levels of one, a line for each level of the other. Parallel lines are
//! none.

use super::{
    element::{coordinate, escape, path},
    frame::{Frame, SMALL, range},
    look::look,
    scale::Scale,
};
use std::fmt::Write;

/// Room for the names of levels at the ends of their lines.
const NAMES: f64 = 86.0;
/// Least distance of two names.
const LEADING: f64 = 13.0;

/// A line: a level of one factor.
pub struct LevelLine {
    /// Name of the level.
    pub level: String,
    /// Mean of the metric at each level of the other factor; none where a cell has no run that finished.
    pub means: Vec<Option<f64>>,
}

/// A drawing.
pub struct InteractionPlot<'a> {
    /// Identifier, unique in the page.
    pub id: &'a str,
    /// What it shows, in words.
    pub title: &'a str,
    /// The factor along the axis.
    pub across: &'a str,
    /// Its levels.
    pub levels: &'a [String],
    /// The metric.
    pub quantity: &'a str,
    /// The lines.
    pub lines: Vec<LevelLine>,
}

impl InteractionPlot<'_> {
    /// The drawing; none if no cell has a value.
    pub fn draw(&self) -> Option<String> {
        let size = SMALL.with_right(NAMES);
        let heights = range(self.lines.iter().flat_map(|line| line.means.iter().flatten().copied()))?;
        let y = Scale::new(heights, size.y());
        let [left, right] = size.x();
        let x = Scale::new([0.0, self.levels.len().saturating_sub(1).max(1) as f64], [left + 26.0, right - 14.0]);
        let mut inside = String::new();
        let mut ends: Vec<(f64, usize)> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let (colour, dash) = look(index);
            let points: Vec<(f64, f64)> =
                line.means.iter().enumerate().filter_map(|(at, mean)| Some((x.place(at as f64), y.place((*mean)?)))).collect();
            let _ = write!(inside, "<path class=\"line {colour}\" stroke-dasharray=\"{dash}\" d=\"{}\"/>", path(points.iter().copied()));
            for (x, y) in &points {
                let _ = write!(inside, "<circle class=\"dot {colour}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>", coordinate(*x), coordinate(*y));
            }
            ends.extend(points.last().map(|(_, y)| (*y, index)));
        }
        let mut over = String::new();
        for (y, index) in apart(ends, size.y()) {
            let _ = write!(
                over,
                "<text class=\"name {}\" x=\"{}\" y=\"{}\" dy=\"4\">{}</text>",
                look(index).0,
                right - 6.0,
                coordinate(y),
                escape(&short(&self.lines[index].level, 14))
            );
        }
        let ticks = self.levels.iter().enumerate().map(|(at, level)| (at as f64, short(level, 12))).collect();
        let frame = Frame { id: self.id, title: self.title, across: self.across, up: self.quantity, size, x, y, ticks };
        Some(frame.draw(&inside, &over))
    }
}

/// Names at their lines, from the top down, moved where they would cover each other, inside the frame if they can be.
fn apart(mut names: Vec<(f64, usize)>, [bottom, top]: [f64; 2]) -> Vec<(f64, usize)> {
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = top;
    for name in &mut names {
        name.0 = name.0.max(free);
        free = name.0 + LEADING;
    }
    let mut limit = bottom;
    for name in names.iter_mut().rev() {
        name.0 = name.0.min(limit);
        limit = name.0 - LEADING;
    }
    names
}

fn short(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_per_level_with_its_name_and_gaps_left_out() {
        let levels = ["base".to_string(), "rope".into(), "<alibi>".into()];
        let line = |level: &str, means: [Option<f64>; 3]| LevelLine { level: level.into(), means: means.into() };
        let lines = vec![line("base", [Some(2.0), Some(1.9), Some(1.95)]), line("rms", [Some(2.01), None, Some(1.94)])];
        let plot = InteractionPlot { id: "i", title: "t", across: "position", levels: &levels, quantity: "bits", lines };
        let svg = plot.draw().unwrap();
        assert_eq!((svg.matches("<circle").count(), svg.matches("class=\"line").count()), (5, 2));
        assert!(svg.contains(">rms</text>") && svg.contains("&lt;alibi&gt;") && !svg.contains("NaN"));
        let empty = InteractionPlot { lines: vec![line("base", [None; 3])], ..plot };
        assert!(empty.draw().is_none());
    }

    #[test]
    fn names_do_not_cover_each_other() {
        let placed = apart(vec![(100.0, 0), (101.0, 1), (99.0, 2), (30.0, 3)], [178.0, 28.0]);
        assert!(placed.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LEADING - 1e-9), "{placed:?}");
        assert!(apart(vec![(177.0, 0), (178.0, 1)], [178.0, 28.0]).iter().all(|(y, _)| *y <= 178.0));
    }
}
