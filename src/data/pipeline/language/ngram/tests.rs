//! Against lmplz and KenLM: `tests/reference/language_kenlm.py` has made what is compared with.

use super::*;
use std::{collections::BTreeMap, fs, path::PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fixtures/language").join(name)
}

fn lines(name: &str) -> Vec<String> {
    fs::read_to_string(fixture(name)).unwrap().lines().map(str::to_string).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace()
}

fn estimate(change: impl FnOnce(&mut NgramConfig), lines: &[String]) -> Result<Estimate> {
    let mut config = NgramConfig { memory: 16, ..NgramConfig::default() };
    change(&mut config);
    let scratch = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(&config, scratch.path())?;
    lines.iter().try_for_each(|line| trainer.sentence(words(line)))?;
    trainer.estimate()
}

/// The n-grams of an ARPA file with logarithms of probability and back-off, in order.
fn ngrams(arpa: &str) -> Vec<(String, f64, f64)> {
    let mut all = vec![];
    for line in arpa.lines().filter(|line| line.contains('\t')) {
        let mut parts = line.split('\t');
        let mut next = || parts.next();
        let (probability, words) = (next().unwrap().parse().unwrap(), next().unwrap().to_string());
        all.push((words, probability, next().map_or(0.0, |backoff| backoff.parse().unwrap())));
    }
    all
}

/// The score of a line that is walked in parts.
fn whole<'a>(model: &Model, words: impl Iterator<Item = &'a str>) -> Score {
    let mut line = Line::new(model);
    words.for_each(|word| line.word(word));
    line.score()
}

fn written(estimate: &Estimate) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.arpa");
    estimate.write_arpa(&path).unwrap();
    fs::read_to_string(path).unwrap()
}

#[test]
fn estimates_are_those_of_lmplz() {
    // The text ends with a word that occurs once. lmplz takes the last n-grams' counts for their adjusted counts when it
    // estimates discounts, which otherwise would shift those by one part in the number of n-grams.
    for (name, order, prune) in [("whole.arpa", 5, vec![]), ("pruned.arpa", 3, vec![0, 0, 1]), ("words.arpa", 1, vec![])] {
        let ours = written(&estimate(|config| (config.order, config.prune) = (order, prune), &lines("train.txt")).unwrap());
        let theirs = fs::read_to_string(fixture(name)).unwrap();
        let header = |text: &str| text.lines().take_while(|line| !line.starts_with("\\1")).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(header(&ours), header(&theirs));
        let (ours, theirs) = (ngrams(&ours), ngrams(&theirs));
        assert_eq!(ours.len(), theirs.len());
        for ((words, probability, backoff), theirs) in ours.iter().zip(&theirs) {
            assert_eq!(*words, theirs.0);
            assert!(
                (probability - theirs.1).abs() < 2e-6 && (backoff - theirs.2).abs() < 2e-6,
                "{words}: {probability} {backoff} {theirs:?}"
            );
        }
    }
}

#[test]
fn scores_are_those_of_kenlm() {
    let expected: serde_json::Value = serde_json::from_str(&fs::read_to_string(fixture("kenlm.json")).unwrap()).unwrap();
    for name in ["whole", "pruned"] {
        let model = Model::read(&fixture(&format!("{name}.arpa"))).unwrap();
        for (at, line) in lines("heldout.txt").iter().enumerate() {
            let number = |value: &serde_json::Value| value.as_f64().unwrap();
            let theirs = &expected[name]["scores"][at];
            let score = model.score(words(line));
            assert!((score.log10 - number(&theirs[0])).abs() < 1e-5, "{line}: {score:?} {theirs}");
            let mut scorer = model.scorer(false);
            words(line).for_each(|word| scorer.word(word));
            assert!((scorer.score().log10 - number(&theirs[1])).abs() < 1e-5, "{line}: {:?} {theirs}", scorer.score());
            let perplexity = number(&expected[name]["perplexities"][at]);
            assert!((score.perplexity() / perplexity - 1.0).abs() < 1e-5, "{line}: {score:?} {perplexity}");
            assert_eq!(score.words, words(line).count() as u64 + 1);
        }
    }
    let model = Model::read(&fixture("whole.arpa")).unwrap();
    assert_eq!(model.score(["nobody", "counted", "the", "zebras"]).unknown, 2);
    assert_eq!((model.order(), model.words()), (5, 188));
}

