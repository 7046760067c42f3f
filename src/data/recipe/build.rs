//! Builds what a recipe says.
//!
//! ```text
//! files ─ shards ─► segment ─► stage over all ─► segment ─► … ─► output files
//! ```
//!
//! Between two steps that must know all documents, shards are worked on by themselves, in parallel. Everything on the way is in a
//! working folder: a build that was killed goes on with the shards that are missing, and gives the same bytes as one that was
//! not, whatever the number of threads.

use super::{
    config::{Recipe, SourceConfig, Step},
    output,
    report::{FORMAT, Report, SourceReport, StepReport, StepTime},
    segment::{Context, Segment},
    shard::Shard,
    step::Built,
    tally::{Rejected, Tally},
};
use crate::{
    data::{
        Progress, cache, corpus,
        pipeline::{
            dedup::{Stage, Work, run_passes},
            formats::{Format, expand},
        },
    },
    files,
    settings::{Document, Error, Result},
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The folder in the output that holds what is not finished.
const WORK: &str = ".work";
/// The file that is locked while a build runs.
const LOCK: &str = ".lock";
/// What says that a build is finished.
pub const REPORT: &str = "report.json";
/// The rejected documents that are kept.
pub const REJECTED: &str = "rejected.jsonl";
/// How long steps took.
pub const TIMES: &str = "times.json";

/// What steps over all documents leave to be read.
const FOUND: [&str; 4] = ["clusters.jsonl", "pairs.jsonl", "contamination.json", "contamination-items.jsonl"];

/// How a recipe is built, as against what.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads.
    pub threads: usize,
    /// Bytes that steps over all documents may take in memory.
    pub memory: usize,
    /// Read so many documents of each shard at most: for trying a recipe.
    pub most: Option<u64>,
    /// Keep the working folder.
    pub keep_work: bool,
}

/// A recipe with its files found.
pub struct Plan {
    recipe: Recipe,
    shards: Vec<Shard>,
    sources: Vec<SourceReport>,
    key: String,
}

impl Plan {
    /// Finds the files of a recipe. Paths must be absolute.
    ///
    /// # Errors
    ///
    /// Missing files, formats that are not known.
    pub fn new(recipe: Recipe) -> Result<Self> {
        let (mut shards, mut sources, mut hash) = (vec![], vec![], Sha256::new());
        hash.update(serde_json::to_vec(&recipe).expect("a recipe is plain data"));
        hash.update(env!("CARGO_PKG_VERSION"));
        for (number, source) in recipe.sources.iter().enumerate() {
            let (own, report) = found(number, source, &mut hash)?;
            shards.extend(own);
            sources.push(report);
        }
        Ok(Self { recipe, shards, sources, key: cache::hex(&hash.finalize())[..16].to_string() })
    }

    /// What is read.
    pub fn sources(&self) -> &[SourceReport] {
        &self.sources
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Parts that are worked on at once.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// What decides the output: the recipe, the names, sizes and times of the files, and the version.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Builds into a folder; a build that was interrupted goes on.
    ///
    /// # Errors
    ///
    /// The folder holds another build; damage that is not allowed; a step that did nothing or left nothing; the file system.
    pub fn build(&self, out: &Path, options: &Options, progress: Progress<'_>, stop: &AtomicBool) -> Result<Report> {
        std::fs::create_dir_all(out).map_err(Error::io("create the folder", out))?;
        let _lock = locked(out)?;
        for folder in [out.to_path_buf(), out.join("documents"), out.join("tokens")] {
            files::clear_own_temporaries(&folder);
        }
        let marker = out.join("build.json");
        let mark = serde_json::json!({ "key": self.key, "most": options.most }).to_string();
        match files::if_there(std::fs::read_to_string(&marker)).map_err(Error::io("read", &marker))? {
            None => files::write(&marker, mark.as_bytes())?,
            Some(found) if found == mark => {}
            Some(_) => {
                let message = "holds a build of another recipe, of other files, or of another version";
                return Err(Error::input(out.display(), message, "choose another --out, or delete the folder"));
            }
        }
        if let Ok(bytes) = std::fs::read(out.join(REPORT))
            && let Ok(report) = serde_json::from_slice(&bytes)
        {
            return Ok(report);
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .build()
            .map_err(|error| Error::input("--jobs", format!("{} threads could not be started: {error}", options.threads), "use fewer"))?;
        let done = AtomicU64::new(0);
        let mut build =
            Build { plan: self, out, options, pool: &pool, done: &done, stop, progress, steps: vec![], times: vec![], rejected: vec![] };
        let report = build.run()?;
        if !options.keep_work {
            let work = out.join(WORK);
            std::fs::remove_dir_all(&work).map_err(Error::io("remove", &work))?;
        }
        Ok(report)
    }
}

/// Keeps other builds out of a folder.
fn locked(out: &Path) -> Result<File> {
    let path = out.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::input(out.display(), "another process is building here", "wait for it, or choose another --out")),
    }
}

