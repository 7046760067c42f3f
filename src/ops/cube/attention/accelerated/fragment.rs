//! Products of tiles in shared memory and of registers, sixteen rows per plane.

use super::{Blueprint, CHUNK, UNITS};
use burn_cubecl::cubecl;
use cubecl::{
    cmma::{MatrixIdent, MmaDefinition},
    prelude::*,
};

/// Sixteen bytes.
pub type Chunk<F> = Vector<F, Const<8>>;
/// What one register holds of a 16-bit operand, and what one row of a column tile holds of an accumulator.
pub type Pair<F> = Vector<F, Const<2>>;

/// Copies `count` rows of a head from `first` on into a tile; where rows end, the last one again, which the caller does not
/// count. (Chunks that are whole or zero would be taken apart and put together again, element by element.)
#[cube]
pub fn load<F: Float>(
    from: &Tensor<Chunk<F>>,
    batch: usize,
    head: usize,
    first: usize,
    to: &mut Shared<[Chunk<F>]>,
    #[comptime] count: usize,
    #[comptime] blueprint: Blueprint,
) {
    let chunks = comptime!(blueprint.head_dim / CHUNK);
    let pitch = comptime!(blueprint.pitch());
    let rows = from.shape(2);
    let base = (batch * from.stride(0) + head * from.stride(1)) / CHUNK;
    let stride = from.stride(2) / CHUNK;
    let mut i = UNIT_POS as usize;
    while i < comptime!(count * chunks) {
        let row = i / chunks;
        let chunk = i % chunks;
        to[row * pitch + chunk] = from[base + min(first + row, rows - 1) * stride + chunk];
        i += UNITS;
    }
}

/// `out` = sixteen rows of `a` from `row` on, times all `columns` rows of `b`, over the head.
#[cube]
pub fn products<F: Float>(
    a: &Shared<[Chunk<F>]>,
    b: &Shared<[Chunk<F>]>,
    row: usize,
    out: &mut Array<Pair<f32>>,
    #[comptime] blueprint: Blueprint,
) {
    let multiply = MmaDefinition::<F, F, f32>::new(16usize, 8usize, 16usize);
    let pitch = comptime!(blueprint.pitch());
    let tiles = comptime!(blueprint.columns / 8);
    let lane = UNIT_POS_PLANE as usize;
    #[unroll]
    for i in 0..comptime!(2 * tiles) {
        out[i] = Vector::<f32, Const<2>>::new(0.0f32);
    }
    #[unroll]
    for step in 0..comptime!(blueprint.head_dim / 16) {
        // Four 8 x 8 matrices: rows 0-7 and 8-15 of the first eight columns, then of the next.
        let at = (row + lane % 16) * pitch + step * 2 + lane / 16;
        let left = multiply.load_matrix::<Chunk<F>, Const<2>>(&a[at..at + 1], MatrixIdent::A, 4usize, false);
        #[unroll]
        for pair in 0..comptime!(tiles / 2) {
            // Rows 0-7, the first eight columns and the next; then rows 8-15, which are the next tile's.
            let at = (pair * 16 + lane / 16 * 8 + lane % 8) * pitch + step * 2 + (lane / 8) % 2;
            let right = multiply.load_matrix::<Chunk<F>, Const<2>>(&b[at..at + 1], MatrixIdent::B, 4usize, false);
            add_two::<F>(&multiply, &left, &right, out, pair);
        }
    }
}

/// `out` += the sixteen rows of `weights`, rounded to F, times the `columns` rows of `rows`.
#[cube]
pub fn accumulate<F: Float>(
    weights: &Array<Pair<f32>>,
    rows: &Shared<[Chunk<F>]>,
    out: &mut Array<Pair<f32>>,
    #[comptime] blueprint: Blueprint,
) {
    let multiply = MmaDefinition::<F, F, f32>::new(16usize, 8usize, 16usize);
    let pitch = comptime!(blueprint.pitch());
    let lane = UNIT_POS_PLANE as usize;
    #[unroll]
    for step in 0..comptime!(blueprint.columns / 16) {
        // An operand's four registers are those of two neighbouring column tiles of an accumulator.
        let mut left = Array::<Pair<F>>::new(4usize);
        #[unroll]
        for i in 0..4usize {
            left[i] = Vector::<F, Const<2>>::cast_from(weights[step * 4 + i]);
        }
        #[unroll]
        for pair in 0..comptime!(blueprint.head_dim / 16) {
            // Rows 0-7 and 8-15 of eight columns, then of the next eight.
            let at = (step * 16 + lane % 16) * pitch + pair * 2 + lane / 16;
            let right = multiply.load_matrix::<Chunk<F>, Const<2>>(&rows[at..at + 1], MatrixIdent::B, 4usize, true);
            add_two::<F>(&multiply, &left, &right, out, pair);
        }
    }
}

/// Adds products to two neighbouring column tiles of `out`; `right` has two registers of each.
#[cube]
fn add_two<F: Float>(
    multiply: &MmaDefinition<F, F, f32>,
    left: &Array<Pair<F>>,
    right: &Array<Pair<F>>,
    out: &mut Array<Pair<f32>>,
    #[comptime] pair: usize,
) {
    #[unroll]
    for which in 0..2usize {
        let tile = comptime!(2 * pair + which);
        let mut own = Array::<Pair<F>>::new(2usize);
        own[0] = right[2 * which];
        own[1] = right[2 * which + 1];
        let mut sum = Array::<Pair<f32>>::new(2usize);
        sum[0] = out[2 * tile];
        sum[1] = out[2 * tile + 1];
        let sum = multiply.execute(left, &own, &sum);
        out[2 * tile] = sum[0];
        out[2 * tile + 1] = sum[1];
    }
}

/// e to the power of x, two instructions: within 2 units of the last place of f32 for small x, |x|·2⁻²³ beyond.
#[cube]
pub fn exp(x: f32) -> f32 {
    let doublings = x * comptime!(std::f32::consts::LOG2_E);
    let power: f32;
    gpu_asm!("ex2.approx.ftz.f32 {}, {};", out(_) power, in(_) doublings);
    power
}

/// The sum over the four lanes that share a row.
#[cube]
pub fn row_sum(value: f32) -> f32 {
    let value = value + plane_shuffle_xor(value, 1u32);
    value + plane_shuffle_xor(value, 2u32)
}

/// The maximum over the four lanes that share a row.
#[cube]
pub fn row_max(value: f32) -> f32 {
    let value = max(value, plane_shuffle_xor(value, 1u32));
    max(value, plane_shuffle_xor(value, 2u32))
}

/// Writes sixteen rows, times `factor` each, as rows from `first` on of a head.
#[cube]
pub fn store<F: Float>(
    values: &Array<Pair<f32>>,
    factors: &Array<f32>,
    to: &mut Tensor<Pair<F>>,
    batch: usize,
    head: usize,
    first: usize,
    #[comptime] blueprint: Blueprint,
) {
    let rows = to.shape(2);
    let lane = UNIT_POS_PLANE as usize;
    let base = (batch * to.stride(0) + head * to.stride(1)) / 2 + lane % 4;
    let stride = to.stride(2) / 2;
    #[unroll]
    for half in 0..2usize {
        let row = first + lane / 4 + half * 8;
        if row < rows {
            #[unroll]
            for tile in 0..comptime!(blueprint.head_dim / 8) {
                let scaled = values[2 * tile + half] * Vector::<f32, Const<2>>::new(factors[half]);
                to[base + row * stride + tile * 4] = Vector::<F, Const<2>>::cast_from(scaled);
            }
        }
    }
}
