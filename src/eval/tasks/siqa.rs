//! Social IQa (Sap et al. 2019): `dev.jsonl` with `dev-labels.lst` beside it, or rows with a `label`, from 1.

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, join_labels, rows},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct Siqa;

impl Layout for Siqa {
    fn name(&self) -> &'static str {
        "siqa"
    }

    fn title(&self) -> &'static str {
        "Social IQa (Sap et al. 2019)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["context", "question", "answerA", "answerB", "answerC"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc_norm")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let mut rows = rows(path)?;
        join_labels(path, &mut rows, "label")?;
        let entry = |(index, row): (usize, Row)| {
            let text = |key: &str| row.text(key).map(str::to_string);
            let texts = [text("answerA")?, text("answerB")?, text("answerC")?];
            let context = format!("Q: {} {}\nA:", row.text("context")?, row.text("question")?);
            Ok(choice(row.id(&["id"], index), None, &context, &texts, row.label("label", 1, 3)?))
        };
        rows.into_iter().enumerate().map(entry).collect()
    }
}
