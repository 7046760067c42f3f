//! Falcon: 7B, parallel behind one norm with one key head; 40B, parallel behind two norms with groups of heads.

use super::{Family, blocks::*};
use crate::{
    hub::{keys::Keys, layout::Layout, rope},
    model::{ModelConfig, ModelSpec, attention::AttentionConfig, position::PositionConfig, residual::ResidualKind},
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "falcon", architecture: "FalconForCausalLM", prefix: "transformer.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let (layers, heads) = (keys.either("num_hidden_layers", "n_layer"), keys.either("num_attention_heads", "n_head"));
    let width = keys.size("hidden_size");
    let context = keys.size_or("max_position_embeddings", 2048);
    let mut model = model(layers, width, keys.size("vocab_size"), context);
    model.norm = layer_norm(keys.number("layer_norm_epsilon", 1e-5));
    let groups = keys.flag("new_decoder_architecture", false);
    let one = keys.flag("multi_query", true);
    let written = keys.maybe_size("num_kv_heads").or(keys.maybe_size("n_head_kv"));
    let kv_heads = match (groups, one) {
        (true, _) => written.unwrap_or(heads),
        (false, true) => 1,
        (false, false) => heads,
    };
    let bias = keys.flag("bias", false);
    model.attention = AttentionConfig { heads, kv_heads: Some(kv_heads), bias: biases(bias, bias), ..AttentionConfig::default() };
    let kind = activation(keys, "activation", "gelu", false);
    model.feed_forward = feed_forward(kind, keys.size_or("ffn_hidden_size", 4 * width), bias);
    let norms = keys.size_or("num_ln_in_parallel_attn", if groups { 2 } else { 1 });
    model.residual.kind = match (groups || keys.flag("parallel_attn", true), norms) {
        (true, 1) => ResidualKind::ParallelShared,
        (true, 2) if groups => ResidualKind::Parallel,
        (false, _) => ResidualKind::Pre,
        _ => {
            keys.refuse("num_ln_in_parallel_attn", "is no number of norms that falcon has", "1, or 2 with new_decoder_architecture");
            ResidualKind::Parallel
        }
    };
    keys.ignore(&["parallel_attn"]);
    // Its bias is rounded to bf16 and scaled like the scores: not the ALiBi of the paper.
    keys.only("alibi", false);
    keys.only("apply_residual_connection_post_layernorm", false);
    model.position = PositionConfig::Rope(rope::read(keys, context, rope::Rotary::default()));
    model.embedding.tied = keys.flag("tie_word_embeddings", true);
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let (heads, kv_heads) = (spec.attention.heads, spec.attention.kv_heads);
    let groups = spec.residual.kind == ResidualKind::Parallel || (kv_heads != 1 && kv_heads != heads);
    let norms = if spec.residual.kind == ResidualKind::Parallel { 2 } else { 1 };
    let more = json!({
        "vocab_size": spec.vocab,
        "max_position_embeddings": spec.context,
        "hidden_size": spec.width,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": heads,
        "num_kv_heads": kv_heads,
        "ffn_hidden_size": spec.feed_forward.hidden,
        "activation": activation_name(spec.feed_forward.kind, "gelu"),
        "layer_norm_epsilon": eps(&spec.norm),
        "new_decoder_architecture": groups,
        "multi_query": kv_heads == 1,
        "num_ln_in_parallel_attn": norms,
        "parallel_attn": spec.residual.kind != ResidualKind::Pre,
        "bias": spec.feed_forward.bias,
        "alibi": false,
        "tie_word_embeddings": spec.embedding.tied,
    });
    let mut config = with(Map::new(), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    layout.table("transformer.word_embeddings.weight", "embedding.weight", 0);
    let norms = match spec.residual.kind {
        ResidualKind::Parallel => [("ln_attn", "attention_norm"), ("ln_mlp", "feed_forward_norm")],
        _ => PRE_NORMS,
    };
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("transformer.h.{layer}"), format!("layers.{layer}"));
        neox_block(layout, spec, &theirs, &ours, "self_attention", &norms);
    }
    layout.norm("transformer.ln_f", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
}
