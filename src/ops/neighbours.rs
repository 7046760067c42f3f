//! Layers that are divided among devices: between the products of a branch each device has its own heads or channels of all
//! tokens, everywhere else all channels of its own tokens (Korthikanti et al. 2022, arXiv 2205.05198, section 4.2.2).
//!
//! ```text
//! norm ─► gather ─► columns of W ─► … ─► rows of W ─► scatter ─► residual stream
//!         backward: scatter                           backward: gather
//! ```
//!
//! What is sent goes through the host. It is sent when it is called, not when a queue is emptied, so that all devices do it in the
//! same order.

use super::precision;
use burn::{
    backend::{
        Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            Autodiff,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{DType, FloatDType, Shape, Tensor, TensorData, read_sync},
};
use std::{fmt::Debug, ops::Range, sync::Arc};

/// The devices among which layers are divided, as one of them sees them. All call the same in the same order.
pub trait Neighbours: Debug + Send + Sync {
    /// The place of this one among them, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// The part of this one, of `count` things that are divided among all.
    fn part(&self, count: usize) -> Range<usize> {
        part_of(count, self.rank(), self.size())
    }

    /// What all have, `[size · count]`, of `count` numbers of each in f32 or f64.
    ///
    /// Where one of them is lost there are numbers, and whoever asks elsewhere is told; the same holds of [`Neighbours::scatter`].
    fn gather(&self, own: TensorData) -> TensorData;

    /// The sum over all of the numbers that are for this one, `[count]`, of `[size · count]`.
    fn scatter(&self, all: TensorData) -> TensorData;
}

/// The part of `count` things that the device `rank` of `size` has: no two parts differ by more than one.
pub fn part_of(count: usize, rank: usize, size: usize) -> Range<usize> {
    count * rank / size..count * (rank + 1) / size
}

/// What a device does with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It gets those of the others beside them.
    Gather,
    /// It keeps the sum of its part.
    Scatter,
}

/// The tokens of all devices.
///
/// # Shapes
///
/// - `x`: `[batch, seq / size, width]`
/// - output: `[batch, seq, width]`
pub fn gather(x: Tensor<3>, neighbours: &Arc<dyn Neighbours>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Exchanging>::exchange(neighbours.clone(), Way::Gather, x.into_dispatch()))
}

/// The sum over all devices, of this one's tokens.
///
/// # Shapes
///
/// - `x`: `[batch, seq, width]`
/// - output: `[batch, seq / size, width]`
///
/// # Panics
///
/// If the tokens cannot be divided.
pub fn scatter(x: Tensor<3>, neighbours: &Arc<dyn Neighbours>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Exchanging>::exchange(neighbours.clone(), Way::Scatter, x.into_dispatch()))
}

impl Way {
    /// The way of the gradients.
    fn back(self) -> Self {
        match self {
            Self::Gather => Self::Scatter,
            Self::Scatter => Self::Gather,
        }
    }
}

/// What backends offer beyond Burn's own operations: to exchange numbers with neighbours.
#[backend_extension(Autodiff, Flex, Cube: cfg(feature = "cube"))]
pub trait Exchanging: Backend {
    /// [`gather`] or [`scatter`].
    fn exchange(neighbours: Arc<dyn Neighbours>, way: Way, x: FloatTensor<Self>) -> FloatTensor<Self>;
}

fn exchanged<B: Backend>(neighbours: &dyn Neighbours, way: Way, x: FloatTensor<B>) -> FloatTensor<B> {
    let (shape, dtype, device, size) = (x.shape(), x.dtype(), x.device(), neighbours.size());
    let [batch, seq, width] = [shape[0], shape[1], shape[2]];
    assert!(way == Way::Gather || seq.is_multiple_of(size), "{seq} tokens for {size} devices");
    let wide: DType = precision::wide(dtype).into();
    // What is for one device lies together on the way.
    let (x, seq) = match way {
        Way::Gather => (x, seq),
        Way::Scatter => (B::float_swap_dims(B::float_reshape(x, Shape::new([batch, size, seq / size, width])), 0, 1), seq / size),
    };
    let numbers = read_sync(B::float_into_data(x)).unwrap_or_else(|error| panic!("a tensor cannot be read: {error:?}"));
    let numbers = numbers.convert_dtype(wide);
    let y = match way {
        Way::Gather => {
            let all = TensorData::from_bytes(neighbours.gather(numbers).into_bytes(), [size, batch, seq, width], wide);
            let all = B::float_swap_dims(B::float_from_data(all, &device), 0, 1);
            B::float_reshape(all, Shape::new([batch, size * seq, width]))
        }
        Way::Scatter => {
            let own = TensorData::from_bytes(neighbours.scatter(numbers).into_bytes(), [batch, seq, width], wide);
            B::float_from_data(own, &device)
        }
    };
    if y.dtype() == dtype { y } else { B::float_cast(y, FloatDType::from(dtype)) }
}

impl Exchanging for Flex {
    fn exchange(neighbours: Arc<dyn Neighbours>, way: Way, x: FloatTensor<Self>) -> FloatTensor<Self> {
        exchanged::<Self>(&*neighbours, way, x)
    }
}

