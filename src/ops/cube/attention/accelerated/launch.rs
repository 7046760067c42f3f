//! Launches of the kernels on tensor cores.

use super::{
    super::launch::{Gradients, Problem, address_type, element, grid, sizes},
    Blueprint, CHUNK, ROWS, UNITS, backward, forward,
};
use burn_cubecl::{cubecl::prelude::CubeDim, kernel::into_contiguous, tensor::CubeTensor};

/// A tensor that can be read sixteen bytes at a time.
fn chunked(x: CubeTensor) -> CubeTensor {
    let strides = x.meta.strides();
    let whole = strides[..3].iter().all(|stride| stride.is_multiple_of(CHUNK)) && strides[3] == 1;
    let aligned = x.handle.offset_start.unwrap_or(0).is_multiple_of(16);
    if whole && aligned { x } else { fresh(x) }
}

/// A copy that lies contiguously in an allocation of its own.
fn fresh(x: CubeTensor) -> CubeTensor {
    if x.is_contiguous() { x.copy() } else { into_contiguous(x) }
}

fn cube() -> CubeDim {
    CubeDim::new_1d(UNITS as u32)
}

/// The forward pass.
pub fn forward(problem: &Problem, inputs: [CubeTensor; 3], out: &CubeTensor, log_sum: &CubeTensor) {
    let [q, k, v] = inputs.map(chunked);
    let [batch, heads, queries, head_dim] = sizes(&q);
    let blueprint = Blueprint::forward(head_dim, problem.scoring());
    let [starts, bias, buckets] = problem.arguments(&q);
    let (scale, soft_cap, window) = problem.scalars();
    let (client, dtype) = (q.client.clone(), element(q.dtype));
    forward::forward_mma::launch(
        &client,
        grid(queries.div_ceil(ROWS), heads, batch),
        cube(),
        address_type(&[&q, &k, &v, out]),
        q.into_tensor_arg(),
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
        dtype,
    );
}

/// Gradients of q, k and v, and what each tile adds to that of a table, into `tables` `[batch, heads, tiles, buckets]` with a
/// tile per [`ROWS`] queries. `inputs` are q, k, v and the gradient of the output.
pub fn backward(
    problem: &Problem,
    inputs: [CubeTensor; 4],
    log_sum: &CubeTensor,
    delta: &CubeTensor,
    gradients: &Gradients,
    tables: &CubeTensor,
    buckets_count: usize,
) {
    let [q, k, v, dout] = inputs.map(chunked);
    let ([batch, heads, queries, head_dim], [_, kv_heads, keys, _]) = (sizes(&q), sizes(&k));
    let blueprint = Blueprint::backward(head_dim, problem.scoring());
    let (scale, soft_cap, window) = problem.scalars();
    let (client, dtype) = (q.client.clone(), element(q.dtype));
    let addresses = address_type(&[&q, &k, &v, &dout]);
    let [starts, bias, buckets] = problem.arguments(&q);
    backward::query_gradients_mma::launch(
        &client,
        grid(queries.div_ceil(ROWS), heads, batch),
        cube(),
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
    let [starts, bias, buckets] = problem.arguments(&q);
    backward::key_gradients_mma::launch(
        &client,
        grid(keys.div_ceil(ROWS), kv_heads, batch),
        cube(),
        addresses,
        q.into_tensor_arg(),
        k.into_tensor_arg(),
        v.into_tensor_arg(),
        dout.into_tensor_arg(),
        starts,
        bias,
        buckets,
        log_sum.clone().into_buffer_arg(),
        delta.clone().into_buffer_arg(),
        gradients.dk.clone().into_tensor_arg(),
        gradients.dv.clone().into_tensor_arg(),
        scale,
        soft_cap,
        window,
        blueprint,
        dtype,
    );
}
