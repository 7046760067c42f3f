//! Training text that is in evaluations: 13-grams of words, as GPT-3 was cleaned (Brown et al. 2020, arXiv 2005.14165,
//! appendix C).
//!
//! The evaluations' n-grams are kept in memory, beside the budget: about 60 bytes for each of their words. Grams are compared
//! by 128 bits of a hash.

mod config;
mod grams;
mod index;
#[cfg(test)]
mod tests;

pub use config::{ContaminationAction, ContaminationConfig};
pub use index::Evaluation;

use super::{
    file::{Reader, Writer},
    passes::Counter,
    record::Place,
    sorted::Sorter,
    stage::{Judge, Scan, Stage, Summary},
    work::Work,
};
use crate::{
    data::pipeline::{Counts, Document, Verdict},
    files,
    settings::{Error, Result},
};
use grams::Roll;
use index::Index;
use serde::Serialize;
use std::{collections::BTreeSet, ops::Range, path::PathBuf};

/// A gram of an evaluation, and a document that holds it.
type Occurrence = (u32, Place);

/// Removes what is in evaluations.
pub struct Contamination {
    config: ContaminationConfig,
    index: Index,
    names: Vec<String>,
    items: Vec<u64>,
}

/// What `contamination.json` says of an evaluation.
#[derive(Debug, Default, Serialize)]
struct Report {
    name: String,
    items: u64,
    /// Items of too few words to be looked for.
    items_too_short: u64,
    items_found: u64,
    documents: u64,
    grams_found: u64,
    /// Grams that too many documents hold.
    grams_ignored: u64,
}

impl Contamination {
    /// Looks for what is in these evaluations.
    ///
    /// # Errors
    ///
    /// An option is out of range, no item is long enough, or two evaluations have the same name.
    pub fn new(config: ContaminationConfig, evaluations: &[Evaluation]) -> Result<Self> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(Error::input(format!("contamination.{}", problem.key), problem.message, problem.help.unwrap_or_default()));
        }
        let names: Vec<String> = evaluations.iter().map(|one| one.name.clone()).collect();
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return Err(Error::input("contamination", "two evaluations have the same name", "name each file once"));
        }
        let index = Index::new(&config, evaluations);
        if index.len() == 0 {
            let message = format!("no evaluation has an item of {} words", config.min_words.min(config.ngram));
            return Err(Error::input("contamination", message, "name files with items, or lower min_words"));
        }
        let items = evaluations.iter().map(|one| one.items.len() as u64).collect();
        Ok(Self { config, index, names, items })
    }

    fn ignored_path(&self, work: &Work) -> PathBuf {
        work.path("ignored.run")
    }

    fn write_reports(&self, work: &Work, reports: &mut [Report], by_item: Sorter<(u32, u32, Place)>) -> Result<()> {
        let mut lines = String::new();
        let mut sorted = by_item.sorted()?;
        let mut next = sorted.next()?;
        while let Some((file, item, _)) = next {
            let (mut documents, mut last) = (0u64, None);
            while let Some((.., place)) = next.filter(|(other, number, _)| (*other, *number) == (file, item)) {
                documents += u64::from(last != Some(place));
                last = Some(place);
                next = sorted.next()?;
            }
            reports[file as usize].items_found += 1;
            let line = serde_json::json!({"evaluation": self.names[file as usize], "item": item, "documents": documents});
            lines.push_str(&line.to_string());
            lines.push('\n');
        }
        files::write(&work.path("contamination-items.jsonl"), lines.as_bytes())?;
        let text = serde_json::to_string_pretty(&reports).expect("names and numbers are JSON");
        files::write(&work.path("contamination.json"), text.as_bytes())
    }
}

