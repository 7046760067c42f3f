//! Every stage, run as a recipe runs it.

use super::{
    books::{BookRule, Books, BooksConfig},
    contamination::{Contamination, ContaminationAction, ContaminationConfig, Evaluation},
    cuts::Keep,
    exact::{Exact, ExactConfig},
    lines::{Lines, LinesConfig},
    minhash::{Minhash, MinhashConfig},
    spans::{SpanUnit, Spans, SpansConfig},
    stage::{Stage, Summary, Work, run_passes},
    substrings::{Substrings, SubstringsConfig},
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::Result,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    path::Path,
};

pub(super) type Shards = Vec<Vec<String>>;

/// By shard and document: the text that stays, or the rule that dropped it.
pub(super) type Judged = Vec<Vec<std::result::Result<String, &'static str>>>;

/// What comes of a stage.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub documents: Judged,
    pub counts: Counts,
    pub summary: Summary,
}

impl Outcome {
    pub(super) fn kept(&self) -> Vec<Option<&str>> {
        self.documents.iter().flatten().map(|document| document.as_deref().ok()).collect()
    }
}

fn documents(shard: usize, texts: &[String]) -> impl Iterator<Item = Document> {
    texts.iter().enumerate().map(move |(number, text)| Document::new(format!("{shard}#{number}"), text.clone()))
}

pub(super) fn pass(stage: &dyn Stage, work: &Work, shards: &Shards) -> Result<Summary> {
    run_passes(stage, work, shards.len() as u32, &|shard, each| {
        documents(shard as usize, &shards[shard as usize]).try_for_each(|document| each(&document))
    })
}

pub(super) fn judge(stage: &dyn Stage, work: &Work, shards: &Shards) -> Result<(Counts, Judged)> {
    let mut counts = Counts::default();
    let mut all = vec![];
    for (shard, texts) in shards.iter().enumerate() {
        let mut judge = stage.judge(work, shard as u32)?;
        let mut judged = vec![];
        for mut document in documents(shard, texts) {
            judged.push(match judge.apply(&mut document, &mut counts)? {
                Verdict::Keep => Ok(document.text),
                Verdict::Drop(rule) => Err(rule),
            });
        }
        judge.finish()?;
        all.push(judged);
    }
    Ok((counts, all))
}

pub(super) fn run_in(folder: &Path, stage: &dyn Stage, shards: &Shards, memory: usize, threads: usize) -> Outcome {
    let work = Work::new(folder, memory, threads, 7).unwrap();
    let summary = pass(stage, &work, shards).unwrap();
    let (counts, documents) = judge(stage, &work, shards).unwrap();
    Outcome { documents, counts, summary }
}

pub(super) fn run(stage: &dyn Stage, shards: &Shards) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), stage, shards, 1 << 20, 1)
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// What cc_net compares lines by.
fn ccnet(line: &str, out: &mut String) {
    for char in line.trim().to_lowercase().chars() {
        match char {
            _ if char.is_ascii_digit() || "٣٥１２".contains(char) => out.push('0'),
            '，' | '。' | '、' | '„' | '”' | '“' | '«' | '»' | '」' | '「' | '《' | '》' | '´' | '∶' | '：' | '？' | '！' | '（' | '）'
            | '；' | '–' | '—' | '．' | '～' | '’' | '…' | '━' | '〈' | '〉' | '【' | '】' | '％' | '►' => {}
            _ if char.is_control() => {}
            _ => out.push(char),
        }
    }
}

fn lines(keep: Keep, group: u32) -> Lines {
    Lines::new(LinesConfig { keep, group, min_chars: 0, min_chars_after: 0 }, Box::new(ccnet))
}

pub(super) fn reference() -> (Vec<String>, serde_json::Value) {
    let corpus = include_str!("../../../../tests/data/fixtures/dedup/corpus.json");
    let expected = include_str!("../../../../tests/data/fixtures/dedup/expected.json");
    (serde_json::from_str(corpus).unwrap(), serde_json::from_str(expected).unwrap())
}

