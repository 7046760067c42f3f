//! Activations, and products gated by them.

use super::{Op, flex::gated::Activation, fused::gated, operator, path};
use burn::{
    backend::DispatchDevice,
    tensor::{Tensor, activation},
};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Applies `activation` to each element.
pub fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    if path::fused(Op::Activation, &x) && activation != Activation::Identity {
        return operator::call(gated::Activate(activation), vec![x.into_dispatch()], None);
    }
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
        Activation::Silu => silu(x),
        Activation::Relu2 => relu2(x),
        Activation::Sigmoid => sigmoid(x),
    }
}

/// activation(gate) · up, elementwise (Shazeer 2020, equations 5 and 6): GLU by [`Activation::Sigmoid`], the bilinear
/// form by [`Activation::Identity`], SwiGLU by [`Activation::Silu`].
///
/// # Shapes
///
/// - `gate`, `up`, output: the same
pub fn gated<const D: usize>(gate: Tensor<D>, up: Tensor<D>, activation: Activation) -> Tensor<D> {
    if path::fused(Op::Gated, &gate) {
        return operator::call(gated::Gated(activation), vec![gate.into_dispatch(), up.into_dispatch()], None);
    }
    activate(gate, activation) * up
}

/// max(x, 0); the derivative at 0 is 0.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::relu(x)
}

/// max(x, 0)² (So et al. 2021, section 4.2).
pub fn relu2<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let y = activation::relu(x);
    y.clone() * y
}

/// x·Φ(x), exact in value and gradient (Hendrycks & Gimpel 2016, section 2).
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // Burn's own GELU is exact in both directions on Flex only; elsewhere its backward is that of the tanh form.
    if matches!(x.device().without_autodiff().as_dispatch(), DispatchDevice::Flex(_)) {
        return activation::gelu(x);
    }
    gelu_composed(x)
}

fn gelu_composed<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let twice_phi = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul_scalar(0.5) * twice_phi
}

/// 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks & Gimpel 2016, section 2; GPT-2).
///
/// Computed as x·σ(2u), the same function with fewer passes: (1 + tanh u)/2 = σ(2u).
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let a = 2.0 * (2.0 / PI).sqrt();
    let slope = (x.clone() * x.clone()).mul_scalar(0.044715 * a).add_scalar(a);
    x.clone() * activation::sigmoid(slope * x)
}

/// x·σ(x), also called Swish with β = 1 (Ramachandran et al. 2017).
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * activation::sigmoid(x)
}

/// σ(x) = 1/(1 + exp(-x)).
pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::sigmoid(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        check::{autodiff, close, leaf, values},
        reference::activation::{slope, value},
    };
    use burn::tensor::Device;

    fn grid() -> Vec<f32> {
        (-60..=60).filter(|i| *i != 0).map(|i| i as f32 * 0.13).collect()
    }

    #[test]
    fn values_and_derivatives_agree_with_float64() {
        let inputs = grid();
        for kind in Activation::ALL {
            let x = leaf(inputs.clone(), [inputs.len()]);
            let y = activate(x.clone(), kind);
            let gradient = x.grad(&y.clone().sum().backward()).unwrap();
            let expected: Vec<f64> = inputs.iter().map(|v| value(kind, f64::from(*v))).collect();
            let slopes: Vec<f64> = inputs.iter().map(|v| slope(kind, f64::from(*v))).collect();
            close(&format!("{kind:?}"), &values(y), &expected, 8e-7);
            close(&format!("{kind:?} derivative"), &values(gradient), &slopes, 2e-6);
        }
    }

    #[test]
    fn composed_gelu_is_exact_as_well() {
        let inputs = grid();
        let x = leaf(inputs.clone(), [inputs.len()]);
        let y = gelu_composed(x.clone());
        let gradient = x.grad(&y.clone().sum().backward()).unwrap();
        let expected = |f: fn(Activation, f64) -> f64| inputs.iter().map(|v| f(Activation::Gelu, f64::from(*v))).collect::<Vec<_>>();
        close("gelu", &values(y), &expected(value), 8e-7);
        close("slope", &values(gradient), &expected(slope), 2e-6);
    }

    #[test]
    fn gated_multiplies() {
        let device = autodiff(&Device::flex());
        let gate = Tensor::<1>::from_floats([-1.0, 0.5, 2.0], &device);
        let up = Tensor::<1>::from_floats([3.0, -4.0, 5.0], &device);
        close("bilinear", &values(gated(gate.clone(), up.clone(), Activation::Identity)), &[-3.0, -2.0, 10.0], 1e-7);
        close("reglu", &values(gated(gate, up, Activation::Relu)), &[0.0, -2.0, 10.0], 1e-7);
    }
}
