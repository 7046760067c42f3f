//! MBPP (Austin et al. 2021): `mbpp.jsonl`, of which the rows with `task_id` 11 to 510 are asked and 2, 3 and 4 are the
//! examples; files without the first ten rows are asked as they are.

use super::{
    layout::{Entry, Glance, Layout, Picks, Protocol},
    rows::{Row, rows},
    task::{Program, Question},
};
use crate::settings::{Error, Result};
use std::path::{Path, PathBuf};

/// The layout.
pub(super) struct Mbpp;

impl Layout for Mbpp {
    fn name(&self) -> &'static str {
        "mbpp"
    }

    fn title(&self) -> &'static str {
        "MBPP (Austin et al. 2021)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["code", "test_list"])
    }

    fn protocol(&self) -> Protocol {
        Protocol { shots: 3, picks: Picks::First, ..Protocol::new("pass@1") }
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let rows = numbered(path)?;
        let whole = rows.iter().any(|(number, _)| *number <= 10);
        let asked = rows.iter().filter(|(number, _)| !whole || (11..=510).contains(number));
        let entries: Vec<Entry> = asked.map(|(number, row)| entry(*number, row)).collect::<Result<_>>()?;
        if entries.is_empty() {
            let message = "no row has a task_id from 11 to 510, the benchmark's test split";
            return Err(Error::input(path.display(), message, "name the whole mbpp.jsonl, or a file without the first ten rows"));
        }
        Ok(entries)
    }

    fn examples(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_path_buf())
    }

    fn read_examples(&self, path: &Path) -> Result<Vec<Entry>> {
        let rows = numbered(path)?;
        let shown: Vec<Entry> =
            rows.iter().filter(|(number, _)| (2..=4).contains(number)).map(|(number, row)| entry(*number, row)).collect::<Result<_>>()?;
        if shown.is_empty() {
            let help = "name the whole mbpp.jsonl with --examples, or ask for --shots 0";
            return Err(Error::input(
                path.display(),
                "the rows with task_id 2, 3 and 4, which are the benchmark's examples, are not there",
                help,
            ));
        }
        Ok(shown)
    }
}

fn numbered(path: &Path) -> Result<Vec<(i64, Row)>> {
    rows(path)?.into_iter().map(|row| Ok((row.integer("task_id")?, row))).collect()
}

fn entry(number: i64, row: &Row) -> Result<Entry> {
    let text = row.text(if row.has("text") { "text" } else { "prompt" })?;
    let tests = row.texts("test_list", 1)?;
    let shown: String = (0..3).map(|index| tests.get(index).map_or("", String::as_str).to_string() + "\n").collect();
    let prompt = format!(
        "You are an expert Python programmer, and here is your task: {text} Your code should pass these tests:\n\n{shown}[BEGIN]\n"
    );
    let example = format!("{prompt}{}\n[DONE]", row.text("code")?);
    let setup = if row.has("test_setup_code") { row.any_text("test_setup_code")? } else { "" };
    let imports = if row.has("test_imports") { row.texts("test_imports", 0)?.join("\n") } else { String::new() };
    let tests = [setup, &imports, &tests.join("\n")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let question = Program { prompt, stop: &["[DONE]"], tokens: 256, before: String::new(), tests };
    Ok(Entry { id: number.to_string(), group: None, question: Question::Program(question), example })
}
