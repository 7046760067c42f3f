use super::*;
use std::collections::HashMap;

fn runs(words: &[&str]) -> Runs {
    let mut runs = Runs::default();
    words.iter().for_each(|word| runs.push(word));
    runs
}

#[test]
fn repeated_pieces_count_from_the_second_on() {
    let found = repeated(["é", "b", "é", "é", ""].into_iter());
    assert_eq!(found, Repeated { pieces: 5, repeated: 2, characters: 2 });
}

#[test]
fn the_top_run_is_the_first_of_the_most_frequent() {
    let mut runs = runs(&["a", "bb", "c", "a", "bb", "c", "a"]);
    runs.longer();
    assert_eq!(runs.longer(), Some(Top { times: 2, characters: 4 }));
    assert_eq!(runs.repeated(), 5);
    assert_eq!(runs.longer(), Some(Top { times: 2, characters: 6 }));
    assert_eq!(runs.longer(), Some(Top { times: 2, characters: 8 }));
    assert_eq!(runs.longer(), Some(Top { times: 1, characters: 11 }));
    assert_eq!(runs.repeated(), 0);
}

#[test]
fn a_text_may_be_too_short() {
    assert_eq!(runs(&["a"]).longer(), Some(Top { times: 1, characters: 1 }));
    let mut one = runs(&["a"]);
    one.longer();
    assert_eq!(one.longer(), None);
    assert_eq!(runs(&[]).longer(), None);
}

/// Words that are joined differently are other words: datatrove's key of a run of five is `"".join(words)`, for which
/// `ab c …` repeats `a bc …`. The paper speaks of words.
#[test]
fn joined_words_are_not_confused() {
    let mut runs = runs(&["ab", "c", "d", "e", "f", "a", "bc", "d", "e", "f"]);
    (0..5).for_each(|_| assert!(runs.longer().is_some()));
    assert_eq!(runs.repeated(), 0);
}

#[test]
fn all_lengths_agree_with_counting_every_run() {
    let mut state = 7u64;
    for size in [0, 3, 40, 400] {
        let words: Vec<String> = (0..size)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                "abc"[..1 + (state >> 61) as usize % 3].to_string()
            })
            .collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let mut runs = runs(&words);
        for length in 1..=10 {
            let top = runs.longer();
            let mut times: HashMap<&[&str], usize> = HashMap::new();
            words.windows(length).for_each(|run| *times.entry(run).or_default() += 1);
            let most = times.values().max().copied();
            let first = words.windows(length).find(|run| Some(times[run]) == most);
            let expected = first.map(|run| Top { times: times[run], characters: run.join(" ").len() });
            assert_eq!(top, expected, "{size} {length}");
            let (mut seen, mut at, mut repeated) = (HashSet::new(), 0, 0);
            while at + length <= words.len() {
                if seen.insert(&words[at..at + length]) {
                    at += 1;
                } else {
                    repeated += words[at..at + length].concat().len();
                    at += length;
                }
            }
            assert_eq!(runs.repeated(), repeated, "{size} {length}");
        }
    }
}
