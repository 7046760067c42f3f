//! What a stage does to a document, and how often.

use super::Document;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a document goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Keep,
    /// It does not, because of the rule of that name.
    Drop(&'static str),
}

/// A stage that judges documents one by one, and may change their text or what is known of them.
///
/// A pure function of the document: neither order nor threads matter.
pub trait Rules: Send + Sync {
    /// Judges a document. What a rule takes out of a text that is kept (lines, marks) is counted here, by the name of the rule;
    /// documents that are dropped are counted by the caller.
    fn apply(&self, document: &mut Document, counts: &mut Counts) -> Verdict;
}

/// How often a rule was applied, and to how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Times.
    pub times: u64,
    /// Bytes of text that it took away.
    pub bytes: u64,
}

/// Counts by the names of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, Count>);

impl Counts {
    /// Counts one application of a rule that took so many bytes.
    pub fn add(&mut self, rule: &str, bytes: usize) {
        let count = match self.0.get_mut(rule) {
            Some(count) => count,
            None => self.0.entry(rule.to_string()).or_default(),
        };
        count.times += 1;
        count.bytes += bytes as u64;
    }

    /// Adds the counts of another part of the same input.
    pub fn merge(&mut self, other: &Self) {
        for (rule, more) in &other.0 {
            let count = self.0.entry(rule.clone()).or_default();
            count.times += more.times;
            count.bytes += more.bytes;
        }
    }

    /// What a rule did.
    pub fn get(&self, rule: &str) -> Count {
        self.0.get(rule).copied().unwrap_or_default()
    }

    /// All rules that did something, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Count)> {
        self.0.iter().map(|(rule, count)| (rule.as_str(), *count))
    }
}
