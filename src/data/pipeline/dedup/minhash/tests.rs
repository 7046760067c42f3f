use super::{
    super::{
        tests::{cut, reference, run, run_in},
        words,
    },
    *,
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet, HashSet};

#[test]
fn words_and_signatures_are_datatroves() {
    let (texts, expected) = reference();
    for (text, expected) in texts.iter().zip(expected["simplified"].as_array().unwrap()) {
        let mut simple = vec![];
        words::simplify(&mut words::Scratch::default(), text, &mut simple);
        assert_eq!(String::from_utf8(simple).unwrap(), expected.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" "));
    }
    for (key, hash) in [("signatures", ShingleHash::Xxhash), ("signatures_sha1", ShingleHash::Sha1)] {
        let stage = Minhash::new(MinhashConfig { hash, ..MinhashConfig::default() }).unwrap();
        let expected: BTreeMap<usize, Vec<u64>> = serde_json::from_value(expected[key].clone()).unwrap();
        assert!(expected.len() > 1);
        for (number, signature) in expected {
            assert_eq!(stage.signature(&texts[number]).unwrap(), signature, "document {number}");
        }
    }
}

/// Groups of (shard, number) of `clusters.jsonl`.
fn clusters(folder: &std::path::Path) -> BTreeSet<Vec<(u32, u32)>> {
    let place = |value: &serde_json::Value| {
        let (shard, number) = value.as_str().unwrap().split_once('/').unwrap();
        (shard.parse().unwrap(), number.parse().unwrap())
    };
    let text = std::fs::read_to_string(folder.join("clusters.jsonl")).unwrap();
    let group = |line: &str| {
        let cluster: serde_json::Value = serde_json::from_str(line).unwrap();
        let members = cluster["members"].as_array().unwrap().iter().map(|member| place(&member["document"]));
        std::iter::once(place(&cluster["keeper"])).chain(members).collect()
    };
    text.lines().map(group).collect()
}

