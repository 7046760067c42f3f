//! GPT-NeoX 20B and Pythia: parallel branches with a norm each, a quarter of each head rotates.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, attention::AttentionConfig, position::PositionConfig, residual::ResidualKind},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "gpt_neox", architecture: "GPTNeoXForCausalLM", prefix: "gpt_neox.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let width = keys.size("hidden_size");
    let context = keys.size_or("max_position_embeddings", 2048);
    let mut model = model(keys.size("num_hidden_layers"), width, keys.size("vocab_size"), context);
    model.norm = layer_norm(keys.number("layer_norm_eps", 1e-5));
    let bias = keys.flag("attention_bias", true);
    model.attention = AttentionConfig { heads: keys.size("num_attention_heads"), bias: biases(bias, bias), ..AttentionConfig::default() };
    model.feed_forward = feed_forward(activation(keys, "hidden_act", "gelu", false), keys.size("intermediate_size"), true);
    if keys.flag("use_parallel_residual", true) {
        model.residual.kind = ResidualKind::Parallel;
    }
    let rotary = rope::Rotary {
        theta: keys.number("rotary_emb_base", 10_000.0),
        fraction: Some(keys.number("rotary_pct", 0.25)),
        ..rope::Rotary::default()
    };
    model.position = PositionConfig::Rope(rope::read(keys, context, rotary));
    model.embedding.tied = keys.flag("tie_word_embeddings", false);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let rope = rope_of(spec);
    let more = json!({
        "vocab_size": spec.vocab,
        "max_position_embeddings": spec.context,
        "hidden_size": spec.width,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.attention.heads,
        "intermediate_size": spec.feed_forward.hidden,
        "hidden_act": activation_name(spec.feed_forward.kind, "gelu"),
        "layer_norm_eps": eps(&spec.norm),
        "attention_bias": spec.attention.bias.query,
        "use_parallel_residual": spec.residual.kind == ResidualKind::Parallel,
        "rotary_pct": rope.fraction,
        "rotary_emb_base": rope.theta,
        "tie_word_embeddings": spec.embedding.tied,
    });
    let mut config = with(Map::new(), more);
    rope::write(&mut config, &rope);
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("gpt_neox.embed_in.weight", "embedding.weight", 0);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("gpt_neox.layers.{layer}"), format!("layers.{layer}"));
        neox_block(layout, spec, &theirs, &ours, "attention", &PRE_NORMS);
    }
    layout.norm("gpt_neox.final_layer_norm", "final_norm");
    layout.rows("embed_out.weight", "head.weight");
}
