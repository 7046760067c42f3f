//! Sensitivity: the metric against a tuned value, one line per arm, one drawing per key and rung.

use super::{
    element::{coordinate, escape, path},
    frame::{Frame, SMALL},
    look::look,
    scale::Scale,
};
use std::fmt::Write;

/// What one arm reached with each value.
pub struct Sensitivity<'a> {
    /// Name of the arm.
    pub name: &'a str,
    /// Its place among the arms; decides colour and dash.
    pub index: usize,
    /// By value, ascending.
    pub tried: Vec<Tried>,
    /// Place of the value that was chosen.
    pub chosen: Option<usize>,
}

/// What came of one value, at its best over the other keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// Place among the values of the key.
    pub value: usize,
    /// The metric; none where every trial diverged or failed.
    pub metric: Option<f64>,
}

/// A drawing.
pub struct SensitivityPlot<'a> {
    /// Identifier, unique in the page.
    pub id: &'a str,
    /// What it shows, in words.
    pub title: &'a str,
    /// The tuned key.
    pub key: &'a str,
    /// The metric.
    pub quantity: &'a str,
    /// Whether smaller is better.
    pub lower_is_better: bool,
    /// All values that were tried with any arm, as written, ascending; numbers where all are.
    pub values: Vec<(Option<f64>, String)>,
    /// A line per arm.
    pub arms: Vec<Sensitivity<'a>>,
}

