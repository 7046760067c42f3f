//! ARC, easy and challenge (Clark et al. 2018): `ARC-Easy-Test.jsonl` of the release, or Hugging Face's rows.

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, rows},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct Arc;

impl Layout for Arc {
    fn name(&self) -> &'static str {
        "arc"
    }

    fn title(&self) -> &'static str {
        "ARC, easy and challenge (Clark et al. 2018)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["question", "answerKey"]) && !glance.named(&["openbook", "obqa"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc_norm")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let (stem, texts, gold) = lettered(&row)?;
            Ok(choice(row.id(&["id"], index), None, &format!("Question: {stem}\nAnswer:"), &texts, gold))
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}

/// Question, choices and the place of the right one, in the form of the releases of ARC and OpenBookQA (`question.stem`,
/// `question.choices[].text`) or of Hugging Face (`question` or `question_stem`, `choices.text`). Labels are letters or digits.
pub(super) fn lettered(row: &Row) -> Result<(String, Vec<String>, usize)> {
    let (stem, texts, labels) = if row.fields.get("question").is_some_and(serde_json::Value::is_object) {
        let question = row.object("question")?;
        let choices = question.objects("choices")?;
        let field = |key: &str| choices.iter().map(|choice| choice.text(key).map(str::to_string)).collect::<Result<Vec<_>>>();
        (question.text("stem")?.to_string(), field("text")?, field("label")?)
    } else {
        let stem = if row.has("question_stem") { "question_stem" } else { "question" };
        let choices = row.object("choices")?;
        (row.text(stem)?.to_string(), choices.texts("text", 2)?, choices.texts("label", 2)?)
    };
    let key = row.text("answerKey")?.trim_start();
    if texts.len() < 2 || texts.len() != labels.len() {
        return Err(row.wrong("choices", format!("has {} texts and {} labels", texts.len(), labels.len())));
    }
    let gold = labels.iter().position(|label| label == key);
    let gold = gold.ok_or_else(|| row.wrong("answerKey", format!("= {key:?} is none of the labels {}", labels.join(", "))))?;
    Ok((stem, texts, gold))
}
