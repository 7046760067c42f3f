//! The two implementations of the operators end where the other ends.

use super::Bench;
use ablate::{
    ops::{self, Path},
    stats::{mean, paired},
};

/// Training multiplies rounding errors; what is left of them at the end must not be a difference between the paths: its
/// interval over seeds lies within a tenth of what another seed changes.
#[test]
fn fused_and_composed_runs_end_at_the_same_loss() {
    let bench = Bench::new();
    let last = |path: Path, seed: usize| {
        let spec = bench.spec(&["train.steps=150", "evaluation.every=150", &format!("train.seed={seed}")]);
        let result = ops::with(path, || bench.run(&spec, &format!("{path}-{seed}"))).unwrap();
        result.metrics["valid/bits_per_byte"]
    };
    let [fused, composed] = [Path::Fused, Path::Composed].map(|path| (1..=5).map(|seed| last(path, seed)).collect::<Vec<_>>());
    assert_ne!(fused, composed, "the paths round differently, or only one of them ran");
    let differences: Vec<f64> = fused.iter().zip(&composed).map(|(fused, composed)| fused - composed).collect();
    let between_seeds = mean(&fused).unwrap().deviation;
    let [low, high] = paired(&differences).unwrap().ci95.unwrap();
    println!("fused - composed: [{low:.1e}, {high:.1e}] bits per byte; between seeds {between_seeds:.1e}");
    let limit = 0.1 * between_seeds;
    assert!(-limit < low && high < limit, "[{low}, {high}] is not within ± {limit}: {differences:?}");
}
