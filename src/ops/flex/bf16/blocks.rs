//! A product by blocks of packed operands.

use super::{
    pack::LANES,
    tile::{COLUMNS, ROWS, Tile},
};
use crate::ops::flex::product::{Matrix, PARALLEL};
use rayon::prelude::*;
use std::{cell::Cell, ops::Range};

const _: () = assert!(ROWS >= LANES && COLUMNS >= LANES);

/// How a product is cut. Each size is the largest; what is cut is cut evenly.
pub struct Blocks {
    /// Steps of the sum, even. A panel of the right operand stays in the L1 cache while panels of the left one pass by.
    pub steps: usize,
    /// Panels of either operand that a task multiplies. Both, and their part of the output, stay in the L2 cache.
    pub panels: usize,
    /// Rows of the left operand and columns of the right one that are packed at once, multiples of [`ROWS`] and
    /// [`COLUMNS`]. Both stay in the L3 cache, from which all threads read them.
    pub packed: [usize; 2],
}

/// 24 kB of L1, 0.5 MB of L2 and 6 MB of L3.
pub const BLOCKS: Blocks = Blocks { steps: 384, panels: 8, packed: [4096 / ROWS * ROWS, 4096] };

/// Tasks that keep the threads of most processors busy to the end; smaller blocks are tried where there are fewer.
const TASKS: usize = 64;

/// A cache line, and the alignment of panels.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

thread_local! {
    /// Memory for packed operands, kept, since fresh pages cost as much as packing. A task that multiplies while this
    /// thread waits for others finds none, and its memory is kept in turn.
    static PACKED: Cell<[Vec<Line>; 2]> = Cell::default();
}

/// [`super::product()`], by the instructions of `T`.
///
/// # Safety
/// The processor has the instructions of `T`.
pub unsafe fn multiply<T: Tile>(a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool, blocks: &Blocks) {
    assert!(a.columns == b.rows && out.len() == a.rows * b.columns, "a product of shapes that disagree");
    if a.columns == 0 && !accumulate {
        out.fill(0.0);
    }
    let parallel = a.rows * a.columns * b.columns >= PARALLEL;
    let out = Out { data: out.as_mut_ptr(), stride: b.columns };
    let b = b.transposed();
    let mut memory = PACKED.take();
    let [a_memory, b_memory] = &mut memory;
    for columns in pieces(b.rows, blocks.packed[1], COLUMNS) {
        for steps in pieces(a.columns, blocks.steps, 2) {
            let accumulate = accumulate || steps.start > 0;
            // SAFETY: as promised by the caller.
            let b = unsafe { Panels::<COLUMNS>::pack::<T>(b, columns.clone(), steps.clone(), b_memory, parallel) };
            for rows in pieces(a.rows, blocks.packed[0], ROWS) {
                // SAFETY: as promised by the caller.
                let a = unsafe { Panels::<ROWS>::pack::<T>(a, rows, steps.clone(), a_memory, parallel) };
                let [height, width] = task(a.count(), b.count(), blocks.panels);
                let high = a.count().div_ceil(height);
                let run = |task: usize| {
                    let (i, j) = (task % high * height, task / high * width);
                    let (i, j) = (i..a.count().min(i + height), j..b.count().min(j + width));
                    // SAFETY: as promised by the caller; lanes are rows and columns of `out`, and no two tasks share a tile.
                    unsafe { multiply_panels::<T>(&a, &b, i, j, out, accumulate) };
                };
                let tasks = 0..high * b.count().div_ceil(width);
                if parallel { tasks.into_par_iter().for_each(run) } else { tasks.for_each(run) }
            }
        }
    }
    PACKED.set(memory);
}

/// Cuts `0..n` evenly into ranges of at most `most` elements, which begin at multiples of `unit`.
fn pieces(n: usize, most: usize, unit: usize) -> impl Iterator<Item = Range<usize>> {
    let size = n.div_ceil(n.div_ceil(most).max(1)).next_multiple_of(unit).max(unit);
    (0..n).step_by(size).map(move |start| start..n.min(start + size))
}

