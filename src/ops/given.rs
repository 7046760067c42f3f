//! A value whose gradients are known before they are asked for.

use burn::{
    backend::{
        Backend, Dispatch, Flex,
        autodiff::{
            Autodiff,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Tensor, read_sync},
};

/// `value`, `[1]`, with the gradient `dx` by `x` beside those that it has.
///
/// # Shapes
///
/// - `x`, `dx`: any, the same
pub fn given<const D: usize>(value: Tensor<1>, x: Tensor<D>, dx: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as Giving>::given(value.into_dispatch(), x.into_dispatch(), dx.into_dispatch()))
}

/// What backends offer beyond Burn's own operations: [`given`].
#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "cube"))]
pub trait Giving: Backend {
    /// [`given`]; without a tape, the value.
    fn given(value: FloatTensor<Self>, x: FloatTensor<Self>, dx: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Giving for Flex {
    fn given(value: FloatTensor<Self>, _: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        value
    }
}

#[cfg(feature = "cube")]
impl Giving for burn_cubecl::CubeBackend {
    fn given(value: FloatTensor<Self>, _: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        value
    }
}

#[cfg(feature = "cube")]
impl Giving for burn::backend::fusion::Fusion<burn_cubecl::CubeBackend> {
    fn given(value: FloatTensor<Self>, _: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        value
    }
}

/// The step of the tape that belongs to such a value.
#[derive(Debug)]
struct Given;

impl<B: Backend> Backward<B, 2> for Given {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (dx, [value, x]) = (ops.state, ops.parents);
        if let Some(x) = x {
            let factor =
                read_sync(B::float_into_data(gradient.clone())).unwrap_or_else(|error| panic!("a gradient cannot be read: {error:?}"));
            let factor: f64 = factor.iter().next().expect("it is a number");
            gradients.register::<B>(x.id, if factor == 1.0 { dx } else { B::float_mul_scalar(dx, factor.into()) });
        }
        if let Some(value) = value {
            gradients.register::<B>(value.id, gradient);
        }
    }
}

impl<B: Giving, C: CheckpointStrategy> Giving for Autodiff<B, C> {
    fn given(value: FloatTensor<Self>, x: FloatTensor<Self>, dx: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [value.node(), x.node()];
        match Backward::<B, 2>::prepare::<C>(Given, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(dx.into_primitive(), value.into_primitive()),
            OpsKind::UnTracked(prepared) => prepared.finish(value.into_primitive()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{leaf, values};

    #[test]
    fn gradients_are_those_that_were_given_and_those_of_the_value() {
        let (x, y) = (leaf(vec![1.0, 2.0], [2]), leaf(vec![3.0, 4.0, 5.0, 6.0], [2, 2]));
        let value = x.clone().sum();
        let found = given(value, y.clone(), leaf(vec![0.1, 0.2, 0.3, 0.4], [2, 2]).detach());
        assert_eq!(values(found.clone()), [3.0]);
        let gradients = found.mul_scalar(10.0).backward();
        assert_eq!(values(x.grad(&gradients).unwrap()), [10.0, 10.0]);
        assert_eq!(values(y.grad(&gradients).unwrap()), [1.0, 2.0, 3.0, 4.0]);
    }
}
