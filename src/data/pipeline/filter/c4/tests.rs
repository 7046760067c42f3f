use super::*;

fn page(preset: C4Preset, text: &str) -> (Verdict, String, Counts) {
    run(&C4Config::preset(preset), text)
}

fn run(config: &C4Config, text: &str) -> (Verdict, String, Counts) {
    let (mut document, mut counts) = (Document::new("a", text), Counts::default());
    let verdict = C4::new(config).unwrap().apply(&mut document, &mut counts);
    (verdict, document.text, counts)
}

const GOOD: &str = "A first line that has enough words. It has two sentences here.\nAnother line of five words is here!";

#[test]
fn lines_that_are_no_sentences_go_and_are_counted() {
    let long = format!("There is one word that is too long: {}.", "x".repeat(1001));
    let bad = [
        "Menu",
        "This line ends without any mark",
        "This one trails off...",
        "Too short.",
        "Please enable JavaScript to see this page.",
        "We use cookies on this page of ours.",
        &long,
    ];
    let text = format!("{}\n  {GOOD}  \n\n", bad.join("\n"));
    let (verdict, text, counts) = page(C4Preset::Jmlr, &text);
    assert_eq!((verdict, text.as_str()), (Verdict::Keep, GOOD));
    let times = ["no_end_mark", "few_words", "javascript", "policy", "long_word"].map(|rule| counts.get(rule).times);
    assert_eq!(times, [3, 1, 1, 1, 1]);
    assert_eq!(counts.get("few_words").bytes, 10);
}

#[test]
fn the_presets_differ_in_words_sentences_and_end_marks() {
    let three = "Only three words.\n".repeat(5);
    assert_eq!(page(C4Preset::Jmlr, &three).0, Verdict::Drop("few_sentences"));
    assert_eq!(page(C4Preset::Datatrove, &three).0, Verdict::Keep);
    assert_eq!(page(C4Preset::Jmlr, GOOD).0, Verdict::Keep);
    assert_eq!(page(C4Preset::Datatrove, GOOD).0, Verdict::Drop("few_sentences"));
    let quoted = format!("He said to them 'it is so.'\n{GOOD}");
    assert_eq!(page(C4Preset::Jmlr, &quoted).1, GOOD);
    assert_eq!(run(&C4Config { min_sentences: Some(0), ..C4Config::preset(C4Preset::Datatrove) }, &quoted).1, quoted);
}

#[test]
fn citation_marks_count_as_words_in_one_preset_only() {
    let line = "Three [1] [2] words here.";
    let config = |preset| C4Config { min_words: Some(5), min_sentences: Some(1), ..C4Config::preset(preset) };
    assert_eq!(run(&config(C4Preset::Jmlr), line).0, Verdict::Drop("few_sentences"));
    let (verdict, text, counts) = run(&config(C4Preset::Datatrove), line);
    assert_eq!((verdict, text.as_str()), (Verdict::Keep, "Three   words here."));
    assert_eq!((counts.get("citation").times, counts.get("citation").bytes), (1, 6));
}

#[test]
fn pages_with_fillers_or_code_are_dropped() {
    for (line, rule) in [("Here is Lorem Ipsum dolor sit amet.", "lorem_ipsum"), ("The code f() { return 1 is here.", "curly_bracket")] {
        assert_eq!(page(C4Preset::Jmlr, &format!("{GOOD}\n{line}")).0, Verdict::Drop(rule));
    }
    // In a line that goes for an earlier reason neither counts.
    assert_eq!(page(C4Preset::Jmlr, &format!("{GOOD}\nfunction() {{ return }}")).0, Verdict::Keep);
    assert_eq!(page(C4Preset::Jmlr, &format!("{GOOD}\nThis javascript {{ is no reason to go.")).0, Verdict::Keep);
    let off = C4Config { curly_brackets: false, ..C4Config::default() };
    assert_eq!(run(&off, &format!("{GOOD}\nThe code f() {{ return 1 is here.")).0, Verdict::Keep);
}

#[test]
fn a_citation_mark_hides_no_phrase() {
    let (verdict, text, _) = page(C4Preset::Jmlr, &format!("{GOOD}\nYou need java[1]script to read this."));
    assert_eq!((verdict, text.as_str()), (Verdict::Keep, GOOD));
}

#[test]
fn bad_words_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words");
    std::fs::write(&path, "gosh\n").unwrap();
    let config = C4Config { bad_words: path.to_string_lossy().into(), ..C4Config::default() };
    assert_eq!(run(&config, &format!("{GOOD}\nOh my Gosh, what a word.")).0, Verdict::Drop("bad_word"));
    assert_eq!(run(&config, &format!("{GOOD}\nOh my goshawk, what a bird.")).0, Verdict::Keep);
    assert!(C4::new(&C4Config { bad_words: "/no/such/file".into(), ..C4Config::default() }).is_err());
}

#[test]
fn mc4_wants_three_long_lines() {
    let verdict = |config: &C4ParagraphsConfig, text: &str| {
        C4Paragraphs::new(config).unwrap().apply(&mut Document::new("a", text), &mut Counts::default())
    };
    let long = "é".repeat(200);
    let config = C4ParagraphsConfig::default();
    assert_eq!(verdict(&config, &format!("{long}\n{long}\n{long}")), Verdict::Keep);
    assert_eq!(verdict(&config, &format!("{long}\n{long}\n{}", "é".repeat(199))), Verdict::Drop("few_paragraphs"));
    // datatrove looks at the three longest lines whatever number is asked for.
    assert_eq!(verdict(&C4ParagraphsConfig { min_paragraphs: 1, ..config }, &format!("{long}\nshort")), Verdict::Keep);
    assert!(C4Paragraphs::new(&C4ParagraphsConfig { min_paragraphs: 0, ..C4ParagraphsConfig::default() }).is_err());
}

#[test]
fn a_hostile_page_is_judged_in_time() {
    let text = format!("{}\n{}", "[".repeat(1 << 20), "so. ".repeat(1 << 18));
    assert_eq!(page(C4Preset::Jmlr, &text).0, Verdict::Keep);
}
