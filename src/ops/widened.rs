//! 16-bit tensors on the CPU: read as f32, computed by the kernels of f32, rounded once at the end.

use super::operator::{Kept, Kernels, Operator};
use burn::{
    backend::{Flex, TensorMetadata, flex::FlexTensor, ops::FloatTensorOps},
    tensor::{DType, FloatDType},
};

fn cast(x: FlexTensor, dtype: DType) -> FlexTensor {
    if x.dtype() == dtype { x } else { Flex::float_cast(x, FloatDType::from(dtype)) }
}

fn wide(list: Vec<FlexTensor>) -> Vec<FlexTensor> {
    list.into_iter().map(|x| cast(x, DType::F32)).collect()
}

/// The first element type that the kernels do not read.
fn narrow<'a>(tensors: impl IntoIterator<Item = &'a FlexTensor>) -> Option<DType> {
    tensors.into_iter().map(TensorMetadata::dtype).find(|dtype| *dtype != DType::F32)
}

/// [`Kernels::forward`]. What is saved stays in f32; of an operator whose result is in f32, it is the gradients of its inputs.
pub(super) fn forward(operator: &dyn Operator, inputs: Vec<FlexTensor>, indices: Option<FlexTensor>, tracked: bool) -> Vec<FlexTensor> {
    let Some(dtype) = narrow(&inputs) else { return Kernels::<Flex>::forward(operator, inputs, indices, tracked) };
    let all = Kernels::<Flex>::forward(operator, wide(inputs), indices, tracked);
    let results = if operator.of_sum().is_some() { 2 } else { 1 };
    let statistic = operator.is_statistic();
    all.into_iter().enumerate().map(|(i, x)| if (i < results) == statistic { x } else { cast(x, dtype) }).collect()
}

/// [`Kernels::backward`], with gradients of the types of the inputs.
pub(super) fn backward(operator: &dyn Operator, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
    let Some(dtype) = narrow(kept.inputs.iter().chain(&kept.saved).chain([&gradient])) else {
        return Kernels::<Flex>::backward(operator, kept, gradient, wanted);
    };
    let dtypes: Vec<DType> = kept.inputs.iter().map(TensorMetadata::dtype).collect();
    let Kept { inputs, indices, saved, begun } = kept;
    let begun = begun.map(|begun| cast(begun, DType::F32));
    let kept = Kept { inputs: wide(inputs), indices, saved: wide(saved), begun };
    let found = Kernels::<Flex>::backward(operator, kept, cast(gradient, DType::F32), wanted);
    let of_input = |i| dtypes.get(i).copied().unwrap_or(dtype);
    found.into_iter().enumerate().map(|(i, gradient)| gradient.map(|gradient| cast(gradient, of_input(i)))).collect()
}
