//! Rotary frequencies for contexts beyond training.

use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// How rotary frequencies change for contexts beyond training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Unchanged.
    None {},
    /// Positions divided by `factor` (Chen et al. 2023).
    Linear {
        /// Context extension.
        factor: f64,
    },
    /// Base multiplied by factor^(d/(d-2)) ("NTK-aware").
    Ntk {
        /// Context extension.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high kept, a linear blend between.
    Llama3 {
        /// Division of the low frequencies; 8 in Llama 3.1, 32 in 3.2.
        factor: f64,
        /// Wavelengths above `original_context / low_frequency` are divided.
        #[serde(default = "one")]
        low_frequency: f64,
        /// Wavelengths below `original_context / high_frequency` are kept.
        #[serde(default = "four")]
        high_frequency: f64,
        /// Context of the original training; 8192 in Llama 3.
        original_context: usize,
    },
    /// YaRN (Peng et al. 2023): per-frequency blend and a factor on the attention.
    Yarn {
        /// Context extension.
        factor: f64,
        /// Context of the original training.
        original_context: usize,
        /// Rotations above which a frequency is kept.
        #[serde(default = "thirty_two")]
        beta_fast: f64,
        /// Rotations below which a frequency is divided.
        #[serde(default = "one")]
        beta_slow: f64,
        /// Factor on cosines and sines; 0.1·ln(factor) + 1 unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
        /// Whether the first and the last pair that are blended are whole numbers.
        #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
        truncate: bool,
    },
}

fn one() -> f64 {
    1.0
}
fn four() -> f64 {
    4.0
}
fn yes() -> bool {
    true
}
fn thirty_two() -> f64 {
    32.0
}

impl Default for RopeScaling {
    fn default() -> Self {
        Self::None {}
    }
}

