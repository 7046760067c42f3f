//! Natural Questions, closed book (Kwiatkowski et al. 2019; Lee et al. 2019): `NQ-open.dev.jsonl`, rows with `question` and a
//! list of answers.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, rows},
    task::{Answer, Question, Rule},
};
use crate::settings::Result;
use serde_json::Value;
use std::path::Path;

/// The layout.
pub(super) struct NaturalQuestions;

/// Where an answer to a question of facts ends.
pub(super) const STOP: &[&str] = &["\n", ".", ","];
/// Tokens of such an answer at most; the longest right ones are shorter by far.
pub(super) const TOKENS: usize = 64;

impl Layout for NaturalQuestions {
    fn name(&self) -> &'static str {
        "naturalquestions"
    }

    fn title(&self) -> &'static str {
        "Natural Questions, closed book (Kwiatkowski et al. 2019; Lee et al. 2019)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["question", "answer"]) && glance.row.is_some_and(|row| row.fields["answer"].is_array())
    }

    fn protocol(&self) -> Protocol {
        let preface = |_: Option<&str>| "Answer these questions:\n\n".to_string();
        Protocol { between: "\n", preface, ..Protocol::new("exact_match") }
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let accepted = match row.value("answer")? {
                Value::String(_) => vec![row.text("answer")?.to_string()],
                _ => row.texts("answer", 1)?,
            };
            let prompt = format!("Q: {}?\nA:", row.text("question")?);
            let example = format!("{prompt} {}", accepted[0]);
            let question = Question::Answer(Answer { prompt, stop: STOP, tokens: TOKENS, accepted, rule: Rule::Words });
            Ok(Entry { id: row.id(&["id"], index), group: None, question, example })
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}
