//! Texts made of two small vocabularies.

use super::{samples::auc, *};

fn page(kind: &str, number: usize) -> String {
    let words: &[&str] = match kind {
        "reference" => &["study", "published", "journal", "evidence", "theory", "the"],
        _ => &["buy", "cheap", "click", "offer", "shipping", "the"],
    };
    (0..40).map(|at| format!("{} n{number}\n", words[(at * 7 + number) % words.len()])).collect()
}

fn samples(change: impl FnOnce(&mut QualityTrainConfig)) -> (tempfile::TempDir, Samples) {
    let scratch = tempfile::tempdir().unwrap();
    let mut config = QualityTrainConfig { least_characters: 100, held_out: 0.3, ..QualityTrainConfig::default() };
    config.classifier.epochs = 20;
    change(&mut config);
    let samples = Samples::new(&config, scratch.path()).unwrap();
    (scratch, samples)
}

#[test]
fn a_trained_classifier_tells_references_from_offers() {
    let train = || {
        let (scratch, mut samples) = samples(|_| {});
        for number in 0..80 {
            assert!(samples.reference(&page("reference", number)).unwrap());
            assert!(samples.random(&page("random", number)).unwrap());
        }
        let path = scratch.path().join("quality.bin");
        let held = samples.train(&path).unwrap();
        (std::fs::read(&path).unwrap(), held, scratch)
    };
    let (bytes, held, scratch) = train();
    assert!(held.accuracy > 0.95 && held.auc > 0.95, "{held:?}");
    assert!(held.held_out.iter().all(|held| (10..40).contains(held)), "{held:?}");
    let again = train();
    assert_eq!((again.0 == bytes, again.1), (true, held));
    let quality = Quality::new(&scratch.path().join("quality.bin"), 0.25).unwrap();
    let judge = |text: String| {
        let mut document = Document::new("1", text);
        (quality.apply(&mut document, &mut Counts::default()), document.meta["quality"].as_f64().unwrap())
    };
    let (verdict, score) = judge(page("reference", 500));
    assert!(verdict == Verdict::Keep && score > 0.5);
    assert_eq!(judge(page("random", 500)).0, Verdict::Drop("quality"));
}

#[test]
fn references_are_taken_once() {
    // rp_v1 stores every document under the key "digest" itself, and so finds no duplicate.
    let (_scratch, mut samples) = samples(|_| {});
    assert!(samples.reference(&page("reference", 1)).unwrap());
    assert!(!samples.reference(&page("reference", 1)).unwrap());
    assert!(!samples.reference(&format!("\n {}\n\n", page("reference", 1))).unwrap());
    assert!(samples.reference(&page("reference", 2)).unwrap());
    assert_eq!(samples.drawn[0].len(), 2);
}

#[test]
fn both_classes_have_the_same_least_length_and_size() {
    // rp_v1 asks 1000 characters of references alone.
    let (scratch, mut samples) = samples(|config| config.least_characters = 300);
    let short = "ж".repeat(299);
    assert!(!samples.reference(&short).unwrap() && !samples.random(&short).unwrap());
    (0..60).for_each(|number| assert!(samples.random(&page("random", number)).unwrap()));
    (0..25).for_each(|number| assert!(samples.reference(&page("reference", number)).unwrap()));
    // In both: not a negative.
    assert!(samples.random(&page("reference", 3)).unwrap());
    let held = samples.train(&scratch.path().join("q.bin")).unwrap();
    assert!(held.trained + held.held_out[1] <= 25 && held.held_out[0] + held.held_out[1] + 2 * held.trained <= 50, "{held:?}");
}

#[test]
fn which_texts_are_drawn_depends_on_the_seed_not_the_order() {
    let drawn = |seed: u64, backwards: bool| {
        let (_scratch, mut samples) = samples(|config| (config.documents, config.seed) = (20, seed));
        let numbers: Vec<usize> = if backwards { (0..100).rev().collect() } else { (0..100).collect() };
        for number in numbers {
            samples.random(&page("random", number)).unwrap();
        }
        samples.drawn[1].keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(drawn(1, false), drawn(1, true));
    assert_ne!(drawn(1, false), drawn(2, false));
    assert_eq!(drawn(1, false).len(), 20);
}

#[test]
fn too_few_texts_are_an_error() {
    let (scratch, mut samples) = samples(|_| {});
    samples.reference(&page("reference", 1)).unwrap();
    let error = samples.train(&scratch.path().join("q.bin")).unwrap_err().to_string();
    assert!(error.contains("1 references and 0 random"), "{error}");
}

#[test]
fn auc_counts_pairs() {
    assert_eq!(auc(&[0.9, 0.4], &[0.5, 0.4]), (2.0 + 0.5) / 4.0);
    assert_eq!(auc(&[1.0], &[0.0]), 1.0);
}