pub(super) fn cut(texts: &[String], shards: usize) -> Shards {
    (0..shards).map(|shard| texts[shard * texts.len() / shards..(shard + 1) * texts.len() / shards].to_vec()).collect()
}

#[test]
fn lines_are_what_cc_net_leaves() {
    let (texts, expected) = reference();
    let expected: Vec<Option<String>> = serde_json::from_value(expected["lines"].clone()).unwrap();
    for shards in [1, 4] {
        let found = run(&lines(Keep::None, 0), &cut(&texts, shards));
        let found: Vec<Option<String>> = found.kept().into_iter().map(|text| text.map(str::to_string)).collect();
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "document {number}");
        }
    }
}

#[test]
fn every_copy_of_a_line_goes_or_all_but_the_first() {
    let shards = vec![strings(&["Menu\nOne text.\nmenu", "menu\nMENU "]), strings(&["Two 12\n\nthree", "two 34\nfour\nfour"])];
    let none = run(&lines(Keep::None, 0), &shards);
    assert_eq!(none.kept(), [Some("One text."), None, Some("\nthree"), None]);
    assert_eq!(none.documents[0][1], Err("lines.none-left"));
    assert_eq!(none.counts.get("lines.repeated").times, 8);
    let first = run(&lines(Keep::First, 0), &shards);
    assert_eq!(first.kept(), [Some("Menu\nOne text."), None, Some("Two 12\n\nthree"), Some("four")]);
}

#[test]
fn lines_are_compared_within_groups_of_shards_only() {
    let shards: Shards = ["a\nx", "b\nx", "c\nx", "d\ny", "y"].iter().map(|text| strings(&[text])).collect();
    let found = run(&lines(Keep::None, 2), &shards);
    assert_eq!(found.kept(), [Some("a"), Some("b"), Some("c\nx"), Some("d\ny"), Some("y")]);
    let all = run(&lines(Keep::None, 0), &shards);
    assert_eq!(all.kept(), [Some("a"), Some("b"), Some("c"), Some("d"), None]);
    // Hashes that occur once in each part are found too, which cc_net's sharded mode misses.
    assert_eq!(run(&lines(Keep::None, 9), &shards).kept(), all.kept());
}

#[test]
fn short_documents_are_dropped_and_do_not_count() {
    let config = LinesConfig { min_chars: 4, min_chars_after: 2, ..LinesConfig::default() };
    let stage = Lines::new(config, Box::new(ccnet));
    let found = run(&stage, &vec![strings(&["äöü", "äöü\nxy", "xy\nz", "long\nlines"])]);
    assert_eq!(found.documents[0][0], Err("lines.short"));
    assert_eq!(found.documents[0][1], Ok("äöü".into()));
    assert_eq!(found.documents[0][2], Err("lines.short-after"));
    assert_eq!(LinesConfig::default().min_chars, 300);
}

