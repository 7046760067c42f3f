//! Heads side by side.

use super::{Op, fused, operator, path};
use burn::tensor::Tensor;

/// The results of all heads, one behind the other.
///
/// # Shapes
///
/// - `x`: `[batch, heads, seq, head_dim]`
/// - output: `[batch, seq, heads · head_dim]`
pub fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, seq, head_dim] = x.dims();
    if path::fused(Op::Attention, &x) {
        return operator::call(fused::join::Join { head_dim }, vec![x.into_dispatch()], None);
    }
    x.swap_dims(1, 2).reshape([batch, seq, heads * head_dim])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        Path,
        check::{noisy, values, weighted_sum},
        with,
    };

    #[test]
    fn both_paths_move_the_same_numbers() {
        let x = noisy("x", [2, 3, 5, 4]);
        let run = |path| {
            let y = with(path, || join_heads(x.clone()));
            assert_eq!(y.dims(), [2, 5, 12]);
            let gradients = weighted_sum(y.clone()).backward();
            (values(y), values(x.grad(&gradients).unwrap()))
        };
        let (y, dx) = run(Path::Fused);
        assert_eq!((y.clone(), dx), run(Path::Composed));
        // Batch 1, position 2, head 1, channel 3.
        assert_eq!(y[(5 + 2) * 12 + 4 + 3], values(x)[((3 + 1) * 5 + 2) * 4 + 3]);
    }
}
