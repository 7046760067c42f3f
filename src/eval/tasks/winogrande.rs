//! WinoGrande (Sakaguchi et al. 2020): `dev.jsonl`. The alternatives fill the blank, and what is scored is the rest of the
//! sentence behind it (partial evaluation, Trinh & Le 2018).

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, rows},
    task::{Alternative, Choice, Pair, Question, Span},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct WinoGrande;

impl Layout for WinoGrande {
    fn name(&self) -> &'static str {
        "winogrande"
    }

    fn title(&self) -> &'static str {
        "WinoGrande (Sakaguchi et al. 2020)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["sentence", "option1", "option2"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        rows(path)?.iter().enumerate().map(|(index, row)| entry(index, row)).collect()
    }
}

fn entry(index: usize, row: &Row) -> Result<Entry> {
    let sentence = row.text("sentence")?;
    let (before, after) = sentence.split_once('_').ok_or_else(|| row.wrong("sentence", "has no blank _"))?;
    let rest = after.trim();
    if rest.is_empty() {
        return Err(row.wrong("sentence", "has nothing behind its blank _ that could be scored"));
    }
    let gold = row.label("answer", 1, 2)?;
    let option = |key: &str| {
        let pair = Pair { context: format!("{before}{}", row.text(key)?), continuation: format!(" {rest}") };
        Ok(Alternative { pair, text: rest.to_string() })
    };
    let options = vec![option("option1")?, option("option2")?];
    let example = options[gold].pair.to_string();
    Ok(Entry {
        id: row.id(&["qID"], index),
        group: None,
        question: Question::Choice(Choice { options, gold, span: Span::Continuation }),
        example,
    })
}
