//! A recipe with its files found, and the folder that it is built into: whose it is, and whether it is finished.

use super::{
    Ablated, StepOptions,
    build::Build,
    config::{OnDamage, Recipe, SourceConfig},
    done::Done,
    key::{self, Contents},
    report::{Report, SourceReport},
    segment::accept,
    shard::{ON_DAMAGE, Shard},
};
use crate::{
    data::{
        Progress, Tokenizer, cache, corpus,
        pipeline::formats::{Format, Input, expand},
    },
    files::{self, Lock},
    settings::{Document, Error, Origin, Result},
};
use rayon::ThreadPoolBuilder;
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

/// The folder in the output that holds what is not finished.
const WORK: &str = ".work";
/// The file that is locked while a build runs.
const LOCK: &str = ".lock";
/// A build that was just killed is soon gone.
const PATIENCE: Duration = Duration::from_millis(500);
/// What says whose build a folder holds.
const MARKER: &str = "build.json";
/// What says that a build is finished.
pub const REPORT: &str = "report.json";

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
    pub(super) recipe: Recipe,
    /// Hash of what the recipe says.
    pub(super) said: String,
    /// Files, with the names of their sources.
    inputs: Vec<(String, Input)>,
    pub(super) shards: Vec<Shard>,
    pub(super) sources: Vec<SourceReport>,
    pub(super) key: String,
}

impl Plan {
    /// Finds the files of a recipe. Paths must be absolute.
    ///
    /// # Errors
    ///
    /// Missing files, formats that are not known.
    pub fn new(recipe: Recipe) -> Result<Self> {
        Self::with(recipe, &key::contents)
    }

    /// The same with another way to know the contents of models, lists and tokenizers.
    pub(in crate::data) fn with(recipe: Recipe, contents: Contents<'_>) -> Result<Self> {
        let said = key::of(&recipe, contents)?;
        let (mut inputs, mut shards, mut sources) = (vec![], vec![], vec![]);
        let mut hash = Sha256::new();
        hash.update(format!("{said} {}\0", env!("CARGO_PKG_VERSION")));
        for (number, source) in recipe.sources.iter().enumerate() {
            let found = Found::of(number, source, &mut hash)?;
            inputs.extend(found.inputs.into_iter().map(|input| (source.name.clone(), input)));
            shards.extend(found.shards);
            sources.push(found.report);
        }
        Ok(Self { recipe, said, inputs, shards, sources, key: cache::hex(&hash.finalize())[..16].to_string() })
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

    /// What decides the output on this machine: the recipe with its models and lists, the names, sizes and times of the files, and
    /// the version.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A hash of the recipe and of the contents of all files, wherever they lie and however old they are.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(in crate::data) fn fingerprint(&self, contents: Contents<'_>) -> Result<String> {
        let hashes = contents(&self.inputs.iter().map(|(_, input)| input.path.clone()).collect::<Vec<_>>())?;
        let mut hash = Sha256::new();
        hash.update(&self.said);
        for ((source, input), content) in self.inputs.iter().zip(hashes) {
            hash.update(format!("{source} {} {content}\0", input.name));
        }
        Ok(cache::hex(&hash.finalize()))
    }

    /// Makes every step once and reads the tokenizer: what is wrong with one shows before work begins.
    ///
    /// # Errors
    ///
    /// Options out of range; models, lists or a tokenizer that cannot be read.
    pub fn check(&self) -> Result<()> {
        self.recipe.all_steps().try_for_each(|step| step.apply.build().map(drop))?;
        self.recipe.output.tokenizer.iter().try_for_each(|path| Tokenizer::read(Path::new(path)).map(drop))
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
        let begun = self.begun(out, options)?;
        let finished = if begun { finished(out) } else { None };
        let report = match finished {
            Some(report) => {
                self.accept(&report, options)?;
                report
            }
            None => {
                self.check()?;
                self.mark(out, options)?;
                self.run(out, options, progress, stop)?
            }
        };
        let work = work_folder(out);
        if !options.keep_work {
            files::if_there(std::fs::remove_dir_all(&work)).map_err(Error::io("remove", &work))?;
        }
        Ok(report)
    }

    /// Whether the folder holds a build of this recipe.
    fn begun(&self, out: &Path, options: &Options) -> Result<bool> {
        let marker = out.join(MARKER);
        let Some(text) = files::if_there(std::fs::read_to_string(&marker)).map_err(Error::io("read", &marker))? else { return Ok(false) };
        let found: Marker = serde_json::from_str(&text).unwrap_or_default();
        let limit = |most: Option<u64>| most.map_or("no --limit".to_string(), |most| format!("--limit {most}"));
        let message = match (found.key == self.key, found.most == options.most) {
            (true, true) => return Ok(true),
            (true, false) => format!("holds a build with {}, and this one has {}", limit(found.most), limit(options.most)),
            (false, _) => "holds a build of another recipe, of other files, or of another version".into(),
        };
        Err(Error::input(out.display(), message, "choose another --out, or delete the folder"))
    }

