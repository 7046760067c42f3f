//! Two questions of every comparison, corrected together: no false claim of either kind too often.

use super::experiments::{normal, share};
use ablate::stats::{equivalence, paired, two_questions};

/// Five comparisons with a common base: two arms equal to it, two exactly the margin away, one clearly better. False claims are
/// "differs" of the first two and "equivalent" of the next two.
#[test]
fn false_claims_of_either_kind_share_one_level() {
    const MARGIN: f64 = 1.0;
    const SEEDS: usize = 6;
    for spread in [0.2, 0.8] {
        let truth = [0.0, 0.0, MARGIN, -MARGIN, -5.0];
        let claims = |noise: &mut rand_chacha::ChaCha8Rng| {
            let base: Vec<f64> = (0..SEEDS).map(|_| spread * normal(noise)).collect();
            let arm = |delta: &f64| -> Vec<f64> { base.iter().map(|base| delta + spread * normal(noise) - base).collect() };
            let differences: Vec<Vec<f64>> = truth.iter().map(arm).collect();
            let different: Vec<_> = differences.iter().map(|d| paired(d).and_then(|test| test.p)).collect();
            let equivalent: Vec<_> = differences.iter().map(|d| equivalence(d, MARGIN, 0.05).map(|test| test.p)).collect();
            let (different, equivalent) = two_questions(&different, &equivalent, true);
            let claimed = |p: &Option<f64>| p.is_some_and(|p| p <= 0.05);
            let wrong = different[..2].iter().any(claimed) || equivalent[2..4].iter().any(claimed);
            let right = equivalent[..2].iter().any(claimed);
            (wrong, right)
        };
        let wrong = share("wrong claims", 4000, |noise| claims(noise).0);
        // Five standard errors of a share of 5 % of 4,000; and the procedure must not be idle.
        assert!(wrong < 0.05 + 0.017, "spread {spread}: {wrong}");
        let right = share("wrong claims", 4000, |noise| claims(noise).1);
        assert!(spread > 0.5 || right > 0.9, "spread {spread}: equal arms are called equivalent in {right}");
    }
}
