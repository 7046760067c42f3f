//! The CORE metric's bundle (Li et al. 2024, DataComp-LM; as nanochat reads it): JSON lines of three kinds, and the list of
//! tasks `core.yaml` with the chances of guessing in `eval_meta_data.csv`.
//!
//! Rows: `multiple_choice` {query, choices, gold}, `schema` {context_options, continuation, gold}, `language_modeling`
//! {context, continuation}; a row may name its kind under `type`. Alternatives are compared by their mean loss per token; a
//! continuation must be exactly what greedy decoding gives. Which rows become examples, and in which order rows are asked, is
//! what nanochat's `random.Random` draws.

use super::{
    layout::{Entry, Glance, Layout, Picks, Protocol},
    rows::{Row, records, rows, text},
    task::{ANSWER, Alternative, Choice, Pair, Question, Span},
};
use crate::settings::{Error, Result};
use std::path::{Component, Path};

/// The layout of one file.
pub(super) struct Core;

impl Layout for Core {
    fn name(&self) -> &'static str {
        "core"
    }

    fn title(&self) -> &'static str {
        "a file of the CORE bundle (Li et al. 2024)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let schema = glance.has(&["context_options", "continuation", "gold"]);
        let modelling = glance.has(&["context", "continuation"]) && !glance.has(&["choices"]);
        glance.has(&["query", "choices", "gold"]) || schema || modelling
    }

    fn protocol(&self) -> Protocol {
        Protocol { picks: Picks::Core, ..Protocol::new("acc_per_token") }
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        entries(path, " ", None)
    }
}

/// The rows of a file, joined by `delimiter`, all of one `kind` if one is named.
pub(super) fn entries(path: &Path, delimiter: &str, kind: Option<&str>) -> Result<Vec<Entry>> {
    rows(path)?.iter().enumerate().map(|(index, row)| entry(index, row, delimiter, kind)).collect()
}

fn entry(index: usize, row: &Row, delimiter: &str, kind: Option<&str>) -> Result<Entry> {
    // Alternatives are held against what stands behind this, and no other text, in every layout.
    if row.has("uncond") && row.value("uncond")? != ANSWER {
        return Err(row.wrong("uncond", format!("= {} is not read: only {ANSWER:?} is", row.value("uncond")?)));
    }
    let found = if row.has("type") {
        row.text("type")?
    } else if row.has("query") {
        "multiple_choice"
    } else if row.has("context_options") {
        "schema"
    } else {
        "language_modeling"
    };
    let (question, example) = match kind.unwrap_or(found) {
        "multiple_choice" => {
            let (query, choices) = (row.any_text("query")?, row.texts("choices", 2)?);
            let gold = row.label("gold", 0, choices.len())?;
            let option = |text: &String| Alternative {
                pair: Pair { context: query.into(), continuation: format!("{delimiter}{text}") },
                text: text.clone(),
            };
            let options: Vec<_> = choices.iter().map(option).collect();
            let example = options[gold].pair.to_string();
            (Question::Choice(Choice { options, gold, span: Span::BehindPrefix }), example)
        }
        "schema" => {
            let (contexts, continuation) = (row.texts("context_options", 2)?, row.text("continuation")?);
            let gold = row.label("gold", 0, contexts.len())?;
            let option = |context: String| Alternative {
                pair: Pair { context, continuation: format!("{delimiter}{continuation}") },
                text: continuation.to_string(),
            };
            let options: Vec<_> = contexts.into_iter().map(option).collect();
            let example = options[gold].pair.to_string();
            (Question::Choice(Choice { options, gold, span: Span::Suffix }), example)
        }
        "language_modeling" => {
            // The prompt is stripped after the delimiter was added, so that its space goes with the continuation.
            let (context, continuation) = (format!("{}{delimiter}", row.any_text("context")?.trim()), row.text("continuation")?);
            let example = format!("{context}{continuation}");
            let stripped = context.trim_end().to_string();
            let continuation = example[stripped.len()..].to_string();
            (Question::Continuation(Pair { context: stripped, continuation }), example)
        }
        other => {
            let key = if kind.is_some() { "icl_task_type" } else { "type" };
            return Err(row.wrong(key, format!("= {other:?} is none of multiple_choice, schema, language_modeling")));
        }
    };
    Ok(Entry { id: row.id(&["id"], index), group: None, question, example })
}

/// A task of the bundle's list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    /// `label`.
    pub label: String,
    /// `dataset_uri`, below `eval_data/`.
    pub file: String,
    /// The first of `num_fewshot`.
    pub shots: usize,
    /// `icl_task_type`.
    pub kind: String,
    /// `continuation_delimiter`, a space where there is none.
    pub delimiter: String,
    /// Percent that guessing scores, from `eval_meta_data.csv`, as a share.
    pub chance: f64,
}

