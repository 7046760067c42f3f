//! A step of AdamW in one pass, in place, without waiting for anything.

use super::{
    Described,
    tensor::{arg, count, dense, per_element},
};
use crate::ops::{
    flex::adamw::AdamW,
    fused::adamw::Step,
    operator::{Kept, Kernels},
};
use burn::{backend::fusion::custom::TensorSpec, tensor::DType};
use burn_cubecl::{
    CubeBackend,
    cubecl::{self, prelude::*},
    tensor::CubeTensor,
};

#[cube(launch)]
fn step(
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    count: usize,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    rate: f32,
    correction: f32,
    eps: f32,
    keep: f32,
) {
    if ABSOLUTE_POS < count {
        let gradient = g[ABSOLUTE_POS];
        let mean = m[ABSOLUTE_POS] * beta1 + gradient * rest1;
        let square = v[ABSOLUTE_POS] * beta2 + gradient * gradient * rest2;
        m[ABSOLUTE_POS] = mean;
        v[ABSOLUTE_POS] = square;
        p[ABSOLUTE_POS] = p[ABSOLUTE_POS] * keep - mean * rate / (f32::sqrt(square) * correction + eps);
    }
}

/// The tensor to change: itself if nobody else holds it, else a copy.
fn owned(x: CubeTensor) -> CubeTensor {
    match (x.is_contiguous(), x.can_mut()) {
        (true, true) => x,
        (true, false) => x.copy(),
        (false, _) => dense(&x),
    }
}

impl Kernels<CubeBackend> for Step {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        assert!(inputs.iter().all(|input| input.dtype == DType::F32), "AdamW: parameters, gradients and moments in f32");
        let o = &self.0;
        let mut inputs = inputs.into_iter();
        let mut next = || inputs.next().expect("four inputs");
        let (p, g, m, v) = (next(), dense(&next()), next(), next());
        let [p, m, v] = [p, m, v].map(owned);
        let &AdamW { lr, beta1, beta2, .. } = o;
        let (grid, units) = per_element(count(&p));
        step::launch(
            &p.client,
            grid,
            units,
            arg(&p),
            arg(&g),
            arg(&m),
            arg(&v),
            count(&p),
            beta1 as f32,
            (1.0 - beta1) as f32,
            beta2 as f32,
            (1.0 - beta2) as f32,
            (lr / (1.0 - beta1.powi(o.step))) as f32,
            (1.0 / (1.0 - beta2.powi(o.step))).sqrt() as f32,
            o.eps as f32,
            (1.0 - lr * o.weight_decay) as f32,
        );
        vec![p, m, v]
    }

    fn backward(&self, _: Kept<CubeBackend>, _: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        unreachable!("updates have no gradients")
    }
}

impl Described for Step {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        [0, 2, 3].map(|i| inputs[i].clone()).into()
    }
}

/// As CUDA C++.
#[cfg(feature = "cuda")]
pub fn emitted(target: &super::emit::Target) -> Vec<super::emit::Named> {
    use super::{emit::kernel, tensor::UNITS};
    let step = kernel!(
        target, UNITS as usize, step::Step, [buffer p g m v], (count beta1 rest1 beta2 rest2 rate correction eps keep)
    );
    vec![("adamw".into(), step)]
}
