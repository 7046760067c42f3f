//! GSM8K (Cobbe et al. 2021): `test.jsonl` with `question` and an `answer` that ends in `#### 18`; examples from
//! `train.jsonl` beside it.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, rows},
    task::{Answer, Question, Rule},
};
use crate::settings::Result;
use std::path::{Path, PathBuf};

/// The layout.
pub(super) struct Gsm8k;

impl Layout for Gsm8k {
    fn name(&self) -> &'static str {
        "gsm8k"
    }

    fn title(&self) -> &'static str {
        "GSM8K (Cobbe et al. 2021)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let answer = |row: &Row| row.fields["answer"].as_str().is_some_and(|answer| answer.contains("#### "));
        glance.has(&["question", "answer"]) && glance.row.is_some_and(answer)
    }

    fn protocol(&self) -> Protocol {
        Protocol { shots: 5, ..Protocol::new("exact_match") }
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let answer = row.text("answer")?;
            let number = answer.rsplit_once("#### ").map(|(_, number)| number.trim()).filter(|number| !number.is_empty());
            let number = number.ok_or_else(|| row.wrong("answer", "does not end in \"#### \" and a number"))?;
            let prompt = format!("Question: {}\nAnswer:", row.text("question")?);
            let example = format!("{prompt} {answer}");
            let stop = &["Question:", "</s>", "<|im_end|>"];
            let question = Answer { prompt, stop, tokens: 256, accepted: vec![number.into()], rule: Rule::Number };
            Ok(Entry { id: row.id(&["id"], index), group: None, question: Question::Answer(question), example })
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }

    fn examples(&self, path: &Path) -> Option<PathBuf> {
        let beside = path.with_file_name("train.jsonl");
        (beside != path && beside.is_file()).then_some(beside)
    }
}
