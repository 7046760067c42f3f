//! How instances are drawn: distributions, numbers, parts.

use super::{corpus, targets};
use ablate::data::synthetic::{Instance, SyntheticConfig};
use std::collections::{HashMap, HashSet};

/// Whether counts are within six deviations of a multinomial with these shares.
fn follow(counts: &[usize], shares: &[f64]) -> bool {
    let all = counts.iter().sum::<usize>() as f64;
    counts.iter().zip(shares).all(|(count, share)| (*count as f64 - all * share).abs() < 6.0 * (all * share * (1.0 - share)).sqrt() + 1e-9)
}

#[test]
fn queries_of_mqar_fall_off_by_the_power_law() {
    for power in [0.01, 0.5, 1.0] {
        // One pair and 8 slots behind it: the place of its query is one draw.
        let task = corpus(&format!("task = {{ kind = \"mqar\", pairs = 1, power = {power} }}\ninstances = 0"), 18, 1);
        let mut counts = [0; 8];
        for index in 0..20_000 {
            counts[(task.train(3, index, 18).targets[0].position - 2) / 2] += 1;
        }
        let weights: Vec<f64> = (1..=8).map(|slot| power * f64::from(slot).powf(power - 1.0)).collect();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / weights.iter().sum::<f64>()).collect();
        assert!(follow(&counts, &shares), "{power}: {counts:?} {shares:?}");
        let even = follow(&counts, &[0.125; 8]);
        assert_eq!(even, power == 1.0, "the test tells powers apart");
    }
}

#[test]
fn keys_and_values_of_mqar_are_even() {
    let task = corpus("task = { kind = \"mqar\", pairs = 2, vocab = 12, random_non_queries = false }\ninstances = 0", 8, 1);
    let (mut keys, mut values) = ([0; 5], [0; 6]);
    for index in 0..10_000 {
        let instance = task.train(0, index, 8);
        keys[instance.tokens[2] as usize - 1] += 1;
        values[instance.tokens[1] as usize - 6] += 1;
    }
    assert!(follow(&keys, &[0.2; 5]) && follow(&values, &[1.0 / 6.0; 6]), "{keys:?} {values:?}");
}

#[test]
fn blanks_lie_before_any_token_to_copy() {
    let task = corpus("task = { kind = \"selective_copying\", tokens = 4 }\ninstances = 0", 39, 1);
    let mut blanks = [0; 4];
    for index in 0..2000 {
        let instance = task.train(0, index, 39);
        let mut token = 0;
        for id in instance.tokens.iter().take_while(|id| **id != 15) {
            if *id == 14 { blanks[token] += 1 } else { token += 1 }
        }
    }
    assert_eq!(blanks.iter().sum::<usize>(), 2000 * 30);
    assert!(follow(&blanks, &[0.25; 4]), "{blanks:?}");
}

#[test]
fn an_instance_is_a_function_of_its_number() {
    let task = corpus("task.kind = \"mqar\"", 64, 2);
    let (one, other) = (task.train(1, 70_000_000_123, 64), task.validation(2999, 64, 2));
    let again = corpus("task.kind = \"mqar\"", 64, 2);
    let _ = (again.train(1, 5, 64), again.validation(0, 64, 1));
    assert_eq!((one.clone(), other.clone()), (again.train(1, 70_000_000_123, 64), again.validation(2999, 64, 2)));
    assert_ne!(one, again.train(1, 70_000_000_124, 64));
    assert_ne!(other, again.validation(2998, 64, 2));
    assert_ne!(one, corpus("task.kind = \"mqar\"\nseed = 1", 64, 1).train(1, 70_000_000_123, 64));
}

