//! Matrix products by cuBLASLt, NVIDIA's library, in order with the kernels of CubeCL: where it is installed, every product
//! of the fused operators on CUDA. Without it they are CubeCL's.
//!
//! All of CubeCL that is no public name but a public field is in [`enqueue`]; `docs/kernels.md` says why this is the way.

use super::tensor::{dims, room};
use burn::tensor::DType;
use burn_cubecl::tensor::CubeTensor;
use cubecl_common::{device::DeviceId, device_handle::DeviceHandle};
use cubecl_core::{
    __private::Runtime,
    environment::{backtrace::BackTrace, stream::StreamId},
    server::{Handle, ServerError},
};
use cubecl_cuda::CudaRuntime;
use cubecl_server::stream::{ExecuteScope, WriteScoped};
use cudarc::{
    cublaslt::{
        result::{self, CublasError},
        sys,
    },
    driver::CudaContext,
};
use std::{
    collections::HashMap,
    ffi::c_void,
    ptr::{null_mut, without_provenance, without_provenance_mut},
    sync::{Arc, LazyLock, Mutex},
};

type Server = <CudaRuntime as Runtime>::Server;

/// Room that an algorithm may take for partial sums, bytes: what NVIDIA recommends for Hopper.
const WORKSPACE: usize = 32 << 20;

/// The version of cuBLASLt, if it is installed.
pub fn version() -> Option<String> {
    // SAFETY: a function without arguments of a library that is there.
    let number = installed().then(|| unsafe { sys::cublasLtGetVersion() })?;
    Some(format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100))
}

fn installed() -> bool {
    // SAFETY: loading NVIDIA's library runs nothing of ours.
    static INSTALLED: LazyLock<bool> = LazyLock::new(|| unsafe { sys::is_culib_present() });
    *INSTALLED
}

/// a·b of matrices on CUDA, rounded to `dtype` only; nothing where cuBLASLt is not installed or has no algorithm.
pub fn product(a: &CubeTensor, b: &CubeTensor, dtype: DType) -> Option<CubeTensor> {
    let problem = Problem::of(a, b, dtype)?;
    let plan = plan(problem)?;
    let out = room(a, [problem.rows as usize, problem.columns as usize], dtype);
    let mut handles = vec![a.handle.clone(), b.handle.clone(), out.handle.clone()];
    if plan.workspace > 0 {
        handles.push(a.client.empty(plan.workspace));
    }
    enqueue(problem.device, handles, move |stream, addresses| plan.launch(stream, &addresses));
    Some(out)
}

/// How a matrix lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Operand {
    /// Column by column.
    transposed: bool,
    /// Elements from a row, or column, to the next.
    stride: usize,
    /// Bytes of which its address is a multiple.
    alignment: u32,
}

impl Operand {
    /// Nothing if neither rows nor columns are without gaps.
    fn of(x: &CubeTensor) -> Option<Self> {
        let ([rows, columns], strides) = (dims::<2>(x), x.meta.strides());
        let alignment = 1 << x.handle.offset_start.unwrap_or(0).trailing_zeros().min(8);
        let by_row = (strides[1] == 1 || columns == 1) && (strides[0] >= columns || rows == 1);
        let by_column = (strides[0] == 1 || rows == 1) && (strides[1] >= rows || columns == 1);
        match (by_row, by_column) {
            (true, _) => Some(Self { transposed: false, stride: strides[0].max(columns), alignment }),
            (_, true) => Some(Self { transposed: true, stride: strides[1].max(rows), alignment }),
            _ => None,
        }
    }
}

/// All that the choice of an algorithm depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Problem {
    device: usize,
    rows: u64,
    inner: u64,
    columns: u64,
    a: Operand,
    b: Operand,
    reads: DType,
    writes: DType,
}

