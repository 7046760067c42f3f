//! The files that a build leaves.

use super::{
    config::Recipe,
    done::Done,
    report::FileReport,
    shard::{MadeDocuments, Shard},
    tally::Size,
};
use crate::{
    data::{
        Encoder, Tokenizer, cache,
        pipeline::{
            Document,
            formats::{self, Sink},
        },
        shards::{self, Encoded, FORMAT, Manifest, NOTHING_HELD_OUT, Named, Part, tokenizer_hash},
    },
    settings::{Error, Result},
};
use rayon::prelude::*;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub size: Size,
    pub by_source: BTreeMap<String, Size>,
    pub files: Vec<FileReport>,
}

/// How documents become files.
///
/// Documents are laid end to end in the order of shards, and cut every `output.file_bytes`: each is in the file in which it begins. So
/// files depend on documents alone, neither on threads nor on how the input was cut; a document that is longer than a file leaves
/// numbers out.
pub(super) struct Output<'a> {
    pub recipe: &'a Recipe,
    /// Hash of the recipe.
    pub said: &'a str,
    pub out: &'a Path,
    /// How far it is, and set when the build is to stop.
    pub done: &'a Done,
    pub stop: &'a AtomicBool,
}

/// A file of documents, with the ids of the same documents.
struct File {
    by_source: BTreeMap<String, Size>,
    documents: FileReport,
    tokens: Option<Part>,
}

impl Output<'_> {
    /// Writes the documents of shards that segments have made.
    pub fn write(&self, shards: &[Shard]) -> Result<Written> {
        let create = |name: &str| {
            let folder = self.out.join(name);
            std::fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder)).map(|()| folder)
        };
        create("documents")?;
        let tokenizer = self.recipe.output.tokenizer.as_ref().map(|path| Tokenizer::read(Path::new(path))).transpose()?;
        if let Some(tokenizer) = &tokenizer {
            tokenizer.save(&create("tokens")?)?;
        }
        let jobs = jobs(shards, self.recipe.output.file_bytes);
        let files: Vec<Vec<File>> = jobs.par_iter().map(|job| self.job(job, shards, tokenizer.as_ref())).collect::<Result<_>>()?;
        let (mut written, mut parts) = (Written::default(), vec![]);
        for file in files.into_iter().flatten() {
            written.size.merge(file.documents.size);
            for (source, size) in file.by_source {
                written.by_source.entry(source).or_default().merge(size);
            }
            let size = file.documents.size;
            written.files.push(file.documents);
            if let Some(part) = file.tokens {
                let name = format!("tokens/{}.bin", part.name);
                written.files.push(FileReport { name, size, sha256: part.sha256.clone(), tokens: Some(part.tokens) });
                parts.push(part);
            }
        }
        if let Some(tokenizer) = tokenizer {
            self.manifest(&tokenizer, parts)?;
        }
        Ok(written)
    }

    fn manifest(&self, tokenizer: &Tokenizer, train: Vec<Part>) -> Result<()> {
        let folder = self.out.join("tokens");
        let manifest = Manifest {
            format: FORMAT,
            key: self.said.into(),
            width: shards::width(tokenizer.vocab()),
            vocab: tokenizer.vocab(),
            tokenizer: tokenizer_hash(&folder),
            held_out: NOTHING_HELD_OUT.into(),
            train,
            validation: None,
        };
        manifest.write(&folder)
    }

    /// Writes the files of a job.
    fn job(&self, job: &Job, shards: &[Shard], tokenizer: Option<&Tokenizer>) -> Result<Vec<File>> {
        let mut laid = Laid {
            own: shards[job.shards.clone()].iter(),
            behind: shards[job.shards.end..].iter(),
            open: None,
            next: None,
            at: job.at,
            done: self.done,
            stop: self.stop,
        };
        let mut encoder = tokenizer.map(|tokenizer| (tokenizer, tokenizer.encoder()));
        let bytes = self.recipe.output.file_bytes;
        // What begins before the first file is in a file of another job.
        while laid.pull(job.files.start.saturating_mul(bytes))?.is_some() {}
        let mut files = vec![];
        for number in job.files.clone() {
            let end = (number + 1).saturating_mul(bytes);
            if laid.has(end)? || number == 0 {
                files.push(self.file(number, end, &mut laid, encoder.as_mut())?);
            }
        }
        Ok(files)
    }

    /// Writes the documents that begin before `end`, and their ids.
    fn file(&self, number: u64, end: u64, laid: &mut Laid<'_>, encoder: Option<&mut (&Tokenizer, Encoder<'_>)>) -> Result<File> {
        let mut file = Filling::default();
        let name = format!("documents/{number:05}.{}", self.recipe.output.packing.ending());
        let path = self.out.join(&name);
        let mut tokens = None;
        formats::write(&path, |sink| {
            let Some((tokenizer, encoder)) = encoder else { return file.fill(end, laid, sink, |_| Ok(())) };
            let (folder, stem, width) = (self.out.join("tokens"), format!("{number:05}"), shards::width(tokenizer.vocab()));
            let mut ids = vec![];
            let fill = |encoded: &mut Encoded<'_>| {
                file.fill(end, laid, sink, |document| {
                    ids.clear();
                    encoder.encode(&document.text, &mut ids);
                    encoded.push(&ids)
                })?;
                Ok(file.size.bytes)
            };
            tokens = Some(shards::write(&folder, Named { file: &stem, source: "" }, tokenizer.bos(), width, fill)?);
            Ok(())
        })?;
        let sha256 = cache::sha256(&path).map_err(Error::io("read", &path))?;
        Ok(File { by_source: file.by_source, documents: FileReport { name, size: file.size, sha256, tokens: None }, tokens })
    }
}

