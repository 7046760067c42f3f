//! MATH (Hendrycks et al. 2021): the release's `test/algebra/1.json` and so on, or rows with `problem` and `solution`; prompts
//! as for Minerva (Lewkowycz et al. 2022). Examples come from `train/` beside `test/`.

use super::{
    answers::boxed,
    layout::{Entry, Glance, Layout, Picks, Protocol},
    rows::{Row, rows},
    task::{Answer, Question, Rule},
};
use crate::settings::Result;
use std::path::{Path, PathBuf};

/// The layout.
pub(super) struct Math;

impl Layout for Math {
    fn name(&self) -> &'static str {
        "math"
    }

    fn title(&self) -> &'static str {
        "MATH (Hendrycks et al. 2021)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["problem", "solution"])
    }

    fn protocol(&self) -> Protocol {
        Protocol { shots: 4, picks: Picks::First, ..Protocol::new("exact_match") }
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let test = path.join("test");
        let entry = |(index, row): (usize, Row)| {
            let solution = row.text("solution")?;
            let answer = boxed(solution).ok_or_else(|| row.wrong("solution", "has no \\boxed{answer}"))?;
            let prompt = format!("Problem:\n{}\n\nSolution:", row.text("problem")?);
            let end = if solution.contains("Final Answer:") {
                String::new()
            } else {
                format!("\nFinal Answer: The final answer is ${answer}$. I hope it is correct.")
            };
            let example = format!("{prompt} {solution}{end}");
            let question = Answer { prompt, stop: &["Problem:"], tokens: 256, accepted: vec![answer.into()], rule: Rule::Formula };
            let group = row.has("type").then(|| row.text("type").map(str::to_string)).transpose()?;
            Ok(Entry { id: row.id(&["id", "unique_id"], index), group, question: Question::Answer(question), example })
        };
        rows(if test.is_dir() { &test } else { path })?.into_iter().enumerate().map(entry).collect()
    }

    fn examples(&self, path: &Path) -> Option<PathBuf> {
        let train = if path.join("test").is_dir() { path.join("train") } else { path.with_file_name("train") };
        (train != path && train.is_dir()).then_some(train)
    }
}
