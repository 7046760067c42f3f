//! The optimiser AdamW: Adam (Kingma and Ba, 2014) with decoupled weight decay (Loshchilov and Hutter, 2017), in one pass
//! over the parameters; and the sum of squares needed to clip gradients by their global norm.

use super::simd;
use crate::ops::profile::span;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Elements in one parallel task; the sum of squares has one partial sum for each.
const BLOCK: usize = 1 << 14;

/// The settings of one optimisation step, in f64: β is near 1, and 1 - β of a β in f32 has lost its last digits.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the mean of the gradients.
    pub beta1: f64,
    /// Decay of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub eps: f64,
    /// Each step takes lr·weight_decay of the parameters away.
    pub weight_decay: f64,
    /// Number of this step, from 1.
    pub step: i32,
}

/// One step in place, as PyTorch's AdamW does it: with h = g·factor,
/// m = β₁·m + (1 - β₁)·h, v = β₂·v + (1 - β₂)·h²,
/// p = p - lr·(m/(1 - β₁ᵗ))/(√(v/(1 - β₂ᵗ)) + ε) - lr·weight_decay·p.
///
/// Panics unless all slices are of one length and the step is at least 1.
pub fn step(o: &AdamW, p: &mut [f32], g: &[f32], factor: f32, m: &mut [f32], v: &mut [f32]) {
    let _span = span("optimizer");
    assert!(g.len() == p.len() && m.len() == p.len() && v.len() == p.len());
    assert!(o.step >= 1, "steps count from 1");
    let &AdamW { lr, beta1, beta2, .. } = o;
    let c = Constants {
        factor,
        beta1: beta1 as f32,
        rest1: (1.0 - beta1) as f32,
        beta2: beta2 as f32,
        rest2: (1.0 - beta2) as f32,
        rate: (lr / (1.0 - beta1.powi(o.step))) as f32,
        correction: (1.0 / (1.0 - beta2.powi(o.step))).sqrt() as f32,
        eps: o.eps as f32,
        keep: (1.0 - lr * o.weight_decay) as f32,
    };
    if p.len() <= BLOCK {
        return simd::run(Step { c, p, g, m, v });
    }
    let state = m.par_chunks_mut(BLOCK).zip(v.par_chunks_mut(BLOCK));
    p.par_chunks_mut(BLOCK).zip(g.par_chunks(BLOCK)).zip(state).for_each(|((p, g), (m, v))| simd::run(Step { c, p, g, m, v }));
}

/// Σx²: in f32 within a block, in f64 between blocks. The order is the same for any number of threads.
pub fn square_norm(x: &[f32]) -> f64 {
    let _span = span("optimizer");
    if x.len() <= BLOCK {
        return f64::from(simd::run(Squares(x)));
    }
    let partial: Vec<f32> = x.par_chunks(BLOCK).map(|x| simd::run(Squares(x))).collect();
    partial.iter().map(|&x| f64::from(x)).sum()
}

#[derive(Clone, Copy)]
struct Constants {
    factor: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    rate: f32,
    correction: f32,
    eps: f32,
    keep: f32,
}

struct Step<'a> {
    c: Constants,
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
}

/// The new p, m and v of one vector.
#[inline(always)]
fn update<S: Simd>(simd: S, c: &Constants, p: S::f32s, g: S::f32s, m: S::f32s, v: S::f32s) -> (S::f32s, S::f32s, S::f32s) {
    let g = simd.mul_f32s(g, simd.splat_f32s(c.factor));
    let m = simd.mul_add_e_f32s(m, simd.splat_f32s(c.beta1), simd.mul_f32s(g, simd.splat_f32s(c.rest1)));
    let v = simd.mul_add_e_f32s(v, simd.splat_f32s(c.beta2), simd.mul_f32s(simd.mul_f32s(g, g), simd.splat_f32s(c.rest2)));
    let root = simd.mul_add_e_f32s(simd.sqrt_f32s(v), simd.splat_f32s(c.correction), simd.splat_f32s(c.eps));
    let move_by = simd.div_f32s(simd.mul_f32s(m, simd.splat_f32s(c.rate)), root);
    (simd.mul_add_e_f32s(p, simd.splat_f32s(c.keep), simd.neg_f32s(move_by)), m, v)
}

