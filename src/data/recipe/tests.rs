//! Whole builds of small recipes.

use super::*;
use crate::data::pipeline::Document;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// A number in letters: lines are the same whatever their digits.
fn name_of(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'p')).collect()
}

/// A folder with sources, recipes and builds.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, first) in [("a", 0), ("b", 150)] {
            // 300 documents in three files; the second source has 150 of the first, and each has short ones.
            for part in 0..3 {
                let lines = (0..100).map(|i| first + part * 100 + i).map(|i| {
                    let text = if i % 10 == 0 {
                        format!("short {}", name_of(i))
                    } else {
                        format!("Header of all.\nText {0} is one of several.\nIt has a second line, {0} of them.", name_of(i))
                    };
                    format!("{}\n", serde_json::json!({ "text": text, "id": format!("{name}-{i}"), "n": i }))
                });
                fs::write(desk.path(&format!("{name}{part}.jsonl")), lines.collect::<String>()).unwrap();
            }
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn recipe(&self, steps: &str) -> Recipe {
        let source = |name: &str| format!("[[source]]\nname = \"{name}\"\npaths = [\"{}/{name}*.jsonl\"]\n", self.0.path().display());
        let text = format!("name = \"test\"\nrejected = 3\n{}{}{steps}", source("a"), source("b"));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn build(&self, recipe: &Recipe, out: &str, threads: usize) -> crate::settings::Result<Report> {
        self.build_until(recipe, out, threads, &AtomicBool::new(false))
    }

    fn build_until(&self, recipe: &Recipe, out: &str, threads: usize, stop: &AtomicBool) -> crate::settings::Result<Report> {
        let options = Options { threads, memory: 1 << 20, most: None, keep_work: false };
        Plan::new(recipe.clone())?.build(&self.path(out), &options, &|_, _, _| (), stop)
    }

    fn refused(&self, steps: &str) -> String {
        self.build(&self.recipe(steps), &format!("refused-{}", steps.len()), 1).unwrap_err().to_string()
    }
}

/// Everything in a folder but what depends on the machine.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name != TIMES {
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

fn documents(folder: &Path) -> Vec<Document> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("documents")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let bytes = files.iter().flat_map(|path| crate::data::read_bytes(path).unwrap()).collect::<Vec<u8>>();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const STEPS: &str = r#"
[[source.step]]
apply = { kind = "length", min_words = 5 }

[[step]]
apply = { kind = "lines", keep = "first", min_chars = 0 }

[[step]]
name = "copies"
apply = { kind = "exact" }
allow = ["nothing"]

[output]
file_bytes = 4000
"#;

#[test]
fn documents_go_through_all_steps_and_every_one_is_accounted_for() {
    let desk = Desk::new();
    let report = desk.build(&desk.recipe(STEPS), "out", 2).unwrap();
    let names: Vec<_> = report.steps.iter().map(|step| (step.source.as_str(), step.name.as_str())).collect();
    // The step of the last source alone.
    assert_eq!(names, [("b", "length"), ("", "lines"), ("", "copies")]);
    let read: Vec<u64> = report.sources.iter().map(|source| source.read.documents).collect();
    assert_eq!((read, report.sources[0].files), (vec![300, 300], 3));
    let length = &report.steps[0];
    assert_eq!((length.input.documents, length.output.documents), (300, 270));
    assert_eq!(length.dropped.iter().map(|(_, count)| count.times).sum::<u64>(), 30);
    // 135 long texts are in both sources: the lines of the second go, and so do its documents.
    let lines = &report.steps[1];
    assert_eq!((lines.input.documents, lines.output.documents), (570, 435));
    let found = documents(&desk.path("out"));
    assert_eq!(found.len() as u64, report.written.documents);
    assert_eq!(found.iter().map(|document| document.text.len() as u64).sum::<u64>(), report.written.bytes);
    assert!(found.windows(2).all(|pair| (&pair[0].source, pair[0].meta["n"].as_u64()) < (&pair[1].source, pair[1].meta["n"].as_u64())));
    assert_eq!(found.iter().filter(|document| document.text.contains("Header of all.")).count(), 1);
    assert_eq!((report.by_source["a"].documents, report.by_source["b"].documents), (300, 135));
    assert!(report.files.len() > 1);
    for file in &report.files {
        assert_eq!(crate::data::sha256(&desk.path("out").join(&file.name)).unwrap(), file.sha256);
    }
    let rejected = fs::read_to_string(desk.path("out").join(REJECTED)).unwrap();
    let rejected: Vec<Rejected> = rejected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short: Vec<_> = rejected.iter().filter(|one| one.step == "length").collect();
    assert!(short.len() == 3 && short.iter().all(|one| one.source == "b" && one.text.starts_with("short ")), "{rejected:?}");
    assert!(!work_folder(&desk.path("out")).exists());
}

