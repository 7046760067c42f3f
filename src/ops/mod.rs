//! Differentiable operators: the interface behind which fused implementations come. Composed of Burn operations for
//! now, on every backend.

mod count;
mod linear;

pub use count::count_flops;
pub use linear::linear;
