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
    let mut squares = Squares { grads, values: vec![] };
    model.visit(&mut squares);
    if squares.values.is_empty() {
        return 0.0;
    }
    // One transfer for all parameters.
    let sums = Tensor::cat(squares.values, 0).into_data().convert::<f32>();
    let sums = sums.as_slice::<f32>().expect("sums were converted to f32");
    let norm = sums.iter().map(|&sum| f64::from(sum)).sum::<f64>().sqrt();
    let factor = clip / (norm + 1e-6);
    if clip > 0.0 && factor < 1.0 {
        model.visit(&mut Scale { grads, factor });
    }
    norm
}

struct Squares<'a> {
    grads: &'a GradientsParams,
    values: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.values.push(ops::square_norm(grad));
        }
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
