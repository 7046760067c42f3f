//! Qwen 2 and 2.5: biases on queries, keys and values; windows in the upper layers, if any.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, position::PositionConfig},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "qwen2", architecture: "Qwen2ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 32_768, kv_heads: Some(32), ..Usual::default() });
    model.norm = rms(keys.number("rms_norm_eps", 1e-6));
    model.attention.bias = biases(true, false);
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    upper_windows(keys, &mut model);
    model
}

/// Windows from layer `max_window_layers` on, with `use_sliding_window`; or where `layer_types` says.
pub fn upper_windows(keys: &Keys, model: &mut ModelConfig) {
    let window = optional_window(keys, Some(4096));
    keys.ignore(&["max_window_layers"]);
    let full = if window.is_some() { keys.count_or("max_window_layers", 28) } else { model.layers };
    let types = layer_types(keys, model.layers);
    let windowed = |layer: usize| types.as_ref().map_or(layer >= full, |types| types[layer]);
    windows(&mut model.attention, window, model.layers, windowed);
}

/// The options that [`upper_windows`] reads.
pub fn upper_windows_of(spec: &ModelSpec) -> Value {
    let first = (0..spec.layers).find(|layer| spec.attention.window_at(*layer).is_some()).unwrap_or(spec.layers);
    json!({
        "use_sliding_window": spec.attention.window.is_some(),
        "sliding_window": window_of(spec),
        "max_window_layers": first,
        "layer_types": layer_types_of(spec),
    })
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let mut config = with(sizes(spec, "silu"), json!({ "rms_norm_eps": eps(&spec.norm) }));
    config = with(config, upper_windows_of(spec));
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
