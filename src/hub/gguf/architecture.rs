//! What llama.cpp calls the families, their options and their tensors.

use super::{
    super::{
        export::widened,
        layout::{Form, Layout},
        pairing::repaired,
    },
    Quantisation,
    file::{Tensor, Value},
};
use crate::model::{
    ModelSpec, Weights,
    attention::{AttentionBias, QkNormConfig},
    feed_forward::FeedForwardKind,
    norm::NormConfig,
    position::{Pairing, PositionConfig, RopeScaling, Use},
    residual::ResidualKind,
};

/// An architecture of llama.cpp.
pub struct Architecture {
    /// The family that it is of, by `model_type`.
    pub family: &'static str,
    /// `general.architecture`.
    pub name: &'static str,
    /// Queries, keys and values are one tensor.
    fused: bool,
    /// Gate and up are one tensor, named up.
    gated: bool,
    /// Neighbours rotate together.
    neighbours: bool,
    /// It has windows.
    windows: bool,
    /// The head is a tensor of its own even where it is the embedding.
    untied: bool,
    /// Attention has biases, be they zero.
    biased: bool,
    /// Queries and keys may be normalised.
    qk_norm: bool,
    /// Activation that it takes for granted.
    activation: FeedForwardKind,
}

/// A model with the names that llama.cpp has for its tensors.
pub struct Names {
    pub layout: Layout,
    pub spec: ModelSpec,
    pub weights: Weights,
}

impl Architecture {
    /// The architecture of a family, if there is one.
    pub fn of(model_type: &'static str) -> Option<Self> {
        let gelu = FeedForwardKind::GeluTanh;
        let plain = Self {
            family: model_type,
            name: model_type,
            fused: false,
            gated: false,
            neighbours: false,
            windows: false,
            untied: false,
            biased: false,
            qk_norm: false,
            activation: FeedForwardKind::Swiglu,
        };
        Some(match model_type {
            // llama.cpp has one for both, without windows.
            "llama" | "mistral" => Self { name: "llama", neighbours: true, ..plain },
            "qwen2" => plain,
            "qwen3" => Self { qk_norm: true, ..plain },
            "smollm3" => Self { neighbours: true, ..plain },
            "gemma" => Self { activation: FeedForwardKind::GegluTanh, ..plain },
            "gemma2" => Self { windows: true, activation: FeedForwardKind::GegluTanh, ..plain },
            "olmo" => Self { neighbours: true, ..plain },
            "olmo2" => Self { qk_norm: true, untied: true, ..plain },
            // Its windows are switched off there.
            "phi3" => Self { fused: true, gated: true, ..plain },
            "starcoder2" => Self { activation: gelu, ..plain },
            "arcee" => Self { neighbours: true, activation: FeedForwardKind::Relu2, ..plain },
            "stablelm" => Self { untied: true, ..plain },
            "cohere" => Self { name: "command-r", neighbours: true, ..plain },
            "gpt2" => Self { fused: true, activation: gelu, ..plain },
            "gpt_neox" => Self { name: "gptneox", fused: true, untied: true, biased: true, activation: gelu, ..plain },
            "phi" => Self { name: "phi2", untied: true, activation: gelu, ..plain },
            "bloom" | "mpt" | "falcon" => Self { fused: true, activation: gelu, ..plain },
            _ => return None,
        })
    }

    /// An option of the model that the architecture has not.
    pub fn lacks(&self, spec: &ModelSpec) -> Option<String> {
        if window(spec).is_some() && !self.windows {
            return Some("windows".into());
        }
        if self.name == "gemma2" && (0..spec.layers).any(|layer| spec.attention.window_at(layer).is_some() != layer.is_multiple_of(2)) {
            return Some("windows but on every other layer".into());
        }
        if spec.attention.qk_norm != QkNormConfig::default() && !self.qk_norm {
            return Some("norms of queries and keys".into());
        }
        // Gemma 2's 27B alone has another scale, and is known by its layers.
        let scaled = if self.name == "gemma2" && spec.layers == 46 { spec.width / spec.attention.heads } else { spec.attention.head_dim };
        if (spec.attention.scale * (scaled as f64).sqrt() - 1.0).abs() > 1e-6 {
            return Some(format!("scale of the scores but 1/√{scaled}"));
        }
        // It does not tell GELU from its approximation by tanh.
        let same = |kind: FeedForwardKind| match kind {
            FeedForwardKind::Gelu => FeedForwardKind::GeluTanh,
            FeedForwardKind::Geglu => FeedForwardKind::GegluTanh,
            other => other,
        };
        if same(spec.feed_forward.kind) != self.activation {
            return Some(format!("{:?}", spec.feed_forward.kind));
        }
        if let PositionConfig::Rope(rope) = &spec.position {
            // It has keys for them, and reads these for other architectures alone.
            if let RopeScaling::Yarn { beta_fast, beta_slow, attention_factor, truncate, .. } = rope.scaling
                && (beta_fast, beta_slow, attention_factor, truncate) != (32.0, 1.0, None, true)
            {
                return Some("YaRN but with beta_fast = 32, beta_slow = 1 and what follows from its factor".into());
            }
            let fourth = |layer: usize| (rope.pattern[layer % rope.pattern.len()] == Use::Off) == (layer + 1).is_multiple_of(4);
            if self.name == "smollm3" && !(0..spec.layers).all(fourth) {
                return Some("layers without rotation but every fourth".into());
            }
        }
        None
    }

