//! Room for results, grids, and arguments of kernels.

use burn::{
    backend::{TensorMetadata, cubecl::dtype_to_elem_type, fusion::custom::TensorSpec, ops::FloatTensorOps},
    tensor::{DType, Shape, Slice},
};
use burn_cubecl::{
    CubeBackend,
    cubecl::{ir::ElemType, prelude::*},
    kernel::{self, into_contiguous, matmul::MatmulStrategy},
    ops::numeric::empty_device_contiguous_dtype,
    tensor::CubeTensor,
};

/// Units of a cube in kernels with one unit per element.
pub const UNITS: u32 = 128;

/// Room for a result that a kernel will write, on the device of `like`.
pub fn room(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), dtype)
}

/// Row-major, without gaps.
pub fn dense(x: &CubeTensor) -> CubeTensor {
    into_contiguous(x.clone())
}

/// The tensor as the argument of a kernel that reads or writes it by plain position.
pub fn arg(x: &CubeTensor) -> BufferArg {
    x.clone().into_buffer_arg()
}

/// The element type of a tensor.
pub fn elem(x: &CubeTensor) -> ElemType {
    dtype_to_elem_type(x.dtype)
}

/// A grid of so many cubes, or a few more.
pub fn grid(cubes: usize) -> CubeCount {
    // No device takes more than 65 535 in one direction for granted.
    let columns = cubes.clamp(1, 1 << 15);
    CubeCount::Static(columns as u32, cubes.max(1).div_ceil(columns) as u32, 1)
}

/// A grid with one unit per element.
pub fn per_element(count: usize) -> (CubeCount, CubeDim) {
    (grid(count.div_ceil(UNITS as usize)), CubeDim::new_1d(UNITS))
}

/// Units for a cube that shares a row of this width: a power of two.
pub fn units(width: usize) -> usize {
    width.div_ceil(4).next_power_of_two().clamp(32, 256)
}

/// The size of the last dimension.
pub fn width(x: &CubeTensor) -> usize {
    *x.meta.shape().last().expect("no scalars here")
}

/// The number of elements.
pub fn count(x: &CubeTensor) -> usize {
    x.meta.shape().num_elements()
}

/// The sizes of as many dimensions as there are.
pub fn dims<const D: usize>(x: &CubeTensor) -> [usize; D] {
    let shape = x.shape();
    std::array::from_fn(|i| shape[i])
}

/// The same numbers in another shape.
pub fn reshape(x: CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    CubeBackend::float_reshape(x, shape.into())
}

/// The same numbers with two dimensions exchanged.
pub fn swap(x: CubeTensor, one: usize, other: usize) -> CubeTensor {
    CubeBackend::float_swap_dims(x, one, other)
}

/// Some of the first dimension.
pub fn rows(x: &CubeTensor, range: std::ops::Range<usize>) -> CubeTensor {
    CubeBackend::float_slice(x.clone(), &[Slice::from(range)])
}

/// a·b, of which every product goes through here.
///
/// # Panics
///
/// If the element types differ: CubeCL would read one as the other.
pub fn matmul(a: CubeTensor, b: CubeTensor) -> CubeTensor {
    let dtype = a.dtype;
    matmul_into(a, b, dtype)
}

/// a·b, rounded to this type only: by cuBLASLt on CUDA where it is installed, by CubeCL elsewhere.
///
/// # Panics
///
/// As [`matmul`], or if no kernel can be launched.
pub fn matmul_into(a: CubeTensor, b: CubeTensor, dtype: DType) -> CubeTensor {
    assert_eq!(a.dtype, b.dtype, "matrix product: element types differ");
    #[cfg(feature = "cuda")]
    if let Some(product) = super::cublaslt::product(&a, &b, dtype) {
        return product;
    }
    kernel::matmul::matmul(a, b, None, MatmulStrategy::default(), dtype).expect("CubeCL has a kernel for every product")
}

/// The description of an output of this shape and the element type of `like`.
pub fn described(shape: impl Into<Shape>, like: &TensorSpec) -> TensorSpec {
    TensorSpec::new(shape.into(), like.dtype)
}

/// The description of a statistic.
pub fn statistic(shape: impl Into<Shape>) -> TensorSpec {
    TensorSpec::new(shape.into(), DType::F32)
}
