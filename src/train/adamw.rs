//! AdamW as one of Burn's optimizers, by the operator that updates in place.

use crate::ops::{self, AdamWStep};
use burn::{
    optim::{AdamWState, AdaptiveMomentumState, LearningRate, Optimizer},
    tensor::{Device, Tensor},
};

/// AdamW with decoupled decay (Loshchilov & Hutter 2019, algorithm 2). Its state is that of Burn's own AdamW.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled decay.
    pub weight_decay: f64,
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let &Self { beta1, beta2, eps, weight_decay } = self;
        let (time, moments) = match state {
            Some(AdamWState { momentum: AdaptiveMomentumState { time, moment_1, moment_2, .. } }) => (time, [moment_1, moment_2]),
            None => (0, [grad.zeros_like(), grad.zeros_like()]),
        };
        let step = AdamWStep { lr, beta1, beta2, eps, weight_decay, step: time + 1 };
        let [tensor, first, second] = ops::adamw(&step, tensor, grad, moments);
        (tensor, Some(AdamWState::new(AdaptiveMomentumState::new(time + 1, first, second))))
    }

    fn to_device<const D: usize>(mut state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}
