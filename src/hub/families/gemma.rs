//! Gemma 1: norms with 1 + w, a scaled and tied embedding, a tanh GELU gate.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{
        ModelConfig, ModelSpec,
        feed_forward::FeedForwardKind,
        norm::{NormConfig, RmsNormConfig},
        position::PositionConfig,
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "gemma", architecture: "GemmaForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = base(keys, 16);
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    model
}

/// What Gemma 1 and 2 have in common, but for the heads of keys that they take where nothing is written.
pub fn base(keys: &Keys, kv_heads: usize) -> ModelConfig {
    let mut model = decoder(keys, Usual { context: 8192, kv_heads: Some(kv_heads), tied: true });
    // Releases from before there was `hidden_activation` say "gelu" and mean its approximation by tanh, as transformers reads them.
    let key = if keys.has("hidden_activation") { "hidden_activation" } else { "hidden_act" };
    keys.ignore(&["hidden_act", "hidden_activation"]);
    let approximate = key == "hidden_act" && keys.word(key, "gelu") == "gelu";
    let kind = if approximate { FeedForwardKind::GegluTanh } else { activation(keys, key, "gelu_pytorch_tanh", true) };
    model.feed_forward = feed_forward(kind, keys.size("intermediate_size"), false);
    model.norm = NormConfig::Rms(RmsNormConfig { eps: keys.number("rms_norm_eps", 1e-6), unit_offset: true, ..RmsNormConfig::default() });
    model.attention.head_dim = model.attention.head_dim.or(Some(256));
    model.embedding.scale = true;
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rope::Rotary::default()));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    with(base_of(spec), json!({ "attention_bias": spec.attention.bias.query }))
}

/// The options that [`base`] reads.
pub fn base_of(spec: &ModelSpec) -> Map<String, Value> {
    let name = activation_name(spec.feed_forward.kind, "gelu_pytorch_tanh");
    let more = json!({
        "head_dim": spec.attention.head_dim,
        "rms_norm_eps": eps(&spec.norm),
        "hidden_act": name,
        "hidden_activation": name,
    });
    let mut config = with(sizes(spec, "gelu_pytorch_tanh"), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