    /// The model with its tensors under the names of llama.cpp.
    pub fn named(&self, spec: ModelSpec, weights: Weights) -> Names {
        let pairing = if self.neighbours { Pairing::Interleaved } else { Pairing::Half };
        let (mut spec, mut weights) = repaired(&spec, weights, pairing);
        if self.biased {
            spec.attention.bias = AttentionBias { query: true, key: true, value: true, output: true };
            weights = widened(&spec, weights);
        }
        // Gains count from 0 there.
        if let NormConfig::Rms(norm) = &spec.norm
            && norm.unit_offset
        {
            let gains = weights.iter_mut().filter(|(path, _)| path.ends_with(".gain"));
            gains.for_each(|(_, values)| values.iter_mut().for_each(|value| *value += 1.0));
        }
        let mut layout = Layout::new(&spec);
        layout.table("token_embd.weight", "embedding.weight", 0);
        layout.table("position_embd.weight", "position.weight", 0);
        layout.norm("token_embd_norm", "embedding.norm");
        for layer in 0..spec.layers {
            self.block(&mut layout, &spec, layer);
        }
        layout.norm("output_norm", "final_norm");
        layout.rows("output.weight", "head.weight");
        if self.untied && spec.embedding.tied {
            layout.table("output.weight", "embedding.weight", 0);
        }
        layout.rows("output.bias", "head.bias");
        Names { layout, spec, weights }
    }

    fn block(&self, layout: &mut Layout, spec: &ModelSpec, layer: usize) {
        let (theirs, ours) = (format!("blk.{layer}"), format!("layers.{layer}"));
        let all = ["query", "key", "value"].map(|name| format!("{ours}.attention.{name}"));
        if self.fused {
            layout.stacked(&format!("{theirs}.attn_qkv"), Form::Rows, &all.each_ref().map(String::as_str));
        } else {
            ["q", "k", "v"].iter().zip(&all).for_each(|(name, own)| layout.linear(&format!("{theirs}.attn_{name}"), own));
        }
        layout.linear(&format!("{theirs}.attn_output"), &format!("{ours}.attention.output"));
        layout.norm(&format!("{theirs}.attn_q_norm"), &format!("{ours}.attention.query_norm"));
        layout.norm(&format!("{theirs}.attn_k_norm"), &format!("{ours}.attention.key_norm"));
        if self.gated {
            let both = ["gate", "up"].map(|name| format!("{ours}.feed_forward.{name}"));
            layout.stacked(&format!("{theirs}.ffn_up"), Form::Rows, &both.each_ref().map(String::as_str));
        } else {
            layout.linear(&format!("{theirs}.ffn_gate"), &format!("{ours}.feed_forward.gate"));
            layout.linear(&format!("{theirs}.ffn_up"), &format!("{ours}.feed_forward.up"));
        }
        layout.linear(&format!("{theirs}.ffn_down"), &format!("{ours}.feed_forward.down"));
        let norms: &[(&str, &str)] = match spec.residual.kind {
            ResidualKind::Sandwich => &[
                ("attn_norm", "attention_norm"),
                ("post_attention_norm", "attention_output_norm"),
                ("ffn_norm", "feed_forward_norm"),
                ("post_ffw_norm", "feed_forward_output_norm"),
            ],
            ResidualKind::Output => &[("post_attention_norm", "attention_norm"), ("post_ffw_norm", "feed_forward_norm")],
            // Falcon's norm of the attention came second, and is called so.
            ResidualKind::Parallel if self.name == "falcon" => &[("attn_norm_2", "attention_norm"), ("attn_norm", "feed_forward_norm")],
            _ => &[("attn_norm", "attention_norm"), ("ffn_norm", "feed_forward_norm")],
        };
        for (name, own) in norms {
            layout.norm(&format!("{theirs}.{name}"), &format!("{ours}.residual.{own}"));
        }
    }

