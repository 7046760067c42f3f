//! GPT-J: parallel branches behind one norm, neighbours rotate together, a bias on the logits.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout},
    model::{
        ModelConfig, ModelSpec,
        attention::AttentionConfig,
        position::{Pairing, PositionConfig, RopeConfig},
        residual::ResidualKind,
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "gptj", architecture: "GPTJForCausalLM", prefix: "transformer.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let (width, heads) = (keys.size("n_embd"), keys.size("n_head"));
    let mut model = model(keys.size("n_layer"), width, keys.size("vocab_size"), keys.size_or("n_positions", 2048));
    model.norm = layer_norm(keys.number("layer_norm_epsilon", 1e-5));
    model.attention = AttentionConfig { heads, ..AttentionConfig::default() };
    let kind = activation(keys, "activation_function", "gelu_new", false);
    model.feed_forward = feed_forward(kind, keys.size_or("n_inner", 4 * width), true);
    model.residual.kind = ResidualKind::ParallelShared;
    let head_dim = (width / heads).max(1);
    let rotated = keys.size_or("rotary_dim", 64);
    model.position = PositionConfig::Rope(RopeConfig {
        fraction: rotated as f64 / head_dim as f64,
        pairing: Pairing::Interleaved,
        ..RopeConfig::default()
    });
    model.embedding.tied = keys.flag("tie_word_embeddings", false);
    model.head.bias = true;
    keys.ignore(&["rotary", "scale_attn_weights", "n_ctx"]);
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
        "rotary_dim": rope_of(spec).rotated(spec.attention.head_dim),
        "activation_function": activation_name(spec.feed_forward.kind, "gelu_new"),
        "layer_norm_epsilon": eps(&spec.norm),
        "tie_word_embeddings": spec.embedding.tied,
    });
    with(Map::new(), config)
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("transformer.wte.weight", "embedding.weight", 0);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("transformer.h.{layer}"), format!("layers.{layer}"));
        projections(layout, &format!("{theirs}.attn"), &ours, "out_proj");
        layout.linear(&format!("{theirs}.mlp.fc_in"), &format!("{ours}.feed_forward.up"));
        layout.linear(&format!("{theirs}.mlp.fc_out"), &format!("{ours}.feed_forward.down"));
        layout.norm(&format!("{theirs}.ln_1"), &format!("{ours}.residual.attention_norm"));
    }
    layout.norm("transformer.ln_f", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
    layout.rows("lm_head.bias", "head.bias");
}
