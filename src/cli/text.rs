//! How verbs show tables, numbers and JSON.

use ablate::{Error, Result};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

/// A table without lines but the one under its header.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─')));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// A cell whose text ends at its right edge, as numbers do.
pub fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// 6738415616 as 6,738,415,616.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2 files`.
pub fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Bytes in the unit that people would use.
pub fn bytes(count: f64) -> String {
    match count {
        b if b < 1e3 => format!("{b:.0} bytes"),
        b if b < 1e6 => format!("{:.0} kB", b / 1e3),
        b if b < 1e9 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.1} GB", b / 1e9),
    }
}

/// Seconds in the unit that people would use.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 100.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 100.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

/// Indented JSON with a line end; `what` it shows, for the error.
pub fn json(what: &str, value: &impl Serialize) -> Result<String> {
    let unwritable = |error: serde_json::Error| Error::input(what, error.to_string(), "report this");
    Ok(serde_json::to_string_pretty(value).map_err(unwritable)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([12.0, 2.4e4, 1.26e7, 3.21e9].map(bytes), ["12 bytes", "24 kB", "13 MB", "3.2 GB"]);
        assert_eq!([0, 999, 1000, 6_738_415_616].map(grouped), ["0", "999", "1,000", "6,738,415,616"]);
        assert_eq!([1, 2000].map(|number| count(number, "file")), ["1 file", "2,000 files"]);
        assert_eq!([3.4, 240.0, 7200.0, 864_000.0].map(duration), ["3 s", "4 min", "2.0 h", "10.0 days"]);
    }
}
