//! Where answers are read from.

use super::{
    Account,
    init::{Role, Scope},
    linear::Linear,
    norm::{Norm, NormConfig},
};
use crate::ops::{Activation, activate};
use burn::{
    module::Module,
    tensor::{FloatDType, Tensor, TensorData},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where answers are read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReadoutConfig {
    /// From each position its own: a language model.
    Each {},
    /// All from the last position, which has to hold the whole sequence: the auto-encoder of MAD's compression task (Poli et al.
    /// 2024, arXiv 2403.17844; `auto_encoder.py` of athms/mad-lab at 0f49a452b8). Its state plus a fixed encoding of the
    /// position asked for goes through two layers of the model's width.
    Last {},
}

impl Default for ReadoutConfig {
    fn default() -> Self {
        Self::Each {}
    }
}

/// The decoder behind the last position: twice norm, linear layer with bias, GELU.
#[derive(Module, Debug)]
pub struct Readout {
    first_norm: Norm,
    first: Linear,
    second_norm: Norm,
    second: Linear,
}

impl ReadoutConfig {
    /// Whether it is a language model's.
    pub fn is_each(&self) -> bool {
        matches!(self, Self::Each {})
    }

    /// The decoder, where there is one.
    pub fn build(&self, scope: &Scope, norm: &NormConfig, width: usize) -> Option<Readout> {
        let linear = |name: &str| Linear::build(&scope.child(name), width, width, true, Role::Hidden);
        (!self.is_each()).then(|| Readout {
            first_norm: norm.build(&scope.child("first_norm"), width),
            first: linear("first"),
            second_norm: norm.build(&scope.child("second_norm"), width),
            second: linear("second"),
        })
    }

    /// Cost of the decoder: of each layer the norm, the product and, beside the norm's input, the inputs of product and
    /// activation.
    pub fn account(&self, norm: &NormConfig, width: usize) -> Account {
        if self.is_each() {
            return Account::default();
        }
        let layer = norm.account(width) + Linear::account(width, width, true) + Account::kept(8 * width);
        layer + layer
    }
}

impl Readout {
    /// What each position answers, of what the last one holds.
    ///
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, seq, width] = x.dims();
        let dtype = FloatDType::from(x.dtype());
        let encoding = Tensor::<3>::from_data(TensorData::new(encoding(seq, width), [1, seq, width]), &x.device()).cast(dtype);
        let x = x.slice([0..batch, seq - 1..seq, 0..width]) + encoding;
        let x = activate(self.first.forward(self.first_norm.forward(x)), Activation::Gelu);
        activate(self.second.forward(self.second_norm.forward(x)), Activation::Gelu)
    }
}

/// Row-major `[seq, width]`: sines in the lower half of the channels, cosines in the upper half, of position / 10000^(i/(h - 1))
/// for channel i of the h of a half; a channel that is left is 0 (`posemb_sincos_1d` of the source).
fn encoding(seq: usize, width: usize) -> Vec<f32> {
    let half = width / 2;
    let last = usize::max(half.saturating_sub(1), 1) as f64;
    let value = |position: usize, channel: usize| {
        let angle = position as f64 / 10_000f64.powf((channel % usize::max(half, 1)) as f64 / last);
        match channel / usize::max(half, 1) {
            _ if half == 0 => 0.0,
            0 => angle.sin(),
            1 => angle.cos(),
            _ => 0.0,
        }
    };
    (0..seq).flat_map(|position| (0..width).map(move |channel| value(position, channel) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, Pass, parameters};
    use burn::{
        module::Module,
        tensor::{Device, Int},
    };

    #[test]
    fn the_encoding_is_the_sources() {
        // `posemb_sincos_1d(3, 5)` of the source: h = 2, frequencies 1 and 10000^-1, the last channel zero.
        let found = encoding(3, 5);
        for position in 0..3 {
            let p = position as f64;
            let expected = [p.sin(), (p * 1e-4).sin(), p.cos(), (p * 1e-4).cos(), 0.0];
            for (found, expected) in found[position * 5..].iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-7, "{position}: {found} {expected}");
            }
        }
        assert!(encoding(4, 1).iter().all(|value| *value == 0.0));
        assert!(encoding(4, 2).iter().all(|value| value.is_finite()));
    }

    /// A model of 17 tokens whose answers come from the last position.
    fn config() -> ModelConfig {
        let mut config = ModelConfig { layers: 1, width: 16, context: 6, vocab: Some(17), ..ModelConfig::default() };
        config.attention.heads = 2;
        config.readout = ReadoutConfig::Last {};
        config
    }

    #[test]
    fn only_the_last_position_answers() {
        let spec = config().resolve(None).unwrap();
        let model = spec.build(3, &Device::flex());
        let answers = |tokens: [i32; 6]| -> Vec<f32> {
            let tokens: Tensor<2, Int> = Tensor::from_data(TensorData::new(tokens.to_vec(), [1, 6]), &Device::flex());
            model.forward(tokens, &Pass::default()).into_data().try_to_vec().unwrap()
        };
        // Without attention to what came before, the last token would be all: here every token changes every answer.
        let base = answers([1, 2, 3, 4, 5, 6]);
        for place in 0..6 {
            let mut tokens = [1, 2, 3, 4, 5, 6];
            tokens[place] = 9;
            let other = answers(tokens);
            for position in 0..6 {
                assert_ne!(base[position * 17..(position + 1) * 17], other[position * 17..(position + 1) * 17], "{place} {position}");
            }
        }
        // And positions differ by what is asked for alone.
        assert_ne!(base[..17], base[17..34]);
    }

    #[test]
    fn it_accounts_for_itself_and_leaves_language_models_alone() {
        let (spec, plain) =
            (config().resolve(None).unwrap(), ModelConfig { readout: ReadoutConfig::Each {}, ..config() }.resolve(None).unwrap());
        let device = Device::flex();
        let (model, without) = (spec.build(3, &device), plain.build(3, &device));
        let decoder: Vec<_> = parameters(&model).into_iter().filter(|(path, ..)| path.starts_with("readout.")).collect();
        assert_eq!(decoder.len(), 2 * 3, "{decoder:?}");
        assert_eq!(model.num_params() - without.num_params(), 2 * (16 * 16 + 16 + 16));
        assert_eq!(spec.account(6).parameters, model.num_params() as u64);
        assert_eq!(spec.account(6).flops_per_token - plain.account(6).flops_per_token, 2.0 * 6.0 * 256.0);
        assert!(!serde_json::to_string(&plain).unwrap().contains("readout"), "runs from before keep their identity");
    }
}
