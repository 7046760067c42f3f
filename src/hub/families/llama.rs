//! LLaMA 1 to 3, SmolLM, and all that calls itself so.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, position::PositionConfig},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "llama", architecture: "LlamaForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    completed(keys, llama(keys, Usual::default()), 1e-6)
}

/// A decoder with LLaMA's norm, biases and positions.
pub fn completed(keys: &Keys, mut model: ModelConfig, eps: f64) -> ModelConfig {
    model.norm = rms(keys.number("rms_norm_eps", eps));
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    model.feed_forward.bias = keys.flag("mlp_bias", false);
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    options(spec, "silu")
}

/// LLaMA's options, with the activation that a family usually has.
pub fn options(spec: &ModelSpec, usual: &'static str) -> Map<String, Value> {
    let more = json!({
        "head_dim": spec.attention.head_dim,
        "rms_norm_eps": eps(&spec.norm),
        "attention_bias": spec.attention.bias.query,
        "mlp_bias": spec.feed_forward.bias,
    });
    let mut config = with(sizes(spec, usual), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
