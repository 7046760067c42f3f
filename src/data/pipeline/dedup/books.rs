//! Books that are in other books: LLaMA drops "books with more than 90% content overlap" (section 2.1) and does not say how.
//!
//! The overlap of two books is the share of the smaller one's 5-grams of words that the other has too: |A∩B| / min(|A|, |B|).
//! Unlike Jaccard's similarity it finds a novel in an omnibus edition. Books are compared by FracMinHash sketches, all
//! hashes below 2⁶⁴ / scaled (Irber et al. 2022, "Lightweight compositional analysis of metagenomes with FracMinHash"), and
//! then exactly.
//!
//! ```text
//! scan 0    the hashes of every book's sketch
//! decide 0  a book that has t of its m hashes in another has one of any m - t + 1 there: of the rarest of its hashes, as
//!           they are in the fewest books. Whoever shares one is a candidate (prefix filtering, Chaudhuri et al. 2006)
//! scan 1    all hashes of the candidates
//! decide 1  exact overlaps; then, book by book, who is in a book that stays goes
//! ```

use super::{
    candidates::{self, CandidateScan},
    clusters::{self, Member},
    drops::{self, DropJudge},
    passes::Counter,
    record::Place,
    sorted::Sorter,
    stage::{Judge, Scan, Stage, Summary},
    words,
    work::Work,
};
use crate::{
    data::pipeline::Document,
    settings::{Error, Problem, Result, options},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Which of two books that overlap goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BookRule {
    /// The one with fewer different 5-grams, of equal ones the later: an omnibus edition stays, whatever the order.
    Contained,
    /// The later one, though it may hold more: of a novel and a later omnibus edition, the novel stays.
    Later,
}

options! {
    /// Options of the deduplication of books.
    BooksConfig {
        /// Words of a shingle.
        shingle: usize = 5,
        /// Books that overlap by more than this are duplicates (LLaMA: "more than 90%").
        overlap: f64 = 0.9,
        /// Sketches hold one hash of so many. 1 compares everything and misses nothing; 64 misses a pair of books of more than
        /// 10,000 words about once in 30,000, and takes a 64th of the disk.
        scaled: u64 = 64,
        /// Which book goes.
        drop: BookRule = BookRule::Contained,
        /// So many candidate pairs are written to `pairs.jsonl`, with the beginnings of their texts.
        sample: usize = 20,
    }
}

impl BooksConfig {
    /// What is wrong, by key.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = vec![];
        if !(1..=1000).contains(&self.shingle) {
            problems.push(Problem::new("shingle", "must be 1 to 1000").help("5 words is usual"));
        }
        if !(self.overlap > 0.0 && self.overlap < 1.0) {
            problems.push(Problem::new("overlap", "must be more than 0 and less than 1").help("LLaMA's is 0.9"));
        }
        if self.scaled == 0 {
            problems.push(Problem::new("scaled", "must be at least 1").help("1 compares everything"));
        }
        problems
    }

    /// Of a sketch of `size` hashes, how many must be in another for the books to be looked at exactly.
    fn needed(&self, size: usize) -> usize {
        let (size, share) = (size as f64, self.overlap);
        // A sample strays: four standard deviations are a miss in thirty thousand.
        let slack = if self.scaled == 1 { 1e-9 } else { 4.0 * (size * share * (1.0 - share)).sqrt() };
        ((size * share - slack).ceil() as usize).max(1)
    }
}

/// A hash of a sketch, and whose it is.
type Occurrence = (u64, Place);
/// A book's place in the order in which books are looked at, and the book.
type Ordered = (u64, Place);

/// The deduplication of books.
pub struct Books(BooksConfig);

