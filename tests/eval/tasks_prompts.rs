//! Prompts, alternatives and right answers against lm-evaluation-harness and nanochat: `tests/reference/harness.py` wrote what
//! they print for the same rows.

use super::{fixture, request, task};
use ablate::eval::tasks::{Item, Question, Rule, Span, Task, TaskRequest, layouts, load};
use serde_json::{Value, json};

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/harness.json")).unwrap()
}

/// An item in the form of the reference.
fn shown(item: &Item) -> Value {
    match &item.question {
        Question::Choice(choice) => {
            let pairs: Vec<_> = choice.options.iter().map(|option| [&option.pair.context, &option.pair.continuation]).collect();
            json!({ "pairs": pairs, "gold": choice.gold })
        }
        Question::Continuation(pair) => json!({ "pairs": [[&pair.context, &pair.continuation]], "gold": 0 }),
        Question::Answer(answer) => json!({ "prompt": answer.prompt, "stop": answer.stop }),
        Question::Program(program) => json!({ "prompt": program.prompt, "stop": program.stop }),
        Question::Text(text) => json!(text),
    }
}

#[test]
fn prompts_are_the_harness_s_byte_for_byte() {
    let reference = reference();
    let (mut tasks, mut questions) = (0, 0);
    for (name, expected) in reference["prompts"].as_object().unwrap().iter().filter(|(name, _)| *name != "core") {
        let task = task(name);
        let expected = expected.as_array().unwrap();
        assert_eq!(task.items.len(), expected.len(), "{name}");
        for (item, expected) in task.items.iter().zip(expected) {
            let found = shown(item);
            for (key, expected) in expected.as_object().unwrap() {
                assert_eq!(found[key], *expected, "{name}: {key} of {}", item.id);
            }
            questions += 1;
        }
        tasks += 1;
    }
    assert!(tasks >= 25 && questions >= 50, "{tasks} tasks, {questions} questions");
}

/// Lengths that divide are those of the alternatives as the harness counts them: without what joins them to the context.
#[test]
fn alternatives_are_counted_without_their_delimiter() {
    for name in ["hellaswag/val.jsonl", "piqa/valid.jsonl", "siqa/dev.jsonl", "arc/test.jsonl", "copa/val.jsonl", "crows_pairs"] {
        for item in task(name).items {
            let Question::Choice(choice) = item.question else { panic!("{name}") };
            for option in choice.options {
                let delimiter = if name == "crows_pairs" { "" } else { " " };
                assert_eq!(option.pair.continuation, format!("{delimiter}{}", option.text), "{name}");
            }
        }
    }
}

#[test]
fn a_core_bundle_is_asked_in_nanochat_s_order_with_its_examples() {
    let expected = &reference()["prompts"]["core"];
    let tasks = load(&request("core")).unwrap();
    let named: Vec<_> = tasks.iter().map(|task| (task.name.as_str(), task.metric, task.shots, task.chance)).collect();
    assert_eq!(named, [("kites_zeroshot", "acc_per_token", 0, 0.25), ("letters", "acc", 2, 0.0), ("cases", "acc_per_token", 1, 0.5)]);
    for (task, (name, span)) in tasks.iter().zip([("kites", Span::BehindPrefix), ("letters", Span::Continuation), ("cases", Span::Suffix)])
    {
        let expected = expected[name].as_array().unwrap();
        assert_eq!(task.items.len(), expected.len());
        for (item, expected) in task.items.iter().zip(expected) {
            let prompts: Vec<String> = match &item.question {
                Question::Choice(choice) => {
                    assert_eq!((choice.gold as u64, choice.span), (expected["gold"].as_u64().unwrap(), span), "{name}");
                    choice.options.iter().map(|option| option.pair.to_string()).collect()
                }
                Question::Continuation(pair) => vec![pair.context.clone(), pair.to_string()],
                other => panic!("{other:?}"),
            };
            assert_eq!(json!(prompts), expected["prompts"], "{name}");
        }
    }
    // A limit cuts after the order was made.
    let limited = load(&TaskRequest { limit: Some(2), ..request("core@0") }).unwrap();
    assert_eq!(limited[1].items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>().len(), 2);
    let without = load(&request("core@0")).unwrap();
    assert_eq!(limited[1].items, without[1].items[..2]);
}

/// The release's form and those of others of the same rows are the same questions.
#[test]
fn the_forms_of_a_benchmark_agree() {
    let questions = |task: Task| task.items.into_iter().map(|item| item.question).collect::<Vec<_>>();
    for (released, other) in [
        ("arc/test.jsonl", "arc/hf.jsonl"),
        ("openbookqa/test.jsonl", "openbookqa/hf.jsonl"),
        ("boolq/dev.jsonl", "boolq/superglue.jsonl"),
        ("copa/copa-test.xml", "copa/val.jsonl"),
        ("race/eleuther.jsonl", "race/hf.jsonl"),
        ("triviaqa/unfiltered-web-dev.json", "triviaqa/hf.jsonl"),
        ("winogender/all_sentences.tsv", "winogender/hf.jsonl"),
    ] {
        assert_eq!(questions(task(released)), questions(task(other)), "{released}");
    }
    let race = task("race/test");
    let groups: Vec<_> = race.items.iter().map(|item| item.group.as_deref()).collect();
    assert_eq!(groups, [Some("high"), Some("middle")]);
    assert_eq!(questions(race), questions(task("race/eleuther.jsonl")));
}