impl RopeScaling {
    /// Angle per position of each pair, `rotated` / 2 of them; unscaled: f_p = theta^(-2p/rotated).
    ///
    /// - linear: f / factor (Chen et al. 2023, section 2.3).
    /// - NTK: theta becomes theta·factor^(rotated/(rotated - 2)), so that the slowest pair slows down by the factor and
    ///   the fastest not at all.
    /// - Llama 3: with the wavelength λ = 2π/f and L = original_context: f/factor for λ > L/low_frequency, f for
    ///   λ < L/high_frequency, else (1 - s)·f/factor + s·f with s = (L/λ - low)/(high - low).
    /// - YaRN (Peng et al. 2023, section 3.2): r(b) = rotated·ln(L/(2π·b))/(2·ln theta) is the pair that makes b rotations over
    ///   L; the share of f/factor rises linearly from 0 at ⌊r(beta_fast)⌋ to 1 at ⌈r(beta_slow)⌉ (with `truncate`; else at these
    ///   places as they are), both kept inside [0, rotated - 1].
    pub fn frequencies(&self, theta: f64, rotated: usize) -> Vec<f64> {
        let size = rotated as f64;
        let plain = |theta: f64| (0..rotated / 2).map(move |p| theta.powf(-2.0 * p as f64 / size));
        match *self {
            Self::None {} => plain(theta).collect(),
            Self::Linear { factor } => plain(theta).map(|f| f / factor).collect(),
            Self::Ntk { factor } => plain(theta * factor.powf(size / (size - 2.0))).collect(),
            Self::Llama3 { factor, low_frequency: low, high_frequency: high, original_context } => plain(theta)
                .map(|f| {
                    let rotations = original_context as f64 * f / (2.0 * PI);
                    let kept = ((rotations - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - kept) * f / factor + kept * f
                })
                .collect(),
            Self::Yarn { factor, original_context, beta_fast, beta_slow, truncate, .. } => {
                let pair = |rotations: f64| size * (original_context as f64 / (2.0 * PI * rotations)).ln() / (2.0 * theta.ln());
                let (first, last) = (pair(beta_fast), pair(beta_slow));
                let (first, last) = if truncate { (first.floor(), last.ceil()) } else { (first, last) };
                let (first, last) = (first.max(0.0), last.min(size - 1.0));
                let span = if last == first { 0.001 } else { last - first };
                plain(theta)
                    .enumerate()
                    .map(|(p, f)| {
                        let divided = ((p as f64 - first) / span).clamp(0.0, 1.0);
                        divided * f / factor + (1.0 - divided) * f
                    })
                    .collect()
            }
        }
    }

    /// Factor on cosines and sines, and so, squared, on the scores: 0.1·ln(factor) + 1 for YaRN (section 3.4) unless given, else 1.
    pub fn magnitude(&self) -> f64 {
        match *self {
            Self::Yarn { factor, attention_factor, .. } => attention_factor.unwrap_or(0.1 * factor.ln() + 1.0),
            _ => 1.0,
        }
    }

    /// Rules broken with `rotated` channels.
    pub(super) fn problems(&self, rotated: usize) -> Vec<Problem> {
        let key = |name: &str| format!("model.position.scaling.{name}");
        let mut problems = Vec::new();
        let factor = match *self {
            Self::None {} => return problems,
            Self::Linear { factor } | Self::Ntk { factor } | Self::Llama3 { factor, .. } | Self::Yarn { factor, .. } => factor,
        };
        if !(factor.is_finite() && factor >= 1.0) {
            problems.push(Problem::new(key("factor"), format!("{factor} is not a number of at least 1")));
        }
        match *self {
            Self::Ntk { .. } if rotated <= 2 => {
                problems.push(Problem::new(key("kind"), "\"ntk\" needs more than 2 rotated channels"));
            }
            Self::Llama3 { original_context: 0, .. } | Self::Yarn { original_context: 0, .. } => {
                problems.push(Problem::new(key("original_context"), "0 is not a context"));
            }
            _ => {}
        }
        match *self {
            Self::Llama3 { low_frequency: low, high_frequency: high, .. } if !(low > 0.0 && high > low && high.is_finite()) => {
                problems.push(Problem::new(
                    key("high_frequency"),
                    format!("{high} is not above low_frequency ({low}), or that is not above 0"),
                ));
            }
            Self::Yarn { beta_fast: fast, beta_slow: slow, .. } if !(slow > 0.0 && fast > slow && fast.is_finite()) => {
                problems.push(Problem::new(key("beta_fast"), format!("{fast} is not above beta_slow ({slow}), or that is not above 0")));
            }
            Self::Yarn { attention_factor: Some(given), .. } if !(given > 0.0 && given.is_finite()) => {
                problems.push(Problem::new(key("attention_factor"), format!("{given} is not a number above 0")));
            }
            _ => {}
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::close;

    #[test]
    fn plain_frequencies_are_a_geometric_series() {
        close("plain", &RopeScaling::None {}.frequencies(10_000.0, 8), &[1.0, 0.1, 0.01, 0.001], 1e-15);
    }

    #[test]
    fn linear_divides_all() {
        close("linear", &RopeScaling::Linear { factor: 4.0 }.frequencies(10_000.0, 4), &[0.25, 0.0025], 1e-15);
    }

    #[test]
    fn ntk_keeps_the_fastest_and_divides_the_slowest() {
        let (plain, scaled) = (RopeScaling::None {}.frequencies(1e4, 64), RopeScaling::Ntk { factor: 8.0 }.frequencies(1e4, 64));
        assert_eq!(scaled[0], 1.0);
        assert!((plain[31] / scaled[31] - 8.0).abs() < 1e-9);
    }

    #[test]
    fn llama3_keeps_fast_divides_slow_and_is_monotonic() {
        let scaling = RopeScaling::Llama3 { factor: 8.0, low_frequency: 1.0, high_frequency: 4.0, original_context: 8192 };
        let (plain, scaled) = (RopeScaling::None {}.frequencies(5e5, 128), scaling.frequencies(5e5, 128));
        for (f, s) in plain.iter().zip(&scaled) {
            let wavelength = 2.0 * PI / f;
            if wavelength < 8192.0 / 4.0 {
                assert_eq!(f, s);
            } else if wavelength > 8192.0 {
                assert!((f / s - 8.0).abs() < 1e-12);
            } else {
                let smooth = (8192.0 / wavelength - 1.0) / 3.0;
                assert!((s - ((1.0 - smooth) * f / 8.0 + smooth * f)).abs() < 1e-15);
            }
        }
        assert!(scaled.windows(2).all(|w| w[1] < w[0]));
    }

    #[test]
    fn yarn_blends_between_the_published_pairs() {
        // 128 channels, theta 1e4, context 4096: 128·ln(4096/(64π))/(2·ln 1e4) = 20.94 and 128·ln(4096/(2π))/(2·ln 1e4) = 45.02.
        let scaling = RopeScaling::Yarn {
            factor: 16.0,
            original_context: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: None,
            truncate: true,
        };
        let (plain, scaled) = (RopeScaling::None {}.frequencies(1e4, 128), scaling.frequencies(1e4, 128));
        for (p, (f, s)) in plain.iter().zip(&scaled).enumerate() {
            let divided = ((p as f64 - 20.0) / 26.0).clamp(0.0, 1.0);
            assert!((s / f - (divided / 16.0 + 1.0 - divided)).abs() < 1e-12, "pair {p}");
        }
        assert!((scaling.magnitude() - (1.0 + 0.1 * 16f64.ln())).abs() < 1e-15);
        assert_eq!(RopeScaling::Linear { factor: 16.0 }.magnitude(), 1.0);
    }

    #[test]
    fn yarn_takes_a_factor_and_places_that_are_no_whole_numbers() {
        // The same 20.94 and 45.02, as they are.
        let yarn = |attention_factor, truncate| RopeScaling::Yarn {
            factor: 16.0,
            original_context: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor,
            truncate,
        };
        let (plain, scaled) = (RopeScaling::None {}.frequencies(1e4, 128), yarn(Some(1.5), false).frequencies(1e4, 128));
        let place = |rotations: f64| 128.0 * (4096.0 / (2.0 * PI * rotations)).ln() / (2.0 * 1e4f64.ln());
        for (p, (f, s)) in plain.iter().zip(&scaled).enumerate() {
            let divided = ((p as f64 - place(32.0)) / (place(1.0) - place(32.0))).clamp(0.0, 1.0);
            assert!((s / f - (divided / 16.0 + 1.0 - divided)).abs() < 1e-12, "pair {p}");
        }
        assert_eq!((yarn(Some(1.5), false).magnitude(), yarn(Some(0.0), true).problems(128).len()), (1.5, 1));
        // Runs from before there was a choice keep their identity.
        let text = serde_json::to_string(&yarn(None, true)).unwrap();
        assert!(!text.contains("attention_factor") && !text.contains("truncate"), "{text}");
    }

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let plain = RopeScaling::None {}.frequencies(1e4, 32);
        for scaling in [
            RopeScaling::Linear { factor: 1.0 },
            RopeScaling::Ntk { factor: 1.0 },
            RopeScaling::Llama3 { factor: 1.0, low_frequency: 1.0, high_frequency: 4.0, original_context: 512 },
            RopeScaling::Yarn {
                factor: 1.0,
                original_context: 512,
                beta_fast: 32.0,
                beta_slow: 1.0,
                attention_factor: None,
                truncate: true,
            },
        ] {
            close("one", &scaling.frequencies(1e4, 32), &plain, 1e-15);
            assert_eq!(scaling.magnitude(), 1.0);
            assert!(scaling.problems(32).is_empty());
        }
    }
}
