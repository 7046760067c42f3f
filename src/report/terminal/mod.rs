//! The answer in a terminal: one table, one sentence per comparison, and what a reader must know.

mod parts;
mod table;

use super::words;
use crate::experiment::{Role, Summary};

/// Width where there is no terminal to ask.
const WIDTH: usize = 100;
/// Verdicts that are told in words; of more, the page tells the rest.
const SENTENCES: usize = 40;

/// The verdict table, a sentence per comparison, how arms were tuned and what they are worth, warnings, and what the
/// intervals cover, without colour.
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
    let width = width.or_else(table::terminal_width).unwrap_or(WIDTH).max(40);
    let mut lines = Vec::new();
    wrap(&mut lines, &format!("{}: {}", summary.name, summary.question), width, "");
    lines.push(String::new());
    lines.extend(table::arms(summary, width, colour));
    if !summary.effects.is_empty() {
        lines.push(String::new());
        lines.extend(table::effects(summary, width, colour));
    }
    lines.push(String::new());
    let arms = summary.arms.iter().filter(|arm| arm.role == Role::Compared).map(|arm| (&arm.name, &arm.verdict_text));
    let verdicts: Vec<_> = arms.chain(summary.effects.iter().map(|effect| (&effect.name, &effect.text))).collect();
    for (name, text) in verdicts.iter().take(SENTENCES) {
        wrap(&mut lines, &format!("{name}: {text}"), width, "  ");
    }
    if verdicts.len() > SENTENCES {
        lines.push(format!("  and {} more, in report.html", verdicts.len() - SENTENCES));
    }
    for (title, items) in parts::parts(summary) {
        lines.extend([String::new(), title.into()]);
        items.iter().for_each(|item| wrap(&mut lines, item, width, "  "));
    }
    for (title, items) in [("Warnings", &summary.warnings), ("Post hoc: changed after the plan was frozen", &summary.post_hoc)] {
        if !items.is_empty() {
            lines.extend([String::new(), title.into()]);
            items.iter().for_each(|item| wrap(&mut lines, item, width, "  "));
        }
    }
    for text in std::iter::once(words::reading(summary)).chain(words::limits(summary)).chain(words::pilot(summary)) {
        lines.push(String::new());
        wrap(&mut lines, &text, width, "");
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
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
    fn escapes_in_names_do_not_reach_the_terminal() {
        assert_eq!(shorten("a\u{1b}[2Jb", 20), "a\u{fffd}[2Jb");
        assert_eq!(shorten("abcdefgh", 4), "abc…");
    }
}
