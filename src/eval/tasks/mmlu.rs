//! MMLU (Hendrycks et al. 2021): the release's folder (`test/`, `dev/` with `anatomy_test.csv` and so on, without headers),
//! or rows with `question`, `choices`, `answer`, `subject`. Five examples of the subject from `dev`, in their order.

use super::{
    layout::{Entry, Glance, Layout, Picks, Protocol, choice},
    rows::{Row, ending, files, records, rows},
};
use crate::settings::Result;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The layout.
pub(super) struct Mmlu;

const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

impl Layout for Mmlu {
    fn name(&self) -> &'static str {
        "mmlu"
    }

    fn title(&self) -> &'static str {
        "MMLU (Hendrycks et al. 2021)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let of = |split: &str| files(&glance.path.join(split), &["csv"]).unwrap_or_default();
        let release = |split: &str| of(split).iter().any(|file| file.display().to_string().ends_with(&format!("_{split}.csv")));
        release("test") && release("dev")
            || glance.has(&["question", "subject", "choices", "answer"])
            || glance.named(&["mmlu"]) && ending(glance.path) == "csv"
    }

    fn protocol(&self) -> Protocol {
        let preface = |subject: Option<&str>| {
            let subject = subject.unwrap_or_default().replace('_', " ");
            format!("The following are multiple choice questions (with answers) about {subject}.\n\n")
        };
        Protocol { shots: 5, picks: Picks::First, within_group: true, preface, ..Protocol::new("acc") }
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let test = path.join("test");
        read(if test.is_dir() { &test } else { path })
    }

    fn examples(&self, path: &Path) -> Option<PathBuf> {
        let release = if path.is_dir() { Some(path) } else { path.parent().and_then(Path::parent) };
        release.map(|folder| folder.join("dev")).filter(|dev| dev.is_dir())
    }

    fn read_examples(&self, path: &Path) -> Result<Vec<Entry>> {
        read(path)
    }
}

fn read(path: &Path) -> Result<Vec<Entry>> {
    let csv = if path.is_dir() { files(path, &["csv"]).unwrap_or_default() } else { vec![path.to_path_buf()] };
    let all = if csv.is_empty() || ending(&csv[0]) != "csv" { rows(path)? } else { tables(&csv)? };
    all.iter().enumerate().map(|(index, row)| entry(index, row)).collect()
}

/// The rows of the release's files, whose names hold the subject and the split.
fn tables(files: &[PathBuf]) -> Result<Vec<Row>> {
    let mut rows = vec![];
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let subject = name.rsplit_once('_').map_or(name.as_str(), |(subject, _)| subject).to_string();
        for (place, record) in records(file, b',', false)?.0 {
            let row = Row::new(place, Map::new());
            let [question, a, b, c, d, answer]: [String; 6] =
                record.try_into().map_err(|record: Vec<_>| row.wrong("row", format!("has {} columns and needs 6", record.len())))?;
            let fields = json!({ "question": question, "choices": [a, b, c, d], "answer": answer, "subject": subject });
            let Value::Object(fields) = fields else { unreachable!("an object was written") };
            rows.push(row.with(fields));
        }
    }
    Ok(rows)
}

fn entry(index: usize, row: &Row) -> Result<Entry> {
    let choices = row.texts("choices", 4)?;
    if choices.len() != 4 {
        return Err(row.wrong("choices", format!("has {} entries and needs 4", choices.len())));
    }
    let letter =
        row.fields.get("answer").and_then(Value::as_str).and_then(|answer| LETTERS.iter().position(|letter| *letter == answer.trim()));
    let gold = match letter {
        Some(gold) => gold,
        None => row.label("answer", 0, 4)?,
    };
    let lines: String = LETTERS.iter().zip(&choices).map(|(letter, text)| format!("{letter}. {text}\n")).collect();
    let context = format!("{}\n{lines}Answer:", row.text("question")?.trim());
    Ok(choice(index.to_string(), Some(row.text("subject")?.to_string()), &context, &LETTERS.map(str::to_string), gold))
}
