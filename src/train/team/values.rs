//! Tensors as they are sent.

use crate::parallel::group::Numbers;
use burn::{
    module::Param,
    tensor::{DType, Device, Tensor, TensorData},
};

/// The values of a tensor.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Numbers {
    of_data(tensor.into_data())
}

/// The same where they are on the host.
pub fn of_data(data: TensorData) -> Numbers {
    match data.dtype() {
        DType::F64 => Numbers::F64(data.try_into_vec().expect("they are of that type")),
        _ => Numbers::F32(data.convert::<f32>().try_into_vec().expect("they were converted")),
    }
}

/// Numbers of no particular shape.
pub fn data_of(values: Numbers) -> TensorData {
    match values {
        Numbers::F32(values) => TensorData::from(values.as_slice()),
        Numbers::F64(values) => TensorData::from(values.as_slice()),
    }
}

/// A tensor of values.
pub fn tensor<const D: usize>(values: Numbers, shape: [usize; D], device: &Device) -> Tensor<D> {
    match values {
        Numbers::F32(values) => Tensor::from_data(TensorData::new(values, shape), device),
        Numbers::F64(values) => Tensor::from_data(TensorData::new(values, shape), (device, DType::F64)),
    }
}

/// The shape of a parameter.
pub fn shape_of<const D: usize>(param: &Param<Tensor<D>>) -> [usize; D] {
    param.lazy_shape().dims()
}

/// A tensor in the place of another: a leaf with gradients where that is one.
pub fn instead_of<const D: usize>(old: &Tensor<D>, new: Tensor<D>) -> Tensor<D> {
    if old.is_require_grad() { new.require_grad() } else { new }
}