fn brute_lines(shards: &Shards, keep: Keep) -> Vec<Option<String>> {
    let key = |line: &str| {
        let mut out = String::new();
        ccnet(line, &mut out);
        out
    };
    let mut count: HashMap<String, usize> = HashMap::new();
    shards.iter().flatten().flat_map(|text| text.split('\n')).for_each(|line| *count.entry(key(line)).or_default() += 1);
    let mut seen = HashSet::new();
    let stays = |line: &&str, seen: &mut HashSet<String>| match keep {
        Keep::None => count[&key(line)] == 1,
        Keep::First => seen.insert(key(line)),
    };
    let left = |text: &String| {
        let lines: Vec<&str> = text.split('\n').filter(|line| stays(line, &mut seen)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    shards.iter().flatten().map(left).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn lines_do_what_plain_counting_does(shards in prop::collection::vec(prop::collection::vec("([a-dA-D1-3.]{0,2}\n){0,4}[a-c]?", 0..6), 0..5)) {
        for keep in [Keep::None, Keep::First] {
            let found = run(&lines(keep, 0), &shards);
            let found: Vec<Option<String>> = found.kept().into_iter().map(|text| text.map(str::to_string)).collect();
            prop_assert_eq!(found, brute_lines(&shards, keep));
        }
    }

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

/// Words, hardly any of them twice.
fn book(random: &mut ChaCha8Rng, words: usize) -> Vec<String> {
    (0..words).map(|_| letters(random)).collect()
}

fn letters(random: &mut ChaCha8Rng) -> String {
    (0..4).map(|_| char::from(b'a' + random.random_range(0..26u8))).collect()
}

/// A pair of which the second, shorter one has exactly so many of its 5-grams in the first.
fn overlapping(random: &mut ChaCha8Rng, grams: usize, shared: usize) -> [String; 2] {
    let first = book(random, 3 * grams);
    let mut second = first[100..100 + shared + 4].to_vec();
    second.extend(book(random, grams - shared));
    [first.join(" "), second.join(" ")]
}

fn books(scaled: u64, drop: BookRule) -> Books {
    Books::new(BooksConfig { scaled, drop, ..BooksConfig::default() }).unwrap()
}

#[test]
fn a_book_that_overlaps_92_per_cent_goes_and_one_at_88_stays() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let [a, b] = overlapping(&mut random, 5000, 4600);
    let [c, d] = overlapping(&mut random, 5000, 4400);
    let [e, f] = overlapping(&mut random, 5000, 4500);
    let shards = vec![vec![b.clone(), c.clone(), e], vec![a.clone(), d.clone(), f, "too short".into()]];
    for scaled in [1, 4] {
        let found = run(&books(scaled, BookRule::Contained), &shards);
        // The smaller one goes, though it comes first; 90 per cent is enough.
        let dropped: Vec<bool> = found.kept().iter().map(Option::is_none).collect();
        assert_eq!(dropped, [true, false, false, false, false, true, false], "scaled {scaled}");
        let found = run(&books(scaled, BookRule::Later), &shards);
        let dropped: Vec<bool> = found.kept().iter().map(Option::is_none).collect();
        assert_eq!(dropped, [false, false, false, true, false, true, false], "scaled {scaled}");
    }
}

#[test]
fn omnibus_editions_are_found_which_jaccard_would_miss() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let novels: Vec<String> = (0..3).map(|_| book(&mut random, 2000).join(" ")).collect();
    let mut all = novels.clone();
    all.push(novels.join("\n\n"));
    let folder = tempfile::tempdir().unwrap();
    let found = run_in(folder.path(), &books(1, BookRule::Contained), &vec![all.clone()], 0, 1);
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
    let clusters = fs::read_to_string(folder.path().join("clusters.jsonl")).unwrap();
    let cluster: serde_json::Value = serde_json::from_str(clusters.trim_end()).unwrap();
    assert_eq!(cluster["keeper"], "0/3");
    assert_eq!(cluster["members"].as_array().unwrap().len(), 3);
    assert_eq!(cluster["members"][0]["similarity"], 1.0);
    // Every pair was shown.
    assert_eq!(fs::read_to_string(folder.path().join("pairs.jsonl")).unwrap().lines().count(), 3);
    let found = run(&books(1, BookRule::Later), &vec![all]);
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false]);
}

