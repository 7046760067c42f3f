//! Clipping by the global norm of all gradients.

use crate::{model::Transformer, ops};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::Tensor,
};

/// Scales all gradients so that their global norm is at most `clip`, as PyTorch's `clip_grad_norm_` does: by
/// min(1, clip/(norm + 1e-6)). 0 leaves them as they are. Returns the norm before clipping.
///
/// Sums of squares are taken per parameter on the device in a fixed order, and added in f64 in the order of the module.
pub fn clip(model: &Transformer, grads: &mut GradientsParams, clip: f64) -> f64 {
    let squares = squares(model, grads);
    clip_by(model, grads, clip, &squares)
}

/// The sum of squares of each gradient, with the number of its parameter in the model.
pub(super) fn squares(model: &Transformer, grads: &GradientsParams) -> Vec<(usize, f32)> {
    let mut squares = Squares { grads, visited: 0, numbers: vec![], values: vec![] };
    model.visit(&mut squares);
    if squares.values.is_empty() {
        return vec![];
    }
    // One transfer for all parameters.
    let sums = Tensor::cat(squares.values, 0).into_data().convert::<f32>();
    squares.numbers.into_iter().zip(sums.iter::<f32>()).collect()
}

/// [`clip`], with the sums of squares of all gradients, of which `grads` may have a part.
pub(super) fn clip_by(model: &Transformer, grads: &mut GradientsParams, clip: f64, squares: &[(usize, f32)]) -> f64 {
    let norm = squares.iter().map(|&(_, sum)| f64::from(sum)).sum::<f64>().sqrt();
    let factor = clip / (norm + 1e-6);
    if clip > 0.0 && factor < 1.0 {
        model.visit(&mut Scale { grads, factor });
    }
    norm
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    visited: usize,
    numbers: Vec<usize>,
    values: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.numbers.push(self.visited);
            self.values.push(ops::square_norm(grad));
        }
        self.visited += 1;
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register(param.id, grad.mul_scalar(self.factor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device::DeviceName,
        model::{ModelConfig, Noise},
        ops::{Activations, Precision},
        train::{Batch, step},
    };

    fn gradients(model: &Transformer) -> GradientsParams {
        let noise = Noise { seed: 0, step: 0, micro: 0, row: 0 };
        let batch = Batch {
            tokens: (0..18).map(|i| i * 7 % 32).collect(),
            context: 8,
            scored: None,
            opening: None,
            starts: None,
            noise,
            share: 1.0,
            activations: Activations::All,
            precision: Precision::F32,
        };
        step::forward(model, &batch).backward(model, 1.0)
    }

    struct Values<'a>(&'a GradientsParams, Vec<f64>);

    impl ModuleVisitor for Values<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.get::<D>(param.id) {
                self.1.extend(grad.into_data().iter::<f64>());
            }
        }
    }

    fn values(model: &Transformer, grads: &GradientsParams) -> Vec<f64> {
        let mut values = Values(grads, vec![]);
        model.visit(&mut values);
        values.1
    }

    #[test]
    fn gradients_shrink_together_to_the_limit_and_stay_below_it() {
        let config = ModelConfig { layers: 2, width: 16, context: 8, ..ModelConfig::default() };
        let spec = config.resolve(Some(32)).unwrap();
        let model = spec.build(1, &DeviceName::Flex.train_device().unwrap());
        let before = values(&model, &gradients(&model));
        assert_eq!(before.len() as u64, spec.account(8).parameters);
        let expected = before.iter().map(|value| value * value).sum::<f64>().sqrt();

        for (limit, factor) in [(0.0, 1.0), (expected * 2.0, 1.0), (expected / 4.0, expected / 4.0 / (expected + 1e-6))] {
            let mut grads = gradients(&model);
            let norm = clip(&model, &mut grads, limit);
            assert!((norm / expected - 1.0).abs() < 1e-6, "{norm} {expected}");
            for (old, new) in before.iter().zip(values(&model, &grads)) {
                assert!((old * factor - new).abs() <= 1e-6 * old.abs(), "{old} {new}");
            }
        }
    }
}
