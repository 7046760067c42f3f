//! Both kinds of identifiers.

use super::*;

fn builtin(change: impl FnOnce(&mut IdentifyConfig)) -> Result<Identify> {
    let mut config = IdentifyConfig::default();
    change(&mut config);
    Identify::new(&config)
}

const ENGLISH: &str = "The quick brown fox jumps over the lazy dog, and nobody who saw it would have believed what happened then.\n";

#[test]
fn every_builtin_language_has_a_code_of_two_letters() {
    let mut codes: Vec<&str> = Lang::all().iter().map(|lang| code(*lang)).collect();
    assert!(codes.iter().all(|code| code.len() == 2), "{codes:?}");
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Lang::all().len());
}

#[test]
fn documents_get_a_language_and_others_go() {
    let identify = builtin(|config| config.languages = vec!["en".into()]).unwrap();
    let judge = |text: &str| {
        let mut document = Document::new("1", text);
        let verdict = identify.apply(&mut document, &mut Counts::default());
        (verdict, document.meta("language").map(str::to_string), document.meta.get("language_score").and_then(|s| s.as_f64()))
    };
    let (verdict, language, score) = judge(&ENGLISH.repeat(5));
    assert_eq!((verdict, language.as_deref()), (Verdict::Keep, Some("en")));
    assert!(score.unwrap() >= 0.5);
    let german = "Der schnelle braune Fuchs springt über den faulen Hund, und niemand, der es sah, hätte geglaubt, was dann geschah. ";
    assert_eq!(judge(&german.repeat(5)).0, Verdict::Drop("language"));
    assert_eq!(judge("").0, Verdict::Drop("no_language"));
    assert_eq!(judge("12 34 !?").0, Verdict::Drop("no_language"));
}

#[test]
fn a_model_of_fasttext_is_asked_as_ccnet_asks_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fixtures/language");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&read("fasttext.json")).unwrap();
    let with = |change: fn(&mut IdentifyConfig)| {
        builtin(|config| {
            (config.identifier, config.model) = (Identifier::Fasttext, Some(folder.join("softmax.bin")));
            change(config);
        })
    };
    let identify = with(|_| {}).unwrap();
    for (at, line) in read("probes.txt").lines().enumerate().take(10) {
        let labels = expected["softmax.bin"][at].as_object().unwrap();
        let (label, score) = labels.iter().max_by(|a, b| a.1.as_f64().unwrap().total_cmp(&b.1.as_f64().unwrap())).unwrap();
        let rounded = (score.as_f64().unwrap() * 100.0).round() / 100.0;
        // Line breaks are deleted, so that they may stand anywhere.
        let broken: String = line.chars().flat_map(|c| [c, '\n']).collect();
        assert_eq!(identify.identify(&broken), Some((label.as_str(), rounded)), "{line}");
        let mut document = Document::new("1", broken);
        let verdict = identify.apply(&mut document, &mut Counts::default());
        assert_eq!(verdict == Verdict::Keep, rounded >= 0.5);
        assert_eq!(document.meta["language_score"], serde_json::json!(rounded));
    }
    assert_eq!(identify.identify(""), None);
    assert!(with(|config| config.languages = vec!["zh".into()]).err().unwrap().to_string().contains("it knows"));
}

#[test]
fn cost_is_bounded_and_a_bound_never_splits_a_character() {
    let identify = builtin(|config| config.bytes = Some(101)).unwrap();
    let text = format!("{}{}", "д".repeat(60), ENGLISH.repeat(1000));
    assert_ne!(identify.identify(&text).map(|found| found.0), Some("en"));
    let long = ENGLISH.repeat(200_000);
    let start = std::time::Instant::now();
    assert_eq!(builtin(|_| {}).unwrap().identify(&long).unwrap().0, "en");
    assert!(start.elapsed().as_secs() < 5, "20 MB were read whole");
}

#[test]
fn settings_that_cannot_work_are_errors() {
    let message = |change: fn(&mut IdentifyConfig)| builtin(change).err().expect("an error").to_string();
    assert!(message(|c| c.languages = vec!["xx".into()]).contains("\"xx\""));
    assert!(message(|c| c.threshold = 50.0).contains("50"));
    assert!(message(|c| c.identifier = Identifier::Fasttext).contains("lid.176.ftz"));
    assert!(message(|c| c.model = Some("lid.bin".into())).contains("builtin"));
    assert!(message(|c| (c.identifier, c.model) = (Identifier::Fasttext, Some("nowhere.bin".into()))).contains("nowhere.bin"));
}

#[test]
fn lines_are_glued_as_in_ccnet() {
    assert_eq!(without_newlines("a\nb\r\n\nc"), "ab\rc");
    assert!(matches!(without_newlines("a b"), Cow::Borrowed(_)));
}
