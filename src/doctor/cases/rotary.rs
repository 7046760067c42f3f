//! Rotation: both pairings, part of a head, any length.

use super::{Case, Place};
use crate::ops::{
    self, Op, Rotation,
    reference::{Sums, rotary::Rotary},
};
use burn::tensor::Tensor;

/// Cosines and sines, in f32 as the operators take them and the same numbers in float64.
pub(super) struct Tables {
    pub(super) narrow: [Vec<f32>; 2],
    pub(super) wide: [Vec<f64>; 2],
}

/// The tables of RoPE for some positions and pairs.
pub(super) fn angles(seq: usize, pairs: usize) -> Tables {
    let angle = |i: usize| (i / pairs) as f64 * 1e4f64.powf(-((i % pairs) as f64) / pairs as f64);
    let table = |f: fn(f64) -> f64| (0..seq * pairs).map(|i| f(angle(i)) as f32).collect::<Vec<f32>>();
    let narrow = [table(f64::cos), table(f64::sin)];
    let wide = narrow.each_ref().map(|table| table.iter().map(|x| f64::from(*x)).collect());
    Tables { narrow, wide }
}

fn run(place: &mut Place, [batch, heads, seq, head_dim]: [usize; 4], pairs: usize, interleaved: bool, view: bool) {
    let tables = angles(seq, pairs);
    let rotation = Rotation::new(&tables.narrow[0], &tables.narrow[1], pairs, head_dim, interleaved);
    let want = Rotary { cos: &tables.wide[0], sin: &tables.wide[1], pairs, interleaved, head_dim };
    // A view has the heads of a token beside each other, as a projection gives them.
    let x = place.noisy("x", if view { [batch, seq, heads, head_dim] } else { [batch, heads, seq, head_dim] });
    let turn = |x: Tensor<4>| if view { x.swap_dims(1, 2) } else { x };
    let (by_token, wide) = (heads * head_dim, &x.wide);
    let at = |i: usize| {
        let (sequence, head, token, channel) = (i / (seq * by_token), i / (seq * head_dim) % heads, i / head_dim % seq, i % head_dim);
        if view { (sequence * seq + token) * by_token + head * head_dim + channel } else { i }
    };
    let wide: Vec<f64> = (0..wide.len()).map(|i| wide[at(i)]).collect();
    let y = ops::rotary(turn(x.tensor.clone()), &rotation);
    place.compare("output", y.clone(), &want.forward(&wide));
    let (gradients, dy) = place.backward(y);
    let dx = x.tensor.grad(&gradients).map(turn).expect("x has a gradient");
    place.compare("gradient of x", dx, &want.backward(&Sums::of(&dy)));
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for (shape, pairs) in
        [([1, 1, 1, 2], 1), ([2, 3, 7, 8], 4), ([2, 3, 7, 8], 3), ([1, 2, 67, 64], 32), ([1, 1, 13, 256], 128), ([1, 5, 33, 80], 10)]
    {
        for interleaved in [true, false] {
            let [batch, heads, seq, head_dim] = shape;
            let pairing = if interleaved { ", interleaved" } else { "" };
            let name = format!("batch {batch}, {heads} heads, {seq} tokens, {pairs} pairs of {head_dim} channels{pairing}");
            cases.push(Case::new(Op::Rotary, name, move |place| run(place, shape, pairs, interleaved, seq % 2 == 1)));
        }
    }
    cases
}
