//! Rules of scoring on a model whose log-likelihoods are known.

use super::{task, tasks_fake::Fake};
use ablate::eval::{
    scoring::{Asking, Record, Results, compare_results, evaluate_task},
    tasks::{Alternative, Answer, Choice, Item, Pair, Question, Rule, Span, Task},
};
use std::collections::BTreeMap;

fn of(question: Question, metric: &'static str) -> Task {
    let items = vec![Item { id: "0".into(), group: None, question }];
    Task { name: "t".into(), layout: "core", metric, chance: 0.25, shots: 0, items }
}

fn choice(options: &[(&str, &str)], gold: usize, span: Span) -> Question {
    let option = |(context, text): &(&str, &str)| Alternative {
        pair: Pair { context: (*context).into(), continuation: format!(" {text}") },
        text: (*text).into(),
    };
    Question::Choice(Choice { options: options.iter().map(option).collect(), gold, span })
}

fn asked(task: &Task, fake: &mut Fake) -> Results {
    evaluate_task(task, fake, &Asking { samples: 1, ..Asking::default() }, &|_, _| ()).unwrap_or_else(|error| panic!("{error}"))
}

/// Six alternatives of which each is the best by one normalisation alone.
#[test]
fn each_normalisation_chooses_another_alternative() {
    // Text, log-likelihood given the context, behind "Answer:", alone.
    let many = "日本語日本語日本語日本語日本語 日本語日本語日本語日本語日本語日本語日本語日本語";
    let rows = [
        // The largest sum.
        ("x", -1.0, -1.0, -1.0),
        // 8 words: -4/8 a token; -4/15 a character.
        ("a b c d e f g h", -4.0, -4.0, -4.0),
        // 2 words, 30 characters and bytes: -0.1 each.
        ("abcdefghijklmno abcdefghijklmn", -3.0, -3.0, -3.0),
        // 2 words, 40 characters: -0.15 each; 118 bytes: -0.05 each.
        (many, -6.0, -6.0, -6.0),
        // 15 more than behind "Answer:".
        ("y", -5.0, -20.0, -5.0),
        // 20 more than alone.
        ("z", -7.0, -7.0, -27.0),
    ];
    assert_eq!((many.chars().count(), many.len(), rows[2].0.len()), (40, 118, 30));
    let metrics = ["acc", "acc_per_token", "acc_norm", "acc_bytes", "acc_uncond", "acc_mutual_info"];
    for (gold, own) in metrics.iter().enumerate() {
        let options: Vec<_> = rows.iter().map(|row| ("Which?", row.0)).collect();
        let task = of(choice(&options, gold, Span::Continuation), "acc");
        let mut fake = Fake::default();
        for (text, log, after, alone) in rows {
            for before in ["Which?", "Answer:", ""] {
                fake.learn(&format!("{before} {text}"));
            }
            fake.knows("Which?", &format!(" {text}"), log);
            fake.knows("Answer:", &format!(" {text}"), after);
            fake.knows("", &format!(" {text}"), alone);
        }
        let results = asked(&task, &mut fake);
        for metric in metrics {
            assert_eq!(results.records[0].metrics[metric], f64::from(metric == *own), "{metric} where alternative {gold} is right");
        }
        // One pass: each alternative given the context, behind "Answer:", alone.
        assert_eq!(fake.asked.len(), 18);
        let total: f64 = rows.iter().map(|row| f64::exp(row.1)).sum();
        let record = &results.records[0];
        assert!((record.metrics["prob_gold"] - rows[gold].1.exp() / total).abs() < 1e-12);
        let bits = -rows[gold].1 / 2f64.ln() / rows[gold].0.len() as f64;
        assert!((results.summary().metrics["gold_bits_per_byte"].value - bits).abs() < 1e-12);
    }
}

#[test]
fn of_equal_alternatives_the_first_is_chosen() {
    let task = of(choice(&[("Q", "a"), ("Q", "b"), ("Q", "c")], 1, Span::Continuation), "acc");
    let mut fake = Fake::default();
    for (text, log) in [("a", -3.0), ("b", -2.0), ("c", -2.0)] {
        for before in ["Q", "Answer:", ""] {
            fake.learn(&format!("{before} {text}"));
            fake.knows(before, &format!(" {text}"), log);
        }
    }
    let metrics = &asked(&task, &mut fake).records[0].metrics;
    assert_eq!((metrics["acc"], metrics["acc_uncond"]), (1.0, 0.0), "a, b and c are equal less what they are behind \"Answer:\"");
}

