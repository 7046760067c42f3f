//! Standard noise of a matrix, and what a scheme makes of it.

use super::{InitConfig, Role};
use crate::random::{Purpose, generator};
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};
use std::f64::consts::FRAC_1_SQRT_2;

/// Everything about a matrix that schemes look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub role: Role,
    pub inputs: usize,
    pub outputs: usize,
    /// Channels of the residual stream.
    pub width: usize,
    /// How many times µP's base width that is; 1 without µP.
    pub multiple: f64,
    /// Blocks of the model.
    pub layers: usize,
    /// Block of the matrix, from 0.
    pub layer: Option<usize>,
}

impl Place {
    /// Whether both sizes of the matrix grow with the width.
    fn in_blocks(&self) -> bool {
        matches!(self.role, Role::QueryKey | Role::Value | Role::Hidden | Role::Residual)
    }

    /// Inputs and outputs at µP's base width.
    fn base_sizes(&self) -> [f64; 2] {
        let (inputs, outputs) = (self.inputs as f64, self.outputs as f64);
        match self.role {
            Role::Embedding | Role::Position => [inputs, outputs / self.multiple],
            Role::Head => [inputs / self.multiple, outputs],
            Role::QueryKey | Role::Value | Role::Hidden | Role::Residual => [inputs / self.multiple, outputs / self.multiple],
        }
    }
}

/// The distribution of an element z of standard normal noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Law {
    /// std·z.
    Normal { std: f64 },
    /// std·z, elements with |z| > cutoff drawn again.
    Truncated { std: f64, cutoff: f64 },
    /// std·√3·(2Φ(z) - 1): uniform on ±std·√3.
    Uniform { std: f64 },
}

/// The law that `scheme` gives a matrix, DeepNorm's shrink included. With µP it is the law at the base width, and the matrices
/// of blocks have 1/multiple of its variance.
pub(super) fn law(scheme: &InitConfig, place: &Place, shrink: f64) -> Law {
    let residual = place.role == Role::Residual;
    let [inputs, outputs] = place.base_sizes();
    let width = place.width as f64 / place.multiple;
    let shrunk = matches!(place.role, Role::Value | Role::Hidden | Role::Residual);
    let shrink = if shrunk { shrink } else { 1.0 };
    let shrink = if place.in_blocks() && place.multiple != 1.0 { shrink / place.multiple.sqrt() } else { shrink };
    match *scheme {
        InitConfig::Normal { std } => Law::Normal { std: std * shrink },
        InitConfig::Gpt2 { std } => {
            let std = if residual { std / (2.0 * place.layers as f64).sqrt() } else { std };
            Law::Normal { std: std * shrink }
        }
        InitConfig::Mitchell {} => {
            // Rows of a lookup table are not summed over, so their fan-in means nothing: the width stands for it.
            let fan_in = if matches!(place.role, Role::Embedding | Role::Position) { width } else { inputs };
            let number = (place.layer.unwrap_or(0) + 1) as f64;
            let std = if residual { 1.0 / (2.0 * fan_in * number).sqrt() } else { 1.0 / fan_in.sqrt() };
            Law::Truncated { std: std * shrink, cutoff: 3.0 }
        }
        InitConfig::Small {} => {
            let std = if residual { 2.0 / (place.layers as f64 * width.sqrt()) } else { (2.0 / (5.0 * width)).sqrt() };
            Law::Normal { std: std * shrink }
        }
        InitConfig::Xavier { gain } => Law::Uniform { std: gain * (2.0 / (inputs + outputs)).sqrt() * shrink },
        InitConfig::Truncated { std, cutoff } => Law::Truncated { std: std * shrink, cutoff },
    }
}

/// A matrix as drawn.
pub(super) struct Drawn {
    /// In row-major order.
    pub values: Vec<f32>,
    /// See [`mark`].
    pub mark: String,
}

/// Draws of standard noise that a mark looks at. They tell streams apart as well as all would: a stream follows from its key.
const MARKED: usize = 64;

