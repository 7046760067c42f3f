//! The capability matrix: which implementation of an operator runs on a device, and why.
//!
//! [`path_of`] decides, for the operators at run time as for `ablate plan`, the records and `ablate doctor`: what they say
//! cannot differ from what runs.

use super::Path;
use burn::{
    backend::DispatchDevice,
    tensor::{DType, Device},
};
use serde::{Deserialize, Serialize};

/// An operator of this room, or one of the parts of a training step that are no operator and so have no kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// [`super::attention()`].
    Attention,
    /// [`super::self_attention()`].
    SelfAttention,
    /// [`super::rms_norm()`].
    RmsNorm,
    /// [`super::layer_norm()`].
    LayerNorm,
    /// [`super::rotary()`].
    Rotary,
    /// [`super::activate()`].
    Activation,
    /// [`super::gated()`].
    Gated,
    /// [`super::gated_linear()`].
    GatedLinear,
    /// [`super::linear()`].
    Linear,
    /// [`super::linear_cross_entropy()`] and [`super::token_cross_entropy()`].
    LinearCrossEntropy,
    /// [`super::embedding()`].
    Embedding,
    /// [`super::adamw()`].
    Adamw,
    /// [`super::square_norm()`].
    SquareNorm,
    /// Dynamic tanh, in the place of a norm: no operator.
    DynamicTanh,
    /// The update of an optimizer other than AdamW: no operator.
    OtherUpdate,
}

impl Op {
    /// The operators, in the order of a training step.
    pub const ALL: [Self; 13] = [
        Self::Embedding,
        Self::RmsNorm,
        Self::LayerNorm,
        Self::SelfAttention,
        Self::Attention,
        Self::Rotary,
        Self::GatedLinear,
        Self::Gated,
        Self::Activation,
        Self::Linear,
        Self::LinearCrossEntropy,
        Self::SquareNorm,
        Self::Adamw,
    ];

    /// Its name in records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::SelfAttention => "self_attention",
            Self::RmsNorm => "rms_norm",
            Self::LayerNorm => "layer_norm",
            Self::Rotary => "rotary",
            Self::Activation => "activation",
            Self::Gated => "gated",
            Self::GatedLinear => "gated_linear",
            Self::Linear => "linear",
            Self::LinearCrossEntropy => "linear_cross_entropy",
            Self::Embedding => "embedding",
            Self::Adamw => "adamw",
            Self::SquareNorm => "square_norm",
            Self::DynamicTanh => "dynamic_tanh",
            Self::OtherUpdate => "optimizer",
        }
    }

    /// Whether it is made of matrix products.
    pub fn multiplies(self) -> bool {
        matches!(self, Self::Linear | Self::GatedLinear | Self::Attention | Self::SelfAttention | Self::LinearCrossEntropy)
    }

    /// Whether there is an attention in it.
    pub fn attends(self) -> bool {
        matches!(self, Self::Attention | Self::SelfAttention)
    }

    /// Whether it only ever sees f32, whatever the precision of the model: parameters, their gradients and moments.
    pub fn only_f32(self) -> bool {
        matches!(self, Self::Adamw | Self::SquareNorm | Self::OtherUpdate)
    }
}

/// What runs the tensors of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The CPU, through Burn's Flex.
    Flex,
    /// NVIDIA GPUs, through CubeCL.
    Cuda,
    /// Vulkan, Metal and DirectX devices, through CubeCL.
    Wgpu,
    /// Anything else that Burn has.
    Other,
}

impl Backend {
    /// The backend of a device, with or without autodiff.
    pub fn of(device: &Device) -> Self {
        match device.clone().without_autodiff().as_dispatch() {
            DispatchDevice::Flex(_) => Self::Flex,
            #[cfg(feature = "cuda")]
            DispatchDevice::Cube(burn::backend::CubeDevice::Cuda(_)) => Self::Cuda,
            #[cfg(feature = "wgpu")]
            DispatchDevice::Cube(burn::backend::CubeDevice::Wgpu(_)) => Self::Wgpu,
            _ => Self::Other,
        }
    }
}

/// An implementation of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Implementation {
    /// A kernel on the CPU.
    FusedFlex,
    /// A portable kernel on any GPU.
    FusedCube,
    /// A kernel with tensor cores, on NVIDIA GPUs.
    FusedCuda,
    /// Composed of Burn's operations.
    Composed,
}

