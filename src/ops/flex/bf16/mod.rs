//! Matrix products of f32 whose operands are read as bf16.
//!
//! Processors that multiply bf16 do so in blocks of packed pairs. Others multiply rounded copies in f32: the products of
//! two bf16 are exact there, so that both ways differ only in the order of their sums, and in subnormal numbers, which
//! the bf16 instruction takes for 0 and never gives.

#[cfg(any(test, target_arch = "x86_64"))]
mod blocks;
#[cfg(any(test, target_arch = "x86_64"))]
mod pack;
#[cfg(test)]
mod tests;
#[cfg(any(test, target_arch = "x86_64"))]
mod tile;

use super::{
    product::{self, Matrix},
    simd,
};
use crate::ops::profile::span;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Elements that one task rounds.
const BLOCK: usize = 1 << 14;

/// out = a·b, or out += a·b if `accumulate`, of operands rounded to bf16, nearest and ties to even, and summed in f32;
/// `out` holds its rows one after the other. No sum is split over threads. NaN and infinities come through.
///
/// On processors with AVX512-BF16 subnormal operands count as 0, and so do subnormal sums.
///
/// # Panics
///
/// If the shapes disagree.
pub fn product(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
    #[cfg(target_arch = "x86_64")]
    if tile::Avx512::is_available() {
        let _span = span("matrix products");
        // SAFETY: the processor has been asked.
        return unsafe { blocks::multiply::<tile::Avx512>(a, b, out, accumulate, &blocks::BLOCKS) };
    }
    rounded_product(a, b, out, accumulate);
}

/// The product of rounded copies, by the instructions of f32.
fn rounded_product(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
    let (a, b) = {
        let _span = span("rounding");
        (Rounded::of(a), Rounded::of(b))
    };
    product::product(a.matrix(), b.matrix(), out, accumulate);
}

/// A matrix rounded to bf16, without gaps, in the order of its source, so that both are passed through as they lie.
struct Rounded {
    data: Vec<f32>,
    shape: [usize; 2],
    transposed: bool,
}

impl Rounded {
    fn of(source: Matrix) -> Self {
        let transposed = source.row == 1 && source.column != 1;
        let source = if transposed { source.transposed() } else { source };
        let Matrix { rows, columns, .. } = source;
        let mut data = vec![0.0; rows * columns];
        // Rows without gaps are as good as one.
        let [length, from] = if source.column == 1 && source.row == columns { [BLOCK, BLOCK] } else { [columns, source.row] };
        let round = |(i, to): (usize, &mut [f32])| round_row(&source.data[i * from..], source.column, to);
        if data.len() <= BLOCK {
            data.chunks_mut(length.max(1)).enumerate().for_each(round);
        } else {
            data.par_chunks_mut(length).with_min_len(BLOCK / length).enumerate().for_each(round);
        }
        Self { data, shape: [rows, columns], transposed }
    }

    fn matrix(&self) -> Matrix<'_> {
        let matrix = Matrix::contiguous(&self.data, self.shape[0], self.shape[1]);
        if self.transposed { matrix.transposed() } else { matrix }
    }
}

/// Rounds elements that lie `stride` apart.
fn round_row(from: &[f32], stride: usize, to: &mut [f32]) {
    if stride == 1 {
        return simd::run(RoundRow { from, to });
    }
    for (i, to) in to.iter_mut().enumerate() {
        *to = nearest(from[i * stride]);
    }
}

struct RoundRow<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
}

impl WithSimd for RoundRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // The compiler makes vectors of this.
        self.to.iter_mut().zip(self.from).for_each(|(to, x)| *to = nearest(*x));
    }
}

/// The nearest bf16, the even one of two. A NaN stays one, whose payload may lie in the bits that are cut off.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    f32::from_bits(if x.is_nan() { bits | 0x0040_0000 } else { rounded } & 0xffff_0000)
}
