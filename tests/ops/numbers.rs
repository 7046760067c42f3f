//! Inputs by key, and how far results are from what is expected.

use super::Results;
use ablate::{
    ops::reference::Sums,
    random::{Purpose, generator},
};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use proptest::{prelude::*, test_runner::TestCaseResult};
use rand::Rng;

/// What an input is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// Different numbers.
    Noise,
    /// One number all over.
    Equal,
    /// Noise, but every other row is 0.
    ZeroRows,
}

/// An input: its form, and the size of its largest number.
pub type Numbers = (Form, f32);

/// Numbers in [-1, 1) without pattern.
pub const USUAL: Numbers = (Form::Noise, 1.0);

/// Numbers of any form and an ordinary size.
pub fn ordinary() -> impl Strategy<Value = Numbers> {
    (
        prop_oneof![6 => Just(Form::Noise), 1 => Just(Form::Equal), 1 => Just(Form::ZeroRows)],
        prop_oneof![4 => Just(1.0f32), 1 => Just(0.0), 1 => Just(30.0)],
    )
}

/// Numbers of any form and of sizes that an exponent of f32 holds, and its square too.
pub fn any_size() -> impl Strategy<Value = Numbers> {
    prop_oneof![4 => ordinary(), 1 => Just((Form::Noise, 1e15)), 1 => Just((Form::ZeroRows, 1e15)), 1 => Just((Form::Noise, 1e-15))]
}

/// `rows` of `width` numbers, repeatable by seed and key.
pub fn draw((form, size): Numbers, seed: u64, key: &str, rows: usize, width: usize) -> Vec<f32> {
    let mut generator = generator(seed, Purpose::Sampling, key);
    let mut next = || (f64::from(size) * (f64::from(generator.next_u32()) / 2f64.powi(31) - 1.0)) as f32;
    match form {
        Form::Noise => (0..rows * width).map(|_| next()).collect(),
        Form::Equal => vec![next(); rows * width],
        Form::ZeroRows => (0..rows * width).map(|i| if i / width % 2 == 1 { next() } else { 0.0 }).collect(),
    }
}

/// Indices below `below`, repeatable by seed and key.
pub fn draw_indices(seed: u64, key: &str, count: usize, below: usize) -> Vec<usize> {
    let mut generator = generator(seed, Purpose::Sampling, key);
    (0..count).map(|_| generator.next_u32() as usize % below).collect()
}

/// The same numbers in float64.
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|x| f64::from(*x)).collect()
}

/// A tensor whose gradient is kept.
pub struct Input<const D: usize> {
    leaf: Tensor<D>,
    /// Dimensions that lie in memory the other way round.
    across: Option<[usize; 2]>,
}

impl<const D: usize> Input<D> {
    /// These numbers. `across` exchanges two dimensions in memory, as a model's views do; the numbers stay in their places.
    pub fn new(values: &[f32], shape: [usize; D], across: Option<[usize; 2]>) -> Self {
        let tensor = Tensor::<D>::from_data(TensorData::new(values.to_vec(), shape), &device());
        let data = exchanged(tensor, across).into_data();
        Self { leaf: Tensor::from_data(data, &device()).require_grad(), across }
    }

    /// As an operator gets it.
    pub fn tensor(&self) -> Tensor<D> {
        exchanged(self.leaf.clone(), self.across)
    }

    /// Its gradient.
    pub fn gradient(&self, gradients: &Gradients) -> Vec<f32> {
        narrow(exchanged(self.leaf.grad(gradients).expect("a gradient"), self.across))
    }
}

fn exchanged<const D: usize>(x: Tensor<D>, across: Option<[usize; 2]>) -> Tensor<D> {
    across.map_or(x.clone(), |[a, b]| x.swap_dims(a, b))
}

/// The device of all tests, with gradients.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// All elements in row-major order.
pub fn narrow<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().expect("f32")
}

/// Indices on the device.
pub fn indices<const D: usize>(values: &[usize], shape: [usize; D]) -> Tensor<D, Int> {
    let values: Vec<i32> = values.iter().map(|value| *value as i32).collect();
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// The backward pass from `dy`, the gradient of y.
pub fn backward<const D: usize>(y: Tensor<D>, dy: &[f32]) -> Gradients {
    let dy = Tensor::<D>::from_data(TensorData::new(dy.to_vec(), y.dims()), &device());
    (y * dy).sum().backward()
}

/// Roundings of the size of its terms that a sum may be off by: where terms cancel, nothing computed in f32 is closer. Equal
/// numbers have equal roundings, which do not average out.
const ROUNDINGS: f64 = 32.0;

/// What an element may be off by near 0: exponentials end where f32 does, and ordinary factors follow.
const UNDERFLOW: f64 = 1e5 * f32::MIN_POSITIVE as f64;

/// The same results to the bit.
pub fn same(one: &Results, other: &Results) -> TestCaseResult {
    prop_assert_eq!(one.len(), other.len());
    for ((name, one), (_, other)) in one.iter().zip(other) {
        prop_assert!(one.iter().map(|x| x.to_bits()).eq(other.iter().map(|x| x.to_bits())), "{} differs", name);
    }
    Ok(())
}

/// Nothing is infinite or no number.
pub fn finite(found: &Results) -> TestCaseResult {
    for (name, x) in found {
        prop_assert!(x.iter().all(|x| x.is_finite()), "{} is not finite", name);
    }
    Ok(())
}

/// |got - want| is within the tolerance of |want|, in the Euclidean norm, or within some roundings of the terms of `want`.
pub fn close(name: &str, got: &[f32], want: &Sums, tolerance: f64) -> TestCaseResult {
    prop_assert_eq!(got.len(), want.len(), "{}: lengths", name);
    if let Some(place) = got.iter().position(|got| !got.is_finite()) {
        return Err(TestCaseError::fail(format!("{name}: element {place} is {} where {} is expected", got[place], want.value[place])));
    }
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut got.iter().zip(&want.value).map(|(got, want)| f64::from(*got) - want));
    let (value, size) = (norm(&mut want.value.iter().copied()), norm(&mut want.size.iter().copied()));
    let allowed = (tolerance * value).max(ROUNDINGS * f64::from(f32::EPSILON) * size).max(UNDERFLOW * (got.len() as f64).sqrt());
    prop_assert!(error <= allowed, "{}: off by {:e} of {:e}, {:e} is allowed; {} elements", name, error, value, allowed, got.len());
    Ok(())
}
