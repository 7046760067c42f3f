//! Qwen 3: a norm over each head of queries and keys.

use super::{
    Family,
    blocks::*,
    qwen2::{upper_windows, upper_windows_of},
};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, attention::QkNormConfig, position::PositionConfig},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "qwen3", architecture: "Qwen3ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 32_768, kv_heads: Some(32), ..Usual::default() });
    model.norm = rms(keys.number("rms_norm_eps", 1e-6));
    model.attention.head_dim = model.attention.head_dim.or(Some(128));
    model.attention.qk_norm = QkNormConfig::PerHead { norm: model.norm.clone() };
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    upper_windows(keys, &mut model);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let more = json!({
        "head_dim": spec.attention.head_dim,
        "rms_norm_eps": eps(&spec.norm),
        "attention_bias": spec.attention.bias.query,
    });
    let mut config = with(with(sizes(spec, "silu"), more), upper_windows_of(spec));
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
