//! Which operators a model is computed with, and with which options: what its rows of the capability matrix are about.

use super::{
    ModelSpec,
    attention::QkNormConfig,
    norm::NormConfig,
    position::{PositionConfig, Use},
};
use crate::ops::{Activation, Op};

impl ModelSpec {
    /// The operators of a training step's forward and backward pass, each with its options in words, without repetition, in
    /// the order in which they first run.
    ///
    /// Additions, dropout and fixed scales belong to no operator: every arm composes them.
    pub fn operators(&self) -> Vec<(Op, String)> {
        let mut found = vec![(Op::Embedding, String::new())];
        found.extend(normalisation(&self.norm));
        for layer in 0..self.layers {
            found.extend(self.attention_of(layer));
        }
        found.push((Op::Linear, String::new()));
        let activation = format!("{:?}", self.feed_forward.kind.activation());
        found.push((if self.feed_forward.kind.is_gated() { Op::GatedLinear } else { Op::Activation }, activation));
        if !self.readout.is_each() {
            found.push((Op::Activation, format!("{:?}", Activation::Gelu)));
        }
        let head = &self.head;
        let options = [
            head.soft_cap.map(|cap| format!("soft cap {cap}")),
            (head.z_loss > 0.0).then(|| "z-loss".into()),
            (head.label_smoothing > 0.0).then(|| "label smoothing".into()),
        ];
        found.push((Op::LinearCrossEntropy, options.into_iter().flatten().collect::<Vec<String>>().join(", ")));
        let mut once: Vec<(Op, String)> = vec![];
        found.into_iter().for_each(|operator| {
            if !once.contains(&operator) {
                once.push(operator);
            }
        });
        once
    }

    fn attention_of(&self, layer: usize) -> Vec<(Op, String)> {
        let attention = &self.attention;
        let (bias, rotated) = match &self.position {
            PositionConfig::Alibi(alibi) => (Use::at(&alibi.pattern, layer).then(|| "ALiBi".to_string()), false),
            PositionConfig::T5(t5) => (Use::at(&t5.pattern, layer).then(|| "T5 bias".to_string()), false),
            PositionConfig::Rope(rope) => (None, Use::at(&rope.pattern, layer)),
            PositionConfig::Learned(_) | PositionConfig::Sinusoidal(_) | PositionConfig::None(_) => (None, false),
        };
        let grouped = (attention.kv_heads < attention.heads).then(|| format!("{} of {} heads", attention.kv_heads, attention.heads));
        let options = [
            Some(format!("head size {}", attention.head_dim)),
            grouped,
            bias,
            attention.soft_cap.map(|cap| format!("soft cap {cap}")),
            attention.window_at(layer).map(|window| format!("window {window}")),
        ];
        let options = options.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let rotation = rotated.then(|| (Op::Rotary, String::new()));
        // Norms between projections and attention take the branch apart.
        match &attention.qk_norm {
            QkNormConfig::None {} => vec![(Op::SelfAttention, if rotated { format!("{options}, rotary") } else { options })],
            QkNormConfig::PerHead { norm } | QkNormConfig::FullWidth { norm } => {
                let parts = [(Op::Linear, String::new())].into_iter().chain(normalisation(norm)).chain(rotation);
                parts.chain([(Op::Attention, options)]).collect()
            }
        }
    }
}

fn normalisation(norm: &NormConfig) -> Option<(Op, String)> {
    match norm {
        NormConfig::Rms(config) => {
            let form = if config.gain && config.unit_offset {
                "1 + gain"
            } else if config.gain {
                "gain"
            } else {
                ""
            };
            Some((Op::RmsNorm, form.into()))
        }
        NormConfig::Layer(config) => {
            let parts = [(config.gain, "gain"), (config.bias, "bias")];
            Some((Op::LayerNorm, parts.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect::<Vec<_>>().join(", ")))
        }
        NormConfig::Dyt(_) => Some((Op::DynamicTanh, String::new())),
        NormConfig::None(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{model::ModelConfig, ops::Op};

    fn operators(toml: &str) -> Vec<(Op, String)> {
        let config: ModelConfig = toml::from_str(toml).unwrap();
        config.resolve(Some(64)).unwrap().operators()
    }

    #[test]
    fn a_llama_takes_the_operators_of_a_llama() {
        let found = operators("");
        let expected = [Op::Embedding, Op::RmsNorm, Op::SelfAttention, Op::Linear, Op::GatedLinear, Op::LinearCrossEntropy];
        assert_eq!(found.iter().map(|(op, _)| *op).collect::<Vec<_>>(), expected);
        assert_eq!(found[2].1, "head size 32, rotary");
        assert_eq!(found[4].1, "Silu");
    }

    #[test]
    fn options_are_named_and_layers_that_differ_are_told_apart() {
        let found = operators(
            r#"
            norm = { kind = "dyt" }
            position = { kind = "alibi", pattern = ["on", "off"] }
            attention = { heads = 4, kv_heads = 2, soft_cap = 50.0, window = 16, pattern = ["window", "full"] }
            feed_forward = { kind = "gelu", hidden = 64 }
            head = { z_loss = 1e-4 }
            "#,
        );
        assert!(found.contains(&(Op::SelfAttention, "head size 32, 2 of 4 heads, ALiBi, soft cap 50, window 16".into())), "{found:?}");
        assert!(found.contains(&(Op::SelfAttention, "head size 32, 2 of 4 heads, soft cap 50".into())), "{found:?}");
        assert!(found.contains(&(Op::DynamicTanh, String::new())) && found.contains(&(Op::Activation, "Gelu".into())));
        assert!(found.contains(&(Op::LinearCrossEntropy, "z-loss".into())));
        let normed = operators("attention = { heads = 4, qk_norm = { kind = \"per_head\", norm = { kind = \"layer\" } } }");
        let parts = [Op::LayerNorm, Op::Rotary, Op::Attention];
        assert!(parts.iter().all(|part| normed.iter().any(|(op, _)| op == part)), "{normed:?}");
    }
}
