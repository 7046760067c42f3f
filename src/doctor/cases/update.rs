//! The optimizer's step and the norm of the gradients, on tensors without autodiff, as training has them.

use super::{Case, Place};
use crate::ops::{
    self, AdamWStep, Op,
    reference::{adamw, square_norm},
};

fn update(place: &mut Place, shape: [usize; 2], step: AdamWStep) {
    let (device, count) = (place.plain(), shape[0] * shape[1]);
    let mut values = place.noise("gradient", count, 1.0);
    values[count / 2] = 0.0;
    let squares = place.noise("second moment", count, 0.1).into_iter().map(|x| x * x).collect();
    let [p, m] = ["parameter", "first moment"].map(|name| place.on(&device, place.noise(name, count, 1.0), shape));
    let (g, v) = (place.on(&device, values, shape), place.on(&device, squares, shape));
    let want = adamw::forward(&step, &p.wide, &g.wide, [&m.wide, &v.wide]);
    let found = ops::adamw(&step, p.tensor, g.tensor, [m.tensor, v.tensor]);
    for ((result, found), want) in ["parameter", "first moment", "second moment"].into_iter().zip(found).zip(&want) {
        place.compare(result, found, want);
    }
}

fn norm(place: &mut Place, shape: [usize; 2]) {
    let x = place.on(&place.plain(), place.noise("x", shape[0] * shape[1], 1.0), shape);
    place.compare("output", ops::square_norm(x.tensor), &square_norm::forward(&x.wide));
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for shape in [[1, 1], [1, 17], [3, 333], [129, 257]] {
        let [rows, columns] = shape;
        for (step, weight_decay) in [(1, 0.0), (2, 0.1), (1000, 0.1)] {
            let step = AdamWStep { lr: 3e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay, step };
            let name = format!("{rows}×{columns}, step {}, decay {weight_decay}", step.step);
            cases.push(Case::new(Op::Adamw, name, move |place| update(place, shape, step)));
        }
    }
    for shape in [[1, 1], [3, 5], [1, 4096], [7, 4099], [300, 512]] {
        let [rows, columns] = shape;
        cases.push(Case::new(Op::SquareNorm, format!("{rows}×{columns}"), move |place| norm(place, shape)));
    }
    cases
}
