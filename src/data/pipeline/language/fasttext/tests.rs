//! Against the original fastText: `tests/reference/language_fasttext.py` has made what is compared with.

use super::*;
use std::{collections::BTreeMap, fs, path::PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fixtures/language").join(name)
}

type Expected = BTreeMap<String, Vec<BTreeMap<String, f64>>>;

fn probes() -> Vec<String> {
    fs::read_to_string(fixture("probes.txt")).unwrap().lines().map(str::to_string).collect()
}

#[test]
fn predictions_are_those_of_the_original() {
    let expected: Expected = serde_json::from_str(&fs::read_to_string(fixture("fasttext.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 7);
    for (name, expected) in expected {
        let model = Classifier::read(&fixture(&name)).unwrap();
        for (line, expected) in probes().iter().zip(&expected) {
            let Some(found) = model.probabilities(line) else {
                assert!(expected.is_empty(), "{name} {line}: {expected:?}");
                continue;
            };
            // Where probabilities are 0.00001 too high, as fastText has them, they are here too.
            for (label, found) in model.labels().zip(&found) {
                // fastText leaves out what is below its threshold of 0 before that.
                let theirs = expected.get(label).copied().unwrap_or(0.0);
                assert!((f64::from(*found) - theirs).abs() < 1e-5, "{name} {line} {label}: {found} {theirs}");
            }
            let highest = expected.values().copied().fold(0.0, f64::max);
            let best: Vec<&str> = expected.iter().filter(|(_, p)| highest - **p < 1e-6).map(|(label, _)| label.as_str()).collect();
            let top = model.top(line).unwrap();
            assert!(best.contains(&top.label), "{name} {line}: {top:?} {best:?}");
        }
    }
}

fn trained(folder: &Path, name: &str, config: &TrainConfig) -> Classifier {
    let mut text = TrainingText::new(folder).unwrap();
    for line in fs::read_to_string(fixture("sentences.tsv")).unwrap().lines() {
        let (label, sentence) = line.split_once('\t').unwrap();
        text.add(label, sentence).unwrap();
    }
    assert_eq!(text.labels().len(), 8);
    text.train(config, &folder.join(name)).unwrap();
    Classifier::read(&folder.join(name)).unwrap()
}

fn options() -> TrainConfig {
    TrainConfig { dim: 8, buckets: 500, least_characters: 2, most_characters: 3, epochs: 100, learning_rate: 1.0, ..TrainConfig::default() }
}

#[test]
fn models_trained_here_know_languages_and_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let model = trained(folder.path(), "a.bin", &options());
    let right = |model: &Classifier| {
        let languages = ["en", "de", "fr", "es", "pl", "ru", "nl", "it"];
        languages.iter().zip(probes()).filter(|(language, line)| model.top(line).unwrap().label == **language).count()
    };
    assert!(right(&model) >= 7);
    let hierarchical = TrainConfig { loss: TrainLoss::Hierarchical, word_ngrams: 2, ..options() };
    assert!(right(&trained(folder.path(), "h.bin", &hierarchical)) >= 7);
    trained(folder.path(), "b.bin", &options());
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("a.bin") == bytes("b.bin"));
    trained(folder.path(), "c.bin", &TrainConfig { seed: 1, ..options() });
    assert!(bytes("a.bin") != bytes("c.bin"));
}

/// For `language_fasttext.py MODEL`: models with what is predicted here, in a folder that the environment names.
#[test]
#[ignore = "writes files for a check by the original"]
fn write_models_for_the_original() {
    let folder = PathBuf::from(std::env::var_os("ABLATE_FASTTEXT_FOLDER").expect("ABLATE_FASTTEXT_FOLDER names a folder"));
    for (name, loss, word_ngrams) in [("ours.bin", TrainLoss::Softmax, 1), ("ours-hs.bin", TrainLoss::Hierarchical, 2)] {
        let model = trained(&folder, name, &TrainConfig { loss, word_ngrams, ..options() });
        let found = |line: &String| {
            let probabilities = model.probabilities(line).unwrap_or_default();
            model.labels().map(str::to_string).zip(probabilities).collect::<BTreeMap<String, f32>>()
        };
        let found: Vec<_> = probes().iter().map(found).collect();
        fs::write(folder.join(format!("{name}.json")), serde_json::to_string(&found).unwrap()).unwrap();
    }
}

#[test]
fn damaged_models_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let read = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Classifier::read(&path)
    };
    let message = |bytes: &[u8]| read(bytes).err().expect("an error").to_string();
    for name in ["softmax.ftz", "hierarchical.ftz", "one-vs-all.bin"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for end in (0..bytes.len()).step_by(499) {
            message(&bytes[..end]);
        }
        message(&[bytes.as_slice(), b"x"].concat());
        // Whatever is changed: an error or a model, but no panic, and no memory beyond the file's size.
        for at in (0..120).chain((120..bytes.len()).step_by(997)) {
            for change in [0x80, 0x01] {
                let mut other = bytes.clone();
                other[at] ^= change;
                if let Ok(model) = read(&other) {
                    model.top("a text that is read with it, über alles");
                }
            }
        }
    }
    // Codes of few bytes that stand for more numbers than memory holds.
    assert!(message(&wide()).contains("unpacked"));
    assert!(message(b"not a model at all").contains("not a fastText model"));
    let mut newer = fs::read(fixture("words.bin")).unwrap();
    newer[4] = 13;
    assert!(message(&newer).contains("newer"));
    let mut vectors = fs::read(fixture("words.bin")).unwrap();
    vectors[8 + 7 * 4] = 2;
    assert!(message(&vectors).contains("word vectors"));
}

