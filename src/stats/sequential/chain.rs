//! The t statistics of a growing sample are a Markov chain with one number as its state, and that gives exact levels.
//!
//! Write r = Σx/√Σx² after n differences x; t = r·√((n - 1)/(n - r²)). Without an effect, normal differences have a
//! direction (x₁, …, xₙ)/√Σx², uniform on the sphere, that is independent of Σx² (Basu 1955). All t so far are functions
//! of the direction, so given all of them the next difference takes the share sin φ = x/√Σx² of the larger sample's
//! length, φ having a density proportional to cosⁿ⁻¹φ whatever came before: r' = r·cos φ + sin φ. The density of r among
//! samples that no look has stopped is carried from look to look by one integral each, without knowing σ and without
//! the approximation of t by a normal.

use crate::stats::student;
use statrs::function::gamma::ln_gamma;
use std::f64::consts::{FRAC_PI_2, PI};

/// Nodes of the quadrature over φ.
const NODES: usize = 40;
/// Terms of the polynomial that carries the density over one panel.
const TERMS: usize = 24;

/// A density over a panel of r, as a Chebyshev series in `a` where r = `length`·sin a; where the
/// panel `ends` with the support, the density is the series times cos a, which is how it falls to 0 there.
struct Panel {
    length: f64,
    ends: bool,
    from: f64,
    to: f64,
    series: [f64; TERMS],
}

impl Panel {
    /// The panel between two values of `a`, by the density at Chebyshev's points, which leave out the ends.
    fn new(length: f64, ends: bool, [from, to]: [f64; 2], density: impl Fn(f64) -> f64) -> Self {
        let angle = |i: usize| PI * (i as f64 + 0.5) / TERMS as f64;
        let values: [f64; TERMS] = std::array::from_fn(|i| {
            let a = (from + to) / 2.0 + (to - from) / 2.0 * angle(i).cos();
            density(length * a.sin()) / if ends { a.cos() } else { 1.0 }
        });
        let series = std::array::from_fn(|k| {
            let sum: f64 = values.iter().enumerate().map(|(i, value)| value * (k as f64 * angle(i)).cos()).sum();
            sum * if k == 0 { 1.0 } else { 2.0 } / TERMS as f64
        });
        Self { length, ends, from, to, series }
    }

    /// The density of r, by Clenshaw's recurrence.
    fn density(&self, r: f64) -> f64 {
        let sine = (r / self.length).clamp(-1.0, 1.0);
        let a = sine.asin();
        let x = (2.0 * a - self.from - self.to) / (self.to - self.from);
        let (mut last, mut before) = (0.0, 0.0);
        for coefficient in self.series[1..].iter().rev() {
            (last, before) = (2.0 * x * last - before + coefficient, last);
        }
        let ending = if self.ends { (1.0 - sine * sine).sqrt() } else { 1.0 };
        (x * last - before + self.series[0]) * ending
    }

    /// The probability between two values of `a`.
    fn mass(&self, rule: &[(f64, f64)], from: f64, to: f64) -> f64 {
        integral(rule, from, to, |a| self.density(self.length * a.sin()) * self.length * a.cos())
    }
}

/// The density of r at some look, where no look so far has stopped.
pub(super) struct Chain {
    pairs: usize,
    both_sides: bool,
    /// The upper border c of what goes on, and n - c², which a difference of the two would round away.
    border: f64,
    gap: f64,
    /// Panels reach to the end of the support, beyond the border. A chain that stops on both sides is even, and negative
    /// r need no panel.
    upper: Panel,
    inner: Option<Panel>,
    lower: Option<Panel>,
    rule: Vec<(f64, f64)>,
}

impl Chain {
    /// The first look, which stops a share `stop` of all samples: half above and half below, or all above.
    pub fn new(pairs: usize, both_sides: bool, stop: f64) -> Self {
        let n = pairs as f64;
        let tail = if both_sides { stop / 2.0 } else { stop };
        let t = if tail > 0.0 { student::upper(tail, n - 1.0) } else { f64::INFINITY };
        let border = n.sqrt() * (t / (n - 1.0).sqrt()).atan().sin();
        let gap = n / (1.0 + t * t / (n - 1.0));
        let constant = (ln_gamma(n / 2.0) - ln_gamma((n - 1.0) / 2.0)).exp() / (n * PI).sqrt();
        let density = |r: f64| constant * (1.0 - r * r / n).max(0.0).powf((n - 3.0) / 2.0);
        let upper = Panel::new(n.sqrt(), false, [-FRAC_PI_2, FRAC_PI_2], density);
        Self { pairs, both_sides, border, gap, upper, inner: None, lower: None, rule: legendre(NODES) }
    }

    /// The p that this look must reach to stop: two-sided or one-sided as the chain is.
    pub fn level(&self) -> f64 {
        if self.gap == 0.0 {
            return 0.0;
        }
        let freedom = (self.pairs - 1) as f64;
        let tail = student::two_sided_p(self.border * (freedom / self.gap).sqrt(), freedom) / 2.0;
        if self.both_sides { 2.0 * tail } else { tail }
    }

