//! What makes two runs the same run.

use super::RunSpec;
use crate::data::{PATH_KEYS, hex};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Version of the numerics: raised whenever the same specification may give other bits.
pub const NUMERICS: u32 = 2;

/// Keys and sections that are no part of what a run is: they change no bit of its result, or rounding alone. An arm that sets only
/// such as change no bit is an A/A control.
pub const NON_NUMERICAL_KEYS: [&str; 8] = [
    "train.activations",
    "train.log_every",
    "train.checkpoint_every",
    "train.checkpoint_minutes",
    "train.keep_last",
    "train.keep_best",
    "probe",
    PARALLEL,
];

/// Changes rounding alone.
const PARALLEL: &str = "parallel";

/// Whether the value of `key` can change a bit of a run's result: also by other rounding, as the number of devices does, which is
/// no part of what a run is.
pub fn is_numerical(key: &str) -> bool {
    let is_within = |known: &&str| key.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    !NON_NUMERICAL_KEYS.iter().filter(|key| **key != PARALLEL).any(is_within)
}

impl RunSpec {
    /// Hash (16 hexadecimal digits) of everything that can change a bit of the result: the specification without
    /// [`NON_NUMERICAL_KEYS`] and paths, and [`NUMERICS`].
    pub fn id(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a specification is plain data");
        // What the text is, the fingerprint says: a run is the same run on another machine.
        for key in NON_NUMERICAL_KEYS.iter().chain(&PATH_KEYS) {
            remove(&mut value, key);
        }
        // Runs from before there was a choice keep their identity.
        if self.train.precision.is_f32() {
            remove(&mut value, "train.precision");
        }
        let mut hash = Sha256::new();
        hash.update(NUMERICS.to_le_bytes());
        hash.update(sorted(value).to_string());
        hex(&hash.finalize())[..16].to_owned()
    }
}

fn remove(value: &mut Value, key: &str) {
    match key.split_once('.') {
        Some(("*", tail)) => value.as_object_mut().into_iter().flatten().for_each(|(_, child)| remove(child, tail)),
        Some((head, tail)) => {
            if let Some(child) = value.get_mut(head) {
                remove(child, tail);
            }
        }
        None => {
            if let Value::Object(map) = value {
                map.remove(key);
            }
        }
    }
}

/// The value with the keys of every object in alphabetical order: the order of fields in the code is no content.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::ParallelConfig;
    use serde_json::json;

    #[test]
    fn order_of_keys_is_no_content() {
        let a = json!({"b": 1, "a": {"d": [1, {"y": 0, "x": 1}], "c": 2.5}});
        let b = json!({"a": {"c": 2.5, "d": [1, {"x": 1, "y": 0}]}, "b": 1});
        assert_ne!(a.to_string(), b.to_string());
        assert_eq!(sorted(a).to_string(), sorted(b).to_string());
    }

    #[test]
    fn non_numerical_keys_are_removed_and_name_real_fields() {
        let mut value = json!({"train": super::super::TrainConfig::default(), "probe": super::super::ProbeConfig::default(), "parallel": ParallelConfig::default()});
        for key in NON_NUMERICAL_KEYS {
            let before = value.to_string();
            remove(&mut value, key);
            assert_ne!(before, value.to_string(), "{key} is no field");
            assert_eq!(is_numerical(key), key == PARALLEL);
        }
        assert!(is_numerical("train.steps") && is_numerical("probes") && !is_numerical("probe.every"));
        assert_eq!(value["train"].as_object().map(|train| train.len()), Some(6));
    }
}
