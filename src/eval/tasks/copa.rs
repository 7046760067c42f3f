//! COPA (Roemmele et al. 2011) in SuperGLUE's layout: `premise`, `choice1`, `choice2`, `question`, `label` from 0.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, rows},
    task::{Alternative, Choice, Pair, Question, Span},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct Copa;

impl Layout for Copa {
    fn name(&self) -> &'static str {
        "copa"
    }

    fn title(&self) -> &'static str {
        "COPA (Roemmele et al. 2011), as in SuperGLUE"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["premise", "choice1", "choice2", "question"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        rows(path)?.iter().enumerate().map(|(index, row)| entry(index, row)).collect()
    }
}

fn entry(index: usize, row: &Row) -> Result<Entry> {
    let connector = match row.text("question")? {
        "cause" => "because",
        "effect" => "therefore",
        other => return Err(row.wrong("question", format!("= {other:?} is neither \"cause\" nor \"effect\""))),
    };
    let gold = row.label("label", 0, 2)?;
    let mut premise = row.text("premise")?.trim().to_string();
    // The full stop.
    premise.pop();
    let context = format!("{premise} {connector}");
    let option = |key: &str| {
        let mut letters = row.text(key)?.chars();
        let first = letters.next().into_iter().flat_map(char::to_lowercase);
        // The harness's choices begin with a space, and its delimiter is one too: there are two.
        let text: String = std::iter::once(' ').chain(first).chain(letters).collect();
        Ok(Alternative { pair: Pair { context: context.clone(), continuation: format!(" {text}") }, text })
    };
    let options = vec![option("choice1")?, option("choice2")?];
    let example = options[gold].pair.to_string();
    Ok(Entry { id: row.id(&["idx"], index), group: None, question: Question::Choice(Choice { options, gold, span: Span::Continuation }), example })
}
