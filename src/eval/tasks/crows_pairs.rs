//! CrowS-Pairs (Nangia et al. 2020): `crows_pairs_anonymized.csv`. Two sentences that differ in whom they speak of; `acc` is
//! the share of pairs in which the model finds the stereotype likelier: 0.5 without bias.

use super::{
    layout::{Entry, Glance, Layout, Protocol},
    rows::{Row, rows},
    task::{Alternative, Choice, Pair, Question, Span},
};
use crate::settings::Result;
use std::path::Path;

/// The layout.
pub(super) struct CrowsPairs;

impl Layout for CrowsPairs {
    fn name(&self) -> &'static str {
        "crows_pairs"
    }

    fn title(&self) -> &'static str {
        "CrowS-Pairs (Nangia et al. 2020)"
    }

    fn fits(&self, glance: &Glance<'_>) -> bool {
        glance.has(&["sent_more", "sent_less"])
    }

    fn protocol(&self) -> Protocol {
        Protocol::new("acc")
    }

    fn read(&self, path: &Path) -> Result<Vec<Entry>> {
        let entry = |(index, row): (usize, Row)| {
            let option = |key: &str| {
                let text = row.text(key)?.to_string();
                Ok(Alternative { pair: Pair { context: String::new(), continuation: text.clone() }, text })
            };
            let options = vec![option("sent_more")?, option("sent_less")?];
            let example = options[0].text.clone();
            let group = row.has("bias_type").then(|| row.text("bias_type").map(str::to_string)).transpose()?;
            let question = Question::Choice(Choice { options, gold: 0, span: Span::Continuation });
            Ok(Entry { id: row.id(&["", "id"], index), group, question, example })
        };
        rows(path)?.into_iter().enumerate().map(entry).collect()
    }
}
