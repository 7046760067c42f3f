//! SmolLM3: LLaMA with layers that do not rotate.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{
        ModelConfig, ModelSpec,
        position::{PositionConfig, Use},
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "smollm3", architecture: "SmolLM3ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 32_768, kv_heads: Some(4), tied: true });
    model.norm = rms(keys.number("rms_norm_eps", 1e-6));
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    model.feed_forward.bias = keys.flag("mlp_bias", false);
    let mut rope = rope::read(keys, model.context, rope::Rotary { theta: 2_000_000.0, ..rope::Rotary::default() });
    rope.pattern = pattern(keys, model.layers);
    let window = optional_window(keys, None);
    let types = layer_types(keys, model.layers);
    // Where nothing is said, the layers that do not rotate have it.
    let still = |layer: usize| rope.pattern[layer % rope.pattern.len()] == Use::Off;
    windows(&mut model.attention, window, model.layers, |layer| types.as_ref().map_or(still(layer), |types| types[layer]));
    model.position = PositionConfig::Rope(rope);
    model
}

/// Which layers rotate: `no_rope_layers` has 1 for those that do; else every fourth, or as `no_rope_layer_interval` says, does not.
fn pattern(keys: &Keys, layers: usize) -> Vec<Use> {
    let interval = keys.size_or("no_rope_layer_interval", 4);
    let used = |on: bool| if on { Use::On } else { Use::Off };
    match keys.value("no_rope_layers") {
        None => (1..=layers).map(|layer| used(!layer.is_multiple_of(interval))).collect(),
        Some(list) => {
            let list = list.as_array().cloned().unwrap_or_default();
            let switches: Option<Vec<Use>> = list.iter().map(|on| on.as_u64().filter(|on| *on <= 1).map(|on| used(on == 1))).collect();
            switches.filter(|switches| switches.len() == layers).unwrap_or_else(|| {
                keys.refuse("no_rope_layers", "is not 0 or 1 for each layer", "write as many as there are layers");
                vec![Use::On]
            })
        }
    }
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let rope = rope_of(spec);
    let switches: Vec<u8> = (0..spec.layers).map(|layer| (rope.pattern[layer % rope.pattern.len()] == Use::On).into()).collect();
    let more = json!({
        "rms_norm_eps": eps(&spec.norm),
        "attention_bias": spec.attention.bias.query,
        "mlp_bias": spec.feed_forward.bias,
        "no_rope_layers": switches,
        "use_sliding_window": spec.attention.window.is_some(),
        "sliding_window": window_of(spec),
        "layer_types": layer_types_of(spec),
    });
    let mut config = with(sizes(spec, "silu"), more);
    rope::write(&mut config, &rope);
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
