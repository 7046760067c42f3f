//! Stages run up to their last decision.

use super::{
    record::Place,
    stage::{Stage, Summary},
    work::Work,
};
use crate::{
    data::pipeline::Document,
    files,
    settings::{Error, Result},
};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Reads shards: calls back with every document of the shard of that number, in order.
pub type ReadShard<'a> = dyn Fn(u32, &mut dyn FnMut(&Document) -> Result<()>) -> Result<()> + Sync + 'a;

/// Runs all passes of a stage up to its last decision; what is there already is not done again. What was decided is returned.
///
/// # Errors
///
/// Those of reading, and of [`Stage::scan`] and [`Stage::decide`].
pub fn run_passes(stage: &dyn Stage, work: &Work, shards: u32, read: &ReadShard) -> Result<Summary> {
    let mut all = Summary::new();
    for pass in 0..stage.passes() {
        let summary = match work.decided(pass)? {
            Some(summary) => summary,
            None => {
                parallel(work.threads(), shards, &|shard| {
                    if work.scanned(pass, shard) {
                        return Ok(());
                    }
                    let mut scan = stage.scan(work, pass, shard)?;
                    read(shard, &mut |document| scan.add(document))?;
                    scan.finish()
                })?;
                let summary = stage.decide(work, pass, shards)?;
                let text = serde_json::to_string_pretty(&summary).expect("numbers by name are JSON");
                files::write(&work.decision_path(pass), text.as_bytes())?;
                summary
            }
        };
        all.extend(summary);
    }
    Ok(all)
}

/// Does `count` things on some threads; the error of the first of them in order is returned.
pub(super) fn parallel(threads: usize, count: u32, each: &(dyn Fn(u32) -> Result<()> + Sync)) -> Result<()> {
    if threads.min(count as usize) <= 1 {
        return (0..count).try_for_each(each);
    }
    let (next, failed, error) = (AtomicU32::new(0), AtomicBool::new(false), Mutex::new(None::<(u32, Error)>));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count as usize) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    if let Err(wrong) = each(number) {
                        failed.store(true, Ordering::Relaxed);
                        let mut first = error.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        if first.as_ref().is_none_or(|(place, _)| number < *place) {
                            *first = Some((number, wrong));
                        }
                    }
                }
            });
        }
    });
    match error.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The place of the next document of a shard.
#[derive(Debug)]
pub(super) struct Counter(Place);

impl Counter {
    /// Of a shard's first document.
    pub(super) fn new(shard: u32) -> Self {
        Self(Place { shard, document: 0 })
    }

    /// The place, and one document further.
    ///
    /// # Errors
    ///
    /// A shard has more than 2³² − 2 documents.
    pub(super) fn next(&mut self) -> Result<Place> {
        let place = self.0;
        let more = || Error::input(format!("shard {}", place.shard), "more than four billion documents", "cut the input into more files");
        self.0.document = place.document.checked_add(1).ok_or_else(more)?;
        Ok(place)
    }

    /// Documents so far.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.0.document)
    }

    /// Whether the shard had as many documents as when it was scanned.
    pub(super) fn check(&self, documents: u64) -> Result<()> {
        if self.count() == documents {
            return Ok(());
        }
        let message = format!("{} documents were judged, but {documents} were scanned", self.count());
        Err(Error::input(format!("shard {}", self.0.shard), message, "the input has changed: delete the working folder and start again"))
    }
}