/// White space at the end of a context goes to the continuation; without a context there is nothing to be conditional on.
#[test]
fn contexts_are_split_as_in_the_harness() {
    let spaced = Question::Choice(Choice {
        options: ["yes", "no"]
            .map(|text| Alternative { pair: Pair { context: "Q: is it? \n".into(), continuation: text.into() }, text: text.into() })
            .to_vec(),
        gold: 0,
        span: Span::Continuation,
    });
    let mut fake = Fake::default();
    fake.learn("Q: is it? \nyes \nno yes no");
    fake.learn("Answer:yes");
    fake.learn("Answer:no");
    fake.learn("yes");
    fake.learn("no");
    fake.learn("Answer:");
    for (text, log) in [("yes", -1.0), ("no", -2.0)] {
        fake.knows("Q: is it?", &format!(" \n{text}"), log);
        // Word and context are one token here: the last one is scored, whatever it begins with.
        fake.knows("", &format!("Answer:{text}"), log);
        fake.knows("", text, log);
    }
    assert_eq!(asked(&of(spaced, "acc"), &mut fake).records[0].metrics["acc"], 1.0);

    let bare = Question::Choice(Choice {
        options: ["She left", "He left"]
            .map(|text| Alternative { pair: Pair { context: String::new(), continuation: text.into() }, text: text.into() })
            .to_vec(),
        gold: 0,
        span: Span::Continuation,
    });
    let mut fake = Fake::default();
    fake.learn("She left");
    fake.learn("He left");
    fake.knows("", "She left", -4.0);
    fake.knows("", "He left", -3.0);
    let results = asked(&of(bare, "acc"), &mut fake);
    assert_eq!(results.records[0].metrics["acc"], 0.0);
    assert!(!results.records[0].metrics.contains_key("acc_mutual_info"));
}

/// The CORE metric: what all alternatives begin with is no part of them, nor what comes before the common end of schemas.
#[test]
fn core_scores_behind_the_prefix_and_the_common_end() {
    let mut fake = Fake::default();
    // "the" is common to both, and is not scored, but its mean is over the words behind it.
    for (context, options) in
        [("Q", ["the oak fell down", "the elm"]), ("Answer:", ["the oak fell down", "the elm"]), ("", ["the oak fell down", "the elm"])]
    {
        for text in options {
            fake.learn(&format!("{context} {text}"));
            if !context.is_empty() || !text.is_empty() {
                fake.knows(context, &format!(" {text}"), -9.0);
            }
        }
    }
    fake.knows("Q the", " oak fell down", -3.0);
    fake.knows("Q the", " elm", -2.0);
    let task = of(choice(&[("Q", "the oak fell down"), ("Q", "the elm")], 0, Span::BehindPrefix), "acc_per_token");
    let metrics = asked(&task, &mut fake).records[0].metrics.clone();
    assert_eq!((metrics["acc_per_token"], metrics["acc"]), (1.0, 0.0), "-3/3 and -2/1 by token, -3 and -2 in all");

    let mut fake = Fake::default();
    for context in ["The cup and the cup", "The cup and the saucer", "Answer:", ""] {
        fake.learn(&format!("{context} broke."));
        fake.knows(context, " broke.", if context.ends_with("saucer") { -1.0 } else { -2.0 });
    }
    let task = of(choice(&[("The cup and the cup", "broke."), ("The cup and the saucer", "broke.")], 1, Span::Suffix), "acc_per_token");
    assert_eq!(asked(&task, &mut fake).records[0].metrics["acc_per_token"], 1.0);
}

#[test]
fn models_that_diverged_are_refused() {
    let mut fake = Fake::default();
    fake.learn("text");
    fake.knows("", "text", f64::NAN);
    let task = of(Question::Text("text".into()), "bits_per_byte");
    let error = evaluate_task(&task, &mut fake, &Asking::default(), &|_, _| ()).unwrap_err().to_string();
    assert!(error.contains("no number") && error.contains("--checkpoint"), "{error}");
}

/// "yes" and "no" behind "Answer:" are the same for all of BoolQ, and are scored once.
#[test]
fn what_is_asked_twice_is_scored_once() {
    let task = task("boolq/dev.jsonl");
    let mut fake = Fake::default();
    for item in &task.items {
        let Question::Choice(choice) = &item.question else { panic!() };
        for option in &choice.options {
            for before in [option.pair.context.as_str(), "Answer:", ""] {
                fake.learn(&format!("{before}{}", option.pair.continuation));
                // "no" is likelier behind "Answer:" by 2, given either passage by 1.
                let log = if option.text == "yes" {
                    -3.0
                } else if before == "Answer:" {
                    -1.0
                } else {
                    -2.0
                };
                fake.knows(before, &option.pair.continuation, log);
            }
        }
    }
    let summary = asked(&task, &mut fake).summary();
    assert_eq!(fake.asked.len(), 2 * 2 + 2 + 2);
    // The answers are no and yes.
    assert_eq!((summary.metrics["acc"].value, summary.metrics["acc_uncond"].value), (0.5, 0.5));
    assert_eq!(summary.header.metric, "acc_uncond");
    assert_eq!(summary.centered, Some(0.0));
}

