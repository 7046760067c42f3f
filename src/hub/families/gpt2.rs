//! GPT-2: learned positions, matrices the other way round.

use super::{Family, blocks::*};
use crate::{
    hub::{
        keys::Keys,
        layout::{Form, Layout},
    },
    model::{
        ModelConfig, ModelSpec,
        attention::AttentionConfig,
        position::{LearnedConfig, PositionConfig},
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "gpt2", architecture: "GPT2LMHeadModel", prefix: "transformer.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let width = keys.size("n_embd");
    let mut model = model(keys.size("n_layer"), width, keys.size("vocab_size"), keys.size_or("n_positions", 1024));
    model.norm = layer_norm(keys.number("layer_norm_epsilon", 1e-5));
    model.attention = AttentionConfig { heads: keys.size("n_head"), bias: biases(true, true), ..AttentionConfig::default() };
    let kind = activation(keys, "activation_function", "gelu_new", false);
    model.feed_forward = feed_forward(kind, keys.size_or("n_inner", 4 * width), true);
    model.position = PositionConfig::Learned(LearnedConfig {});
    model.embedding.tied = keys.flag("tie_word_embeddings", true);
    keys.only("scale_attn_weights", true);
    for key in ["scale_attn_by_inverse_layer_idx", "add_cross_attention"] {
        keys.only(key, false);
    }
    // Upcasting is what f32 does anyway; the other is an old name.
    keys.ignore(&["reorder_and_upcast_attn", "n_ctx"]);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let config = json!({
        "vocab_size": spec.vocab,
        "n_positions": spec.context,
        "n_embd": spec.width,
        "n_layer": spec.layers,
        "n_head": spec.attention.heads,
        "n_inner": spec.feed_forward.hidden,
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
        let all = ["query", "key", "value"].map(|name| format!("{ours}.attention.{name}"));
        layout.stacked(&format!("{theirs}.attn.c_attn"), Form::Columns, &all.each_ref().map(String::as_str));
        let matrices = [("attn.c_proj", "attention.output"), ("mlp.c_fc", "feed_forward.up"), ("mlp.c_proj", "feed_forward.down")];
        for (name, own) in matrices {
            layout.stacked(&format!("{theirs}.{name}"), Form::Columns, &[&format!("{ours}.{own}")]);
        }
        layout.norm(&format!("{theirs}.ln_1"), &format!("{ours}.residual.attention_norm"));
        layout.norm(&format!("{theirs}.ln_2"), &format!("{ours}.residual.feed_forward_norm"));
    }
    layout.norm("transformer.ln_f", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
}
