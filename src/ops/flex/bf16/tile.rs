//! A small part of a product, summed in registers.

use super::pack::Round;
#[cfg(target_arch = "x86_64")]
use super::pack::{self, LANES, STEPS};
use crate::ops::flex::product::Matrix;
use std::ops::Range;
#[cfg(target_arch = "x86_64")]
use std::{arch::x86_64::*, mem::transmute};

/// Rows of a tile. With two vectors per row, 28 of 32 registers hold sums; two hold the right operand and one the left.
pub const ROWS: usize = 14;

/// Columns of a tile: two vectors.
pub const COLUMNS: usize = 32;

/// A way to compute tiles.
pub trait Tile: Round {
    /// [`super::pack::pack`], compiled with the instructions of `Self`.
    ///
    /// # Safety
    /// The processor has the instructions of `Self`.
    unsafe fn pack<const W: usize>(source: Matrix, lanes: Range<usize>, steps: Range<usize>, to: &mut [u32]);

    /// The product of a panel of [`ROWS`] lanes and one of [`COLUMNS`] lanes, with as many steps, is written to `out`, or
    /// added to what is there; rows of `out` begin `stride` elements apart.
    ///
    /// # Safety
    /// The processor has the instructions of `Self`, and `out` is valid for a whole tile.
    unsafe fn multiply(a: &[u32], b: &[u32], out: *mut f32, stride: usize, accumulate: bool);
}

/// The instructions of AVX512-BF16.
#[cfg(target_arch = "x86_64")]
pub struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    /// Whether this processor has all that is used here.
    pub fn is_available() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16")
    }
}

// Functions with instructions of their own cannot be inlined by force, as the packing around these is. So they pass on.
#[cfg(target_arch = "x86_64")]
impl Round for Avx512 {
    #[inline(always)]
    unsafe fn zip(early: [f32; LANES], late: [f32; LANES]) -> [u32; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { zip(early, late) }
    }

    #[inline(always)]
    unsafe fn turn(rows: [&[f32; STEPS]; LANES]) -> [[u32; LANES]; LANES] {
        // SAFETY: as promised by the caller.
        unsafe { turn(rows) }
    }
}

#[cfg(target_arch = "x86_64")]
impl Tile for Avx512 {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn pack<const W: usize>(source: Matrix, lanes: Range<usize>, steps: Range<usize>, to: &mut [u32]) {
        // SAFETY: as promised by the caller.
        unsafe { pack::pack::<Self, W>(source, lanes, steps, to) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn multiply(a: &[u32], b: &[u32], out: *mut f32, stride: usize, accumulate: bool) {
        const VECTORS: usize = COLUMNS / 16;
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
        for (a, b) in a.as_chunks::<ROWS>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
            // SAFETY: each half of `b` is a vector; both types of a vector hold the same bits.
            let b: [__m512bh; VECTORS] = std::array::from_fn(|v| unsafe { transmute(_mm512_loadu_si512(b.as_ptr().add(v * 16).cast())) });
            for (sums, a) in sums.iter_mut().zip(a) {
                // SAFETY: as above.
                let a: __m512bh = unsafe { transmute(_mm512_set1_epi32(*a as i32)) };
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = _mm512_dpbf16_ps(*sum, a, b);
                }
            }
        }
        for (row, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: the caller promises a whole tile.
                unsafe {
                    let at = out.add(row * stride + v * 16);
                    _mm512_storeu_ps(at, if accumulate { _mm512_add_ps(_mm512_loadu_ps(at), *sum) } else { *sum });
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn zip(early: [f32; LANES], late: [f32; LANES]) -> [u32; LANES] {
    // SAFETY: eight lanes are a vector; both types of a vector hold the same bits.
    let words = |x: [f32; LANES]| unsafe {
        let rounded = _mm256_cvtneps_pbh(_mm256_loadu_ps(x.as_ptr()));
        _mm256_cvtepu16_epi32(transmute::<__m128bh, __m128i>(rounded))
    };
    // SAFETY: as above.
    unsafe { transmute(_mm256_or_si256(words(early), _mm256_slli_epi32::<16>(words(late)))) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn turn(rows: [&[f32; STEPS]; LANES]) -> [[u32; LANES]; LANES] {
    // SAFETY: a row is a vector; 16 bf16 lie in memory as 8 pairs do.
    transpose(rows.map(|row| unsafe { transmute(_mm512_cvtneps_pbh(_mm512_loadu_ps(row.as_ptr()))) }))
}

/// Exchanges rows and columns.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose(x: [__m256i; LANES]) -> [[u32; LANES]; LANES] {
    // Within halves of four columns: words of two rows, then of four; then the halves of eight rows.
    let two: [_; LANES] = std::array::from_fn(|i| {
        let (a, b) = (x[i / 2 * 2], x[i / 2 * 2 + 1]);
        if i % 2 == 0 { _mm256_unpacklo_epi32(a, b) } else { _mm256_unpackhi_epi32(a, b) }
    });
    let four: [_; LANES] = std::array::from_fn(|i| {
        let (a, b) = (two[i / 4 * 4 + i % 4 / 2], two[i / 4 * 4 + i % 4 / 2 + 2]);
        if i % 2 == 0 { _mm256_unpacklo_epi64(a, b) } else { _mm256_unpackhi_epi64(a, b) }
    });
    let eight: [_; LANES] = std::array::from_fn(|i| {
        let (a, b) = (four[i % 4], four[i % 4 + 4]);
        if i < 4 { _mm256_permute2x128_si256::<0x20>(a, b) } else { _mm256_permute2x128_si256::<0x31>(a, b) }
    });
    // SAFETY: the same bits.
    unsafe { transmute(eight) }
}