/// How many panels of either operand a task multiplies.
fn task(rows: usize, columns: usize, most: usize) -> [usize; 2] {
    let [mut height, mut width] = [most; 2];
    while height * width > 4 && rows.div_ceil(height) * columns.div_ceil(width) < TASKS {
        let longer = if height * ROWS > width * COLUMNS { &mut height } else { &mut width };
        *longer = longer.div_ceil(2);
    }
    [height, width]
}

/// Packed lanes, by panels of W.
struct Panels<'a, const W: usize> {
    words: &'a [u32],
    lanes: Range<usize>,
    /// Words of a panel.
    size: usize,
}

impl<'a, const W: usize> Panels<'a, W> {
    /// # Safety
    /// The processor has the instructions of `T`.
    unsafe fn pack<T: Tile>(source: Matrix, lanes: Range<usize>, steps: Range<usize>, memory: &'a mut Vec<Line>, parallel: bool) -> Self {
        let size = steps.len().div_ceil(2) * W;
        let words = lanes.len().div_ceil(W) * size;
        if memory.len() * 16 < words {
            memory.resize(words.div_ceil(16), Line([0; 16]));
        }
        // SAFETY: a line is 16 words.
        let words = unsafe { &mut memory.align_to_mut::<u32>().1[..words] };
        let pack = |(panel, to): (usize, &mut [u32])| {
            let start = lanes.start + panel * W;
            // SAFETY: as promised by the caller.
            unsafe { T::pack::<W>(source, start..lanes.end.min(start + W), steps.clone(), to) };
        };
        if parallel {
            words.par_chunks_exact_mut(size).enumerate().for_each(pack);
        } else {
            words.chunks_exact_mut(size).enumerate().for_each(pack);
        }
        Self { words, lanes, size }
    }

    fn count(&self) -> usize {
        self.words.len() / self.size
    }

    /// A panel and its lanes.
    fn panel(&self, i: usize) -> (&'a [u32], Range<usize>) {
        let start = self.lanes.start + i * W;
        (&self.words[i * self.size..][..self.size], start..self.lanes.end.min(start + W))
    }
}

/// Where tasks write: each its own tiles.
#[derive(Clone, Copy)]
struct Out {
    data: *mut f32,
    stride: usize,
}

// SAFETY: a pointer to plain numbers; who writes through it keeps threads apart.
unsafe impl Send for Out {}
// SAFETY: as above.
unsafe impl Sync for Out {}

/// The product of some panels of `a` with some of `b`.
///
/// # Safety
/// The processor has the instructions of `T`; the lanes of `a` are rows of `out` and those of `b` its columns; nobody else
/// reads or writes there.
unsafe fn multiply_panels<T: Tile>(a: &Panels<ROWS>, b: &Panels<COLUMNS>, i: Range<usize>, j: Range<usize>, out: Out, accumulate: bool) {
    for j in j {
        let (b, columns) = b.panel(j);
        for i in i.clone() {
            let (a, rows) = a.panel(i);
            // SAFETY: as promised by the caller.
            unsafe {
                let to = out.data.add(rows.start * out.stride + columns.start);
                if rows.len() == ROWS && columns.len() == COLUMNS {
                    T::multiply(a, b, to, out.stride, accumulate);
                    continue;
                }
                let mut tile = [[0.0; COLUMNS]; ROWS];
                T::multiply(a, b, tile.as_mut_ptr().cast(), COLUMNS, false);
                for (row, tile) in tile.iter().enumerate().take(rows.len()) {
                    let to = std::slice::from_raw_parts_mut(to.add(row * out.stride), columns.len());
                    for (to, x) in to.iter_mut().zip(tile) {
                        *to = if accumulate { *to + x } else { *x };
                    }
                }
            }
        }
    }
}
