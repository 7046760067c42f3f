//! The optimizer's step and the norm of gradients: without gradients of their own.

use super::{
    Results, Setting, config,
    numbers::{Numbers, any_size, draw, narrow, wide},
    sizes::length,
};
use ablate::ops::{
    self, AdamWStep,
    reference::{Sums, adamw, square_norm},
};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::{prelude::*, sample::select};

/// Rows and columns, beyond the blocks of the kernels now and then.
fn shape() -> impl Strategy<Value = [usize; 2]> {
    prop_oneof![8 => [length(), length()], 1 => (Just(257usize), 250..=300usize).prop_map(<[usize; 2]>::from)]
}

fn tensor(values: &[f32], shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

#[derive(Clone, Copy, Debug)]
pub struct Update {
    shape: [usize; 2],
    step: AdamWStep,
    /// Of parameter, gradient and moments.
    numbers: [Numbers; 3],
    seed: u64,
}

pub fn updates() -> impl Strategy<Value = Update> {
    let betas = (select(&[0.0f64, 0.5, 0.9, 0.95][..]), select(&[0.0f64, 0.9, 0.95, 0.99, 0.999, 0.9999][..]));
    let rates = (select(&[1.0f64, 3e-3, 1e-5][..]), select(&[1e-8f64, 1e-6, 1e-3][..]), select(&[0.0f64, 0.1, 1.0][..]));
    let step = (betas, rates, prop_oneof![1..=5usize, select(&[100usize, 10_000, 1_000_000][..])])
        .prop_map(|((beta1, beta2), (lr, eps, weight_decay), step)| AdamWStep { lr, beta1, beta2, eps, weight_decay, step });
    (shape(), step, [any_size(), any_size(), any_size()], any::<u64>()).prop_map(|(shape, step, numbers, seed)| Update {
        shape,
        step,
        numbers,
        seed,
    })
}

impl Update {
    /// Parameter, gradient and both moments.
    fn inputs(&self) -> [Vec<f32>; 4] {
        let &Self { shape: [rows, columns], numbers: [p, g, m], seed, .. } = self;
        let draw = |numbers, key| draw(numbers, seed, key, rows, columns);
        // A second moment is at least the square of the first, as an average of squares is.
        let m = draw(m, "moment");
        let v = m.iter().map(|m| 1.5 * m * m).collect();
        [draw(p, "parameter"), draw(g, "gradient"), m, v]
    }
}

impl Setting for Update {
    fn run(&self) -> Results {
        let [p, g, m, v] = self.inputs().map(|x| tensor(&x, self.shape));
        let found = ops::adamw(&self.step, p, g, [m, v]).map(narrow);
        ["parameter", "first moment", "second moment"].into_iter().zip(found).collect()
    }

    fn want(&self) -> Vec<Sums> {
        let [p, g, m, v] = self.inputs().map(|x| wide(&x));
        adamw::forward(&self.step, &p, &g, [&m, &v]).into()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Norm {
    shape: [usize; 2],
    numbers: Numbers,
    seed: u64,
}

pub fn norms() -> impl Strategy<Value = Norm> {
    (shape(), any_size(), any::<u64>()).prop_map(|(shape, numbers, seed)| Norm { shape, numbers, seed })
}

impl Norm {
    fn input(&self) -> Vec<f32> {
        draw(self.numbers, self.seed, "x", self.shape[0], self.shape[1])
    }
}

impl Setting for Norm {
    fn run(&self) -> Results {
        vec![("output", narrow(ops::square_norm(tensor(&self.input(), self.shape))))]
    }

    fn want(&self) -> Vec<Sums> {
        vec![square_norm::forward(&wide(&self.input()))]
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn adamw_agrees_with_float64(setting in updates()) {
        setting.agrees()?;
    }

    #[test]
    fn square_norm_agrees_with_float64(setting in norms()) {
        setting.agrees()?;
    }
}