    /// The options.
    pub fn values(&self, spec: &ModelSpec) -> Vec<(String, Value)> {
        let size = |number: usize| Value::U32(number as u32);
        let float = |number: f64| Value::F32(number as f32);
        let attention = &spec.attention;
        let rms = matches!(spec.norm, NormConfig::Rms(_));
        let name = if rms { "attention.layer_norm_rms_epsilon" } else { "attention.layer_norm_epsilon" };
        let eps = spec.norm.eps().expect("every family has a norm with one");
        let mut own: Vec<(&str, Value)> = vec![
            ("vocab_size", size(spec.vocab)),
            ("context_length", size(spec.context)),
            ("embedding_length", size(spec.width)),
            ("block_count", size(spec.layers)),
            ("feed_forward_length", size(spec.feed_forward.hidden)),
            ("attention.head_count", size(attention.heads)),
            ("attention.head_count_kv", size(attention.kv_heads)),
            ("attention.key_length", size(attention.head_dim)),
            ("attention.value_length", size(attention.head_dim)),
            (name, float(eps)),
        ];
        own.extend(attention.window.filter(|_| self.windows).map(|window| ("attention.sliding_window", size(window))));
        own.extend(attention.soft_cap.map(|cap| ("attn_logit_softcapping", float(cap))));
        own.extend(spec.head.soft_cap.map(|cap| ("final_logit_softcapping", float(cap))));
        own.extend(spec.head.scale.map(|scale| ("logit_scale", float(scale))));
        if matches!(self.name, "gptneox" | "stablelm") {
            own.push(("use_parallel_residual", Value::Bool(spec.residual.kind != ResidualKind::Pre)));
        }
        match &spec.position {
            PositionConfig::Rope(rope) => {
                own.push(("rope.dimension_count", size(rope.rotated(attention.head_dim))));
                own.push(("rope.freq_base", float(rope.theta)));
                match rope.scaling {
                    RopeScaling::Linear { factor } => {
                        own.push(("rope.scaling.type", Value::Text("linear".into())));
                        own.push(("rope.scaling.factor", float(factor)));
                    }
                    RopeScaling::Yarn { factor, original_context, .. } => {
                        own.push(("rope.scaling.type", Value::Text("yarn".into())));
                        own.push(("rope.scaling.factor", float(factor)));
                        own.push(("rope.scaling.original_context_length", size(original_context)));
                    }
                    RopeScaling::None {} | RopeScaling::Ntk { .. } | RopeScaling::Llama3 { .. } => {}
                }
            }
            PositionConfig::Alibi(alibi) => own.push(("attention.max_alibi_bias", float(alibi.max_exponent))),
            _ => {}
        }
        let general = [
            ("general.architecture".to_string(), Value::Text(self.name.into())),
            ("general.type".to_string(), Value::Text("model".into())),
            ("general.alignment".to_string(), Value::U32(32)),
            ("general.quantization_version".to_string(), Value::U32(2)),
        ];
        general.into_iter().chain(own.into_iter().map(|(key, value)| (format!("{}.{key}", self.name), value))).collect()
    }

    /// Llama 3's scaling, as what each frequency is divided by.
    pub fn frequencies(&self, spec: &ModelSpec) -> Option<Tensor<'static>> {
        let PositionConfig::Rope(rope) = &spec.position else { return None };
        let RopeScaling::Llama3 { .. } = rope.scaling else { return None };
        let rotated = rope.rotated(spec.attention.head_dim);
        let (plain, scaled) = (RopeScaling::None {}.frequencies(rope.theta, rotated), rope.scaling.frequencies(rope.theta, rotated));
        let divisors: Vec<f32> = plain.iter().zip(&scaled).map(|(plain, scaled)| (plain / scaled) as f32).collect();
        Some(Tensor::new("rope_freqs.weight".into(), vec![divisors.len()], Quantisation::F32, move || divisors.clone()))
    }
}

/// The window, unless it is as long as the context that the file declares, and hides nothing there.
fn window(spec: &ModelSpec) -> Option<usize> {
    spec.attention.window.filter(|window| *window < spec.context)
}
