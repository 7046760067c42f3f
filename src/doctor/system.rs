//! What this build and this machine have.

use crate::{device, ops};
use serde::{Deserialize, Serialize};

/// This build and this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// Version of `ablate`.
    pub version: String,
    /// The processor, as the kernels see it.
    pub processor: Processor,
    /// Backends, and their devices.
    pub backends: Vec<Backends>,
    /// Version of cuBLASLt, if this build has CUDA and the library is installed.
    pub cublaslt: Option<String>,
}

/// The processor, as the kernels see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processor {
    /// Architecture.
    pub architecture: String,
    /// Vector instructions in use: `AVX-512`, `AVX2`, `NEON` or `portable`.
    pub instructions: String,
    /// Whether it multiplies bf16 (AVX512-BF16).
    pub bf16: bool,
    /// Worker threads.
    pub threads: usize,
    /// The allocator that holds the tensors.
    pub allocator: String,
}

/// A backend, and its devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backends {
    /// `flex`, `cuda` or `wgpu`.
    pub backend: String,
    /// Whether this build has it.
    pub built_in: bool,
    /// Names for `--device`, each with what the system calls it.
    pub devices: Vec<String>,
    /// Why there is none.
    pub problem: Option<String>,
}

/// Looks at build and machine; `allocator` is what the program chose.
pub fn system(allocator: &str) -> System {
    let backends = device::backends().into_iter().map(|found| {
        let (devices, problem) = match found.devices {
            Ok(devices) => (devices, None),
            Err(problem) => (vec![], Some(problem)),
        };
        Backends { backend: found.backend.into(), built_in: found.built_in, devices, problem }
    });
    System {
        version: env!("CARGO_PKG_VERSION").into(),
        processor: Processor {
            architecture: std::env::consts::ARCH.into(),
            instructions: ops::instructions().into(),
            bf16: ops::multiplies_bf16(),
            threads: rayon::current_num_threads(),
            allocator: allocator.into(),
        },
        backends: backends.collect(),
        cublaslt: ops::cublaslt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_what_is_not_says_why() {
        let system = system("none");
        assert_eq!(system.backends.iter().map(|found| found.backend.as_str()).collect::<Vec<_>>(), ["flex", "cuda", "wgpu"]);
        assert!(system.backends[0].built_in && system.backends[0].devices == ["flex"]);
        assert!(system.processor.threads > 0 && !system.processor.instructions.is_empty());
        for found in &system.backends {
            assert_eq!(found.devices.is_empty(), found.problem.is_some(), "{found:?}");
            assert!(found.built_in || found.problem.as_ref().is_some_and(|problem| problem.contains("--features")), "{found:?}");
        }
    }
}
