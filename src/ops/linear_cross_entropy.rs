//! The head's product with its loss: fused, the logits of all tokens never exist at once.

use super::{
    CrossEntropyOptions, Op, count, cross_entropy,
    fused::loss::{MeanLoss, TokenLosses},
    linear, operator,
    product::{self, lowered, operand, passing_operand},
};
use burn::tensor::{Int, Tensor};

/// Means over all tokens, `[1]` each.
#[derive(Clone, Debug)]
pub struct MeanCrossEntropy {
    /// What is minimised: smoothed cross-entropy plus z-loss.
    pub objective: Tensor<1>,
    /// Cross-entropy of the targets alone, in nats; without gradients.
    pub nats: Tensor<1>,
}

/// The mean of [`cross_entropy`] over the logits x·W + b.
///
/// # Shapes
///
/// - `x`: `[batch, seq, width]`, `weight`: `[width, vocab]`, `bias`: `[vocab]`, `targets`: `[batch, seq]`, below vocab
pub fn linear_cross_entropy(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<2, Int>,
    options: CrossEntropyOptions,
) -> MeanCrossEntropy {
    if product::fused(Op::LinearCrossEntropy, &x) {
        let means = fused(MeanLoss(options), x, weight, bias, targets);
        return MeanCrossEntropy { objective: means.clone().slice(0..1), nats: means.detach().slice(1..2) };
    }
    let (shape, losses) = composed(x, weight, bias, targets, options);
    MeanCrossEntropy { objective: mean(losses.objective.reshape(shape)), nats: mean(losses.nats.detach().reshape(shape)) }
}

/// The cross-entropy of every token in nats, over the logits x·W + b. For evaluation: on a device with gradients it is
/// composed.
///
/// # Shapes
///
/// - inputs: as [`linear_cross_entropy`]
/// - output: `[batch, seq]`
pub fn token_cross_entropy(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<2, Int>,
    options: CrossEntropyOptions,
) -> Tensor<2> {
    let shape = targets.dims();
    if product::fused(Op::LinearCrossEntropy, &x) && !x.device().is_autodiff() {
        return fused(TokenLosses(options), x, weight, bias, targets).reshape(shape);
    }
    composed(x, weight, bias, targets, options).1.nats.reshape(shape)
}

fn fused(
    operator: impl operator::Operator,
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<2, Int>,
) -> Tensor<1> {
    let ([batch, seq, width], [_, vocab]) = (x.dims(), weight.dims());
    count::report(|| 2 * (batch * seq * width * vocab) as u64);
    let x: Tensor<2> = x.reshape([batch * seq, width]);
    let bias = bias.map(|bias| lowered(bias).into_dispatch());
    let inputs = [passing_operand(x).into_dispatch(), operand(weight).into_dispatch()].into_iter().chain(bias);
    operator::call(operator, inputs.collect(), Some(targets.reshape([batch * seq])))
}

fn composed(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<2, Int>,
    options: CrossEntropyOptions,
) -> ([usize; 2], super::CrossEntropy) {
    let ([batch, seq, _], [_, vocab]) = (x.dims(), weight.dims());
    let logits = linear(x, weight, bias).reshape([batch * seq, vocab]);
    ([batch, seq], cross_entropy(logits, targets.reshape([batch * seq]), options))
}

/// The mean in a fixed order: rows first, because one sum over millions of numbers is not repeatable on every backend.
fn mean(losses: Tensor<2>) -> Tensor<1> {
    let count = losses.shape().num_elements();
    // Burn's backward pass of a division by a number divides in f32.
    losses.sum_dim(1).sum().mul_scalar(1.0 / count as f64)
}
