//! Every stage, run as a recipe runs it.

mod books;
mod lines;
mod parts;
mod robust;

use super::{
    books::{BookRule, Books, BooksConfig},
    cuts::Keep,
    lines::{Lines, LinesConfig},
    passes::run_passes,
    stage::{Stage, Summary},
    work::Work,
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    settings::Result,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

pub(in super::super) type Shards = Vec<Vec<String>>;

/// By shard and document: the text that stays, or the rule that dropped it.
pub(in super::super) type Judged = Vec<Vec<std::result::Result<String, &'static str>>>;

/// What comes of a stage.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Outcome {
    pub documents: Judged,
    pub counts: Counts,
    pub summary: Summary,
}

impl Outcome {
    pub(in super::super) fn kept(&self) -> Vec<Option<&str>> {
        self.documents.iter().flatten().map(|document| document.as_deref().ok()).collect()
    }
}

pub(in super::super) fn documents(shard: usize, texts: &[String]) -> impl Iterator<Item = Document> {
    texts.iter().enumerate().map(move |(number, text)| Document::new(format!("{shard}#{number}"), text.clone()))
}

pub(in super::super) fn pass(stage: &dyn Stage, work: &Work, shards: &Shards) -> Result<Summary> {
    run_passes(stage, work, shards.len() as u32, &|shard, each| {
        documents(shard as usize, &shards[shard as usize]).try_for_each(|document| each(&document))
    })
}

pub(in super::super) fn judge(stage: &dyn Stage, work: &Work, shards: &Shards) -> Result<(Counts, Judged)> {
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

pub(in super::super) fn run_in(folder: &Path, stage: &dyn Stage, shards: &Shards, memory: usize, threads: usize) -> Outcome {
    let work = Work::new(folder, memory, threads, 7).unwrap();
    let summary = pass(stage, &work, shards).unwrap();
    let (counts, documents) = judge(stage, &work, shards).unwrap();
    Outcome { documents, counts, summary }
}

pub(in super::super) fn run(stage: &dyn Stage, shards: &Shards) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), stage, shards, 1 << 20, 1)
}

pub(in super::super) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// What cc_net compares lines by.
pub(in super::super) fn ccnet(line: &str, out: &mut String) {
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

pub(in super::super) fn lines(keep: Keep, group: u32) -> Lines {
    Lines::new(LinesConfig { keep, group, min_chars: 0, min_chars_after: 0 }, Box::new(ccnet))
}

pub(in super::super) fn reference() -> (Vec<String>, serde_json::Value) {
    let corpus = include_str!("../../../../../tests/data/fixtures/dedup/corpus.json");
    let expected = include_str!("../../../../../tests/data/fixtures/dedup/expected.json");
    (serde_json::from_str(corpus).unwrap(), serde_json::from_str(expected).unwrap())
}

pub(in super::super) fn cut(texts: &[String], shards: usize) -> Shards {
    (0..shards).map(|shard| texts[shard * texts.len() / shards..(shard + 1) * texts.len() / shards].to_vec()).collect()
}

pub(in super::super) fn letters(random: &mut ChaCha8Rng) -> String {
    (0..4).map(|_| char::from(b'a' + random.random_range(0..26u8))).collect()
}

pub(in super::super) fn books(scaled: u64, drop: BookRule) -> Books {
    Books::new(BooksConfig { scaled, drop, ..BooksConfig::default() }).unwrap()
}

/// Documents that share words, lines, sentences, copies and near-copies.
pub(in super::super) fn corpus(seed: u64, documents: usize) -> Vec<String> {
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