/// A quantised model of 6 MB with rows of 4095 numbers, and 100 thousand words.
fn wide() -> Vec<u8> {
    let (words, width) = (100_000i32, 4095i32);
    let mut bytes = vec![];
    let mut put = |number: i32| bytes.extend_from_slice(&number.to_le_bytes());
    [793_712_314, 12, width, 5, 5, 1, 5, 1, 3, 3, 0, 0, 0, 100, 0, 0].into_iter().for_each(&mut put);
    [words + 2, words, 2, 0, 0, -1, -1].into_iter().for_each(&mut put);
    for word in 0..words + 2 {
        bytes.extend_from_slice(format!("{word}\0\x01\0\0\0\0\0\0\0").as_bytes());
        bytes.push(u8::from(word >= words));
    }
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&i64::from(words).to_le_bytes());
    bytes.extend_from_slice(&i64::from(width).to_le_bytes());
    bytes.extend_from_slice(&words.to_le_bytes());
    bytes.extend(vec![0; words as usize]);
    [width, 1, width, width].iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    bytes.extend(vec![0; width as usize * 1024]);
    bytes.push(0);
    bytes.extend_from_slice(&2i64.to_le_bytes());
    bytes.extend_from_slice(&i64::from(width).to_le_bytes());
    bytes.extend(vec![0; width as usize * 8]);
    bytes
}

#[test]
fn words_that_would_be_labels_are_left_out_of_training_text() {
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, extra: &str| {
        let mut text = TrainingText::new(folder.path()).unwrap();
        for _ in 0..20 {
            text.add("good", &format!("fine words\nhere {extra}")).unwrap();
            text.add("bad", "poor ones there").unwrap();
        }
        text.train(&TrainConfig::default(), &folder.path().join(name)).unwrap();
        fs::read(folder.path().join(name)).unwrap()
    };
    assert!(train("a", "") == train("b", "__label__bad </s> __label__new"));
    assert!(TrainingText::new(folder.path()).unwrap().add("two words", "text").is_err());
    let mut one = TrainingText::new(folder.path()).unwrap();
    one.add("good", "fine").unwrap();
    assert!(one.train(&TrainConfig::default(), &folder.path().join("c")).unwrap_err().to_string().contains("two labels"));
}

#[test]
fn options_out_of_range_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let message = |change: fn(&mut TrainConfig)| {
        let mut config = TrainConfig::default();
        change(&mut config);
        let mut text = TrainingText::new(folder.path()).unwrap();
        text.add("a", "x").unwrap();
        text.add("b", "y").unwrap();
        text.train(&config, &folder.path().join("m")).unwrap_err().to_string()
    };
    assert!(message(|c| c.dim = 0).contains("dim"));
    assert!(message(|c| c.learning_rate = f64::NAN).contains("learning_rate"));
    assert!(message(|c| c.least_characters = 3).contains("least_characters"));
    assert!(message(|c| (c.word_ngrams, c.buckets) = (2, 0)).contains("buckets"));
    assert!(message(|c| c.epochs = 0).contains("epochs"));
}