impl Problem {
    fn of(a: &CubeTensor, b: &CubeTensor, writes: DType) -> Option<Self> {
        let burn::backend::CubeDevice::Cuda(device) = &a.device else { return None };
        if !installed() || a.meta.shape().num_dims() != 2 || a.qparams.is_some() || b.qparams.is_some() {
            return None;
        }
        kind(a.dtype).and(kind(writes))?;
        let ([rows, inner], [_, columns]) = (dims::<2>(a), dims::<2>(b));
        if rows == 0 || inner == 0 || columns == 0 {
            return None;
        }
        Some(Self {
            device: device.index,
            rows: rows as u64,
            inner: inner as u64,
            columns: columns as u64,
            a: Operand::of(a)?,
            b: Operand::of(b)?,
            reads: a.dtype,
            writes,
        })
    }
}

/// The library's name for an element type that it multiplies.
fn kind(dtype: DType) -> Option<sys::cudaDataType> {
    match dtype {
        DType::F32 => Some(sys::cudaDataType::CUDA_R_32F),
        DType::BF16 => Some(sys::cudaDataType::CUDA_R_16BF),
        DType::F16 => Some(sys::cudaDataType::CUDA_R_16F),
        _ => None,
    }
}

/// Descriptions and the algorithm for a problem, kept for the life of the program.
#[derive(Clone, Copy)]
struct Plan {
    library: sys::cublasLtHandle_t,
    description: sys::cublasLtMatmulDesc_t,
    layouts: [sys::cublasLtMatrixLayout_t; 3],
    algorithm: sys::cublasLtMatmulAlgo_t,
    workspace: usize,
}

// SAFETY: descriptions are only read once they are made, and cuBLASLt may be called by several threads at once.
unsafe impl Send for Plan {}

/// The plan for a problem, made at its first time. Nothing if there is no algorithm.
fn plan(problem: Problem) -> Option<Plan> {
    static PLANS: LazyLock<Mutex<HashMap<Problem, Option<Plan>>>> = LazyLock::new(Mutex::default);
    let mut plans = PLANS.lock().expect("no panic while it is held");
    *plans.entry(problem).or_insert_with(|| {
        Plan::new(&problem).inspect_err(|error| tracing::warn!("cuBLASLt has nothing for {problem:?}: {error}; CubeCL multiplies")).ok()
    })
}

impl Plan {
    /// cuBLASLt reads matrices column by column, so it is asked for bᵀ·aᵀ, which is a·b row by row.
    fn new(problem: &Problem) -> Result<Self, CublasError> {
        let library = library(problem.device)?;
        let [reads, writes] = [problem.reads, problem.writes].map(|dtype| kind(dtype).expect("asked before"));
        let layout = |kind, rows: u64, columns: u64, operand: Operand| {
            let (rows, columns) = if operand.transposed { (columns, rows) } else { (rows, columns) };
            result::create_matrix_layout(kind, rows, columns, operand.stride as i64)
        };
        let out = Operand { transposed: false, stride: problem.columns as usize, alignment: 256 };
        let layouts = [
            layout(reads, problem.columns, problem.inner, problem.b)?,
            layout(reads, problem.inner, problem.rows, problem.a)?,
            layout(writes, problem.columns, problem.rows, out)?,
        ];
        let description = result::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, sys::cudaDataType::CUDA_R_32F)?;
        let preference = result::create_matmul_pref()?;
        use sys::{cublasLtMatmulDescAttributes_t as Description, cublasLtMatmulPreferenceAttributes_t as Preference};
        // `CUBLAS_OP_T` and `CUBLAS_OP_N`, which are of the other library, cuBLAS.
        let operation = |operand: Operand| i32::from(operand.transposed);
        // Partial sums in f32 only: neither rounded to bf16 nor added in another order each time.
        let schemes = sys::cublasLtReductionScheme_t::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
        // SAFETY: all was made above, and every attribute has the type that the library documents for it.
        unsafe {
            let describe = |attribute, operand| {
                set(|at, size| result::set_matmul_desc_attribute(description, attribute, at, size), operation(operand))
            };
            describe(Description::CUBLASLT_MATMUL_DESC_TRANSA, problem.b)?;
            describe(Description::CUBLASLT_MATMUL_DESC_TRANSB, problem.a)?;
            let prefer = |attribute, value: u32| set(|at, size| result::set_matmul_pref_attribute(preference, attribute, at, size), value);
            prefer(Preference::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes)?;
            prefer(Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, problem.b.alignment)?;
            prefer(Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, problem.a.alignment)?;
            let bytes = Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
            set(|at, size| result::set_matmul_pref_attribute(preference, bytes, at, size), WORKSPACE)?;
            let [a, b, c] = layouts;
            let found = result::get_matmul_algo_heuristic(library, description, a, b, c, c, preference);
            result::destroy_matmul_pref(preference)?;
            let found = found?;
            Ok(Self { library, description, layouts, algorithm: found.algo, workspace: found.workspaceSize })
        }
    }

    /// `addresses` of a, b, the result and the workspace, if there is one.
    fn launch(&self, stream: cudarc::driver::sys::CUstream, addresses: &[u64]) -> Result<(), ServerError> {
        let (one, zero) = (1f32, 0f32);
        let read = |i: usize| without_provenance::<c_void>(addresses[i] as usize);
        let out = without_provenance_mut::<c_void>(addresses[2] as usize);
        let workspace = addresses.get(3).map_or(null_mut(), |at| without_provenance_mut(*at as usize));
        let [a, b, c] = self.layouts;
        // SAFETY: the addresses are those of buffers of the sizes that were described, alive until the stream passes them.
        let done = unsafe {
            let (one, zero) = ((&raw const one).cast(), (&raw const zero).cast());
            let algorithm = &raw const self.algorithm;
            result::matmul(
                self.library,
                self.description,
                one,
                zero,
                read(1),
                a,
                read(0),
                b,
                out,
                c,
                out,
                c,
                algorithm,
                workspace,
                self.workspace,
                stream.cast(),
            )
        };
        done.map_err(|error| ServerError::Generic { reason: format!("cuBLASLt: {error}"), backtrace: BackTrace::capture() })
    }
}

