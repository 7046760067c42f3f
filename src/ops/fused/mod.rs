//! Operators that run as one kernel each on the CPU: from tensors to the slices of [`super::flex`], forward and backward.

pub mod adamw;
pub mod add;
pub mod attention;
pub mod embedding;
pub mod gated;
pub mod gated_linear;
pub mod join;
pub mod linear;
pub mod loss;
pub mod norm;
pub mod rotary;
pub mod round;
pub mod self_attention;
pub mod square_norm;

use super::flex::product::Matrix;
use burn::{
    backend::flex::FlexTensor,
    tensor::{Shape, TensorData},
};

/// Room for `count` numbers that a kernel will write.
#[allow(clippy::uninit_vec)]
fn room(count: usize) -> Vec<f32> {
    let mut room = Vec::with_capacity(count);
    // SAFETY: any bits are an f32, and every kernel writes all of its output before anything reads it (the tests of the
    // kernels hand them NaN). Zeroing instead would cost a pass over every output.
    unsafe { room.set_len(count) };
    room
}

/// A tensor of these numbers, row-major.
fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The numbers of a contiguous tensor.
fn slice(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("contiguous f32")
}

/// The size of the last dimension.
fn width(x: &FlexTensor) -> usize {
    *x.layout().shape().last().expect("no scalars here")
}

/// A tensor of two dimensions as it lies in memory.
fn matrix(x: &FlexTensor) -> Matrix<'_> {
    let layout = x.layout();
    let (shape, strides) = (layout.shape(), layout.strides());
    let stride = |i: usize| usize::try_from(strides[i]).expect("no tensor here is flipped");
    Matrix::new(&x.storage::<f32>()[layout.start_offset()..], [shape[0], shape[1]], [stride(0), stride(1)])
}
