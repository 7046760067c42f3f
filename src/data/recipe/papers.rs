//! Papers in several files, put together before they become text.

use crate::data::pipeline::{
    Counts, Document, Rules, Verdict,
    extract::{Latex, latex::assemble},
};

/// LaTeX of one file in the text, or of several in `meta.files`, by their paths.
pub(super) struct Papers(pub Latex);

impl Rules for Papers {
    /// Drops and counts what [`Latex`] does, and what could not be put together.
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict {
        if let Some(serde_json::Value::Object(files)) = document.meta.shift_remove("files") {
            let files: Vec<(&str, &str)> = files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_str()?))).collect();
            document.text = assemble(&files, counts).text;
        }
        self.0.apply(document, counts)
    }
}
