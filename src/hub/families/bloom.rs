//! BLOOM: ALiBi, a norm behind the embedding.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout},
    model::{
        ModelConfig, ModelSpec,
        attention::AttentionConfig,
        feed_forward::FeedForwardKind,
        position::{AlibiConfig, PositionConfig},
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "bloom", architecture: "BloomForCausalLM", prefix: "transformer.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let width = keys.either("hidden_size", "n_embed");
    let (layers, heads) = (keys.either("n_layer", "num_hidden_layers"), keys.either("n_head", "num_attention_heads"));
    // There is no limit but the length of training, which only some files tell.
    let mut model = model(layers, width, keys.size("vocab_size"), keys.size_or("seq_length", 2048));
    model.norm = layer_norm(keys.number("layer_norm_epsilon", 1e-5));
    model.attention = AttentionConfig { heads, bias: biases(true, true), ..AttentionConfig::default() };
    model.feed_forward = feed_forward(FeedForwardKind::GeluTanh, 4 * width, true);
    model.position = PositionConfig::Alibi(AlibiConfig::default());
    model.embedding.norm = model.norm.clone();
    model.embedding.tied = keys.flag("tie_word_embeddings", true);
    keys.only("apply_residual_connection_post_layernorm", false);
    // How products are cut and biases are joined changes no number but by rounding.
    keys.ignore(&["slow_but_exact", "bias_dropout_fusion", "skip_bias_add", "skip_bias_add_qkv", "attention_softmax_in_fp32"]);
    keys.ignore(&["masked_softmax_fusion", "offset_alibi", "unk_token_id"]);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let config = json!({
        "vocab_size": spec.vocab,
        "seq_length": spec.context,
        "hidden_size": spec.width,
        "n_layer": spec.layers,
        "n_head": spec.attention.heads,
        "layer_norm_epsilon": eps(&spec.norm),
        "tie_word_embeddings": spec.embedding.tied,
    });
    with(Map::new(), config)
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("transformer.word_embeddings.weight", "embedding.weight", 0);
    layout.norm("transformer.word_embeddings_layernorm", "embedding.norm");
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("transformer.h.{layer}"), format!("layers.{layer}"));
        neox_block(layout, spec, &theirs, &ours, "self_attention", &PRE_NORMS);
    }
    layout.norm("transformer.ln_f", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
}