#[test]
fn continuations_must_be_what_greedy_decoding_gives() {
    let task = task("lambada/test.jsonl");
    let mut fake = Fake::default();
    for (item, log) in task.items.iter().zip([-1.0, -3.0]) {
        let Question::Continuation(pair) = &item.question else { panic!() };
        fake.learn(&pair.to_string());
        fake.knows(&pair.context, &pair.continuation, log);
    }
    fake.greedy = vec![" cat".into()];
    let metrics = asked(&task, &mut fake).summary().metrics;
    assert_eq!(metrics["acc"].value, 0.5);
    // exp of the mean of 1 and 3 nats; s/√n = √2/√2 of nats, times exp(2) by the delta method.
    assert!((metrics["perplexity"].value - 2f64.exp()).abs() < 1e-12);
    assert!((metrics["perplexity"].error.unwrap() - 2f64.exp()).abs() < 1e-12);
    assert!((metrics["gold_bits_per_byte"].value - 4.0 / 2f64.ln() / 6.0).abs() < 1e-12, "cat and tea have six bytes");
}

#[test]
fn bits_per_byte_are_of_the_text_by_domain() {
    let task = task("paloma");
    let mut fake = Fake::default();
    let (mut total, mut bytes) = (0.0, 0.0);
    for (index, item) in task.items.iter().enumerate() {
        let Question::Text(text) = &item.question else { panic!() };
        fake.learn(text);
        let nats = 10.0 * (index + 1) as f64;
        fake.knows("", text, -nats);
        (total, bytes) = (total + nats, bytes + text.len() as f64);
    }
    let summary = asked(&task, &mut fake).summary();
    assert!((summary.metrics["bits_per_byte"].value - total / 2f64.ln() / bytes).abs() < 1e-12);
    assert_eq!(summary.centered, None, "less is better");
    let first = summary.groups["almanac"]["bits_per_byte"].value;
    assert!((first - 10.0 / 2f64.ln() / "The frost came early that year.".len() as f64).abs() < 1e-12);
    let mean = summary.groups.values().map(|metrics| metrics["bits_per_byte"].value).sum::<f64>() / summary.groups.len() as f64;
    assert!((summary.mean_of_groups["bits_per_byte"] - mean).abs() < 1e-12);
}

fn answers(rule: Rule, accepted: &[&str], texts: &[&str]) -> BTreeMap<String, f64> {
    let accepted = accepted.iter().map(|answer| (*answer).to_string()).collect();
    let answer = Answer { prompt: "Q".into(), stop: &["\n"], tokens: 9, accepted, rule };
    let mut fake = Fake { texts: texts.iter().map(|text| (*text).to_string()).collect(), ..Fake::default() };
    let how = Asking { samples: texts.len(), temperature: 0.7, top_p: 0.9, seed: 3, ..Asking::default() };
    let results = evaluate_task(&of(Question::Answer(answer), "exact_match"), &mut fake, &how, &|_, _| ()).unwrap();
    assert!(fake.texts.is_empty());
    let decoding = &fake.decodings[0];
    assert_eq!((decoding.tokens, decoding.temperature, decoding.top_p, decoding.seed), (9, 0.7, 0.9, 3));
    assert_eq!(decoding.stop, ["\n"]);
    results.records[0].metrics.clone()
}

#[test]
fn answers_match_after_normalisation() {
    let exact = |rule, accepted: &[&str], text: &str| answers(rule, accepted, &[text])["exact_match"] == 1.0;
    assert!(exact(Rule::Words, &["Anna Vogel", "A. Vogel"], " the  anna VOGEL!"));
    assert!(exact(Rule::Words, &["U.S."], "the us") && !exact(Rule::SpacedWords, &["U.S."], "us"));
    assert!(exact(Rule::SpacedWords, &["jack-knife"], "Jack knife") && !exact(Rule::Words, &["jack-knife"], "Jack knife"));
    assert!(!exact(Rule::Words, &["Anna Vogel"], "Anna Vogel and others"));
    assert!(exact(Rule::Words, &["theatre"], "theatre"), "articles are words of their own");
    let number = |text| answers(Rule::Number, &["1,200"], &[text]);
    let both = |text| (number(text)["exact_match"], number(text)["exact_match_flexible"]);
    assert_eq!(both("so it is 3.\n#### 1200"), (1.0, 1.0));
    assert_eq!(both("#### 1,200."), (1.0, 1.0));
    assert_eq!(both("the answer is $1,200."), (0.0, 1.0));
    assert_eq!(both("#### 1200\nthen 7"), (1.0, 0.0));
    assert_eq!(both("none"), (0.0, 0.0));
}

