//! Documentation texts for a terminal.

/// A part of a text.
enum Part {
    Prose(String),
    Code(Vec<String>),
    Table(Vec<Vec<String>>),
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        let plain = line.trim();
        if plain.starts_with("```") {
            in_code = !in_code;
            if in_code {
                parts.push(Part::Code(vec![]));
            }
        } else if let (true, Some(Part::Code(lines))) = (in_code, parts.last_mut()) {
            lines.push(line.trim_end().into());
        } else if let Some(row) = plain.strip_prefix('|') {
            let cells: Vec<String> = row.strip_suffix('|').unwrap_or(row).split('|').map(|cell| cell.trim().into()).collect();
            match parts.last_mut() {
                // The line under the head.
                Some(Part::Table(_)) if cells.iter().all(|cell| cell.starts_with('-')) => {}
                Some(Part::Table(rows)) => rows.push(cells),
                _ => parts.push(Part::Table(vec![cells])),
            }
        } else if !plain.is_empty() {
            let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
            match parts.last_mut() {
                Some(Part::Prose(said)) => *said = format!("{said} {words}"),
                _ => parts.push(Part::Prose(words)),
            }
        }
    }
    parts
}

/// The prose on one line, without code and tables.
pub(super) fn one_line(text: &str) -> String {
    let prose = parts(text).into_iter().filter_map(|part| match part {
        Part::Prose(said) => Some(said),
        Part::Code(_) | Part::Table(_) => None,
    });
    prose.collect::<Vec<_>>().join(" ")
}

/// Prose on one line up to the next code or table; these line by line, indented.
pub(super) fn lines(text: &str) -> Vec<String> {
    let indented = |line: String| format!("  {line}").trim_end().to_string();
    let each = |part| match part {
        Part::Prose(said) => vec![said],
        Part::Code(lines) => lines.into_iter().map(indented).collect(),
        Part::Table(rows) => aligned(&rows).into_iter().map(indented).collect(),
    };
    parts(text).into_iter().flat_map(each).collect()
}

fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let cell = |(column, cell): (usize, &String)| format!("{cell:0$}", width(column));
    rows.iter().map(|row| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "First\nwords:\n\n| a | long |\n|---|---|\n| more | |\n\nThen:\n\n```toml\n[x]\n  y = 1   # z\n```\nEnd.";

    #[test]
    fn code_and_tables_keep_their_lines() {
        let expected = ["First words:", "  a     long", "  more", "Then:", "  [x]", "    y = 1   # z", "End."];
        assert_eq!(lines(TEXT), expected);
    }

    #[test]
    fn a_line_in_a_list_is_prose_alone() {
        assert_eq!(one_line(TEXT), "First words: Then: End.");
    }
}
