//! HellaSwag (Zellers et al. 2019): `hellaswag_val.jsonl`.

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, rows},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct HellaSwag;

impl Layout for HellaSwag {
    fn name(&self) -> &'static str {
        "hellaswag"
    }

    fn title(&self) -> &'static str {
        "HellaSwag (Zellers et al. 2019)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["activity_label", "ctx_a", "ctx_b", "endings"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc_norm")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let endings = row.texts("endings", 2)?;
            let gold = row.label("label", 0, endings.len())?;
            let context = format!("{}: {} {}", row.text("activity_label")?, row.any_text("ctx_a")?, capitalised(row.any_text("ctx_b")?));
            let endings: Vec<String> = endings.iter().map(|ending| cleaned(ending)).collect();
            if let Some(empty) = endings.iter().position(String::is_empty) {
                return Err(row.wrong("endings", format!("[{empty}] holds nothing but marks in brackets")));
            }
            Ok(choice(row.id(&["ind"], index), None, &cleaned(&context), &endings, gold))
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}

/// Python's `str.capitalize`: the first letter in upper case, all others in lower case.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters.as_str().to_lowercase().chars()).collect()
}

/// Without WikiHow's marks in brackets.
fn cleaned(text: &str) -> String {
    let text = text.trim().replace(" [title]", ". ");
    let (mut clean, mut rest) = (String::new(), text.as_str());
    // A bracket that is not closed in its line stays.
    while let Some(open) = rest.find('[') {
        let inside = &rest[open..];
        match inside.find(']').filter(|close| !inside[..*close].contains('\n')) {
            Some(close) => {
                clean.push_str(&rest[..open]);
                rest = &inside[close + 1..];
            }
            None => {
                clean.push_str(&rest[..open + 1]);
                rest = &inside[1..];
            }
        }
    }
    clean.push_str(rest);
    clean.replace("  ", " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_as_in_python() {
        assert_eq!(capitalised("the Red FOX"), "The red fox");
        assert_eq!(capitalised(""), "");
        assert_eq!(cleaned(" How to [title] Do it  [step] Then [substeps]. Go [on "), "How to. Do it  Then . Go [on");
        assert_eq!(cleaned("a [b\nc] d [e] f"), "a [b\nc] d f");
        // One pass, as Python's `replace`.
        assert_eq!(cleaned("a    b"), "a  b");
    }
}
