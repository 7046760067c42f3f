//! Tables in a terminal that fit its width.

use super::{clean, shorten};
use crate::{
    experiment::{ArmSummary, EffectSummary, Summary, Verdict},
    report::{number, words},
};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Longest name that is shown whole even where there is room.
const NAME: usize = 36;
/// The same where there is little room.
const SHORT_NAME: usize = 18;

/// Columns of the terminal; none if there is no terminal.
pub fn terminal_width() -> Option<usize> {
    Table::new().width().map(usize::from)
}

/// A column of text cells; numbers are already padded, so that their points stand below each other.
struct Column {
    kind: Kind,
    title: String,
    cells: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Arm,
    Parameters,
    Mean,
    Delta,
    P,
    Speed,
    Pairs,
    Lost,
    Verdict,
}

fn columns(summary: &Summary) -> Vec<Column> {
    let (decimals, delta_decimals) = words::decimals(summary);
    let arms = &summary.arms;
    let each = |cell: &dyn Fn(&ArmSummary) -> String| arms.iter().map(cell).collect::<Vec<_>>();
    let half = |interval: Option<[f64; 2]>| interval.map(number::half).map(|half| number::fixed(half, decimals));
    let means = arms.iter().map(|arm| (number::fixed(arm.mean.unwrap_or(f64::NAN), decimals), half(arm.ci95))).collect();
    let deltas = arms.iter().map(|arm| difference(arm.delta, arm.delta_ci95, delta_decimals)).collect();
    let metric = words::metric(&summary.metric);
    let mut columns = vec![
        (Kind::Arm, "arm".to_string(), each(&|arm| shorten(&arm.name, NAME))),
        (Kind::Parameters, "params".into(), each(&|arm| number::short(arm.parameters as f64))),
        (Kind::Mean, metric.strip_prefix("validation ").unwrap_or(&metric).into(), aligned(means)),
        (Kind::Delta, delta_title(summary), aligned(deltas)),
        (Kind::P, "p (Holm)".into(), each(&|arm| number::p_value(arm.p_adjusted))),
        (Kind::Speed, "tok/s".into(), each(&|arm| number::short(arm.tokens_per_second.unwrap_or(f64::NAN)))),
    ];
    if words::lost(summary) != (0, 0) {
        columns.push((Kind::Lost, "div/fail".into(), each(&|arm| format!("{}/{}", arm.diverged, arm.failed))));
    }
    columns.push((Kind::Verdict, "verdict".into(), each(&|arm| words::standing(arm).into())));
    // Cells are compared with nothing.
    let paired = arms.iter().any(|arm| !arm.comparisons.is_empty());
    columns.retain(|(kind, ..)| paired || !matches!(kind, Kind::Delta | Kind::P));
    columns.into_iter().map(|(kind, title, cells)| Column { kind, title, cells }).collect()
}

/// A difference and half its interval, as cells.
fn difference(delta: Option<f64>, interval: Option<[f64; 2]>, decimals: usize) -> (String, Option<String>) {
    if number::exact_zero(delta, interval) {
        // The zero stands where the others have the digit before their point.
        let zero = format!("0{}", " ".repeat(if decimals > 0 { decimals + 1 } else { 0 }));
        return (zero.clone(), Some(zero));
    }
    (number::signed(delta.unwrap_or(f64::NAN), decimals), interval.map(|i| number::fixed(number::half(i), decimals)))
}

/// `Δ to base` where all arms have one reference with a short name.
fn delta_title(summary: &Summary) -> String {
    let mut references: Vec<&str> = summary.arms.iter().filter_map(|arm| arm.reference.as_deref()).collect();
    references.dedup();
    match references.as_slice() {
        [one] if one.chars().count() <= 12 => format!("Δ to {}", clean(one)),
        _ => "Δ to reference".into(),
    }
}

/// `value ± half` with points and signs below each other.
fn aligned(cells: Vec<(String, Option<String>)>) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let left = cells.iter().map(|(value, _)| length(value)).max().unwrap_or(0);
    let right = cells.iter().filter_map(|(_, half)| half.as_deref().map(length)).max();
    let cell = |(value, half): (String, Option<String>)| match (right, half) {
        (None, _) => format!("{value:>left$}"),
        (Some(right), Some(half)) => format!("{value:>left$} ± {half:>right$}"),
        (Some(right), None) => format!("{value:>left$}   {:right$}", ""),
    };
    cells.into_iter().map(cell).collect()
}

