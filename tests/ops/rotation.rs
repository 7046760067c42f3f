//! Rotation of heads.

use super::{
    Results, Setting, config,
    numbers::{Input, Numbers, any_size, backward, draw, narrow, ordinary, wide},
    sizes::{few, head_dim, length},
};
use ablate::ops::{
    self, Rotation,
    reference::{Sums, rotary as reference},
};
use proptest::prelude::*;

/// Which channels turn together.
#[derive(Clone, Copy, Debug)]
pub struct Pairs {
    pub pairs: usize,
    pub interleaved: bool,
}

/// Cosines and sines, `[seq, pairs]`.
pub fn angles(seq: usize, pairs: usize) -> [Vec<f32>; 2] {
    let angle = |i: usize| (i / pairs) as f64 * 1e4f64.powf(-((i % pairs) as f64) / pairs as f64);
    [f64::cos, f64::sin].map(|f| (0..seq * pairs).map(|i| f(angle(i)) as f32).collect())
}

impl Pairs {
    pub fn of_operator(self, [cos, sin]: &[Vec<f32>; 2], head_dim: usize) -> Rotation {
        Rotation::new(cos, sin, self.pairs, head_dim, self.interleaved)
    }

    pub fn of_reference(self, [cos, sin]: &[Vec<f64>; 2], head_dim: usize) -> reference::Rotary<'_> {
        reference::Rotary { cos, sin, pairs: self.pairs, interleaved: self.interleaved, head_dim }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Rotary {
    /// Sequences, heads, tokens and channels.
    shape: [usize; 4],
    pairs: Pairs,
    across: bool,
    /// Of x and of the gradient.
    numbers: [Numbers; 2],
    seed: u64,
}

pub fn settings() -> impl Strategy<Value = Rotary> {
    let form = (any::<prop::sample::Index>(), any::<bool>(), any::<bool>());
    ((few(), 1..=5usize, length(), head_dim()), form, any_size(), ordinary(), any::<u64>()).prop_map(
        |((batch, heads, seq, head_dim), (pairs, interleaved, across), x, dy, seed)| {
            let head_dim = head_dim.max(2);
            let pairs = Pairs { pairs: 1 + pairs.index(head_dim / 2), interleaved };
            Rotary { shape: [batch, heads, seq, head_dim], pairs, across, numbers: [x, dy], seed }
        },
    )
}

impl Rotary {
    /// x and the gradient of the output.
    fn inputs(&self) -> [Vec<f32>; 2] {
        let [batch, heads, seq, head_dim] = self.shape;
        let [x, dy] = self.numbers;
        [(x, "x"), (dy, "dy")].map(|(numbers, key)| draw(numbers, self.seed, key, batch * heads * seq, head_dim))
    }
}

impl Setting for Rotary {
    fn run(&self) -> Results {
        let [_, _, seq, head_dim] = self.shape;
        let [x, dy] = self.inputs();
        let x = Input::new(&x, self.shape, self.across.then_some([1, 2]));
        let y = ops::rotary(x.tensor(), &self.pairs.of_operator(&angles(seq, self.pairs.pairs), head_dim));
        let gradients = backward(y.clone(), &dy);
        vec![("output", narrow(y)), ("gradient of x", x.gradient(&gradients))]
    }

    fn want(&self) -> Vec<Sums> {
        let [_, _, seq, head_dim] = self.shape;
        let [x, dy] = self.inputs().map(|x| wide(&x));
        let tables = angles(seq, self.pairs.pairs).map(|table| wide(&table));
        let rotary = self.pairs.of_reference(&tables, head_dim);
        vec![rotary.forward(&x), rotary.backward(&Sums::of(&dy))]
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }
}
