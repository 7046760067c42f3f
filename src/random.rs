//! Random numbers by key: every draw comes from a counter-based generator that is addressed by (run seed, purpose, key).
//!
//! No draw depends on how many draws came before it elsewhere, so two arms of an experiment see the same data order,
//! and a parameter that exists in both arms with the same shape starts from the same noise.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// What a stream of random numbers is for. Streams of different purposes never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The standard noise of a parameter; the key is the parameter's path.
    Parameter,
    /// Redraws of noise beyond the cut-off of a truncated initialiser; the key is the parameter's path.
    Redraw,
    /// Dropout masks; the key is the path of the dropout and the step.
    Dropout,
    /// The order of the training data; the key is the epoch.
    DataOrder,
    /// Sampling while generating text; the key is the position.
    Sampling,
    /// Resampling in statistics; the key is the method.
    Resampling,
    /// Instances of synthetic tasks; the key is part and number.
    Synthetic,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::Redraw => "redraw",
            Self::Dropout => "dropout",
            Self::DataOrder => "data-order",
            Self::Sampling => "sampling",
            Self::Resampling => "resampling",
            Self::Synthetic => "synthetic",
        }
    }
}

/// The generator of `(seed, purpose, key)`: ChaCha with 8 rounds, keyed by a SHA-256 of the three.
///
/// The same arguments give the same stream on every machine.
pub fn generator(seed: u64, purpose: Purpose, key: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(b"ablate-random-1\0");
    hash.update(seed.to_le_bytes());
    hash.update(purpose.name().as_bytes());
    hash.update([0]);
    hash.update(key.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn every_part_of_the_key_matters() {
        let first = |seed, purpose, key| generator(seed, purpose, key).next_u64();
        let base = first(1, Purpose::Parameter, "layers.0");
        assert_eq!(base, first(1, Purpose::Parameter, "layers.0"));
        assert_ne!(base, first(2, Purpose::Parameter, "layers.0"));
        assert_ne!(base, first(1, Purpose::Redraw, "layers.0"));
        assert_ne!(base, first(1, Purpose::Parameter, "layers.1"));
    }
}
