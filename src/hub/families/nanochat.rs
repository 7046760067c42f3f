//! nanochat: squared ReLU, norms without gains, one of them behind the embedding, capped logits.

use super::{Family, blocks::*};
use crate::{
    hub::{
        keys::Keys,
        layout::{Form, Layout, Part},
        rope,
    },
    model::{
        ModelConfig, ModelSpec,
        attention::{AttentionConfig, QkNormConfig},
        norm::{NormConfig, RmsNormConfig},
        position::PositionConfig,
    },
};
use serde_json::{Map, Value, json};

pub const FAMILY: Family = Family { model_type: "nanochat", architecture: "NanoChatForCausalLM", prefix: "model.", read, write, layout };

fn read(keys: &Keys) -> ModelConfig {
    let heads = keys.size("num_attention_heads");
    let context = keys.size_or("max_position_embeddings", 2048);
    let mut model = model(keys.size("num_hidden_layers"), keys.size("hidden_size"), keys.size("vocab_size"), context);
    model.norm = NormConfig::Rms(RmsNormConfig { eps: keys.number("rms_norm_eps", 1e-6), gain: false, ..RmsNormConfig::default() });
    model.embedding.norm = model.norm.clone();
    model.embedding.tied = keys.flag("tie_word_embeddings", false);
    let bias = keys.flag("attention_bias", false);
    model.attention = AttentionConfig {
        heads,
        kv_heads: Some(keys.size_or("num_key_value_heads", heads)),
        // It comes behind the rotation there, which changes nothing: a rotation keeps the mean square, and there is no gain.
        qk_norm: QkNormConfig::PerHead { norm: model.norm.clone() },
        bias: biases(bias, bias),
        ..AttentionConfig::default()
    };
    model.feed_forward = feed_forward(activation(keys, "hidden_act", "relu2", false), keys.size("intermediate_size"), false);
    model.head.soft_cap = if keys.absent("final_logit_softcapping") { Some(15.0) } else { keys.maybe_number("final_logit_softcapping") };
    model.position = PositionConfig::Rope(rope::read(keys, context, rope::Rotary::default()));
    model
}

fn write(spec: &ModelSpec) -> Map<String, Value> {
    let more = json!({
        "rms_norm_eps": eps(&spec.norm),
        "attention_bias": spec.attention.bias.query,
        "final_logit_softcapping": spec.head.soft_cap,
    });
    let mut config = with(sizes(spec, "relu2"), more);
    rope::write(&mut config, &rope_of(spec));
    config
}

fn layout(layout: &mut Layout, spec: &ModelSpec) {
    llama_ends(layout);
    let attention = &spec.attention;
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("model.layers.{layer}"), format!("layers.{layer}"));
        for (name, own, heads) in [("q_proj", "query", attention.heads), ("k_proj", "key", attention.kv_heads)] {
            let parts = turned(&format!("{ours}.attention.{own}"), heads, attention.head_dim);
            layout.mixed(&format!("{theirs}.self_attn.{name}"), Form::Rows, parts);
        }
        layout.linear(&format!("{theirs}.self_attn.v_proj"), &format!("{ours}.attention.value"));
        layout.linear(&format!("{theirs}.self_attn.o_proj"), &format!("{ours}.attention.output"));
        layout.linear(&format!("{theirs}.mlp.fc1"), &format!("{ours}.feed_forward.up"));
        layout.linear(&format!("{theirs}.mlp.fc2"), &format!("{ours}.feed_forward.down"));
    }
}

/// It rotates the other way round: the second half of each head is the first one here.
fn turned(path: &str, heads: usize, head_dim: usize) -> Vec<Part> {
    let part = |start: usize, end: usize| Part { path: path.to_string(), columns: start..end };
    (0..heads)
        .flat_map(|head| {
            let (start, middle, end) = (head * head_dim, head * head_dim + head_dim / 2, (head + 1) * head_dim);
            [part(middle, end), part(start, middle)]
        })
        .collect()
}