impl Implementation {
    /// Its name in records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::FusedFlex => "fused-flex",
            Self::FusedCube => "fused-cube",
            Self::FusedCuda => "fused-cuda",
            Self::Composed => "composed",
        }
    }
}

/// Which implementation runs, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The implementation.
    pub path: Implementation,
    /// Why, in a few words.
    pub reason: &'static str,
}

const NO_KERNEL: &str = "this device has no kernel for this element type";

/// Which implementation of `op` runs on a backend for inputs of this type, with this choice of the user.
///
/// The only place that knows: [`super`]'s operators ask it on every call.
pub fn path_of(op: Op, backend: Backend, dtype: DType, chosen: Path) -> Capability {
    let fused = |path, reason| Capability { path, reason };
    let composed = |reason| Capability { path: Implementation::Composed, reason };
    if matches!(op, Op::DynamicTanh | Op::OtherUpdate) {
        return composed("it has no kernel on any device");
    }
    if chosen == Path::Composed {
        return composed("chosen with --ops composed");
    }
    match (backend, dtype) {
        (Backend::Flex, DType::F32) => fused(Implementation::FusedFlex, "f32 has kernels on the CPU"),
        (Backend::Flex, DType::BF16 | DType::F16) if !op.only_f32() => {
            fused(Implementation::FusedFlex, "16 bits are read as f32 and rounded at the end")
        }
        (Backend::Cuda | Backend::Wgpu, _) if !cfg!(feature = "cube") => composed("no fused kernels for GPUs in this build"),
        (Backend::Cuda | Backend::Wgpu, DType::F32) => fused(Implementation::FusedCube, "f32 has portable kernels on GPUs"),
        (Backend::Cuda, DType::BF16 | DType::F16) if op.attends() => {
            fused(Implementation::FusedCuda, "on tensor cores for heads of 16, 32, … 128 channels")
        }
        (Backend::Cuda, DType::BF16 | DType::F16) | (Backend::Wgpu, DType::F16) if !op.only_f32() => {
            fused(Implementation::FusedCube, "16 bits have portable kernels on GPUs")
        }
        _ => composed(NO_KERNEL),
    }
}

/// Which implementation of `op` runs on a backend where inputs are f32 and matrix products read them as bf16
/// ([`Precision::Bf16`](super::Precision)), with this choice of the user. Nothing changes for operators without products.
pub fn path_of_rounded(op: Op, backend: Backend, chosen: Path) -> Capability {
    let plain = path_of(op, backend, DType::F32, chosen);
    let composed = |reason| Capability { path: Implementation::Composed, reason };
    match (op, backend) {
        _ if plain.path == Implementation::Composed || !op.multiplies() => plain,
        (_, Backend::Cuda) => path_of(op, backend, DType::BF16, chosen),
        (_, Backend::Flex) => Capability { path: plain.path, reason: "products round their operands to bf16" },
        _ => composed(NO_KERNEL),
    }
}

/// Whether attention of heads of this many channels has a kernel on a backend that has one at all.
pub fn serves_heads(backend: Backend, head_dim: usize) -> bool {
    backend == Backend::Flex || head_dim <= 256
}

/// The path of all operators for inputs of this type with the choice in force: one name, or several joined by `+`.
pub fn summary(backend: Backend, dtype: DType) -> String {
    let mut paths: Vec<Implementation> = Op::ALL.map(|op| path_of(op, backend, dtype, super::chosen()).path).into();
    paths.sort();
    paths.dedup();
    paths.into_iter().map(Implementation::name).collect::<Vec<_>>().join("+")
}

