//! Tests of `data` from outside.

mod recipes;
mod verbs;

use ablate::data::{CorpusConfig, DataConfig, Dataset, Row, TokenizerConfig, corpus::Manifest};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

fn quiet(_: &str, _: u64, _: u64) {}

/// About 1 MB of distinct lines in one file.
fn write_text(folder: &Path) -> String {
    let words = ["the", "model", "reads", "a", "line", "of", "text", "and", "then", "another"];
    let line = |i: usize| format!("{} {} {} {i}\n", words[i % 10], words[i / 10 % 10], words[i / 100 % 10]);
    let path = folder.join("text.txt");
    std::fs::write(&path, (0..40_000).map(line).collect::<String>()).unwrap();
    path.display().to_string()
}

fn config(path: &str, tokenizer: TokenizerConfig) -> DataConfig {
    let corpus = CorpusConfig::Text { paths: vec![path.into()] };
    DataConfig { corpus, tokenizer, validation_bytes: Some(20_000), ..DataConfig::default() }
}

fn sequence(dataset: &Dataset, seed: u64, index: u64, context: usize) -> Vec<u32> {
    match dataset.row(seed, index, context) {
        Row::Window(tokens) => tokens,
        Row::Packed(packed) => panic!("{packed:?}"),
    }
}

#[test]
fn the_manifest_is_a_subset_of_the_lock_file() {
    let lock: toml::Table = toml::from_str(include_str!("../Cargo.lock")).unwrap();
    let mut checksums = HashMap::new();
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_string();
        checksums.insert((text("name"), text("version")), text("checksum"));
    }
    let manifest = Manifest::embedded();
    assert!(manifest.crates.len() > 200);
    let mut families = BTreeMap::new();
    let mut names = HashSet::new();
    for entry in &manifest.crates {
        let locked = checksums.get(&(entry.name.clone(), entry.version.clone()));
        assert_eq!(locked, Some(&entry.sha256), "{} {}", entry.name, entry.version);
        assert_eq!(*families.entry(&entry.family).or_insert(entry.split), entry.split, "{} is in both parts", entry.family);
        assert!(names.insert(&entry.name), "{} is listed twice", entry.name);
        assert!(!entry.licence.is_empty());
    }
}

#[test]
fn the_default_corpus_is_tens_of_megabytes_of_text() {
    let corpus = ablate::data::corpus::read(&CorpusConfig::default(), &quiet).unwrap();
    let (train, held_out) = (corpus.train_bytes(), corpus.held_out_bytes());
    assert!((30_000_000..90_000_000).contains(&train), "{train}");
    let share = held_out as f64 / (train + held_out) as f64;
    assert!((0.03..0.06).contains(&share), "{share}");
    let hashes: HashSet<_> = corpus.train.iter().chain(&corpus.validation).map(|document| document.hash).collect();
    assert_eq!(hashes.len(), corpus.train.len() + corpus.validation.len(), "a document is there twice");
}

