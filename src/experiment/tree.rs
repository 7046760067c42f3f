//! What differs between two resolved specifications.

use super::Difference;
use crate::settings::{flatten, written};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// Keys whose values differ, with both values as text; the origin is left empty.
pub fn differences(base: &impl Serialize, arm: &impl Serialize) -> Vec<Difference> {
    let (base, arm) = (flatten(base), flatten(arm));
    let keys: BTreeSet<&String> = base.keys().chain(arm.keys()).collect();
    let text = |value: Option<&Value>| value.map(written);
    keys.into_iter()
        .filter(|key| base.get(*key) != arm.get(*key))
        .map(|key| Difference { key: key.clone(), base: text(base.get(key)), arm: text(arm.get(key)), origin: String::new() })
        .collect()
}

/// Whether `key` is `ancestor` or lies below it.
pub fn is_within(key: &str, ancestor: &str) -> bool {
    key.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_null_and_changed() {
        let base = json!({"a": {"b": 1, "c": null, "kind": "x"}, "l": [1, 2], "same": 0.1});
        let arm = json!({"a": {"c": 2, "kind": "y"}, "l": [1, 3], "same": 0.1});
        let found: Vec<_> = differences(&base, &arm).into_iter().map(|d| (d.key, d.base, d.arm)).collect();
        let some = |text: &str| Some(text.to_string());
        let expected =
            [("a.b", some("1"), None), ("a.c", None, some("2")), ("a.kind", some("x"), some("y")), ("l", some("[1,2]"), some("[1,3]"))];
        assert_eq!(found, expected.map(|(key, base, arm)| (key.to_string(), base, arm)));
    }

    #[test]
    fn within_means_whole_segments() {
        assert!(is_within("model.norm.kind", "model.norm") && is_within("a", "a"));
        assert!(!is_within("model.normal", "model.norm") && !is_within("model", "model.norm"));
    }
}
