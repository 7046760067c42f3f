//! Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997; the scheme and its defaults are those of
//! `minhash.py` of huggingface/datatrove at a649de79c1).
//!
//! ```text
//! scan    text → words → shingles → lowest values of bands × rows functions → a key per band
//! decide  equal keys are candidate pairs (→ read again, compared exactly) → groups; the first of each stays
//! ```
//!
//! A band's values are compared by 64 bits of a hash, which makes a false pair among n documents with probability
//! (n · bands)² / 2⁶⁵: one in twenty for a hundred million. `verify` removes those too.

mod config;
mod mersenne;
mod permutations;
#[cfg(test)]
mod tests;

pub use config::{MinhashConfig, Scheme, ShingleHash};

use super::{
    candidates::{self, CandidateScan},
    clusters::{self, Member},
    components::components,
    drops::{self, DropJudge},
    passes::Counter,
    record::Place,
    sorted::{Sorted, Sorter},
    stage::{Judge, Scan, Stage, Summary},
    words,
    work::Work,
};
use crate::{
    data::pipeline::Document,
    settings::{Error, Result},
};
use permutations::{Permutations, Signer};
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Documents of a bucket that each later one is compared with when pairs are verified.
const LEADERS: usize = 8;

/// A hash of the values of a band, and whose it is.
type Occurrence = (u64, Place);

/// Deduplication by MinHash: the first document of each group stays.
pub struct Minhash {
    config: MinhashConfig,
    functions: Permutations,
}

impl Minhash {
    /// Draws the hash functions.
    ///
    /// # Errors
    ///
    /// An option is out of range.
    pub fn new(config: MinhashConfig) -> Result<Self> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(Error::input(format!("minhash.{}", problem.key), problem.message, problem.help.unwrap_or_default()));
        }
        let functions = Permutations::new(&config);
        Ok(Self { config, functions })
    }

    /// The lowest values of all functions over a text, band after band; none if it has fewer words than a shingle.
    pub fn signature(&self, text: &str) -> Option<Vec<u64>> {
        let mut signer = self.functions.signer();
        self.sign(text, &mut words::Scratch::default(), &mut signer).map(<[u64]>::to_vec)
    }

    fn sign<'a>(&self, text: &str, scratch: &mut words::Scratch, signer: &'a mut Signer) -> Option<&'a [u64]> {
        signer.clear();
        words::shingles(scratch, text, self.config.shingle, |shingle| signer.push(self.functions.shingle(shingle)));
        signer.finish()
    }

    /// Keys of the bands of a signature.
    fn keys(&self, signature: &[u64]) -> impl Iterator<Item = u64> {
        signature.chunks_exact(self.config.rows).enumerate().map(|(band, values)| {
            let mut bytes = [0; 8 * 64];
            let mut hash = band as u64;
            for values in values.chunks(64) {
                bytes.chunks_exact_mut(8).zip(values).for_each(|(bytes, value)| bytes.copy_from_slice(&value.to_le_bytes()));
                hash = xxh3_64_with_seed(&bytes[..8 * values.len()], hash);
            }
            hash
        })
    }

    /// Candidate pairs of all documents that share a key.
    fn pairs(&self, work: &Work, shards: u32, summary: &mut Summary) -> Result<Sorter<(Place, Place)>> {
        let mut pairs = work.sorter("pairs", work.share(4))?;
        let mut merge = work.merge::<Occurrence>(0, 0..shards, work.share(4))?;
        let leaders = if self.config.verify.is_some() { LEADERS } else { 1 };
        let mut bucket: Vec<Place> = vec![];
        let (mut last, mut keys) = (None, 0u64);
        while let Some((key, place)) = merge.next()? {
            keys += 1;
            if last != Some(key) {
                bucket.clear();
                last = Some(key);
            }
            bucket.iter().try_for_each(|leader| pairs.push((*leader, place)))?;
            if bucket.len() < leaders {
                bucket.push(place);
            }
        }
        summary.insert("documents signed".into(), keys / self.config.bands as u64);
        summary.insert("documents".into(), (0..shards).map(|shard| work.documents::<Occurrence>(0, shard)).sum::<Result<u64>>()?);
        Ok(pairs)
    }

    fn drop_copies(&self, work: &Work, shards: u32, pairs: Sorter<(Place, Place)>, alike: Option<Sorted<(Place, u32)>>) -> Result<Summary> {
        let mut labels = components(work, "components", pairs, work.share(2))?;
        let mut members: Sorter<Member> = work.sorter("members", work.share(4))?;
        let mut alike = match alike {
            Some(sorted) => Some(Highest::new(sorted)?),
            None => None,
        };
        let drops = || {
            let Some((member, keeper)) = labels.next()? else { return Ok(None) };
            let bits = match &mut alike {
                Some(alike) => alike.of(member)?,
                None => 0,
            };
            members.push((keeper, member, bits))?;
            Ok(Some((member, keeper)))
        };
        let dropped = drops::write(work, shards, drops, |shard| work.documents::<Occurrence>(0, shard))?;
        let clusters = clusters::write(work, members)?;
        Ok([("clusters".into(), clusters), ("documents dropped".into(), dropped)].into())
    }
}

