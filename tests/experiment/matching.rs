//! Sizes that are solved, on models that are resolved for real.

use super::{Bench, arm};
use ablate::model::ModelSpec;

/// How much of something a model has.
type Amount = fn(&ModelSpec) -> f64;

const FLOPS: Amount = |model| model.account(model.context).flops_per_token;
const PARAMETERS: Amount = |model| model.account(model.context).parameters as f64;
const NON_EMBEDDING: Amount = |model| model.non_embedding_parameters() as f64;

#[test]
fn arms_really_have_what_is_matched() {
    let gated = "\"model.feed_forward.kind\" = \"swiglu\"";
    let narrow = "\"model.feed_forward.hidden\" = 32";
    // The size that is solved, what else [match] says, the largest mismatch, what the arm changes, what is counted. The mismatch
    // is above half a unit of the size and far below what the arm's change makes.
    let hidden = "flops_per_token = \"model.feed_forward.hidden\", multiple_of = 4";
    let layers = "parameters = \"model.layers\", count = \"non_embedding\"";
    let heads = "parameters = \"model.attention.heads\", count = \"non_embedding\"";
    for (size, text, tolerance, change, amount) in [
        ("model.feed_forward.hidden", hidden, 0.04, gated, FLOPS),
        ("model.layers", layers, 0.1, gated, NON_EMBEDDING),
        ("model.width", "parameters = \"model.width\", multiple_of = 2", 0.1, gated, PARAMETERS),
        ("model.attention.heads", "flops_per_token = \"model.attention.heads\"", 0.05, narrow, FLOPS),
        ("model.attention.heads", heads, 0.05, narrow, NON_EMBEDDING),
    ] {
        let bench = Bench::new(&format!(
            "match = {{ {text}, tolerance = {tolerance} }}\n\
             set = {{ \"model.layers\" = 8, \"model.attention.heads\" = 8, \"model.attention.head_dim\" = 4 }}\n\
             [[arm]]\nname = \"a\"\nset = {{ {change} }}\n"
        ));
        let experiment = bench.load();
        let a = arm(&experiment, "a");
        let [solved] = a.solved.as_slice() else { panic!("{text}: {:?}", a.solved) };
        let value = |model: &ModelSpec| {
            let tree = serde_json::to_value(model).unwrap();
            tree.pointer(&format!("/{}", size["model.".len()..].replace('.', "/"))).unwrap().as_u64().unwrap()
        };
        let base = &experiment.base().spec.model;
        assert_eq!((solved.key.as_str(), solved.value), (size, value(&a.spec.model)), "{text}");
        assert_ne!(solved.value, value(base), "{text}: the base's size does not do");
        let mismatch = amount(&a.spec.model) / amount(base) - 1.0;
        assert!((mismatch - solved.residual).abs() < 1e-9 && mismatch.abs() <= tolerance, "{text}: {mismatch}, {solved:?}");
        if text.contains("multiple_of") {
            assert!(solved.value.is_multiple_of(if text.contains("= 4") { 4 } else { 2 }), "{text}: {solved:?}");
        }
    }
}

#[test]
fn a_size_that_changes_nothing_is_refused() {
    // Without head_dim more heads are smaller ones: refused too where the arm has the base's parameters anyway.
    for kind in ["swiglu", "gelu"] {
        let refused = Bench::new(&format!(
            "match.parameters = \"model.attention.heads\"\n[[arm]]\nname = \"a\"\nset = {{ \"model.feed_forward.kind\" = \"{kind}\" }}\n"
        ))
        .refused();
        assert!(refused.contains("match.parameters") && refused.contains("does not change what is matched"), "{refused}");
        assert!(refused.contains("head_dim"), "{refused}");
    }
}
