//! Sizes at which kernels go wrong: 1, primes, and the neighbours of the sizes of tiles and vectors.

use proptest::{prelude::*, sample::select};

const EDGES: [usize; 22] = [1, 2, 3, 5, 7, 13, 15, 16, 17, 31, 32, 33, 47, 61, 63, 64, 65, 67, 97, 127, 128, 129];

/// Tokens of a sequence, rows or columns.
pub fn length() -> impl Strategy<Value = usize> {
    prop_oneof![3 => select(&EDGES[..]), 1 => 1..=9usize, 1 => 1..=140usize]
}

/// Batches and heads.
pub fn few() -> impl Strategy<Value = usize> {
    1..=3usize
}

/// Channels of a head.
pub fn head_dim() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 1..=80usize, 1 => select(&[64usize, 128, 192, 256][..])]
}

/// Makes sizes smaller, the first of them first, until their product is at most `limit`: float64 is not fast.
pub fn within<const N: usize>(limit: usize, mut sizes: [usize; N]) -> [usize; N] {
    while let Some(place) = (sizes.iter().product::<usize>() > limit).then(|| sizes.iter().position(|size| *size > 1)).flatten() {
        let others = sizes.iter().product::<usize>() / sizes[place];
        sizes[place] = (limit / others).clamp(1, sizes[place] - 1);
    }
    sizes
}
