//! Specifications as flat lists of keys.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Every leaf of a specification by dotted key. Lists are leaves; what is absent (null) has no entry.
pub fn flatten(spec: &impl Serialize) -> BTreeMap<String, Value> {
    fn walk(key: String, value: Value, leaves: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    walk(if key.is_empty() { name } else { format!("{key}.{name}") }, value, leaves);
                }
            }
            Value::Null => {}
            leaf => {
                leaves.insert(key, leaf);
            }
        }
    }
    let mut leaves = BTreeMap::new();
    walk(String::new(), serde_json::to_value(spec).expect("a specification is plain data"), &mut leaves);
    leaves
}
