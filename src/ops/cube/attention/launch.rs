//! From tensors to launches of the kernels.

use super::{
    accelerated,
    backward::{self, DELTA_ROWS},
    blueprint::{BiasKind, Blueprint, Scoring, UNITS},
    forward,
};
use burn::{
    backend::TensorMetadata,
    tensor::{DType, Shape},
};
use burn_cubecl::{
    cubecl::{ir::AddressType, ir::ElemType, ir::FloatKind, prelude::*},
    kernel::into_contiguous,
    ops::numeric::empty_device_contiguous_dtype,
    ops::permute,
    tensor::CubeTensor,
};

/// What is added to the scores.
#[derive(Clone, Debug)]
pub enum Bias {
    /// Nothing.
    None,
    /// A positive slope per query head, f32 `[heads]`: the score falls by slope · distance.
    Alibi(CubeTensor),
    /// An entry by bucket of the distance and by query head.
    Relative {
        /// f32 `[buckets, heads]`, contiguous.
        table: CubeTensor,
        /// u32 `[keys]`: the bucket of each distance.
        buckets: CubeTensor,
    },
}

/// Options of one attention, with what they need on the device; meanings as in the kernels for the CPU.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What q·k is multiplied by.
    pub scale: f32,
    /// The bound of the scores before the bias.
    pub soft_cap: Option<f32>,
    /// Keys that a query sees at most, itself included; at least 1.
    pub window: Option<usize>,
    /// u32 `[batch, keys]`: the first position of the document that each position belongs to, non-decreasing along the
    /// sequence.
    pub starts: Option<CubeTensor>,
    /// What is added to the scores.
    pub bias: Bias,
}

impl Problem {
    /// What is compiled into a kernel.
    pub fn scoring(&self) -> Scoring {
        let bias = match self.bias {
            Bias::None => BiasKind::None,
            Bias::Alibi(_) => BiasKind::Alibi,
            Bias::Relative { .. } => BiasKind::Relative,
        };
        Scoring { soft_cap: self.soft_cap.is_some(), window: self.window.is_some(), documents: self.starts.is_some(), bias }
    }

    /// The buffers `starts`, `bias` and `buckets` of the kernels; one of nothing where a kernel reads none.
    pub fn arguments(&self, like: &CubeTensor) -> [BufferArg; 3] {
        let nothing = || empty(like, [1], DType::U32);
        let (bias, buckets) = match &self.bias {
            Bias::None => (nothing(), nothing()),
            Bias::Alibi(slopes) => (slopes.clone(), nothing()),
            Bias::Relative { table, buckets } => (table.clone(), buckets.clone()),
        };
        [self.starts.clone().unwrap_or_else(nothing), bias, buckets].map(CubeTensor::into_buffer_arg)
    }

    /// The scalars of the kernels: scale, cap, window.
    pub fn scalars(&self) -> (f32, f32, u32) {
        (self.scale, self.soft_cap.unwrap_or(1.0), self.window.unwrap_or(0).min(u32::MAX as usize) as u32)
    }
}

/// Gradients of one attention.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// `[batch, heads, queries, head_dim]`.
    pub dq: CubeTensor,
    /// `[batch, kv_heads, keys, head_dim]`.
    pub dk: CubeTensor,
    /// `[batch, kv_heads, keys, head_dim]`.
    pub dv: CubeTensor,
    /// f32 `[buckets, heads]`, for a relative bias.
    pub table: Option<CubeTensor>,
}

/// The sizes of a tensor `[batch, heads, seq, head_dim]`.
pub fn sizes(x: &CubeTensor) -> [usize; 4] {
    x.shape().dims()
}

/// A tensor whose last dimension is contiguous.
fn rows(x: CubeTensor) -> CubeTensor {
    let last = x.meta.strides().last().copied().unwrap_or(1);
    // A dimension of one element may have any stride.
    if last == 1 || sizes(&x)[3] == 1 { x } else { into_contiguous(x) }
}

/// A tensor whose values nothing has written yet.
pub fn empty(like: &CubeTensor, shape: impl Into<Shape>, dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape.into(), dtype)
}

