//! GPT-Neo: windows on every other layer, scores without a factor.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout},
    model::{
        ModelConfig, ModelSpec,
        attention::AttentionConfig,
        position::{LearnedConfig, PositionConfig},
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "gpt_neo", architecture: "GPTNeoForCausalLM", prefix: "transformer.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let width = keys.size("hidden_size");
    let layers = keys.size("num_layers");
    let mut model = model(layers, width, keys.size("vocab_size"), keys.size_or("max_position_embeddings", 2048));
    model.norm = layer_norm(keys.number("layer_norm_epsilon", 1e-5));
    model.attention =
        AttentionConfig { heads: keys.size("num_heads"), scale: Some(1.0), bias: biases(false, true), ..AttentionConfig::default() };
    let local = local(keys, layers);
    windows(&mut model.attention, Some(keys.size_or("window_size", 256)), layers, |layer| local[layer]);
    let kind = activation(keys, "activation_function", "gelu_new", false);
    model.feed_forward = feed_forward(kind, keys.size_or("intermediate_size", 4 * width), true);
    model.position = PositionConfig::Learned(LearnedConfig {});
    model.embedding.tied = keys.flag("tie_word_embeddings", true);
    keys.ignore(&["attention_layers"]);
    model
}

/// Which layers have a window: `attention_types` is a list of pairs of a pattern and how often it comes.
fn local(keys: &Keys, layers: usize) -> Vec<bool> {
    let usual = json!([[["global", "local"], layers / 2]]);
    let types = keys.value("attention_types").unwrap_or(&usual);
    let read = || {
        let mut all = vec![];
        for pair in types.as_array()? {
            let [pattern, times] = pair.as_array()?.as_slice() else { return None };
            let pattern: Vec<bool> = pattern.as_array()?.iter().map(is_local).collect::<Option<_>>()?;
            let more = usize::try_from(times.as_u64()?).ok()?.checked_mul(pattern.len())?;
            // Before anything is written out: a file may claim more than fits into memory.
            if more > layers - all.len() {
                return None;
            }
            all.extend(pattern.iter().cycle().take(more));
        }
        (all.len() == layers).then_some(all)
    };
    read().unwrap_or_else(|| {
        keys.refuse("attention_types", "does not say global or local for each layer", "write [[[\"global\", \"local\"], layers / 2]]");
        vec![false; layers]
    })
}

fn is_local(word: &Value) -> Option<bool> {
    match word.as_str() {
        Some("global") => Some(false),
        Some("local") => Some(true),
        _ => None,
    }
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let word = |layer| if spec.attention.window_at(layer).is_some() { "local" } else { "global" };
    let words: Vec<&str> = (0..spec.layers).map(word).collect();
    let config = json!({
        "vocab_size": spec.vocab,
        "max_position_embeddings": spec.context,
        "hidden_size": spec.width,
        "num_layers": spec.layers,
        "num_heads": spec.attention.heads,
        "intermediate_size": spec.feed_forward.hidden,
        "attention_types": [[words, 1]],
        "window_size": spec.attention.window.unwrap_or(spec.context),
        "activation_function": activation_name(spec.feed_forward.kind, "gelu_new"),
        "layer_norm_epsilon": eps(&spec.norm),
        "tie_word_embeddings": spec.embedding.tied,
    });
    with(Map::new(), config)
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("transformer.wte.weight", "embedding.weight", 0);
    layout.table("transformer.wpe.weight", "position.weight", 0);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("transformer.h.{layer}"), format!("layers.{layer}"));
        projections(layout, &format!("{theirs}.attn.attention"), &ours, "out_proj");
        layout.linear(&format!("{theirs}.mlp.c_fc"), &format!("{ours}.feed_forward.up"));
        layout.linear(&format!("{theirs}.mlp.c_proj"), &format!("{ours}.feed_forward.down"));
        layout.norm(&format!("{theirs}.ln_1"), &format!("{ours}.residual.attention_norm"));
        layout.norm(&format!("{theirs}.ln_2"), &format!("{ours}.residual.feed_forward_norm"));
    }
    layout.norm("transformer.ln_f", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
}
