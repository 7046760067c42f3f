//! A stand-in for `cubecl-llvm` that offers the names `cubecl-cuda` uses, without LLVM behind them.
//!
//! `cubecl-cuda` 0.11.3 can turn a kernel into CUDA C++, which NVRTC compiles at run time, or into PTX through LLVM.
//! It selects one by its feature `cpp`, but depends on both; and the real `cubecl-llvm` downloads an LLVM of its own
//! from a release page while it builds. `ablate` always selects CUDA C++, so `[patch.crates-io]` puts this crate in the
//! place of the real one, and the CUDA feature builds from crates alone. Nothing here ever runs: asked to compile a
//! kernel, which only a `cubecl-cuda` without `cpp` would do, [`PlironCompiler`] answers with an error.
//!
//! Name and version equal the original's, because Cargo applies a patch only where the version matches. When CubeCL
//! is upgraded, compare with `src/compiler.rs`, `src/runtime.rs` and `src/compute/context.rs` of `cubecl-cuda`.

#![deny(missing_docs)]

use cubecl_core::{environment::backtrace::BackTrace, ir::nvidia::SmArch};
use cubecl_runtime::{
    compiler::{CompilationError, Compiler},
    kernel::{BufferIOAttr, KernelDefinition},
};
use std::{ffi::c_char, fmt};

/// NVIDIA's intermediate language.
pub mod nvptx {
    /// Its versions.
    pub mod ptx_version {
        use std::fmt;

        /// A version of PTX; none is known here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PtxVersion {}

        impl PtxVersion {
            /// The newest version that a driver loads: always none.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {}
            }
        }
    }
}

/// What the targets have in common.
pub mod shared {
    /// Which device features the LLVM backend can lower.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// The family of a GPU.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// NVIDIA.
            Nvptx,
        }

        /// Takes away what the LLVM backend cannot lower: nothing, as there is no such backend.
        pub fn restrict_features(_properties: &mut DeviceProperties, _target: GpuTarget) {}
    }
}

/// What kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlvmTarget {
    /// NVIDIA's PTX.
    Nvptx,
}

/// A compiler that refuses every kernel.
#[derive(Clone, Debug)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// Options of a compilation; none is read.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// Name of an AMD architecture.
    pub arch: Option<String>,
    /// NVIDIA architecture.
    pub sm_arch: Option<SmArch>,
    /// Version of PTX to emit.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether launch parameters are grid constants.
    pub grid_constants: bool,
}

/// A compiled kernel; none is ever made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PlironArtifact {
    /// For NVIDIA.
    NvptxCode(NvptxModule),
}

impl fmt::Display for PlironArtifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NvptxCode(module) = self;
        f.write_str(&module.ir)
    }
}

/// A compiled kernel for NVIDIA; none is ever made.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// Text of the kernel, ended by a zero.
    pub ptx: Vec<c_char>,
    /// Name of the function to launch.
    pub entrypoint: String,
    /// LLVM's own form, for logs.
    pub ir: String,
    /// Dynamic shared memory in bytes.
    pub shared_memory_size: usize,
    /// What the kernel does with each buffer.
    pub io: Vec<BufferIOAttr>,
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn compile(&mut self, _: KernelDefinition, _: &PlironOptions) -> Result<PlironArtifact, CompilationError> {
        Err(CompilationError::Generic {
            reason: "the LLVM backend is not built in; cubecl-cuda must be built with its feature `cpp`".into(),
            backtrace: BackTrace::capture(),
        })
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}
