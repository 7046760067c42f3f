//! MPT: ALiBi, no biases at all.

use super::{Family, blocks::*};
use crate::{
    hub::{
        keys::Keys,
        layout::{Form, Layout},
    },
    model::{
        ModelConfig, ModelSpec,
        attention::AttentionConfig,
        feed_forward::FeedForwardKind,
        norm::{LayerNormConfig, NormConfig},
        position::{AlibiConfig, PositionConfig},
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "mpt", architecture: "MptForCausalLM", prefix: "transformer.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let width = keys.size("d_model");
    let mut model = model(keys.size("n_layers"), width, keys.size("vocab_size"), keys.size_or("max_seq_len", 2048));
    let eps = keys.number("layer_norm_epsilon", 1e-5);
    model.norm = NormConfig::Layer(LayerNormConfig { eps, bias: false, ..LayerNormConfig::default() });
    model.attention = AttentionConfig { heads: keys.size("n_heads"), ..AttentionConfig::default() };
    // transformers reads an `expansion_ratio`, and takes four times the width whatever it is.
    model.feed_forward = feed_forward(FeedForwardKind::Gelu, 4 * width, false);
    model.embedding.tied = keys.flag("tie_word_embeddings", true);
    match keys.object("attn_config") {
        None => keys.refuse("attn_config", "is missing", "transformers takes a model with learned positions then, and has none"),
        Some(attention) => {
            attention.only("alibi", true);
            // transformers reads another, and takes 8.
            attention.only("alibi_bias_max", 8);
            model.attention.scale = attention.maybe_number("softmax_scale");
            attention.only("clip_qkv", Value::Null);
            for key in ["qk_ln", "prefix_lm", "attn_uses_sequence_id"] {
                attention.only(key, false);
            }
            attention.only("attn_type", "multihead_attention");
            attention.ignore(&["attn_impl"]);
            keys.absorb(attention);
        }
    }
    model.position = PositionConfig::Alibi(AlibiConfig::default());
    keys.only("no_bias", true);
    keys.only("norm_type", "low_precision_layernorm");
    // What transformers reads and does not use.
    keys.ignore(&["learned_pos_emb", "logit_scale", "expansion_ratio", "embedding_fraction", "verbose", "init_config", "init_device"]);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let usual = 1.0 / (spec.attention.head_dim as f64).sqrt();
    let scale = Some(spec.attention.scale).filter(|scale| *scale != usual);
    let config = json!({
        "vocab_size": spec.vocab,
        "max_seq_len": spec.context,
        "d_model": spec.width,
        "n_layers": spec.layers,
        "n_heads": spec.attention.heads,
        "layer_norm_epsilon": eps(&spec.norm),
        "attn_config": { "alibi": true, "softmax_scale": scale },
        "tie_word_embeddings": spec.embedding.tied,
    });
    with(Map::new(), config)
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("transformer.wte.weight", "embedding.weight", 0);
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("transformer.blocks.{layer}"), format!("layers.{layer}"));
        let all = ["query", "key", "value"].map(|name| format!("{ours}.attention.{name}"));
        layout.stacked(&format!("{theirs}.attn.Wqkv"), Form::Rows, &all.each_ref().map(String::as_str));
        layout.linear(&format!("{theirs}.attn.out_proj"), &format!("{ours}.attention.output"));
        layout.linear(&format!("{theirs}.ffn.up_proj"), &format!("{ours}.feed_forward.up"));
        layout.linear(&format!("{theirs}.ffn.down_proj"), &format!("{ours}.feed_forward.down"));
        layout.norm(&format!("{theirs}.norm_1"), &format!("{ours}.residual.attention_norm"));
        layout.norm(&format!("{theirs}.norm_2"), &format!("{ours}.residual.feed_forward_norm"));
    }
    layout.norm("transformer.norm_f", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
}
