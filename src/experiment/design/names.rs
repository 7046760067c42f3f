//! Names of arms that nobody named.

use crate::settings::written;
use std::collections::BTreeSet;

/// Longest name of a folder that is made from its levels.
const LONGEST: usize = 64;

/// Gives out names, each once, whatever the case of their letters.
#[derive(Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
}

impl Names {
    /// A name of these parts (`norm-layer`, `position-rope`), or a number where that is too long.
    pub fn of(&mut self, parts: &[String]) -> String {
        let joined = parts.join("+");
        let wanted = if joined.is_empty() || joined.len() > LONGEST { format!("cell-{}", self.taken.len() + 1) } else { joined };
        let mut name = wanted.clone();
        let mut number = 2;
        while !self.taken.insert(name.to_lowercase()) {
            name = format!("{wanted}-{number}");
            number += 1;
        }
        name
    }
}

/// A value as part of a name.
pub(super) fn word(value: &serde_json::Value) -> String {
    let text = written(value);
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if plain.is_empty() { "value".into() } else { plain.chars().take(LONGEST).collect() }
}