#[test]
fn threads_change_no_byte_and_a_finished_build_is_not_done_again() {
    let desk = Desk::new();
    let recipe = desk.recipe(STEPS);
    let one = desk.build(&recipe, "one", 1).unwrap();
    desk.build(&recipe, "two", 2).unwrap();
    assert_eq!(content(&desk.path("one")), content(&desk.path("two")));
    let file = desk.path("one/documents").join("00000.jsonl.zst");
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    assert_eq!(desk.build(&recipe, "one", 1).unwrap(), one);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    let other = desk.recipe(&STEPS.replace("min_words = 5", "min_words = 6"));
    assert!(desk.build(&other, "one", 1).unwrap_err().to_string().contains("another recipe"));
}

#[test]
fn an_interrupted_build_goes_on_and_gives_the_same_bytes() {
    let desk = Desk::new();
    let recipe = desk.recipe(STEPS);
    desk.build(&recipe, "whole", 1).unwrap();
    let (options, stop, calls) =
        (Options { threads: 1, memory: 1 << 20, most: None, keep_work: false }, AtomicBool::new(false), AtomicU64::new(0));
    let mut attempts = 0;
    loop {
        attempts += 1;
        stop.store(false, Ordering::Relaxed);
        // Stops at a later call in every attempt.
        let (limit, start) = (attempts, calls.load(Ordering::Relaxed));
        let progress = |_: &str, _: u64, _: u64| {
            if calls.fetch_add(1, Ordering::Relaxed) - start >= limit {
                stop.store(true, Ordering::Relaxed);
            }
        };
        match Plan::new(recipe.clone()).unwrap().build(&desk.path("parts"), &options, &progress, &stop) {
            Ok(_) => break,
            Err(error) => assert!(error.to_string().contains("interrupted"), "{error}"),
        }
    }
    assert!(attempts > 1, "it was interrupted");
    assert_eq!(content(&desk.path("whole")), content(&desk.path("parts")));
}

#[test]
fn a_step_that_does_nothing_or_leaves_nothing_is_refused() {
    let desk = Desk::new();
    let error = desk.refused("[[source.step]]\napply = { kind = \"length\", min_words = 1 }");
    assert!(error.contains("step length") && error.contains("changed nothing") && error.contains("allow = [\"nothing\"]"), "{error}");
    let error = desk.refused("[[source.step]]\nname = \"long\"\napply = { kind = \"length\", min_words = 1000 }");
    assert!(error.contains("step long") && error.contains("dropped every document"), "{error}");
    let allowed = "[[source.step]]\napply = { kind = \"length\", min_words = 1000 }\nallow = [\"everything\"]";
    let report = desk.build(&desk.recipe(allowed), "allowed", 1).unwrap();
    assert_eq!(report.written.documents, 300);
    fs::write(desk.path("empty.jsonl"), "").unwrap();
    let mut recipe = desk.recipe("");
    recipe.sources[0].paths = vec![desk.path("empty.jsonl").display().to_string()];
    assert!(desk.build(&recipe, "empty", 1).unwrap_err().to_string().contains("source a: holds no document"));
    recipe.sources[0].allow_empty = true;
    desk.build(&recipe, "empty-allowed", 1).unwrap();
}

#[test]
fn damage_is_refused_or_skipped_and_counted() {
    let desk = Desk::new();
    let good = fs::read_to_string(desk.path("a1.jsonl")).unwrap();
    fs::write(desk.path("a1.jsonl"), good.replacen("{\"text\"", "{text", 2)).unwrap();
    let mut recipe = desk.recipe("");
    let error = desk.build(&recipe, "refused", 1).unwrap_err().to_string();
    assert!(error.contains("a1.jsonl") && error.contains("damage = \"skip\""), "{error}");
    recipe.sources[0].damage = OnDamage::Skip;
    let report = desk.build(&recipe, "skipped", 1).unwrap();
    assert_eq!((report.sources[0].read.documents, report.sources[0].damage.iter().map(|(_, count)| count.times).sum::<u64>()), (298, 2));
    assert!(report.sources[0].damaged[0].contains("a1.jsonl"), "{:?}", report.sources[0].damaged);
}

#[test]
fn steps_can_be_left_out_by_name() {
    let desk = Desk::new();
    let without = desk.recipe(STEPS).without(&["lines".into(), "copies".into()]).unwrap();
    assert_eq!(desk.build(&without, "without", 1).unwrap().written.documents, 570);
    let problem = desk.recipe(STEPS).without(&["line".into()]).unwrap_err();
    assert!(problem.message.contains("line is no step") && problem.help.unwrap().contains("copies, length, lines"));
}

#[test]
fn mistakes_in_a_recipe_are_named() {
    let desk = Desk::new();
    let problems = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = desk.recipe("");
        change(&mut recipe);
        recipe.problems().into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(problems(&|_| ()), "");
    assert!(problems(&|recipe| recipe.sources.clear()).contains("source: names no source"));
    assert!(problems(&|recipe| recipe.sources[1].name = "a".into()).contains("source[1].name"));
    assert!(problems(&|recipe| recipe.sources[1].paths.clear()).contains("source[1].paths: names no file"));
    assert!(problems(&|recipe| recipe.sources[1].name = "a/b".into()).contains("is no name"));
    assert!(toml::from_str::<Recipe>("name = \"x\"\nsource = []\nstep = [{ apply = { kind = \"c5\" } }]").is_err());
}