/// The shards of a source, and what its files are.
fn found(number: usize, source: &SourceConfig, hash: &mut Sha256) -> Result<(Vec<Shard>, SourceReport)> {
    let mut report = SourceReport {
        name: source.name.clone(),
        files: 0,
        file_bytes: 0,
        read: Default::default(),
        damage: Default::default(),
        damaged: vec![],
    };
    if let Some(part) = source.crates {
        hash.update(corpus::crates_fingerprint());
        report.files = corpus::Manifest::embedded().crates.len();
        return Ok((Shard::of_crates(number, part), report));
    }
    let mut shards = vec![];
    for input in expand(&source.paths, source.format.as_ref())? {
        let unknown = || {
            let help = "write format = { kind = … } in the source";
            Error::input(input.path.display(), "its name does not say what it holds", help)
        };
        let format = source.format.clone().or_else(|| Format::of(&input.path)).ok_or_else(unknown)?;
        let data = input.path.metadata().map_err(Error::io("read", &input.path))?;
        let time = data.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or(Duration::ZERO);
        hash.update(format!("{} {} {} {}\0", source.name, input.name, data.len(), time.as_nanos()));
        report.files += 1;
        report.file_bytes += data.len();
        shards.extend(Shard::of_file(number, &input, &format)?);
    }
    Ok((shards, report))
}

/// A build on its way.
struct Build<'a> {
    plan: &'a Plan,
    out: &'a Path,
    options: &'a Options,
    pool: &'a ThreadPool,
    done: &'a AtomicU64,
    stop: &'a AtomicBool,
    progress: Progress<'a>,
    steps: Vec<StepReport>,
    times: Vec<StepTime>,
    rejected: Vec<Rejected>,
}

