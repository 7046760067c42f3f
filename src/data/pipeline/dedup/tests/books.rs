use super::*;
use proptest::prelude::*;
use std::{collections::BTreeSet, fs};

/// Words, hardly any of them twice.
fn book(random: &mut ChaCha8Rng, words: usize) -> Vec<String> {
    (0..words).map(|_| letters(random)).collect()
}

/// A pair of which the second, shorter one has exactly so many of its 5-grams in the first.
fn overlapping(random: &mut ChaCha8Rng, grams: usize, shared: usize) -> [String; 2] {
    let first = book(random, 3 * grams);
    let mut second = first[100..100 + shared + 4].to_vec();
    second.extend(book(random, grams - shared));
    [first.join(" "), second.join(" ")]
}

#[test]
fn a_book_that_overlaps_92_per_cent_goes_and_one_at_88_stays() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let [a, b] = overlapping(&mut random, 5000, 4600);
    let [c, d] = overlapping(&mut random, 5000, 4400);
    let [e, f] = overlapping(&mut random, 5000, 4500);
    let shards = vec![vec![b.clone(), c.clone(), e], vec![a.clone(), d.clone(), f, "too short".into()]];
    for scaled in [1, 4] {
        let found = run(&books(scaled, BookRule::Contained), &shards);
        // The smaller one goes, though it comes first; 90 per cent are not more than 90.
        let dropped: Vec<bool> = found.kept().iter().map(Option::is_none).collect();
        assert_eq!(dropped, [true, false, false, false, false, false, false], "scaled {scaled}");
        let found = run(&books(scaled, BookRule::Later), &shards);
        let dropped: Vec<bool> = found.kept().iter().map(Option::is_none).collect();
        assert_eq!(dropped, [false, false, false, true, false, false, false], "scaled {scaled}");
    }
}

#[test]
fn omnibus_editions_are_found_which_jaccard_would_miss() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let novels: Vec<String> = (0..3).map(|_| book(&mut random, 2000).join(" ")).collect();
    let mut all = novels.clone();
    all.push(novels.join("\n\n"));
    let folder = tempfile::tempdir().unwrap();
    let found = run_in(folder.path(), &books(1, BookRule::Contained), &vec![all.clone()], 0, 1);
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
    let clusters = fs::read_to_string(folder.path().join("clusters.jsonl")).unwrap();
    let cluster: serde_json::Value = serde_json::from_str(clusters.trim_end()).unwrap();
    assert_eq!(cluster["keeper"], "0/3");
    assert_eq!(cluster["members"].as_array().unwrap().len(), 3);
    assert_eq!(cluster["members"][0]["similarity"], 1.0);
    // Every pair was shown.
    assert_eq!(fs::read_to_string(folder.path().join("pairs.jsonl")).unwrap().lines().count(), 3);
    let found = run(&books(1, BookRule::Later), &vec![all]);
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false]);
}

#[test]
fn a_book_goes_only_if_it_is_in_one_that_stays() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    // Each has 91 per cent of its grams in the next one; of the first, the last has too few.
    let text = book(&mut random, 5000);
    let small = text[0..1004].join(" ");
    let middle = text[90..1404].join(" ");
    let large = text[200..3000].join(" ");
    let found = run(&books(1, BookRule::Contained), &vec![vec![small, middle, large]]);
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn unscaled_books_are_what_comparing_all_pairs_finds(texts in prop::collection::vec("([a-c] ){0,14}", 0..14)) {
        let stage = Books::new(BooksConfig { shingle: 2, overlap: 0.7, scaled: 1, ..BooksConfig::default() }).unwrap();
        let found = run(&stage, &cut(&texts, 3));
        let sets: Vec<BTreeSet<String>> = texts.iter().map(|text| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.windows(2).map(|pair| pair.join(" ")).collect()
        }).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|book| (usize::MAX - sets[*book].len(), *book));
        let mut kept: Vec<usize> = vec![];
        for book in order {
            let inside = |other: &usize| {
                let smaller = sets[book].len().min(sets[*other].len());
                smaller > 0 && sets[book].intersection(&sets[*other]).count() as f64 > 0.7 * smaller as f64
            };
            if !kept.iter().any(inside) {
                kept.push(book);
            }
        }
        let expected: Vec<bool> = (0..texts.len()).map(|book| kept.contains(&book)).collect();
        prop_assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), expected);
    }
}