/// A row per arm: the whole answer of an experiment of pairs, the cells of a factorial one.
pub fn arms(summary: &Summary, width: usize, colour: bool) -> Vec<String> {
    let verdicts = summary.arms.iter().map(|arm| arm.verdict).collect();
    fitted(columns(summary), verdicts, width, colour)
}

/// A row per effect of a factorial design.
pub fn effects(summary: &Summary, width: usize, colour: bool) -> Vec<String> {
    let effects = &summary.effects;
    let decimals = words::decimals(summary).1;
    let each = |cell: &dyn Fn(&EffectSummary) -> String| effects.iter().map(cell).collect::<Vec<_>>();
    let delta = |effect: &EffectSummary| difference(effect.comparison.delta, effect.comparison.delta_ci95, decimals);
    let columns = vec![
        (Kind::Arm, "effect", each(&|effect| shorten(&effect.name, NAME))),
        (Kind::Delta, "Δ", aligned(effects.iter().map(delta).collect())),
        (Kind::P, "p (Holm)", each(&|effect| number::p_value(effect.comparison.p_adjusted))),
        (Kind::Pairs, "pairs", each(&|effect| effect.comparison.pairs.to_string())),
        (Kind::Verdict, "verdict", each(&|effect| words::verdict(effect.comparison.verdict).into())),
    ];
    let columns = columns.into_iter().map(|(kind, title, cells)| Column { kind, title: title.into(), cells }).collect();
    fitted(columns, effects.iter().map(|effect| effect.comparison.verdict).collect(), width, colour)
}

/// Lines of at most this width: columns that say least go first.
fn fitted(mut columns: Vec<Column>, verdicts: Vec<Verdict>, width: usize, colour: bool) -> Vec<String> {
    let mut steps = [Kind::Speed, Kind::Parameters, Kind::Pairs, Kind::Arm, Kind::Verdict, Kind::Mean, Kind::P].into_iter();
    while natural_width(&columns) > width {
        match steps.next() {
            Some(Kind::Arm) => edit(&mut columns, Kind::Arm, |cell| shorten(cell, SHORT_NAME)),
            Some(Kind::Verdict) => edit(&mut columns, Kind::Verdict, |cell| cell.replace("difference found", "difference")),
            Some(Kind::Mean) => edit(&mut columns, Kind::Mean, |cell| cell.split(" ±").next().unwrap_or_default().trim_end().into()),
            Some(kind) => columns.retain(|column| column.kind != kind),
            None => {
                let longest = columns[0].cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
                let room = longest.saturating_sub(natural_width(&columns) - width).max(8);
                edit(&mut columns, Kind::Arm, |cell| shorten(cell, room));
                break;
            }
        }
    }
    let words = columns.last().map(|last| last.cells.clone()).unwrap_or_default();
    let mut lines: Vec<String> = lay_out(&columns).trim_fmt().lines().map(String::from).collect();
    if colour {
        // One line per arm, the verdict last, after the header and its rule.
        for (line, (verdict, word)) in lines.iter_mut().skip(2).zip(verdicts.into_iter().zip(words)) {
            let code = match verdict {
                Verdict::Better => "1;34",
                Verdict::Worse => "1;33",
                Verdict::Equivalent => "32",
                _ => continue,
            };
            if let Some(start) = line.strip_suffix(word.as_str()) {
                *line = format!("{start}\u{1b}[{code}m{word}\u{1b}[0m");
            }
        }
    }
    lines
}

fn edit(columns: &mut [Column], kind: Kind, change: impl Fn(&str) -> String) {
    for column in columns.iter_mut().filter(|column| column.kind == kind) {
        column.cells.iter_mut().for_each(|cell| *cell = change(cell));
    }
}

fn lay_out(columns: &[Column]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.title.as_str()));
    for row in 0..columns[0].cells.len() {
        table.add_row(columns.iter().map(|column| column.cells[row].as_str()));
    }
    for (index, column) in columns.iter().enumerate() {
        if let Some(laid) = table.column_mut(index) {
            // The style puts one space between columns.
            laid.set_padding((0, if index + 1 == columns.len() { 0 } else { 1 }));
            if !matches!(column.kind, Kind::Arm | Kind::Verdict) {
                laid.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

fn natural_width(columns: &[Column]) -> usize {
    lay_out(columns).column_max_content_widths().iter().map(|w| usize::from(*w)).sum::<usize>() + 2 * (columns.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_align_at_their_points() {
        let cells = aligned(vec![("−0.0123".into(), Some("0.002".into())), ("+12.1".into(), None), ("–".into(), None)]);
        assert_eq!(cells, ["−0.0123 ± 0.002", "  +12.1        ", "      –        "]);
    }
}
