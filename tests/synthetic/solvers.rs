//! Every task against a solver that reads the inputs alone, written from the task's description and not from its generator.

use super::{corpus, targets};
use ablate::data::synthetic::Instance;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Checks instances of a corpus, in training and at one to three training contexts: what `solve` finds in the inputs of an
/// instance is what it asks for. `solve` is told the tokens, the multiple of the context and whether it is for training.
fn check(toml: &str, context: usize, solve: impl Fn(&[u32], usize, bool) -> Vec<(usize, u32)>) -> Vec<Instance> {
    let task = corpus(toml, context, 3);
    let train = (0..150).map(|index| (task.train(5, index, context), 1, true));
    let validation = (1..=3).flat_map(|multiple| (0..100).map(move |index| (multiple, index)));
    let validation = validation.map(|(multiple, index)| (task.validation(index, context, multiple), multiple, false));
    let config: ablate::data::synthetic::SyntheticConfig = toml::from_str(toml).unwrap();
    let mut all = vec![];
    for (instance, multiple, training) in train.chain(validation) {
        let place = format!("{toml}, {multiple} contexts, training {training}: {instance:?}");
        assert_eq!(instance.tokens.len(), multiple * context, "{place}");
        assert!(!instance.targets.is_empty() && instance.targets.is_sorted_by(|a, b| a.position < b.position), "{place}");
        assert!(instance.targets.iter().all(|target| target.position < instance.tokens.len()), "{place}");
        let ids = instance.tokens.iter().copied().chain(instance.targets.iter().map(|target| target.token));
        assert!(ids.max().unwrap() < config.vocab() as u32, "{place}");
        assert_eq!(targets(&instance), solve(&instance.tokens, multiple, training), "{place}");
        all.push(instance);
    }
    all
}

/// The pairs that a row of associative recall begins with.
fn shown(tokens: &[u32], pairs: usize, vocab: u32) -> HashMap<u32, u32> {
    let shown = &tokens[..2 * pairs];
    assert!(shown.chunks(2).all(|pair| (1..vocab / 2).contains(&pair[0]) && (vocab / 2..vocab).contains(&pair[1])));
    let values: HashMap<u32, u32> = shown.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    assert_eq!(values.len(), pairs, "keys differ");
    assert_eq!(values.values().collect::<HashSet<_>>().len(), pairs, "values differ");
    values
}

#[test]
fn mqar_asks_once_for_every_value() {
    for (options, context, pairs, vocab) in [("", 64, 4, 8192), (", pairs = 5, vocab = 40, power = 1.0", 20, 5, 40)] {
        check(&format!("task = {{ kind = \"mqar\", random_non_queries = false{options} }}"), context, |tokens, multiple, _| {
            let pairs = pairs * multiple;
            let values = shown(tokens, pairs, vocab);
            let asked = tokens.iter().enumerate().skip(2 * pairs).filter(|(_, token)| **token != 0);
            let asked: Vec<(usize, u32)> = asked.map(|(place, key)| (place, values[key])).collect();
            assert!(asked.len() == pairs && asked.iter().all(|(place, _)| place % 2 == 0));
            assert_eq!(asked.iter().map(|(_, value)| value).collect::<HashSet<_>>().len(), pairs, "each once");
            asked
        });
    }
}

#[test]
fn mqar_puts_anything_where_nothing_is_asked() {
    let task = corpus("task.kind = \"mqar\"", 64, 1);
    let mut zeros = 0;
    for index in 0..300 {
        let instance = task.train(0, index, 64);
        let values = shown(&instance.tokens, 4, 8192);
        // Chance may put a key where nothing is asked, so what is asked cannot be read from the inputs alone.
        assert!(instance.targets.iter().all(|target| values[&instance.tokens[target.position]] == target.token));
        assert_eq!(instance.targets.iter().map(|target| target.token).collect::<HashSet<_>>().len(), 4, "each once");
        zeros += instance.tokens.iter().filter(|token| **token == 0).count();
    }
    // Of 300 · 52 tokens one in 8192.
    assert!(zeros < 30, "{zeros}");
}

