//! The answer in a terminal: one table, one sentence per arm, and what a reader must know.

use super::{number, words};
use crate::experiment::{ArmSummary, Summary, Verdict};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Width where there is no terminal to ask.
const WIDTH: usize = 100;
/// Longest arm name that is shown whole even where there is room.
const NAME: usize = 36;
/// The same where there is little room.
const SHORT_NAME: usize = 18;

/// The verdict table, a sentence per arm, warnings, and what the intervals cover, without colour.
///
/// `width` is in columns; none asks the terminal, and takes 100 where there is none. Below the natural width (about
/// 100) tokens/s and parameters go first, then the ends of long names, half-widths of means, and p.
pub fn terminal(summary: &Summary, width: Option<usize>) -> String {
    render(summary, width, false)
}

/// [`terminal`] with the verdicts in colour (ANSI escapes).
pub fn terminal_coloured(summary: &Summary, width: Option<usize>) -> String {
    render(summary, width, true)
}

fn render(summary: &Summary, width: Option<usize>, colour: bool) -> String {
    let width = width.or_else(|| Table::new().width().map(usize::from)).unwrap_or(WIDTH).max(40);
    let mut lines = Vec::new();
    wrap(&mut lines, &format!("{}: {}", summary.name, summary.question), width, "");
    lines.push(String::new());
    lines.extend(table(summary, width, colour));
    lines.push(String::new());
    for arm in summary.arms.iter().filter(|arm| arm.verdict != Verdict::Base) {
        wrap(&mut lines, &format!("{}: {}", arm.name, arm.verdict_text), width, "  ");
    }
    for (title, items) in [("Warnings", &summary.warnings), ("Post hoc: changed after the plan was frozen", &summary.post_hoc)] {
        if !items.is_empty() {
            lines.extend([String::new(), title.into()]);
            items.iter().for_each(|item| wrap(&mut lines, item, width, "  "));
        }
    }
    for text in [Some(words::reading(summary)), Some(words::coverage(summary)), words::pilot(summary)].into_iter().flatten() {
        lines.push(String::new());
        wrap(&mut lines, &text, width, "");
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
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
    Lost,
    Verdict,
}

fn columns(summary: &Summary) -> Vec<Column> {
    let (decimals, delta_decimals) = words::decimals(summary);
    let arms = &summary.arms;
    let each = |cell: &dyn Fn(&ArmSummary) -> String| arms.iter().map(cell).collect::<Vec<_>>();
    let halves = |interval: Option<[f64; 2]>, decimals| interval.map(number::half).map(|half| number::fixed(half, decimals));

    let means = arms.iter().map(|arm| (number::fixed(arm.mean.unwrap_or(f64::NAN), decimals), halves(arm.ci95, decimals))).collect();
    let deltas = arms.iter().map(|arm| match arm.delta {
        _ if number::exact_zero(arm.delta, arm.delta_ci95) => {
            // The zero stands where the others have the digit before their point.
            let zero = format!("0{}", " ".repeat(if delta_decimals > 0 { delta_decimals + 1 } else { 0 }));
            (zero.clone(), Some(zero))
        }
        delta => (number::signed(delta.unwrap_or(f64::NAN), delta_decimals), halves(arm.delta_ci95, delta_decimals)),
    });
    let metric = words::metric(&summary.metric);
    let mut columns = vec![
        (Kind::Arm, "arm".to_string(), each(&|arm| shorten(&arm.name, NAME))),
        (Kind::Parameters, "params".into(), each(&|arm| number::short(arm.parameters as f64))),
        (Kind::Mean, metric.strip_prefix("validation ").unwrap_or(&metric).into(), aligned(means)),
        (Kind::Delta, delta_title(summary), aligned(deltas.collect())),
        (Kind::P, "p (Holm)".into(), each(&|arm| number::p_value(arm.p_adjusted))),
        (Kind::Speed, "tok/s".into(), each(&|arm| number::short(arm.tokens_per_second.unwrap_or(f64::NAN)))),
    ];
    if words::lost(summary) != (0, 0) {
        columns.push((Kind::Lost, "div/fail".into(), each(&|arm| format!("{}/{}", arm.diverged, arm.failed))));
    }
    columns.push((Kind::Verdict, "verdict".into(), each(&|arm| words::verdict(arm.verdict).into())));
    columns.into_iter().map(|(kind, title, cells)| Column { kind, title, cells }).collect()
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

fn table(summary: &Summary, width: usize, colour: bool) -> Vec<String> {
    let mut columns = columns(summary);
    let mut steps = [Kind::Speed, Kind::Parameters, Kind::Arm, Kind::Verdict, Kind::Mean, Kind::P].into_iter();
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
    let verdicts: Vec<(Verdict, String)> =
        columns.last().map(|last| summary.arms.iter().map(|arm| arm.verdict).zip(last.cells.clone()).collect()).unwrap_or_default();
    let mut lines: Vec<String> = lay_out(&columns).trim_fmt().lines().map(String::from).collect();
    if colour {
        // One line per arm, the verdict last, after the header and its rule.
        for (line, (verdict, word)) in lines.iter_mut().skip(2).zip(verdicts) {
            let code = match verdict {
                Verdict::Better => "1;34",
                Verdict::Worse => "1;33",
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

/// Control characters, which could move the cursor, become visible.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn shorten(text: &str, most: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Appends `text` in lines of at most `width` where words allow; following lines are indented twice.
fn wrap(lines: &mut Vec<String>, text: &str, width: usize, indent: &str) {
    let text = clean(&text.replace('\n', " "));
    let mut line = indent.to_string();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::replace(&mut line, indent.repeat(2)));
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "one two three four five six seven eight nine ten";
        let mut lines = Vec::new();
        wrap(&mut lines, text, 14, "  ");
        assert!(lines.iter().all(|line| line.chars().count() <= 14), "{lines:?}");
        assert_eq!(lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" "), text);
        assert!(lines[0].starts_with("  one") && lines[1].starts_with("    "));
    }

    #[test]
    fn cells_align_at_their_points() {
        let cells = aligned(vec![("−0.0123".into(), Some("0.002".into())), ("+12.1".into(), None), ("–".into(), None)]);
        assert_eq!(cells, ["−0.0123 ± 0.002", "  +12.1        ", "      –        "]);
    }

    #[test]
    fn escapes_in_names_do_not_reach_the_terminal() {
        assert_eq!(shorten("a\u{1b}[2Jb", 20), "a\u{fffd}[2Jb");
        assert_eq!(shorten("abcdefgh", 4), "abc…");
    }
}
