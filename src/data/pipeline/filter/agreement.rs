//! The same decisions as datatrove over documents written for this project: `tests/reference/filters_datatrove.py`.

use super::*;
use crate::data::pipeline::{Counts, Document, Rules, Verdict};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

fn hashed(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Documents with decisions by name. The first line has the names.
fn cases() -> Vec<Map<String, Value>> {
    let text = include_str!("../../../../tests/data/fixtures/filters/datatrove.jsonl");
    let mut lines = text.lines();
    let names: Vec<String> = serde_json::from_str(lines.next().unwrap()).unwrap();
    let case = |line| names.iter().cloned().zip(serde_json::from_str::<Vec<Value>>(line).unwrap()).collect();
    lines.map(case).collect()
}

/// What rules make of a text, in the words of the fixture.
fn decision(rules: &dyn Rules, text: &str) -> String {
    let mut document = Document::new("a", text);
    match rules.apply(&mut document, &mut Counts::default()) {
        Verdict::Drop(rule) => format!("drop {}", name(rule)),
        Verdict::Keep if document.text == text => "keep".into(),
        Verdict::Keep => hashed(&document.text),
    }
}

/// datatrove's name of a rule.
fn name(rule: &str) -> String {
    let known = match rule {
        "few_sentences" => "too_few_sentences",
        "few_paragraphs" => "< 3 paragraphs",
        "few_words" => "gopher_short_doc",
        "many_words" => "gopher_long_doc",
        "short_words" => "gopher_below_avg_threshold",
        "long_words" => "gopher_above_avg_threshold",
        "hashes" => "gopher_too_many_hashes",
        "ellipses" => "gopher_too_many_ellipsis",
        "bullet_lines" => "gopher_too_many_bullets",
        "ellipsis_lines" => "gopher_too_many_end_ellipsis",
        "few_alphabetic_words" => "gopher_below_alpha_threshold",
        "few_stop_words" => "gopher_enough_stop_words",
        "duplicate_lines" => "dup_line_frac",
        "duplicate_paragraphs" => "dup_para_frac",
        "duplicate_line_characters" => "dup_line_char_frac",
        "duplicate_paragraph_characters" => "dup_para_char_frac",
        "few_line_ends" => "line_punct_ratio",
        "short_lines" => "short_line_ratio",
        "duplicate_characters" => "char_dup_ratio",
        "line_breaks" => "list_ratio",
        other => return other.replace("duplicate_", "duplicated_").replace("_grams", "_n_grams"),
    };
    known.into()
}

/// All cases on which rules must agree; what was expected, how often, to see that rules do something here.
fn agree(key: &str, rules: &dyn Rules) -> usize {
    let cases = cases();
    assert!(cases.len() > 300);
    let mut dropped = 0;
    for case in &cases {
        let (text, expected) = (case["text"].as_str().unwrap(), case[key].as_str().unwrap());
        // C4's own code has these names.
        let expected = match expected {
            "drop filtered:too_few_sentences" => "drop too_few_sentences",
            "drop filtered:squigglybracket" => "drop curly_bracket",
            "drop filtered:loremipsum" => "drop lorem_ipsum",
            expected => expected,
        };
        if expected == "divides by zero" {
            continue;
        }
        assert_eq!(decision(rules, text), expected, "{key}: {text:?}");
        dropped += usize::from(expected.starts_with("drop"));
    }
    assert!(dropped > 20 && dropped + 20 < cases.len(), "{key}: {dropped}");
    dropped
}

#[test]
fn words_and_sentences_are_those_of_spacy() {
    for case in cases() {
        let text = case["text"].as_str().unwrap();
        let mut words = vec![];
        Words::Spacy.each(text, |word| words.push(word));
        assert_eq!(hashed(&words.join("\n")), case["tokens"].as_str().unwrap(), "{words:?}");
        assert_eq!(Sentences::Spacy.count(text, usize::MAX) as u64, case["sentences"].as_u64().unwrap(), "{text:?}");
    }
}

#[test]
fn c4_keeps_the_same_text() {
    agree("c4_jmlr", &C4::new(&C4Config::default()).unwrap());
    agree("c4", &C4::new(&C4Config::preset(C4Preset::Datatrove)).unwrap());
    let strict = C4Config { min_words: Some(5), min_sentences: Some(3), ..C4Config::preset(C4Preset::Datatrove) };
    agree("c4_strict", &C4::new(&strict).unwrap());
    let paragraphs = C4ParagraphsConfig { min_paragraphs: 3, min_length: 60 };
    agree("c4_paragraphs", &C4Paragraphs::new(&paragraphs).unwrap());
}

#[test]
fn gopher_keeps_the_same_documents() {
    agree("gopher_quality", &GopherQuality::new(&GopherQualityConfig::default()).unwrap());
    let loose = GopherQualityConfig {
        min_words: 10,
        min_mean_word_length: 2.0,
        min_alphabetic_words: 0.6,
        min_stop_words: 1,
        ..Default::default()
    };
    agree("gopher_quality_loose", &GopherQuality::new(&loose).unwrap());
    agree("gopher_repetition", &GopherRepetition::new(&GopherRepetitionConfig::default()).unwrap());
    let loose = GopherRepetitionConfig {
        duplicate_lines: 0.9,
        duplicate_paragraphs: 0.9,
        duplicate_line_characters: 0.9,
        duplicate_paragraph_characters: 0.9,
        top_2_gram: 0.9,
        top_3_gram: 0.9,
        top_4_gram: 0.9,
        ..Default::default()
    };
    agree("gopher_repetition_loose", &GopherRepetition::new(&loose).unwrap());
}

#[test]
fn fineweb_keeps_the_same_documents() {
    agree("fineweb", &FineWeb::new(&FineWebConfig::default()).unwrap());
    let loose = FineWebConfig { max_short_lines: 0.99, max_duplicate_characters: 0.5, ..Default::default() };
    agree("fineweb_loose", &FineWeb::new(&loose).unwrap());
}

#[test]
fn personal_data_are_replaced_in_the_same_places() {
    let rules = Pii::new(&PiiConfig { whole_addresses: false, ..Default::default() }).unwrap();
    let whole = Pii::new(&PiiConfig::default()).unwrap();
    let (mut replaced, mut differs) = (0, 0);
    for case in cases() {
        let (text, expected) = (case["text"].as_str().unwrap(), case["pii"].as_str().unwrap());
        assert_eq!(decision(&rules, text), expected, "{text:?}");
        replaced += usize::from(expected != "keep");
        differs += usize::from(decision(&whole, text) != expected);
    }
    // By default parts of longer numbers (`1.2.3.4.5`) are left, on purpose.
    assert!(replaced > 30 && differs > 3, "{replaced} {differs}");
}
