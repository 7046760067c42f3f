//! Arcee: LLaMA with an ungated squared ReLU.

use super::{Family, blocks::*, llama};
use crate::{
    hub::{keys::Keys, layout::Layout},
    model::{ModelConfig, ModelSpec},
};
use serde_json::{Map, Value};

pub const FAMILY: Family = Family { model_type: "arcee", architecture: "ArceeForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let mut model = decoder(keys, Usual { context: 4096, ..Usual::default() });
    model.feed_forward = feed_forward(activation(keys, "hidden_act", "relu2", false), keys.size("intermediate_size"), false);
    llama::completed(keys, model, 1e-5)
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    llama::options(spec, "relu2")
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    llama_blocks(layout, spec, &[("up_proj", "up"), ("down_proj", "down")], &PRE_NORMS);
}