impl Books {
    /// Compares books as the options say.
    ///
    /// # Errors
    ///
    /// An option is out of range.
    pub fn new(config: BooksConfig) -> Result<Self> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(Error::input(format!("books.{}", problem.key), problem.message, problem.help.unwrap_or_default()));
        }
        Ok(Self(config))
    }

    fn candidates(&self, work: &Work, shards: u32) -> Result<Summary> {
        let rarest = self.rarest(work, shards)?;
        let mut rarest = rarest.sorted()?;
        let mut merge = work.merge::<Occurrence>(0, 0..shards, work.share(4))?;
        let mut pairs: Sorter<(Place, Place)> = work.sorter("pairs", work.share(4))?;
        let (mut asked, mut found) = (rarest.next()?, merge.next()?);
        let mut books: Vec<Place> = vec![];
        while let Some((hash, _)) = asked {
            while found.is_some_and(|(other, _)| other < hash) {
                found = merge.next()?;
            }
            books.clear();
            while let Some((_, place)) = found.filter(|(other, _)| *other == hash) {
                books.push(place);
                found = merge.next()?;
            }
            while let Some((_, book)) = asked.filter(|(other, _)| *other == hash) {
                let others = books.iter().filter(|other| **other != book);
                others.map(|other| (book.min(*other), book.max(*other))).try_for_each(|pair| pairs.push(pair))?;
                asked = rarest.next()?;
            }
        }
        let pairs = candidates::write(work, shards, pairs, self.0.sample)?;
        Ok([("pairs".into(), pairs)].into())
    }

    /// The hashes that a book must share one of, for all books.
    fn rarest(&self, work: &Work, shards: u32) -> Result<Sorter<Occurrence>> {
        let mut by_book: Sorter<(Place, u32, u64)> = work.sorter("by-book", work.share(4))?;
        let mut merge = work.merge::<Occurrence>(0, 0..shards, work.share(4))?;
        let mut books: Vec<Place> = vec![];
        let mut next = merge.next()?;
        while let Some((hash, _)) = next {
            books.clear();
            while let Some((_, place)) = next.filter(|(other, _)| *other == hash) {
                books.push(place);
                next = merge.next()?;
            }
            books.iter().try_for_each(|place| by_book.push((*place, books.len() as u32, hash)))?;
        }
        drop(merge);
        let mut rarest: Sorter<Occurrence> = work.sorter("rarest", work.share(4))?;
        let mut sorted = by_book.sorted()?;
        let mut sketch: Vec<(u32, u64)> = vec![];
        let mut next = sorted.next()?;
        while let Some((place, ..)) = next {
            sketch.clear();
            while let Some((_, count, hash)) = next.filter(|(other, ..)| *other == place) {
                sketch.push((count, hash));
                next = sorted.next()?;
            }
            let prefix = &sketch[..sketch.len() - self.0.needed(sketch.len()).min(sketch.len()) + 1];
            prefix.iter().filter(|(count, _)| *count > 1).try_for_each(|(_, hash)| rarest.push((*hash, place)))?;
        }
        Ok(rarest)
    }

    fn drop_contained(&self, work: &Work, shards: u32) -> Result<Summary> {
        // Of every pair: the book that is looked at later, the other one, and the overlap.
        let mut overlaps: Sorter<(Ordered, Ordered, u32)> = work.sorter("overlaps", work.share(4))?;
        candidates::verify(work, 1, |(a, b), sizes, shared| {
            let smaller = sizes[0].min(sizes[1]);
            let overlap = if smaller == 0 { 0.0 } else { shared as f64 / smaller as f64 };
            let order = |size: usize| if self.0.drop == BookRule::Contained { u64::MAX - size as u64 } else { 0 };
            let (a, b) = ((order(sizes[0]), a), (order(sizes[1]), b));
            if overlap > self.0.overlap {
                overlaps.push((a.max(b), a.min(b), (overlap as f32).to_bits()))?;
            }
            Ok((overlap, overlap > self.0.overlap))
        })?;
        let found = overlaps.records();
        let mut gone: HashSet<Place> = HashSet::new();
        let mut drops: Sorter<(Place, Place)> = work.sorter("drops", work.share(4))?;
        let mut members: Sorter<Member> = work.sorter("members", work.share(4))?;
        let mut sorted = overlaps.sorted()?;
        while let Some(((_, book), (_, other), bits)) = sorted.next()? {
            // All that are looked at before it have been judged.
            if !gone.contains(&other) && gone.insert(book) {
                drops.push((book, other))?;
                members.push((other, book, bits))?;
            }
        }
        let dropped = drops::write_sorted(work, shards, drops.sorted()?, |shard| work.documents::<Occurrence>(0, shard))?;
        let clusters = clusters::write(work, members)?;
        Ok([("pairs verified", found), ("clusters", clusters), ("documents dropped", dropped)]
            .map(|(name, count)| (name.into(), count))
            .into())
    }
}

impl Stage for Books {
    fn name(&self) -> &'static str {
        "books"
    }

    fn passes(&self) -> u32 {
        2
    }

    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        let n = self.0.shingle;
        if pass > 0 {
            let mut scratch = words::Scratch::default();
            let hashes = move |text: &str, set: &mut Vec<u64>| words::shingles(&mut scratch, text, n, |shingle| set.push(xxh3_64(shingle)));
            return Ok(Box::new(CandidateScan::open(work, pass, shard, hashes)?));
        }
        let sorter = work.sorter(&format!("scan-{pass}-{shard}"), work.scan_memory())?;
        let path = work.scan_path(pass, shard);
        Ok(Box::new(BookScan {
            config: &self.0,
            sorter,
            counter: Counter::new(shard),
            sketch: vec![],
            scratch: words::Scratch::default(),
            path,
        }))
    }

    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        if pass == 0 { self.candidates(work, shards) } else { self.drop_contained(work, shards) }
    }

    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        Ok(Box::new(DropJudge::open(work, shard, "books.overlap")?))
    }
}

struct BookScan<'a> {
    config: &'a BooksConfig,
    sorter: Sorter<Occurrence>,
    counter: Counter,
    sketch: Vec<u64>,
    scratch: words::Scratch,
    path: PathBuf,
}

impl Scan for BookScan<'_> {
    fn add(&mut self, document: &Document) -> Result<()> {
        let place = self.counter.next()?;
        let highest = u64::MAX / self.config.scaled;
        self.sketch.clear();
        words::shingles(&mut self.scratch, &document.text, self.config.shingle, |shingle| {
            let hash = xxh3_64(shingle);
            if hash <= highest {
                self.sketch.push(hash);
            }
        });
        self.sketch.sort_unstable();
        self.sketch.dedup();
        self.sketch.iter().try_for_each(|hash| self.sorter.push((*hash, place)))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.sorter.finish(&self.path, self.counter.count())
    }
}