    /// The next look, which stops a share `stop` of all samples.
    pub fn next(&self, stop: f64) -> Self {
        let length = (1.0 + self.border * self.border).sqrt();
        // The density bends where r is ±1: those are borders of panels.
        let one = (1.0 / length).asin();
        let density = |r: f64| self.step(r);
        let upper = Panel::new(length, true, [one, FRAC_PI_2], density);
        let inner = Panel::new(length, false, [-one, one], density);
        let lower = (!self.both_sides).then(|| {
            let length = (self.pairs as f64 + 1.0).sqrt();
            Panel::new(length, true, [-FRAC_PI_2, -(1.0 / length).asin()], density)
        });
        // The border: above it lies the share to stop. A bisection of its distance from the end of the support.
        let rule = &self.rule;
        let tail = if self.both_sides { stop / 2.0 } else { stop };
        let all = upper.mass(rule, one, FRAC_PI_2);
        let above = |a: f64| if a >= one { upper.mass(rule, a, FRAC_PI_2) } else { all + inner.mass(rule, a, one) };
        let (mut low, mut high) = (0.0, FRAC_PI_2);
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if above(FRAC_PI_2 - middle) < tail { low = middle } else { high = middle }
        }
        let distance = if tail > 0.0 { high } else { 0.0 };
        Self {
            pairs: self.pairs + 1,
            both_sides: self.both_sides,
            border: length * distance.cos(),
            gap: self.gap + (length * distance.sin()).powi(2),
            upper,
            inner: Some(inner),
            lower,
            rule: self.rule.clone(),
        }
    }

    /// The density of the next look at `r`: ∫ κ cosⁿ⁻²φ · density((r - sin φ)/cos φ) dφ over the φ that come from inside.
    fn step(&self, r: f64) -> f64 {
        let n = self.pairs as f64;
        let constant = (ln_gamma((n + 1.0) / 2.0) - ln_gamma(n / 2.0)).exp() / PI.sqrt();
        let (above, below) = (self.border, if self.both_sides { self.border } else { n.sqrt() });
        // (r - sin φ)/cos φ ≤ c is sin(φ + ψ) ≥ r/√(1 + c²) with ψ = atan c; the lower border likewise.
        let reach = |border: f64| (r / (1.0 + border * border).sqrt()).clamp(-1.0, 1.0).asin();
        let (high, low) = (reach(above), reach(below));
        let (psi_high, psi_low) = (above.atan(), below.atan());
        let from = (-FRAC_PI_2).max(high - psi_high).max(psi_low - PI - low);
        let to = FRAC_PI_2.min(PI - high - psi_high).min(low + psi_low);
        if to <= from {
            return 0.0;
        }
        let power = self.pairs as i32 - 2;
        constant
            * integral(&self.rule, from, to, |phi| {
                let (sine, cosine) = phi.sin_cos();
                cosine.powi(power) * self.density((r - sine) / cosine)
            })
    }

    fn density(&self, r: f64) -> f64 {
        let r = if self.both_sides { r.abs() } else { r };
        let panel = match (&self.inner, &self.lower) {
            (Some(_), Some(lower)) if r < -1.0 => lower,
            (Some(inner), _) if r < 1.0 => inner,
            _ => &self.upper,
        };
        panel.density(r)
    }

    /// The share of samples that no look so far has stopped.
    #[cfg(test)]
    fn alive(&self) -> f64 {
        let length = self.upper.length;
        let part = |from: f64, to: f64, length: f64| {
            let place = |r: f64| (r / length).clamp(-1.0, 1.0).asin();
            integral(&self.rule, place(from), place(to), |a| self.density(length * a.sin()) * length * a.cos())
        };
        let outer = part(1.0, self.border, length);
        let below = if self.both_sides {
            outer
        } else {
            let end = (self.pairs as f64).sqrt();
            part(-end, -1.0, end)
        };
        below + part(-1.0, 1.0, length) + outer
    }
}

fn integral(rule: &[(f64, f64)], from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (middle, half) = ((from + to) / 2.0, (to - from) / 2.0);
    half * rule.iter().map(|(x, weight)| weight * f(middle + half * x)).sum::<f64>()
}

/// Nodes and weights of Gauss-Legendre quadrature on [-1, 1], by Newton's method on the polynomial's recurrence.
fn legendre(nodes: usize) -> Vec<(f64, f64)> {
    (0..nodes)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (nodes as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut p, mut before) = (1.0, 0.0);
                for k in 0..nodes {
                    let k = k as f64;
                    (p, before) = (((2.0 * k + 1.0) * x * p - k * before) / (k + 1.0), p);
                }
                slope = nodes as f64 * (x * p - before) / (x * x - 1.0);
                x -= p / slope;
                if (p / slope).abs() < 1e-15 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        let rule = legendre(NODES);
        for power in [0, 1, 8, 79] {
            let exact = if power % 2 == 0 { 2.0 / (power as f64 + 1.0) } else { 0.0 };
            assert!((integral(&rule, -1.0, 1.0, |x| x.powi(power)) - exact).abs() < 1e-13, "{power}");
        }
    }

    /// What goes on and what stops make up what was there; without stops, every look is Student's distribution.
    #[test]
    fn nothing_is_lost() {
        for both_sides in [true, false] {
            for stop in [0.0, 1e-9, 1e-4, 0.01, 0.03] {
                let mut chain = Chain::new(3, both_sides, stop);
                for look in 2..15 {
                    chain = chain.next(stop);
                    let expected = 1.0 - look as f64 * stop;
                    assert!((chain.alive() - expected).abs() < 1e-5, "{both_sides} {stop} {look}: {}", chain.alive());
                }
            }
            let mut chain = Chain::new(3, both_sides, 0.0);
            for _ in 0..6 {
                chain = chain.next(0.0);
                assert_eq!(chain.level(), 0.0);
            }
            for stop in [1e-6, 0.01, 0.3] {
                let level = chain.next(stop).level();
                assert!((level / stop - 1.0).abs() < 1e-5, "{both_sides}: {level} is not {stop}");
            }
        }
    }
}