#[test]
fn a_book_goes_only_if_it_is_in_one_that_stays() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    // Each has 91 per cent of its grams in the next one; of the first, the last has too few.
    let text = book(&mut random, 5000);
    let small = text[0..1004].join(" ");
    let middle = text[90..1404].join(" ");
    let large = text[200..3000].join(" ");
    let found = run(&books(1, BookRule::Contained), &vec![vec![small, middle, large]]);
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn unscaled_books_are_what_comparing_all_pairs_finds(texts in prop::collection::vec("([a-c] ){0,14}", 0..14)) {
        let stage = Books::new(BooksConfig { shingle: 2, overlap: 0.7, scaled: 1, ..BooksConfig::default() }).unwrap();
        let found = run(&stage, &cut(&texts, 3));
        let sets: Vec<BTreeSet<String>> = texts.iter().map(|text| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.windows(2).map(|pair| pair.join(" ")).collect()
        }).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|book| (usize::MAX - sets[*book].len(), *book));
        let mut kept: Vec<usize> = vec![];
        for book in order {
            let inside = |other: &usize| {
                let smaller = sets[book].len().min(sets[*other].len());
                smaller > 0 && sets[book].intersection(&sets[*other]).count() as f64 >= 0.7 * smaller as f64
            };
            if !kept.iter().any(inside) {
                kept.push(book);
            }
        }
        let expected: Vec<bool> = (0..texts.len()).map(|book| kept.contains(&book)).collect();
        prop_assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), expected);
    }
}

/// Documents that share words, lines, sentences, copies and near-copies.
fn corpus(seed: u64, documents: usize) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let vocabulary: Vec<String> = (0..400).map(|_| letters(&mut random)).collect();
    let notices: Vec<String> = (0..8).map(|_| (0..9).map(|_| vocabulary[random.random_range(0..400)].clone() + " ").collect()).collect();
    let mut all: Vec<String> = vec![];
    for _ in 0..documents {
        let mut words: Vec<String> = match all.len() {
            count if count > 0 && random.random_bool(0.4) => all[random.random_range(0..count)].split(' ').map(str::to_string).collect(),
            _ => (0..random.random_range(20..160)).map(|_| vocabulary[random.random_range(0..400)].clone()).collect(),
        };
        let rate = [0.0, 0.01, 0.03, 0.1][random.random_range(0..4)];
        words.iter_mut().for_each(|word| {
            if random.random_bool(rate) {
                *word = vocabulary[random.random_range(0..400)].clone() + [".", ".\n", ",", "!"][random.random_range(0..4)];
            }
        });
        let mut text = words.join(" ");
        if random.random_bool(0.3) {
            text += &format!("\n{}.", notices[random.random_range(0..8)]);
        }
        all.push(text);
    }
    all
}

fn stages() -> Vec<Box<dyn Stage>> {
    let texts = corpus(1, 40);
    let items = |from: usize| texts[from..from + 8].iter().map(|text| text.split(' ').take(30).collect::<Vec<_>>().join(" ")).collect();
    let evaluations = [Evaluation { name: "a".into(), items: items(0) }, Evaluation { name: "b".into(), items: items(8) }];
    let contamination = ContaminationConfig { window: 20, min_piece: 40, ..ContaminationConfig::default() };
    vec![
        Box::new(lines(Keep::None, 0)),
        Box::new(lines(Keep::First, 0)),
        Box::new(Exact::new(ExactConfig::default())),
        Box::new(Minhash::new(MinhashConfig::default()).unwrap()),
        Box::new(Minhash::new(MinhashConfig { verify: Some(0.7), ..MinhashConfig::default() }).unwrap()),
        Box::new(books(1, BookRule::Contained)),
        Box::new(Spans::new(SpansConfig { min_words: 5, ..SpansConfig::default() }).unwrap()),
        Box::new(Substrings::new(SubstringsConfig { length: 60, ..SubstringsConfig::default() }).unwrap()),
        Box::new(Contamination::new(contamination, &evaluations).unwrap()),
    ]
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn threads_memory_and_kills_change_no_byte() {
    let shards = cut(&corpus(1, 240), 5);
    for stage in stages() {
        let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let first = run_in(folders[0].path(), &*stage, &shards, 64 << 20, 1);
        let changed =
            first.documents.iter().flatten().zip(shards.iter().flatten()).filter(|(found, text)| found.as_ref() != Ok(text)).count();
        assert!(changed > 10, "{}: {changed}", stage.name());
        let expected = files(folders[0].path());
        assert!(
            run_in(folders[1].path(), &*stage, &shards, 64 << 10, 2) == first && files(folders[1].path()) == expected,
            "{}",
            stage.name()
        );

        // Killed within every pass: a scan that is half done, some that are done, a decision that is half done.
        let folder = folders[2].path();
        let work = Work::new(folder, 64 << 10, 1, 7).unwrap();
        for pass_number in 0..stage.passes() {
            for shard in [3u32, 1] {
                let mut scan = stage.scan(&work, pass_number, shard).unwrap();
                documents(shard as usize, &shards[shard as usize]).for_each(|document| scan.add(&document).unwrap());
                scan.finish().unwrap();
            }
            let mut half = stage.scan(&work, pass_number, 0).unwrap();
            documents(0, &shards[0][..3]).for_each(|document| half.add(&document).unwrap());
            drop(half);
            assert!(!work.scanned(pass_number, 0) && work.scanned(pass_number, 1));
            // Decides twice: the first time it was killed before it could say so.
            pass(&UpTo(&*stage, pass_number + 1), &work, &shards).unwrap();
            fs::remove_file(folder.join(format!("decision-{pass_number}.json"))).unwrap();
        }
        assert!(run_in(folder, &*stage, &shards, 64 << 10, 1) == first, "{}", stage.name());
        assert!(files(folder) == expected, "{}", stage.name());
    }
}

/// A stage that is stopped after some passes.
struct UpTo<'a>(&'a dyn Stage, u32);