/// The tasks that `core.yaml` in `folder` lists.
///
/// Of YAML this reads what the file is written in: a list under `icl_tasks` of flat maps, plain, quoted or `[bracketed]`
/// values. Anything else is refused.
pub(super) fn listed(folder: &Path) -> Result<Vec<Listed>> {
    let path = folder.join("core.yaml");
    let chances = chances(&folder.join("eval_meta_data.csv"))?;
    let mut tasks: Vec<(String, Vec<(String, String)>)> = vec![];
    let mut inside = false;
    for (number, line) in text(&path)?.lines().enumerate() {
        let place = format!("{}:{}", path.display(), number + 1);
        let wrong = |message: &str| {
            Error::input(&place, message, "write the list as in the CORE bundle: icl_tasks, then `- label: …` and its keys")
        };
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if trimmed == "icl_tasks:" {
            inside = true;
            continue;
        }
        if !inside {
            return Err(wrong("expected icl_tasks:"));
        }
        let entry = match trimmed.strip_prefix('-') {
            Some(rest) => {
                tasks.push((place.clone(), vec![]));
                rest.trim()
            }
            None => trimmed,
        };
        if entry.is_empty() {
            continue;
        }
        let (key, value) = entry.split_once(':').ok_or_else(|| wrong("neither a new entry nor a key with a value"))?;
        let value = scalar(value.trim()).ok_or_else(|| wrong("this value is of a kind that is not read here"))?;
        let (_, fields) = tasks.last_mut().ok_or_else(|| wrong("a key before the first entry"))?;
        fields.push((key.trim().to_string(), value));
    }
    let task = |(place, fields): (String, Vec<(String, String)>)| {
        let optional = |key: &str| fields.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
        let wrong = |message: String| Error::input(&place, message, "each entry needs label, dataset_uri, num_fewshot and icl_task_type");
        let needed = |key: &str| optional(key).ok_or_else(|| wrong(format!("the entry has no {key}")));
        let (label, shots) = (needed("label")?, needed("num_fewshot")?);
        let file = needed("dataset_uri")?;
        if Path::new(&file).components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(wrong(format!("dataset_uri: {file} does not stay below eval_data")));
        }
        let first = shots.trim_matches(['[', ']']).split(',').next().unwrap_or_default().trim();
        let chance = chances.iter().find(|(name, _)| *name == label).map(|(_, chance)| *chance);
        Ok(Listed {
            file,
            shots: first.parse().map_err(|_| wrong(format!("num_fewshot: {shots} is not [number]")))?,
            kind: needed("icl_task_type")?,
            delimiter: optional("continuation_delimiter").unwrap_or_else(|| " ".into()),
            chance: chance.ok_or_else(|| wrong(format!("eval_meta_data.csv has no random baseline of {label}")))?,
            label,
        })
    };
    tasks.into_iter().map(task).collect()
}

/// A plain, quoted or bracketed value. None for what needs a real YAML reader.
fn scalar(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('"') {
        return serde_json::from_str(&format!("\"{inner}")).ok();
    }
    if let Some(inner) = text.strip_prefix('\'') {
        return inner.strip_suffix('\'').map(|inner| inner.replace("''", "'"));
    }
    let text = text.split(" #").next().unwrap_or_default().trim();
    let odd = text.is_empty() || text.starts_with(['{', '&', '*', '!', '|', '>', '%', '@']);
    (!odd).then(|| text.to_string())
}

/// Label and share that guessing scores.
fn chances(path: &Path) -> Result<Vec<(String, f64)>> {
    let (records, header) = records(path, b',', true)?;
    let column = |name: &str| {
        let found = header.iter().position(|column| column == name);
        found.ok_or_else(|| Error::input(path.display(), format!("there is no column {name:?}"), "use the bundle's eval_meta_data.csv"))
    };
    let (label, baseline) = (column("Eval Task")?, column("Random baseline")?);
    let row = |(place, record): (String, Vec<String>)| {
        let percent: Option<f64> = record[baseline].trim().parse().ok().filter(|percent| (0.0..100.0).contains(percent));
        let percent = percent
            .ok_or_else(|| Error::input(place, format!("{:?} is no random baseline in percent", record[baseline]), "write 0 to 100"))?;
        Ok((record[label].clone(), percent / 100.0))
    };
    records.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_yaml() {
        let read = |text: &str| scalar(text);
        assert_eq!(read("hellaswag_zeroshot").as_deref(), Some("hellaswag_zeroshot"));
        assert_eq!(read("[10]").as_deref(), Some("[10]"));
        assert_eq!(read(r#""\nAnswer: ""#).as_deref(), Some("\nAnswer: "));
        assert_eq!(read("'it''s '").as_deref(), Some("it's "));
        assert_eq!(read("3 # shots").as_deref(), Some("3"));
        for odd in ["{a: 1}", "|", "*alias", ""] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