#[test]
fn most_samples_decide() {
    let metrics = answers(Rule::Number, &["5"], &["#### 5", "no idea", "#### 7", "#### 5", "nothing", "none"]);
    assert_eq!((metrics["exact_match"], metrics["maj@6"]), (2.0 / 6.0, 1.0));
    // Of equally many the first: 7, 7, 5, 5.
    assert_eq!(answers(Rule::Number, &["5"], &["#### 7", "#### 5", "#### 5", "#### 7"])["maj@4"], 0.0);
    assert!(!answers(Rule::Number, &["5"], &["#### 5"]).contains_key("maj@1"));
}

fn results(metric: &str, values: &[f64], sizes: Option<&[f64]>) -> Results {
    let mut results = asked_nothing();
    results.header.metric = metric.into();
    results.records = values
        .iter()
        .enumerate()
        .map(|(index, value)| Record {
            id: index.to_string(),
            group: None,
            question: format!("q{index}"),
            metrics: BTreeMap::from([(metric.to_string(), *value)]),
            sizes: sizes.map_or(BTreeMap::new(), |sizes| BTreeMap::from([(metric.to_string(), sizes[index])])),
            detail: serde_json::Value::Null,
        })
        .collect();
    results
}

fn asked_nothing() -> Results {
    let mut fake = Fake::default();
    fake.learn("text");
    fake.knows("", "text", -1.0);
    asked(&of(Question::Text("text".into()), "acc"), &mut fake)
}

#[test]
fn two_models_are_compared_question_by_question() {
    // 40 questions: 18 right by both, 9 by the first alone, 1 by the second alone.
    let first: Vec<f64> = (0..40).map(|i| f64::from(i < 27)).collect();
    let second: Vec<f64> = (0..40).map(|i| f64::from(i < 18 || i == 30)).collect();
    let found = compare_results(&results("acc", &first, None), &results("acc", &second, None)).unwrap();
    let [comparison] = &found[..] else { panic!("{found:?}") };
    assert!(comparison.headline && !comparison.less_is_better);
    assert_eq!((comparison.first, comparison.second), (27.0 / 40.0, 19.0 / 40.0));
    assert!((comparison.difference - 0.2).abs() < 1e-12);
    let test = comparison.mcnemar.unwrap();
    // 2 · (1 + 10)/2¹⁰.
    assert_eq!((test.only_first, test.only_second), (9, 1));
    assert!((test.p - 22.0 / 1024.0).abs() < 1e-12);
    let [low, high] = comparison.ci95.unwrap();
    assert!(low > 0.0 && low < 0.2 && high > 0.2, "{low} {high}");

    // Sums with sizes have no right and wrong.
    let sizes: Vec<f64> = (0..40).map(|i| f64::from(1 + i % 3)).collect();
    let found = compare_results(&results("bits_per_byte", &first, Some(&sizes)), &results("bits_per_byte", &second, Some(&sizes))).unwrap();
    assert!(found[0].mcnemar.is_none() && found[0].less_is_better);
    assert!((found[0].difference - 8.0 / sizes.iter().sum::<f64>()).abs() < 1e-12);

    let mut other = results("acc", &second, None);
    other.records[7].question = "another".into();
    let error = compare_results(&results("acc", &first, None), &other).unwrap_err().to_string();
    assert!(error.contains("question 7") && error.contains("--shots"), "{error}");
    let error = compare_results(&results("acc", &first, None), &results("acc", &second[1..], None)).unwrap_err().to_string();
    assert!(error.contains("40") && error.contains("39"), "{error}");
}

/// Standard errors as in lm-evaluation-harness, and results that survive the disk.
#[test]
fn results_are_kept_and_summed() {
    let folder = tempfile::tempdir().unwrap();
    let kept = results("acc", &[1.0, 0.0, 0.0, 1.0, 1.0], None);
    let path = kept.write(folder.path()).unwrap();
    assert_eq!(Results::kept(folder.path()).unwrap(), ["t"]);
    let read = Results::read(&path).unwrap();
    assert_eq!(read, kept);
    let found = read.summary().metrics["acc"];
    // s of 1 0 0 1 1 is √(0.3), over √5.
    assert!((found.value - 0.6).abs() < 1e-12 && (found.error.unwrap() - (0.3f64 / 5.0).sqrt()).abs() < 1e-12);
    assert!((read.summary().centered.unwrap() - (0.6 - 0.25) / 0.75).abs() < 1e-12);
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replacen("\"id\":\"1\"", "\"id\":1", 1)).unwrap();
    let error = Results::read(&path).unwrap_err().to_string();
    assert!(error.contains("t.jsonl:3") && error.contains("evaluate again"), "{error}");
    assert!(Results::kept(&folder.path().join("none")).unwrap().is_empty());
}