/// Sets an attribute to a value.
fn set<T>(attribute: impl FnOnce(*const c_void, usize) -> Result<(), CublasError>, value: T) -> Result<(), CublasError> {
    attribute((&raw const value).cast(), size_of::<T>())
}

/// The library's own state on a device.
fn library(device: usize) -> Result<sys::cublasLtHandle_t, CublasError> {
    static LIBRARIES: LazyLock<Mutex<HashMap<usize, usize>>> = LazyLock::new(Mutex::default);
    enter(device);
    let mut libraries = LIBRARIES.lock().expect("no panic while it is held");
    if let Some(at) = libraries.get(&device) {
        return Ok(std::ptr::with_exposed_provenance_mut(*at));
    }
    let library = result::create_handle()?;
    libraries.insert(device, library.expose_provenance());
    Ok(library)
}

/// Makes a device's context, the one that CubeCL uses, the current one of this thread.
fn enter(device: usize) {
    static CONTEXTS: LazyLock<Mutex<HashMap<usize, Arc<CudaContext>>>> = LazyLock::new(Mutex::default);
    let mut contexts = CONTEXTS.lock().expect("no panic while it is held");
    let context = contexts.entry(device).or_insert_with(|| CudaContext::new(device).expect("a device that tensors are on"));
    context.bind_to_thread().expect("a context that CubeCL uses");
}

/// Runs `work(stream, addresses)` on the device's thread, behind everything that this thread has launched; it writes the third
/// handle and those behind it. A failure is found by whoever reads these.
fn enqueue(
    device: usize,
    handles: Vec<Handle>,
    work: impl FnOnce(cudarc::driver::sys::CUstream, Vec<u64>) -> Result<(), ServerError> + Send + 'static,
) {
    let id = StreamId::current();
    let bindings: Vec<_> = handles.into_iter().map(Handle::binding).collect();
    DeviceHandle::<Server>::new(DeviceId::new(0, device as u16)).submit(move |server: &mut Server| {
        enter(device);
        let _ = ExecuteScope::over(server, id, bindings[2..].to_vec()).execute(|server| {
            let mut streams = server.write_streams().resolve(id, bindings.iter())?;
            let stream = streams.get(&id).sys;
            let mut addresses = vec![];
            for binding in &bindings {
                let memory = &mut streams.get(&binding.stream).memory_management_gpu;
                addresses.push(memory.get_resource(binding.memory.clone(), binding.offset_start, binding.offset_end)?.ptr);
            }
            work(stream, addresses)
        });
    });
}
