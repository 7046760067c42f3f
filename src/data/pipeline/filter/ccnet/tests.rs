use super::*;

fn faithful() -> NormaliseOptions {
    NormaliseOptions { faithful: true, ..Default::default() }
}

/// `normalize` and `normalize_for_dedup` of cc_net over texts written for this project: `tests/reference/filters_ccnet.py`.
#[test]
fn all_texts_are_normalised_as_in_cc_net() {
    let cases = include_str!("../../../../../tests/data/fixtures/filters/ccnet.jsonl");
    assert!(cases.lines().count() > 60);
    for case in cases.lines() {
        let case: serde_json::Value = serde_json::from_str(case).unwrap();
        let of = |key: &str| case[key].as_str().unwrap().to_string();
        let text = of("text");
        let run = |accents, numbers, punctuation| normalise(&text, &NormaliseOptions { accents, numbers, punctuation, ..faithful() });
        assert_eq!(run(true, true, Marks::Replace), of("normalised"), "{text:?}");
        assert_eq!(run(true, false, Marks::Replace), of("digits"), "{text:?}");
        assert_eq!(run(false, true, Marks::Delete), of("key"), "{text:?}");
        assert_eq!(run(false, true, Marks::Keep), of("kept"), "{text:?}");
        assert_eq!(line_key(&text), of("key"), "{text:?}");
    }
}

/// A slip of cc_net's table: the full-width one stands among the quotes.
#[test]
fn a_full_width_one_is_a_quote_only_when_that_is_asked_for() {
    let digits = |faithful| NormaliseOptions { numbers: false, faithful, ..Default::default() };
    assert_eq!(normalise("x１２", &digits(true)), "x\"２");
    assert_eq!(normalise("x１２", &digits(false)), "x１２");
    assert_eq!(normalise("x１２", &faithful()), "x00");
    assert_eq!(line_key("x１"), "x0");
}

#[test]
fn words_at_line_breaks_are_glued_only_when_that_is_asked_for() {
    assert_eq!(normalise("End 2020.\nsecond\tpart\n", &faithful()), "end 0000.secondpart");
    assert_eq!(normalise("End 2020.\nsecond\tpart\n", &Default::default()), "end 0000. second part");
    assert_eq!(normalise("É 2020.\nsecond\n", &Default::default()), "e 0000. second");
}

#[test]
fn what_is_decomposed_is_composed_again() {
    assert_eq!(normalise("한 Å", &Default::default()), "한 a");
    assert_eq!(normalise("한", &faithful()), "한".nfd().collect::<String>());
}

#[test]
fn keys_are_borrowed_where_they_are_the_line() {
    assert!(matches!(line_key("  plain line, 000\n"), Cow::Borrowed("plain line, 000")));
    assert_eq!(line_key(" A 12 “b”\u{ad}…\x07\tc"), "a 00 b\u{ad}c");
    assert_eq!(line_key(" \u{a0}…\x01"), "");
    let mut key = String::from("k");
    line_key_into(&"A1\t-".repeat(500), &mut key);
    assert_eq!(key, "k".to_string() + &"a0-".repeat(500));
}
