//! What a model makes of given tokens, to be held against another implementation.

use crate::{
    model::{Gradients, Pass, Transformer},
    ops::{self, Precision},
};
use burn::{
    module::{Module, ModuleMapper, Param},
    optim::GradientsParams,
    tensor::{Device, FloatDType, Int, Tensor, TensorData},
};

/// Labels of this value do not count, as in PyTorch's and `transformers`' losses.
pub const IGNORED: i64 = -100;

/// What a model is evaluated in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arithmetic {
    /// All in f32, by the operators that training uses.
    #[default]
    F32,
    /// All in f64, by operators composed of Burn's; angles and slopes of positions are rounded to f32, as elsewhere.
    F64,
    /// Operands of matrix products rounded to bf16, the rest in f32, as training with `train.precision = "bf16"`.
    Bf16,
}

impl std::str::FromStr for Arithmetic {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" => Ok(Self::F32),
            "f64" => Ok(Self::F64),
            "bf16" => Ok(Self::Bf16),
            _ => Err("expected f32, f64 or bf16".into()),
        }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// `[batch, seq, vocab]`, row-major.
    pub logits: Vec<f64>,
    /// Mean cross-entropy in nats of each label given the tokens before it; labels of [`IGNORED`] do not count.
    pub loss: Option<f64>,
    /// Gradients of the loss by the path of the parameter.
    pub gradients: Option<Gradients>,
}

/// Logits of `[batch, seq]` tokens, and with labels the loss as `transformers` defines it: the label at a position is
/// predicted from the tokens before that position. The model is on a device with gradients if these are asked for.
///
/// # Panics
///
/// If tokens are not rows of `seq`, or labels are not as many.
pub fn logits(
    model: &Transformer,
    tokens: &[i64],
    labels: Option<&[i64]>,
    seq: usize,
    gradients: bool,
    arithmetic: Arithmetic,
) -> Evaluated {
    let device = &model.devices()[0];
    let pass = Pass { precision: if arithmetic == Arithmetic::Bf16 { Precision::Bf16 } else { Precision::F32 }, ..Pass::default() };
    let exact = (arithmetic == Arithmetic::F64).then(|| model.clone().map(&mut Widen));
    let model = exact.as_ref().unwrap_or(model);
    let compute = || {
        let logits = model.forward(rows(tokens, seq, 0..seq, device), &pass).into_data();
        let loss = labels.filter(|_| seq > 1).map(|labels| {
            let losses = model.token_losses(rows(tokens, seq, 0..seq - 1, device), rows(&kept(labels), seq, 1..seq, device), &pass);
            let counts = counting(labels, seq, device).cast(FloatDType::from(losses.dtype()));
            let total = counts.clone().sum();
            (losses * counts).sum() / total
        });
        let gradients = loss.clone().filter(|_| gradients).map(|loss| {
            let found = GradientsParams::from_grads(loss.backward(), model);
            model.gradients(&found)
        });
        Evaluated { logits: logits.iter::<f64>().collect(), loss: loss.map(|loss| loss.into_data().iter::<f64>().sum()), gradients }
    };
    match arithmetic {
        Arithmetic::F64 => ops::with(ops::Path::Composed, compute),
        Arithmetic::F32 | Arithmetic::Bf16 => compute(),
    }
}

/// Columns of rows of `seq` numbers.
fn rows(values: &[i64], seq: usize, columns: std::ops::Range<usize>, device: &Device) -> Tensor<2, Int> {
    assert!(values.len().is_multiple_of(seq), "{} numbers are no rows of {seq}", values.len());
    let picked: Vec<i32> = values.chunks(seq).flat_map(|row| row[columns.clone()].iter().map(|value| *value as i32)).collect();
    Tensor::from_data(TensorData::new(picked, [values.len() / seq, columns.len()]), device)
}

/// Labels with some token in the place of those that do not count.
fn kept(labels: &[i64]) -> Vec<i64> {
    labels.iter().map(|label| if *label == IGNORED { 0 } else { *label }).collect()
}

/// 1 for every label that counts, `[batch, seq - 1]`.
fn counting(labels: &[i64], seq: usize, device: &Device) -> Tensor<2> {
    let counts = labels.chunks(seq).flat_map(|row| row[1..].iter().map(|label| f32::from(u8::from(*label != IGNORED)))).collect();
    Tensor::from_data(TensorData::new::<f32, _>(counts, [labels.len() / seq, seq - 1]), device)
}

/// Every parameter in f64.
struct Widen;

impl ModuleMapper for Widen {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            // Detached last: only what comes from nothing else can ask for a gradient.
            let wide = tensor.clone().cast(FloatDType::F64).detach();
            if tensor.is_require_grad() { wide.require_grad() } else { wide }
        })
    }
}