#[test]
fn shards_hold_the_text_and_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let config = config(&write_text(folder.path()), TokenizerConfig::Bpe { vocab: 500 });
    let spec = config.resolve_in(&cache).unwrap();
    assert_eq!(spec, config.resolve_in(&cache).unwrap());
    let dataset = Dataset::prepare(&spec, &cache, &quiet).unwrap();
    let (train, validation) = dataset.extents();
    let source = std::fs::read_to_string(folder.path().join("text.txt")).unwrap();

    // The validation tokens are the text they claim to be: as many bytes, and lines of the source.
    let text = dataset.tokenizer().decode(&dataset.validation().tokens);
    assert_eq!((text.len() as u64, validation.bytes), (dataset.validation().bytes, dataset.validation().bytes));
    assert!((18_000..=20_000).contains(&validation.bytes));
    let lines: HashSet<&str> = source.lines().collect();
    assert!(text.lines().all(|line| lines.contains(line)));
    let opened = dataset.validation().tokens.iter().filter(|&&id| id == dataset.tokenizer().bos()).count();
    assert_eq!(opened as u64, validation.documents);

    // No line is in both parts, and the training windows make up the training text.
    let context = 64;
    let windows = (dataset.train_tokens() - 1) / context;
    let mut seen: Vec<Vec<u32>> = (0..windows as u64).map(|i| sequence(&dataset, 3, i, context)).collect();
    assert!(seen.iter().all(|sequence| sequence.len() == context + 1));
    seen.sort();
    let mut next: Vec<Vec<u32>> = (0..windows as u64).map(|i| sequence(&dataset, 3, i + windows as u64, context)).collect();
    assert_ne!(next, seen);
    next.sort();
    assert_eq!(next, seen, "the second epoch visits the same windows");
    let held: HashSet<&str> = text.lines().collect();
    let all: String = seen.iter().map(|sequence| dataset.tokenizer().decode(&sequence[..context])).collect();
    assert!(all.len() as u64 <= train.bytes && all.len() as u64 + 2000 > train.bytes);
    assert!(all.lines().filter(|line| line.len() > 15).filter(|line| held.contains(line)).count() < 3);

    // A pure function: the same whatever was asked before.
    let one = sequence(&dataset, 3, 17, context);
    let _ = sequence(&dataset, 4, 17, context);
    assert_eq!(sequence(&dataset, 3, 17, context), one);
    assert_ne!(sequence(&dataset, 4, 17, context), one);

    // A second call reads the shards only: the source may be gone.
    std::fs::remove_file(folder.path().join("text.txt")).unwrap();
    let phases = std::cell::RefCell::new(Vec::new());
    let again = Dataset::prepare(&spec, &cache, &|phase, _, _| phases.borrow_mut().push(phase.to_string())).unwrap();
    assert!(phases.borrow().is_empty());
    assert_eq!(sequence(&again, 3, 17, context), one);
    assert!(again.require_context(context).is_ok());
    let error = again.require_context(again.train_tokens()).unwrap_err().to_string();
    assert!(error.contains("fewer than one sequence"), "{error}");
}

#[test]
fn damaged_shards_are_made_again_and_changed_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let path = write_text(folder.path());
    let spec = config(&path, TokenizerConfig::Bytes {}).resolve_in(&folder.path().join("cache")).unwrap();
    let first = sequence(&Dataset::prepare(&spec, &cache, &quiet).unwrap(), 1, 2, 32);
    let shards: Vec<_> = std::fs::read_dir(cache.join("shards")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let made: Vec<_> = shards.iter().filter(|path| path.is_dir()).collect();
    assert_eq!(made.len(), 1);
    let bin = made[0].join("train.bin");
    std::fs::remove_file(&bin).unwrap();
    std::fs::write(&bin, b"short").unwrap();
    assert_eq!(sequence(&Dataset::prepare(&spec, &cache, &quiet).unwrap(), 1, 2, 32), first);

    std::fs::write(&path, "other text\n".repeat(3000)).unwrap();
    let other = folder.path().join("other cache");
    let error = Dataset::prepare(&spec, &other, &quiet).unwrap_err().to_string();
    assert!(error.contains("changed"), "{error}");
    let left: Vec<_> = std::fs::read_dir(other.join("shards")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).collect();
    assert!(left.is_empty(), "nothing half-written stays");
}

#[test]
fn several_at_once_get_the_same_shards() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let spec =
        config(&write_text(folder.path()), TokenizerConfig::Characters { vocab: 300 }).resolve_in(&folder.path().join("cache")).unwrap();
    let sequences: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let one = || sequence(&Dataset::prepare(&spec, &cache, &quiet).unwrap(), 1, 5, 100);
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(sequences.iter().all(|sequence| *sequence == sequences[0]));
}

