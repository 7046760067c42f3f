//! The fused operators over random shapes, options and numbers: against float64, and against themselves where two ways must
//! come to the same.
//!
//! ```text
//! a strategy ─► a Setting ─┬► run:  ops::f and its gradients ─┐
//!                          └► want: ops::reference in float64 ┴► close, norm-wise
//! ```
//!
//! The same cases every time. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` look for others.

#[path = "ops/attention.rs"]
mod attention;
#[path = "ops/attention_laws.rs"]
mod attention_laws;
#[path = "ops/elementwise.rs"]
mod elementwise;
#[path = "ops/embedding.rs"]
mod embedding;
#[path = "ops/laws.rs"]
mod laws;
#[path = "ops/loss.rs"]
mod loss;
#[path = "ops/norms.rs"]
mod norms;
#[path = "ops/numbers.rs"]
mod numbers;
#[path = "ops/products.rs"]
mod products;
#[path = "ops/rotation.rs"]
mod rotation;
#[path = "ops/self_attention.rs"]
mod self_attention;
#[path = "ops/sizes.rs"]
mod sizes;
#[path = "ops/update.rs"]
mod update;

use ablate::ops::reference::Sums;
use numbers::close;
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestCaseResult},
};

/// Largest error in f32, by the norm of what is expected.
const TOLERANCE: f64 = 1e-5;

/// What an operator gave: results and gradients with their names.
type Results = Vec<(&'static str, Vec<f32>)>;

/// An operator with shapes, options and inputs.
trait Setting: std::fmt::Debug + Send + Sync {
    /// What it gives.
    fn run(&self) -> Results;

    /// The same in float64.
    fn want(&self) -> Vec<Sums>;

    /// Both agree.
    fn agrees(&self) -> TestCaseResult {
        let (found, want) = (self.run(), self.want());
        prop_assert_eq!(found.len(), want.len());
        found.iter().zip(&want).try_for_each(|((name, found), want)| close(name, found, want, TOLERANCE))
    }
}

/// `cases` of a property, the same ones every time unless the environment asks for others.
fn config(cases: u32) -> ProptestConfig {
    let of_environment = ProptestConfig::default();
    let rng_seed = if of_environment.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { of_environment.rng_seed };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { of_environment.cases } else { cases };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..of_environment }
}
