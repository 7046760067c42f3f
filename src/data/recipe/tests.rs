//! Whole builds of small recipes.

use super::{done::Done, shard::Shard, *};
use crate::data::{
    Tokenizer,
    pipeline::{Document, formats},
    shards::{Manifest, Shard as Tokenised, Tokens},
};
use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
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

    /// The first shard of work on the second source.
    fn work_shard(&self, out: &str) -> PathBuf {
        work_folder(&self.path(out)).join("source-01/00/000000.jsonl.zst")
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

/// What a build is known by as a corpus of training.
fn fingerprint(recipe: &Recipe) -> String {
    Plan::new(recipe.clone()).unwrap().fingerprint(&key::contents).unwrap()
}

#[test]
fn the_contents_of_lists_and_models_count_and_where_they_lie_does_not() {
    let (desk, other) = (Desk::new(), Desk::new());
    let with_list = |desk: &Desk, words: &str| {
        fs::write(desk.path("words.txt"), words).unwrap();
        desk.recipe(&format!("[[step]]\napply = {{ kind = \"bad_words\", path = \"{}\" }}", desk.path("words.txt").display()))
    };
    let recipe = with_list(&desk, "short\n");
    let first = desk.build(&recipe, "one", 1).unwrap();
    assert!(first.written.documents < 600);
    let before = fingerprint(&recipe);
    assert_eq!(before, fingerprint(&with_list(&other, "short\n")), "another folder, and files of another time");
    assert_eq!(first.recipe, other.build(&with_list(&other, "short\n"), "one", 1).unwrap().recipe);
    with_list(&desk, "several\n");
    assert_ne!(before, fingerprint(&recipe));
    assert!(desk.build(&recipe, "one", 1).unwrap_err().to_string().contains("another recipe"));
    assert_ne!(desk.build(&recipe, "two", 1).unwrap().written, first.written);
    // A file of a source of the same size and another content.
    let before = fingerprint(&recipe);
    let text = fs::read_to_string(desk.path("b1.jsonl")).unwrap();
    fs::write(desk.path("b1.jsonl"), text.replacen("second", "zecond", 1)).unwrap();
    assert_ne!(before, fingerprint(&recipe));
}

#[test]
fn a_rows_own_source_and_place_stay_in_its_meta() {
    let desk = Desk::new();
    let text = fs::read_to_string(desk.path("a0.jsonl")).unwrap();
    fs::write(desk.path("a0.jsonl"), text.replace("{\"text\"", "{\"source\":\"dump\",\"text\"")).unwrap();
    let report = desk.build(&desk.recipe(""), "out", 1).unwrap();
    assert_eq!(report.by_source.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(report.by_source["a"].documents, 300);
    for document in documents(&desk.path("out")) {
        let (name, number) = document.id.split_once('-').unwrap();
        assert_eq!(document.source, name);
        let place = document.meta("file").unwrap();
        assert!(place.starts_with(name) && place.contains(".jsonl#"), "{place}");
        let dumped = name == "a" && number.parse::<usize>().unwrap() < 100;
        assert_eq!(document.meta("source"), dumped.then_some("dump"), "{}", document.id);
    }
}

#[test]
fn what_a_kill_left_behind_the_report_is_removed() {
    let desk = Desk::new();
    let recipe = desk.recipe(STEPS);
    desk.build(&recipe, "out", 1).unwrap();
    let before = content(&desk.path("out"));
    fs::create_dir_all(work_folder(&desk.path("out")).join("all/00")).unwrap();
    fs::write(work_folder(&desk.path("out")).join("all/00/000000.jsonl.zst"), "left").unwrap();
    desk.build(&recipe, "out", 1).unwrap();
    assert!(!work_folder(&desk.path("out")).exists());
    assert_eq!(content(&desk.path("out")), before);
}

#[test]
fn what_is_allowed_changes_without_losing_work() {
    let desk = Desk::new();
    let strict = desk.recipe(&STEPS.replace("allow = [\"nothing\"]", ""));
    assert!(desk.build(&strict, "out", 1).unwrap_err().to_string().contains("step copies: changed nothing"));
    let modified = |out: &str| fs::metadata(desk.work_shard(out)).unwrap().modified().unwrap();
    let before = modified("out");
    let keep = |recipe: &Recipe, out: &str| {
        let options = Options { threads: 1, memory: 1 << 20, most: None, keep_work: true };
        Plan::new(recipe.clone()).unwrap().build(&desk.path(out), &options, &|_, _, _| (), &AtomicBool::new(false))
    };
    let allowed = desk.recipe(STEPS);
    keep(&allowed, "out").unwrap();
    assert_eq!(modified("out"), before, "the shard was made again");
    desk.build(&allowed, "out", 1).unwrap();
    desk.build(&allowed, "fresh", 1).unwrap();
    assert_eq!(content(&desk.path("out")), content(&desk.path("fresh")));
    // What a finished build did may be no longer allowed.
    assert!(desk.build(&strict, "out", 1).unwrap_err().to_string().contains("step copies: changed nothing"));

    // More rejected documents are asked for than shards have kept.
    let mut more = allowed.clone();
    more.rejected = 5;
    assert!(desk.build(&strict, "more", 1).is_err());
    desk.build(&more, "more", 1).unwrap();
    desk.build(&more, "more-fresh", 1).unwrap();
    assert_eq!(content(&desk.path("more")), content(&desk.path("more-fresh")));
}

#[test]
fn damage_is_skipped_without_losing_work_and_refused_again() {
    let desk = Desk::new();
    let good = fs::read_to_string(desk.path("b1.jsonl")).unwrap();
    fs::write(desk.path("b1.jsonl"), good.replacen("{\"text\"", "{text", 1)).unwrap();
    let refuse = desk.recipe(STEPS);
    let mut skip = refuse.clone();
    skip.sources[1].damage = OnDamage::Skip;
    assert!(desk.build(&refuse, "out", 1).unwrap_err().to_string().contains("b1.jsonl"));
    assert!(desk.work_shard("out").exists());
    desk.build(&skip, "out", 1).unwrap();
    desk.build(&skip, "fresh", 1).unwrap();
    assert_eq!(content(&desk.path("out")), content(&desk.path("fresh")));
    assert!(desk.build(&refuse, "out", 1).unwrap_err().to_string().contains("b1.jsonl"));
    // The same of shards that were finished while damage was skipped.
    let mut unfinished = skip.clone();
    unfinished.steps[1].allow.clear();
    assert!(desk.build(&unfinished, "half", 1).unwrap_err().to_string().contains("changed nothing"));
    assert!(desk.build(&refuse, "half", 1).unwrap_err().to_string().contains("b1.jsonl"));
}

#[test]
fn mistakes_show_before_work_begins() {
    let desk = Desk::new();
    let late = format!("{STEPS}\n[[step]]\napply = {{ kind = \"minhash\", bands = 0 }}");
    let error = desk.build(&desk.recipe(&late), "out", 1).unwrap_err().to_string();
    assert!(error.contains("minhash.bands"), "{error}");
    // Nothing was begun: the mended recipe is built into the same folder.
    desk.build(&desk.recipe(STEPS), "out", 1).unwrap();
    let missing = |recipe: &Recipe, name: &str| {
        let error = Plan::new(recipe.clone()).err().unwrap().to_string();
        assert!(error.contains(name), "{error}");
    };
    let model = desk.path("none.ngram").display().to_string();
    missing(&desk.recipe(&format!("[[step]]\napply = {{ kind = \"perplexity\", model = \"{model}\" }}")), "none.ngram");
    let mut recipe = desk.recipe("");
    recipe.output.tokenizer = Some(desk.path("none.json").display().to_string());
    missing(&recipe, "none.json");
    recipe.output.tokenizer = Some(desk.path("a0.jsonl").display().to_string());
    assert!(Plan::new(recipe).unwrap().check().unwrap_err().to_string().contains("a0.jsonl"));
}

#[test]
fn a_limit_ends_reading_early_and_is_named() {
    let desk = Desk::new();
    let good = fs::read_to_string(desk.path("a1.jsonl")).unwrap();
    let (head, rest) = good.split_at(good.match_indices('\n').nth(49).unwrap().0 + 1);
    fs::write(desk.path("a1.jsonl"), format!("{head}{{broken\n{rest}")).unwrap();
    let recipe = desk.recipe("");
    let build = |most| {
        let options = Options { threads: 1, memory: 1 << 20, most, keep_work: false };
        Plan::new(recipe.clone()).unwrap().build(&desk.path("out"), &options, &|_, _, _| (), &AtomicBool::new(false))
    };
    // What is broken behind the limit is not read.
    assert_eq!(build(Some(10)).unwrap().sources[0].read.documents, 30);
    let error = build(None).unwrap_err().to_string();
    assert!(error.contains("--limit 10") && error.contains("no --limit"), "{error}");
}

#[test]
fn files_are_cut_by_their_text_however_the_input_is() {
    let desk = Desk::new();
    let all: String = (0..3).map(|part| fs::read_to_string(desk.path(&format!("a{part}.jsonl"))).unwrap()).collect();
    fs::write(desk.path("whole.jsonl"), all).unwrap();
    let mut recipe = desk.recipe("[output]\nfile_bytes = 1000");
    recipe.sources.truncate(1);
    let parts = desk.build(&recipe, "parts", 2).unwrap();
    recipe.sources[0].paths = vec![desk.path("whole.jsonl").display().to_string()];
    let whole = desk.build(&recipe, "whole", 2).unwrap();
    let sizes = |report: &Report| report.files.iter().map(|file| (file.name.clone(), file.size)).collect::<Vec<_>>();
    assert_eq!(sizes(&parts), sizes(&whole));
    assert!(parts.files.len() > 15, "{}", parts.files.len());
    // No longer than the document that began before the end.
    assert!(parts.files.iter().all(|file| file.size.bytes < 1200), "{:?}", sizes(&parts));
    let ids = |out: &str| documents(&desk.path(out)).into_iter().map(|document| document.id).collect::<Vec<_>>();
    assert_eq!(ids("parts"), (0..300).map(|i| format!("a-{i}")).collect::<Vec<_>>());
    assert_eq!(ids("parts"), ids("whole"));
}

#[test]
fn token_shards_hold_the_documents_and_a_corrupted_one_is_named() {
    let desk = Desk::new();
    let mut recipe = desk.recipe(STEPS);
    recipe.output.tokenizer = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fixtures/tokenizer/llama.model").into());
    let report = desk.build(&recipe, "one", 1).unwrap();
    desk.build(&recipe, "two", 2).unwrap();
    assert_eq!(content(&desk.path("one")), content(&desk.path("two")));

    let folder = desk.path("one/tokens");
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let manifest = Manifest::beside(&folder).unwrap().unwrap();
    assert_eq!((manifest.key.as_str(), manifest.vocab), (report.recipe.as_str(), tokenizer.vocab()));
    assert!(manifest.train.len() > 1 && manifest.validation.is_none());
    let mut found: Vec<Vec<u32>> = vec![];
    for part in &manifest.train {
        let shard = Tokenised::open(&folder, part, manifest.width).unwrap();
        part.verify_whole(&folder.join(format!("{}.bin", part.name))).unwrap();
        let starts = shard.index.starts.windows(2);
        found.extend(starts.map(|pair| shard.ids.read(pair[0] as usize, (pair[1] - pair[0]) as usize)));
    }
    let ids = |document: &Document| std::iter::once(tokenizer.bos()).chain(tokenizer.encode(&document.text)).collect::<Vec<u32>>();
    assert!(found == documents(&desk.path("one")).iter().map(ids).collect::<Vec<_>>());
    assert_eq!(manifest.train.iter().map(|part| part.bytes).sum::<u64>(), report.written.bytes);
    let tokens: u64 = report.files.iter().filter_map(|file| file.tokens).sum();
    assert_eq!((tokens, found.len() as u64), (found.iter().map(Vec::len).sum::<usize>() as u64, report.written.documents));

    let opened = || Tokens::open(&folder.join("00001.bin")).map(drop).map_err(|error| error.to_string());
    opened().unwrap();
    for name in ["00001.bin", "00001.idx", "manifest.json"] {
        let good = fs::read(folder.join(name)).unwrap();
        let mut bad = good.clone();
        // Of the manifest, the bracket that ends it.
        *bad.iter_mut().rev().nth(if name == "manifest.json" { 0 } else { good.len() / 2 }).unwrap() ^= 1;
        fs::write(folder.join(name), bad).unwrap();
        assert!(opened().unwrap_err().contains(name), "{name}");
        fs::write(folder.join(name), good).unwrap();
    }
    fs::remove_file(folder.join("00001.idx")).unwrap();
    assert!(opened().unwrap_err().contains("00001.idx"));
}

#[test]
fn a_corrupted_file_of_a_finished_build_is_named_when_it_is_trained_on() {
    let desk = Desk::new();
    fs::write(desk.path("recipe.toml"), toml::to_string_pretty(&desk.recipe(STEPS)).unwrap()).unwrap();
    let cache = desk.path("cache");
    let read =
        || read(&desk.path("recipe.toml"), &[], &StepOptions::new(), &cache, &|_, _, _| ()).map(drop).map_err(|error| error.to_string());
    read().unwrap();
    let builds = fs::read_dir(cache.join("recipes")).unwrap().map(|entry| entry.unwrap().path());
    let build = builds.into_iter().find(|path| path.is_dir()).unwrap();
    let file = build.join("documents/00001.jsonl.zst");
    // The bytes of another file are as readable as its own.
    fs::copy(build.join("documents/00000.jsonl.zst"), &file).unwrap();
    let error = read().unwrap_err();
    assert!(error.contains("00001.jsonl.zst") && error.contains("damaged"), "{error}");
}

#[test]
fn options_of_steps_change_by_the_names_of_the_steps() {
    let desk = Desk::new();
    let path = desk.path("recipe.toml");
    fs::write(&path, format!("name = \"test\"\n[[source]]\nname = \"a\"\npaths = [\"a*.jsonl\"]\n{STEPS}")).unwrap();
    let parse = |steps: serde_json::Value| {
        let steps: StepOptions = serde_json::from_value(steps).unwrap();
        let asked = crate::settings::Origin { file: "arm".into(), ..Default::default() };
        Recipe::parse(crate::settings::Document::load(&path).unwrap(), &Ablated { without: &[], steps: &steps, asked: &asked })
    };
    let build = |out: &str, steps| desk.build(&parse(steps).unwrap(), out, 1);
    assert!(build("as-written", serde_json::json!({})).unwrap().written.documents < 300, "short ones are dropped");
    let idle = build("shorter", serde_json::json!({ "length": { "min_words": 2 } })).unwrap_err().to_string();
    assert!(idle.contains("step length") && idle.contains("changed nothing and dropped nothing"), "{idle}");
    // A step with a name of its own goes by it; what is not changed stays.
    let StepConfig::Exact(_) = parse(serde_json::json!({ "copies": {} })).unwrap().steps[1].apply else { panic!("another step") };
    let wrong = |steps| parse(steps).unwrap_err().to_string();
    assert!(wrong(serde_json::json!({ "exact": {} })).contains("exact is no step of the recipe"));
    assert!(wrong(serde_json::json!({ "length": { "min_word": 12 } })).contains("min_words"), "and the nearest spelling is said");
}

#[test]
fn progress_moves_within_a_packed_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl.zst");
    let text = |n: u64| format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).repeat(40);
    formats::write(&path, |sink| (0..20_000).try_for_each(|n| sink.push(&Document::new(n.to_string(), text(n))))).unwrap();
    let (size, limits) = (path.metadata().unwrap().len(), formats::Limits::default());
    let format = formats::Format::of(&path).unwrap();
    let of_file = Shard::of_file(0, &formats::Input::new(&path), &format).unwrap().remove(0);
    for shard in [of_file, Shard::made(0, path, Size::default())] {
        let (done, mut seen) = (Done::default(), vec![]);
        let mut each = |_| {
            seen.push(done.now());
            Ok(ControlFlow::Continue(()))
        };
        shard.read(&limits, &done, &mut each, &mut |_| Ok(())).unwrap();
        assert_eq!((seen.len(), done.now()), (20_000, size));
        assert!(seen.is_sorted() && seen[0] < size / 2, "{} of {size}", seen[0]);
        seen.dedup();
        assert!(seen.len() > 4, "{seen:?}");
    }
    // What is left unread counts, too: nothing more will be read of it.
    let shard = Shard::made(0, folder.path().join("a.jsonl.zst"), Size::default());
    let done = Done::default();
    shard.read(&limits, &done, &mut |_| Ok(ControlFlow::Break(())), &mut |_| Ok(())).unwrap();
    assert_eq!(done.now(), size);
}