#[test]
fn validation_text_does_not_depend_on_the_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_text(folder.path());
    let texts: Vec<(String, u64)> =
        [TokenizerConfig::Bytes {}, TokenizerConfig::Bpe { vocab: 300 }, TokenizerConfig::Characters { vocab: 270 }]
            .into_iter()
            .map(|tokenizer| {
                let spec = config(&path, tokenizer).resolve_in(&folder.path().join("cache")).unwrap();
                let dataset = Dataset::prepare(&spec, &folder.path().join("cache"), &quiet).unwrap();
                (dataset.tokenizer().decode(&dataset.validation().tokens), dataset.validation().bytes)
            })
            .collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
}

#[test]
fn an_empty_corpus_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.txt");
    std::fs::write(&path, "").unwrap();
    let spec = config(&path.display().to_string(), TokenizerConfig::Bytes {}).resolve_in(&folder.path().join("cache")).unwrap();
    let error = Dataset::prepare(&spec, &folder.path().join("cache"), &quiet).unwrap_err().to_string();
    assert!(error.contains("the corpus is empty"), "{error}");
}

#[test]
fn a_corpus_can_be_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let inspect = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("ablate").unwrap();
        command.env("ABLATE_CACHE", folder.path().join("cache")).args(["data", "inspect"]).args(arguments).assert()
    };
    let path = write_text(folder.path());
    let output = inspect(&[&path, "--tokenizer", "bytes", "--json"]).success().get_output().stdout.clone();
    let value: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let part = |name: &str, key: &str| value[name][key].as_u64().unwrap();
    assert_eq!(part("train", "tokens"), part("train", "bytes") + part("train", "documents"));
    let size = std::fs::metadata(&path).unwrap().len();
    assert_eq!(part("train", "bytes") + part("held_out", "bytes"), size);

    std::fs::write(
        folder.path().join("run.toml"),
        "[data]\ncorpus = { kind = \"text\", paths = [\"text.txt\"] }\ntokenizer = { kind = \"bpe\", vocab = 300 }\n",
    )
    .unwrap();
    let config = folder.path().join("run.toml").display().to_string();
    let output = inspect(&[&config]).success().get_output().stdout.clone();
    assert!(String::from_utf8(output).unwrap().contains("vocabulary 300"));

    std::fs::write(folder.path().join("bad.toml"), "[data]\ntokenizer = { kind = \"bpe\", vocab = 30 }\n").unwrap();
    let bad = folder.path().join("bad.toml").display().to_string();
    for (arguments, said) in
        [([bad.as_str()].as_slice(), "bad.toml:2"), (&["nowhere.txt"], "nowhere.txt"), (&[&path, "--tokenizer", "bpe:x"], "no number")]
    {
        let output = inspect(arguments).code(2).get_output().stderr.clone();
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn on_real_text_the_tokenizers_library_gives_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let config = DataConfig { train_bytes: Some(4_000_000), tokenizer: TokenizerConfig::Bpe { vocab: 2000 }, ..DataConfig::default() };
    let spec = config.resolve_in(folder.path()).unwrap();
    let dataset = Dataset::prepare(&spec, folder.path(), &quiet).unwrap();
    let ours = dataset.tokenizer();
    ours.save(folder.path()).unwrap();
    let mut library = tokenizers::Tokenizer::from_file(folder.path().join("tokenizer.json")).unwrap();
    library.set_encode_special_tokens(true);
    // The validation text is new to the tokenizer. U+2581 is what the library cannot tell from a space.
    let corpus = ablate::data::corpus::read(&spec.corpus, &quiet).unwrap();
    let texts = corpus.validation.iter().map(|document| document.text.as_str()).filter(|text| !text.contains('▁'));
    let mut bytes = 0;
    for text in texts.take_while(|text| {
        bytes += text.len();
        bytes < 1_500_000
    }) {
        let theirs = library.encode_fast(text, false).unwrap();
        assert!(theirs.get_ids() == ours.encode(text), "{text:.80}");
        assert_eq!(ours.decode(theirs.get_ids()), text);
    }
    assert!(bytes > 1_000_000);
}
