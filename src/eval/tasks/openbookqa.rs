//! OpenBookQA (Mihaylov et al. 2018): `test.jsonl` of the release, or Hugging Face's rows.

use super::{
    arc::lettered,
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, rows},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct OpenBookQa;

impl Layout for OpenBookQa {
    fn name(&self) -> &'static str {
        "openbookqa"
    }

    fn title(&self) -> &'static str {
        "OpenBookQA (Mihaylov et al. 2018)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        let unlike_arc = glance.has(&["question", "answerKey"]) && glance.named(&["openbook", "obqa"]);
        glance.has(&["question_stem", "answerKey"]) || unlike_arc
    }

    fn protocol(&self) -> Protocol {
        // As LLaMA reports it (section 3).
        Protocol::new("acc_uncond")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let (stem, texts, gold) = lettered(&row)?;
            Ok(choice(row.id(&["id"], index), None, &stem, &texts, gold))
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}
