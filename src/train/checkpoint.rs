//! Checkpoints: one folder, whole or not there.
//!
//! `checkpoint/` holds `model.bpk`, `optimizer.bpk` (unless the run is over), `state.json`, `tokenizer/`, and, written
//! last, `COMMIT` with the SHA-256 of every other file. A new one is written beside the old one and takes its place by
//! renaming; at any moment at least one committed folder exists.

use super::files;
use crate::{
    data::{Tokenizer, hex, sha256},
    settings::{Error, Result},
};
use burn::{
    optim::OptimizerRecord,
    store::ModuleRecord,
    tensor::Bytes,
    train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The folder's name in a run's folder.
pub const FOLDER: &str = "checkpoint";
/// Version of the layout.
const FORMAT: u32 = 1;
const COMMIT: &str = "COMMIT";
const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const TOKENIZER: &str = "tokenizer";

/// Where a run stands, beside its model and optimizer. All random draws are keyed by step, so there is no generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of the checkpoint's layout.
    pub format: u32,
    /// [`super::RunSpec::id`] of the run.
    pub id: String,
    /// Optimizer steps done.
    pub step: usize,
    /// Rolling hash of the batches consumed.
    pub data_hash: String,
    /// The same after 1, 2, 4, 8, … steps.
    #[serde(default)]
    pub data_marks: BTreeMap<usize, String>,
    /// Wall-clock seconds of all attempts.
    pub seconds: f64,
    /// Loss of the first step.
    pub initial_loss: Option<f64>,
    /// Last value of every evaluated metric.
    pub metrics: BTreeMap<String, f64>,
    /// What the result will have as its notes.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl State {
    /// A run that has not begun.
    pub fn new(id: &str) -> Self {
        Self {
            format: FORMAT,
            id: id.to_owned(),
            step: 0,
            data_hash: hex(&Sha256::digest(b"ablate-data-1")),
            data_marks: BTreeMap::new(),
            seconds: 0.0,
            initial_loss: None,
            metrics: BTreeMap::new(),
            notes: vec![],
        }
    }
}

/// A checkpoint as read.
pub struct Saved {
    /// Parameters.
    pub model: ModuleRecord,
    /// State of the optimizer; none if the run is over.
    pub optimizer: Option<OptimizerRecord>,
    /// Progress.
    pub state: State,
}

#[derive(Serialize, Deserialize)]
struct Commit {
    files: BTreeMap<String, String>,
}

/// Records of one kind in one file of the folder; the step is the folder's, not the file's.
struct Part<'a> {
    folder: &'a Path,
    name: &'static str,
}

impl<R: Checkpoint> Checkpointer<R> for Part<'_> {
    fn save(&self, _step: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record.checkpoint_into_bytes().map_err(CheckpointerError::Record)?;
        files::write_durably(&self.folder.join(self.name), &bytes).map_err(CheckpointerError::IOError)
    }

    fn restore(&self, _step: usize) -> Result<R, CheckpointerError> {
        let bytes = fs::read(self.folder.join(self.name)).map_err(CheckpointerError::IOError)?;
        R::checkpoint_from_bytes(Bytes::from_bytes_vec(bytes)).map_err(CheckpointerError::Record)
    }

    fn delete(&self, _step: usize) -> Result<(), CheckpointerError> {
        fs::remove_file(self.folder.join(self.name)).map_err(CheckpointerError::IOError)
    }
}

/// Replaces the checkpoint in the run's folder `out`.
///
/// # Errors
///
/// A folder that cannot be written; the old checkpoint is then still in place.
pub fn save(out: &Path, model: ModuleRecord, optimizer: Option<OptimizerRecord>, tokenizer: &Tokenizer, state: &State) -> Result<()> {
    let [current, new, old] = folders(out);
    remove(&new)?;
    fs::create_dir_all(&new).map_err(Error::io("create the folder", &new))?;
    let written = |result: Result<(), CheckpointerError>, name: &str| {
        result.map_err(|error| Error::io("write", new.join(name))(std::io::Error::other(error.to_string())))
    };
    written(Part { folder: &new, name: MODEL }.save(state.step, model), MODEL)?;
    if let Some(optimizer) = optimizer {
        written(Part { folder: &new, name: OPTIMIZER }.save(state.step, optimizer), OPTIMIZER)?;
    }
    let text = serde_json::to_vec_pretty(state).expect("a state is plain data");
    files::write_durably(&new.join(STATE), &text).map_err(Error::io("write", new.join(STATE)))?;
    let folder = new.join(TOKENIZER);
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    tokenizer.save(&folder)?;
    let commit = Commit { files: hashes(&new)? };
    let text = serde_json::to_vec_pretty(&commit).expect("hashes are plain data");
    files::write_durably(&new.join(COMMIT), &text).map_err(Error::io("write", new.join(COMMIT)))?;

    remove(&old)?;
    if current.exists() {
        fs::rename(&current, &old).map_err(Error::io("rename", &current))?;
    }
    fs::rename(&new, &current).map_err(Error::io("rename", &new))?;
    remove(&old)
}

