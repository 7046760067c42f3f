//! Matrix products.

use super::{Case, Place};
use crate::ops::{self, Op, reference::linear as reference};

/// `tied`: the weight is the transpose of `[outputs, inputs]`, as the embedding's is in the head.
fn run(place: &mut Place, [batch, seq, inputs, outputs]: [usize; 4], biased: bool, tied: bool) {
    let x = place.noisy("x", [batch, seq, inputs]);
    let shape = if tied { [outputs, inputs] } else { [inputs, outputs] };
    let w = place.noisy("w", shape);
    let b = biased.then(|| place.noisy("b", [outputs]));
    let across = |wide: &[f64], rows: usize, columns: usize| -> Vec<f64> {
        (0..wide.len()).map(|i| if tied { wide[i % columns * rows + i / columns] } else { wide[i] }).collect()
    };
    let (weight, wide) = (if tied { w.tensor.clone().transpose() } else { w.tensor.clone() }, across(&w.wide, inputs, outputs));

    let y = ops::linear(x.tensor.clone(), weight, b.as_ref().map(|b| b.tensor.clone()));
    let bias = b.as_ref().map(|b| b.wide.as_slice());
    place.compare("output", y.clone(), &reference::forward(&x.wide, &wide, bias, outputs));
    let (gradients, dy) = place.backward(y);
    let [dx, mut dw, db] = reference::backward(&x.wide, &wide, &ops::reference::Sums::of(&dy), outputs);
    (dw.value, dw.size) = (across(&dw.value, outputs, inputs), across(&dw.size, outputs, inputs));
    place.compare_gradient("gradient of x", &x, &gradients, &dx);
    place.compare_gradient("gradient of the weight", &w, &gradients, &dw);
    if let Some(b) = &b {
        place.compare_gradient("gradient of the bias", b, &gradients, &db);
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for sizes in [[1, 1, 1, 1], [2, 3, 5, 7], [1, 67, 129, 65], [4, 64, 64, 256], [1, 1, 300, 1], [3, 1, 1, 300]] {
        for (biased, tied) in [(false, false), (true, false), (true, true)] {
            let [batch, seq, inputs, outputs] = sizes;
            let form = [(biased, ", bias"), (tied, ", tied")].map(|(is, word)| if is { word } else { "" }).concat();
            let name = format!("{batch}×{seq} tokens, {inputs} → {outputs}{form}");
            cases.push(Case::new(Op::Linear, name, move |place| run(place, sizes, biased, tied)));
        }
    }
    cases
}