impl Build<'_> {
    fn run(&mut self) -> Result<Report> {
        let recipe = &self.plan.recipe;
        let mut sources = self.plan.sources.clone();
        let mut shards = vec![];
        for (number, source) in recipe.sources.iter().enumerate() {
            let own: Vec<Shard> = self.plan.shards.iter().filter(|shard| shard.source == number).cloned().collect();
            let folder = self.out.join(WORK).join(format!("source-{number:02}"));
            let (made, tally) = self.chain(&source.name, own, &source.steps, &folder)?;
            if tally.read.documents == 0 && !source.allow_empty {
                let help = "look at its files; where this is right, write allow_empty = true";
                return Err(Error::input(format!("source {}", source.name), "holds no document", help));
            }
            (sources[number].read, sources[number].damage, sources[number].damaged) = (tally.read, tally.damage, tally.damaged);
            shards.extend(made);
        }
        if !recipe.steps.is_empty() {
            (shards, _) = self.chain("", shards, &recipe.steps, &self.out.join(WORK).join("all"))?;
        }
        let all = shards.iter().map(|shard| shard.bytes).sum();
        self.done.store(0, Ordering::Relaxed);
        let (out, pool, done, stop) = (self.out, self.pool, self.done, self.stop);
        let written = self.watched("writing", all, || pool.install(|| output::write(&shards, recipe, out, done, stop)))?;
        let report = Report {
            format: FORMAT,
            name: recipe.name.clone(),
            recipe: output::fingerprint(recipe),
            version: env!("CARGO_PKG_VERSION").into(),
            sources,
            steps: std::mem::take(&mut self.steps),
            written: written.size,
            by_source: written.by_source,
            files: written.files,
        };
        let lines: String = self.rejected.iter().map(|one| serde_json::to_string(one).expect("texts") + "\n").collect();
        files::write(&self.out.join(REJECTED), lines.as_bytes())?;
        let text = toml::to_string_pretty(recipe).expect("a recipe is plain data");
        files::write(&self.out.join("recipe.toml"), text.as_bytes())?;
        files::write(&self.out.join(TIMES), serde_json::to_string_pretty(&self.times).expect("numbers").as_bytes())?;
        // Last: with it the build is finished.
        files::write(&self.out.join(REPORT), serde_json::to_string_pretty(&report).expect("plain data").as_bytes())?;
        Ok(report)
    }

    /// Takes shards through steps. What comes out, and what was read at the beginning.
    fn chain(&mut self, source: &str, mut shards: Vec<Shard>, steps: &[Step], folder: &Path) -> Result<(Vec<Shard>, Tally)> {
        let mut parts: Vec<(&Step, Built)> = vec![];
        for step in steps {
            parts.extend(step.apply.build()?.into_iter().map(|built| (step, built)));
        }
        let mut parts = parts.into_iter().peekable();
        let mut first: Option<Tally> = None;
        let mut waiting: Option<(&Step, Box<dyn Stage>, Work)> = None;
        for number in 0.. {
            let mut rules = vec![];
            while let Some((step, Built::Rules(one))) = parts.next_if(|(_, built)| matches!(built, Built::Rules(_))) {
                rules.push((step, one));
            }
            let judge = waiting.as_ref().map(|(step, stage, work)| (*step, stage.as_ref(), work));
            let segment = Segment { judge, rules, folder: folder.join(format!("{number:02}")) };
            let tally = self.segment(&segment, &mut shards, source)?;
            let judged = waiting.is_some();
            let names = waiting.iter().map(|(step, ..)| *step).chain(segment.rules.iter().map(|(step, _)| *step));
            for (at, (step, tally)) in names.zip(&tally.steps).enumerate() {
                let mut report = StepReport::new(source, step, tally);
                if judged && at == 0 {
                    // The same step as the one before, if it has two parts.
                    report.decided = self.decided(&waiting)?;
                }
                self.times.push(StepTime::new(source, step, tally));
                self.steps.push(report);
            }
            self.rejected.extend(tally.clone().into_rejected());
            let text = tally.written.bytes;
            first.get_or_insert(tally);
            drop(segment);
            if let Some((step, _, work)) = &waiting {
                self.keep(source, step, work)?;
            }
            let Some((step, Built::Across(stage))) = parts.next() else { break };
            let work = self.work(folder, number)?;
            let start = Instant::now();
            self.decide(step, stage.as_ref(), &work, &shards)?;
            self.times.push(StepTime::looking(source, step, start.elapsed().as_secs_f64(), text));
            waiting = Some((step, stage, work));
        }
        Ok((shards, first.expect("there is a first segment")))
    }

    /// Copies what a step over all documents has found, such as clusters, out of the working folder.
    fn keep(&self, source: &str, step: &Step, work: &Work) -> Result<()> {
        for name in FOUND {
            let from = work.path(name);
            if let Some(bytes) = files::if_there(std::fs::read(&from)).map_err(Error::io("read", &from))? {
                let before = if source.is_empty() { String::new() } else { format!("{source}.") };
                files::write(&self.out.join(format!("{before}{}.{name}", step.name())), &bytes)?;
            }
        }
        Ok(())
    }

    fn work(&self, folder: &Path, number: usize) -> Result<Work> {
        let key = u64::from_str_radix(&self.plan.key, 16).expect("sixteen hexadecimal digits");
        Work::new(&folder.join(format!("{number:02}-stage")), self.options.memory, self.options.threads, key)
    }

    fn decided(&self, waiting: &Option<(&Step, Box<dyn Stage>, Work)>) -> Result<std::collections::BTreeMap<String, u64>> {
        let mut all = std::collections::BTreeMap::new();
        if let Some((_, stage, work)) = waiting {
            for pass in 0..stage.passes() {
                all.extend(work.decided(pass)?.unwrap_or_default());
            }
        }
        Ok(all)
    }

    fn segment(&self, segment: &Segment<'_>, shards: &mut Vec<Shard>, source: &str) -> Result<Tally> {
        let names: Vec<&str> =
            segment.judge.iter().map(|(step, ..)| step.name()).chain(segment.rules.iter().map(|(step, _)| step.name())).collect();
        let what = if names.is_empty() { "reading".to_string() } else { names.join(", ") };
        let what = if source.is_empty() { what } else { format!("{source}: {what}") };
        let all: u64 = shards.iter().map(|shard| shard.bytes).sum();
        self.done.store(0, Ordering::Relaxed);
        let context = Context {
            sources: &self.plan.recipe.sources,
            limits: &self.plan.recipe.limits,
            rejected: self.plan.recipe.rejected,
            most: self.options.most,
            done: self.done,
            stop: self.stop,
        };
        let (made, tally) = self.watched(&what, all, || self.pool.install(|| segment.run(shards, &context)))?;
        *shards = made;
        Ok(tally)
    }

    /// Runs something while progress is told.
    fn watched<T: Send>(&self, what: &str, all: u64, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        (self.progress)(what, 0, all.max(1));
        std::thread::scope(|scope| {
            let running = scope.spawn(work);
            while !running.is_finished() {
                std::thread::sleep(Duration::from_millis(50));
                (self.progress)(what, self.done.load(Ordering::Relaxed).min(all), all.max(1));
            }
            running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn decide(&self, step: &Step, stage: &dyn Stage, work: &Work, shards: &[Shard]) -> Result<()> {
        let count = u32::try_from(shards.len()).map_err(|_| Error::input("the input", "has more than four billion parts", "join files"))?;
        let all: u64 = shards.iter().map(|shard| shard.bytes).sum::<u64>() * u64::from(stage.passes());
        self.done.store(0, Ordering::Relaxed);
        let read = |number: u32, each: &mut dyn FnMut(&crate::data::pipeline::Document) -> Result<()>| {
            let shard = &shards[number as usize];
            let mut one = |document| {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::input("the build", "was interrupted", "the same command goes on"));
                }
                each(&document)
            };
            shard.read(&self.plan.recipe.limits, &mut one, &mut |_| Ok(()))?;
            self.done.fetch_add(shard.bytes, Ordering::Relaxed);
            Ok(())
        };
        self.watched(&format!("{}: looking at all", step.name()), all, || run_passes(stage, work, count, &read)).map(drop)
    }
}

/// The folder of unfinished work in an output.
pub fn work_folder(out: &Path) -> PathBuf {
    out.join(WORK)
}

/// The plan of a recipe's file, without the steps of some names.
///
/// # Errors
///
/// As [`Recipe::parse`] and [`Plan::new`].
pub fn of_file(path: &Path, without: &[String]) -> Result<Plan> {
    Plan::new(Recipe::parse(Document::load(path)?, without)?)
}