/// Room for `[batch, heads, seq, head_dim]` that lies as `[batch, seq, heads, head_dim]`, as the layers around read it.
fn interleaved(like: &CubeTensor, [batch, heads, seq, head_dim]: [usize; 4]) -> CubeTensor {
    permute(empty(like, [batch, seq, heads, head_dim], like.dtype), &[0, 2, 1, 3])
}

/// The kernels' element type.
///
/// # Panics
///
/// If they have none for it.
pub fn element(dtype: DType) -> ElemType {
    ElemType::Float(match dtype {
        DType::F32 => FloatKind::F32,
        DType::F16 => FloatKind::F16,
        DType::BF16 => FloatKind::BF16,
        other => panic!("attention: no kernel for {other:?}; use f32, f16 or bf16"),
    })
}

/// The integer that can index each of these tensors.
pub fn address_type(tensors: &[&CubeTensor]) -> AddressType {
    tensors.iter().map(|x| x.required_address_type()).max().unwrap_or_default()
}

/// A cube per tile, head and sequence.
pub fn grid(tiles: usize, heads: usize, batch: usize) -> CubeCount {
    CubeCount::Static(tiles as u32, heads as u32, batch as u32)
}

/// Output `[batch, heads, queries, head_dim]` and log-sum `[batch, heads, queries]` (f32) of queries `q`
/// `[batch, heads, queries, head_dim]` that meet keys and values `[batch, kv_heads, keys, head_dim]`.
///
/// # Panics
///
/// If shapes contradict each other, or for an element type or head size without kernels.
pub fn forward(problem: &Problem, q: CubeTensor, k: CubeTensor, v: CubeTensor) -> (CubeTensor, CubeTensor) {
    let [batch, heads, queries, head_dim] = sizes(&q);
    let out = interleaved(&q, [batch, heads, queries, head_dim]);
    let log_sum = empty(&q, [batch, heads, queries], DType::F32);
    forward_into(problem, q, k, v, &out, &log_sum);
    (out, log_sum)
}

/// [`forward`] into given tensors.
pub fn forward_into(problem: &Problem, q: CubeTensor, k: CubeTensor, v: CubeTensor, out: &CubeTensor, log_sum: &CubeTensor) {
    let [q, k, v] = [q, k, v].map(rows);
    let [batch, heads, queries, head_dim] = sizes(&q);
    check(&q, &k, &v);
    if out.shape().num_elements() == 0 {
        return;
    }
    if accelerated::serves(&q.client, element(q.dtype), head_dim) {
        return accelerated::launch::forward(problem, [q, k, v], out, log_sum);
    }
    let blueprint = Blueprint::forward(head_dim, problem.scoring());
    let [starts, bias, buckets] = problem.arguments(&q);
    let (scale, soft_cap, window) = problem.scalars();
    let client = q.client.clone();
    forward::forward::launch(
        &client,
        grid(queries.div_ceil(blueprint.queries), heads, batch),
        CubeDim::new_1d(UNITS as u32),
        address_type(&[&q, &k, &v, out]),
        q.clone().into_tensor_arg(),
        k.into_tensor_arg(),
        v.into_tensor_arg(),
        starts,
        bias,
        buckets,
        out.clone().into_tensor_arg(),
        log_sum.clone().into_buffer_arg(),
        scale,
        soft_cap,
        window,
        blueprint,
        element(q.dtype),
    );
}

fn check(q: &CubeTensor, k: &CubeTensor, v: &CubeTensor) {
    let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (sizes(q), sizes(k));
    assert_eq!(sizes(k), sizes(v), "attention: keys and values");
    assert_eq!([sizes(k)[0], sizes(k)[3]], [batch, head_dim], "attention: queries and keys");
    assert!(kv_heads > 0 && heads.is_multiple_of(kv_heads), "attention: {kv_heads} kv heads do not divide {heads} heads");
    assert!(queries <= keys, "attention: {queries} queries, {keys} keys");
    assert!(keys < 1 << 24, "attention: positions must be exact in f32");
    assert!(q.dtype == k.dtype && k.dtype == v.dtype, "attention: {:?}, {:?} and {:?}", q.dtype, k.dtype, v.dtype);
}

