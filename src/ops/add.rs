//! The residual addition.

use super::{Op, fused::add::Add, operator, path};
use burn::tensor::{DispatchTensor, Tensor};

/// x + branch, of one shape. A norm that reads x too adds this part of the gradient of x in its own pass.
///
/// # Shapes
///
/// - `x`, `branch`, output: any, all the same
///
/// # Panics
///
/// If the shapes differ.
pub fn add<const D: usize>(x: Tensor<D>, branch: Tensor<D>) -> Tensor<D> {
    if path::fused(Op::RmsNorm, &x) {
        return operator::call(Add, terms(x, branch).into(), None);
    }
    same_shape(&x, &branch);
    x + branch
}

/// What a fused operator adds up: two tensors of one shape.
pub(super) fn terms<const D: usize>(x: Tensor<D>, branch: Tensor<D>) -> [DispatchTensor; 2] {
    same_shape(&x, &branch);
    [x, branch].map(Tensor::into_dispatch)
}

fn same_shape<const D: usize>(x: &Tensor<D>, branch: &Tensor<D>) {
    assert_eq!(x.dims(), branch.dims(), "add: the shapes differ");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        Path, RmsGain, add_layer_norm, add_rms_norm,
        check::{bits, leaf, noise, noisy, values, weighted_sum},
        layer_norm, rms_norm, with,
    };

    type Normed = fn(Tensor<3>, Tensor<1>) -> Tensor<3>;
    type OfSum = fn(Tensor<3>, Tensor<3>, Tensor<1>) -> [Tensor<3>; 2];

    fn rms(x: Tensor<3>, gain: Tensor<1>) -> Tensor<3> {
        rms_norm(x, RmsGain::AfterCast(gain), 1e-5)
    }

    fn rms_of_sum(x: Tensor<3>, branch: Tensor<3>, gain: Tensor<1>) -> [Tensor<3>; 2] {
        add_rms_norm(x, branch, RmsGain::AfterCast(gain), 1e-5)
    }

    fn layer(x: Tensor<3>, gain: Tensor<1>) -> Tensor<3> {
        layer_norm(x, Some(gain), None, 1e-5)
    }

    fn layer_of_sum(x: Tensor<3>, branch: Tensor<3>, gain: Tensor<1>) -> [Tensor<3>; 2] {
        add_layer_norm(x, branch, Some(gain), None, 1e-5)
    }

    /// Two pre-norm branches as a block has them, by the given parts; outputs and all gradients, as bits.
    fn block(norm: Normed, join: impl Fn(Tensor<3>, Tensor<3>) -> Tensor<3>, of_sum: Option<OfSum>) -> Vec<Vec<u32>> {
        let (leaf_x, gain) = (noisy("x", [2, 3, 37]), leaf(noise("gain", 37), [37]));
        // Not a leaf: a stream that something else gave.
        let x = leaf_x.clone().mul_scalar(1.5);
        let first = norm(x.clone(), gain.clone()).tanh();
        let (x, normed) = match of_sum {
            Some(of_sum) => {
                let [normed, x] = of_sum(x, first, gain.clone());
                (x, normed)
            }
            None => {
                let x = join(x, first);
                (x.clone(), norm(x, gain.clone()))
            }
        };
        let y = join(x, normed.tanh());
        let gradients = weighted_sum(y.clone()).backward();
        [y, leaf_x.grad(&gradients).unwrap()].map(bits).into_iter().chain([bits(gain.grad(&gradients).unwrap())]).collect()
    }

    #[test]
    fn a_norm_gives_the_same_bits_whoever_adds() {
        let parts: [(Normed, OfSum); 2] = [(rms, rms_of_sum), (layer, layer_of_sum)];
        for (norm, of_sum) in parts {
            let by_tape = block(norm, |x, branch| x + branch, None);
            assert_eq!(block(norm, add, None), by_tape);
            assert_eq!(block(norm, add, Some(of_sum)), by_tape);
            // A part of the gradient that nobody announced.
            assert_eq!(block(norm, |x, branch| x + branch, Some(of_sum)), by_tape);
        }
    }

    #[test]
    fn a_leaf_and_an_addition_that_no_gradient_reaches() {
        let run = |path| {
            with(path, || {
                let (x, gain) = (noisy("x", [1, 2, 5]), leaf(noise("gain", 5), [5]));
                let normed = rms(x.clone(), gain.clone());
                let joined = add(x.clone(), normed.clone());
                let of_leaf = values(x.grad(&weighted_sum(joined).backward()).unwrap());
                // The addition stands beside the way to the loss, not on it.
                let stream = x.clone().mul_scalar(2.0);
                let [normed, sum] = rms_of_sum(stream.clone(), x.clone(), gain);
                let _aside = add(sum, normed.clone());
                let gradients = weighted_sum(normed).backward();
                (of_leaf, values(x.grad(&gradients).unwrap()))
            })
        };
        let (fused, composed) = (run(Path::Fused), run(Path::Composed));
        crate::ops::check::close("leaf", &fused.0, &composed.0, 1e-5);
        crate::ops::check::close("aside", &fused.1, &composed.1, 1e-5);
    }
}
