use super::{
    super::{
        books::BooksConfig,
        contamination::{Contamination, ContaminationConfig},
        exact::{Exact, ExactConfig},
        minhash::{Minhash, MinhashConfig},
        spans::{SpanUnit, Spans, SpansConfig},
        substrings::{Substrings, SubstringsConfig},
    },
    *,
};
use proptest::prelude::*;
use std::collections::HashMap;

#[test]
fn copies_of_whole_documents_are_dropped_and_told_the_first() {
    let shards = vec![strings(&["a", "b", "a"]), strings(&["a ", "b", "c"])];
    let found = run(&Exact::new(ExactConfig::default()), &shards);
    assert_eq!(found.kept(), [Some("a"), Some("b"), None, Some("a "), None, Some("c")]);
    assert_eq!(found.summary["documents dropped"], 2);
    let trimmed = run(&Exact::new(ExactConfig { trim: true, key: None }), &shards);
    assert_eq!(trimmed.kept(), [Some("a"), Some("b"), None, None, None, Some("c")]);

    // By a key of the meta; the keeper is named.
    let folder = tempfile::tempdir().unwrap();
    let work = Work::new(folder.path(), 0, 1, 1).unwrap();
    let stage = Exact::new(ExactConfig { key: Some("digest".into()), trim: false });
    let document = |text: &str, digest: Option<&str>| {
        let mut document = Document::new(text, text);
        digest.map(|digest| document.meta.insert("digest".into(), digest.into()));
        document
    };
    // The key is looked up, not compared by its name, as RedPajama's code did.
    let all = [document("a", Some("1")), document("b", Some("2")), document("c", Some("1")), document("d", None), document("d", None)];
    run_passes(&stage, &work, 1, &|_, each| all.iter().try_for_each(each)).unwrap();
    let mut judge = stage.judge(&work, 0).unwrap();
    let mut all = all;
    let verdicts = all.each_mut().map(|document| judge.apply(document, &mut Counts::default()).unwrap());
    assert_eq!(verdicts, [Verdict::Keep, Verdict::Keep, Verdict::Drop("exact.copy"), Verdict::Keep, Verdict::Keep]);
    assert_eq!(all[2].meta("duplicate_of"), Some("0/0"));
}

#[test]
fn of_a_span_all_but_the_first_copy_goes() {
    let config = SpansConfig { min_units: 0, min_words: 0, ..SpansConfig::default() };
    let stage = Spans::new(config.clone()).unwrap();
    let shards = vec![
        strings(&["Intro. One a. Two b! Three c? End."]),
        strings(&["Other. one a. TWO b. three c. Rest here.", "One a. Two b. Alone."]),
    ];
    let found = run(&stage, &shards);
    assert_eq!(found.kept(), [Some("Intro. One a. Two b! Three c? End."), Some("Other. Rest here."), Some("One a. Two b. Alone.")]);
    assert_eq!(found.counts.get("spans.repeated").times, 1);
    // A copy that overlaps the first one leaves it whole.
    let found = run(&stage, &vec![strings(&["A. A. A. A. A. B."])]);
    assert_eq!(found.kept(), [Some("A. A. A. B.")]);
    // All copies; spans of nothing but marks are not compared; what is left must be long enough.
    let all = Spans::new(SpansConfig { keep: Keep::None, ..config.clone() }).unwrap();
    assert_eq!(run(&all, &shards).kept()[..2], [Some("Intro. End."), Some("Other. Rest here.")]);
    assert_eq!(run(&stage, &vec![strings(&["\n-\n-\n-\n-\n-\nA"])]).kept(), [Some("\n-\n-\n-\n-\n-\nA")]);
    let strict = Spans::new(SpansConfig { min_units: 3, ..config.clone() }).unwrap();
    assert_eq!(run(&strict, &shards).documents[1][0], Err("spans.short"));
    let strict = Spans::new(SpansConfig { min_words: 4, ..config.clone() }).unwrap();
    assert_eq!(run(&strict, &shards).documents[1][0], Err("spans.short"));
    let by_line = Spans::new(SpansConfig { unit: SpanUnit::Lines, length: 1, ..config }).unwrap();
    assert_eq!(run(&by_line, &vec![strings(&["a b\nc", "C\nd\nA, b!"])]).kept(), [Some("a b\nc"), Some("d")]);
}

#[test]
fn options_out_of_range_are_refused() {
    assert!(Minhash::new(MinhashConfig { bands: 0, ..MinhashConfig::default() }).is_err());
    assert!(Minhash::new(MinhashConfig { verify: Some(f64::NAN), ..MinhashConfig::default() }).is_err());
    assert!(Books::new(BooksConfig { overlap: 1.5, ..BooksConfig::default() }).is_err());
    assert!(Books::new(BooksConfig { scaled: 0, ..BooksConfig::default() }).is_err());
    assert!(Spans::new(SpansConfig { length: 0, ..SpansConfig::default() }).is_err());
    assert!(Substrings::new(SubstringsConfig { length: 3, ..SubstringsConfig::default() }).is_err());
    assert!(Contamination::new(ContaminationConfig::default(), &[]).is_err());
}
proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn repeated_text_is_what_comparing_all_windows_finds(
        shards in prop::collection::vec(prop::collection::vec("(abcdefghijklmnopqrst|0123456789ABCDEFGHIJ|äöü|[x-z]){0,6}", 0..4), 0..4),
    ) {
        const LENGTH: usize = 18;
        for keep in [Keep::None, Keep::First] {
            let stage = Substrings::new(SubstringsConfig { length: LENGTH as u32, keep, min_chars: 0 }).unwrap();
            let found = run(&stage, &shards);
            let mut windows: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
            let texts: Vec<&String> = shards.iter().flatten().collect();
            for (number, text) in texts.iter().enumerate() {
                text.as_bytes().windows(LENGTH).enumerate().for_each(|(at, window)| windows.entry(window).or_default().push((number, at)));
            }
            for (number, text) in texts.iter().enumerate() {
                let mut gone = vec![false; text.len()];
                for places in windows.values().filter(|places| places.len() > 1) {
                    for (document, at) in places.iter().skip(usize::from(keep == Keep::First)).filter(|place| place.0 == number) {
                        let (first, start) = places[0];
                        let from = if keep == Keep::First && first == *document { (start + LENGTH).max(*at) } else { *at };
                        (from..at + LENGTH).for_each(|byte| gone[byte] = true);
                    }
                }
                // Characters of which a byte stays, stay.
                let left: String = text.char_indices().filter(|(at, char)| (*at..at + char.len_utf8()).any(|byte| !gone[byte])).map(|(_, char)| char).collect();
                let touched = left.len() < text.len();
                let expected = if touched && left.trim().is_empty() { Err("substrings.short") } else { Ok(left) };
                prop_assert_eq!(&found.documents.iter().flatten().nth(number).unwrap(), &&expected);
            }
        }
    }
}
