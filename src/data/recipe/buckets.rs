//! Which bucket of perplexities a document is in, by the perplexities of all documents.

use crate::{
    data::pipeline::{
        Counts, Document, Rules, Verdict,
        dedup::{Judge, Scan, Stage, Summary, Work},
        language::{Buckets, Percentiles, PerplexityConfig},
    },
    files,
    settings::{Error, Result},
};
use std::path::{Path, PathBuf};

/// Finds the percentiles, and then keeps the buckets that are asked for.
pub(super) struct BucketStage(PerplexityConfig);

impl BucketStage {
    /// # Errors
    ///
    /// An option is out of range.
    pub fn new(config: PerplexityConfig) -> Result<Self> {
        let mut any = Percentiles::default();
        any.add(1.0);
        Buckets::new(&config, &any)?;
        Ok(Self(config))
    }
}

fn write(path: &Path, scores: &Percentiles) -> Result<()> {
    files::write(path, serde_json::to_string(scores).expect("numbers").as_bytes())
}

fn read(path: &Path) -> Result<Percentiles> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&bytes)
        .map_err(|_| Error::input(path.display(), "the file is damaged", "delete it and start again: it is made anew"))
}

struct Scores {
    scores: Percentiles,
    path: PathBuf,
}

impl Scan for Scores {
    fn add(&mut self, document: &Document) -> Result<()> {
        if let Some(score) = document.meta.get("perplexity").and_then(serde_json::Value::as_f64) {
            self.scores.add(score);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        write(&self.path, &self.scores)
    }
}

struct Judging(Buckets);

impl Judge for Judging {
    fn apply(&mut self, document: &mut Document, counts: &mut Counts) -> Result<Verdict> {
        Ok(self.0.apply(document, counts))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Stage for BucketStage {
    fn name(&self) -> &'static str {
        "perplexity"
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        Ok(Box::new(Scores { scores: Percentiles::default(), path: work.scan_path(pass, shard) }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        let mut all = Percentiles::default();
        for shard in 0..shards {
            all.merge(&read(&work.scan_path(pass, shard))?);
        }
        write(&work.path("percentiles.json"), &all)?;
        let cutoffs = Buckets::new(&self.0, &all)?.cutoffs();
        let names = ["tenths of perplexity below which is head", "tenths of perplexity below which is middle"];
        Ok(names.into_iter().zip(cutoffs).map(|(name, cutoff)| (name.to_string(), (cutoff * 10.0).round() as u64)).collect())
    }

    fn judge<'a>(&'a self, work: &'a Work, _: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(Judging(Buckets::new(&self.0, &read(&work.path("percentiles.json"))?)?)))
    }
}
