//! TriviaQA, closed book (Joshi et al. 2017): `unfiltered-web-dev.json` or `wikipedia-dev.json` of the release (`Data`), or
//! Hugging Face's rows.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    natural_questions::{STOP, TOKENS},
    rows::{Row, rows},
    task::{Answer, Question, Rule},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct TriviaQa;

impl Layout for TriviaQa {
    fn name(&self) -> &'static str {
        "triviaqa"
    }

    fn title(&self) -> &'static str {
        "TriviaQA, closed book (Joshi et al. 2017)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let rows = glance.has(&["question", "answer"]) && glance.row.is_some_and(|row| row.fields["answer"].get("aliases").is_some());
        rows || glance.has(&["Data", "Domain"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("exact_match")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let mut all = vec![];
        for row in rows(path)? {
            all.extend(if row.has("Data") { row.objects("Data")? } else { vec![row] });
        }
        all.iter().enumerate().map(|(index, row)| entry(index, row)).collect()
    }
}

fn entry(index: usize, row: &Row) -> Result<Entry> {
    let released = row.has("Question");
    let key = |ours: &'static str, theirs: &'static str| if released { theirs } else { ours };
    let answer = row.object(key("answer", "Answer"))?;
    let mut accepted = answer.texts(key("aliases", "Aliases"), 0)?;
    let value = answer.text(key("value", "Value"))?.to_string();
    let shown = accepted.first().unwrap_or(&value).clone();
    if !accepted.contains(&value) {
        accepted.push(value);
    }
    let prompt = format!("Question: {}?\nAnswer:", row.text(key("question", "Question"))?);
    let example = format!("{prompt} {shown}");
    let question = Question::Answer(Answer { prompt, stop: STOP, tokens: TOKENS, accepted, rule: Rule::SpacedWords });
    Ok(Entry { id: row.id(&["question_id", "QuestionId"], index), group: None, question, example })
}