impl Stage for Contamination {
    fn name(&self) -> &'static str {
        "contamination"
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        let sorter = work.sorter(&format!("scan-{pass}-{shard}"), work.scan_memory())?;
        let path = work.scan_path(pass, shard);
        let roll = self.index.roll();
        Ok(Box::new(ContaminationScan { index: &self.index, roll, found: vec![], sorter, counter: Counter::new(shard), path }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        let names = self.names.iter().zip(&self.items).zip(&self.index.short);
        let report = |((name, items), short): ((&String, &u64), &u64)| Report {
            name: name.clone(),
            items: *items,
            items_too_short: *short,
            ..Report::default()
        };
        let mut reports: Vec<Report> = names.map(report).collect();
        let mut merge = work.merge::<Occurrence>(pass, 0..shards, work.share(4))?;
        let mut ignored = Writer::create(&self.ignored_path(work), work.share(8))?;
        let mut by_file: Sorter<(u32, Place)> = work.sorter("by-file", work.share(4))?;
        let mut by_item: Sorter<(u32, u32, Place)> = work.sorter("by-item", work.share(4))?;
        let most = if self.config.ignore_above == 0 { u64::MAX } else { self.config.ignore_above };
        let mut next = merge.next()?;
        let mut holders: Vec<Place> = vec![];
        while let Some((gram, _)) = next {
            let owners = self.index.owners(gram);
            let files: BTreeSet<u32> = owners.iter().map(|(file, _)| *file).collect();
            let mut tell = |holders: &mut Vec<Place>| {
                holders.drain(..).try_for_each(|place| {
                    files.iter().try_for_each(|file| by_file.push((*file, place)))?;
                    owners.iter().try_for_each(|(file, item)| by_item.push((*file, *item, place)))
                })
            };
            let mut documents = 0u64;
            while let Some((_, place)) = next.filter(|(other, _)| *other == gram) {
                documents += 1;
                if documents <= most {
                    holders.push(place);
                }
                if most == u64::MAX {
                    tell(&mut holders)?;
                }
                next = merge.next()?;
            }
            if documents > most {
                holders.clear();
                ignored.push(&gram)?;
                files.iter().for_each(|file| reports[*file as usize].grams_ignored += 1);
            } else {
                tell(&mut holders)?;
                files.iter().for_each(|file| reports[*file as usize].grams_found += 1);
            }
        }
        ignored.finish(work.fingerprint(), 0)?;
        let mut sorted = by_file.sorted()?;
        let mut last = None;
        while let Some(found) = sorted.next()? {
            reports[found.0 as usize].documents += u64::from(last != Some(found));
            last = Some(found);
        }
        self.write_reports(work, &mut reports, by_item)?;
        let sum = |part: fn(&Report) -> u64| reports.iter().map(part).sum();
        Ok([("items found".into(), sum(|one| one.items_found)), ("items".into(), sum(|one| one.items))].into())
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        let mut reader = Reader::<u32>::open_checked(&self.ignored_path(work), work.fingerprint(), work.scan_memory())?;
        let mut ignored = vec![false; self.index.len()];
        while let Some(gram) = reader.next()? {
            if let Some(ignored) = ignored.get_mut(gram as usize) {
                *ignored = true;
            }
        }
        let documents = work.documents::<Occurrence>(0, shard)?;
        Ok(Box::new(ContaminationJudge { stage: self, roll: self.index.roll(), ignored, counter: Counter::new(shard), documents }))
    }
}

struct ContaminationScan<'a> {
    index: &'a Index,
    roll: Roll,
    found: Vec<u32>,
    sorter: Sorter<Occurrence>,
    counter: Counter,
    path: PathBuf,
}

impl Scan for ContaminationScan<'_> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        self.found.clear();
        self.index.find(&document.text, &mut self.roll, |gram, _| self.found.push(gram));
        self.found.sort_unstable();
        self.found.dedup();
        self.found.iter().try_for_each(|gram| self.sorter.push((*gram, place)))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}

struct ContaminationJudge<'a> {
    stage: &'a Contamination,
    roll: Roll,
    ignored: Vec<bool>,
    counter: Counter,
    documents: u64,
}

impl Judge for ContaminationJudge<'_> {
    fn apply(&mut self, document: &mut Document, counts: &mut Counts) -> Result<Verdict> {
        self.counter.next()?;
        let mut found: Vec<Range<usize>> = vec![];
        let mut files = BTreeSet::new();
        let index = &self.stage.index;
        index.find(&document.text, &mut self.roll, |gram, bytes| {
            if self.ignored[gram as usize] {
                return;
            }
            files.extend(index.owners(gram).iter().map(|(file, _)| *file));
            match found.last_mut() {
                Some(last) if bytes.start <= last.end => *last = last.start.min(bytes.start)..last.end.max(bytes.end),
                _ => found.push(bytes),
            }
        });
        if found.is_empty() {
            return Ok(Verdict::Keep);
        }
        let matched: usize = found.iter().map(|bytes| bytes.len()).sum();
        files.iter().for_each(|file| counts.add(&format!("contamination.{}", self.stage.names[*file as usize]), matched));
        let names: Vec<&str> = files.iter().map(|file| self.stage.names[*file as usize].as_str()).collect();
        document.meta.insert("contaminated_by".into(), names.into());
        if self.stage.config.action == ContaminationAction::Drop {
            return Ok(Verdict::Drop("contamination.found"));
        }
        let config = &self.stage.config;
        let pieces = pieces(&document.text, &found, config.window);
        if pieces.len() > config.max_pieces {
            return Ok(Verdict::Drop("contamination.pieces"));
        }
        let long = |piece: &&str| !super::lines::shorter(piece, config.min_piece);
        let kept = pieces.into_iter().filter(long).collect::<Vec<_>>().join("\n\n");
        if kept.trim().is_empty() {
            return Ok(Verdict::Drop("contamination.none-left"));
        }
        counts.add("contamination.cut", document.text.len().saturating_sub(kept.len()));
        document.text = kept;
        Ok(Verdict::Keep)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.counter.check(self.documents)
    }
}

/// What is left between matches, each of which takes so many characters around it along.
fn pieces<'a>(text: &'a str, found: &[Range<usize>], window: usize) -> Vec<&'a str> {
    let mut pieces = vec![];
    let mut start = 0;
    for bytes in found {
        let before = &text[..bytes.start];
        let end = if window == 0 { bytes.start } else { before.char_indices().nth_back(window - 1).map_or(0, |(at, _)| at) };
        if end > start {
            pieces.push(&text[start..end]);
        }
        let after = &text[bytes.end..];
        start = start.max(bytes.end + after.char_indices().nth(window).map_or(after.len(), |(at, _)| at));
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}
