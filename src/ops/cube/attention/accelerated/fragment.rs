//! Products of tiles in shared memory and of registers, sixteen rows per plane.

use super::{Blueprint, CHUNK, UNITS};
use burn_cubecl::cubecl;
use cubecl::{
    cmma::{MatrixIdent, MmaDefinition},
    frontend::barrier::copy_async,
    prelude::*,
};

/// Sixteen bytes.
pub type Chunk<F> = Vector<F, Const<8>>;
/// What one register holds of a 16-bit operand, and what one row of a column tile holds of an accumulator.
pub type Pair<F> = Vector<F, Const<2>>;

/// Begins to copy `count` rows of a head from `first` on into the rows of a tile from `base` on; where rows end, the last one
/// again, which the caller does not count. To be followed by [`commit`], and by [`arrived`] before they are read.
#[cube]
pub fn fetch<F: Float>(
    from: &Tensor<Chunk<F>>,
    batch: usize,
    head: usize,
    first: usize,
    to: &mut Shared<[Chunk<F>]>,
    base: usize,
    #[comptime] count: usize,
    #[comptime] blueprint: Blueprint,
) {
    let chunks = comptime!(blueprint.head_dim / CHUNK);
    let pitch = comptime!(blueprint.pitch());
    let rows = from.shape(2);
    let start = (batch * from.stride(0) + head * from.stride(1)) / CHUNK;
    let stride = from.stride(2) / CHUNK;
    #[unroll]
    for step in 0..comptime!((count * chunks).div_ceil(UNITS)) {
        let i = UNIT_POS as usize + step * UNITS;
        let row = i / chunks;
        let chunk = i % chunks;
        if comptime!((step + 1) * UNITS <= count * chunks) || i < comptime!(count * chunks) {
            let at = start + min(first + row, rows - 1) * stride + chunk;
            let to_at = (base + row) * pitch + chunk;
            copy_async(&from[at..at + 1], &mut to[to_at..to_at + 1], comptime!(CHUNK as u32));
        }
    }
}

/// As [`fetch`], one number per row: `count` of those from `first` to before `end`, of the last again where they end.
#[cube]
pub fn fetch_numbers(from: &[f32], first: usize, end: usize, to: &mut Shared<[f32]>, base: usize, #[comptime] count: usize) {
    let i = UNIT_POS as usize;
    if i < count {
        let at = min(first + i, end - 1);
        copy_async(&from[at..at + 1], &mut to[base + i..base + i + 1], 1u32);
    }
}

/// Ends a group of [`fetch`]es.
#[cube]
pub fn commit() {
    gpu_asm!("cp.async.commit_group;");
}

/// Waits until all groups have arrived, and for the other units to get here.
#[cube]
pub fn arrived() {
    gpu_asm!("cp.async.wait_group 0;");
    sync_cube();
}

/// As [`arrived`], but for the latest group.
#[cube]
pub fn arrived_but_one() {
    gpu_asm!("cp.async.wait_group 1;");
    sync_cube();
}

/// `out` = sixteen rows of `a` from `row` on, times the `columns` rows of `b` from `base` on, over the head.
#[cube]
pub fn products<F: Float>(
    a: &Shared<[Chunk<F>]>,
    b: &Shared<[Chunk<F>]>,
    row: usize,
    base: usize,
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
            let at = (base + pair * 16 + lane / 16 * 8 + lane % 8) * pitch + step * 2 + (lane / 8) % 2;
            let right = multiply.load_matrix::<Chunk<F>, Const<2>>(&b[at..at + 1], MatrixIdent::B, 4usize, false);
            add_two::<F>(&multiply, &left, &right, out, pair);
        }
    }
}

/// `out` += the sixteen rows of `weights`, rounded to F, times the `columns` rows of `rows` from `base` on.
#[cube]
pub fn accumulate<F: Float>(
    weights: &Array<Pair<f32>>,
    rows: &Shared<[Chunk<F>]>,
    base: usize,
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
            let at = (base + step * 16 + lane % 16) * pitch + pair * 2 + lane / 16;
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

/// 2 to the power of x.
#[cube]
fn exp2(x: f32) -> f32 {
    let power: f32;
    gpu_asm!("ex2.approx.ftz.f32 {}, {};", out(_) power, in(_) x);
    power
}

/// e to the power of x, 1 for 0: two instructions, relative error 2⁻²² near 1 and |x|·2⁻²³ beyond.
#[cube]
pub fn exp(x: f32) -> f32 {
    exp2(x * comptime!(std::f32::consts::LOG2_E))
}

/// [`exp`] of x − level, both of which are far from the largest number of f32: for many x one instruction less.
#[cube]
pub fn exp_above(x: f32, level: f32) -> f32 {
    exp2(fma(x, comptime!(std::f32::consts::LOG2_E).runtime(), level * comptime!(-std::f32::consts::LOG2_E)))
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
