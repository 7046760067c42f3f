//! The head's product with its loss.

use super::{Case, Place};
use crate::ops::{
    self, CrossEntropyOptions, Op,
    reference::{Sums, cross_entropy::LinearCrossEntropy},
};

#[derive(Clone, Copy, Debug)]
struct Setting {
    /// Batch, tokens, width, vocabulary.
    sizes: [usize; 4],
    options: CrossEntropyOptions,
    biased: bool,
    /// The weight is the transpose of the embedding's.
    tied: bool,
    /// Size of x: 0 makes all logits equal, 40 makes them large.
    scale: f64,
    /// Only some tokens have a target, and the others no share in the loss.
    scored: bool,
}

const PLAIN: Setting = Setting {
    sizes: [1; 4],
    options: CrossEntropyOptions { soft_cap: None, z_loss: 0.0, label_smoothing: 0.0 },
    biased: false,
    tied: false,
    scale: 1.0,
    scored: false,
};

fn settings() -> Vec<Setting> {
    let mut all = vec![];
    for sizes in [[1, 1, 1, 2], [1, 1, 3, 5], [2, 7, 16, 17], [1, 33, 64, 1000], [2, 67, 31, 257]] {
        for (biased, tied) in [(false, false), (true, true)] {
            all.push(Setting { sizes, biased, tied, ..PLAIN });
        }
    }
    let sizes = [2, 19, 24, 211];
    for (soft_cap, z_loss, label_smoothing) in
        [(Some(3.0), 0.0, 0.0), (None, 1e-2, 0.0), (None, 0.0, 0.1), (Some(5.0), 1e-2, 0.1), (Some(30.0), 1e-4, 0.0)]
    {
        let options = CrossEntropyOptions { soft_cap, z_loss, label_smoothing };
        all.push(Setting { sizes, options, biased: true, ..PLAIN });
        all.push(Setting { sizes, options, tied: true, ..PLAIN });
    }
    all.push(Setting { sizes, scale: 0.0, ..PLAIN });
    for sizes in [[1, 1, 3, 5], [2, 19, 24, 211], [2, 67, 31, 257]] {
        all.push(Setting { sizes, scored: true, ..PLAIN });
        all.push(Setting {
            sizes,
            scored: true,
            biased: true,
            tied: true,
            options: CrossEntropyOptions { z_loss: 1e-2, ..PLAIN.options },
            ..PLAIN
        });
    }
    all.push(Setting { sizes, scale: 40.0, ..PLAIN });
    all.push(Setting { sizes, scale: 40.0, options: CrossEntropyOptions { soft_cap: Some(15.0), ..PLAIN.options }, ..PLAIN });
    all
}

/// What the gradient of the objective is.
const FACTOR: f64 = 0.75;

impl Setting {
    fn name(&self) -> String {
        let [batch, seq, width, vocab] = self.sizes;
        let mut name = format!("{batch}×{seq} tokens, {width} → {vocab}");
        let CrossEntropyOptions { soft_cap, z_loss, label_smoothing } = self.options;
        if let Some(cap) = soft_cap {
            name += &format!(", soft cap {cap}");
        }
        if z_loss > 0.0 {
            name += &format!(", z-loss {z_loss}");
        }
        if label_smoothing > 0.0 {
            name += &format!(", smoothing {label_smoothing}");
        }
        for (is, word) in [
            (self.biased, ", bias"),
            (self.tied, ", tied"),
            (self.scored, ", some scored"),
            (self.scale == 0.0, ", equal logits"),
            (self.scale > 1.0, ", large logits"),
        ] {
            name += if is { word } else { "" };
        }
        name
    }

