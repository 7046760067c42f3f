//! LAMBADA (Paperno et al. 2016): the last word of a passage. `lambada_test.jsonl` as OpenAI prepared it (`text`), or the
//! release's `lambada_test_plain_text.txt`, a passage a line.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, ending, lines, rows},
    task::{Pair, Question},
};
use crate::settings::Result;
use serde_json::{Map, Value};
use std::path::Path;

/// The layout.
pub(super) struct Lambada;

impl Layout for Lambada {
    fn name(&self) -> &'static str {
        "lambada"
    }

    fn title(&self) -> &'static str {
        "LAMBADA (Paperno et al. 2016)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.named(&["lambada"]) && (ending(glance.path) == "txt" || glance.has(&["text"]))
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let rows = if ending(path) == "txt" {
            let row = |(place, line): (String, String)| Row::new(place, Map::from_iter([("text".to_string(), Value::String(line))]));
            lines(path)?.into_iter().map(row).collect()
        } else {
            rows(path)?
        };
        let entry = |(index, row): (usize, Row)| {
            let text = row.text("text")?;
            let (context, word) = text.rsplit_once(' ').ok_or_else(|| row.wrong("text", "is a single word"))?;
            if context.trim().is_empty() || word.trim().is_empty() {
                return Err(row.wrong("text", "does not end in a word behind others"));
            }
            let pair = Pair { context: context.into(), continuation: format!(" {word}") };
            // The harness's target begins with a space, and its delimiter is one too.
            let example = format!("{context}  {word}");
            Ok(Entry { id: index.to_string(), group: None, question: Question::Continuation(pair), example })
        };
        rows.into_iter().enumerate().map(entry).collect()
    }
}
