//! StableLM 3B and 2: LLaMA with LayerNorm and partial rotation, with parallel branches in the 12B.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, position::PositionConfig, residual::ResidualKind},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "stablelm", architecture: "StableLmForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 4096, kv_heads: Some(32), ..Usual::default() });
    model.norm = layer_norm(keys.number("layer_norm_eps", 1e-5));
    model.attention.bias = biases(keys.flag("use_qkv_bias", false), false);
    keys.only("qk_layernorm", false);
    if keys.flag("use_parallel_residual", false) {
        model.residual.kind = ResidualKind::ParallelShared;
    }
    let rotary = rope::Rotary { fraction: Some(0.25), ..rope::Rotary::default() };
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rotary));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let rope = rope_of(spec);
    let more = json!({
        "layer_norm_eps": eps(&spec.norm),
        "use_qkv_bias": spec.attention.bias.query,
        "use_parallel_residual": spec.residual.kind == ResidualKind::ParallelShared,
        "partial_rotary_factor": rope.fraction,
    });
    let mut config = with(sizes(spec, "silu"), more);
    rope::write(&mut config, &rope);
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