/// The highest number of each place, asked for in order.
struct Highest {
    sorted: Sorted<(Place, u32)>,
    next: Option<(Place, u32)>,
}

impl Highest {
    fn new(mut sorted: Sorted<(Place, u32)>) -> Result<Self> {
        let next = sorted.next()?;
        Ok(Self { sorted, next })
    }

    fn of(&mut self, place: Place) -> Result<u32> {
        let mut highest = 0;
        while let Some((found, bits)) = self.next.filter(|(found, _)| *found <= place) {
            // The highest of a place comes last; places in between are keepers.
            if found == place {
                highest = bits;
            }
            self.next = self.sorted.next()?;
        }
        Ok(highest)
    }
}

impl Stage for Minhash {
    fn name(&self) -> &'static str {
        "minhash"
    }

    fn passes(&self) -> u32 {
        if self.config.verify.is_some() { 2 } else { 1 }
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        if pass > 0 {
            let mut scratch = words::Scratch::default();
            let hashes = move |text: &str, set: &mut Vec<u64>| {
                words::shingles(&mut scratch, text, self.config.shingle, |shingle| set.push(self.functions.shingle(shingle)));
            };
            return Ok(Box::new(CandidateScan::open(work, pass, shard, hashes)?));
        }
        let sorter = work.sorter(&format!("scan-{pass}-{shard}"), work.scan_memory())?;
        let path = work.scan_path(pass, shard);
        Ok(Box::new(MinhashScan {
            stage: self,
            signer: self.functions.signer(),
            scratch: words::Scratch::default(),
            sorter,
            counter: Counter::new(shard),
            path,
        }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        let mut summary = Summary::new();
        let Some(least) = self.config.verify else {
            let pairs = self.pairs(work, shards, &mut summary)?;
            summary.extend(self.drop_copies(work, shards, pairs, None)?);
            return Ok(summary);
        };
        if pass == 0 {
            let pairs = self.pairs(work, shards, &mut summary)?;
            summary.insert("pairs".into(), candidates::write(work, shards, pairs, self.config.sample)?);
            return Ok(summary);
        }
        let mut pairs = work.sorter("verified", work.share(8))?;
        let mut alike = work.sorter("alike", work.share(8))?;
        candidates::verify(work, pass, |pair, sizes, shared| {
            let union = sizes[0] + sizes[1] - shared;
            let jaccard = if union == 0 { 0.0 } else { shared as f64 / union as f64 };
            if jaccard >= least {
                pairs.push(pair)?;
                alike.push((pair.0, (jaccard as f32).to_bits()))?;
                alike.push((pair.1, (jaccard as f32).to_bits()))?;
            }
            Ok((jaccard, jaccard >= least))
        })?;
        summary.insert("pairs verified".into(), pairs.records());
        summary.extend(self.drop_copies(work, shards, pairs, Some(alike.sorted()?))?);
        Ok(summary)
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(DropJudge::open(work, shard, "minhash.near-copy")?))
    }
}

struct MinhashScan<'a> {
    stage: &'a Minhash,
    signer: Signer<'a>,
    scratch: words::Scratch,
    sorter: Sorter<Occurrence>,
    counter: Counter,
    path: PathBuf,
}

impl Scan for MinhashScan<'_> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        let Some(signature) = self.stage.sign(&document.text, &mut self.scratch, &mut self.signer) else { return Ok(()) };
        self.stage.keys(signature).try_for_each(|key| self.sorter.push((key, place)))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}