impl SensitivityPlot<'_> {
    /// The drawing; none if no trial has a value.
    pub fn draw(&self) -> Option<String> {
        let y = Scale::new(self.heights()?, SMALL.y());
        let (x, places) = self.places();
        let mut lines = String::new();
        let mut marks = String::new();
        for arm in self.arms.iter().rev() {
            let (colour, dash) = look(arm.index);
            let _ = write!(lines, "<g class=\"arm{}\"><title>{}</title>", arm.index, escape(arm.name));
            let _ = write!(marks, "<g class=\"arm{}\">", arm.index);
            let found = || arm.tried.iter().filter_map(|tried| Some((places[tried.value], tried.metric?)));
            let line = path(found().map(|(at, metric)| (x.place(at), y.place_beyond(metric))));
            let _ = write!(lines, "<path class=\"line {colour}\" stroke-dasharray=\"{dash}\" d=\"{line}\"/></g>");
            for tried in &arm.tried {
                let at = coordinate(x.place(places[tried.value]));
                let Some(metric) = tried.metric else {
                    // A cross on the bad side: there was no value at all.
                    let edge = SMALL.y()[usize::from(self.lower_is_better)];
                    let _ = write!(marks, "<path class=\"line stray {colour}\" d=\"M{at} {edge}m-4 -4l8 8m0 -8l-8 8\"/>");
                    continue;
                };
                let place = coordinate(y.place(metric));
                let [low, high] = y.data();
                let _ = match metric {
                    m if m > high => write!(marks, "<path class=\"dot {colour}\" d=\"M{at} {place}l4 7h-8Z\"/>"),
                    m if m < low => write!(marks, "<path class=\"dot {colour}\" d=\"M{at} {place}l4 -7h-8Z\"/>"),
                    _ => write!(marks, "<circle class=\"dot {colour}\" cx=\"{at}\" cy=\"{place}\" r=\"2.5\"/>"),
                };
                if arm.chosen == Some(tried.value) {
                    let _ = write!(marks, "<circle class=\"ring {colour}\" cx=\"{at}\" cy=\"{place}\" r=\"6\"/>");
                }
            }
            marks.push_str("</g>");
        }
        let every = self.values.len().div_ceil(6).max(1);
        let ticks = self.values.iter().zip(&places).step_by(every).map(|((_, text), at)| (*at, text.clone())).collect();
        let frame = Frame { id: self.id, title: self.title, across: self.key, up: self.quantity, size: SMALL, x, y, ticks };
        Some(frame.draw(&lines, &marks))
    }

    /// Where values lie: by their logarithm where they span a factor of five or more, else as they are; words and truth
    /// values side by side.
    fn places(&self) -> (Scale, Vec<f64>) {
        let numbers: Option<Vec<f64>> = self.values.iter().map(|(number, _)| *number).collect();
        let (mut x, places) = match numbers {
            Some(numbers) if numbers.len() > 1 => {
                let (low, high) = (numbers[0], numbers[numbers.len() - 1]);
                match low > 0.0 && high / low >= 5.0 {
                    true => (Scale::log([low, high], [0.0, 1.0]), numbers),
                    false => (Scale::new([low, high], [0.0, 1.0]), numbers),
                }
            }
            _ => {
                let places: Vec<f64> = (0..self.values.len()).map(|at| at as f64).collect();
                (Scale::new([0.0, places.len().saturating_sub(1) as f64], [0.0, 1.0]), places)
            }
        };
        // Room for marks at both ends.
        let [left, right] = SMALL.x();
        x = x.onto([left + 18.0, right - 18.0]);
        (x, places)
    }

    /// The frame holds the better half of what was reached and as much again on the bad side: one value far too large must
    /// not flatten the rest.
    fn heights(&self) -> Option<[f64; 2]> {
        let mut found: Vec<f64> =
            self.arms.iter().flat_map(|arm| &arm.tried).filter_map(|tried| tried.metric).filter(|m| m.is_finite()).collect();
        found.sort_by(f64::total_cmp);
        if !self.lower_is_better {
            found.reverse();
        }
        let (best, worst) = (*found.first()?, *found.last()?);
        let middle = found[(found.len() - 1) * 3 / 4];
        let limit = best + 2.5 * (middle - best);
        let end = if (worst - best).abs() > (limit - best).abs() && limit != best { limit } else { worst };
        let [low, high] = if best < end { [best, end] } else { [end, best] };
        let room = (high - low) * 0.08;
        Some([low - room, high + room])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(values: &[(Option<f64>, &str)], metrics: &[Option<f64>]) -> SensitivityPlot<'static> {
        let tried = metrics.iter().enumerate().map(|(value, metric)| Tried { value, metric: *metric }).collect();
        SensitivityPlot {
            id: "p",
            title: "<t>",
            key: "optimizer.lr",
            quantity: "loss",
            lower_is_better: true,
            values: values.iter().map(|(number, text)| (*number, (*text).into())).collect(),
            arms: vec![Sensitivity { name: "<a>", index: 1, tried, chosen: Some(1) }],
        }
    }

    #[test]
    fn learning_rates_lie_evenly_and_the_chosen_one_is_ringed() {
        let values = [(Some(1e-4), "1e-4"), (Some(1e-3), "1e-3"), (Some(1e-2), "1e-2")];
        let plot = plot(&values, &[Some(2.5), Some(2.3), None]);
        let (x, places) = plot.places();
        let at: Vec<f64> = places.iter().map(|place| x.place(*place)).collect();
        assert!((at[1] - (at[0] + at[2]) / 2.0).abs() < 1e-9, "{at:?}");
        let svg = plot.draw().unwrap();
        assert_eq!((svg.matches("class=\"ring c1").count(), svg.matches("line stray").count()), (1, 1));
        assert!(svg.contains("&lt;a&gt;") && svg.contains(">1e-3<") && !svg.contains("NaN"));
    }

    #[test]
    fn one_bad_value_does_not_flatten_the_rest_and_is_still_seen() {
        let values = [1.0, 2.0, 3.0, 4.0].map(|x| (Some(x), "x"));
        let plot = plot(&values, &[Some(2.31), Some(2.30), Some(2.32), Some(90.0)]);
        let [low, high] = plot.heights().unwrap();
        assert!(low < 2.30 && high > 2.32 && high < 3.0, "{low} {high}");
        assert!(plot.draw().unwrap().contains("l4 7h-8Z"), "an arrow for what is above");
    }

    #[test]
    fn words_stand_side_by_side_and_nothing_draws_nothing() {
        let words = [(None, "cosine"), (None, "wsd")];
        assert!(plot(&words, &[Some(1.0), Some(1.0)]).draw().unwrap().contains(">wsd<"));
        assert!(plot(&words, &[None, None]).draw().is_none());
        assert!(plot(&[(Some(0.1), "0.1")], &[Some(1.0)]).draw().is_some());
    }
}