/// A file on its way.
#[derive(Default)]
struct Filling {
    size: Size,
    by_source: BTreeMap<String, Size>,
}

impl Filling {
    fn fill(&mut self, end: u64, laid: &mut Laid<'_>, sink: &mut Sink<'_>, mut each: impl FnMut(&Document) -> Result<()>) -> Result<()> {
        while let Some(document) = laid.pull(end)? {
            self.size.add(&document);
            match self.by_source.get_mut(&document.source) {
                Some(size) => size.add(&document),
                None => self.by_source.entry(document.source.clone()).or_default().add(&document),
            }
            each(&document)?;
            sink.push(&document)?;
        }
        Ok(())
    }
}

/// Documents of shards end to end.
struct Laid<'a> {
    own: std::slice::Iter<'a, Shard>,
    /// Where the last documents may go on: these count as done by another.
    behind: std::slice::Iter<'a, Shard>,
    open: Option<MadeDocuments<'a>>,
    /// The document that begins at `at`, if it has been looked at.
    next: Option<Document>,
    at: u64,
    done: &'a Done,
    stop: &'a AtomicBool,
}

impl Laid<'_> {
    /// Whether a document begins before `end`.
    fn has(&mut self, end: u64) -> Result<bool> {
        while self.at < end && self.next.is_none() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Error::input("the build", "was interrupted", "the same command goes on"));
            }
            match &mut self.open {
                Some(documents) => {
                    self.next = documents.next()?;
                    if self.next.is_none() {
                        self.open = None;
                    }
                }
                None => {
                    let own = self.own.next().map(|shard| (shard, Some(self.done)));
                    let Some((shard, done)) = own.or_else(|| Some((self.behind.next()?, None))) else { break };
                    self.open = Some(shard.made_documents(done)?);
                }
            }
        }
        Ok(self.at < end && self.next.is_some())
    }

    /// The next document if it begins before `end`.
    fn pull(&mut self, end: u64) -> Result<Option<Document>> {
        if !self.has(end)? {
            return Ok(None);
        }
        let document = self.next.take();
        self.at += document.as_ref().map_or(0, |document| document.text.len() as u64 + 1);
        Ok(document)
    }
}

/// Files that are written one after the other: those that begin in the first of its shards, whose documents may go on in the shards
/// behind these.
#[derive(Debug, PartialEq, Eq)]
struct Job {
    /// Where the first shard begins.
    at: u64,
    files: Range<u64>,
    /// The shard in which the files begin, and those behind it in which none does.
    shards: Range<usize>,
}

/// Cuts documents into files of so many bytes. A document takes a byte more than its text, so that no two begin at one place.
fn jobs(shards: &[Shard], bytes: u64) -> Vec<Job> {
    let (mut jobs, mut at, mut next) = (Vec::<Job>::new(), 0, 0);
    for (number, shard) in shards.iter().enumerate() {
        let end = at + shard.size.bytes + shard.size.documents;
        // There is a first file even if nothing is in it.
        let last = end.div_ceil(bytes).max(1);
        match jobs.last_mut() {
            Some(job) if last <= next => job.shards.end = number + 1,
            _ => jobs.push(Job { at, files: next..last, shards: number..number + 1 }),
        }
        (at, next) = (end, last);
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_written_by_the_shard_in_which_it_begins() {
        let shards = |texts: &[u64]| -> Vec<Shard> {
            texts.iter().map(|bytes| Shard::made(0, "none".into(), Size { documents: 1, bytes: bytes - 1 })).collect()
        };
        let job = |at, files, shards| Job { at, files, shards };
        assert_eq!(jobs(&[], 10), []);
        assert_eq!(jobs(&[Shard::made(0, "none".into(), Size::default())], 10), [job(0, 0..1, 0..1)]);
        let empty = vec![Shard::made(0, "none".into(), Size::default())];
        assert_eq!(jobs(&[empty, shards(&[25])].concat(), 10), [job(0, 0..1, 0..1), job(0, 1..3, 1..2)]);
        assert_eq!(jobs(&shards(&[4, 4, 4, 8]), 10), [job(0, 0..1, 0..2), job(8, 1..2, 2..4)]);
        assert_eq!(jobs(&shards(&[35, 2, 3, 1]), 10), [job(0, 0..4, 0..3), job(40, 4..5, 3..4)]);
        for bytes in 1..50 {
            let files: Vec<u64> = jobs(&shards(&[7, 1, 30, 2, 9]), bytes).into_iter().flat_map(|job| job.files).collect();
            assert_eq!(files, (0..49u64.div_ceil(bytes)).collect::<Vec<_>>());
        }
    }
}
