//! OLMo 2: norms on the outputs of the branches, and over all queries and all keys.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, attention::QkNormConfig, position::PositionConfig, residual::ResidualKind},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "olmo2", architecture: "Olmo2ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual::default());
    model.norm = rms(keys.number("rms_norm_eps", 1e-5));
    model.residual.kind = ResidualKind::Output;
    model.attention.qk_norm = QkNormConfig::FullWidth { norm: model.norm.clone() };
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let more = json!({ "rms_norm_eps": eps(&spec.norm), "attention_bias": spec.attention.bias.query });
    let mut config = with(sizes(spec, "silu"), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    let norms = [("post_attention_layernorm", "attention_norm"), ("post_feedforward_layernorm", "feed_forward_norm")];
    llama_blocks(layout, spec, &GATED, &norms);
}
