//! Activations, alone, as gates, and as gates between two products.

use super::{Case, Input, Place};
use crate::ops::{
    self, Activation, Affine, Op,
    reference::{Sums, activation as reference, gated_linear::GatedLinear},
};

fn activate(place: &mut Place, count: usize, kind: Activation, scale: f64) {
    let x = place.leaf(place.noise("x", count, scale), [1, 1, count]);
    let y = ops::activate(x.tensor.clone(), kind);
    place.compare("output", y.clone(), &reference::forward(kind, &x.wide));
    let (gradients, dy) = place.backward(y);
    place.compare_gradient("gradient of x", &x, &gradients, &reference::backward(kind, &x.wide, &dy));
}

fn gated(place: &mut Place, count: usize, kind: Activation, scale: f64) {
    let gate = place.leaf(place.noise("gate", count, scale), [1, 1, count]);
    let up = place.noisy("up", [1, 1, count]);
    let y = ops::gated(gate.tensor.clone(), up.tensor.clone(), kind);
    let (gate_sums, up_sums) = (Sums::of(&gate.wide), Sums::of(&up.wide));
    place.compare("output", y.clone(), &reference::gated(kind, &gate_sums, &up_sums));
    let (gradients, dy) = place.backward(y);
    let [dgate, dup] = reference::gated_backward(kind, &gate_sums, &up_sums, &dy);
    place.compare_gradient("gradient of the gate", &gate, &gradients, &dgate);
    place.compare_gradient("gradient of up", &up, &gradients, &dup);
}

fn gated_linear(place: &mut Place, [batch, seq, width, hidden]: [usize; 4], kind: Activation, biased: bool) {
    let x = place.noisy("x", [batch, seq, width]);
    let [gate, up] = ["gate", "up"].map(|name| place.noisy(name, [width, hidden]));
    let [gate_bias, up_bias] = ["gate's bias", "up's bias"].map(|name| biased.then(|| place.noisy(name, [hidden])));
    let bias = |bias: &Option<Input<1>>| bias.as_ref().map(|bias| bias.tensor.clone());
    let y = ops::gated_linear(
        x.tensor.clone(),
        Affine { weight: gate.tensor.clone(), bias: bias(&gate_bias) },
        Affine { weight: up.tensor.clone(), bias: bias(&up_bias) },
        kind,
    );
    let biases = [&gate_bias, &up_bias].map(|bias| bias.as_ref().map(|bias| bias.wide.as_slice()));
    let want = GatedLinear { weights: [&gate.wide, &up.wide], biases, hidden, activation: kind };
    place.compare("output", y.clone(), &want.forward(&x.wide));
    let (gradients, dy) = place.backward(y);
    let (dx, [dgate, dup], [dgate_bias, dup_bias]) = want.backward(&x.wide, &dy);
    place.compare_gradient("gradient of x", &x, &gradients, &dx);
    place.compare_gradient("gradient of the gate's weight", &gate, &gradients, &dgate);
    place.compare_gradient("gradient of up's weight", &up, &gradients, &dup);
    if let (Some(gate), Some(up)) = (&gate_bias, &up_bias) {
        place.compare_gradient("gradient of the gate's bias", gate, &gradients, &dgate_bias);
        place.compare_gradient("gradient of up's bias", up, &gradients, &dup_bias);
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for kind in Activation::ALL {
        for (count, scale) in [(1, 4.0), (17, 4.0), (1000, 4.0), (20_011, 4.0), (999, 80.0)] {
            let name = format!("{kind:?}, {count} elements up to ±{scale}");
            cases.push(Case::new(Op::Activation, name.clone(), move |place| activate(place, count, kind, scale)));
            cases.push(Case::new(Op::Gated, name, move |place| gated(place, count, kind, scale)));
        }
        for (sizes, biased) in [([1, 1, 1, 1], false), ([2, 7, 13, 19], true), ([1, 33, 64, 96], false), ([3, 41, 48, 129], true)] {
            let [batch, seq, width, hidden] = sizes;
            let biases = if biased { ", biases" } else { "" };
            let name = format!("{kind:?}, {batch}×{seq} tokens, {width} → {hidden}{biases}");
            cases.push(Case::new(Op::GatedLinear, name, move |place| gated_linear(place, sizes, kind, biased)));
        }
    }
    cases
}
