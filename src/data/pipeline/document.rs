//! What flows through a pipeline.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A text with where it comes from. As a line of JSON it is what `ablate data build` writes and reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Unique within its source, and the same whenever the same file is read: often file and number.
    pub id: String,
    /// The text.
    pub text: String,
    /// Name of the source in the recipe.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What else is known: `url`, `path`, `licence`, `language`, `title`, scores that stages have given.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
}

impl Document {
    /// A document of which nothing else is known.
    pub fn new(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { id: id.into(), text: text.into(), ..Self::default() }
    }

    /// A string of [`Document::meta`].
    pub fn meta(&self, key: &str) -> Option<&str> {
        self.meta.get(key)?.as_str()
    }
}
