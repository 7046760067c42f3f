//! Rows of mixtures, of packed documents, and of token files of other programs.

use super::*;
use crate::data::{DataConfig, shards::Index};
use std::{collections::BTreeSet, fs};

/// A folder with two corpora of the letters a and b, 400 documents each.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for letter in ["a", "b"] {
            let lines = (0..400).map(|i| format!("{{\"text\": \"{}{i}\"}}\n", letter.repeat(5 + i % 90)));
            fs::write(desk.path(letter), lines.collect::<String>()).unwrap();
        }
        desk
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(format!("{name}.jsonl"))
    }

    fn corpus(&self, name: &str) -> String {
        format!("{{ kind = \"jsonl\", paths = [\"{}\"] }}", self.path(name).display())
    }

    fn config(&self, toml: &str) -> DataConfig {
        toml::from_str(&format!("tokenizer = {{ kind = \"bytes\" }}\nvalidation_bytes = 500\n{toml}")).unwrap()
    }

    fn prepared(&self, toml: &str) -> Dataset {
        let cache = self.0.path().join("cache");
        let spec = self.config(toml).resolve_in(&cache).unwrap();
        Dataset::prepare(&spec, &cache, &|_, _, _| ()).unwrap()
    }

    fn mixed(&self, a: f64, b: f64, more: &str) -> Dataset {
        let (one, two) = (self.corpus("a"), self.corpus("b"));
        self.prepared(&format!(
            "[corpus]\nkind = \"mixture\"\n{more}\nsources.one = {{ corpus = {one}, weight = {a} }}\nsources.two = {{ corpus = {two}, weight = {b} }}\n"
        ))
    }
}

fn window(row: Row) -> Vec<u32> {
    match row {
        Row::Window(tokens) => tokens,
        Row::Packed(packed) => panic!("{packed:?}"),
    }
}

/// The letters of a row, as the byte tokenizer has them.
fn letters(tokens: &[u32]) -> BTreeSet<char> {
    tokens.iter().filter_map(|token| char::from_u32(token.checked_sub(3)?)).filter(char::is_ascii_alphabetic).collect()
}

#[test]
fn a_mixture_has_its_proportions_and_each_source_its_own_order() {
    let desk = Desk::new();
    let (data, other) = (desk.mixed(3.0, 1.0, ""), desk.mixed(1.0, 1.0, ""));
    let draws = |data: &Dataset| -> [Vec<Vec<u32>>; 2] {
        let mut of = [vec![], vec![]];
        for index in 0..4096 {
            let tokens = window(data.row(5, index, 32));
            let found = letters(&tokens);
            assert_eq!(found.len(), 1, "rows hold text of one source");
            of[usize::from(found.contains(&'b'))].push(tokens);
        }
        of
    };
    let (three, half) = (draws(&data), draws(&other));
    assert_eq!((three[0].len(), three[1].len()), (3072, 1024));
    assert_eq!((half[0].len(), half[1].len()), (2048, 2048));
    // The rows of a source are the same whatever its share.
    let set = |rows: &[Vec<u32>]| rows.iter().cloned().collect::<BTreeSet<_>>();
    assert!(set(&three[1]).is_subset(&set(&half[1])));
    assert_eq!(data.validation().tokens, other.validation().tokens);
    assert!(letters(&data.validation().tokens).len() == 2, "both sources are held out");

    let epochs = data.epochs(4096, 32);
    assert_eq!((epochs[0].source.as_str(), epochs[0].tokens, epochs[1].tokens), ("one", 3072 * 32, 1024 * 32));
    let (often, twice) = (epochs[0].epochs, data.epochs(8192, 32)[0].epochs);
    assert!((often - 3072.0 / ((epochs[0].extent.tokens - 1) / 32) as f64).abs() < 1e-9 && twice > 1.99 * often);
    let error = data.require_epochs(4096, 32).unwrap_err().to_string();
    assert!(error.contains("sources.one") && error.contains("max_epochs = 4"), "{error}");
    desk.mixed(3.0, 1.0, "max_epochs = 100").require_epochs(4096, 32).unwrap();
}

