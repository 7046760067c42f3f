//! The proof that an arm differs from its base in what was named, in what was matched, and in what follows from these.

use super::{Difference, tree};
use crate::settings::Problem;
use serde::Serialize;

/// Which keys of the resolved specification follow from which written ones. A key below a listed one counts as it.
///
/// Beside these: where a `kind` is named, the options of that kind, next to it, follow from it.
const DERIVED: &[(&str, &[&str])] = &[
    ("model.vocab", &["data.tokenizer", "data.corpus", "model.vocab"]),
    ("model.final_norm", &["model.residual.kind"]),
    ("model.attention.kv_heads", &["model.attention.heads"]),
    ("model.attention.head_dim", &["model.attention.heads", "model.width"]),
    ("model.attention.scale", &["model.attention.head_dim", "model.attention.heads", "model.width", "model.mup"]),
    ("model.attention.spans", &["model.attention.pattern", "model.layers"]),
    ("model.feed_forward.hidden", &["model.width"]),
    ("data.vocab", &["data.tokenizer", "data.corpus"]),
    ("data.tokenizer", &["data.corpus.kind"]),
    ("data.train_bytes", &["data.corpus.kind"]),
    ("data.validation_bytes", &["data.corpus.kind"]),
    ("data.corpus.instances", &["data.corpus.task"]),
    ("data.corpus.validation", &["data.corpus.task"]),
    ("data.fingerprint", &["data.corpus", "data.validation", "data.tokenizer"]),
    ("evaluation.every", &["train.steps"]),
    ("train.checkpoint_every", &["train.steps"]),
    ("schedule", &["train.steps"]),
    // A run on one device has no such section.
    ("parallel", &["parallel"]),
];

/// Every key whose resolved value differs, each with its origin: `named`, `matched`, or `derived from KEY`.
///
/// `named` holds the keys that the arm sets, `matched` those that were solved.
///
/// # Errors
///
/// A problem for each key that differs for none of these reasons.
pub fn prove(base: &impl Serialize, arm: &impl Serialize, named: &[String], matched: &[&str]) -> Result<Vec<Difference>, Vec<Problem>> {
    let mut differences = tree::differences(base, arm);
    let mut problems = Vec::new();
    for difference in &mut differences {
        match origin(&difference.key, named, matched) {
            Some(origin) => difference.origin = origin,
            None => {
                let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".into());
                let message =
                    format!("differs without having been named: {} in the base, {} here", show(&difference.base), show(&difference.arm));
                problems.push(Problem::new(&difference.key, message).help("name it in the arm's `set`, or set it for all arms"));
            }
        }
    }
    if problems.is_empty() { Ok(differences) } else { Err(problems) }
}

fn origin(key: &str, named: &[String], matched: &[&str]) -> Option<String> {
    if named.iter().any(|name| tree::is_within(key, name)) {
        return Some("named".into());
    }
    if matched.iter().any(|solved| tree::is_within(key, solved)) {
        return Some("matched".into());
    }
    let sources = || named.iter().map(String::as_str).chain(matched.iter().copied());
    // The option of a kind: `model.norm.bias` beside `model.norm.kind`.
    let kind = sources().find(|name| name.strip_suffix(".kind").is_some_and(|table| tree::is_within(key, table)));
    let rule = || {
        let (_, from) = DERIVED.iter().find(|(derived, _)| tree::is_within(key, derived))?;
        sources().find(|name| from.iter().any(|source| tree::is_within(name, source) || tree::is_within(source, name)))
    };
    // Written as a rule, resolved as a number: `model.feed_forward.hidden.multiple_of`.
    let above = || sources().find(|name| tree::is_within(name, key));
    kind.or_else(above).or_else(rule).map(|source| format!("derived from {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prove_keys(base: serde_json::Value, arm: serde_json::Value, named: &[&str], matched: &[&str]) -> Result<Vec<String>, Vec<String>> {
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        prove(&base, &arm, &named, matched)
            .map(|found| found.into_iter().map(|d| format!("{}: {}", d.key, d.origin)).collect())
            .map_err(|problems| problems.into_iter().map(|problem| problem.key).collect())
    }

    #[test]
    fn named_matched_and_derived() {
        let base = json!({"model": {"norm": {"kind": "rms", "unit_offset": false}, "feed_forward": {"hidden": 344}, "final_norm": true, "residual": {"kind": "pre"}}});
        let arm = json!({"model": {"norm": {"kind": "layer", "bias": true}, "feed_forward": {"hidden": 340}, "final_norm": false, "residual": {"kind": "post"}}});
        let found = prove_keys(base, arm, &["model.norm.kind", "model.residual.kind"], &["model.feed_forward.hidden"]).unwrap();
        let expected = [
            "model.feed_forward.hidden: matched",
            "model.final_norm: derived from model.residual.kind",
            "model.norm.bias: derived from model.norm.kind",
            "model.norm.kind: named",
            "model.norm.unit_offset: derived from model.norm.kind",
            "model.residual.kind: named",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_arm_may_lie_on_devices_of_its_own() {
        let arm = json!({"parallel": {"devices": 4, "tensor": 2, "overlap": true}});
        let found = prove_keys(json!({}), arm.clone(), &["parallel.devices", "parallel.tensor"], &[]).unwrap();
        assert_eq!(found, ["parallel.devices: named", "parallel.overlap: derived from parallel.devices", "parallel.tensor: named"]);
        assert_eq!(prove_keys(json!({}), arm, &["model.norm"], &[]).unwrap_err().len(), 3);
    }

    #[test]
    fn heads_explain_head_sizes_and_nothing_else() {
        let base = json!({"model": {"attention": {"heads": 4, "head_dim": 32, "scale": 0.1}, "width": 128}});
        let arm = json!({"model": {"attention": {"heads": 8, "head_dim": 16, "scale": 0.2}, "width": 128}});
        let found = prove_keys(base.clone(), arm.clone(), &["model.attention.heads"], &[]).unwrap();
        assert_eq!(found[0], "model.attention.head_dim: derived from model.attention.heads");
        let refused = prove_keys(base, arm, &["model.norm.kind"], &[]).unwrap_err();
        assert_eq!(refused, ["model.attention.head_dim", "model.attention.heads", "model.attention.scale"]);
    }

    #[test]
    fn rules_become_numbers_and_tables_name_what_is_inside() {
        let base = json!({"model": {"feed_forward": {"hidden": 344}}});
        let arm = json!({"model": {"feed_forward": {"hidden": 512}}});
        let found = prove_keys(base.clone(), arm.clone(), &["model.feed_forward.hidden.factor"], &[]).unwrap();
        assert_eq!(found, ["model.feed_forward.hidden: derived from model.feed_forward.hidden.factor"]);
        assert_eq!(prove_keys(base, arm, &["model.feed_forward"], &[]).unwrap(), ["model.feed_forward.hidden: named"]);
    }

    #[test]
    fn an_unnamed_difference_is_refused() {
        let refused = prove_keys(json!({"optimizer": {"lr": 1}}), json!({"optimizer": {"lr": 2}}), &["model.norm.kind"], &[]).unwrap_err();
        assert_eq!(refused, ["optimizer.lr"]);
    }
}