impl Stage for UpTo<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn passes(&self) -> u32 {
        self.1
    }
    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn super::Scan + 'a>> {
        self.0.scan(work, pass, shard)
    }
    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        self.0.decide(work, pass, shards)
    }
    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn super::Judge + 'a>> {
        self.0.judge(work, shard)
    }
}

#[test]
fn how_files_are_cut_changes_nothing() {
    let texts = corpus(2, 120);
    for stage in stages() {
        let whole = run(&*stage, &cut(&texts, 1));
        let parts = run(&*stage, &cut(&texts, 7));
        assert_eq!(whole.kept(), parts.kept(), "{}", stage.name());
        assert_eq!(whole.counts, parts.counts);
        assert_eq!(whole.summary, parts.summary);
        // Nor do shards without a document.
        let mut with_empty = cut(&texts, 3);
        with_empty.insert(0, vec![]);
        with_empty.push(vec![]);
        assert_eq!(run(&*stage, &with_empty).kept(), whole.kept(), "{}", stage.name());
        assert!(run(&*stage, &vec![]).documents.is_empty());
    }
}

#[test]
fn damaged_files_are_named_and_refused() {
    let shards = cut(&corpus(1, 60), 2);
    for stage in stages() {
        let folder = tempfile::tempdir().unwrap();
        run_in(folder.path(), &*stage, &shards, 64 << 10, 1);
        let work = Work::new(folder.path(), 64 << 10, 1, 7).unwrap();
        for (name, bytes) in files(folder.path()).iter().filter(|(name, _)| name.ends_with(".run")) {
            let path = folder.path().join(name);
            for damaged in [damage(bytes, bytes.len() - 1), damage(bytes, 20), bytes[..bytes.len() - 1].to_vec()] {
                fs::write(&path, damaged).unwrap();
                // Who reads it: a decision or a later scan, or the judges.
                let decisions = (0..stage.passes()).try_for_each(|number| {
                    (0..2).try_for_each(|shard| match number {
                        0 => Ok(()),
                        _ => stage.scan(&work, number, shard).map(drop),
                    })?;
                    // The first decision would write some of them anew.
                    let made = ["wanted", "anchor", "pairs"].iter().any(|made| name.starts_with(made));
                    if made && number == 0 { Ok(()) } else { stage.decide(&work, number, 2).map(drop) }
                });
                let judged = if name.starts_with("cut") || name.starts_with("drop") || name.starts_with("ignored") {
                    fs::write(&path, damage(bytes, 20)).unwrap();
                    judge(&*stage, &work, &shards).map(drop)
                } else {
                    Ok(())
                };
                let error = decisions.and(judged).expect_err(name).to_string();
                assert!(error.contains(name.as_str()), "{}: {name}: {error}", stage.name());
                fs::write(&path, bytes).unwrap();
            }
        }
        // Another recipe's folder is refused, and other input than was scanned.
        let other = Work::new(folder.path(), 64 << 10, 1, 8).unwrap();
        assert!(judge(&*stage, &other, &shards).unwrap_err().to_string().contains("another recipe"));
        let fewer = vec![shards[0][1..].to_vec(), shards[1].clone()];
        assert!(judge(&*stage, &work, &fewer).unwrap_err().to_string().contains("the input has changed"), "{}", stage.name());
        fs::remove_file(work.scan_path(0, 1)).unwrap();
        assert!(stage.decide(&work, 0, 2).unwrap_err().to_string().contains("scan-0-000001.run"));
    }
}