#[test]
fn stages_change_the_weights_where_they_say() {
    let desk = Desk::new();
    let data = desk.mixed(1.0, 0.0, "stages = [{ from_tokens = 3200, weights = { two = 1 } }]");
    let of = |index| letters(&window(data.row(1, index, 32))).into_iter().next().unwrap();
    assert!((0..100).all(|index| of(index) == 'a') && (100..150).all(|index| of(index) == 'b'));
}

#[test]
fn shares_by_epochs_follow_the_size_of_the_sources() {
    let desk = Desk::new();
    let data = desk.prepared(&format!(
        "[corpus]\nkind = \"mixture\"\nmax_epochs = 100\nsources.one = {{ corpus = {}, epochs = 2 }}\nsources.two = {{ corpus = {}, epochs = 1 }}\n",
        desk.corpus("a"),
        desk.corpus("b")
    ));
    let epochs = data.epochs(1 << 14, 16);
    assert!((epochs[0].epochs / epochs[1].epochs - 2.0).abs() < 0.01, "{epochs:?}");
}

#[test]
fn mistakes_of_a_mixture_are_named() {
    let desk = Desk::new();
    let one = desk.corpus("a");
    let refused = |text: &str, reason: &str| {
        let config = desk.config(&format!("[corpus]\nkind = \"mixture\"\n{text}"));
        let problems = config.resolve_in(desk.0.path()).unwrap_err();
        let said = problems.iter().map(|problem| format!("{}: {}\n", problem.key, problem.message)).collect::<String>();
        assert!(said.contains(reason), "{said}");
    };
    refused("sources = {}", "sources: names no source");
    refused(&format!("sources.one = {{ corpus = {one} }}"), "sources.one: has neither weight nor epochs");
    refused(&format!("sources.one = {{ corpus = {one}, weight = 1, epochs = 2 }}"), "has a weight and epochs");
    refused(&format!("sources.one = {{ corpus = {one}, weight = -1 }}"), "-1 is no share");
    refused(&format!("sources.one = {{ corpus = {one}, weight = 0 }}"), "have no share");
    refused(
        &format!("sources.one = {{ corpus = {one}, weight = 1 }}\nsources.two = {{ corpus = {one}, epochs = 1 }}"),
        "others have epochs",
    );
    refused(
        &format!("sources.one = {{ corpus = {one}, weight = 1 }}\nstages = [{{ from_tokens = 5, weights = {{ six = 1 }} }}]"),
        "weights.six",
    );
    refused(
        &format!("sources.one = {{ corpus = {one}, weight = 1 }}\nstages = [{{ from_tokens = 0, weights = {{ one = 1 }} }}]"),
        "stages[0].from_tokens",
    );
    refused("sources.one = { corpus = { kind = \"synthetic\" }, weight = 1 }", "no text that can be mixed");
    refused("sources.one = { corpus = { kind = \"jsonl\", paths = [\"none.jsonl\"] }, weight = 1 }", "no such file");
}

#[test]
fn packed_rows_hold_whole_documents() {
    let desk = Desk::new();
    let corpus = desk.corpus("a");
    let plain = desk.prepared(&format!("corpus = {corpus}"));
    let packed = desk.prepared(&format!("corpus = {corpus}\npacking = \"best_fit\""));
    assert_eq!(plain.validation().tokens, packed.validation().tokens);
    let rows = (plain.train_tokens() as f64 / 128.0 * 1.1) as u64;
    for index in 0..rows {
        let Row::Packed(row) = packed.row(3, index, 128) else { panic!("a window") };
        let instance = &row.instance;
        assert_eq!((instance.tokens.len(), instance.tokens[0], instance.targets.len()), (128, 1, packed.targets(3, index, 128)));
    }
    let filled: usize = (0..rows).map(|index| packed.targets(3, index, 128)).sum();
    assert!(filled as f64 > 0.95 * (rows * 128) as f64, "{filled} of {}", rows * 128);
}

