//! Malformed benchmarks are refused, with the file, the line and the field.

use super::{fixture, request};
use ablate::eval::tasks::{Question, Span, TaskRequest, layouts, load};
use proptest::prelude::*;
use std::{fs, path::Path};

/// The error of a file with this content.
fn refused(name: &str, content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    of(&path, None)
}

fn of(path: &Path, layout: Option<&str>) -> String {
    let request = TaskRequest { layout: layout.map(str::to_string), path: path.into(), shots: None, examples: None, limit: None };
    match load(&request) {
        Ok(tasks) => panic!("read {tasks:?}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "not {part:?}: {message}");
    }
    assert!(message.contains("help: "), "{message}");
}

#[test]
fn rows_that_break_their_layout() {
    let good = r#"{"goal":"g","sol1":"a","sol2":"b","label":0}"#;
    says(&refused("piqa.jsonl", &format!("{good}\n{{\"goal\":\"g\",\"sol1\":\"a\",\"label\":0}}\n")), &["piqa.jsonl:2", "sol2", "missing"]);
    says(&refused("piqa.jsonl", &format!("{good}\n\n{{\"goal\":")), &["piqa.jsonl:3", "not JSON"]);
    says(&refused("piqa.jsonl", &format!("{good}\n[1]\n")), &["piqa.jsonl:2", "no JSON object"]);
    says(&refused("piqa.jsonl", &good.replace(":0}", ":2}")), &["piqa.jsonl:1", "label", "= 2", "0 to 1"]);
    says(&refused("piqa.jsonl", &good.replace(":0}", ":-1}")), &["piqa.jsonl:1", "= -1", "hidden test sets"]);
    says(&refused("piqa.jsonl", &good.replace(":0}", ":\"x\"}")), &["piqa.jsonl:1", "whole number"]);
    says(&refused("piqa.jsonl", &good.replace("\"b\"", "\" \"")), &["piqa.jsonl:1", "sol2", "empty"]);
    says(&refused("piqa.jsonl", &good.replace("\"b\"", "7")), &["piqa.jsonl:1", "sol2", "not a text"]);
    says(&refused("wino.jsonl", r#"{"sentence":"no blank","option1":"a","option2":"b","answer":"1"}"#), &["wino.jsonl:1", "blank"]);
    says(&refused("wino.jsonl", r#"{"sentence":"at the end _","option1":"a","option2":"b","answer":"1"}"#), &["behind its blank"]);
    says(
        &refused("arc.jsonl", r#"{"question":{"stem":"s","choices":[{"text":"a","label":"A"},{"text":"b","label":"B"}]},"answerKey":"C"}"#),
        &["arc.jsonl:1", "answerKey", "\"C\"", "A, B"],
    );
    says(
        &refused("arc.jsonl", r#"{"question":{"stem":"s","choices":[{"text":"a","label":"A"},{"label":"B"}]},"answerKey":"A"}"#),
        &["arc.jsonl:1", "question.choices[1].text", "missing"],
    );
    says(
        &refused("gsm8k.jsonl", "{\"question\":\"q\",\"answer\":\"#### 3\"}\n{\"question\":\"q\",\"answer\":\"3\"}\n"),
        &["gsm8k.jsonl:2", "####"],
    );
    says(&refused("math.jsonl", r#"{"problem":"p","solution":"no box"}"#), &["math.jsonl:1", "boxed"]);
    says(&refused("copa.jsonl", r#"{"premise":"p","choice1":"a","choice2":"b","question":"why","label":0}"#), &["copa.jsonl:1", "\"why\""]);
    let item = "<c>\n<item id=\"1\" asks-for=\"cause\" most-plausible-alternative=\"3\">\n<p>p.</p><a1>a</a1><a2>b</a2></item></c>";
    says(&refused("copa.xml", item), &["copa.xml:2", "most-plausible-alternative", "= 3"]);
    says(&refused("copa.xml", &item.replace("\"3\"", "\"1\"").replace("a2", "b2")), &["copa.xml:2", "choice2", "missing"]);
    says(&refused("race.jsonl", r#"{"article":"a","problems":"[{'question': 1}]"}"#), &["race.jsonl:1", "problems"]);
    says(&refused("mmlu/x_test.csv", "q,a,b,c,d,A\nq,a,b,c,d\n"), &["x_test.csv:2"]);
    says(&refused("mmlu/x_test.csv", "q,a,b,c,d,E\n"), &["x_test.csv:1", "answer"]);
    says(&refused("wg.tsv", "sentid\tsentence\na.b.2.male.txt\tHe left.\n"), &["wg.tsv:2", "sentid"]);
    says(&refused("wg.tsv", "sentid\tsentence\na.b.1.male.txt\tShe left.\n"), &["wg.tsv:2", "no male pronoun"]);
    says(&refused("he.jsonl", r#"{"prompt":"p","test":"t","entry_point":"f); import os"}"#), &["he.jsonl:1", "entry_point"]);
    says(&refused("mbpp.jsonl", r#"{"task_id":2,"text":"t","code":"c","test_list":["a"]}"#), &["mbpp.jsonl", "11 to 510"]);
    says(&refused("d.jsonl", "{\"text\":\"\"}\n"), &["d.jsonl", "every text is empty"]);
    says(&refused("empty.jsonl", "\n\n"), &["empty.jsonl", "no rows"]);
}

/// Rows of one's own may say what they are, and nothing that they say is passed over.
#[test]
fn rows_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.jsonl");
    let read = |row: &str| {
        fs::write(&path, row).unwrap();
        load(&TaskRequest { layout: None, path: path.clone(), shots: None, examples: None, limit: None }).map(|mut tasks| tasks.remove(0))
    };
    let row = r#"{"id":"a1","type":"multiple_choice","query":"q","choices":["x","y"],"gold":1,"uncond":"Answer:"}"#;
    let task = read(row).unwrap();
    assert_eq!((task.layout, task.items[0].id.as_str()), ("core", "a1"));
    assert!(matches!(&task.items[0].question, Question::Choice(choice) if choice.span == Span::BehindPrefix && choice.gold == 1));
    // What the row says counts, and not what it looks like.
    let both = r#"{"type":"language_modeling","query":"q","choices":["x","y"],"gold":1,"context":"c","continuation":"d"}"#;
    assert!(matches!(read(both).unwrap().items[0].question, Question::Continuation(_)));
    says(&refused("own.jsonl", &row.replace("Answer:", "A:")), &["own.jsonl:1", "uncond", "\"A:\"", "Answer:"]);
    says(&refused("own.jsonl", &row.replace("multiple_choice", "choice")), &["own.jsonl:1", "\"type\"", "choice"]);
    says(&refused("own.parquet", "PAR1"), &["own.parquet", "is Parquet", "JSON lines"]);
}

#[test]
fn labels_in_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dev.jsonl");
    fs::write(&path, "{\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\"}\n").unwrap();
    says(&of(&path, None), &["dev.jsonl", "\"label\"", "dev-labels.lst"]);
    fs::write(folder.path().join("dev-labels.lst"), "0\n1\n").unwrap();
    says(&of(&path, None), &["dev-labels.lst", "2 labels", "1 rows"]);
}

#[test]
fn layouts_that_cannot_be_told() {
    says(&refused("a.jsonl", "{\"colour\":\"red\"}\n"), &["a.jsonl", "colour", "hellaswag"]);
    says(&of(&request("piqa/valid.jsonl").path, Some("piga")), &["--tasks", "\"piga\"", "piqa"]);
    says(&of(&request("piqa/valid.jsonl").path, Some("siqa")), &["valid.jsonl:1", "answerA"]);
    says(&of(Path::new("not/there.jsonl"), None), &["not/there.jsonl", "no such file"]);
}

#[test]
fn bundles_that_are_not_what_their_list_says() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let list = "icl_tasks:\n-\n  label: a\n  dataset_uri: a.jsonl\n  num_fewshot: [0]\n  icl_task_type: multiple_choice\n";
    write("eval_meta_data.csv", "Eval Task,Random baseline\na,25\n");
    write("core.yaml", list);
    says(&of(folder.path(), None), &["a.jsonl", "no such file"]);
    write("eval_data/a.jsonl", "{\"query\":\"q\",\"choices\":[\"x\",\"y\"],\"gold\":5}\n");
    says(&of(folder.path(), None), &["a.jsonl:1", "gold", "5"]);
    write("core.yaml", &list.replace("[0]", "{a: 1}"));
    says(&of(folder.path(), None), &["core.yaml:5", "not read"]);
    write("core.yaml", &list.replace("label: a", "label: b"));
    says(&of(folder.path(), None), &["core.yaml:2", "random baseline of b"]);
    write("core.yaml", &list.replace("  dataset_uri: a.jsonl\n", ""));
    says(&of(folder.path(), None), &["core.yaml:2", "dataset_uri"]);
    write("core.yaml", &list.replace("multiple_choice", "guessing"));
    says(&of(folder.path(), None), &["a.jsonl:1", "icl_task_type", "guessing"]);
    write("core.yaml", &list.replace("a.jsonl", "../a.jsonl"));
    says(&of(folder.path(), None), &["core.yaml:2", "../a.jsonl", "eval_data"]);
    write("core.yaml", list);
    write("eval_meta_data.csv", "Eval Task,Random baseline\na,many\n");
    says(&of(folder.path(), None), &["eval_meta_data.csv:2", "many"]);
}

#[test]
fn too_few_examples() {
    let request = TaskRequest { shots: Some(9), ..request("arc/test.jsonl") };
    says(&load(&request).unwrap_err().to_string(), &["test.jsonl", "9 examples", "there are 1"]);
}

/// Files of the layouts that are single files.
const FILES: [&str; 20] = [
    "hellaswag/val.jsonl",
    "piqa/valid.jsonl",
    "siqa/dev.jsonl",
    "winogrande/dev.jsonl",
    "arc/test.jsonl",
    "openbookqa/hf.jsonl",
    "boolq/dev.jsonl",
    "copa/val.jsonl",
    "copa/copa-test.xml",
    "lambada/test.jsonl",
    "mmlu/test/abstract_botany_test.csv",
    "race/test/high/1.txt",
    "race/eleuther.jsonl",
    "nq/dev.jsonl",
    "triviaqa/unfiltered-web-dev.json",
    "gsm8k/test.jsonl",
    "math/test/algebra/1.json",
    "humaneval/HumanEval.jsonl",
    "crows_pairs/crows_pairs_anonymized.csv",
    "winogender/all_sentences.tsv",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened to a file, it is read or refused, under its own layout and any other.
    #[test]
    fn damaged_files_never_panic(file in 0..FILES.len(), at in 0usize..2000, cut in 0usize..40, put in "[\\PC\\n]{0,6}", layout in 0usize..64) {
        let source = fixture(FILES[file]);
        let mut bytes = fs::read(&source).unwrap();
        let start = at % bytes.len();
        let end = (start + cut).min(bytes.len());
        bytes.splice(start..end, put.bytes());
        let folder = tempfile::tempdir().unwrap();
        // Layouts look at the folder's name too.
        let path = folder.path().join(FILES[file]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let names = layouts();
        let layout = names.get(layout).map(|layout| layout.0.to_string());
        let request = TaskRequest { layout, path, shots: Some(at % 3), examples: None, limit: None };
        if let Err(error) = load(&request) {
            prop_assert!(error.to_string().contains("help: ") || error.to_string().contains("cannot"), "{}", error);
        }
    }
}
