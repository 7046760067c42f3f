//! A device and an element type, where a case makes its inputs and leaves its findings.

use super::mode::Mode;
use crate::{
    ops::reference::Sums,
    random::{Purpose, generator},
};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use rand::Rng;

/// A result or gradient beside its reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which.
    pub result: &'static str,
    /// Its relative error.
    pub error: f64,
    /// What went wrong, unless it is the error alone.
    pub message: Option<String>,
}

/// A tensor, and the same numbers in float64.
#[derive(Clone, Debug)]
pub struct Input<const D: usize> {
    /// On the device.
    pub tensor: Tensor<D>,
    /// As the device has them: rounded to its element type.
    pub wide: Vec<f64>,
}

/// Where a case runs.
pub struct Place<'a> {
    /// With gradients.
    device: &'a Device,
    mode: Mode,
    key: &'a str,
    /// Multiplies what is expected.
    factor: f64,
    findings: Vec<Finding>,
}

impl<'a> Place<'a> {
    /// A place for the case `key`, whose expected values are multiplied by `factor`.
    pub fn new(device: &'a Device, mode: Mode, key: &'a str, factor: f64) -> Self {
        Self { device, mode, key, factor, findings: vec![] }
    }

    /// What was found.
    pub fn findings(self) -> Vec<Finding> {
        self.findings
    }

    /// The device, without gradients.
    pub fn plain(&self) -> Device {
        self.device.clone().without_autodiff()
    }

    /// Repeatable numbers in [-scale, scale), the same on every device.
    pub fn noise(&self, name: &str, count: usize, scale: f64) -> Vec<f32> {
        let mut generator = generator(7, Purpose::Sampling, &format!("{}/{name}", self.key));
        (0..count).map(|_| (scale * (f64::from(generator.next_u32()) / 2f64.powi(31) - 1.0)) as f32).collect()
    }

    /// These numbers, whose gradient is kept.
    pub fn leaf<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Input<D> {
        let Input { tensor, wide } = self.constant(values, shape);
        Input { tensor: tensor.require_grad(), wide }
    }

    /// Noise in [-1, 1), whose gradient is kept.
    pub fn noisy<const D: usize>(&self, name: &str, shape: [usize; D]) -> Input<D> {
        self.leaf(self.noise(name, shape.iter().product(), 1.0), shape)
    }

    /// These numbers, without gradient.
    pub fn constant<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Input<D> {
        self.on(self.device, values, shape)
    }

    /// These numbers on another form of the device.
    pub fn on<const D: usize>(&self, device: &Device, values: Vec<f32>, shape: [usize; D]) -> Input<D> {
        let data = TensorData::new(values, shape).convert_dtype(self.mode.dtype());
        let wide = data.iter::<f64>().collect();
        Input { tensor: Tensor::from_data(data, (device, self.mode.dtype())), wide }
    }

    /// Indices.
    pub fn indices<const D: usize>(&self, values: &[usize], shape: [usize; D]) -> Tensor<D, Int> {
        let values: Vec<i32> = values.iter().map(|value| *value as i32).collect();
        Tensor::from_data(TensorData::new(values, shape), self.device)
    }

    /// The backward pass of Σ y·w: w is what the gradient of y is.
    pub fn backward<const D: usize>(&self, y: Tensor<D>) -> (Gradients, Vec<f64>) {
        let weights = self.constant(self.noise("gradient", y.shape().num_elements(), 1.0), y.dims());
        ((y * weights.tensor).sum().backward(), weights.wide)
    }

    /// Compares a result with its reference, and remembers the error.
    pub fn compare<const D: usize>(&mut self, result: &'static str, got: Tensor<D>, want: &Sums) {
        let got: Vec<f64> = got.into_data().iter::<f64>().collect();
        let finding = if got.len() == want.len() {
            Finding { result, error: self.error(&got, want), message: None }
        } else {
            let message = format!("{} numbers where {} are expected", got.len(), want.len());
            Finding { result, error: f64::INFINITY, message: Some(message) }
        };
        self.findings.push(finding);
    }

    /// Compares the gradient of an input.
    pub fn compare_gradient<const D: usize>(&mut self, result: &'static str, input: &Input<D>, gradients: &Gradients, want: &Sums) {
        match input.tensor.grad(gradients) {
            Some(gradient) => self.compare(result, gradient, want),
            None => self.findings.push(Finding { result, error: f64::INFINITY, message: Some("there is no gradient".into()) }),
        }
    }

    /// |got - want| by |want|, in the Euclidean norm. Where the terms of `want` cancel, by what some roundings of the terms
    /// make within the tolerance instead: closer than that, nothing that computes in this element type could be.
    fn error(&self, got: &[f64], want: &Sums) -> f64 {
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let difference: Vec<f64> = got.iter().zip(&want.value).map(|(got, want)| got - want * self.factor).collect();
        let floor = ROUNDINGS * self.mode.rounding() / self.mode.tolerance() * norm(&want.size);
        let (error, scale) = (norm(&difference), norm(&want.value).max(floor));
        match error / scale {
            // 0 where nothing is expected and nothing came.
            _ if error == 0.0 => 0.0,
            ratio if ratio.is_nan() => f64::INFINITY,
            ratio => ratio,
        }
    }
}

/// Roundings of the size of its terms that a sum may be off by.
const ROUNDINGS: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_but_where_terms_cancel() {
        let device = Device::flex().autodiff();
        let error = |got: &[f64], value: &[f64], size: &[f64], factor: f64| {
            let want = Sums { value: value.to_vec(), size: size.to_vec() };
            Place::new(&device, Mode::F32, "", factor).error(got, &want)
        };
        assert!((error(&[1.001, 0.0], &[1.0, 0.0], &[1.0, 0.0], 1.0) - 1e-3).abs() < 1e-12);
        assert!((error(&[1.0], &[1.0], &[1.0], 1.001) - 1e-3).abs() < 1e-12);
        // Two roundings of terms of size 1 pass, a thousand do not.
        let epsilon = f64::from(f32::EPSILON);
        assert!(error(&[2.0 * epsilon], &[0.0], &[1.0], 1.0) < Mode::F32.tolerance());
        assert!(error(&[1e3 * epsilon], &[0.0], &[1.0], 1.0) > Mode::F32.tolerance());
        assert_eq!(error(&[0.0], &[0.0], &[0.0], 1.0), 0.0);
        for wrong in [f64::NAN, f64::INFINITY] {
            assert_eq!(error(&[wrong], &[1.0], &[1.0], 1.0), f64::INFINITY);
        }
        assert_eq!(error(&[1e-9], &[0.0], &[0.0], 1.0), f64::INFINITY);
    }

    #[test]
    fn the_reference_sees_what_the_device_sees() {
        let device = Device::flex().autodiff();
        for mode in Mode::ALL {
            let x = Place::new(&device, mode, "x", 1.0).noisy("x", [7]);
            assert_eq!(x.tensor.dtype(), mode.dtype());
            assert_eq!(x.tensor.into_data().iter::<f64>().collect::<Vec<_>>(), x.wide);
        }
    }
}