/// What recall asks for where keys are `0..keys`, values up to `known` and pairs stand at even places.
fn recalled(tokens: &[u32], keys: u32, known: u32) -> Vec<(usize, u32)> {
    let mut values: HashMap<u32, u32> = HashMap::new();
    let mut asked = vec![];
    for (pair, two) in tokens.chunks(2).enumerate() {
        assert_eq!(two[0] < known, two[1] < known, "noise fills whole pairs");
        if two[0] >= known {
            continue;
        }
        assert!(two[0] < keys && (keys..known).contains(&two[1]), "{two:?}");
        if let Some(value) = values.insert(two[0], two[1]) {
            assert_eq!(value, two[1], "a key has one value");
            asked.push((2 * pair, value));
        }
    }
    asked
}

/// Every next token.
fn every_next(tokens: &[u32]) -> Vec<(usize, u32)> {
    tokens.iter().skip(1).copied().enumerate().collect()
}

#[test]
fn recall_asks_for_what_came_before() {
    for (options, keys, known) in [("", 8, 16), (", vocab = 33", 16, 33)] {
        check(&format!("task = {{ kind = \"in_context_recall\"{options} }}"), 128, |tokens, _, training| {
            if training { every_next(tokens) } else { recalled(tokens, keys, known) }
        });
    }
    let noisy =
        check(
            "task = { kind = \"noisy_recall\", noise = 0.4 }",
            128,
            |tokens, _, training| {
                if training { every_next(tokens) } else { recalled(tokens, 8, 16) }
            },
        );
    // One pair in 64 is none of noise for sure, one is the probe: of the others 0.4, within six deviations.
    let (pairs, noise) = noisy
        .iter()
        .flat_map(|instance| instance.tokens.chunks(2).take(instance.tokens.len() / 2 - 1))
        .fold((0.0, 0.0), |(pairs, noise), two| (pairs + 1.0, noise + if two[0] >= 16 { 1.0 } else { 0.0 }));
    let expected = 0.4 * (pairs - noisy.len() as f64);
    assert!((noise - expected).abs() < 6.0 * (0.24f64 * pairs).sqrt(), "{noise} of {pairs}, {expected} expected");
}

#[test]
fn one_query_stands_at_the_end() {
    check("task = { kind = \"in_context_recall\", multi_query = false }", 32, |tokens, _, training| {
        let (last, before) = (tokens.len() - 1, &tokens[..tokens.len() - 2]);
        assert_eq!(tokens[last - 1], 15, "it is announced");
        let value = before.chunks(2).find(|two| two[0] == tokens[last]).expect("it was shown")[1];
        let all = before.chunks(2).filter(|two| two[0] == tokens[last]);
        assert!(all.into_iter().all(|two| two[1] == value));
        if training { every_next(tokens).into_iter().chain([(last, value)]).collect() } else { vec![(last, value)] }
    });
}

/// Runs of keys and of values in a row of fuzzy recall, as (start, tokens), without the filler at its start.
fn runs(tokens: &[u32], keys: u32, filler: u32) -> Vec<(usize, Vec<u32>)> {
    let mut runs: Vec<(usize, Vec<u32>)> = vec![];
    for (position, token) in tokens.iter().enumerate().skip_while(|(_, token)| **token == filler) {
        assert_ne!(*token, filler, "filler stands at the start");
        match runs.last_mut() {
            Some((_, run)) if (run[0] < keys) == (*token < keys) => run.push(*token),
            _ => runs.push((position, vec![*token])),
        }
    }
    runs
}

