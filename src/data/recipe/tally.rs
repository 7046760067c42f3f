//! What happened to the documents of a shard: numbers that add up over shards, whatever their order.

use crate::data::pipeline::{Counts, Document, formats::Damage};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, hash::Hasher};
use xxhash_rust::xxh3::Xxh3;

/// Examples of damage that are kept.
const EXAMPLES: usize = 10;
/// Characters of a rejected document that are kept.
pub(super) const SHOWN: usize = 2000;

/// Documents and bytes of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Documents.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
}

impl Size {
    pub(super) fn add(&mut self, document: &Document) {
        self.documents += 1;
        self.bytes += document.text.len() as u64;
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        self.bytes += other.bytes;
    }
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTally {
    /// What came in.
    pub input: Size,
    /// What went on.
    pub output: Size,
    /// Documents that went on and were changed, in text or meta.
    pub changed: u64,
    /// Documents that were dropped, with their bytes, by rule.
    pub dropped: Counts,
    /// What rules took out of texts, and other things they count.
    pub applied: Counts,
    /// Nanoseconds of a processor.
    pub nanoseconds: u64,
}

impl StepTally {
    fn merge(&mut self, other: &Self) {
        self.input.merge(other.input);
        self.output.merge(other.output);
        self.changed += other.changed;
        self.dropped.merge(&other.dropped);
        self.applied.merge(&other.applied);
        self.nanoseconds += other.nanoseconds;
    }
}

/// A rejected document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Name of the step.
    pub step: String,
    /// The rule that dropped it.
    pub rule: String,
    /// Name of its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// Its beginning, as the step found it.
    pub text: String,
    /// By which some of many are chosen.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    hash: String,
}

/// What happened to some documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// What was read.
    pub read: Size,
    /// What was written.
    pub written: Size,
    /// Damage by kind.
    pub damage: Counts,
    /// The first of it.
    pub damaged: Vec<String>,
    /// Steps of the segment, in order.
    pub steps: Vec<StepTally>,
    /// Rejected documents, by the names of step and rule: those of lowest hash.
    pub rejected: BTreeMap<String, Vec<Rejected>>,
    /// How many of them were kept of a rule, at most.
    #[serde(default)]
    pub most: usize,
}

impl Tally {
    pub(super) fn new(steps: usize, most: usize) -> Self {
        Self { steps: vec![StepTally::default(); steps], most, ..Self::default() }
    }

    /// Counts something that is damaged.
    pub(super) fn damage(&mut self, damage: &Damage) {
        self.damage.add(damage.rule, 0);
        if self.damaged.len() < EXAMPLES {
            self.damaged.push(format!("{}: {}", damage.place, damage.message));
        }
    }

    /// Remembers a rejected document if its hash is among the lowest of its rule.
    pub(super) fn reject(&mut self, step: &str, rule: &str, document: &Document) {
        let most = self.most;
        if most == 0 {
            return;
        }
        let mut hash = Xxh3::new();
        hash.write(document.source.as_bytes());
        hash.write_u8(0);
        hash.write(document.id.as_bytes());
        let hash = format!("{:016x}", hash.finish());
        let list = self.rejected.entry(format!("{step} {rule}")).or_default();
        let place = list.partition_point(|other| (&other.hash, &other.id) < (&hash, &document.id));
        if place < most {
            let text = document.text.chars().take(SHOWN).collect();
            let (step, rule) = (step.to_string(), rule.to_string());
            list.insert(place, Rejected { step, rule, source: document.source.clone(), id: document.id.clone(), text, hash });
            list.truncate(most);
        }
    }

    /// Adds what happened to other documents, in the order of shards.
    pub(super) fn merge(&mut self, other: &Self) {
        self.read.merge(other.read);
        self.written.merge(other.written);
        self.damage.merge(&other.damage);
        let room = EXAMPLES.saturating_sub(self.damaged.len());
        self.damaged.extend(other.damaged.iter().take(room).cloned());
        self.steps.resize(self.steps.len().max(other.steps.len()), StepTally::default());
        self.steps.iter_mut().zip(&other.steps).for_each(|(own, other)| own.merge(other));
        for (rule, more) in &other.rejected {
            let list = self.rejected.entry(rule.clone()).or_default();
            list.extend(more.iter().cloned());
            list.sort_by(|a, b| (&a.hash, &a.id).cmp(&(&b.hash, &b.id)));
            list.truncate(self.most);
        }
    }

    /// Rejected documents, without what chose them.
    pub(super) fn into_rejected(self) -> Vec<Rejected> {
        self.rejected.into_values().flatten().map(|one| Rejected { hash: String::new(), ..one }).collect()
    }
}

/// A hash by which a change of a document is seen.
pub(super) fn print(document: &Document) -> (u64, usize) {
    (xxhash_rust::xxh3::xxh3_64(document.text.as_bytes()), document.meta.len())
}
