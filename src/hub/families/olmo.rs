//! OLMo 1: LayerNorm that learns nothing.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{
        ModelConfig, ModelSpec,
        norm::{LayerNormConfig, NormConfig},
        position::PositionConfig,
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "olmo", architecture: "OlmoForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual::default());
    model.norm = NormConfig::Layer(LayerNormConfig { eps: 1e-5, gain: false, bias: false, ..LayerNormConfig::default() });
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    keys.only("clip_qkv", Value::Null);
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let mut config = with(sizes(spec, "silu"), json!({ "attention_bias": spec.attention.bias.query }));
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
