//! The head's product with its loss where each device has the logits of a part of the vocabulary (Shoeybi et al. 2019,
//! "Megatron-LM", section 3).

use super::{CrossEntropyOptions, MeanCrossEntropy, Neighbours, given::given, linear, precision, product::product};
use burn::tensor::{Bool, FloatDType, IndexingUpdateOp, Int, Tensor, TensorData};

/// Logits that exist at a time.
const LOGITS: usize = 1 << 22;

/// [`linear_cross_entropy`](super::linear_cross_entropy) over a vocabulary of which each device has a part.
///
/// Devices send each other four numbers a token: largest logit, sum of exponentials, logit of the target, sum of logits. Logits
/// exist for some rows at a time; where that is not for all, they are made a second time for the gradients, which are made with
/// the loss.
///
/// # Shapes
///
/// - `x`: `[batch, seq, width]`, the same on all devices; its gradient is a part, which the sum over all devices completes
/// - `weight`: `[width, own]`, `bias`: `[own]`, of this device's part of `vocab` entries
/// - `targets`: `[batch, seq]`, below vocab
pub fn divided_cross_entropy(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<2, Int>,
    options: CrossEntropyOptions,
    vocab: usize,
    neighbours: &dyn Neighbours,
) -> MeanCrossEntropy {
    by_rows(LOGITS / neighbours.part(vocab).len(), x, weight, bias, targets, options, vocab, neighbours)
}

/// The same with so many rows at a time.
#[allow(clippy::too_many_arguments)]
fn by_rows(
    rows: usize,
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    targets: Tensor<2, Int>,
    options: CrossEntropyOptions,
    vocab: usize,
    neighbours: &dyn Neighbours,
) -> MeanCrossEntropy {
    let ([batch, seq, width], wide, device) = (x.dims(), precision::wide(x.dtype()), x.device());
    let (count, own) = (batch * seq, neighbours.part(vocab));
    let head = Head { weight: weight.clone().detach(), bias: bias.clone().map(Tensor::detach), cap: options.soft_cap, wide };
    let plain: Tensor<3> = x.clone().detach().reshape([1, count, width]);
    let targets: Tensor<2, Int> = targets.reshape([count, 1]) - own.start as i64;
    let rows = rows.clamp(1, count);
    let parts: Vec<Rows> = (0..count)
        .step_by(rows)
        .map(|first| first..(first + rows).min(count))
        .map(|part| Rows::of(plain.clone().slice_dim(1, part.clone()), targets.clone().slice_dim(0, part), own.len()))
        .collect();

    let mut logits = None;
    let statistics = parts.iter().map(|part| {
        let z = logits.insert(head.logits(&part.x)).clone();
        part.statistics(z)
    });
    let all = neighbours.gather(Tensor::cat(statistics.collect(), 0).into_data());
    let all: Vec<f64> = all.iter().collect();
    let tokens: Vec<Token> = (0..count).map(|i| Token::of(all.chunks_exact(4 * count).map(|device| &device[4 * i..4 * i + 4]))).collect();

    let CrossEntropyOptions { z_loss, label_smoothing: smoothing, .. } = options;
    let mean = |loss: &dyn Fn(&Token) -> f64| tokens.iter().map(loss).sum::<f64>() / count as f64;
    let nats = |token: &Token| token.log_sum - token.target;
    // Without smoothing the mean must not count: it is infinite where a token is ruled out by a bias of -∞.
    let even = |token: &Token| if smoothing == 0.0 { 0.0 } else { token.log_sum - token.sum / vocab as f64 };
    let objective = |token: &Token| (1.0 - smoothing) * nats(token) + smoothing * even(token) + z_loss * token.log_sum.powi(2);
    let number = |value: f64| Tensor::<1>::from_data(TensorData::from([value]), (&device, wide.into()));
    let (objective, nats) = (number(mean(&objective)), number(mean(&nats)));
    if !device.is_autodiff() {
        return MeanCrossEntropy { objective, nats };
    }

    let scale = 1.0 / count as f64;
    let (uniform, at_target) = (scale * smoothing / vocab as f64, scale * (1.0 - smoothing));
    let mut tokens = tokens.iter();
    // Of a single part they are still there.
    let mut logits = logits.filter(|_| parts.len() == 1);
    let (mut dx, mut dweight, mut dbias) = (vec![], None, None);
    for part in parts {
        let z = logits.take().unwrap_or_else(|| head.logits(&part.x));
        let slopes = head.slopes(&z);
        let [rows, _] = z.dims();
        let log_sums: Vec<f64> = tokens.by_ref().take(rows).map(|token| token.log_sum).collect();
        let log_sums = Tensor::<2>::from_data(TensorData::new(log_sums, [rows, 1]), (&device, wide.into()));
        let factor = log_sums.clone().mul_scalar(2.0 * z_loss * scale) + scale;
        let dz = part.less_at_targets((z - log_sums).exp() * factor - uniform, at_target);
        let dz = if let Some(slopes) = slopes { dz * slopes } else { dz };
        if bias.is_some() {
            add(&mut dbias, dz.clone().sum_dim(0));
        }
        let dz = dz.cast(FloatDType::from(x.dtype()));
        add(&mut dweight, product(part.x.reshape([rows, width]).transpose(), dz.clone()));
        dx.push(linear(dz.unsqueeze(), head.weight.clone().transpose(), None));
    }
    let objective = given(objective, x.clone(), Tensor::cat(dx, 1).reshape(x.dims()));
    let objective = given(objective, weight, dweight.expect("there are tokens"));
    let objective = match (bias, dbias) {
        (Some(bias), Some(dbias)) => {
            let (dtype, shape) = (FloatDType::from(bias.dtype()), bias.dims());
            given(objective, bias, dbias.cast(dtype).reshape(shape))
        }
        _ => objective,
    };
    MeanCrossEntropy { objective, nats }
}

