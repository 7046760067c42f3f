//! CUDA C++ of the kernels, without a GPU and without a driver: what NVRTC is given on a machine that has one.

use super::{activation, adamw, attention, embedding, loss, norm, reduce, rotary, square_norm};
use crate::settings::{Error, Result};
use burn_cubecl::cubecl::{
    self,
    __private::Runtime,
    Compiler, CubeKernel,
    ir::{
        AddressType, DeviceIdentity, DeviceProperties, ElemType, FloatKind, HardwareProperties, MemoryDeviceProperties, OpaqueType,
        TargetProperties, VectorSize, features,
    },
    prelude::{BufferCompilationArg, CubeDim, ExecutionMode, KernelSettings, TensorCompilationArg, TensorMetaCompilationArg},
};
use cubecl_cpp::{
    cuda::{arch::CudaArchitecture, mma::CudaCmmaCompiler, supported_mma_combinations},
    shared::{
        CompilationOptions, CppCompiler, CppSupportedFeatures, register_mma_features, register_supported_types, register_wmma_features,
    },
    target::Cuda,
};
use std::sync::Arc;

/// A kernel as CUDA C++.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// What the kernel is called here, with its element type and variant.
    pub name: String,
    /// The name of its entry point.
    pub entry: String,
    /// The text.
    pub source: String,
    /// Dynamic shared memory of a block, in bytes.
    pub shared_bytes: usize,
}

/// A kernel with its name here.
pub type Named = (String, Box<dyn CubeKernel>);

/// The element types of kernels that take several.
pub const FLOATS: [(&str, ElemType); 3] =
    [("f32", ElemType::Float(FloatKind::F32)), ("bf16", ElemType::Float(FloatKind::BF16)), ("f16", ElemType::Float(FloatKind::F16))];

/// A kernel as it is launched with so many units per cube: its tensors and buffers, its numbers, then what is fixed when it is
/// compiled. Of the first three only how many there are matters; they are named as in the kernel.
macro_rules! kernel {
    ($target:expr, $units:expr, $kernel:path, $([$kind:ident $($argument:ident)+])+, ($($number:ident)*) $(, $fixed:expr)*) => {{
        use $kernel as Kernel;
        let target: &$crate::ops::cube::emit::Target = $target;
        let kernel = Kernel::new(
            target.settings($units),
            target.properties.clone(),
            target.runtime.clone(),
            $($({ let _ = stringify!($argument); target.$kind() },)+)+
            $({ let _ = stringify!($number); },)*
            $($fixed,)*
        );
        Box::new(kernel) as Box<dyn burn_cubecl::cubecl::CubeKernel>
    }};
}
pub(super) use kernel;

/// Every kernel for an architecture: `sm_80`, `sm_90a` and so on.
///
/// # Errors
///
/// For a name that is no architecture from `sm_80` on, and where CubeCL refuses a kernel.
pub fn cuda_sources(arch: &str) -> Result<Vec<Emitted>> {
    let target = Target::new(arch)?;
    let rooms = [
        activation::emitted,
        adamw::emitted,
        attention::emit::kernels,
        embedding::emitted,
        loss::emitted,
        norm::emitted,
        reduce::emitted,
        rotary::emitted,
        square_norm::emitted,
    ];
    rooms.into_iter().flat_map(|kernels| kernels(&target)).map(|(name, kernel)| emit(name, &*kernel, target.version)).collect()
}

fn emit(name: String, kernel: &dyn CubeKernel, version: u32) -> Result<Emitted> {
    let supports_features = CppSupportedFeatures {
        grid_constants: true,
        clusters: version >= 90,
        fast_math: true,
        fast_tanh: true,
        elect_sync: version >= 90,
        dp4a: true,
    };
    let options = CompilationOptions { warp_size: 32, supports_features, amd_wmma: None };
    let refused = |error: cubecl::CompilationError| Error::input(&name, format!("CubeCL refuses the kernel: {error:?}"), "report this");
    let definition = cubecl::define_kernel(kernel).map_err(refused)?;
    let entry = definition.settings.kernel_name.clone();
    let compiled = CppCompiler::<Cuda>::default().compile(definition, &options).map_err(refused)?;
    Ok(Emitted { entry, source: compiled.to_string(), shared_bytes: compiled.shared_memory_size, name })
}

