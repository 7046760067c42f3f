//! AdamW's update of one tensor.

use super::{Op, flex, fused, operator, path};
use burn::tensor::Tensor;

/// The numbers of a step of AdamW (Loshchilov & Hutter 2019, algorithm 2; PyTorch's form).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled decay, multiplied by the learning rate.
    pub weight_decay: f64,
    /// Number of the step, from 1.
    pub step: usize,
}

/// The parameter and both moments after a step: m = β₁m + (1 - β₁)g, v = β₂v + (1 - β₂)g²,
/// p = p - lr·(decay·p + (m/(1 - β₁ᵗ)) / (√(v/(1 - β₂ᵗ)) + ε)). Fused, in place where nobody else holds the tensor.
///
/// # Shapes
///
/// - all: the same; no gradients flow
pub fn adamw<const D: usize>(step: &AdamWStep, parameter: Tensor<D>, gradient: Tensor<D>, moments: [Tensor<D>; 2]) -> [Tensor<D>; 3] {
    let &AdamWStep { lr, beta1, beta2, eps, weight_decay, step: t } = step;
    let [m, v] = moments;
    if path::fused(Op::Adamw, &parameter) {
        let step = flex::adamw::AdamW { lr, beta1, beta2, eps, weight_decay, step: t as i32 };
        let inputs = [parameter, gradient, m, v].map(Tensor::into_dispatch).into();
        let mut found = operator::call_all(fused::adamw::Step(step), inputs).into_iter().map(Tensor::from_dispatch);
        return [(); 3].map(|()| found.next().expect("three results"));
    }
    let m = m.mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
    let v = v.mul_scalar(beta2) + (gradient.clone() * gradient).mul_scalar(1.0 - beta2);
    let corrected = |moment: &Tensor<D>, beta: f64| moment.clone().div_scalar(1.0 - beta.powi(t as i32));
    let update = corrected(&m, beta1) / corrected(&v, beta2).sqrt().add_scalar(eps);
    [parameter.mul_scalar(1.0 - lr * weight_decay) - update.mul_scalar(lr), m, v]
}