fn add(sum: &mut Option<Tensor<2>>, more: Tensor<2>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + more,
        None => more,
    });
}

/// The columns of the head that are here.
struct Head {
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    cap: Option<f64>,
    wide: FloatDType,
}

impl Head {
    /// `[rows, own]`, capped, of x `[1, rows, width]`.
    fn logits(&self, x: &Tensor<3>) -> Tensor<2> {
        let raw: Tensor<2> = linear(x.clone(), self.weight.clone(), self.bias.clone()).squeeze_dim(0).cast(self.wide);
        match self.cap {
            Some(cap) => raw.mul_scalar(1.0 / cap).tanh().mul_scalar(cap),
            None => raw,
        }
    }

    /// The derivative of each by the logit before the cap.
    fn slopes(&self, logits: &Tensor<2>) -> Option<Tensor<2>> {
        let ratio = logits.clone().mul_scalar(1.0 / self.cap?);
        Some((ratio.clone() * ratio).neg() + 1.0)
    }
}

/// Some of the tokens.
struct Rows {
    /// `[1, rows, width]`.
    x: Tensor<3>,
    /// The columns of the targets here, `[rows, 1]`; any of those that are elsewhere.
    columns: Tensor<2, Int>,
    /// Whether a target is elsewhere, `[rows, 1]`.
    elsewhere: Tensor<2, Bool>,
}

impl Rows {
    /// `targets` count from the first of `own` columns.
    fn of(x: Tensor<3>, targets: Tensor<2, Int>, own: usize) -> Self {
        let elsewhere = targets.clone().lower_elem(0).bool_or(targets.clone().greater_equal_elem(own as i64));
        Self { x, columns: targets.mask_fill(elsewhere.clone(), 0), elsewhere }
    }

    /// Largest logit, sum of exponentials below it, logit of the target or 0, sum of logits: `[rows, 4]`.
    fn statistics(&self, z: Tensor<2>) -> Tensor<2> {
        // Where all of them are ruled out by biases of -∞, their exponentials are 0, not undefined.
        let largest = z.clone().max_dim(1).clamp_min(f32::MIN);
        let exponentials = (z.clone() - largest.clone()).exp().sum_dim(1);
        let target = z.clone().gather(1, self.columns.clone()).mask_fill(self.elsewhere.clone(), 0.0);
        Tensor::cat(vec![largest, exponentials, target, z.sum_dim(1)], 1)
    }

    /// `[rows, own]`, with so much less at the targets.
    fn less_at_targets(&self, x: Tensor<2>, less: f64) -> Tensor<2> {
        let [rows, _] = x.dims();
        let less = Tensor::full([rows, 1], -less, (&x.device(), x.dtype())).mask_fill(self.elsewhere.clone(), 0.0);
        x.scatter(1, self.columns.clone(), less, IndexingUpdateOp::Add)
    }
}

/// What follows from the logits of a token on all devices.
struct Token {
    log_sum: f64,
    target: f64,
    sum: f64,
}

impl Token {
    /// From the [`Rows::statistics`] of each device, in their order: the same bits on all.
    fn of<'a>(devices: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let largest = devices.clone().map(|of| of[0]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = devices.clone().map(|of| of[1] * (of[0] - largest).exp()).sum();
        let [target, logits] = [2, 3].map(|i| devices.clone().map(|of| of[i]).sum());
        Self { log_sum: largest + sum.ln(), target, sum: logits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        check::{Ring, autodiff, close, noise},
        linear_cross_entropy,
    };
    use burn::tensor::{DType, Device};

    const WIDTH: usize = 5;
    const VOCAB: usize = 11;

