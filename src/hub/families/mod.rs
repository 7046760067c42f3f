//! The families: one file each.

mod blocks;

mod arcee;
mod bloom;
mod cohere;
mod falcon;
mod gemma;
mod gemma2;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod gptj;
mod llama;
mod mistral;
mod mpt;
mod nanochat;
mod olmo;
mod olmo2;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod smollm3;
mod stablelm;
mod starcoder2;

use super::{keys::Keys, layout::Layout};
use crate::model::{ModelConfig, ModelSpec};
use serde_json::{Map, Value};

/// An architecture of `transformers`.
#[derive(Debug)]
pub struct Family {
    /// `model_type` of its `config.json`.
    pub model_type: &'static str,
    /// The class that holds a model with a head.
    pub architecture: &'static str,
    /// What the names of all tensors but the head's begin with; files of a model without a head lack it.
    pub prefix: &'static str,
    /// Its options as a model.
    pub(super) read: fn(&Keys) -> ModelConfig,
    /// A model as its options, as far as there are some.
    pub(super) write: fn(&ModelSpec) -> Map<String, Value>,
    /// Its tensors.
    pub(super) layout: fn(&mut Layout, &ModelSpec),
}

/// All families, those with the fewest options first: a model goes out as the first that covers it.
pub const fn families() -> &'static [&'static Family] {
    &[
        &llama::FAMILY,
        &mistral::FAMILY,
        &qwen2::FAMILY,
        &qwen3::FAMILY,
        &smollm3::FAMILY,
        &gemma::FAMILY,
        &gemma2::FAMILY,
        &olmo::FAMILY,
        &olmo2::FAMILY,
        &phi3::FAMILY,
        &starcoder2::FAMILY,
        &arcee::FAMILY,
        &nanochat::FAMILY,
        &stablelm::FAMILY,
        &cohere::FAMILY,
        &gpt2::FAMILY,
        &gpt_neo::FAMILY,
        &gpt_neox::FAMILY,
        &gptj::FAMILY,
        &phi::FAMILY,
        &opt::FAMILY,
        &bloom::FAMILY,
        &mpt::FAMILY,
        &falcon::FAMILY,
    ]
}

/// The family with this `model_type`.
pub fn family(model_type: &str) -> Option<&'static Family> {
    families().iter().find(|family| family.model_type == model_type).copied()
}

impl Family {
    /// The tensors of a model.
    pub fn tensors(&self, spec: &ModelSpec) -> Layout {
        let mut layout = Layout::new(spec);
        (self.layout)(&mut layout, spec);
        layout
    }
}
