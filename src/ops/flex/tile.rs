//! Register-tiled products of small matrices, the inner loops of [`super::attention`], and the packing they read from.

// Loops over indices with bounds known at compile time are what keeps the accumulators in registers.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

/// Rows of a product: accumulators of this many rows and two vectors fill half of 32 vector registers.
pub const ROWS: usize = 8;

/// Scratch lengths and key ranges are multiples of this, which every vector length divides.
pub const UNIT: usize = 16;

/// How many rows ahead of the one being copied are asked for.
const AHEAD: usize = 8;

/// The left factor, read one scalar at a time: element (row, step) lies at `data + row * row_stride + step * step_stride`.
#[derive(Clone, Copy)]
pub struct Left {
    pub data: *const f32,
    pub row: usize,
    pub step: usize,
}

/// The right factor, read by vectors: vector `v` of a step lies at `data + step * step_stride + v * vector_stride`.
#[derive(Clone, Copy)]
pub struct Right {
    pub data: *const f32,
    pub step: usize,
    pub vector: usize,
}

/// What a product is added to.
#[derive(Clone, Copy)]
pub enum Start<'a> {
    Zero,
    /// What the output holds.
    Output,
    /// What the output holds, times a factor per row.
    Scaled(&'a [f32; ROWS]),
}

/// The least multiple of `unit` that is not below `n`.
#[inline(always)]
pub fn round_up(n: usize, unit: usize) -> usize {
    n.div_ceil(unit) * unit
}

/// The greatest multiple of `unit` that is not above `n`.
#[inline(always)]
pub fn round_down(n: usize, unit: usize) -> usize {
    n / unit * unit
}

/// # Safety
/// `at` points to a whole readable vector.
#[inline(always)]
pub unsafe fn load<S: Simd>(_: S, at: *const f32) -> S::f32s {
    // SAFETY: as promised by the caller; f32s is a plain vector of floats.
    unsafe { at.cast::<S::f32s>().read_unaligned() }
}

/// # Safety
/// `at` points to a whole writable vector.
#[inline(always)]
pub unsafe fn store<S: Simd>(_: S, at: *mut f32, x: S::f32s) {
    // SAFETY: as promised by the caller.
    unsafe { at.cast::<S::f32s>().write_unaligned(x) }
}

/// Asks for a row to be brought to the cache, which hides the latency of rows far apart.
#[inline(always)]
pub fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..row.len()).step_by(16) {
        // SAFETY: a hint, which reads nothing.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(row.as_ptr().add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// Copies a row times a factor, and zeros to the end of `to`, which has whole vectors.
#[inline(always)]
fn copy_row<S: Simd>(simd: S, factor: f32, from: &[f32], to: &mut [f32]) {
    let factor = simd.splat_f32s(factor);
    let (from, tail) = S::as_simd_f32s(from);
    let (to, _) = S::as_mut_simd_f32s(to);
    let (whole, rest) = to.split_at_mut(from.len());
    for (x, y) in whole.iter_mut().zip(from) {
        *x = simd.mul_f32s(factor, *y);
    }
    if let Some((first, rest)) = rest.split_first_mut() {
        *first = simd.mul_f32s(factor, simd.partial_load_f32s(tail));
        rest.fill(simd.splat_f32s(0.0));
    }
}

/// Copies rows times a factor to rows of `width` elements, the rest of each row 0; rows from `end` to `to`'s end are 0.
#[inline(always)]
pub fn copy_rows<'a, S: Simd>(simd: S, end: usize, factor: f32, width: usize, row: impl Fn(usize) -> &'a [f32], to: &mut [f32]) {
    for (i, to) in to.chunks_exact_mut(width).enumerate() {
        if i >= end {
            to.fill(0.0);
            continue;
        }
        if i + AHEAD < end {
            prefetch(row(i + AHEAD));
        }
        copy_row(simd, factor, row(i), to);
    }
}

