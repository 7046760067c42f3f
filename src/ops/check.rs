//! Helpers of the operators' tests: deterministic inputs, gradients, comparison with float64.

use super::Neighbours;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use std::{
    sync::{Arc, Barrier, Mutex},
    thread,
};

/// `device` with gradients.
pub fn autodiff(device: &Device) -> Device {
    device.clone().autodiff()
}

/// Uniform numbers in [-1, 1), repeatable by `key`.
pub fn noise(key: &str, count: usize) -> Vec<f32> {
    let mut generator = crate::random::generator(7, crate::random::Purpose::Sampling, key);
    (0..count).map(|_| (f64::from(generator.next_u32()) / 2f64.powi(31) - 1.0) as f32).collect()
}

/// A tensor whose gradient is kept, on Flex.
pub fn leaf<const D: usize>(data: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data, shape), &autodiff(&Device::flex())).require_grad()
}

/// A tensor of repeatable noise whose gradient is kept.
pub fn noisy<const D: usize>(key: &str, shape: [usize; D]) -> Tensor<D> {
    leaf(noise(key, shape.iter().product()), shape)
}

/// All elements in row-major order.
pub fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f32>().map(f64::from).collect()
}

/// All elements in row-major order, bit for bit.
pub fn bits<const D: usize>(x: Tensor<D>) -> Vec<u32> {
    x.into_data().iter::<f32>().map(f32::to_bits).collect()
}

/// Norm-wise comparison: |got - expected|∞ <= tolerance · max(1, |expected|∞).
#[track_caller]
pub fn close(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths");
    let size = expected.iter().fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= tolerance * size, "{what}: element {i} is {g}, expected {e} (scale {size})");
    }
}

/// Numbers in [-3, 3), most of them near 0, repeatable by `seed`.
pub fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as f64 / (1u64 << 31) as f64 - 0.5) as f32
    };
    (0..count).map(|_| 2.0 * (next() + next() + next())).collect()
}

/// The same numbers in float64.
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// Norm-wise comparison: |got - want|₂ <= tolerance · |want|₂ + floor; the floor is for what cancels in `want`.
#[track_caller]
pub fn near(what: &str, got: &[f32], want: &[f64], tolerance: f64, floor: f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    let norm = want.iter().map(|w| w * w).sum::<f64>().sqrt();
    let error = got.iter().zip(want).map(|(g, w)| (f64::from(*g) - w).powi(2)).sum::<f64>().sqrt();
    assert!(error <= tolerance * norm + floor, "{what}: error {error:e} of {norm:e}, {} elements", got.len());
}

/// Derivative of `f` by each element of `x`, by central differences in float64.
pub fn differences(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let step = 1e-5;
    (0..x.len())
        .map(|i| {
            let mut moved = x.to_vec();
            moved[i] = x[i] + step;
            let up = f(&moved);
            moved[i] = x[i] - step;
            (up - f(&moved)) / (2.0 * step)
        })
        .collect()
}

/// Σ x·w, a scalar that makes every element's gradient differ.
pub fn weighted(x: &[f64]) -> f64 {
    x.iter().enumerate().map(|(i, v)| v * weight(i)).sum()
}

/// The same as [`weighted`] for a tensor.
pub fn weighted_sum<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let weights: Vec<f32> = (0..x.shape().num_elements()).map(|i| weight(i) as f32).collect();
    let weights = Tensor::<D>::from_data(TensorData::new(weights, x.dims()), &x.device());
    (x * weights).sum()
}

fn weight(i: usize) -> f64 {
    f64::from(((i * 37 + 11) % 101) as f32 / 64.0 - 0.75)
}

/// Threads that are neighbours.
#[derive(Debug)]
pub struct Ring {
    rank: usize,
    table: Arc<(Barrier, Mutex<Vec<Vec<f64>>>)>,
}

impl Ring {
    /// What each of `size` neighbours makes of its place.
    pub fn of<T: Send>(size: usize, work: impl Fn(Arc<dyn Neighbours>) -> T + Sync) -> Vec<T> {
        let table = Arc::new((Barrier::new(size), Mutex::new(vec![vec![]; size])));
        thread::scope(|scope| {
            let one = |rank| {
                let (table, work) = (table.clone(), &work);
                scope.spawn(move || work(Arc::new(Self { rank, table })))
            };
            let all: Vec<_> = (0..size).map(one).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// What all have laid down.
    fn all(&self, own: TensorData) -> Vec<Vec<f64>> {
        let (barrier, table) = &*self.table;
        table.lock().unwrap()[self.rank] = own.iter::<f64>().collect();
        barrier.wait();
        let all = table.lock().unwrap().clone();
        barrier.wait();
        all
    }
}

impl Neighbours for Ring {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.table.1.lock().unwrap().len()
    }

    fn gather(&self, own: TensorData) -> TensorData {
        let dtype = own.dtype();
        TensorData::from(self.all(own).concat().as_slice()).convert_dtype(dtype)
    }

    fn scatter(&self, all: TensorData) -> TensorData {
        let (dtype, count) = (all.dtype(), all.num_elements() / self.size());
        let all = self.all(all);
        let sum: Vec<f64> = (self.rank * count..(self.rank + 1) * count).map(|i| all.iter().map(|of| of[i]).sum()).collect();
        TensorData::from(sum.as_slice()).convert_dtype(dtype)
    }
}