/// Draws a matrix.
pub(super) fn matrix(scheme: &InitConfig, place: &Place, shrink: f64, seed: u64, path: &str) -> Drawn {
    let law = law(scheme, place, shrink);
    let mut noise = generator(seed, Purpose::Parameter, path);
    let mut first = Vec::with_capacity(MARKED);
    let mut draw = || -> f64 {
        let z = StandardNormal.sample(&mut noise);
        if first.len() < MARKED {
            first.push(z);
        }
        z
    };
    let count = place.inputs * place.outputs;
    let values = match law {
        Law::Normal { std } => (0..count).map(|_| (std * draw()) as f32).collect(),
        Law::Uniform { std } => (0..count).map(|_| (std * 3f64.sqrt() * libm::erf(draw() * FRAC_1_SQRT_2)) as f32).collect(),
        Law::Truncated { std, cutoff } => {
            let mut again = generator(seed, Purpose::Redraw, path);
            (0..count)
                .map(|_| {
                    let mut z = draw();
                    while z.abs() > cutoff {
                        z = StandardNormal.sample(&mut again);
                    }
                    (std * z) as f32
                })
                .collect()
        }
    };
    Drawn { values, mark: mark([place.inputs, place.outputs], &first) }
}

/// Eight hexadecimal digits of the SHA-256 of a shape and of the first standard noise that was drawn for it, before any
/// scheme scaled it: matrices with equal marks started from the same noise.
fn mark(shape: [usize; 2], first: &[f64]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"ablate-noise-1");
    for size in shape {
        hash.update((size as u64).to_le_bytes());
    }
    for z in first {
        hash.update(z.to_le_bytes());
    }
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: [InitConfig; 6] = [
        InitConfig::Normal { std: 0.02 },
        InitConfig::Gpt2 { std: 0.03 },
        InitConfig::Mitchell {},
        InitConfig::Small {},
        InitConfig::Xavier { gain: 1.5 },
        InitConfig::Truncated { std: 0.02, cutoff: 2.0 },
    ];
    const ROLES: [Role; 7] = [Role::Embedding, Role::Position, Role::QueryKey, Role::Value, Role::Hidden, Role::Residual, Role::Head];

    fn place(role: Role) -> Place {
        Place { role, inputs: 300, outputs: 200, width: 128, multiple: 1.0, layers: 6, layer: Some(2) }
    }

    fn std_of(values: &[f32]) -> f64 {
        (values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    /// Standard deviation of a standard normal cut at ±c: √(1 - 2cφ(c)/(2Φ(c) - 1)).
    fn cut(c: f64) -> f64 {
        let density = (-0.5 * c * c).exp() / (2.0 * std::f64::consts::PI).sqrt();
        (1.0 - 2.0 * c * density / libm::erf(c * FRAC_1_SQRT_2)).sqrt()
    }

    #[test]
    fn empirical_deviation_is_the_published_one() {
        // 60,000 elements: the deviation is known to 0.3 % (one sigma) at most.
        for (scheme, role, expected) in [
            (&SCHEMES[0], Role::Residual, 0.02),
            (&SCHEMES[1], Role::Hidden, 0.03),
            (&SCHEMES[1], Role::Residual, 0.03 / 12f64.sqrt()),
            (&SCHEMES[2], Role::QueryKey, cut(3.0) / 300f64.sqrt()),
            (&SCHEMES[2], Role::Residual, cut(3.0) / (2.0 * 300.0 * 3.0f64).sqrt()),
            (&SCHEMES[2], Role::Embedding, cut(3.0) / 128f64.sqrt()),
            (&SCHEMES[3], Role::Value, (2.0f64 / (5.0 * 128.0)).sqrt()),
            (&SCHEMES[3], Role::Residual, 2.0 / (6.0 * 128f64.sqrt())),
            (&SCHEMES[4], Role::Head, 1.5 * (2.0 / 500f64).sqrt()),
            (&SCHEMES[5], Role::Hidden, 0.02 * cut(2.0)),
        ] {
            let got = std_of(&matrix(scheme, &place(role), 1.0, 1, "p").values);
            assert!((got / expected - 1.0).abs() < 0.015, "{scheme:?} {role:?}: {got}, expected {expected}");
        }
    }

    #[test]
    fn every_scheme_scales_the_same_noise() {
        let unit: Vec<f64> =
            matrix(&InitConfig::Normal { std: 1.0 }, &place(Role::Hidden), 1.0, 9, "p").values.iter().map(|v| f64::from(*v)).collect();
        for scheme in &SCHEMES {
            for role in ROLES {
                let values = matrix(scheme, &place(role), 1.0, 9, "p").values;
                for (v, z) in values.iter().zip(&unit) {
                    let v = f64::from(*v);
                    match law(scheme, &place(role), 1.0) {
                        Law::Normal { std } => assert!((v / std - z).abs() < 1e-6 * z.abs().max(1.0)),
                        Law::Uniform { std } => assert!((v / (std * 3f64.sqrt()) - libm::erf(z * FRAC_1_SQRT_2)).abs() < 1e-6),
                        Law::Truncated { std, cutoff } if z.abs() <= cutoff => assert!((v / std - z).abs() < 1e-6 * z.abs().max(1.0)),
                        Law::Truncated { std, cutoff } => assert!((v / std).abs() <= cutoff + 1e-6),
                    }
                }
            }
        }
    }

    #[test]
    fn mup_keeps_the_variance_of_vectors_and_divides_that_of_blocks() {
        let std = |scheme: &InitConfig, place: &Place| match law(scheme, place, 1.0) {
            Law::Normal { std } | Law::Truncated { std, .. } | Law::Uniform { std } => std,
        };
        // Four times as wide: 300 and 200 grow with the width, a vocabulary of 300 or 200 does not.
        for scheme in &SCHEMES {
            for role in ROLES {
                let base = place(role);
                let (inputs, outputs) = match role {
                    Role::Embedding | Role::Position => (300, 800),
                    Role::Head => (1200, 200),
                    _ => (1200, 800),
                };
                let wide = Place { inputs, outputs, width: 512, multiple: 4.0, ..base };
                let expected = if matches!(role, Role::Embedding | Role::Position | Role::Head) { 1.0 } else { 0.5 };
                assert!((std(scheme, &wide) / std(scheme, &base) - expected).abs() < 1e-12, "{scheme:?} {role:?}");
            }
        }
    }

    #[test]
    fn marks_tell_noise_and_shape_apart_and_no_scheme_changes_them() {
        let mark = |scheme: &InitConfig, place: &Place, seed, path: &str| matrix(scheme, place, 0.7, seed, path).mark;
        let (hidden, flat) = (place(Role::Hidden), Place { inputs: 200, outputs: 300, ..place(Role::Hidden) });
        let of = mark(&SCHEMES[0], &hidden, 9, "p");
        assert!(of.len() == 8 && of.bytes().all(|digit| digit.is_ascii_hexdigit()), "{of}");
        for scheme in &SCHEMES {
            for role in ROLES {
                assert_eq!(mark(scheme, &place(role), 9, "p"), of);
            }
        }
        let others = [mark(&SCHEMES[0], &hidden, 8, "p"), mark(&SCHEMES[0], &hidden, 9, "q"), mark(&SCHEMES[0], &flat, 9, "p")];
        assert!(others.iter().all(|other| *other != of), "{of} {others:?}");
    }

    #[test]
    fn uniform_stays_inside_and_is_flat() {
        let values = matrix(&InitConfig::Xavier { gain: 1.0 }, &place(Role::Hidden), 1.0, 3, "u").values;
        let edge = (6.0 / 500f64).sqrt();
        let mut bins = [0usize; 10];
        for v in &values {
            let share = (f64::from(*v) / edge + 1.0) / 2.0;
            assert!((-1e-6..=1.0 + 1e-6).contains(&share));
            bins[((share * 10.0) as usize).min(9)] += 1;
        }
        for bin in bins {
            assert!((bin as f64 - 6000.0).abs() < 5.0 * (6000f64 * 0.9).sqrt(), "{bins:?}");
        }
    }

    #[test]
    fn deepnorm_shrinks_three_roles() {
        for scheme in &SCHEMES {
            for role in ROLES {
                let ratio =
                    std_of(&matrix(scheme, &place(role), 0.5, 1, "p").values) / std_of(&matrix(scheme, &place(role), 1.0, 1, "p").values);
                let expected = if matches!(role, Role::Value | Role::Hidden | Role::Residual) { 0.5 } else { 1.0 };
                assert!((ratio - expected).abs() < 1e-6, "{scheme:?} {role:?}");
            }
        }
    }

    #[test]
    fn the_block_matters_to_mitchell_residuals_only() {
        for scheme in &SCHEMES {
            for role in ROLES {
                let at = |layer| law(scheme, &Place { layer, ..place(role) }, 1.0);
                let depends = at(Some(0)) != at(Some(5));
                assert_eq!(depends, matches!(scheme, InitConfig::Mitchell {}) && role == Role::Residual, "{scheme:?} {role:?}");
            }
        }
    }
}
