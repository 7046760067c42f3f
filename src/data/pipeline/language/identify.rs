//! In which language a document is.

use super::fasttext::Classifier;
use crate::{
    data::pipeline::{Counts, Document, Rules, Verdict},
    settings::{Error, Result, options},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, path::PathBuf};
use whatlang::Lang;

/// What tells languages apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identifier {
    /// A fastText model in `model`, such as `lid.176.bin`: as CCNet, and so `LLaMA`, does it.
    Fasttext,
    /// `whatlang`, which needs no download: trigrams and alphabets of 69 languages.
    Builtin,
}

options! {
    /// Language identification.
    IdentifyConfig {
        /// What tells languages apart.
        kind: Identifier = Identifier::Builtin,
        /// The fastText model; for `kind = "fasttext"` alone.
        model: Option<PathBuf> = None,
        /// Drop documents of which the identifier is less certain. CCNet: 0.5, of the score rounded to two digits.
        threshold: f64 = 0.5,
        /// Keep these languages, as ISO 639-1 codes (those of the model's labels); empty keeps all.
        languages: Vec<String> = vec![],
        /// Look at the first so many bytes of a document. By default fastText looks at all, as in CCNet, and the built-in
        /// identifier, which is slow and gains nothing from more, at 4096.
        bytes: Option<usize> = None,
    }
}

/// Bytes that the built-in identifier looks at.
const BUILTIN_BYTES: usize = 4096;

enum Kind {
    Fasttext(Box<Classifier>),
    Builtin,
}

/// Sets `meta.language` and `meta.language_score`, and keeps the languages that are asked for.
///
/// Drops by the names `no_language` (nothing to tell by), `language_score` and `language`.
pub struct Identify {
    kind: Kind,
    threshold: f64,
    languages: Vec<String>,
    bytes: usize,
}

impl Identify {
    /// Loads the model, if one is needed.
    ///
    /// # Errors
    ///
    /// The model is missing or cannot be read, or has none of the languages; the threshold is no probability.
    pub fn new(config: &IdentifyConfig) -> Result<Self> {
        if !(0.0..=1.0).contains(&config.threshold) {
            return Err(Error::input("threshold", format!("{} is not between 0 and 1", config.threshold), "CCNet's is 0.5"));
        }
        let kind = match (config.kind, &config.model) {
            (Identifier::Fasttext, Some(model)) => Kind::Fasttext(Box::new(Classifier::read(model)?)),
            (Identifier::Fasttext, None) => {
                let help = "set model to a file such as lid.176.ftz, or kind to \"builtin\"";
                return Err(Error::input("model", "is needed by kind = \"fasttext\"", help));
            }
            (Identifier::Builtin, None) => Kind::Builtin,
            (Identifier::Builtin, Some(model)) => {
                return Err(Error::input(model.display(), "kind = \"builtin\" uses no model", "set kind to \"fasttext\""));
            }
        };
        let known: Vec<&str> = match &kind {
            Kind::Fasttext(model) => model.labels().collect(),
            Kind::Builtin => Lang::all().iter().map(|lang| code(*lang)).collect(),
        };
        if let Some(unknown) = config.languages.iter().find(|language| !known.contains(&language.as_str())) {
            let message = format!("the identifier knows no language {unknown:?}");
            return Err(Error::input("languages", message, format!("it knows {}", known.join(" "))));
        }
        let bytes = config.bytes.unwrap_or(if matches!(kind, Kind::Builtin) { BUILTIN_BYTES } else { usize::MAX });
        Ok(Self { kind, threshold: config.threshold, languages: config.languages.clone(), bytes })
    }

    /// The language of a text, and how certain that is, in two digits; none if there is nothing to tell by.
    pub fn identify(&self, text: &str) -> Option<(&str, f64)> {
        let text = &text[..text.floor_char_boundary(self.bytes)];
        match &self.kind {
            Kind::Fasttext(model) => {
                let found = model.top(&without_newlines(text)).filter(|_| !text.is_empty())?;
                // `np.float32.round(2)`.
                let score = (found.probability * 100.0).round_ties_even() / 100.0;
                Some((found.label, (f64::from(score) * 100.0).round() / 100.0))
            }
            Kind::Builtin => {
                let found = whatlang::detect(text)?;
                Some((code(found.lang()), (found.confidence() * 100.0).round() / 100.0))
            }
        }
    }
}