/// Writes the elements of a padded row without the padding, times a factor.
#[inline(always)]
pub fn write_row<S: Simd>(simd: S, factor: f32, from: &[f32], to: &mut [f32]) {
    let factor = simd.splat_f32s(factor);
    let (from, _) = S::as_simd_f32s(from);
    let (to, tail) = S::as_mut_simd_f32s(to);
    for (x, y) in to.iter_mut().zip(from) {
        *x = simd.mul_f32s(factor, *y);
    }
    if !tail.is_empty() {
        simd.partial_store_f32s(tail, simd.mul_f32s(factor, from[to.len()]));
    }
}

/// The sum of the products of two rows.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_tail) = S::as_simd_f32s(a);
    let (b, b_tail) = S::as_simd_f32s(b);
    let mut sum = simd.splat_f32s(0.0);
    for (&x, &y) in a.iter().zip(b) {
        sum = simd.mul_add_e_f32s(x, y, sum);
    }
    sum = simd.mul_add_e_f32s(simd.partial_load_f32s(a_tail), simd.partial_load_f32s(b_tail), sum);
    simd.reduce_sum_f32s(sum)
}

/// `out = start + left · right` for [`ROWS`] rows and `vectors` vectors; row r of `out` begins at `out + r * out_row`.
///
/// # Safety
/// Every element that the three layouts name for these rows, vectors and `depth` steps is in bounds, and `out` overlaps neither factor.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
pub unsafe fn product<S: Simd>(
    simd: S,
    depth: usize,
    left: Left,
    right: Right,
    vectors: usize,
    out: *mut f32,
    out_row: usize,
    start: Start,
) {
    let mut v = 0;
    while v < vectors {
        // SAFETY: the parts stay within what the caller promised.
        unsafe {
            let right = Right { data: right.data.add(v * right.vector), ..right };
            let out = out.add(v * S::F32_LANES);
            // Three rather than two and one, which alone would load more than it multiplies.
            v += match vectors - v {
                1 => rows::<S, 1>(simd, depth, left, right, out, out_row, start),
                3 => rows::<S, 3>(simd, depth, left, right, out, out_row, start),
                _ => rows::<S, 2>(simd, depth, left, right, out, out_row, start),
            }
        }
    }
}

/// V vectors, all rows at once where there are registers for them, else in two halves; returns V.
#[inline(always)]
unsafe fn rows<S: Simd, const V: usize>(
    simd: S,
    depth: usize,
    left: Left,
    right: Right,
    out: *mut f32,
    out_row: usize,
    start: Start,
) -> usize {
    const HALF: usize = ROWS / 2;
    // SAFETY: as promised by the caller of `product`.
    unsafe {
        if S::REGISTER_COUNT >= 32 {
            block::<S, ROWS, V>(simd, depth, left, right, out, out_row, start, 0);
        } else {
            block::<S, HALF, V>(simd, depth, left, right, out, out_row, start, 0);
            let left = Left { data: left.data.add(HALF * left.row), ..left };
            block::<S, HALF, V>(simd, depth, left, right, out.add(HALF * out_row), out_row, start, HALF);
        }
    }
    V
}

/// R rows by V vectors, accumulated in registers; `first` is the row of `start` that the block begins at.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
unsafe fn block<S: Simd, const R: usize, const V: usize>(
    simd: S,
    depth: usize,
    left: Left,
    right: Right,
    out: *mut f32,
    out_row: usize,
    start: Start,
    first: usize,
) {
    let mut sum = [[simd.splat_f32s(0.0); V]; R];
    // SAFETY: as promised by the caller of `product`.
    unsafe {
        match start {
            Start::Zero => {}
            Start::Output => {
                for r in 0..R {
                    for v in 0..V {
                        sum[r][v] = load(simd, out.add(r * out_row + v * S::F32_LANES));
                    }
                }
            }
            Start::Scaled(factors) => {
                for r in 0..R {
                    let factor = simd.splat_f32s(factors[first + r]);
                    for v in 0..V {
                        sum[r][v] = simd.mul_f32s(factor, load(simd, out.add(r * out_row + v * S::F32_LANES)));
                    }
                }
            }
        }
        let (mut a, mut b) = (left.data, right.data);
        for _ in 0..depth {
            let mut x = [simd.splat_f32s(0.0); V];
            for v in 0..V {
                x[v] = load(simd, b.add(v * right.vector));
            }
            for r in 0..R {
                let scalar = simd.splat_f32s(*a.add(r * left.row));
                for v in 0..V {
                    sum[r][v] = simd.mul_add_e_f32s(scalar, x[v], sum[r][v]);
                }
            }
            a = a.wrapping_add(left.step);
            b = b.wrapping_add(right.step);
        }
        for r in 0..R {
            for v in 0..V {
                store(simd, out.add(r * out_row + v * S::F32_LANES), sum[r][v]);
            }
        }
    }
}

