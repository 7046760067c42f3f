//! AdamW's update of one tensor.

use super::Sums;
use crate::ops::AdamWStep;

/// The parameter and both moments after a step (Loshchilov & Hutter 2019, algorithm 2; PyTorch's form).
pub fn forward(step: &AdamWStep, parameter: &[f64], gradient: &[f64], moments: [&[f64]; 2]) -> [Sums; 3] {
    let &AdamWStep { lr, beta1, beta2, eps, weight_decay, step: t } = step;
    let [mut p, mut m, mut v] = [(); 3].map(|()| Sums::zeros(parameter.len()));
    for (i, g) in gradient.iter().enumerate() {
        m.add(i, beta1 * moments[0][i]);
        m.add(i, (1.0 - beta1) * g);
        v.add(i, beta2 * moments[1][i]);
        v.add(i, (1.0 - beta2) * g * g);
        let corrected = |moment: f64, beta: f64| moment / (1.0 - beta.powi(t as i32));
        let root = corrected(v.value[i], beta2).sqrt() + eps;
        p.add(i, parameter[i]);
        p.add(i, -lr * weight_decay * parameter[i]);
        p.add_sized(i, -lr * corrected(m.value[i], beta1) / root, lr * corrected(m.size[i], beta1) / root);
    }
    [p, m, v]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_moves_by_the_rate_against_the_sign() {
        let step = AdamWStep { lr: 0.5, beta1: 0.9, beta2: 0.99, eps: 0.0, weight_decay: 0.1, step: 1 };
        let [p, m, v] = forward(&step, &[2.0, -4.0], &[3.0, -0.01], [&[0.0; 2], &[0.0; 2]]);
        // p - lr·decay·p - lr·sign(g).
        for (found, want) in p.value.iter().zip([1.4, -3.3]) {
            assert!((found - want).abs() < 1e-12, "{found}");
        }
        assert!((m.value[0] - 0.3).abs() < 1e-12 && (v.value[0] - 0.09).abs() < 1e-12);
    }

    #[test]
    fn moments_are_averages_of_what_came_before() {
        let step = AdamWStep { lr: 0.1, beta1: 0.5, beta2: 0.75, eps: 0.0, weight_decay: 0.0, step: 2 };
        let [p, m, v] = forward(&step, &[1.0], &[2.0], [&[1.0], &[4.0]]);
        assert_eq!((m.value[0], v.value[0]), (1.5, 4.0));
        // m̂ = 1.5/0.75 = 2; v̂ = 4/(1 - 0.5625).
        assert!((p.value[0] - (1.0 - 0.1 * 2.0 / (4.0f64 / 0.4375).sqrt())).abs() < 1e-15);
    }
}