impl Rules for Identify {
    fn apply(&self, document: &mut Document, _: &mut Counts) -> Verdict {
        let Some((language, score)) = self.identify(&document.text) else { return Verdict::Drop("no_language") };
        let (known, wanted) = (score >= self.threshold, self.languages.is_empty() || self.languages.iter().any(|l| l == language));
        document.meta.insert("language".into(), language.into());
        document.meta.insert("language_score".into(), score.into());
        match (known, wanted) {
            (true, true) => Verdict::Keep,
            (false, _) => Verdict::Drop("language_score"),
            (true, false) => Verdict::Drop("language"),
        }
    }
}

/// The text as CCNet gives it to fastText: lines are glued together (`cc_net/split_by_lang.py`).
fn without_newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\n') { Cow::Owned(text.replace('\n', "")) } else { Cow::Borrowed(text) }
}

/// ISO 639-1, of which every language here has a code, but for Akan's dialects.
fn code(lang: Lang) -> &'static str {
    // Sorted by their codes of ISO 639-3.
    const CODES: [(&str, &str); 70] = [
        ("afr", "af"),
        ("aka", "ak"),
        ("amh", "am"),
        ("ara", "ar"),
        ("aze", "az"),
        ("bel", "be"),
        ("ben", "bn"),
        ("bul", "bg"),
        ("cat", "ca"),
        ("ces", "cs"),
        ("cmn", "zh"),
        ("cym", "cy"),
        ("dan", "da"),
        ("deu", "de"),
        ("ell", "el"),
        ("eng", "en"),
        ("epo", "eo"),
        ("est", "et"),
        ("fin", "fi"),
        ("fra", "fr"),
        ("guj", "gu"),
        ("heb", "he"),
        ("hin", "hi"),
        ("hrv", "hr"),
        ("hun", "hu"),
        ("hye", "hy"),
        ("ind", "id"),
        ("ita", "it"),
        ("jav", "jv"),
        ("jpn", "ja"),
        ("kan", "kn"),
        ("kat", "ka"),
        ("khm", "km"),
        ("kor", "ko"),
        ("lat", "la"),
        ("lav", "lv"),
        ("lit", "lt"),
        ("mal", "ml"),
        ("mar", "mr"),
        ("mkd", "mk"),
        ("mya", "my"),
        ("nep", "ne"),
        ("nld", "nl"),
        ("nob", "no"),
        ("ori", "or"),
        ("pan", "pa"),
        ("pes", "fa"),
        ("pol", "pl"),
        ("por", "pt"),
        ("ron", "ro"),
        ("rus", "ru"),
        ("sin", "si"),
        ("slk", "sk"),
        ("slv", "sl"),
        ("sna", "sn"),
        ("spa", "es"),
        ("srp", "sr"),
        ("swe", "sv"),
        ("tam", "ta"),
        ("tel", "te"),
        ("tgl", "tl"),
        ("tha", "th"),
        ("tuk", "tk"),
        ("tur", "tr"),
        ("ukr", "uk"),
        ("urd", "ur"),
        ("uzb", "uz"),
        ("vie", "vi"),
        ("yid", "yi"),
        ("zul", "zu"),
    ];
    let long = lang.code();
    CODES.binary_search_by_key(&long, |(long, _)| long).map_or(long, |at| CODES[at].1)
}

#[cfg(test)]
mod tests {
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
                (config.kind, config.model) = (Identifier::Fasttext, Some(folder.join("softmax.bin")));
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
        assert!(message(|c| c.kind = Identifier::Fasttext).contains("lid.176.ftz"));
        assert!(message(|c| c.model = Some("lid.bin".into())).contains("builtin"));
        assert!(message(|c| (c.kind, c.model) = (Identifier::Fasttext, Some("nowhere.bin".into()))).contains("nowhere.bin"));
    }

    #[test]
    fn lines_are_glued_as_in_ccnet() {
        assert_eq!(without_newlines("a\nb\r\n\nc"), "ab\rc");
        assert!(matches!(without_newlines("a b"), Cow::Borrowed(_)));
    }
}
