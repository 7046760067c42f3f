//! HumanEval (Chen et al. 2021): `HumanEval.jsonl` or `.jsonl.gz`.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, rows},
    task::{Program, Question},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct HumanEval;

impl Layout for HumanEval {
    fn name(&self) -> &'static str {
        "humaneval"
    }

    fn title(&self) -> &'static str {
        "HumanEval (Chen et al. 2021)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["prompt", "test", "entry_point"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("pass@1")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let prompt = row.text("prompt")?.to_string();
            let name = row.text("entry_point")?;
            if !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
                return Err(row.wrong("entry_point", format!("= {name:?} is no name of a function")));
            }
            let tests = format!("{}\ncheck({name})", row.text("test")?);
            let solution = if row.has("canonical_solution") { row.any_text("canonical_solution")? } else { "" };
            let example = format!("{prompt} {solution}");
            let stop = &["\nclass", "\ndef", "\n#", "\nif", "\nprint"];
            let question = Question::Program(Program { before: prompt.clone(), prompt, stop, tokens: 512, tests });
            Ok(Entry { id: row.id(&["task_id"], index), group: None, question, example })
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}