    /// Says whose build the folder holds.
    fn mark(&self, out: &Path, options: &Options) -> Result<()> {
        let marker = Marker { key: self.key.clone(), most: options.most };
        files::write(&out.join(MARKER), serde_json::to_string(&marker).expect("plain data").as_bytes())
    }

    fn run(&self, out: &Path, options: &Options, progress: Progress<'_>, stop: &AtomicBool) -> Result<Report> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .build()
            .map_err(|error| Error::input("--jobs", format!("{} threads could not be started: {error}", options.threads), "use fewer"))?;
        let done = Done::default();
        let mut build =
            Build { plan: self, out, options, pool: &pool, done: &done, stop, progress, steps: vec![], times: vec![], rejected: vec![] };
        build.run()
    }

    /// Refuses of a finished build what the recipe does not allow: it may have allowed more when that was built.
    fn accept(&self, report: &Report, options: &Options) -> Result<()> {
        for (source, found) in self.recipe.sources.iter().zip(&report.sources) {
            if source.damage == OnDamage::Refuse
                && let Some(damaged) = found.damaged.first()
            {
                return Err(Error::input(format!("source {}", source.name), damaged, ON_DAMAGE));
            }
            not_empty(source, found.read.documents)?;
        }
        for found in report.steps.iter().filter(|_| options.most.is_none()) {
            let source = self.recipe.sources.iter().find(|source| source.name == found.source);
            let steps = source.map_or(&self.recipe.steps, |source| &source.steps);
            let allows = |outcome| steps.iter().any(|step| step.name() == found.name && step.allows(outcome));
            accept(&found.name, found.input, found.output, found.changed, allows)?;
        }
        Ok(())
    }
}

/// What a build leaves in its folder first.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Marker {
    key: String,
    most: Option<u64>,
}

/// The report of a build that is finished.
fn finished(out: &Path) -> Option<Report> {
    serde_json::from_slice(&std::fs::read(out.join(REPORT)).ok()?).ok()
}

/// Refuses a source without documents unless it may have none.
pub(super) fn not_empty(source: &SourceConfig, documents: u64) -> Result<()> {
    if documents == 0 && !source.allow_empty {
        let help = "look at its files; where this is right, write allow_empty = true";
        return Err(Error::input(format!("source {}", source.name), "holds no document", help));
    }
    Ok(())
}

/// Keeps other builds out of a folder.
fn locked(out: &Path) -> Result<Lock> {
    let path = out.join(LOCK);
    let busy = || Error::input(out.display(), "another process is building here", "wait for it, or choose another --out");
    Lock::hold(&path, PATIENCE).map_err(Error::io("create", &path))?.ok_or_else(busy)
}

/// The shards of a source, and what its files are.
struct Found {
    inputs: Vec<Input>,
    shards: Vec<Shard>,
    report: SourceReport,
}

impl Found {
    fn of(number: usize, source: &SourceConfig, hash: &mut Sha256) -> Result<Self> {
        let report = SourceReport {
            name: source.name.clone(),
            files: 0,
            file_bytes: 0,
            read: Default::default(),
            damage: Default::default(),
            damaged: vec![],
        };
        let mut found = Self { inputs: vec![], shards: vec![], report };
        if let Some(part) = source.crates {
            found.report.files = corpus::Manifest::embedded().crates.len();
            found.shards = Shard::of_crates(number, part);
            return Ok(found);
        }
        for input in expand(&source.paths, source.format.as_ref())? {
            let unknown = || {
                let help = "write format = { kind = … } in the source";
                Error::input(input.path.display(), "its name does not say what it holds", help)
            };
            let format = source.format.clone().or_else(|| Format::of(&input.path)).ok_or_else(unknown)?;
            let data = input.path.metadata().map_err(Error::io("read", &input.path))?;
            let time = data.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or(Duration::ZERO);
            hash.update(format!("{} {} {} {}\0", source.name, input.name, data.len(), time.as_nanos()));
            found.report.files += 1;
            found.report.file_bytes += data.len();
            found.shards.extend(Shard::of_file(number, &input, &format)?);
            found.inputs.push(input);
        }
        Ok(found)
    }
}

/// The folder of unfinished work in an output.
pub fn work_folder(out: &Path) -> PathBuf {
    out.join(WORK)
}

/// The plan of a recipe's file, changed; `contents` as in [`Plan::with`].
///
/// # Errors
///
/// As [`Recipe::parse`] and [`Plan::new`].
pub(in crate::data) fn of_file(path: &Path, without: &[String], steps: &StepOptions, contents: Contents<'_>) -> Result<Plan> {
    let asked = Origin { file: path.display().to_string(), folder: path.parent().map(Path::to_path_buf), ..Origin::default() };
    Plan::with(Recipe::parse(Document::load(path)?, &Ablated { without, steps, asked: &asked })?, contents)
}