fn damage(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 4;
    bytes
}

#[test]
fn evaluation_text_is_dropped_or_cut() {
    let question = "What is the name of the long river that flows through the old town, by night?";
    let short = "one two three four five six seven eight";
    let evaluations = [Evaluation { name: "rivers".into(), items: vec![question.into(), "Too short.".into(), short.into()] }];
    let long = "Some other words of the page. ".repeat(20);
    let copied = format!("{long}WHAT is the name of the long river, that flows through the old town by night?! {long}");
    let shards = vec![vec![copied, long.clone(), format!("{short}."), question[..60].to_string()]];
    let run_with = |config: ContaminationConfig| run(&Contamination::new(config, &evaluations).unwrap(), &shards);
    let found = run_with(ContaminationConfig { action: ContaminationAction::Drop, ..ContaminationConfig::default() });
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(found.counts.get("contamination.rivers").times, 2);
    let found = run_with(ContaminationConfig::default());
    let left = found.kept()[0].unwrap();
    // 200 characters on both sides went too.
    assert!(!left.to_lowercase().contains("river") && left.chars().count() == 400 + 2 + 403, "{}", left.len());
    assert_eq!(found.documents[0][2], Err("contamination.none-left"));
    assert_eq!((found.summary["items"], found.summary["items found"]), (3, 2));
    let found = run_with(ContaminationConfig { min_words: 9, max_pieces: 1, ..ContaminationConfig::default() });
    assert_eq!(found.kept().iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, true]);
    assert_eq!(found.documents[0][0], Err("contamination.pieces"));
}

#[test]
fn common_phrases_are_let_through_and_reports_say_what_was_found() {
    let phrase = "this page is free for all to read and to copy as you like";
    let rare = "a rare line of thirteen words that only one document here has got";
    let items = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let evaluations =
        [Evaluation { name: "x".into(), items: items(&[phrase, rare]) }, Evaluation { name: "y".into(), items: items(&[rare, "no"]) }];
    let mut texts: Vec<String> = (0..4).map(|number| format!("{phrase} {number}")).collect();
    texts.push(rare.into());
    let stage = Contamination::new(ContaminationConfig { ignore_above: 3, ..ContaminationConfig::default() }, &evaluations).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let found = run_in(folder.path(), &stage, &cut(&texts, 2), 0, 1);
    assert_eq!(found.kept().iter().filter(|text| text.is_some()).count(), 4);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("contamination.json")).unwrap()).unwrap();
    let x = serde_json::json!({"name": "x", "items": 2, "items_too_short": 0, "items_found": 1, "documents": 1, "grams_found": 1, "grams_ignored": 2});
    assert_eq!(report[0], x);
    assert_eq!((&report[1]["items_too_short"], &report[1]["items_found"]), (&1.into(), &1.into()));
    let items = fs::read_to_string(folder.path().join("contamination-items.jsonl")).unwrap();
    assert_eq!(items, "{\"evaluation\":\"x\",\"item\":1,\"documents\":1}\n{\"evaluation\":\"y\",\"item\":0,\"documents\":1}\n");
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
