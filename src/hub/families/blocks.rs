//! What several families share: activations by their names, projections, patterns of layers.

use super::super::{
    keys::Keys,
    layout::{Form, Layout, grouped},
};
use crate::model::{
    ModelConfig, ModelSpec,
    attention::{AttentionBias, AttentionConfig, AttentionSpec, BiasConfig, Span},
    feed_forward::{FeedForwardConfig, FeedForwardKind, Hidden},
    norm::{LayerNormConfig, NormConfig, RmsNormConfig},
    position::{PositionConfig, RopeConfig, Use},
};
use serde_json::{Map, Value, json};

/// Names of activations in `transformers`, each with the ungated and the gated kind, as far as there are both.
const ACTIVATIONS: [(&str, Option<FeedForwardKind>, Option<FeedForwardKind>); 11] = [
    ("relu", Some(FeedForwardKind::Relu), Some(FeedForwardKind::Reglu)),
    ("gelu", Some(FeedForwardKind::Gelu), Some(FeedForwardKind::Geglu)),
    ("gelu_new", Some(FeedForwardKind::GeluTanh), Some(FeedForwardKind::GegluTanh)),
    ("gelu_pytorch_tanh", Some(FeedForwardKind::GeluTanh), Some(FeedForwardKind::GegluTanh)),
    ("gelu_fast", Some(FeedForwardKind::GeluTanh), Some(FeedForwardKind::GegluTanh)),
    ("silu", Some(FeedForwardKind::Silu), Some(FeedForwardKind::Swiglu)),
    ("swish", Some(FeedForwardKind::Silu), Some(FeedForwardKind::Swiglu)),
    ("relu2", Some(FeedForwardKind::Relu2), None),
    ("relu_squared", Some(FeedForwardKind::Relu2), None),
    ("sigmoid", None, Some(FeedForwardKind::Glu)),
    ("linear", None, Some(FeedForwardKind::Bilinear)),
];

/// The kind that an activation makes of the feed-forward branch.
pub fn activation(keys: &Keys, key: &str, otherwise: &str, gated: bool) -> FeedForwardKind {
    let name = keys.word(key, otherwise);
    let known = || ACTIVATIONS.iter().filter(|row| if gated { row.2.is_some() } else { row.1.is_some() });
    let found = known().find(|row| row.0 == name).and_then(|row| if gated { row.2 } else { row.1 });
    found.unwrap_or_else(|| {
        let names: Vec<&str> = known().map(|row| row.0).collect();
        keys.refuse(key, format!("the activation {name:?} is not known"), format!("known are {}", names.join(", ")));
        FeedForwardKind::Swiglu
    })
}