#[test]
fn every_layout_is_found_by_itself_and_by_name() {
    let files = [
        ("arc", "arc/test.jsonl"),
        ("boolq", "boolq/dev.jsonl"),
        ("copa", "copa/val.jsonl"),
        ("core", "core/eval_data/symbolic/letters.jsonl"),
        ("crows_pairs", "crows_pairs"),
        ("domains", "paloma"),
        ("gsm8k", "gsm8k/test.jsonl"),
        ("hellaswag", "hellaswag/val.jsonl"),
        ("humaneval", "humaneval/HumanEval.jsonl"),
        ("lambada", "lambada/test.jsonl"),
        ("math", "math@2"),
        ("mbpp", "mbpp/mbpp.jsonl"),
        ("mmlu", "mmlu@2"),
        ("naturalquestions", "nq/dev.jsonl"),
        ("openbookqa", "openbookqa/hf.jsonl"),
        ("piqa", "piqa/valid.jsonl"),
        ("race", "race/test"),
        ("siqa", "siqa/dev.jsonl"),
        ("triviaqa", "triviaqa/hf.jsonl"),
        ("winogender", "winogender/all_sentences.tsv"),
        ("winogrande", "winogrande/dev.jsonl"),
    ];
    assert!(layouts().iter().map(|layout| layout.0).eq(files.iter().map(|file| file.0)), "a layout has no fixture");
    for (layout, file) in files {
        let found = task(file);
        assert_eq!(found.layout, layout, "{file}");
        assert_eq!(task(&format!("{layout}={file}")), found, "{file}");
        assert_eq!(task(file), found, "reading again gives other prompts: {file}");
    }
}

#[test]
fn minerva_s_examples_come_from_train_and_end_as_its_do() {
    let task = task("math@2");
    let Question::Answer(first) = &task.items[0].question else { panic!("{task:?}") };
    let expected = "Problem:\nWhat is $1+1$?\n\nSolution: We have $1+1=\\boxed{2}$.\nFinal Answer: The final answer is $2$. I hope it is correct.\n\n\
                    Problem:\nWhat is $|{-5}|$?\n\nSolution: It is $\\boxed{5}$.\nFinal Answer: The final answer is $5$. I hope it is correct.\n\n\
                    Problem:\nSolve $2x=3$ for $x$.\n\nSolution:";
    assert_eq!(first.prompt, expected);
    assert_eq!(first.accepted, ["\\frac{3}{2}"]);
    assert_eq!(task.items.iter().map(|item| item.group.as_deref().unwrap()).collect::<Vec<_>>(), ["Algebra", "Geometry"]);
}

#[test]
fn formulas_have_the_harness_s_normal_form() {
    let reference = reference();
    for (answer, expected) in reference["formulas"].as_object().unwrap() {
        assert_eq!(Rule::Formula.normal(answer), expected.as_str().unwrap(), "{answer}");
    }
    for (text, expected) in reference["generated"].as_object().unwrap() {
        let found = Rule::Formula.readings()[0].find(text);
        let expected = expected.as_str().filter(|expected| *expected != "[invalidanswer]");
        assert_eq!(found.as_deref(), expected, "{text}");
    }
    for item in task("math@0").items {
        let Question::Answer(answer) = item.question else { panic!() };
        assert!(reference["boxes"].as_object().unwrap().values().any(|expected| *expected == json!(answer.accepted[0])));
    }
}

#[test]
fn domains_are_sources_with_their_parts_or_files() {
    let groups: Vec<_> = task("paloma").items.into_iter().map(|item| (item.id, item.group.unwrap())).collect();
    let expected = [("a1", "almanac"), ("a2", "almanac/farming"), ("l1", "letters/val/part"), ("l3", "letters/val/part")];
    assert!(groups.iter().map(|(id, group)| (id.as_str(), group.as_str())).eq(expected), "{groups:?}");
}

#[test]
fn requests_are_read() {
    let read = |text: &str| text.parse::<TaskRequest>().map(|request| (request.layout, request.path, request.shots));
    assert_eq!(read("a/b.jsonl"), Ok((None, "a/b.jsonl".into(), None)));
    assert_eq!(read("arc=a/b.jsonl@25"), Ok((Some("arc".into()), "a/b.jsonl".into(), Some(25))));
    assert_eq!(read("./x=1/b@c.jsonl"), Ok((None, "./x=1/b@c.jsonl".into(), None)));
    assert!(read("arc=").is_err() && read("a@99999999999999999999999").is_err());
    assert!(fixture("core").join("core.yaml").is_file());
}
