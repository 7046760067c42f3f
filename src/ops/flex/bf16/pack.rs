//! Panels of bf16 pairs, in the order in which the tile reads them.
//!
//! A lane is what the tile keeps apart: a row of the left operand, a column of the right one. A panel of W lanes holds, for
//! every two steps along the sum, W words one after the other: the earlier step's bf16 in the low half, the later one's in
//! the high half. Lanes past the edge are 0, and so is the step after an odd number of them.

use crate::ops::flex::product::Matrix;
use std::ops::Range;

/// Lanes that are rounded at once.
pub const LANES: usize = 8;

/// Steps of a lane that are rounded at once where they are contiguous: as many words as lanes.
pub const STEPS: usize = 2 * LANES;

/// Rounding of f32 to pairs of bf16.
pub trait Round {
    /// Pairs of one step and the next, lane by lane.
    ///
    /// # Safety
    /// The processor has the instructions of `Self`.
    unsafe fn zip(early: [f32; LANES], late: [f32; LANES]) -> [u32; LANES];

    /// Pairs of neighbours in every row, columns and rows exchanged.
    ///
    /// # Safety
    /// The processor has the instructions of `Self`.
    unsafe fn turn(rows: [&[f32; STEPS]; LANES]) -> [[u32; LANES]; LANES];
}

/// Writes the panel of `lanes`, which are at most W of the rows of `source`, and of `steps`, a range of its columns.
///
/// # Safety
/// The processor has the instructions of `R`.
#[inline(always)]
pub unsafe fn pack<R: Round, const W: usize>(source: Matrix, lanes: Range<usize>, steps: Range<usize>, to: &mut [u32]) {
    debug_assert!(lanes.len() <= W && to.len() == steps.len().div_ceil(2) * W);
    if source.column == 1 && source.row != 1 {
        for first in groups::<W>() {
            for (block, to) in to.chunks_mut(LANES * W).enumerate() {
                let (lane, step) = (lanes.start + first, steps.start + block * STEPS);
                let mut padded = [[0.0; STEPS]; LANES];
                let rows = if lane + LANES <= lanes.end && step + STEPS <= steps.end {
                    std::array::from_fn(|i| source.data[(lane + i) * source.row + step..].first_chunk().unwrap())
                } else {
                    let end = steps.end.min(step + STEPS);
                    for (i, padded) in padded.iter_mut().enumerate().take(lanes.end.saturating_sub(lane)) {
                        let start = (lane + i) * source.row;
                        padded[..end - step].copy_from_slice(&source.data[start + step..start + end]);
                    }
                    padded.each_ref()
                };
                // SAFETY: as promised by the caller.
                let turned = unsafe { R::turn(rows) };
                for (to, words) in to.chunks_exact_mut(W).zip(&turned) {
                    to[first..first + LANES].copy_from_slice(words);
                }
            }
        }
        return;
    }
    for (pair, to) in to.chunks_exact_mut(W).enumerate() {
        let (step, zeros) = (steps.start + 2 * pair, [0.0; W]);
        if source.row == 1 && lanes.len() == W {
            // One look at the bounds for all lanes.
            let read = |step: usize| source.data[lanes.start + step * source.column..].first_chunk().unwrap();
            let early: &[f32; W] = read(step);
            let late = if step + 1 < steps.end { read(step + 1) } else { &zeros };
            for first in groups::<W>() {
                let [early, late] = [early, late].map(|x| *x[first..].first_chunk().unwrap());
                // SAFETY: as promised by the caller.
                to[first..first + LANES].copy_from_slice(&unsafe { R::zip(early, late) });
            }
        } else {
            for first in groups::<W>() {
                let lanes = lanes.start + first..lanes.end;
                let early = read(source, lanes.clone(), step);
                let late = if step + 1 < steps.end { read(source, lanes, step + 1) } else { [0.0; LANES] };
                // SAFETY: as promised by the caller.
                to[first..first + LANES].copy_from_slice(&unsafe { R::zip(early, late) });
            }
        }
    }
}

/// Where groups of lanes begin. The last one overlaps that before where W is no multiple, so that none is a part.
#[inline(always)]
fn groups<const W: usize>() -> impl Iterator<Item = usize> {
    (0..W).step_by(LANES).map(|first| first.min(W - LANES))
}

/// One step of the first lanes of a range, 0 past its end.
#[inline(always)]
fn read(source: Matrix, lanes: Range<usize>, step: usize) -> [f32; LANES] {
    let mut values = [0.0; LANES];
    for (value, lane) in values.iter_mut().zip(lanes) {
        *value = source.data[lane * source.row + step * source.column];
    }
    values
}
