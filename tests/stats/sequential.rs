//! Sequential looks by simulation: errors over all looks stay at α, effects are found with fewer seeds, families hold.

use super::experiments::{normal, share};
use ablate::stats::{Finding, Looks, holm, paired};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StudentT};

const EXPERIMENTS: usize = 10_000;

fn most(level: f64) -> f64 {
    level + 3.0 * (level * (1.0 - level) / EXPERIMENTS as f64).sqrt()
}

fn draw(noise: &mut ChaCha8Rng, count: usize, shift: f64) -> Vec<f64> {
    (0..count).map(|_| shift + normal(noise)).collect()
}

/// Equal arms stop with "they differ" at any look as often as α says, and looks without levels of their own far more often.
#[test]
fn looking_often_does_not_raise_the_error() {
    for (min, max) in [(3, 10), (4, 8), (5, 20)] {
        for alpha in [0.05, 0.01, 0.005] {
            let looks = Looks::new(min, max, alpha).unwrap();
            let found = share("looks", EXPERIMENTS, |noise| looks.decided(&draw(noise, max, 0.0), None).is_some());
            let error = (alpha * (1.0 - alpha) / EXPERIMENTS as f64).sqrt();
            assert!((found - alpha).abs() < 3.5 * error, "{min} to {max} at {alpha}: {found}");
        }
    }
    let naive = share("naive", EXPERIMENTS, |noise| {
        let differences = draw(noise, 10, 0.0);
        (3..=10).any(|pairs| paired(&differences[..pairs]).unwrap().p.unwrap() <= 0.05)
    });
    assert!(naive > 0.12, "{naive}");
}

#[test]
fn heavy_tails_do_not_raise_the_error() {
    let heavy = StudentT::new(3.0).unwrap();
    for (min, max) in [(3, 10), (5, 20)] {
        let looks = Looks::new(min, max, 0.05).unwrap();
        let found = share("heavy looks", EXPERIMENTS, |noise| {
            let differences: Vec<f64> = (0..max).map(|_| heavy.sample(noise)).collect();
            looks.decided(&differences, None).is_some()
        });
        assert!(found < most(0.05), "{min} to {max}: {found}");
    }
}

/// Arms that differ by exactly the margin stop with "equivalent" in α of experiments, where noise is small beside it.
#[test]
fn equivalence_errs_at_its_level() {
    let looks = Looks::new(3, 10, 0.05).unwrap();
    let found = share("border looks", EXPERIMENTS, |noise| {
        let differences: Vec<f64> = (0..10).map(|_| 1.0 + 0.02 * normal(noise)).collect();
        // Every one of these differs; only the other claim is looked for.
        (3..=10).any(|pairs| {
            let p = ablate::stats::equivalence(&differences[..pairs], 1.0, 0.05).unwrap().p;
            p <= looks.equivalence_level(pairs).unwrap()
        })
    });
    assert!(found < most(0.05) && found > 0.04, "{found}");
}

/// Six comparisons with one base in common, four of them of equal arms, looked at after every seed until all are settled:
/// neither the looks nor Holm over the sequential p make any false claim more often than α; and Holm finds what looks found.
#[test]
fn families_hold_with_holm() {
    const EXPERIMENTS: usize = 2_000;
    let (alpha, margin) = (0.1, 1.5);
    let looks = Looks::family(3, 8, alpha, 6).unwrap();
    let truths = [0.0, 0.0, 0.0, 0.0, 4.0, 1.5];
    let run = |noise: &mut ChaCha8Rng| {
        let mut family = vec![Vec::new(); 6];
        while !looks.settled(&family, Some(margin)) {
            let base = 0.5 * normal(noise);
            family.iter_mut().zip(truths).for_each(|(arm, truth)| arm.push(truth + 0.5 * normal(noise) - base));
        }
        family
    };
    let false_claim = share("sequential family", EXPERIMENTS, |noise| {
        run(noise).iter().zip(truths).any(|(arm, truth)| match looks.decided(arm, Some(margin)).map(|stop| stop.finding) {
            Some(Finding::Differs) => truth == 0.0,
            Some(Finding::Equivalent) => truth >= margin,
            None => false,
        })
    });
    let error = (alpha * (1.0 - alpha) / EXPERIMENTS as f64).sqrt();
    assert!(false_claim < alpha + 3.0 * error, "{false_claim}");
    let experiments = 60;
    let false_after_holm = share("sequential family", experiments, |noise| {
        let family = run(noise);
        let adjusted = holm(&family.iter().map(|arm| looks.p(arm)).collect::<Vec<_>>());
        for (arm, p) in family.iter().zip(&adjusted) {
            if looks.decided(arm, None).is_some() {
                assert!(p.unwrap() <= alpha * (1.0 + 1e-6), "Holm lost a finding: {p:?}");
            }
        }
        adjusted.iter().zip(truths).any(|(p, truth)| truth == 0.0 && p.unwrap() <= alpha)
    });
    assert!(false_after_holm < alpha + 3.0 * (alpha * (1.0 - alpha) / experiments as f64).sqrt(), "{false_after_holm}");
}

/// What looks are for: a large effect is found about as surely as by all ten seeds, with about half of them.
#[test]
fn large_effects_need_fewer_seeds() {
    let looks = Looks::new(3, 10, 0.05).unwrap();
    let effect = 2.0;
    let stops: Vec<_> = (0..2_000)
        .map(|i| {
            let noise = &mut ablate::random::generator(i, ablate::random::Purpose::Sampling, "large");
            looks.decided(&draw(noise, 10, effect), None)
        })
        .collect();
    let found = stops.iter().flatten().count() as f64 / stops.len() as f64;
    let pairs: f64 = stops.iter().map(|stop| stop.map_or(10, |stop| stop.pairs) as f64).sum::<f64>() / stops.len() as f64;
    assert!(found > 0.99 && pairs < 6.5, "{found} {pairs}");
}
