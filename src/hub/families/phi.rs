//! Phi-1.5 and 2: parallel branches behind one norm, partial rotation, biases everywhere.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, attention::QkNormConfig, position::PositionConfig, residual::ResidualKind},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "phi", architecture: "PhiForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let (width, heads) = (keys.size("hidden_size"), keys.size("num_attention_heads"));
    let context = keys.size_or("max_position_embeddings", 2048);
    let mut model = model(keys.size("num_hidden_layers"), width, keys.size("vocab_size"), context);
    model.norm = layer_norm(keys.number("layer_norm_eps", 1e-5));
    model.attention.heads = heads;
    model.attention.kv_heads = Some(keys.size_or("num_key_value_heads", heads));
    model.attention.bias = biases(true, true);
    if keys.flag("qk_layernorm", false) {
        model.attention.qk_norm = QkNormConfig::PerHead { norm: model.norm.clone() };
    }
    let kind = activation(keys, "hidden_act", "gelu_new", false);
    model.feed_forward = feed_forward(kind, keys.size_or("intermediate_size", 8192), true);
    model.residual.kind = ResidualKind::ParallelShared;
    let rotary = rope::Rotary { fraction: Some(0.5), ..rope::Rotary::default() };
    model.position = PositionConfig::Rope(rope::read(keys, context, rotary));
    model.embedding.tied = keys.flag("tie_word_embeddings", false);
    model.head.bias = true;
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let rope = rope_of(spec);
    let more = json!({
        "layer_norm_eps": eps(&spec.norm),
        "qk_layernorm": !matches!(spec.attention.qk_norm, QkNormConfig::None {}),
        "partial_rotary_factor": rope.fraction,
    });
    let mut config = with(sizes(spec, "gelu_new"), more);
    rope::write(&mut config, &rope);
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("model.embed_tokens.weight", "embedding.weight", 0);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("model.layers.{layer}"), format!("layers.{layer}"));
        projections(layout, &format!("{theirs}.self_attn"), &ours, "dense");
        for (name, own) in [("q_layernorm", "query_norm"), ("k_layernorm", "key_norm")] {
            layout.norm(&format!("{theirs}.self_attn.{name}"), &format!("{ours}.attention.{own}"));
        }
        layout.linear(&format!("{theirs}.mlp.fc1"), &format!("{ours}.feed_forward.up"));
        layout.linear(&format!("{theirs}.mlp.fc2"), &format!("{ours}.feed_forward.down"));
        layout.norm(&format!("{theirs}.input_layernorm"), &format!("{ours}.residual.attention_norm"));
    }
    layout.norm("model.final_layernorm", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
    layout.rows("lm_head.bias", "head.bias");
}
