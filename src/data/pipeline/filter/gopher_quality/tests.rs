use super::*;

fn broken(text: &str) -> Option<&'static str> {
    GopherQuality::new(&GopherQualityConfig::default()).unwrap().broken(text)
}

#[test]
fn each_rule_has_its_threshold() {
    let prose = "We have what the others want to have in it ".repeat(6);
    assert_eq!(broken(&prose), None);
    assert_eq!(broken("the text to be short"), Some("few_words"));
    assert_eq!(broken(&"a to ".repeat(30)), Some("short_words"));
    assert_eq!(broken(&"incomprehensibilities the incomprehensibilities ".repeat(30)), Some("long_words"));
    assert_eq!(broken(&format!("{prose}{}", "# ".repeat(8))), Some("hashes"));
    assert_eq!(broken(&format!("{prose}{}", "… ... ".repeat(4))), Some("ellipses"));
    let bullets = "- the item to have it be\n  • another one to have\n".repeat(10);
    assert_eq!(broken(&bullets), Some("bullet_lines"));
    let trailing = "the item that goes on to be read somewhere else, and is in no way complete here, but for all that long...\n";
    assert_eq!(broken(&trailing.repeat(4)), Some("ellipsis_lines"));
    assert_eq!(broken(&format!("{prose}{}", "1234 567 ".repeat(20))), Some("few_alphabetic_words"));
    assert_eq!(broken(&"The best words are those written well ".repeat(10)), Some("few_stop_words"));
    let few = GopherQualityConfig { max_words: 50, ..Default::default() };
    assert_eq!(GopherQuality::new(&few).unwrap().broken(&prose), Some("many_words"));
}

#[test]
fn nothing_is_divided_by_no_words() {
    let config = GopherQualityConfig { min_words: 0, min_stop_words: 0, ..Default::default() };
    let rules = GopherQuality::new(&config).unwrap();
    assert_eq!(rules.broken(""), Some("few_alphabetic_words"));
    assert_eq!(rules.broken("... #"), Some("hashes"));
}

#[test]
fn symbols_are_those_of_datatrove_and_all_ends_of_sentences() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../../../../../tests/data/fixtures/filters/spacy.json")).unwrap();
    let listed = fixture["symbols"].as_str().unwrap();
    assert!(listed.chars().all(|c| SYMBOL.has(c) || c == '１'));
    let ours = ('\0'..=char::MAX).filter(|&c| SYMBOL.has(c) && !super::super::class::TERMINAL.has(c));
    assert!(ours.into_iter().all(|c| listed.contains(c)));
}

/// datatrove's table of punctuation has a digit in it.
#[test]
fn a_full_width_one_is_a_word() {
    assert!(!SYMBOL.has('１') && !SYMBOL.has('２') && SYMBOL.has('％') && SYMBOL.has('-') && SYMBOL.has('\\'));
    let text = format!("{}{}", "the words to have ".repeat(12), "１ １");
    assert_eq!(broken(&text), None);
    assert_eq!(broken(&"the words to have ".repeat(12)), Some("few_words"));
}

#[test]
fn the_rule_for_words_matters_to_the_share_of_alphabetic_words() {
    let text = "well, the; to: be. (of) ".repeat(12);
    let broken = |words| {
        let config = GopherQualityConfig { words, min_mean_word_length: 2.0, ..Default::default() };
        GopherQuality::new(&config).unwrap().broken(&text)
    };
    assert_eq!(broken(Words::Spacy), Some("few_alphabetic_words"));
    assert_eq!(broken(Words::Whitespace), Some("few_stop_words"));
    assert_eq!(broken(Words::Unicode), None);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let config = GopherQualityConfig::default();
    assert!(GopherQuality::new(&GopherQualityConfig { min_stop_words: 9, ..config.clone() }).is_err());
    assert!(GopherQuality::new(&GopherQualityConfig { max_words: 1, ..config.clone() }).is_err());
    assert!(GopherQuality::new(&GopherQualityConfig { max_symbols: -1.0, ..config }).is_err());
}