    fn leaf<const D: usize>(key: &str, shape: [usize; D], dtype: DType) -> Tensor<D> {
        let data = TensorData::new(noise(key, shape.iter().product()), shape);
        Tensor::from_data(data, (&autodiff(&Device::flex()), dtype)).mul_scalar(3.0).detach().require_grad()
    }

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
        x.into_data().iter::<f64>().collect()
    }

    /// Objective, cross-entropy, and the gradients of x, W and b of 0.3 objectives.
    fn results(loss: &MeanCrossEntropy, x: &Tensor<3>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> [Vec<f64>; 5] {
        let gradients = loss.objective.clone().mul_scalar(0.3).backward();
        let [objective, nats] = [&loss.objective, &loss.nats].map(|loss| numbers(loss.clone()));
        let bias = bias.map(|bias| numbers(bias.grad(&gradients).unwrap())).unwrap_or_default();
        [objective, nats, numbers(x.grad(&gradients).unwrap()), numbers(weight.grad(&gradients).unwrap()), bias]
    }

    #[test]
    fn parts_of_a_vocabulary_have_the_loss_and_gradients_of_the_whole() {
        let all = [
            CrossEntropyOptions::default(),
            CrossEntropyOptions { soft_cap: Some(2.0), ..Default::default() },
            CrossEntropyOptions { soft_cap: Some(4.0), z_loss: 0.02, label_smoothing: 0.2 },
        ];
        for (options, (dtype, tolerance)) in
            all.iter().flat_map(|options| [(DType::F64, 1e-13), (DType::F32, 2e-6)].map(|of| (*options, of)))
        {
            for (has_bias, [batch, seq], size, rows) in
                [(true, [1, 7], 2, 1), (true, [1, 7], 2, 3), (false, [2, 3], 3, 9), (true, [1, 1], 4, 9)]
            {
                let ids: Vec<i32> = (0..batch * seq).map(|i| (i * 7 % VOCAB) as i32).collect();
                let input = || {
                    let device = autodiff(&Device::flex());
                    let targets = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [batch, seq]), &device);
                    let bias = has_bias.then(|| leaf("b", [VOCAB], dtype));
                    (leaf("x", [batch, seq, WIDTH], dtype), leaf("w", [WIDTH, VOCAB], dtype), bias, targets)
                };
                let (x, weight, bias, targets) = input();
                let whole = linear_cross_entropy(x.clone(), weight.clone(), bias.clone(), targets, options);
                let [objective, nats, dx, dw, db] = results(&whole, &x, &weight, bias.as_ref());
                let parts = Ring::of(size, |ring| {
                    let (x, weight, bias, targets) = input();
                    let own = ring.part(VOCAB);
                    let weight = weight.slice_dim(1, own.clone()).detach().require_grad();
                    let bias = bias.map(|bias| bias.slice_dim(0, own).detach().require_grad());
                    let loss = by_rows(rows, x.clone(), weight.clone(), bias.clone(), targets, options, VOCAB, &*ring);
                    (results(&loss, &x, &weight, bias.as_ref()), ring.part(VOCAB))
                });
                let mut sum = vec![0.0; dx.len()];
                for ([o, n, x, w, b], own) in &parts {
                    close("objective", o, &objective, tolerance);
                    close("nats", n, &nats, tolerance);
                    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
                    let columns: Vec<f64> = dw.chunks(VOCAB).flat_map(|row| row[own.clone()].to_vec()).collect();
                    close("dw", w, &columns, tolerance);
                    close("db", b, db.get(own.clone()).unwrap_or_default(), tolerance);
                }
                close("dx", &sum, &dx, tolerance);
                assert!(parts.iter().all(|(of, _)| (&of[0], &of[1]) == (&parts[0].0[0], &parts[0].0[1])), "the same bits on all");
            }
        }
    }

    #[test]
    fn a_part_that_is_ruled_out_as_a_whole_changes_nothing() {
        let device = autodiff(&Device::flex());
        let losses = Ring::of(2, |ring| {
            let own = ring.part(4);
            let weight = leaf::<2>("w", [WIDTH, 4], DType::F32).slice_dim(1, own.clone()).detach().require_grad();
            let bias = Tensor::<1>::full([2], if own.start == 0 { 0.0 } else { f32::NEG_INFINITY }, &device).require_grad();
            let targets = Tensor::<2, Int>::from_data(TensorData::new(vec![0, 1], [1, 2]), &device);
            let x = leaf("x", [1, 2, WIDTH], DType::F32);
            let loss = divided_cross_entropy(x.clone(), weight, Some(bias), targets, CrossEntropyOptions::default(), 4, &*ring);
            let gradients = loss.objective.clone().backward();
            (numbers(loss.nats)[0], numbers(x.grad(&gradients).unwrap()))
        });
        let whole = leaf::<2>("w", [WIDTH, 4], DType::F32).slice_dim(1, 0..2).into_data();
        let (x, weight) = (leaf("x", [1, 2, WIDTH], DType::F32), Tensor::from_data(whole, &device));
        let targets = Tensor::<2, Int>::from_data(TensorData::new(vec![0, 1], [1, 2]), &device);
        let alone = linear_cross_entropy(x, weight, None, targets, CrossEntropyOptions::default());
        for (nats, dx) in losses {
            close("nats", &[nats], &numbers(alone.nats.clone()), 1e-6);
            assert!(dx.iter().all(|value| value.is_finite()));
        }
    }
}