/// What the CUDA runtime reports of an architecture.
pub struct Target {
    version: u32,
    /// Of the device.
    pub properties: Arc<DeviceProperties>,
    /// Of the runtime.
    pub runtime: Arc<TargetProperties>,
}

impl Target {
    fn new(arch: &str) -> Result<Self> {
        let digits = arch.strip_prefix("sm_").map(|rest| rest.trim_end_matches(|c: char| c.is_ascii_lowercase()));
        let version = digits.and_then(|digits| digits.parse().ok()).filter(|version| *version >= 80).ok_or_else(|| {
            Error::input(format!("--arch {arch}"), "no architecture that the kernels are written for", "use sm_80, sm_90a or a later one")
        })?;
        let properties = Arc::new(properties(version));
        Ok(Self { version, properties, runtime: Arc::new(cubecl_cuda::CudaRuntime::target_properties()) })
    }

    /// The settings of a launch with so many units per cube.
    pub fn settings(&self, units: usize) -> KernelSettings {
        KernelSettings::new(CubeDim::new_1d(units as u32).into(), ExecutionMode::Checked, AddressType::U32)
    }

    /// A buffer that no other argument shares.
    pub fn buffer(&self) -> BufferCompilationArg {
        BufferCompilationArg { inplace: None }
    }

    /// A tensor that no other argument shares.
    pub fn tensor(&self) -> TensorCompilationArg {
        TensorCompilationArg { meta: TensorMetaCompilationArg { len: (), rank: () }, buffer: self.buffer() }
    }
}

fn properties(version: u32) -> DeviceProperties {
    let arch = CudaArchitecture { version, tensor_cores: true };
    let hardware = HardwareProperties {
        load_width: 128,
        vector_register_count: None,
        plane_size_min: 32,
        plane_size_max: 32,
        max_bindings: 1024,
        max_shared_memory_size: if version >= 90 { 232_448 } else { 166_912 },
        max_cube_count: (i32::MAX as u32, 65_535, 65_535),
        max_units_per_cube: 1024,
        max_cube_dim: (1024, 1024, 64),
        num_streaming_multiprocessors: Some(if version >= 90 { 132 } else { 108 }),
        num_tensor_cores: Some(4),
        min_tensor_cores_dim: Some(8),
        num_cpu_cores: None,
        last_level_cache_size: None,
        max_vector_size: VectorSize::MAX,
        cube_mma_reserved_shared_memory: 0,
    };
    let identity = DeviceIdentity { name: format!("offline sm_{version}"), fingerprint: format!("ptx_sm{version}"), physical: None };
    let memory = MemoryDeviceProperties::new(32 << 30, 512);
    let mut properties = DeviceProperties::new(Default::default(), memory, hardware, cubecl::profile::TimingMethod::Device, identity);
    register_supported_types(&mut properties);
    properties.register_opaque_type(OpaqueType::Barrier);
    properties.features.plane.insert(features::Plane::Ops);
    properties.features.plane.insert(features::Plane::Sync);
    properties.features.plane.insert(features::Plane::NonUniformControlFlow);
    properties.features.copy_async = true;
    properties.features.memory_reinterpret = true;
    properties.features.alignment = true;
    if version >= 90 {
        properties.register_opaque_type(OpaqueType::TensorMap);
        properties.features.tma.insert(features::Tma::Base);
        properties.features.cube_cluster = true;
    }
    register_wmma_features(CudaCmmaCompiler::Cpp.supported_cmma_combinations(&arch), &mut properties);
    register_mma_features(supported_mma_combinations(&arch), &mut properties);
    properties
}
