//! The same questions, asked by lm-evaluation-harness of the exported model and by `ablate eval` of the run.

use super::{
    parity::{python, script},
    trained::{Bench, sentence},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, process::Command};

const ROWS: usize = 40;

/// A sentence of the corpus that the model has seen, from its middle to its end.
fn half(at: usize) -> (String, String) {
    let text = sentence(at);
    let (start, end) = text.split_at(text.find(", ").unwrap() + 1);
    (start.to_owned(), end.trim_start().to_owned())
}

/// Questions in the forms of seven benchmarks; the right answer goes on as the corpus does, the others as other lines of it or not at all.
fn rows(task: &str, at: usize) -> Value {
    let (start, right) = half(at);
    let options = 4 - at % 2; // Not everywhere as many alternatives.
    let gold = at * 7 % options;
    let others = [half(at + 5).1, format!("{at} words of a text, é."), "Long lines are long, and é is a letter.".to_owned()];
    let mut texts = others[..options - 1].to_vec();
    texts.insert(gold, right.clone());
    let labels: Vec<_> = "ABCD".chars().take(options).map(String::from).collect();
    let two = [&right, &others[at % 3]];
    let [first, second] = if at.is_multiple_of(2) { two } else { [two[1], two[0]] };
    match task {
        "hellaswag" => {
            json!({"ind": at, "activity_label": "Counting", "ctx_a": start, "ctx_b": "", "ctx": start, "endings": texts, "label": gold})
        }
        "piqa" => json!({"goal": start, "sol1": first, "sol2": second, "label": at % 2}),
        "arc" => json!({"id": at.to_string(), "question": start, "choices": {"text": texts, "label": labels}, "answerKey": labels[gold]}),
        "openbookqa" => {
            json!({"id": at.to_string(), "question_stem": start, "choices": {"text": texts, "label": labels}, "answerKey": labels[gold]})
        }
        "winogrande" => {
            let [a, b] = [at % 9, at % 9 + 1].map(|n| n.to_string());
            json!({"qID": at.to_string(), "sentence": format!("Line {at} of a text, _ words long, é {}.", at % 7), "option1": a, "option2": b, "answer": (1 + at % 2).to_string()})
        }
        "copa" => {
            json!({"premise": start, "choice1": first, "choice2": second, "question": if at % 4 < 2 { "cause" } else { "effect" }, "label": at % 2, "idx": at})
        }
        "lambada" => json!({"text": format!("{start} {right} Line {} of a", at + 1)}),
        other => panic!("{other}"),
    }
}

#[test]
fn lm_evaluation_harness_gives_an_exported_model_the_same_scores() {
    let Some(python) = python() else { return };
    if !Command::new(&python).args(["-c", "import lm_eval"]).output().unwrap().status.success() {
        eprintln!("skipped: {} has no lm_eval", python.display());
        return;
    }
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--out", "hf"]);
    let tasks = ["hellaswag", "piqa", "arc", "openbookqa", "winogrande", "copa", "lambada"];
    let files = tasks.map(|task| bench.path(&format!("{task}.jsonl")));
    for (task, file) in tasks.iter().zip(&files) {
        let lines: Vec<_> = (0..ROWS).map(|at| rows(task, at + 10).to_string()).collect();
        fs::write(file, lines.join("\n")).unwrap();
    }
    let result = bench.path("scores.json");
    let hf = bench.path("hf");
    script(&python, "scores.py", &[hf.as_path(), &result].into_iter().chain(files.iter().map(|file| file.as_path())).collect::<Vec<_>>());
    let theirs: Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();

    let list = tasks.map(|task| format!("{task}={task}.jsonl")).join(",");
    let shown: Value = serde_json::from_str(&bench.ablate(&["eval", "run", "--tasks", &list, "--json"])).unwrap();
    let ours: BTreeMap<_, _> =
        shown["runs"][0]["tasks"].as_array().unwrap().iter().map(|task| (task["layout"].as_str().unwrap(), task)).collect();
    assert_eq!(ours.len(), tasks.len());
    let mut distinct = 0;
    for task in tasks {
        let kept = fs::read_to_string(bench.path(&format!("run/eval/{task}.jsonl"))).unwrap();
        let items: Vec<Value> = kept.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
        let likelihoods = theirs[task]["likelihoods"].as_array().unwrap();
        assert_eq!((items.len(), likelihoods.len()), (ROWS, ROWS), "{task}");
        for (item, theirs) in items.iter().zip(likelihoods) {
            let detail = &item["detail"];
            let ours: Vec<f64> = match detail["options"].as_array() {
                Some(options) => options.iter().map(|option| option["log"].as_f64().unwrap()).collect(),
                None => vec![detail["log"].as_f64().unwrap()],
            };
            let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            assert_eq!(ours.len(), theirs.len(), "{task} {}", item["id"]);
            for (a, b) in ours.iter().zip(&theirs) {
                assert!((a / b - 1.0).abs() < 1e-5, "{task} {}: {ours:?} {theirs:?}", item["id"]);
            }
        }
        let mut seen = 0;
        for metric in ["acc", "acc_norm", "perplexity"] {
            let (Some(theirs), Some(ours)) = (theirs[task]["metrics"][metric].as_f64(), ours[task]["metrics"][metric]["value"].as_f64())
            else {
                continue;
            };
            let exact = metric != "perplexity";
            assert!(if exact { ours == theirs } else { (ours / theirs - 1.0).abs() < 1e-5 }, "{task} {metric}: {ours}, theirs {theirs}");
            eprintln!("{task} {metric}: {ours:.4} both");
            seen += 1;
            distinct += usize::from(ours > 0.0 && ours < 1.0);
        }
        assert!(seen > 0, "{task}: nothing was compared: {}", theirs[task]["metrics"]);
    }
    assert!(distinct > tasks.len(), "the model answers everything alike");
}
