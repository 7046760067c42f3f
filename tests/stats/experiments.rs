//! Whole experiments by the ten thousand: what is promised of errors and of power holds, and what is left of it when
//! differences are not normal and runs diverge.

use ablate::{
    random::{Purpose, generator},
    stats::{POWER, contrasts, detectable, equivalence, holm, mean, paired, pairs_needed, power, sign_flip, welch},
};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal, StandardUniform, StudentT};
use rayon::prelude::*;

const EXPERIMENTS: usize = 10_000;

/// The share of experiments of which `found` is true; each has a generator of its own.
pub fn share(name: &str, experiments: usize, found: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> f64 {
    let count = (0..experiments).into_par_iter().filter(|i| found(&mut generator(*i as u64, Purpose::Sampling, name))).count();
    count as f64 / experiments as f64
}

/// Binomial standard error of a share of [`EXPERIMENTS`].
fn error(share: f64) -> f64 {
    (share * (1.0 - share) / EXPERIMENTS as f64).sqrt()
}

pub fn normal(noise: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(noise)
}

/// Two equal arms whose seeds share most of their noise, as runs of one initialisation and data order do: the losses of
/// each over seeds.
fn equal_arms(noise: &mut ChaCha8Rng, seeds: usize, own: impl Fn(&mut ChaCha8Rng) -> f64) -> [Vec<f64>; 2] {
    let shared: Vec<f64> = (0..seeds).map(|_| 3.0 + 0.02 * normal(noise)).collect();
    [(); 2].map(|_| shared.iter().map(|shared| shared + 0.01 * own(noise)).collect())
}

fn differences(arms: &[Vec<f64>; 2]) -> Vec<f64> {
    arms[0].iter().zip(&arms[1]).map(|(a, b)| a - b).collect()
}

fn rejects(differences: &[f64]) -> bool {
    paired(differences).and_then(|test| test.p).is_some_and(|p| p < 0.05)
}

#[test]
fn equal_arms_differ_five_times_in_a_hundred() {
    for seeds in [3, 5, 10] {
        let found = share("equal", EXPERIMENTS, |noise| rejects(&differences(&equal_arms(noise, seeds, normal))));
        assert!((found - 0.05).abs() < 0.005, "{seeds} seeds: {found}");
    }
}

/// As if seeds were not paired, the same noise in both arms makes Welch's test blind: it finds less than it may.
#[test]
fn welch_wastes_what_seeds_share() {
    let found = share("unpaired", EXPERIMENTS, |noise| {
        let [a, b] = equal_arms(noise, 5, normal);
        welch(&a, &b).unwrap().p < 0.05
    });
    assert!(found < 0.01, "{found}");
    let independent = share("independent", EXPERIMENTS, |noise| {
        let values = |noise: &mut ChaCha8Rng, spread: f64| (0..8).map(|_| spread * normal(noise)).collect::<Vec<_>>();
        welch(&values(noise, 1.0), &values(noise, 3.0)).unwrap().p < 0.05
    });
    assert!((independent - 0.05).abs() < 0.0075, "{independent}");
}

/// Means of few heavy-tailed differences have smaller t than normal ones: errors become rarer. Of skewed arms the
/// difference is symmetric, and the same holds.
#[test]
fn heavy_tails_and_skew_do_not_raise_the_error() {
    for seeds in [3, 5, 10] {
        let heavy = StudentT::new(3.0).unwrap();
        let found = share("heavy", EXPERIMENTS, |noise| rejects(&differences(&equal_arms(noise, seeds, |noise| heavy.sample(noise)))));
        assert!(found < 0.05 + 3.0 * error(0.05) && found > 0.02, "heavy, {seeds} seeds: {found}");
        let found = share("skewed", EXPERIMENTS, |noise| rejects(&differences(&equal_arms(noise, seeds, |noise| Exp1.sample(noise)))));
        assert!(found < 0.05 + 3.0 * error(0.05) && found > 0.02, "skewed, {seeds} seeds: {found}");
    }
}

/// One run in five diverges, whatever its loss would have been, and its pair is dropped: the error stays, also where a
/// lone pair or none is left and nothing is found.
#[test]
fn diverged_runs_do_not_raise_the_error() {
    let found = share("diverged", EXPERIMENTS, |noise| {
        let mut left = differences(&equal_arms(noise, 6, normal));
        left.retain(|_| (0..2).all(|_| Distribution::<f64>::sample(&StandardUniform, noise) >= 0.2));
        rejects(&left)
    });
    assert!(found < 0.05 + 3.0 * error(0.05) && found > 0.04, "{found}");
}

#[test]
fn stated_power_is_reached() {
    for (seeds, alpha) in [(3, 0.05), (5, 0.05), (5, 0.01), (10, 0.05)] {
        let effect = detectable(0.3, seeds, alpha).unwrap();
        let found = share("power", EXPERIMENTS, |noise| {
            let differences: Vec<f64> = (0..seeds).map(|_| effect + 0.3 * normal(noise)).collect();
            paired(&differences).unwrap().p.unwrap() < alpha
        });
        assert!((found - POWER).abs() < 0.015, "{seeds} seeds at {alpha}: {found}");
    }
    let seeds = pairs_needed(1.0, 0.8, 0.05, 0.9).unwrap();
    for (seeds, enough) in [(seeds, true), (seeds - 2, false)] {
        let found = share("enough", EXPERIMENTS, |noise| rejects(&(0..seeds).map(|_| 0.8 + normal(noise)).collect::<Vec<_>>()));
        assert_eq!(found > 0.9 - 3.0 * error(0.9), enough, "{seeds}: {found}");
    }
}

/// Of heavy-tailed differences with the same standard deviation most are smaller: what was promised for normal ones is kept.
#[test]
fn heavy_tails_keep_the_stated_power() {
    let heavy = StudentT::new(3.0).unwrap();
    for seeds in [3, 5, 10] {
        let effect = detectable(1.0, seeds, 0.05).unwrap();
        let found = share("heavy power", EXPERIMENTS, |noise| {
            // Three degrees of freedom have the variance 3.
            rejects(&(0..seeds).map(|_| effect + heavy.sample(noise) / 3.0_f64.sqrt()).collect::<Vec<_>>())
        });
        assert!(found > POWER, "{seeds} seeds: {found}");
    }
}

/// Where one run in ten diverges, power is that of the pairs that are left, and less than was planned.
#[test]
fn diverged_runs_leave_the_power_of_the_pairs_that_are_left() {
    let (seeds, kept) = (6, 0.81_f64);
    let effect = detectable(1.0, seeds, 0.05).unwrap();
    let found = share("diverged power", EXPERIMENTS, |noise| {
        let mut left: Vec<f64> = (0..seeds).map(|_| effect + normal(noise)).collect();
        left.retain(|_| Distribution::<f64>::sample(&StandardUniform, noise) < kept);
        rejects(&left)
    });
    let choose = |k: usize| (0..k).fold(1.0, |product, i| product * (seeds - i) as f64 / (i + 1) as f64);
    let left = |k: usize| choose(k) * kept.powi(k as i32) * (1.0 - kept).powi((seeds - k) as i32);
    let expected: f64 = (2..=seeds).map(|k| left(k) * power(effect * (k as f64).sqrt(), k, 0.05)).sum();
    assert!((found - expected).abs() < 4.0 * error(expected) && found < POWER, "{found} for {expected}");
}

/// Holm's rate with all that runs may do: heavy tails, a base that all comparisons share, and one run in ten lost.
#[test]
fn holm_holds_under_heavy_tails_and_with_diverged_runs() {
    let heavy = StudentT::new(3.0).unwrap();
    let family = |correct: bool| {
        share("rough family", EXPERIMENTS, |noise| {
            let run = |noise: &mut ChaCha8Rng| {
                let (loss, fate): (f64, f64) = (heavy.sample(noise), StandardUniform.sample(noise));
                (fate >= 0.1).then_some(loss)
            };
            let base: Vec<Option<f64>> = (0..6).map(|_| run(noise)).collect();
            let p: Vec<Option<f64>> = (0..6)
                .map(|arm| {
                    let effect = if arm < 4 { 0.0 } else { 4.0 };
                    let differences: Vec<f64> = base.iter().filter_map(|base| Some(effect + run(noise)? - (*base)?)).collect();
                    paired(&differences).and_then(|test| test.p)
                })
                .collect();
            let p = if correct { holm(&p) } else { p };
            p[..4].iter().flatten().any(|p| *p < 0.05)
        })
    };
    let (corrected, raw) = (family(true), family(false));
    assert!(corrected < 0.05 + 3.0 * error(0.05) && corrected > 0.01, "{corrected}");
    assert!(raw > 0.1, "{raw}");
}

/// Six arms against one base, which all comparisons share; the last two arms are better. Some true "equal" among four is
/// called a difference in at most 5 % of experiments, and in many more without the correction.
#[test]
fn holm_holds_the_family_wise_rate() {
    let family = |correct: bool| {
        share("family", EXPERIMENTS, |noise| {
            let base: Vec<f64> = (0..5).map(|_| normal(noise)).collect();
            let p: Vec<Option<f64>> = (0..6)
                .map(|arm| {
                    let effect = if arm < 4 { 0.0 } else { 4.0 };
                    let differences: Vec<f64> = base.iter().map(|base| effect + normal(noise) - base).collect();
                    paired(&differences).unwrap().p
                })
                .collect();
            let p = if correct { holm(&p) } else { p };
            p[..4].iter().flatten().any(|p| *p < 0.05)
        })
    };
    let (corrected, raw) = (family(true), family(false));
    assert!(corrected < 0.05 + 3.0 * error(0.05) && corrected > 0.02, "{corrected}");
    assert!(raw > 0.1, "{raw}");
}

/// Arms whose difference is exactly the margin are called equivalent in at most α of experiments; with a narrow spread
/// in exactly α.
#[test]
fn equivalence_errs_at_its_level() {
    for (spread, seeds, least) in [(0.05, 5, 0.045), (0.05, 10, 0.045), (1.0, 5, 0.0)] {
        let found = share("border", EXPERIMENTS, |noise| {
            let differences: Vec<f64> = (0..seeds).map(|_| 1.0 + spread * normal(noise)).collect();
            equivalence(&differences, 1.0, 0.05).unwrap().equivalent
        });
        assert!(found < 0.05 + 3.0 * error(0.05) && found >= least, "{spread}, {seeds} seeds: {found}");
    }
    let heavy = StudentT::new(3.0).unwrap();
    let found = share("heavy border", EXPERIMENTS, |noise| {
        let differences: Vec<f64> = (0..5).map(|_| 1.0 + 0.05 * heavy.sample(noise)).collect();
        equivalence(&differences, 1.0, 0.05).unwrap().equivalent
    });
    assert!(found < 0.05 + 3.0 * error(0.05), "heavy tails: {found}");
}

/// A comparison can make two claims, and at most one of them can be false: tested at α/m each, six comparisons make any
/// false claim in at most 5 % of experiments, whichever is the false one.
#[test]
fn both_claims_share_one_level() {
    let truths = [0.0, 0.0, 1.0, 1.0, 0.5, -1.0];
    let level = 0.05 / truths.len() as f64;
    let found = share("claims", EXPERIMENTS, |noise| {
        truths.iter().any(|truth| {
            let differences: Vec<f64> = (0..8).map(|_| truth + 0.3 * normal(noise)).collect();
            let differs = paired(&differences).unwrap().p.unwrap() <= level;
            let equivalent = equivalence(&differences, 1.0, level).unwrap().equivalent;
            (differs && *truth == 0.0) || (equivalent && truth.abs() >= 1.0)
        })
    });
    assert!(found < 0.05 + 3.0 * error(0.05) && found > 0.03, "{found}");
}

/// Sign flips keep their level for any symmetric noise, the wildest included, where the mean does not exist.
#[test]
fn sign_flips_need_no_normal_noise() {
    let cauchy = StudentT::new(1.0).unwrap();
    let found = share("cauchy", EXPERIMENTS, |noise| {
        let differences: Vec<f64> = (0..8).map(|_| cauchy.sample(noise)).collect();
        sign_flip(&differences).unwrap().p <= 0.05
    });
    // Of 256 patterns twelve are at or below 5 %.
    let level: f64 = 12.0 / 256.0;
    assert!((found - level).abs() < 3.5 * error(level), "{found}");
}

/// The effects of a factorial design, each by its contrast per seed, keep their level where another effect is large and
/// cells of a seed share noise.
#[test]
fn contrasts_keep_the_level() {
    let found = share("factorial", EXPERIMENTS, |noise| {
        let values: Vec<Vec<Option<f64>>> = (0..4)
            .map(|_| {
                let seed = 3.0 * normal(noise);
                [0.0, 0.0, 5.0, 5.0].map(|effect| Some(seed + effect + normal(noise))).to_vec()
            })
            .collect();
        rejects(&contrasts(&values, &[0.5, -0.5, -0.5, 0.5]))
    });
    assert!((found - 0.05).abs() < 3.5 * error(0.05), "{found}");
}

/// Intervals hold the truth 95 times in 100, paired and plain.
#[test]
fn intervals_hold_the_truth() {
    let held = share("interval", EXPERIMENTS, |noise| {
        let values: Vec<f64> = (0..4).map(|_| 2.0 + 0.1 * normal(noise)).collect();
        let [low, high] = mean(&values).unwrap().ci95.unwrap();
        low <= 2.0 && 2.0 <= high
    });
    assert!((held - 0.95).abs() < 3.5 * error(0.95), "{held}");
}