#[test]
fn probabilities_after_any_context_add_up_to_one() {
    for prune in [vec![], vec![0, 1]] {
        let text = lines("train.txt");
        let model = estimate(|config| (config.order, config.prune) = (4, prune), &text).unwrap().into_model();
        let all: Vec<String> =
            (0..model.words() as u32).map(|id| model.vocabulary.word(id).to_string()).filter(|word| word != "<s>").collect();
        for context in ["", "the", "the report says", "nobody saw zebras", "a run that", "that a run", "zymurgy"] {
            for begin in [false, true] {
                let after = |word: &str| {
                    let mut scorer = model.scorer(begin);
                    words(context).for_each(|word| scorer.word(word));
                    let before = scorer.score().log10;
                    scorer.word(word);
                    10f64.powf(scorer.score().log10 - before)
                };
                let sum: f64 = all.iter().map(|word| after(word)).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{context:?}: {sum}");
            }
        }
    }
}

/// A text with many n-grams from a generator of its own.
fn generated(sentences: u64) -> Vec<String> {
    let mut state = 7u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut line = || {
        let length = draw(30);
        let words: Vec<String> = (0..length).map(|_| format!("w{}", draw(200) * draw(200) / 100)).collect();
        words.join(" ")
    };
    (0..sentences).map(|_| line()).collect()
}

#[test]
fn memory_and_threads_change_nothing() {
    let text = generated(3000);
    let train = |most: Option<usize>, threads: usize| {
        let scratch = tempfile::tempdir().unwrap();
        let mut trainer = Trainer::new(&NgramConfig { memory: 16, ..NgramConfig::default() }, scratch.path()).unwrap();
        if let Some(most) = most {
            trainer.counter.limit(most);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            text.iter().try_for_each(|line| trainer.sentence(words(line))).unwrap();
            let estimate = trainer.estimate().unwrap();
            (written(&estimate), estimate.discounts().to_vec())
        })
    };
    let one = train(None, 1);
    assert!(one == train(None, 2));
    assert!(one == train(Some(1000), 1));
    assert!(one == train(Some(777), 3));
}

#[test]
fn models_come_back_from_both_kinds_of_files() {
    let text = generated(500);
    let folder = tempfile::tempdir().unwrap();
    let (arpa, binary) = (folder.path().join("model.arpa"), folder.path().join("model.bin"));
    for (order, prune) in [(1, vec![]), (2, vec![]), (5, vec![]), (4, vec![0, 0, 1])] {
        let estimate = estimate(|config| (config.order, config.prune) = (order, prune), &text).unwrap();
        estimate.write_arpa(&arpa).unwrap();
        let model = estimate.into_model();
        model.write(&binary).unwrap();
        let (from_arpa, from_binary) = (Model::read(&arpa).unwrap(), Model::read(&binary).unwrap());
        for line in generated(700).iter().skip(450) {
            let score = model.score(words(line));
            assert_eq!(whole(&model, words(line)), score);
            assert_eq!(from_arpa.score(words(line)), score);
            assert_eq!(from_binary.score(words(line)), score);
        }
        let long = generated(700).join(" ");
        for most in [13, 14, 200, 3000] {
            assert_eq!(whole(&model, words(&long).take(most)), model.score(words(&long).take(most)), "{most} words");
        }
        let bytes = fs::read(&binary).unwrap();
        from_binary.write(&binary).unwrap();
        assert!(fs::read(&binary).unwrap() == bytes);
    }
}

#[test]
fn damaged_binaries_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    estimate(|config| config.order = 3, &lines("train.txt")).unwrap().into_model().write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Model::read(&path).err().expect("an error").to_string()
    };
    assert!(refused(&bytes[..bytes.len() - 1]).contains("cut"));
    for at in (16..bytes.len()).step_by(211) {
        let mut other = bytes.clone();
        other[at] ^= 0x41;
        refused(&other);
    }
    assert!(refused(b"").contains("\\data\\"));
    // A right checksum does not make it sound: here a context falls back to one that is not below it.
    let nodes = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let entries = u64::from_le_bytes(bytes[48..56].try_into().unwrap()) as usize;
    let mut other = bytes[..bytes.len() - 8].to_vec();
    let last = other.len() - entries * 16 - 4;
    other[last..last + 4].copy_from_slice(&(nodes as u32 - 1).to_le_bytes());
    other.extend_from_slice(&xxhash_rust::xxh3::xxh3_64(&other).to_le_bytes());
    assert!(refused(&other).contains("point"));
}

