//! PIQA (Bisk et al. 2020): `valid.jsonl` with `valid-labels.lst` beside it, or rows with a `label`.

use super::{
    layout::{Entry, Glance, Layout, Protocol, choice},
    rows::{Row, join_labels, rows},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct Piqa;

impl Layout for Piqa {
    fn name(&self) -> &'static str {
        "piqa"
    }

    fn title(&self) -> &'static str {
        "PIQA (Bisk et al. 2020)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["goal", "sol1", "sol2"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc_norm")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let mut rows = rows(path)?;
        join_labels(path, &mut rows, "label")?;
        let entry = |(index, row): (usize, Row)| {
            let texts = [row.text("sol1")?.to_string(), row.text("sol2")?.to_string()];
            let context = format!("Question: {}\nAnswer:", row.text("goal")?);
            Ok(choice(row.id(&["id"], index), None, &context, &texts, row.label("label", 0, 2)?))
        };
        rows.into_iter().enumerate().map(entry).collect()
    }
}