/// Packs rows into transposed panels: element (row, column) of panel n, which holds rows n·L.. for L the vector length, goes to
/// `panels[(n * width + column) * L + row - n * L]`. Rows without data become zero.
///
/// `row(i)` gives row i, of `width` elements; `rows` is a multiple of [`UNIT`], and rows from `end` on have no data.
#[inline(always)]
pub fn pack_panels<'a, S: Simd>(_: S, rows: usize, end: usize, width: usize, row: impl Fn(usize) -> &'a [f32], panels: &mut [f32]) {
    let lanes = S::F32_LANES;
    for n in 0..rows / lanes {
        for i in n * lanes + AHEAD..((n + 1) * lanes + AHEAD).min(end) {
            prefetch(row(i));
        }
        let panel = &mut panels[n * width * lanes..(n + 1) * width * lanes];
        let mut lane = 0;
        while lane < lanes {
            let i = n * lanes + lane;
            if lanes % 4 == 0 && i + 4 <= end {
                transpose_four([row(i), row(i + 1), row(i + 2), row(i + 3)], lane, lanes, panel);
                lane += 4;
            } else {
                for column in 0..width {
                    panel[column * lanes + lane] = if i < end { row(i)[column] } else { 0.0 };
                }
                lane += 1;
            }
        }
    }
}

/// Writes four rows as lanes `lane..lane + 4` of a panel, by squares of four where the processor has shuffles for them.
#[inline(always)]
fn transpose_four(rows: [&[f32]; 4], lane: usize, lanes: usize, panel: &mut [f32]) {
    let width = rows[0].len();
    assert!(rows[1].len() == width && rows[2].len() == width && rows[3].len() == width);
    assert!(lane + 4 <= lanes && panel.len() == width * lanes);
    let mut column = 0;
    #[cfg(target_arch = "x86_64")]
    while column + 4 <= width {
        let at = column * lanes + lane;
        // SAFETY: four elements from `column` on are in each row, and by the lengths above in each column of the panel.
        unsafe {
            let from = [rows[0].as_ptr(), rows[1].as_ptr(), rows[2].as_ptr(), rows[3].as_ptr()];
            transpose_square(from, column, panel.as_mut_ptr().add(at), lanes);
        }
        column += 4;
    }
    while column < width {
        for r in 0..4 {
            panel[column * lanes + lane + r] = rows[r][column];
        }
        column += 1;
    }
}

/// Transposes four elements from `column` on of four rows, to rows `step` apart.
///
/// # Safety
/// Those elements are readable and writable.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transpose_square(rows: [*const f32; 4], column: usize, to: *mut f32, step: usize) {
    use std::arch::x86_64::{_mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps};
    // SAFETY: as promised by the caller; every x86-64 processor has SSE.
    unsafe {
        let (a, b) = (_mm_loadu_ps(rows[0].add(column)), _mm_loadu_ps(rows[1].add(column)));
        let (c, d) = (_mm_loadu_ps(rows[2].add(column)), _mm_loadu_ps(rows[3].add(column)));
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(to, _mm_movelh_ps(ab, cd));
        _mm_storeu_ps(to.add(step), _mm_movehl_ps(cd, ab));
        _mm_storeu_ps(to.add(2 * step), _mm_movelh_ps(ab_high, cd_high));
        _mm_storeu_ps(to.add(3 * step), _mm_movehl_ps(cd_high, ab_high));
    }
}
