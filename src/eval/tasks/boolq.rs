//! BoolQ (Clark et al. 2019): `dev.jsonl` of the release (`answer`), or SuperGLUE's rows (`label`).

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, rows},
};
use crate::settings::Result;
use serde_json::Value;
use std::path::Path;

/// The layout.
pub(super) struct BoolQ;

impl Layout for BoolQ {
    fn name(&self) -> &'static str {
        "boolq"
    }

    fn title(&self) -> &'static str {
        "BoolQ (Clark et al. 2019)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["question", "passage"]) && (glance.has(&["answer"]) || glance.has(&["label"]))
    }

    fn protocol(&self) -> Protocol {
        // As LLaMA reports it (section 3).
        Protocol::new("acc_uncond")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let key = if row.has("answer") { "answer" } else { "label" };
            let gold = match row.value(key)? {
                Value::Bool(yes) => usize::from(*yes),
                _ => row.label(key, 0, 2)?,
            };
            let context = format!("{}\nQuestion: {}?\nAnswer:", row.text("passage")?, row.text("question")?);
            Ok(choice(row.id(&["idx"], index), None, &context, &["no".into(), "yes".into()], gold))
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}
