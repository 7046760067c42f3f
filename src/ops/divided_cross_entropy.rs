//! The head's product with its loss where each device has the logits of a part of the vocabulary (Shoeybi et al. 2019,
//! "Megatron-LM", section 3).

use super::{CrossEntropyOptions, MeanCrossEntropy, Neighbours, linear, precision, product::product};
use burn::tensor::{FloatDType, Int, Tensor, TensorData};

/// Logits that exist at a time.
const LOGITS: usize = 1 << 22;

/// [`linear_cross_entropy`](super::linear_cross_entropy) over a vocabulary of which each device has a part.
///
/// Devices send each other four numbers a token: largest logit, sum of exponentials, logit of the target, sum of logits. Logits
/// exist for some rows at a time, and are made a second time for the gradients, which are made with the loss.
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
    let ([batch, seq, width], wide) = (x.dims(), precision::wide(x.dtype()));
    let count = batch * seq;
    let own = neighbours.part(vocab);
    let plain: Tensor<3> = x.clone().detach().reshape([1, count, width]);
    let head = Head { weight: weight.clone().detach(), bias: bias.clone().map(Tensor::detach), cap: options.soft_cap, wide };
    let targets: Tensor<2, Int> = targets.reshape([count, 1]) - own.start as i64;
    let rows = (LOGITS / own.len().max(1)).clamp(1, count);
    let parts: Vec<_> = (0..count).step_by(rows).map(|first| first..(first + rows).min(count)).collect();

    let own_statistics: Vec<Tensor<2>> =
        parts.iter().map(|part| statistics(&head.logits(plain.clone().slice_dim(1, part.clone())), &targets.clone().slice_dim(0, part.clone()))).collect();
    let all = neighbours.gather(Tensor::cat(own_statistics, 0).into_data());
    let all: Vec<f64> = all.iter::<f64>().collect();
    let tokens: Vec<Token> = (0..count).map(|i| Token::of(all.chunks_exact(4 * count).map(|device| &device[4 * i..4 * i + 4]))).collect();

    let CrossEntropyOptions { z_loss, label_smoothing: smoothing, .. } = options;
    let mean = |loss: &dyn Fn(&Token) -> f64| tokens.iter().map(loss).sum::<f64>() / count as f64;
    let nats = |token: &Token| token.log_sum - token.target;
    let even = |token: &Token| token.log_sum - token.sum / vocab as f64;
    let objective = |token: &Token| (1.0 - smoothing) * nats(token) + smoothing * even(token) + z_loss * token.log_sum.powi(2);
    let number = |value: f64| Tensor::<1>::from_data(TensorData::new(vec![value], [1]), (&x.device(), wide.into()));
    let (objective, nats) = (number(mean(&objective)), number(mean(&nats)));
    if !(x.is_require_grad() || x.device().is_autodiff()) {
        return MeanCrossEntropy { objective, nats };
    }

    let dtype = FloatDType::from(x.dtype());
    let log_sums: Vec<f64> = tokens.iter().map(|token| token.log_sum).collect();
    let log_sums = Tensor::<2>::from_data(TensorData::new(log_sums, [count, 1]), (&x.device(), wide.into()));
    let (mut dx, mut dweight, mut dbias) = (vec![], None, None);
    for part in parts {
        let x = plain.clone().slice_dim(1, part.clone());
        let logits = head.logits(x.clone());
        let slopes = head.slopes(&logits);
        let log_sum = log_sums.clone().slice_dim(0, part.clone());
        let hit = logits.hits(&targets.clone().slice_dim(0, part.clone()), wide);
        let probability = (logits.0 - log_sum.clone()).exp() * (log_sum.mul_scalar(2.0 * z_loss) + 1.0);
        let gradient = (probability - smoothing / vocab as f64 - hit.mul_scalar(1.0 - smoothing)).mul_scalar(1.0 / count as f64);
        let gradient = slopes.map_or(gradient.clone(), |slopes| gradient * slopes);
        add(&mut dbias, gradient.clone().sum_dim(0));
        let gradient = gradient.cast(dtype);
        let [part, own] = gradient.dims();
        add(&mut dweight, product(x.reshape([part, width]).transpose(), gradient.clone()));
        dx.push(linear(gradient.reshape([1, part, own]), head.weight.clone().transpose(), None));
    }
    // Its gradients are those that were made; its value is 0, exactly.
    let mut linked = (x.clone() * Tensor::cat(dx, 1).reshape(x.dims())).sum();
    linked = linked + (weight * dweight.expect("there are tokens")).sum();
    if let Some(bias) = bias {
        let [own] = bias.dims();
        linked = linked + (bias * dbias.expect("there are tokens").cast(dtype).reshape([own])).sum();
    }
    let linked = linked.cast(wide);
    MeanCrossEntropy { objective: objective + (linked.clone() - linked.detach()), nats }
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

/// `[rows, own]`, capped.
struct Logits(Tensor<2>);

impl Head {
    fn logits(&self, x: Tensor<3>) -> Logits {
        let raw: Tensor<2> = linear(x, self.weight.clone(), self.bias.clone()).squeeze_dim(0).cast(self.wide);
        Logits(match self.cap {
            // Burn's backward pass of a division by a number divides in f32.
            Some(cap) => raw.mul_scalar(1.0 / cap).tanh().mul_scalar(cap),
            None => raw,
        })
    }

    /// The derivative of each by the logit before the cap.
    fn slopes(&self, logits: &Logits) -> Option<Tensor<2>> {
        let cap = self.cap?;
        let ratio = logits.0.clone().mul_scalar(1.0 / cap);
        Some((ratio.clone() * ratio).neg() + 1.0)
    }
}

impl Logits {
    /// 1 where a column is the target of its row, `[rows, own]`; targets count from the first column here.
    fn hits(&self, targets: &Tensor<2, Int>, wide: FloatDType) -> Tensor<2> {
        let [rows, own] = self.0.dims();
        let columns = Tensor::<1, Int>::arange(0..own as i64, &targets.device()).reshape([1, own]);
        columns.expand([rows, own]).equal(targets.clone().expand([rows, own])).float().cast(wide)
    }
}

/// Largest logit, sum of exponentials below it, logit of the target or 0, sum of logits: `[rows, 4]`.
fn statistics(logits: &Logits, targets: &Tensor<2, Int>) -> Tensor<2> {
    let z = &logits.0;
    let hits = logits.hits(targets, FloatDType::from(z.dtype()));
    let largest = z.clone().max_dim(1);
    let exponentials = (z.clone() - largest.clone()).exp().sum_dim(1);
    Tensor::cat(vec![largest, exponentials, (z.clone() * hits).sum_dim(1), z.clone().sum_dim(1)], 1)
}

/// What follows from the logits of a token on all devices.
struct Token {
    log_sum: f64,
    target: f64,
    sum: f64,
}

impl Token {
    /// From the [`statistics`] of each device, in their order: the same bits on all.
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
    fn results(
        loss: &MeanCrossEntropy,
        x: &Tensor<3>,
        weight: &Tensor<2>,
        bias: Option<&Tensor<1>>,
    ) -> [Vec<f64>; 5] {
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
        for (options, (dtype, tolerance)) in all.iter().flat_map(|options| [(DType::F64, 1e-13), (DType::F32, 2e-6)].map(|of| (*options, of))) {
            for (has_bias, [batch, seq], size) in [(true, [1, 7], 2), (false, [2, 3], 3), (true, [1, 1], 4)] {
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
                    let loss = divided_cross_entropy(x.clone(), weight.clone(), bias.clone(), targets, options, VOCAB, &*ring);
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
}
