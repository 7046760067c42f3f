use super::*;

fn broken(text: &str) -> Option<&'static str> {
    GopherRepetition::new(&GopherRepetitionConfig::default()).unwrap().broken(text)
}

/// A run of words that are all different.
fn prose(words: std::ops::Range<usize>) -> String {
    words.map(|word| format!("word{word}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn text_without_repetition_stays() {
    assert_eq!(broken(&prose(0..200)), None);
    assert_eq!(broken(""), Some("empty"));
    assert_eq!(broken("one"), None);
}

#[test]
fn each_rule_has_its_threshold() {
    // Five paragraphs, two of which are there before: 40 % of paragraphs.
    assert_eq!(broken(&format!("a\n\na\n\na\n\n{}\n\n{}", prose(0..50), prose(50..99))), Some("duplicate_paragraphs"));
    let (long, short) = (prose(0..30), ["x", "y", "z"].join("\n\n"));
    assert_eq!(broken(&format!("{long}\n\n{short}\n\n{long}")), Some("duplicate_paragraph_characters"));
    assert_eq!(broken(&format!("a\na\na\n{}\n{}", prose(0..50), prose(50..99))), Some("duplicate_lines"));
    assert_eq!(broken(&format!("{long}\nx\ny\nz\n{long}")), Some("duplicate_line_characters"));
    assert_eq!(broken(&format!("{} {}", "to be ".repeat(20), prose(0..40))), Some("top_2_gram"));
    let three: String = (0..12).map(|i| format!("now and then x{i} y{i} ")).collect();
    assert_eq!(broken(&three), Some("top_2_gram"));
    let relaxed = GopherRepetitionConfig { top_2_gram: 1.0, ..Default::default() };
    assert_eq!(GopherRepetition::new(&relaxed).unwrap().broken(&three), Some("top_3_gram"));
    let runs = |first: usize| (0..3).map(|i| format!("{} x{} ", prose(10 * i..10 * i + 5), first + i)).collect::<String>();
    let five = format!("{}{} {}", runs(0), prose(50..65), runs(3));
    assert_eq!(broken(&five), Some("duplicate_5_grams"));
    let ten = format!("{} {} {}", prose(0..10), prose(10..95), prose(0..10));
    assert_eq!(broken(&ten), None);
    let ten = format!("{} {} {}", prose(0..10), prose(10..60), prose(0..10));
    assert_eq!(broken(&ten), Some("duplicate_10_grams"));
}

#[test]
fn breaks_split_as_regular_expressions_do() {
    let split = |text, least| runs_of_breaks(text, least).collect::<Vec<_>>();
    assert_eq!(split("\na\n\n\nb\n", 1), ["", "a", "b", ""]);
    assert_eq!(split("a\nb\n\n\nc\n", 2), ["a\nb", "c\n"]);
    assert_eq!(split("", 1), [""]);
}

#[test]
fn thresholds_are_checked() {
    let config = GopherRepetitionConfig { top_3_gram: f64::NAN, ..Default::default() };
    assert!(GopherRepetition::new(&config).is_err());
}