#[test]
fn validation_may_come_from_another_corpus() {
    let desk = Desk::new();
    // Arms that differ in what they are trained on are judged by the same text, and none of it is trained on.
    let some: String = fs::read_to_string(desk.path("a")).unwrap().lines().step_by(2).map(|line| format!("{line}\n")).collect();
    fs::write(desk.path("half"), some).unwrap();
    let whole = desk.prepared(&format!("corpus = {}\nvalidation = {}", desk.corpus("a"), desk.corpus("a")));
    let half = desk.prepared(&format!("corpus = {}\nvalidation = {}", desk.corpus("half"), desk.corpus("a")));
    assert_eq!(whole.validation().tokens, half.validation().tokens);
    assert!(half.train_tokens() < whole.train_tokens());
    let own = desk.prepared(&format!("corpus = {}", desk.corpus("a")));
    assert_eq!(own.validation().tokens, whole.validation().tokens);
}

#[test]
fn token_files_of_other_programs_are_trained_on_in_place() {
    let desk = Desk::new();
    let at = |name: &str| desk.0.path().join(name);
    let tokenizer = desk.prepared(&format!("corpus = {}", desk.corpus("a"))).tokenizer().clone();
    fs::write(at("tokenizer.json"), tokenizer.to_json()).unwrap();
    let bos = tokenizer.bos();
    let documents: Vec<Vec<u32>> = (0..50).map(|i| std::iter::once(bos).chain(tokenizer.encode(&"xyz ".repeat(3 + i))).collect()).collect();
    let bytes = |documents: &[Vec<u32>]| documents.iter().flatten().flat_map(|id| (*id as u16).to_le_bytes()).collect::<Vec<_>>();
    fs::write(at("train.bin"), bytes(&documents[5..])).unwrap();
    fs::write(at("val.bin"), bytes(&documents[..5])).unwrap();
    let toml = |train: &str| {
        format!(
            "[corpus]\nkind = \"shards\"\npaths = [\"{}\"]\nheld_out = [\"{}\"]\n[tokenizer]\nkind = \"file\"\npath = \"{}\"",
            at(train).display(),
            at("val.bin").display(),
            at("tokenizer.json").display()
        )
    };
    let cache = at("cache");
    let prepare = |toml: &str| {
        let spec = toml::from_str::<DataConfig>(toml).unwrap().resolve_in(&cache).map_err(|problems| problems[0].message.clone())?;
        Dataset::prepare(&spec, &cache, &|_, _, _| ()).map_err(|error| error.to_string())
    };
    let data = prepare(&toml("train.bin")).unwrap();
    let all: Vec<u32> = documents[5..].concat();
    assert_eq!(data.train_tokens(), all.len());
    let windows: BTreeSet<Vec<u32>> = all.windows(17).step_by(16).map(<[u32]>::to_vec).collect();
    let found: BTreeSet<Vec<u32>> = (0..(all.len() as u64 - 1) / 16).map(|index| window(data.row(0, index, 16))).collect();
    assert_eq!(found, windows);
    let text: usize = (0..5).map(|i| 4 * (3 + i)).sum();
    assert_eq!((data.validation().bytes, data.validation().tokens.len()), (text as u64, documents[..5].concat().len()));

    // Megatron's index beside it says the same.
    fs::copy(at("train.bin"), at("indexed.bin")).unwrap();
    Index::of(documents[5..].iter().map(Vec::len), 2).write(&at("indexed.idx")).unwrap();
    let packed = prepare(&format!("packing = \"pad\"\n{}", toml("indexed.bin"))).unwrap();
    let unindexed = prepare(&format!("packing = \"pad\"\n{}", toml("train.bin"))).unwrap();
    assert_eq!(packed.extents().0.documents, 45);
    assert!((0..60).all(|index| packed.row(2, index, 32) == unindexed.row(2, index, 32)));

    fs::write(at("wide.bin"), [255u8; 400]).unwrap();
    assert!(prepare(&toml("wide.bin")).unwrap_err().contains("the id 65535"));
    assert!(prepare(&toml("train.bin").replace("\"file\"\npath", "\"bytes\"\n#")).unwrap_err().contains("tokenizer that made them"));
    fs::write(at("cut.bin"), [1, 2, 3]).unwrap();
    assert!(prepare(&toml("cut.bin")).unwrap_err().contains("cut.bin"));
}