/// The name of a kind's activation: of several the one that the family usually has, whose code rounds as its weights expect.
pub fn activation_name(kind: FeedForwardKind, usual: &'static str) -> &'static str {
    let fits = || ACTIVATIONS.iter().filter(|row| row.1 == Some(kind) || row.2 == Some(kind)).map(|row| row.0);
    fits().find(|name| *name == usual).or_else(|| fits().next()).unwrap_or(usual)
}

/// A model of so many layers, width, vocabulary, context.
pub fn model(layers: usize, width: usize, vocab: usize, context: usize) -> ModelConfig {
    ModelConfig { layers, width, vocab: Some(vocab), context, ..ModelConfig::default() }
}

/// RMSNorm with LLaMA's gain.
pub fn rms(eps: f64) -> NormConfig {
    NormConfig::Rms(RmsNormConfig { eps, ..RmsNormConfig::default() })
}

/// LayerNorm with gain and bias.
pub fn layer_norm(eps: f64) -> NormConfig {
    NormConfig::Layer(LayerNormConfig { eps, ..LayerNormConfig::default() })
}

/// The number that a norm adds.
pub fn eps(norm: &NormConfig) -> f64 {
    norm.eps().unwrap_or(1e-5)
}

/// Biases on queries, keys and values, and on the output.
pub fn biases(qkv: bool, output: bool) -> BiasConfig {
    BiasConfig::Each(AttentionBias { query: qkv, key: qkv, value: qkv, output })
}

/// A feed-forward branch with a hidden size as written.
pub fn feed_forward(kind: FeedForwardKind, hidden: usize, bias: bool) -> FeedForwardConfig {
    FeedForwardConfig { kind, hidden: Hidden::Size(hidden), bias }
}

/// Windows as `sliding_window` says, for the layers that `windowed` names. One as long as the context stays: there are longer
/// texts.
pub fn windows(attention: &mut AttentionConfig, window: Option<usize>, layers: usize, windowed: impl Fn(usize) -> bool) {
    let spans: Vec<Span> = (0..layers).map(|layer| if windowed(layer) { Span::Window } else { Span::Full }).collect();
    if window.is_some() && spans.contains(&Span::Window) {
        attention.window = window;
        attention.pattern = spans;
    }
}

/// The window of families that have one with `use_sliding_window` alone, and what they take where none is written.
pub fn optional_window(keys: &Keys, usual: Option<usize>) -> Option<usize> {
    if !keys.flag("use_sliding_window", false) {
        keys.ignore(&["sliding_window"]);
        return None;
    }
    written_window(keys, usual)
}

/// The window as it is written, where null says that there is none, or what the family takes where nothing is.
pub fn written_window(keys: &Keys, usual: Option<usize>) -> Option<usize> {
    if keys.absent("sliding_window") { usual } else { keys.maybe_size("sliding_window") }
}

/// Which layers have a window by `layer_types`, if it is there.
pub fn layer_types(keys: &Keys, layers: usize) -> Option<Vec<bool>> {
    let words = keys.words("layer_types")?;
    let known = |word: &String| matches!(word.as_str(), "full_attention" | "sliding_attention");
    if words.len() != layers || !words.iter().all(known) {
        keys.refuse("layer_types", "is not one of full_attention and sliding_attention for each layer", "no other can be imported");
        return None;
    }
    Some(words.iter().map(|word| word == "sliding_attention").collect())
}

/// `layer_types` of a model.
pub fn layer_types_of(spec: &ModelSpec) -> Value {
    let word = |layer| if spec.attention.window_at(layer).is_some() { "sliding_attention" } else { "full_attention" };
    (0..spec.layers).map(word).collect::<Vec<_>>().into()
}

/// The window of a model; null if it has none.
pub fn window_of(spec: &ModelSpec) -> Value {
    spec.attention.window.map_or(Value::Null, Value::from)
}

/// The rotary positions of a model; those of others are not what comes out when it is read back.
pub fn rope_of(spec: &ModelSpec) -> RopeConfig {
    match &spec.position {
        PositionConfig::Rope(rope) => rope.clone(),
        _ => RopeConfig { fraction: 1.0, pattern: vec![Use::On], ..RopeConfig::default() },
    }
}

/// The options that most families name alike, with the activation that this family usually has.
pub fn sizes(spec: &ModelSpec, usual: &'static str) -> Map<String, Value> {
    let Value::Object(map) = json!({
        "vocab_size": spec.vocab,
        "hidden_size": spec.width,
        "intermediate_size": spec.feed_forward.hidden,
        "num_hidden_layers": spec.layers,
        "num_attention_heads": spec.attention.heads,
        "num_key_value_heads": spec.attention.kv_heads,
        "hidden_act": activation_name(spec.feed_forward.kind, usual),
        "max_position_embeddings": spec.context,
        "tie_word_embeddings": spec.embedding.tied,
    }) else {
        unreachable!("an object was written")
    };
    map
}

/// Adds options to others.
pub fn with(mut map: Map<String, Value>, more: Value) -> Map<String, Value> {
    if let Value::Object(more) = more {
        map.extend(more);
    }
    map
}

/// Separate queries, keys and values, and an output by the given name.
pub fn projections(layout: &mut Layout, theirs: &str, ours: &str, output: &str) {
    for (name, own) in [("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), (output, "output")] {
        layout.linear(&format!("{theirs}.{name}"), &format!("{ours}.attention.{own}"));
    }
}

/// A block as GPT-NeoX names it: queries, keys and values in one matrix, group by group, and an attention by the given name.
pub fn neox_block(layout: &mut Layout, spec: &ModelSpec, theirs: &str, ours: &str, attention: &str, norms: &[(&str, &str)]) {
    let AttentionSpec { heads, kv_heads, head_dim, .. } = spec.attention;
    let parts = grouped(&format!("{ours}.attention"), heads, kv_heads, head_dim);
    layout.mixed(&format!("{theirs}.{attention}.query_key_value"), Form::Rows, parts);
    layout.linear(&format!("{theirs}.{attention}.dense"), &format!("{ours}.attention.output"));
    layout.linear(&format!("{theirs}.mlp.dense_h_to_4h"), &format!("{ours}.feed_forward.up"));
    layout.linear(&format!("{theirs}.mlp.dense_4h_to_h"), &format!("{ours}.feed_forward.down"));
    for (name, own) in norms {
        layout.norm(&format!("{theirs}.{name}"), &format!("{ours}.residual.{own}"));
    }
}

/// The projections of the feed-forward branch as LLaMA names them.
pub const GATED: [(&str, &str); 3] = [("gate_proj", "gate"), ("up_proj", "up"), ("down_proj", "down")];

/// Blocks as LLaMA names them in `transformers`: separate projections; norms and feed-forward by names of theirs and ours.
pub fn llama_blocks(layout: &mut Layout, spec: &ModelSpec, feed_forward: &[(&str, &str)], norms: &[(&str, &str)]) {
    for layer in 0..spec.layers {
        let (theirs, ours) = (format!("model.layers.{layer}"), format!("layers.{layer}"));
        projections(layout, &format!("{theirs}.self_attn"), &ours, "o_proj");
        for (name, own) in [("q_norm", "query_norm"), ("k_norm", "key_norm")] {
            layout.norm(&format!("{theirs}.self_attn.{name}"), &format!("{ours}.attention.{own}"));
        }
        for (name, own) in feed_forward {
            layout.linear(&format!("{theirs}.mlp.{name}"), &format!("{ours}.feed_forward.{own}"));
        }
        for (name, own) in norms {
            layout.norm(&format!("{theirs}.{name}"), &format!("{ours}.residual.{own}"));
        }
    }
}

/// Embedding, final norm and head as LLaMA names them.
pub fn llama_ends(layout: &mut Layout) {
    layout.table("model.embed_tokens.weight", "embedding.weight", 0);
    layout.norm("model.norm", "final_norm");
    layout.rows("lm_head.weight", "head.weight");
    layout.rows("lm_head.bias", "head.bias");
}

/// The norms before attention and feed-forward as LLaMA names them.
pub const PRE_NORMS: [(&str, &str); 2] = [("input_layernorm", "attention_norm"), ("post_attention_layernorm", "feed_forward_norm")];

/// What a family takes where nothing is written.
#[derive(Clone, Copy)]
pub struct Usual {
    /// Tokens of context.
    pub context: usize,
    /// Heads of keys; as many as of queries where there is no number.
    pub kv_heads: Option<usize>,
    /// Whether the head is the embedding.
    pub tied: bool,
}

impl Default for Usual {
    fn default() -> Self {
        Self { context: 2048, kv_heads: None, tied: false }
    }
}

/// A decoder with sizes as most families name them, and a gated feed-forward branch without biases.
pub fn llama(keys: &Keys, usual: Usual) -> ModelConfig {
    let mut model = decoder(keys, usual);
    model.feed_forward = feed_forward(activation(keys, "hidden_act", "silu", true), keys.size("intermediate_size"), false);
    model
}

/// The same without its feed-forward branch.
pub fn decoder(keys: &Keys, usual: Usual) -> ModelConfig {
    let layers = keys.size("num_hidden_layers");
    let width = keys.size("hidden_size");
    let context = keys.size_or("max_position_embeddings", usual.context);
    let heads = keys.size("num_attention_heads");
    let key = "num_key_value_heads";
    let kv_heads = if keys.absent(key) { usual.kv_heads } else { keys.maybe_size(key) };
    let mut model = model(layers, width, keys.size("vocab_size"), context);
    model.attention = AttentionConfig {
        heads,
        kv_heads: Some(kv_heads.unwrap_or(heads)),
        head_dim: keys.maybe_size("head_dim"),
        ..AttentionConfig::default()
    };
    model.embedding.tied = keys.flag("tie_word_embeddings", usual.tied);
    model
}