#[test]
fn clusters_are_datatroves_and_the_lowest_place_stays() {
    let (texts, expected) = reference();
    let expected: BTreeSet<Vec<(u32, u32)>> = serde_json::from_value(expected["clusters"].clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let shards = cut(&texts, 3);
    let found = run_in(folder.path(), &Minhash::new(MinhashConfig::default()).unwrap(), &shards, 0, 1);
    assert_eq!(clusters(folder.path()), expected);
    for (shard, documents) in found.documents.iter().enumerate() {
        for (number, document) in documents.iter().enumerate() {
            let place = (shard as u32, number as u32);
            assert_eq!(document.is_err(), expected.iter().any(|group| group.contains(&place) && group[0] < place));
        }
    }
}

/// Two sets of shingles of an exact Jaccard similarity `shared / (2·own + shared)`.
fn pair(random: &mut ChaCha8Rng, own: usize, shared: usize) -> [Vec<u64>; 2] {
    let common: Vec<u64> = (0..shared).map(|_| random.random()).collect();
    [0, 1].map(|_| (0..own).map(|_| random.random()).chain(common.iter().copied()).collect())
}

#[test]
fn candidates_are_found_with_the_probability_that_is_computed() {
    const PAIRS: usize = 500;
    for scheme in [Scheme::Datatrove, Scheme::Fast] {
        let stage = Minhash::new(MinhashConfig { scheme, ..MinhashConfig::default() }).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(9);
        let mut signer = stage.functions.signer();
        for (own, shared) in [(10, 20), (10, 50), (10, 80), (10, 130)] {
            let similarity = shared as f64 / (2 * own + shared) as f64;
            let (mut found, mut equal) = (0, 0);
            for _ in 0..PAIRS {
                let [a, b] = pair(&mut random, own, shared).map(|set| {
                    signer.clear();
                    set.iter().for_each(|shingle| signer.push(*shingle));
                    signer.finish().unwrap().to_vec()
                });
                equal += a.iter().zip(&b).filter(|(a, b)| a == b).count();
                found += usize::from(stage.keys(&a).zip(stage.keys(&b)).any(|(a, b)| a == b));
            }
            // Four standard deviations.
            let within = |found: usize, count: usize, probability: f64| {
                let deviation = (count as f64 * probability * (1.0 - probability)).sqrt();
                let off = found as f64 - count as f64 * probability;
                assert!(off.abs() <= 4.0 * deviation + 1.0, "{scheme:?}, similarity {similarity}: {found} of {count}, not {probability}");
            };
            within(found, PAIRS, stage.config.probability(similarity));
            within(equal, PAIRS * 112, similarity);
        }
    }
    assert!((MinhashConfig::default().probability(0.8) - 0.924).abs() < 1e-3);
}

#[test]
fn generated_near_copies_are_found_and_others_are_not() {
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let vocabulary: Vec<String> = (0..2000).map(|number: u32| format!("word{}", char::from_u32(0x4e00 + number).unwrap())).collect();
    let mut texts = vec![];
    for _ in 0..60 {
        let words: Vec<&str> = (0..200).map(|_| vocabulary[random.random_range(0..2000)].as_str()).collect();
        // One word in a hundred changes five shingles of 200: a similarity of about 0.9; one in five leaves nearly none.
        for rate in [0.0, 0.01, 0.2] {
            let word = |word: &&str| if random.random_bool(rate) { "other" } else { *word }.to_string();
            texts.push(words.iter().map(word).collect::<Vec<_>>().join(" "));
        }
    }
    texts.shuffle(&mut random);
    let set = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        words.windows(5).map(|window| window.join(" ")).collect::<HashSet<_>>()
    };
    let jaccard = |a: &HashSet<String>, b: &HashSet<String>| {
        let shared = a.intersection(b).count();
        shared as f64 / (a.len() + b.len() - shared) as f64
    };
    let sets: Vec<HashSet<String>> = texts.iter().map(|text| set(text)).collect();
    let folder = tempfile::tempdir().unwrap();
    let stage = Minhash::new(MinhashConfig { verify: Some(0.8), ..MinhashConfig::default() }).unwrap();
    run_in(folder.path(), &stage, &cut(&texts, 1), 0, 1);
    let mut found = BTreeSet::new();
    for group in clusters(folder.path()) {
        let numbers: Vec<usize> = group.iter().map(|place| place.1 as usize).collect();
        for (at, a) in numbers.iter().enumerate() {
            found.extend(numbers[at + 1..].iter().map(|b| (*a, *b)));
        }
    }
    let (mut alike, mut hit, mut expected) = (0, 0, 0.0);
    for a in 0..texts.len() {
        for b in a + 1..texts.len() {
            let similarity = jaccard(&sets[a], &sets[b]);
            if similarity >= 0.8 {
                alike += 1;
                hit += usize::from(found.contains(&(a, b)));
                expected += stage.config.probability(similarity);
            } else {
                // Verified: nothing below the threshold, unless a third document ties the two.
                assert!(!found.contains(&(a, b)) || similarity > 0.6, "{similarity}");
            }
        }
    }
    assert!(alike > 30 && hit as f64 > expected - 4.0, "{hit} of {alike}, {expected} expected");
    let pairs = std::fs::read_to_string(folder.path().join("pairs.jsonl")).unwrap();
    assert_eq!(pairs.lines().count(), 20);
    let first: serde_json::Value = serde_json::from_str(pairs.lines().next().unwrap()).unwrap();
    let shown = |side: &str| set(first[side]["text"].as_str().unwrap());
    assert!((first["similarity"].as_f64().unwrap() - jaccard(&shown("first"), &shown("second"))).abs() < 1e-9);
    assert!(first["first"]["id"].as_str().unwrap().starts_with("0#"));
}

#[test]
fn documents_without_a_shingle_stay() {
    let texts: Vec<String> = ["one two", "one two", "", "", "a b c d e", "A, b; c. D e!"].map(String::from).to_vec();
    for verify in [None, Some(0.5)] {
        let found = run(&Minhash::new(MinhashConfig { verify, ..MinhashConfig::default() }).unwrap(), &cut(&texts, 2));
        assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, true, true, false]);
        assert_eq!(found.summary["documents signed"], 2);
    }
}