impl WithSimd for Step<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let c = &self.c;
        let ((p, p_tail), (g, g_tail)) = (S::as_mut_simd_f32s(self.p), S::as_simd_f32s(self.g));
        let ((m, m_tail), (v, v_tail)) = (S::as_mut_simd_f32s(self.m), S::as_mut_simd_f32s(self.v));
        let n = p.len();
        let (g, m, v) = (&g[..n], &mut m[..n], &mut v[..n]);
        for i in 0..n {
            (p[i], m[i], v[i]) = update(simd, c, p[i], g[i], m[i], v[i]);
        }
        if !p_tail.is_empty() {
            let load = (simd.partial_load_f32s(p_tail), simd.partial_load_f32s(g_tail));
            let state = (simd.partial_load_f32s(m_tail), simd.partial_load_f32s(v_tail));
            let (new_p, new_m, new_v) = update(simd, c, load.0, load.1, state.0, state.1);
            simd.partial_store_f32s(p_tail, new_p);
            simd.partial_store_f32s(m_tail, new_m);
            simd.partial_store_f32s(v_tail, new_v);
        }
    }
}

struct Squares<'a>(&'a [f32]);

impl WithSimd for Squares<'_> {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (x, tail) = S::as_simd_f32s(self.0);
        let (fours, rest) = pulp::as_arrays::<4, _>(x);
        // Four sums at once, since each addition waits for the one before it.
        let mut sum = [simd.splat_f32s(0.0); 4];
        for x in fours {
            for k in 0..4 {
                sum[k] = simd.mul_add_e_f32s(x[k], x[k], sum[k]);
            }
        }
        for &x in rest {
            sum[0] = simd.mul_add_e_f32s(x, x, sum[0]);
        }
        let x = simd.partial_load_f32s(tail);
        sum[1] = simd.mul_add_e_f32s(x, x, sum[1]);
        simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(sum[0], sum[1]), simd.add_f32s(sum[2], sum[3])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{near, random, wide};

    const SETTINGS: AdamW = AdamW { lr: 3e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1, step: 1 };

    /// Some steps, with a gradient of exactly 0 now and then.
    fn steps(n: usize, count: i32) -> [Vec<f32>; 3] {
        let (mut p, mut m, mut v) = (random(n, 1), vec![0.0; n], vec![0.0; n]);
        for t in 1..=count {
            let mut g = random(n, 1 + t as u64);
            g[n / 2] = 0.0;
            step(&AdamW { step: t, ..SETTINGS }, &mut p, &g, 0.7, &mut m, &mut v);
        }
        [p, m, v]
    }

    #[test]
    fn agrees_with_f64() {
        for n in [1, 3, 16, 17, 64, 100, 300, BLOCK + 1] {
            let mut want = [wide(&random(n, 1)), vec![0.0; n], vec![0.0; n]];
            let AdamW { lr, beta1: b1, beta2: b2, eps, weight_decay: decay, .. } = SETTINGS;
            let count = if n > BLOCK { 2 } else { 20 };
            for t in 1..=count {
                let mut g = random(n, 1 + t as u64);
                g[n / 2] = 0.0;
                let [p, m, v] = &mut want;
                for i in 0..n {
                    let h = f64::from(g[i]) * f64::from(0.7f32);
                    m[i] = b1 * m[i] + (1.0 - b1) * h;
                    v[i] = b2 * v[i] + (1.0 - b2) * h * h;
                    p[i] -= lr * (m[i] / (1.0 - b1.powi(t))) / ((v[i] / (1.0 - b2.powi(t))).sqrt() + eps) + lr * decay * p[i];
                }
            }
            for (got, want) in steps(n, count).iter().zip(&want) {
                near("step", got, want, 1e-6, 0.0);
            }
        }
    }

    #[test]
    fn decays_without_a_gradient() {
        let (mut p, mut m, mut v) = ([2f32, -1e4, 0.0], [0f32; 3], [0f32; 3]);
        step(&AdamW { lr: 0.5, weight_decay: 0.5, ..SETTINGS }, &mut p, &[0.0; 3], 1.0, &mut m, &mut v);
        assert_eq!((p, m, v), ([1.5, -7500.0, 0.0], [0.0; 3], [0.0; 3]));
    }

    #[test]
    fn square_norm_agrees_with_f64() {
        for n in [0, 1, 3, 16, 17, 64, 100, 300, 5 * BLOCK + 11] {
            let x = random(n, 9);
            let want = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
            assert!((square_norm(&x) - want).abs() <= 1e-6 * want);
        }
    }

    #[test]
    fn bits_do_not_depend_on_threads() {
        let n = 4 * BLOCK + 9;
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| (steps(n, 2).map(|v| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>()), square_norm(&random(n, 3)).to_bits()))
        };
        let one = run(1);
        assert!([2, 3, 7].into_iter().all(|threads| run(threads) == one));
    }
}
