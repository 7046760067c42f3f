//! Command-R: parallel branches behind one LayerNorm without bias, neighbours rotate together, scaled logits.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{
        ModelConfig, ModelSpec,
        norm::{LayerNormConfig, NormConfig},
        position::{Pairing, PositionConfig},
        residual::ResidualKind,
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "cohere", architecture: "CohereForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = llama(keys, Usual { context: 8192, tied: true, ..Usual::default() });
    model.norm = NormConfig::Layer(LayerNormConfig { eps: keys.number("layer_norm_eps", 1e-5), bias: false, ..LayerNormConfig::default() });
    model.residual.kind = ResidualKind::ParallelShared;
    let bias = keys.flag("attention_bias", false);
    model.attention.bias = biases(bias, bias);
    keys.only("use_qk_norm", false);
    model.head.scale = Some(keys.number("logit_scale", 0.0625)).filter(|scale| *scale != 1.0);
    let rotary = rope::Rotary { theta: 500_000.0, pairing: Pairing::Interleaved, ..rope::Rotary::default() };
    model.position = PositionConfig::Rope(rope::read(keys, model.context, rotary));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let more = json!({
        "layer_norm_eps": eps(&spec.norm),
        "attention_bias": spec.attention.bias.query,
        "logit_scale": spec.head.scale.unwrap_or(1.0),
    });
    let mut config = with(sizes(spec, "silu"), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &GATED, &PRE_NORMS);
}