/// Gradients of [`forward`] from the gradient of its output.
///
/// # Panics
///
/// As [`forward`].
pub fn backward(
    problem: &Problem,
    q: CubeTensor,
    k: CubeTensor,
    v: CubeTensor,
    out: CubeTensor,
    log_sum: CubeTensor,
    dout: CubeTensor,
) -> Gradients {
    let table = match &problem.bias {
        Bias::Relative { table, .. } => Some(empty(&q, table.shape(), DType::F32)),
        _ => None,
    };
    let gradients = Gradients { dq: interleaved(&q, sizes(&q)), dk: interleaved(&k, sizes(&k)), dv: interleaved(&v, sizes(&v)), table };
    backward_into(problem, q, k, v, out, log_sum, dout, &gradients);
    gradients
}

/// [`backward`] into given tensors.
pub fn backward_into(
    problem: &Problem,
    q: CubeTensor,
    k: CubeTensor,
    v: CubeTensor,
    out: CubeTensor,
    log_sum: CubeTensor,
    dout: CubeTensor,
    gradients: &Gradients,
) {
    let [q, k, v, out, dout] = [q, k, v, out, dout].map(rows);
    check(&q, &k, &v);
    let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (sizes(&q), sizes(&k));
    assert!(batch * queries > 0, "attention: gradients of nothing");
    let client = q.client.clone();
    let dtype = element(q.dtype);
    let cube = CubeDim::new_1d(UNITS as u32);
    let addresses = address_type(&[&q, &k, &v, &out, &dout]);
    let (scale, soft_cap, window) = problem.scalars();

    let delta = empty(&q, [batch, heads, queries], DType::F32);
    backward::deltas::launch(
        &client,
        grid(queries.div_ceil(DELTA_ROWS), heads, batch),
        cube,
        addresses,
        out.into_tensor_arg(),
        dout.clone().into_tensor_arg(),
        delta.clone().into_buffer_arg(),
        head_dim,
        dtype,
    );

    let blueprint = Blueprint::queries(head_dim, problem.scoring());
    let tensor_cores = accelerated::serves(&client, dtype, head_dim);
    let tiles = queries.div_ceil(if tensor_cores { accelerated::ROWS } else { blueprint.queries });
    let buckets_count = match &problem.bias {
        Bias::Relative { table, .. } => table.shape()[0],
        _ => 0,
    };
    let tables = empty(&q, [(batch * heads * tiles * buckets_count).max(1)], DType::F32);
    if tensor_cores {
        accelerated::launch::backward(problem, [q, k, v, dout], &log_sum, &delta, gradients, &tables, buckets_count);
    } else {
        let [starts, bias, buckets] = problem.arguments(&q);
        backward::query_gradients::launch(
            &client,
            grid(tiles, heads, batch),
            cube,
            addresses,
            q.clone().into_tensor_arg(),
            k.clone().into_tensor_arg(),
            v.clone().into_tensor_arg(),
            dout.clone().into_tensor_arg(),
            starts,
            bias,
            buckets,
            log_sum.clone().into_buffer_arg(),
            delta.clone().into_buffer_arg(),
            gradients.dq.clone().into_tensor_arg(),
            tables.clone().into_buffer_arg(),
            scale,
            soft_cap,
            window,
            buckets_count as u32,
            blueprint,
            dtype,
        );
        let blueprint = Blueprint::keys(head_dim, problem.scoring());
        let [starts, bias, buckets] = problem.arguments(&q);
        backward::key_gradients::launch(
            &client,
            grid(keys.div_ceil(blueprint.keys), kv_heads, batch),
            cube,
            addresses,
            q.into_tensor_arg(),
            k.into_tensor_arg(),
            v.into_tensor_arg(),
            dout.into_tensor_arg(),
            starts,
            bias,
            buckets,
            log_sum.into_buffer_arg(),
            delta.into_buffer_arg(),
            gradients.dk.clone().into_tensor_arg(),
            gradients.dv.clone().into_tensor_arg(),
            scale,
            soft_cap,
            window,
            blueprint,
            dtype,
        );
    }
    if let Some(table) = &gradients.table {
        backward::sum_tables::launch(
            &client,
            CubeCount::Static((buckets_count * heads).div_ceil(UNITS) as u32, 1, 1),
            cube,
            tables.into_buffer_arg(),
            table.clone().into_buffer_arg(),
            batch as u32,
            heads as u32,
            tiles as u32,
            buckets_count as u32,
        );
    }
}