#[test]
fn fuzzy_recall_asks_for_every_token_of_a_value() {
    let all = check("task = { kind = \"fuzzy_recall\" }", 128, |tokens, _, training| {
        let runs = runs(tokens, 7, 15);
        let mut values: HashMap<Vec<u32>, Vec<u32>> = HashMap::new();
        let mut asked = vec![];
        let last = runs.chunks(2).count() - 1;
        let mut end = 0;
        for (pair, two) in runs.chunks(2).enumerate() {
            let (start, key) = &two[0];
            assert!(key[0] < 7 && (if training { 1..=3 } else { 3..=3 }).contains(&key.len()), "{key:?}");
            assert_eq!(key.iter().collect::<HashSet<_>>().len(), key.len(), "no token twice");
            // The last token of a row is only a target.
            let shown = two.get(1).map_or(vec![], |(_, value)| value.clone());
            match values.get(key) {
                Some(value) => {
                    assert!(if pair == last { value.starts_with(&shown) && value.len() == shown.len() + 1 } else { *value == shown });
                    asked.extend(value.iter().enumerate().map(|(place, token)| (start + key.len() - 1 + place, *token)));
                    end = value[value.len() - 1];
                }
                None => {
                    assert!(pair != last, "the last pair was shown before");
                    assert!((1..=3).contains(&shown.len()));
                    values.insert(key.clone(), shown);
                }
            }
        }
        if training { every_next(tokens).into_iter().chain([(tokens.len() - 1, end)]).collect() } else { asked }
    });
    let filled = all.iter().map(|instance| instance.tokens.iter().filter(|token| **token == 15).count());
    assert!(filled.max().unwrap() < 16, "rows are nearly full");
}

#[test]
fn selective_copying_says_what_is_no_blank() {
    check("task = { kind = \"selective_copying\" }", 256, |tokens, _, _| {
        let copy = tokens.iter().position(|token| *token == 15).unwrap();
        let said: Vec<u32> = tokens[..copy].iter().copied().filter(|token| *token < 14).collect();
        assert!(said.len() == 16 && tokens[copy - 1] < 14 && copy + 17 == tokens.len());
        assert!(tokens[copy + 1..].iter().all(|token| *token == 14));
        said.into_iter().enumerate().map(|(place, token)| (copy + 1 + place, token)).collect()
    });
}

#[test]
fn compression_asks_for_everything() {
    check("task = { kind = \"compression\" }", 32, |tokens, _, _| {
        assert!(tokens[tokens.len() - 1] == 15 && tokens[..tokens.len() - 1].iter().all(|token| *token < 15));
        tokens.iter().copied().enumerate().collect()
    });
}

#[test]
fn memorization_has_one_answer_to_a_key_wherever_it_stands() {
    let facts = |seed: u64, context| -> BTreeMap<u32, u32> {
        let task = corpus(&format!("task = {{ kind = \"memorization\", vocab = 40 }}\nseed = {seed}"), context, 2);
        let mut facts = BTreeMap::new();
        let validation = (0..100).flat_map(|index| [task.validation(index, context, 1), task.validation(index, context, 2)]);
        for instance in (0..200).map(|index| task.train(1, index, context)).chain(validation) {
            for (place, target) in targets(&instance).into_iter().enumerate() {
                assert_eq!(target.0, 2 * place + 1);
                let (key, ask) = (instance.tokens[target.0 - 1], instance.tokens[target.0]);
                assert!(key < 19 && ask == 39 && (19..39).contains(&target.1), "{instance:?}");
                assert_eq!(*facts.entry(key).or_insert(target.1), target.1);
            }
            assert_eq!(instance.targets.len(), instance.tokens.len() / 2);
        }
        facts
    };
    let base = facts(3, 32);
    assert_eq!(base.len(), 19, "all keys came");
    assert_eq!(base.values().collect::<HashSet<_>>().len(), 19, "no two keys share a value");
    assert_eq!(base, facts(3, 7), "the context is no part of a fact");
    assert_ne!(base, facts(4, 32));
}

