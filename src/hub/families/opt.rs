//! OPT: GPT-3's decoder with ReLU; post-norm in the model of 350 million.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout},
    model::{
        ModelConfig, ModelSpec,
        attention::AttentionConfig,
        norm::{LayerNormConfig, NormConfig},
        position::{LearnedConfig, PositionConfig},
        residual::ResidualKind,
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "opt", architecture: "OPTForCausalLM", prefix: "model.", read, write, layout };

/// Rows of the position table before that of the first token: they stand for padding.
const PADDING: usize = 2;

fn read(keys: &Keys) -> ModelConfig {
    let width = keys.size("hidden_size");
    let context = keys.size_or("max_position_embeddings", 2048);
    let mut model = model(keys.size("num_hidden_layers"), width, keys.size("vocab_size"), context);
    let learned = keys.flag("layer_norm_elementwise_affine", true);
    model.norm = NormConfig::Layer(LayerNormConfig { gain: learned, bias: learned, ..LayerNormConfig::default() });
    let bias = keys.flag("enable_bias", true);
    model.attention = AttentionConfig { heads: keys.size("num_attention_heads"), bias: biases(bias, bias), ..AttentionConfig::default() };
    let kind = activation(keys, "activation_function", "relu", false);
    model.feed_forward = feed_forward(kind, keys.size_or("ffn_dim", 3072), bias);
    if !keys.flag("do_layer_norm_before", true) {
        model.residual.kind = ResidualKind::Post;
    }
    model.position = PositionConfig::Learned(LearnedConfig {});
    model.embedding.tied = keys.flag("tie_word_embeddings", true);
    keys.only("word_embed_proj_dim", width);
    keys.only("_remove_final_layer_norm", false);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let learned = !matches!(&spec.norm, NormConfig::Layer(norm) if !norm.gain);
    let config = json!({
        "vocab_size": spec.vocab,
        "max_position_embeddings": spec.context,
        "hidden_size": spec.width,
        "word_embed_proj_dim": spec.width,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.attention.heads,
        "ffn_dim": spec.feed_forward.hidden,
        "activation_function": activation_name(spec.feed_forward.kind, "relu"),
        "do_layer_norm_before": spec.residual.kind != ResidualKind::Post,
        "layer_norm_elementwise_affine": learned,
        "enable_bias": spec.feed_forward.bias,
        "tie_word_embeddings": spec.embedding.tied,
    });
    with(Map::new(), config)
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("model.decoder.embed_tokens.weight", "embedding.weight", 0);
    layout.table("model.decoder.embed_positions.weight", "position.weight", PADDING);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("model.decoder.layers.{layer}"), format!("layers.{layer}"));
        projections(layout, &format!("{theirs}.self_attn"), &ours, "out_proj");
        layout.linear(&format!("{theirs}.fc1"), &format!("{ours}.feed_forward.up"));
        layout.linear(&format!("{theirs}.fc2"), &format!("{ours}.feed_forward.down"));
        layout.norm(&format!("{theirs}.self_attn_layer_norm"), &format!("{ours}.residual.attention_norm"));
        layout.norm(&format!("{theirs}.final_layer_norm"), &format!("{ours}.residual.feed_forward_norm"));
    }
    layout.norm("model.decoder.final_layer_norm", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
}