/// Reads the checkpoint in the run's folder `out`, if there is one, and verifies every file.
///
/// # Errors
///
/// A checkpoint that is truncated, altered or of another version.
pub fn load(out: &Path) -> Result<Option<Saved>> {
    let Some(folder) = find(out) else { return Ok(None) };
    let broken = |what: String| {
        Error::input(
            folder.display(),
            format!("the checkpoint is damaged: {what}"),
            format!("copy it back from elsewhere, or delete {} to start the run again", out.display()),
        )
    };
    let commit = fs::read(folder.join(COMMIT)).map_err(|_| broken(format!("{COMMIT} is missing")))?;
    let commit: Commit = serde_json::from_slice(&commit).map_err(|error| broken(format!("{COMMIT}: {error}")))?;
    let found = hashes(&folder)?;
    for (name, hash) in &commit.files {
        match found.get(name) {
            None => return Err(broken(format!("{name} is missing"))),
            Some(other) if other != hash => return Err(broken(format!("{name} is not what was written"))),
            Some(_) => {}
        }
    }
    let text = fs::read(folder.join(STATE)).map_err(Error::io("read", folder.join(STATE)))?;
    let state: State = serde_json::from_slice(&text).map_err(|error| broken(format!("{STATE}: {error}")))?;
    if state.format != FORMAT {
        return Err(broken(format!("format {} is not {FORMAT}", state.format)));
    }
    let step = state.step;
    let model = Part { folder: &folder, name: MODEL }.restore(step).map_err(|error| broken(format!("{MODEL}: {error}")))?;
    let optimizer = if commit.files.contains_key(OPTIMIZER) {
        Some(Part { folder: &folder, name: OPTIMIZER }.restore(step).map_err(|error| broken(format!("{OPTIMIZER}: {error}")))?)
    } else {
        None
    };
    Ok(Some(Saved { model, optimizer, state }))
}

/// The tokenizer saved with the checkpoint in `out`.
///
/// # Errors
///
/// No checkpoint, or a broken tokenizer.
pub fn tokenizer(out: &Path) -> Result<Tokenizer> {
    let folder = find(out).ok_or_else(|| missing(out))?;
    Tokenizer::load(&folder.join(TOKENIZER))
}

/// The error of a run without a checkpoint.
pub fn missing(out: &Path) -> Error {
    Error::input(out.display(), "there is no checkpoint", "name the folder of a run that finished or was interrupted")
}

/// Current, next and previous folder.
fn folders(out: &Path) -> [PathBuf; 3] {
    [out.join(FOLDER), out.join("checkpoint.new"), out.join("checkpoint.old")]
}

/// The newest committed folder: the current one, or what a crash between the two renames left behind.
fn find(out: &Path) -> Option<PathBuf> {
    let [current, new, old] = folders(out);
    if current.exists() {
        return Some(current);
    }
    [new, old].into_iter().find(|folder| folder.join(COMMIT).exists())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// SHA-256 of every file under `folder` but the commit marker, by relative path with forward slashes.
fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut queue = vec![(folder.to_path_buf(), String::new())];
    while let Some((place, prefix)) = queue.pop() {
        for entry in fs::read_dir(&place).map_err(Error::io("read", &place))? {
            let entry = entry.map_err(Error::io("read", &place))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let path = entry.path();
            if path.is_dir() {
                queue.push((path, format!("{name}/")));
            } else if name != COMMIT {
                found.insert(name, sha256(&path).map_err(Error::io("read", &path))?);
            }
        }
    }
    Ok(found)
}
