//! Phi-3 and Phi-4: LLaMA with queries, keys and values in one matrix, and gate and up in another.

use super::{Family, blocks::*};
use crate::{
    hub::{
        keys::Keys,
        layout::{Form, Layout},
        rope,
    },
    model::{
        ModelConfig, ModelSpec,
        position::{PositionConfig, RopeScaling},
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "phi3", architecture: "Phi3ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 4096, ..Usual::default() });
    model.norm = rms(keys.number("rms_norm_eps", 1e-5));
    // Read by the scaling alone.
    keys.ignore(&["original_max_position_embeddings"]);
    let rope = rope::read(keys, model.context, rope::Rotary { fraction: Some(1.0), ..rope::Rotary::default() });
    if rope.scaling != RopeScaling::default() {
        let key = if keys.has("rope_parameters") { "rope_parameters" } else { "rope_scaling" };
        keys.refuse(key, "is a scaling that phi3 does not have", "transformers takes yarn for longrope here, and no other");
    }
    model.position = PositionConfig::Rope(rope);
    windows(&mut model.attention, written_window(keys, None), model.layers, |_| true);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let rope = rope_of(spec);
    let more = json!({
        "rms_norm_eps": eps(&spec.norm),
        "partial_rotary_factor": rope.fraction,
        "original_max_position_embeddings": spec.context,
        "sliding_window": window_of(spec),
    });
    let mut config = with(sizes(spec, "silu"), more);
    rope::write(&mut config, &rope);
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("model.layers.{layer}"), format!("layers.{layer}"));
        let all = ["query", "key", "value"].map(|name| format!("{ours}.attention.{name}"));
        layout.stacked(&format!("{theirs}.self_attn.qkv_proj"), Form::Rows, &all.each_ref().map(String::as_str));
        layout.linear(&format!("{theirs}.self_attn.o_proj"), &format!("{ours}.attention.output"));
        let both = ["gate", "up"].map(|name| format!("{ours}.feed_forward.{name}"));
        layout.stacked(&format!("{theirs}.mlp.gate_up_proj"), Form::Rows, &both.each_ref().map(String::as_str));
        layout.linear(&format!("{theirs}.mlp.down_proj"), &format!("{ours}.feed_forward.down"));
        for (name, own) in PRE_NORMS {
            layout.norm(&format!("{theirs}.{name}"), &format!("{ours}.residual.{own}"));
        }
    }
}
