//! Kernels for the CPU, as functions of slices: no tensors, no devices.
//!
//! The instruction set is chosen at run time. Work is split by shape alone and partial results are added in a fixed
//! order, so that bits do not depend on the number of threads.

pub mod adamw;
pub mod attention;
pub mod bf16;
pub mod gated;
pub mod loss;
pub mod norm;
pub mod peak;
pub mod product;
pub mod rotary;
pub mod simd;
mod tile;
pub mod view;
