//! Gemma 2: norms before and behind each branch, soft caps, a window on every other layer.

use super::{
    Family,
    blocks::*,
    gemma::{base, base_of},
};
use crate::{
    hub::{keys::Keys, layout::Layout},
    model::{ModelConfig, ModelSpec, residual::ResidualKind},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "gemma2", architecture: "Gemma2ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = base(keys, 4);
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    model.residual.kind = ResidualKind::Sandwich;
    model.attention.scale = Some(keys.number("query_pre_attn_scalar", 256.0).powf(-0.5));
    let cap = |key: &str, usual: f64| if keys.absent(key) { Some(usual) } else { keys.maybe_number(key) };
    model.attention.soft_cap = cap("attn_logit_softcapping", 50.0);
    model.head.soft_cap = cap("final_logit_softcapping", 30.0);
    let types = layer_types(keys, model.layers);
    let window = keys.size_or("sliding_window", 4096);
    let windowed = |layer: usize| types.as_ref().map_or(layer.is_multiple_of(2), |types| types[layer]);
    windows(&mut model.attention, Some(window), model.layers, windowed);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let scale = spec.attention.scale.powi(-2);
    // 1/√256 and its like come back to the bit; what is an integer but for rounding was one.
    let scalar = if (scale - scale.round()).abs() < 1e-9 * scale { json!(scale.round() as u64) } else { json!(scale) };
    let more = json!({
        "attention_bias": spec.attention.bias.query,
        "query_pre_attn_scalar": scalar,
        "attn_logit_softcapping": spec.attention.soft_cap,
        "final_logit_softcapping": spec.head.soft_cap,
        "sliding_window": spec.attention.window.unwrap_or(spec.context),
        "layer_types": layer_types_of(spec),
    });
    with(base_of(spec), more)
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    let norms = [
        ("input_layernorm", "attention_norm"),
        ("post_attention_layernorm", "attention_output_norm"),
        ("pre_feedforward_layernorm", "feed_forward_norm"),
        ("post_feedforward_layernorm", "feed_forward_output_norm"),
    ];
    llama_blocks(layout, spec, &GATED, &norms);
}