#[test]
fn induction_asks_for_what_came_behind_the_same_token() {
    for context in [64, 37] {
        let all = check("task = { kind = \"induction\", vocab = 200 }", context, |tokens, _, _| {
            let before = |at: usize| tokens[..at].iter().position(|token| *token == tokens[at]);
            (0..tokens.len()).filter_map(|at| before(at).map(|match_| (at, tokens[match_ + 1]))).collect()
        });
        let distances: HashSet<usize> =
            all.iter().filter(|instance| instance.tokens.len() == context).map(|instance| instance.targets[0].position).collect();
        assert_eq!(distances.len(), context / 2 - context.div_ceil(4) + 1, "every length of a block comes");
    }
}

#[test]
fn dyck_closes_what_is_open() {
    let all = check("task = { kind = \"dyck\", kinds = 3, depth = 4 }", 32, |tokens, multiple, _| {
        let ask = tokens.iter().position(|token| *token == 6).unwrap();
        assert!(((multiple - 1) * 27 + 1..=multiple * 27).contains(&ask), "{ask}");
        let mut open: Vec<u32> = vec![];
        for token in &tokens[..ask] {
            match token {
                0..3 => open.push(*token),
                _ => assert_eq!(open.pop(), Some(token - 3), "well nested"),
            }
            assert!(open.len() <= 4);
        }
        let closing: Vec<u32> = open.iter().rev().map(|kind| kind + 3).collect();
        assert_eq!(tokens[ask + 1..ask + 1 + closing.len()], closing);
        assert!(tokens[ask + 1 + closing.len()..].iter().all(|token| *token == 8));
        closing.into_iter().chain([7]).enumerate().map(|(place, token)| (ask + place, token)).collect()
    });
    let depths: HashSet<usize> = all.iter().map(|instance| instance.targets.len() - 1).collect();
    assert_eq!(depths, (0..=4).collect(), "every depth comes");
}

#[test]
fn addition_adds() {
    for reversed in [false, true] {
        let lengths = std::cell::RefCell::new(HashSet::new());
        let toml = format!("task = {{ kind = \"addition\", digits = 3, reversed = {reversed} }}");
        check(&toml, 12, |tokens, multiple, _| {
            let text: String = tokens.iter().map(|token| "0123456789+=~ ".as_bytes()[*token as usize] as char).collect();
            let (sum, answer) = text.split_once('=').unwrap();
            let (a, b) = sum.split_once('+').unwrap();
            for number in [a, b] {
                assert!(((multiple - 1) * 3 + 1..=multiple * 3).contains(&number.len()), "{text}");
                assert!(number.len() == 1 || !number.starts_with('0'), "{text}");
                lengths.borrow_mut().insert(number.len());
            }
            let mut expected = (a.parse::<u64>().unwrap() + b.parse::<u64>().unwrap()).to_string();
            if reversed {
                expected = expected.chars().rev().collect();
            }
            assert_eq!(answer.trim_end(), expected, "{text}");
            let said = expected.bytes().map(|digit| u32::from(digit - b'0')).chain([12]);
            said.enumerate().map(|(place, token)| (sum.len() + place, token)).collect()
        });
        assert_eq!(lengths.into_inner(), (1..=9).collect(), "every length comes");
    }
}

#[test]
fn copying_copies() {
    let all = check("task = { kind = \"copying\", letters = 4 }", 12, |tokens, multiple, _| {
        let ask = tokens.iter().position(|token| *token == 4).unwrap();
        assert!(((multiple - 1) * 5 + 1..=multiple * 5).contains(&ask), "{ask}");
        let string = &tokens[..ask];
        assert!(string.iter().all(|letter| *letter < 4) && string == &tokens[ask + 1..=2 * ask]);
        assert!(tokens[2 * ask + 1..].iter().all(|token| *token == 6));
        string.iter().copied().chain([5]).enumerate().map(|(place, token)| (ask + place, token)).collect()
    });
    let lengths: HashSet<usize> = all.iter().map(|instance| instance.targets.len() - 1).collect();
    assert_eq!(lengths, (1..=15).collect(), "every length comes");
}