    fn run(&self, place: &mut Place) {
        let [batch, seq, width, vocab] = self.sizes;
        let (all, tied) = (batch * seq, self.tied);
        // Neither the first token nor every third, but always one.
        let positions: Vec<usize> = (0..all).filter(|i| !self.scored || i % 3 == 1 || all == 1).collect();
        let n = positions.len();
        let shape = if tied { [vocab, width] } else { [width, vocab] };
        let (noise, weights) = (place.noise("x", all * width, self.scale), place.noise("w", width * vocab, 1.0));
        let targets: Vec<usize> = (0..n).map(|i| (i * 7919 + 3) % vocab).collect();
        let across = |wide: &[f64], rows: usize, columns: usize| -> Vec<f64> {
            (0..wide.len()).map(|i| if tied { wide[i % columns * rows + i / columns] } else { wide[i] }).collect()
        };

        let (x, w) = (place.leaf(noise.clone(), [batch, seq, width]), place.leaf(weights.clone(), shape));
        let b = self.biased.then(|| place.noisy("b", [vocab]));
        let wide = across(&w.wide, width, vocab);
        let bias = b.as_ref().map(|b| b.wide.as_slice());
        let want = LinearCrossEntropy { vocab, targets: &targets, options: self.options };
        let rows: Vec<f64> = positions.iter().flat_map(|at| &x.wide[at * width..][..width]).copied().collect();
        let losses = want.forward(&rows, &wide, bias);
        let mean = |losses: &Sums| {
            let mean = |x: &[f64]| vec![x.iter().sum::<f64>() / n as f64];
            Sums { value: mean(&losses.value), size: mean(&losses.size) }
        };

        let of_w = |w: burn::tensor::Tensor<2>| if tied { w.transpose() } else { w };
        let read = |x: burn::tensor::Tensor<3>, at: burn::tensor::Tensor<2, burn::tensor::Int>| {
            if self.scored { ops::embedding(x.reshape([all, width]), at) } else { x }
        };
        // Of rows that are all there the shape stays; the others become one sequence.
        let shape_of = if self.scored { [1, n] } else { [batch, seq] };
        let found = ops::linear_cross_entropy(
            read(x.tensor.clone(), place.indices(&positions, [1, n])),
            of_w(w.tensor.clone()),
            b.as_ref().map(|b| b.tensor.clone()),
            place.indices(&targets, shape_of),
            self.options,
        );
        place.compare("objective", found.objective.clone(), &mean(&losses.objective));
        place.compare("cross-entropy", found.nats, &mean(&losses.nats));
        let gradients = found.objective.mul_scalar(FACTOR).sum().backward();
        let [of_rows, mut dw, db] = want.backward(&rows, &wide, bias, FACTOR / n as f64);
        let mut dx = Sums::zeros(all * width);
        for (row, at) in positions.iter().enumerate() {
            dx.value[at * width..][..width].copy_from_slice(&of_rows.value[row * width..][..width]);
            dx.size[at * width..][..width].copy_from_slice(&of_rows.size[row * width..][..width]);
        }
        (dw.value, dw.size) = (across(&dw.value, vocab, width), across(&dw.size, vocab, width));
        place.compare_gradient("gradient of x", &x, &gradients, &dx);
        place.compare_gradient("gradient of the weight", &w, &gradients, &dw);
        if let Some(b) = &b {
            place.compare_gradient("gradient of the bias", b, &gradients, &db);
        }

        // As evaluation asks for it: by token, on the device without gradients.
        let plain = place.plain();
        let by_token = ops::token_cross_entropy(
            read(place.on(&plain, noise, [batch, seq, width]).tensor, place.indices(&positions, [1, n]).inner()),
            of_w(place.on(&plain, weights, shape).tensor),
            self.biased.then(|| place.on(&plain, place.noise("b", vocab, 1.0), [vocab]).tensor),
            place.indices(&targets, shape_of).inner(),
            self.options,
        );
        place.compare("cross-entropy by token", by_token, &losses.nats);
    }
}

pub(super) fn cases() -> Vec<Case> {
    settings().into_iter().map(|setting| Case::new(Op::LinearCrossEntropy, setting.name(), move |place| setting.run(place))).collect()
}
