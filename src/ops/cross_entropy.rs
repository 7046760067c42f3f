//! Cross-entropy of logits and targets, per token.

use super::precision;
use burn::tensor::{Int, Tensor};

/// What is done to the logits and added to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropyOptions {
    /// Logits z become c·tanh(z/c) (Gemma 2), for both results.
    pub soft_cap: Option<f64>,
    /// Weight of the squared log-partition in the objective (PaLM, section 5); 0: none.
    pub z_loss: f64,
    /// Share of the objective's target mass spread evenly over the vocabulary (Szegedy et al. 2016); 0: none.
    pub label_smoothing: f64,
}

/// The losses of `n` tokens in nats.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// What is minimised, `[n]`: smoothed cross-entropy plus z-loss.
    pub objective: Tensor<1>,
    /// Cross-entropy of the target alone, `[n]`.
    pub nats: Tensor<1>,
}

/// The negative log-probability of each row's target under softmax(z), in f32, and the training objective made from it.
///
/// Without z-loss and smoothing the two results are the same tensor.
///
/// # Shapes
///
/// - `logits`: `[n, vocab]`, `targets`: `[n]`, each below vocab
/// - output: `[n]` each
///
/// # Panics
///
/// On Flex, if a target is not below vocab; GPUs do not check.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, options: CrossEntropyOptions) -> CrossEntropy {
    let [n, _] = logits.dims();
    let wide = precision::wide(logits.dtype());
    let mut z = logits.cast(wide);
    if let Some(cap) = options.soft_cap {
        // Burn's backward pass of a division by a number divides in f32.
        z = z.mul_scalar(1.0 / cap).tanh().mul_scalar(cap);
    }
    // The maximum is a constant for autodiff: the loss does not depend on it.
    let max = z.clone().detach().max_dim(1);
    let shifted = z - max.clone();
    let log_sum = shifted.clone().exp().sum_dim(1).log();
    let target = shifted.clone().gather(1, targets.reshape([n, 1]));
    let nats = log_sum.clone() - target;

    let mut objective = nats.clone();
    if options.label_smoothing > 0.0 {
        let even = log_sum.clone() - shifted.mean_dim(1);
        objective = objective.mul_scalar(1.0 - options.label_smoothing) + even.mul_scalar(options.label_smoothing);
    }
    if options.z_loss > 0.0 {
        let log_partition = log_sum + max;
        objective = objective + (log_partition.clone() * log_partition).mul_scalar(options.z_loss);
    }
    CrossEntropy { objective: objective.reshape([n]), nats: nats.reshape([n]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, differences, leaf, noise, values, weighted, weighted_sum};
    use burn::tensor::{Device, TensorData};

    fn targets(ids: &[i32], device: &Device) -> Tensor<1, Int> {
        Tensor::from_data(TensorData::new(ids.to_vec(), [ids.len()]), device)
    }

    /// (objective, nats) per row, by loops.
    fn reference(logits: &[f64], ids: &[i32], options: CrossEntropyOptions) -> (Vec<f64>, Vec<f64>) {
        let vocab = logits.len() / ids.len();
        logits
            .chunks(vocab)
            .zip(ids)
            .map(|(row, id)| {
                let z: Vec<f64> = row.iter().map(|v| options.soft_cap.map_or(*v, |c| c * (v / c).tanh())).collect();
                let max = z.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
                let lse = max + z.iter().map(|v| (v - max).exp()).sum::<f64>().ln();
                let nats = lse - z[*id as usize];
                let even = z.iter().map(|v| lse - v).sum::<f64>() / vocab as f64;
                let e = options.label_smoothing;
                ((1.0 - e) * nats + e * even + options.z_loss * lse * lse, nats)
            })
            .unzip()
    }

    #[test]
    fn values_and_gradients_agree_with_float64() {
        let ids = [3, 0, 6, 3];
        let data: Vec<f32> = noise("logits", 28).into_iter().map(|v| 4.0 * v).collect();
        for options in [
            CrossEntropyOptions::default(),
            CrossEntropyOptions { soft_cap: Some(3.0), ..Default::default() },
            CrossEntropyOptions { z_loss: 0.01, ..Default::default() },
            CrossEntropyOptions { label_smoothing: 0.1, ..Default::default() },
            CrossEntropyOptions { soft_cap: Some(5.0), z_loss: 0.02, label_smoothing: 0.2 },
        ] {
            let z = leaf(data.clone(), [4, 7]);
            let loss = cross_entropy(z.clone(), targets(&ids, &z.device()), options);
            let z64 = values(z.clone());
            let (objective, nats) = reference(&z64, &ids, options);
            close("objective", &values(loss.objective.clone()), &objective, 1e-6);
            close("nats", &values(loss.nats), &nats, 1e-6);
            let gradient = values(z.grad(&weighted_sum(loss.objective).backward()).unwrap());
            close("dz", &gradient, &differences(&z64, |z| weighted(&reference(z, &ids, options).0)), 2e-6);
        }
    }

    #[test]
    fn huge_logits_give_finite_losses() {
        let z = leaf(vec![1e4, -1e4, 0.0, -3e4, 3e4, 3e4], [2, 3]);
        let loss = cross_entropy(z.clone(), targets(&[1, 2], &z.device()), CrossEntropyOptions::default());
        close("nats", &values(loss.nats.clone()), &[2e4, std::f64::consts::LN_2], 1e-6);
        let gradient = values(z.grad(&loss.nats.sum().backward()).unwrap());
        close("dz", &gradient, &[1.0, -1.0, 0.0, 0.0, 0.5, -0.5], 1e-6);
    }

    #[test]
    fn even_logits_cost_the_log_of_the_vocabulary() {
        let z = leaf(vec![2.5; 11], [1, 11]);
        let loss = cross_entropy(z.clone(), targets(&[4], &z.device()), CrossEntropyOptions::default());
        close("nats", &values(loss.nats), &[11f64.ln()], 1e-6);
    }
}