#[test]
fn an_epoch_visits_every_instance_once_and_runs_differ_in_their_order() {
    let task = corpus("task.kind = \"mqar\"\ninstances = 50", 32, 1);
    let epoch = |seed, epoch: u64| (epoch * 50..(epoch + 1) * 50).map(|index| task.train(seed, index, 32).tokens).collect::<Vec<_>>();
    let sorted = |mut rows: Vec<Vec<u32>>| {
        rows.sort();
        rows
    };
    let first = epoch(1, 0);
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 50);
    for other in [epoch(1, 1), epoch(2, 0)] {
        assert_ne!(first, other);
        assert_eq!(sorted(first.clone()), sorted(other));
    }
    // Endless: nothing comes again, and runs see different instances.
    let task = corpus("task.kind = \"mqar\"\ninstances = 0", 32, 1);
    let rows = |seed| (0..200).map(|index| task.train(seed, index, 32).tokens).collect::<HashSet<_>>();
    let (one, other) = (rows(1), rows(2));
    assert!(one.len() == 200 && one.is_disjoint(&other));
}

#[test]
fn no_instance_is_in_both_parts_and_none_in_neither() {
    // A hundred sums of one digit.
    let task = corpus("task = { kind = \"addition\", digits = 1 }\ninstances = 0\nvalidation = 2000", 6, 1);
    let train: HashSet<Vec<u32>> = (0..4000).map(|index| task.train(0, index, 6).tokens).collect();
    let validation: HashSet<Vec<u32>> = (0..2000).map(|index| task.validation(index, 6, 1).tokens).collect();
    assert!(train.is_disjoint(&validation));
    assert_eq!(train.len() + validation.len(), 100, "{} {}", train.len(), validation.len());
    assert!((2..40).contains(&validation.len()), "{}", validation.len());
    // Other seeds cut at the same place, so that no model is tested on what another corpus trains.
    let other = corpus("task = { kind = \"addition\", digits = 1 }\ninstances = 0\nseed = 9", 6, 1);
    assert!((0..500).all(|index| !validation.contains(&other.train(1, index, 6).tokens)));
}

#[test]
fn one_in_eight_belongs_to_validation_and_parts_look_alike() {
    // What belongs to a part is decided by a hash: it must not favour some first letters, or lengths.
    let task = corpus("task = { kind = \"copying\", letters = 4 }\ninstances = 0\nvalidation = 8000", 21, 1);
    let parts: [Vec<Instance>; 2] =
        [(0..8000).map(|index| task.train(0, index, 21)).collect(), (0..8000).map(|index| task.validation(index, 21, 1)).collect()];
    for part in &parts {
        let long: Vec<&Instance> = part.iter().filter(|instance| instance.targets.len() > 8).collect();
        let mut letters = [0; 4];
        long.iter().for_each(|instance| letters[instance.tokens[0] as usize] += 1);
        assert!(follow(&letters, &[0.25; 4]), "{letters:?}");
    }
    // Short strings are few, and each is whole in one part.
    let short = |part: &[Instance]| -> HashSet<Vec<(usize, u32)>> {
        part.iter().filter(|instance| instance.targets.len() <= 3).map(targets).collect()
    };
    assert!(short(&parts[0]).is_disjoint(&short(&parts[1])));
}

#[test]
fn published_settings_are_the_defaults() {
    let sizes: HashMap<&str, (u64, u64, usize)> = [
        ("mqar", (100_000, 3000, 8192)),
        ("in_context_recall", (12_800, 1280, 16)),
        ("fuzzy_recall", (12_800, 1280, 16)),
        ("noisy_recall", (12_800, 1280, 32)),
        ("selective_copying", (12_800, 1280, 16)),
        ("compression", (12_800, 1280, 16)),
        ("memorization", (256, 1280, 256)),
    ]
    .into();
    for (kind, (train, validation, vocab)) in sizes {
        let config: SyntheticConfig = toml::from_str(&format!("task.kind = \"{kind}\"")).unwrap();
        let resolved = config.resolve();
        assert_eq!((resolved.instances, resolved.validation, config.vocab()), (Some(train), Some(validation), vocab), "{kind}");
        assert_eq!(resolved, resolved.resolve());
        assert_eq!(config.fingerprint(), resolved.fingerprint(), "{kind}: written or by default");
    }
}