#[cfg(feature = "cube")]
impl Exchanging for burn_cubecl::CubeBackend {
    fn exchange(neighbours: Arc<dyn Neighbours>, way: Way, x: FloatTensor<Self>) -> FloatTensor<Self> {
        exchanged::<Self>(&*neighbours, way, x)
    }
}

#[cfg(feature = "cube")]
impl Exchanging for burn::backend::fusion::Fusion<burn_cubecl::CubeBackend> {
    fn exchange(neighbours: Arc<dyn Neighbours>, way: Way, x: FloatTensor<Self>) -> FloatTensor<Self> {
        exchanged::<Self>(&*neighbours, way, x)
    }
}

/// The step of the tape that belongs to an exchange.
#[derive(Debug)]
struct Exchange;

impl<B: Exchanging> Backward<B, 1> for Exchange {
    type State = (Arc<dyn Neighbours>, Way);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let ((neighbours, way), [parent]) = (ops.state, ops.parents);
        if let Some(parent) = parent {
            gradients.register::<B>(parent.id, B::exchange(neighbours, way.back(), gradient));
        }
    }
}

impl<B: Exchanging, C: CheckpointStrategy> Exchanging for Autodiff<B, C> {
    fn exchange(neighbours: Arc<dyn Neighbours>, way: Way, x: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let run = |x| B::exchange(neighbours.clone(), way, x);
        match Backward::<B, 1>::prepare::<C>(Exchange, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((neighbours.clone(), way), run(x.into_primitive())),
            OpsKind::UnTracked(prepared) => prepared.finish(run(x.into_primitive())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{Ring, autodiff, close, noise};
    use burn::tensor::Device;

    fn leaf(key: &str, shape: [usize; 3], dtype: DType) -> Tensor<3> {
        let data = TensorData::new(noise(key, shape.iter().product()), shape);
        Tensor::from_data(data, (&autodiff(&Device::flex()), dtype)).require_grad()
    }

    fn numbers(x: Tensor<3>) -> Vec<f64> {
        x.into_data().iter::<f64>().collect()
    }

    #[test]
    fn tokens_come_together_and_sums_go_apart_and_so_do_their_gradients() {
        let (batch, seq, width) = (2, 6, 3);
        for (dtype, tolerance) in [(DType::F64, 0.0), (DType::F32, 1e-6), (DType::BF16, 0.03)] {
            for size in [1, 2, 3] {
                let own = seq / size;
                let all: Vec<Vec<f64>> = (0..size).map(|rank| numbers(leaf(&format!("x{rank}"), [batch, own, width], dtype))).collect();
                let weights: Vec<Vec<f64>> = (0..size).map(|rank| numbers(leaf(&format!("w{rank}"), [batch, seq, width], dtype))).collect();
                let found = Ring::of(size, |ring| {
                    let x = leaf(&format!("x{}", ring.rank()), [batch, own, width], dtype);
                    let y = gather(x.clone(), &ring);
                    let weight = leaf(&format!("w{}", ring.rank()), [batch, seq, width], dtype).detach();
                    let gradients = (y.clone() * weight).sum().backward();
                    (numbers(y), numbers(Tensor::from_inner(x.grad(&gradients).unwrap())))
                });
                let at = |row: usize, place: usize, channel: usize| all[place / own][(row * own + place % own) * width + channel];
                let index = (0..batch).flat_map(|row| (0..seq).flat_map(move |place| (0..width).map(move |channel| (row, place, channel))));
                let expected: Vec<f64> = index.map(|(row, place, channel)| at(row, place, channel)).collect();
                for (rank, (y, dx)) in found.iter().enumerate() {
                    close("gathered", y, &expected, 0.0);
                    let mine = |row: usize, i: usize| (row * seq + rank * own) * width + i;
                    let rows = (0..batch).flat_map(|row| (0..own * width).map(move |i| mine(row, i)));
                    let sums: Vec<f64> = rows.map(|i| weights.iter().map(|of| of[i]).sum()).collect();
                    close("its gradient", dx, &sums, tolerance);
                }
                let found = Ring::of(size, |ring| {
                    let x = leaf(&format!("w{}", ring.rank()), [batch, seq, width], dtype);
                    let y = scatter(x.clone(), &ring);
                    let weight = leaf(&format!("x{}", ring.rank()), [batch, own, width], dtype).detach();
                    let gradients = (y.clone() * weight).sum().backward();
                    (numbers(y), numbers(Tensor::from_inner(x.grad(&gradients).unwrap())))
                });
                for (rank, (y, dx)) in found.iter().enumerate() {
                    let mine = |row: usize, i: usize| (row * seq + rank * own) * width + i;
                    let rows = (0..batch).flat_map(|row| (0..own * width).map(move |i| mine(row, i)));
                    let sums: Vec<f64> = rows.map(|i| weights.iter().map(|of| of[i]).sum()).collect();
                    close("scattered", y, &sums, tolerance);
                    close("its gradient", dx, &expected, 0.0);
                }
            }
        }
    }

    #[test]
    fn every_thing_has_one_owner() {
        for (count, size) in [(7, 3), (8, 4), (2, 3), (0, 2)] {
            let parts: Vec<usize> = (0..size).flat_map(|rank| part_of(count, rank, size)).collect();
            assert_eq!(parts, (0..count).collect::<Vec<_>>());
        }
    }
}