#[test]
fn arpa_files_that_are_wrong_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.arpa");
    let good = "\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-1\t<unk>\n0\t<s>\t-0.5\n-1\t</s>\n-0.5\ta\t-0.25\n\n\\2-grams:\n-0.125\t<s> a\n\n\\end\\\n";
    let read = |text: &str| {
        fs::write(&path, text).unwrap();
        Model::read(&path)
    };
    let score = read(good).unwrap().score(["a", "b"]);
    assert_eq!((score.log10, score.unknown), (-0.125 - 0.25 - 1.0 - 1.0, 1));
    for (from, to, line, message) in [
        ("ngram 2=1", "ngram 2=999999999999", 4, "size"),
        ("ngram 2=1", "ngram 3=1", 3, "next order"),
        ("-0.5\ta", "0.5\ta", 9, "above 1"),
        ("-0.5\ta", "nan\ta", 9, "number"),
        ("<s> a", "<s> b", 12, "not among the words"),
        ("<s> a", "a", 12, "fewer than 2"),
        ("<s> a", "<s> a a", 12, "a number is expected"),
        ("<s> a", "<s> a\t-0.5", 12, "back-off"),
        ("-1\t</s>", "-1\tb", 9, "missing"),
        ("-0.5\ta", "-0.5\t</s>", 9, "second time"),
        ("\\end\\", "", 15, "\\end\\"),
        ("\\2-grams:", "\\3-grams:", 11, "\\2-grams:"),
    ] {
        let error = read(&good.replacen(from, to, 1)).err().unwrap_or_else(|| panic!("{to}")).to_string();
        assert!(error.contains(&format!("model.arpa:{line}:")) && error.contains(message), "{to}: {error}");
    }
    // Files without <unk>, and with it in capitals, are read as KenLM reads them.
    assert_eq!(read(&good.replace("ngram 1=4", "ngram 1=3").replace("-1\t<unk>\n", "")).unwrap().score(["b"]).log10, -0.5 - 100.0 - 1.0);
    assert_eq!(read(&good.replace("<unk>", "<UNK>")).unwrap().score(["b"]).log10, -0.5 - 1.0 - 1.0);
    assert!(read(&"x".repeat(3 << 20)).err().unwrap().to_string().contains("1 MiB"));
    assert!(
        read(&good.replace("-0.125\t<s> a", "-0.125\t<s> a\n-0.125\t<s> a").replace("2=1", "2=2"))
            .err()
            .unwrap()
            .to_string()
            .contains("second")
    );
}

#[test]
fn texts_that_cannot_be_trained_on_are_errors() {
    let error = |change: fn(&mut NgramConfig), text: &[&str]| {
        let text: Vec<String> = text.iter().map(|line| line.to_string()).collect();
        estimate(change, &text).err().expect("an error").to_string()
    };
    assert!(error(|_| {}, &[]).contains("no word"));
    assert!(error(|_| {}, &["", " <s> "]).contains("no word"));
    assert!(error(|config| config.discount_fallback = vec![], &["a b c"]).contains("duplicates"));
    assert!(error(|config| config.discount_fallback = vec![2.0, 1.0, 1.0], &["a"]).contains("between 0 and its count"));
    assert!(error(|config| config.order = 9, &["a"]).contains("between 1 and 8"));
    assert!(error(|config| config.order = 0, &["a"]).contains("between 1 and 8"));
    assert!(error(|config| config.memory = 1, &["a"]).contains("16"));
    assert!(error(|config| config.prune = vec![1], &["a"]).contains("single words"));
    assert!(error(|config| config.prune = vec![0, 2, 1], &["a"]).contains("fall"));
    assert!(error(|config| (config.order, config.prune) = (1, vec![0, 0]), &["a"]).contains("more numbers"));
    let scratch = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(&NgramConfig::default(), scratch.path()).unwrap();
    assert!(trainer.sentence(["a b"]).unwrap_err().to_string().contains("white space"));
}

#[test]
fn special_words_and_empty_ones_in_a_text_are_passed_over() {
    let with = estimate(|_| {}, &["a <s> b </s>".into(), "<unk> a c".into()]).unwrap();
    let without = estimate(|_| {}, &["a b".into(), "a c".into()]).unwrap();
    assert_eq!(written(&with), written(&without));
}

#[test]
fn a_bound_of_words_is_kept_at_the_highest_order() {
    let scratch = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(&NgramConfig { order: 8, ..NgramConfig::default() }, scratch.path()).unwrap();
    let words: BTreeMap<u32, String> = (0..70_000).map(|word| (word, format!("w{word}"))).collect();
    let error = trainer.sentence(words.values().map(String::as_str)).unwrap_err().to_string();
    assert!(error.contains("65536") && error.contains("order 8"), "{error}");
}
