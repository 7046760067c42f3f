//! Mistral: LLaMA with a window on every layer.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, position::PositionConfig},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "mistral", architecture: "MistralForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 131_072, kv_heads: Some(8), ..Usual::default() });
    model.norm = rms(keys.number("rms_norm_eps", 1e-6));
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    windows(&mut model.attention, written_window(keys, Some(4096)), model.layers, |_| true);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let more = json!({
        "head_dim": spec.attention.head_dim,
        "rms_norm_eps": eps(&spec.norm),
        "sliding_window": window_of(spec),
    });
    let mut config = with(sizes(spec, "silu"), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
