//! Attention on tensor cores (mma.sync m16n8k16 with f32 accumulators, ldmatrix; compute capability 8.0 and later), as
//! FlashAttention-2 does it (Dao 2023): a plane owns sixteen rows of a tile of scores, keeps them in registers and feeds them to
//! the next product as they lie.
//!
//! A lane of a plane holds of sixteen rows by eight columns the rows `lane / 4` and that plus 8, of each the columns
//! `lane % 4 · 2` and the next; register `2 · tile + half` is that row of column tile `tile`.

pub mod backward;
pub mod forward;
mod fragment;
pub mod launch;

use super::blueprint::{BiasKind, Scoring};
use burn_cubecl::cubecl::{
    client::Client,
    ir::{ElemType, FloatKind, features::MmaConfig},
};

/// Lanes of a plane.
pub const LANES: usize = 32;
/// Planes of a cube.
pub const PLANES: usize = 4;
/// Units of a cube.
pub const UNITS: usize = PLANES * LANES;
/// Rows of a tile that planes own, sixteen each.
pub const ROWS: usize = PLANES * 16;
/// Elements of sixteen bytes, the unit of loads.
pub const CHUNK: usize = 8;

/// What is fixed when a kernel on tensor cores is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Blueprint {
    /// Elements of a query, key or value: a multiple of 16, at most 128.
    pub head_dim: usize,
    /// Columns of a tile of scores, a multiple of 16: keys, or queries where the rows are keys.
    pub columns: usize,
    /// How scores are made.
    pub scoring: Scoring,
}

impl Blueprint {
    /// Tiles of the forward pass. Half as many columns for wide heads leave registers for a third cube on a multiprocessor.
    pub const fn forward(head_dim: usize, scoring: Scoring) -> Self {
        Self { head_dim, columns: if head_dim > 64 { 32 } else { 64 }, scoring }
    }

    /// Tiles of the backward pass, which has twice the products to keep.
    pub const fn backward(head_dim: usize, scoring: Scoring) -> Self {
        Self { head_dim, columns: 32, scoring }
    }

    /// Chunks from one row of a tile to the next; odd, so that the eight rows that are read at once lie in different banks.
    pub const fn pitch(&self) -> usize {
        self.head_dim / CHUNK + 1
    }

    /// Whether the table of a relative bias has a gradient.
    pub const fn relative(&self) -> bool {
        matches!(self.scoring.bias, BiasKind::Relative)
    }
}

/// Whether these kernels run on a device, for an element type and a head size.
pub fn serves(client: &Client, dtype: ElemType, head_dim: usize) -> bool {
    let matmul = &client.properties().features.matmul;
    let product = MmaConfig { a_type: dtype, b_type: dtype, cd_type: ElemType::Float(FloatKind::F32), m: 16, n: 8, k: 16 };
    let hardware = &client.properties().hardware;
    let planes = hardware.plane_size_min as usize == LANES && hardware.plane_size_max as usize == LANES;
    let half = matches!(dtype, ElemType::Float(FloatKind::F16 | FloatKind::BF16));
    half && head_dim.is_multiple_of(16)
        && (16..=128).contains(&head_dim)
        && planes
        && hardware.max_shared_memory_size >= 96 * 1024
        && matmul.mma.contains(&product)
        && matmul.ldmatrix.contains(&dtype)
}
