use super::{
    super::{
        cuts::Keep,
        lines::{Lines, LinesConfig},
    },
    *,
};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

#[test]
fn lines_are_what_cc_net_leaves() {
    let (texts, expected) = reference();
    let expected: Vec<Option<String>> = serde_json::from_value(expected["lines"].clone()).unwrap();
    for shards in [1, 4] {
        let found = run(&lines(Keep::None, 0), &cut(&texts, shards));
        let found: Vec<Option<String>> = found.kept().into_iter().map(|text| text.map(str::to_string)).collect();
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "document {number}");
        }
    }
}

#[test]
fn every_copy_of_a_line_goes_or_all_but_the_first() {
    let shards = vec![strings(&["Menu\nOne text.\nmenu", "menu\nMENU "]), strings(&["Two 12\n\nthree", "two 34\nfour\nfour"])];
    let none = run(&lines(Keep::None, 0), &shards);
    assert_eq!(none.kept(), [Some("One text."), None, Some("\nthree"), Some("four")]);
    assert_eq!(none.documents[0][1], Err("lines.none-left"));
    assert_eq!(none.counts.get("lines.repeated").times, 7);
    let first = run(&lines(Keep::First, 0), &shards);
    assert_eq!(first.kept(), [Some("Menu\nOne text."), None, Some("Two 12\n\nthree"), Some("four")]);
}

#[test]
fn a_line_that_repeats_in_one_document_alone_stays_there_once() {
    let found = run(&lines(Keep::None, 0), &vec![strings(&["a\nb\na\nc\na", "c\nd"])]);
    assert_eq!(found.kept(), [Some("a\nb"), Some("d")]);
}

#[test]
fn lines_are_compared_within_groups_of_shards_only() {
    let shards: Shards = ["a\nx", "b\nx", "c\nx", "d\ny", "y"].iter().map(|text| strings(&[text])).collect();
    let found = run(&lines(Keep::None, 2), &shards);
    assert_eq!(found.kept(), [Some("a"), Some("b"), Some("c\nx"), Some("d\ny"), Some("y")]);
    let all = run(&lines(Keep::None, 0), &shards);
    assert_eq!(all.kept(), [Some("a"), Some("b"), Some("c"), Some("d"), None]);
    // Hashes that occur once in each part are found too, which cc_net's sharded mode misses.
    assert_eq!(run(&lines(Keep::None, 9), &shards).kept(), all.kept());
}

#[test]
fn short_documents_are_dropped_and_do_not_count() {
    let config = LinesConfig { min_chars: 4, min_chars_after: 2, ..LinesConfig::default() };
    let stage = Lines::new(config, Box::new(ccnet));
    let found = run(&stage, &vec![strings(&["äöü", "äöü\nxy", "xy\nz", "long\nlines"])]);
    assert_eq!(found.documents[0][0], Err("lines.short"));
    assert_eq!(found.documents[0][1], Ok("äöü".into()));
    assert_eq!(found.documents[0][2], Err("lines.short-after"));
    assert_eq!(LinesConfig::default().min_chars, 300);
}

fn brute_lines(shards: &Shards, keep: Keep) -> Vec<Option<String>> {
    let key = |line: &str| {
        let mut out = String::new();
        ccnet(line, &mut out);
        out
    };
    // By line, the documents that have it.
    let mut having: HashMap<String, HashSet<usize>> = HashMap::new();
    for (number, text) in shards.iter().flatten().enumerate() {
        for line in text.split('\n') {
            having.entry(key(line)).or_default().insert(number);
        }
    }
    let mut seen = HashSet::new();
    let stays = |line: &&str, seen: &mut HashSet<String>| match keep {
        Keep::None => having[&key(line)].len() == 1 && seen.insert(key(line)),
        Keep::First => seen.insert(key(line)),
    };
    let left = |text: &String| {
        let lines: Vec<&str> = text.split('\n').filter(|line| stays(line, &mut seen)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    shards.iter().flatten().map(left).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn lines_do_what_plain_counting_does(shards in prop::collection::vec(prop::collection::vec("([a-dA-D1-3.]{0,2}\n){0,4}[a-c]?", 0..6), 0..5)) {
        for keep in [Keep::None, Keep::First] {
            let found = run(&lines(keep, 0), &shards);
            let found: Vec<Option<String>> = found.kept().into_iter().map(|text| text.map(str::to_string)).collect();
            prop_assert_eq!(found, brute_lines(&shards, keep));
        }
    }
}
