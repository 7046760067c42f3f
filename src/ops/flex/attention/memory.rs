//! The memory of tasks: scratch of their own, and results that they share.

use std::marker::PhantomData;

use rayon::prelude::*;

/// A slice that tasks write disjoint rows of.
pub(super) struct Shared<'a, T> {
    data: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it is only written through `row`, whose callers keep their rows apart.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Shared { data: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// # Safety
    /// No two rows in use at one time overlap.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn row(&self, at: usize, len: usize) -> &mut [T] {
        assert!(at <= self.len && len <= self.len - at);
        // SAFETY: in bounds, and unshared as promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(at), len) }
    }
}

/// A result that is the sum of several images of itself, written by different tasks. One image is the result.
pub(super) struct Images<'a> {
    pub(super) shared: Shared<'a, f32>,
    images: Vec<f32>,
    result: Shared<'a, f32>,
}

impl<'a> Images<'a> {
    pub(super) fn new(result: &'a mut [f32], count: usize) -> Self {
        let result = Shared::new(result);
        let mut images = vec![0.0; if count > 1 { count * result.len } else { 0 }];
        let shared = if count > 1 {
            Shared { data: images.as_mut_ptr(), len: images.len(), slice: PhantomData }
        } else {
            Shared { data: result.data, len: result.len, slice: PhantomData }
        };
        Images { shared, images, result }
    }

    /// Adds the images up, in order, by rows of `len` elements; `holds` tells whether an image holds a row.
    pub(super) fn reduce(self, len: usize, holds: impl Fn(usize, usize) -> bool + Sync) {
        if self.images.is_empty() {
            return;
        }
        // SAFETY: the tasks are done, so that this is the only row in use.
        let result = unsafe { self.result.row(0, self.result.len) };
        let image_len = result.len();
        result.par_chunks_exact_mut(len).enumerate().with_min_len(16).for_each(|(row, sum)| {
            sum.fill(0.0);
            for (n, image) in self.images.chunks_exact(image_len).enumerate() {
                if holds(n, row) {
                    for (sum, x) in sum.iter_mut().zip(&image[row * len..]) {
                        *sum += x;
                    }
                }
            }
        });
    }
}

/// Scratch memory in whole cache lines, so that vectors do not cross them.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([f32; 16]);

/// A task and the memory it may use.
pub(super) struct OnScratch<'a, T>(pub(super) T, pub(super) &'a mut Vec<Line>);

/// Hands out pieces of scratch memory, of whole lines each.
pub(super) struct Scratch<'a>(&'a mut [f32]);

impl<'a> Scratch<'a> {
    pub(super) fn new(lines: &'a mut Vec<Line>, lens: &[usize]) -> Self {
        let total = lens.iter().map(|len| len.div_ceil(16)).sum();
        if lines.len() < total {
            lines.resize(total, Line([0.0; 16]));
        }
        // SAFETY: a line is 16 floats and nothing else.
        Scratch(unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 16) })
    }

    pub(super) fn take(&mut self, len: usize) -> &'a mut [f32] {
        let (piece, rest) = std::mem::take(&mut self.0).split_at_mut(len.next_multiple_of(16));
        self.0 = rest;
        piece
    }
}
