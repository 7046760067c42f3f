//! StarCoder 2: GPT-2's norms, biases and feed-forward with rotary positions and grouped queries.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, position::PositionConfig},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family =
    Family { model_type: "starcoder2", architecture: "Starcoder2ForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = decoder(keys, Usual { context: 4096, kv_heads: Some(2), tied: true });
    let bias = keys.flag("use_bias", true);
    model.norm = layer_norm(keys.number("norm_epsilon", 1e-5));
    model.attention.bias = biases(bias, bias);
    let kind = activation(keys, "hidden_act", "gelu_pytorch_tanh", false);
    model.feed_forward = feed_forward(kind, keys.size("intermediate_size"), bias);
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    // What the release says besides, and transformers does not read.
    keys.only("mlp_type", "default");
    keys.only("norm_type", "layer_norm");
    keys.ignore(&["layer_norm_epsilon"]);
    windows(&mut model.attention, written_window(keys, None), model.layers, |_| true);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let more = json!({
        "norm_epsilon": eps(&spec.norm),
        "use_bias": spec.feed_forward.bias,
        "sliding_window": window_of(spec),
    });
    let mut config = with(sizes(spec, "gelu_pytorch_tanh"), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &[("c_fc", "up"), ("c_proj", "down")], &PRE_NORMS);
}