/// A row of the matrix: how an operator of a run is computed. In the record of every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorPath {
    /// The operator.
    pub operator: String,
    /// Its options, in words; empty for the plain operator.
    pub variant: String,
    /// Element type of its inputs.
    pub dtype: String,
    /// `fused-flex`, `fused-cube`, `fused-cuda` or `composed`.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl OperatorPath {
    /// The row of an operator with these options where matrix products read bf16, with the choice in force.
    pub fn rounded(op: Op, variant: impl Into<String>, backend: Backend) -> Self {
        let Capability { path, reason } = path_of_rounded(op, backend, super::chosen());
        let reads = if op.multiplies() { DType::BF16 } else { DType::F32 };
        let (path, reason) = (path.name().into(), reason.into());
        Self { operator: op.name().into(), variant: variant.into(), dtype: reads.name().into(), path, reason }
    }

    /// The row of an operator with these options, with the choice in force.
    pub fn new(op: Op, variant: impl Into<String>, backend: Backend, dtype: DType) -> Self {
        let dtype = if op.only_f32() { DType::F32 } else { dtype };
        let Capability { path, reason } = path_of(op, backend, dtype, super::chosen());
        Self {
            operator: op.name().into(),
            variant: variant.into(),
            dtype: dtype.name().into(),
            path: path.name().into(),
            reason: reason.into(),
        }
    }
}

/// The version of cuBLASLt, NVIDIA's library of matrix products, if this build has CUDA and finds it: fused operators on CUDA
/// multiply by it then, and by CubeCL's kernels without.
pub fn cublaslt() -> Option<String> {
    #[cfg(feature = "cuda")]
    return super::cube::cublaslt::version();
    #[cfg(not(feature = "cuda"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops;
    use burn::tensor::Tensor;

    #[test]
    fn the_matrix_is_what_runs() {
        let device = Device::flex();
        let x = Tensor::<2>::ones([2, 3], &device);
        for chosen in [Path::Fused, Path::Composed] {
            for op in Op::ALL {
                let said = path_of(op, Backend::of(&device), DType::F32, chosen).path != Implementation::Composed;
                assert_eq!(ops::with(chosen, || ops::path::fused(op, &x)), said, "{op:?}");
                assert_eq!(said, chosen == Path::Fused);
            }
        }
        let half = x.cast(burn::tensor::FloatDType::BF16);
        assert!(ops::path::fused(Op::Linear, &half) && !ops::path::fused(Op::Adamw, &half));
        assert!(path_of(Op::Linear, Backend::Flex, DType::BF16, Path::Fused).reason.contains("16 bits"));
    }

    #[test]
    fn rounded_operands_leave_operators_whole() {
        let on = |op, backend| path_of_rounded(op, backend, Path::Fused).path;
        assert_eq!(on(Op::Linear, Backend::Flex), Implementation::FusedFlex);
        assert_eq!(on(Op::RmsNorm, Backend::Flex), Implementation::FusedFlex);
        assert_eq!(on(Op::SelfAttention, Backend::Flex), Implementation::FusedFlex);
        let cuda = |path| if cfg!(feature = "cube") { path } else { Implementation::Composed };
        assert_eq!(on(Op::Attention, Backend::Cuda), cuda(Implementation::FusedCuda));
        assert_eq!(on(Op::GatedLinear, Backend::Cuda), cuda(Implementation::FusedCube));
        assert_eq!(on(Op::Linear, Backend::Wgpu), Implementation::Composed);
        assert_eq!(path_of_rounded(Op::Linear, Backend::Flex, Path::Composed).reason, "chosen with --ops composed");
        assert_eq!(OperatorPath::rounded(Op::Linear, "", Backend::Flex).dtype, "bf16");
        assert_eq!(OperatorPath::rounded(Op::RmsNorm, "", Backend::Flex).dtype, "f32");
    }

    #[test]
    fn reasons_and_names() {
        let row = ops::with(Path::Composed, || OperatorPath::new(Op::Attention, "ALiBi", Backend::Flex, DType::F32));
        assert_eq!((row.path.as_str(), row.reason.as_str(), row.dtype.as_str()), ("composed", "chosen with --ops composed", "f32"));
        assert_eq!(OperatorPath::new(Op::Adamw, "", Backend::Flex, DType::BF16).dtype, "f32");
        assert_eq!(path_of(Op::DynamicTanh, Backend::Flex, DType::F32, Path::Fused).path, Implementation::Composed);
        assert_eq!(summary(Backend::Flex, DType::F32), "fused-flex");
        let mut names: Vec<&str> = Op::ALL.map(Op::name).into();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Op::ALL.len());
    }

    #[test]
    fn devices_know_their_backend() {
        assert_eq!(Backend::of(&Device::flex()), Backend::Flex);
        assert_eq!(Backend::of(&Device::flex().autodiff()), Backend::Flex);
    }
}
