//! Pairs of documents that may be duplicates, and a second reading of those documents to compare their sets exactly.

use super::{
    file::{Reader, Writer},
    passes::Counter,
    record::Place,
    sets::{SetReader, SetWriter},
    sorted::Sorter,
    stage::Scan,
    work::Work,
};
use crate::{
    data::pipeline::Document,
    files,
    settings::{Error, Result},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::PathBuf};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Characters of a text that are shown of a sampled document.
const EXCERPT: usize = 2000;

/// The lower place, and the higher.
pub(super) type Pair = (Place, Place);

fn pairs_path(work: &Work) -> PathBuf {
    work.path("pairs.run")
}

fn sample_path(work: &Work) -> PathBuf {
    work.path("sample.json")
}

/// Writes candidate pairs, each once, and for every shard which of its documents are in one. The number of pairs is
/// returned; `sample` of them, by a hash, will be shown.
pub(super) fn write(work: &Work, shards: u32, pairs: Sorter<Pair>, sample: usize) -> Result<u64> {
    let mut wanted: Sorter<Place> = work.sorter("wanted", work.share(4))?;
    let mut writer = Writer::create(&pairs_path(work), work.share(8))?;
    let mut shown = BTreeMap::new();
    let mut sorted = pairs.sorted()?;
    let mut last = None;
    while let Some(pair) = sorted.next()? {
        if last == Some(pair) {
            continue;
        }
        last = Some(pair);
        writer.push(&pair)?;
        wanted.push(pair.0)?;
        wanted.push(pair.1)?;
        let number = |place: Place| u64::from(place.shard) << 32 | u64::from(place.document);
        shown.insert((xxh3_64_with_seed(&number(pair.0).to_le_bytes(), number(pair.1)), pair), ());
        if shown.len() > sample {
            shown.pop_last();
        }
    }
    let count = writer.records();
    writer.finish(work.fingerprint(), 0)?;
    let shown: Vec<Pair> = shown.into_keys().map(|(_, pair)| pair).collect();
    files::write(&sample_path(work), &serde_json::to_vec(&shown).expect("numbers are JSON"))?;
    let mut wanted = wanted.sorted()?;
    let mut next = wanted.next()?;
    for shard in 0..shards {
        let mut writer = Writer::create(&work.shard_path("wanted", shard), work.share(8))?;
        while let Some(place) = next.filter(|place| place.shard == shard) {
            writer.push(&place.document)?;
            while next == Some(place) {
                next = wanted.next()?;
            }
        }
        writer.finish(work.fingerprint(), 0)?;
    }
    Ok(count)
}

/// A document that is shown.
#[derive(Serialize, Deserialize)]
struct Shown {
    document: u32,
    id: String,
    text: String,
}

fn shown_path(work: &Work, shard: u32) -> PathBuf {
    work.path(format!("shown-{shard:06}.json"))
}

fn sample(work: &Work) -> Result<Vec<Pair>> {
    let path = sample_path(work);
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|_| broken(&path))
}

fn broken(path: &std::path::Path) -> Error {
    Error::input(path.display(), "the file is damaged", "delete the working folder and start again: it is made anew")
}

/// Reads the documents that are in a pair once more; `hashes` makes the set of one, sorted, each once.
pub(super) struct CandidateScan<'a, F> {
    work: &'a Work,
    shard: u32,
    wanted: Reader<u32>,
    next: Option<u32>,
    counter: Counter,
    sets: SetWriter,
    set: Vec<u64>,
    hashes: F,
    sample: Vec<Place>,
    shown: Vec<Shown>,
}

impl<'a, F: FnMut(&str, &mut Vec<u64>)> CandidateScan<'a, F> {
    /// Opens a shard.
    pub(super) fn open(work: &'a Work, pass: u32, shard: u32, hashes: F) -> Result<Self> {
        let mut wanted = Reader::open_checked(&work.shard_path("wanted", shard), work.fingerprint(), work.scan_memory() / 4)?;
        let next = wanted.next()?;
        let sample = sample(work)?.into_iter().flat_map(|(a, b)| [a, b]).filter(|place| place.shard == shard).collect();
        let sets = SetWriter::create(work, pass, shard)?;
        Ok(Self { work, shard, wanted, next, counter: Counter::new(shard), sets, set: vec![], hashes, sample, shown: vec![] })
    }
}

impl<F: FnMut(&str, &mut Vec<u64>)> Scan for CandidateScan<'_, F> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        if self.next != Some(place.document) {
            return Ok(());
        }
        self.next = self.wanted.next()?;
        self.set.clear();
        (self.hashes)(&document.text, &mut self.set);
        self.set.sort_unstable();
        self.set.dedup();
        self.sets.add(place.document, &self.set)?;
        if self.sample.contains(&place) {
            let text = document.text.chars().take(EXCERPT).collect();
            self.shown.push(Shown { document: place.document, id: document.id.clone(), text });
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        files::write(&shown_path(self.work, self.shard), &serde_json::to_vec(&self.shown).expect("strings are JSON"))?;
        self.sets.finish(self.counter.count())
    }
}

/// Compares all pairs: `judge` is told the pair, the sizes of its sets and what they share, and says how alike they are and
/// whether they are duplicates. The sampled pairs go to `pairs.jsonl`.
pub(super) fn verify(work: &Work, pass: u32, mut judge: impl FnMut(Pair, [usize; 2], usize) -> Result<(f64, bool)>) -> Result<()> {
    let mut pairs = Reader::<Pair>::open_checked(&pairs_path(work), work.fingerprint(), work.share(8))?;
    let mut reader = SetReader::new(work, pass);
    let (mut first, mut second, mut loaded) = (vec![], vec![], None);
    let sample = sample(work)?;
    let mut found = BTreeMap::new();
    while let Some(pair) = pairs.next()? {
        if loaded != Some(pair.0) {
            reader.read(pair.0, &mut first)?;
            loaded = Some(pair.0);
        }
        reader.read(pair.1, &mut second)?;
        let judged = judge(pair, [first.len(), second.len()], super::sets::shared(&first, &second))?;
        if sample.contains(&pair) {
            found.insert(pair, judged);
        }
    }
    write_sample(work, &sample, &found)
}

fn write_sample(work: &Work, sample: &[Pair], found: &BTreeMap<Pair, (f64, bool)>) -> Result<()> {
    let mut shown = BTreeMap::new();
    for shard in sample.iter().flat_map(|(a, b)| [a.shard, b.shard]).collect::<std::collections::BTreeSet<_>>() {
        let path = shown_path(work, shard);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let read: Vec<Shown> = serde_json::from_slice(&bytes).map_err(|_| broken(&path))?;
        shown.extend(read.into_iter().map(|one| (Place { shard, document: one.document }, one)));
    }
    let side = |place: &Place| {
        let one = shown.get(place);
        serde_json::json!({
            "document": place.to_string(),
            "id": one.map(|one| &one.id),
            "text": one.map(|one| &one.text),
        })
    };
    let mut lines = String::new();
    for (pair, (similarity, duplicate)) in found {
        let line = serde_json::json!({"similarity": similarity, "duplicate": duplicate, "first": side(&pair.0), "second": side(&pair.1)});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    files::write(&work.path("pairs.jsonl"), lines.as_bytes())
}
