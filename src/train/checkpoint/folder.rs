//! One checkpoint: a folder and the proof that it is whole.

use super::{Contents, FORMAT, Saved, State};
use crate::{
    data::sha256,
    files::{self, if_there},
    settings::{Error, Result},
};
use burn::{
    tensor::Bytes,
    train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const COMMIT: &str = "COMMIT";
const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
/// Where the tokenizer lies.
pub(super) const TOKENIZER: &str = "tokenizer";

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

/// Writes a checkpoint into the folder `new`; it is committed when this returns.
pub(super) fn write(new: &Path, contents: Contents) -> Result<()> {
    let Contents { model, optimizer, tokenizer, state } = contents;
    remove(new)?;
    fs::create_dir_all(new).map_err(Error::io("create the folder", new))?;
    let written = |result: Result<(), CheckpointerError>, name: &str| {
        result.map_err(|error| Error::io("write", new.join(name))(std::io::Error::other(error.to_string())))
    };
    written(Part { folder: new, name: MODEL }.save(state.step, model), MODEL)?;
    if let Some(optimizer) = optimizer {
        written(Part { folder: new, name: OPTIMIZER }.save(state.step, optimizer), OPTIMIZER)?;
    }
    let text = serde_json::to_vec_pretty(state).expect("a state is plain data");
    files::write_durably(&new.join(STATE), &text).map_err(Error::io("write", new.join(STATE)))?;
    if let Some(tokenizer) = tokenizer {
        let folder = new.join(TOKENIZER);
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        tokenizer.save(&folder)?;
    }
    let commit = Commit { files: hashes(new)? };
    let text = serde_json::to_vec_pretty(&commit).expect("hashes are plain data");
    files::write_durably(&new.join(COMMIT), &text).map_err(Error::io("write", new.join(COMMIT)))
}

/// Reads a checkpoint and verifies every file.
///
/// # Errors
///
/// What is wrong with it, in words.
pub(super) fn read(folder: &Path) -> Result<Saved, String> {
    let commit = fs::read(folder.join(COMMIT)).map_err(|_| format!("{COMMIT} is missing"))?;
    let commit: Commit = serde_json::from_slice(&commit).map_err(|error| format!("{COMMIT}: {error}"))?;
    let found = hashes(folder).map_err(|error| error.to_string())?;
    for (name, hash) in &commit.files {
        match found.get(name) {
            None => return Err(format!("{name} is missing")),
            Some(other) if other != hash => return Err(format!("{name} is not what was written")),
            Some(_) => {}
        }
    }
    let state = state(folder)?;
    if state.format != FORMAT {
        return Err(format!("format {} is not {FORMAT}", state.format));
    }
    let step = state.step;
    let model = Part { folder, name: MODEL }.restore(step).map_err(|error| format!("{MODEL}: {error}"))?;
    let optimizer = if commit.files.contains_key(OPTIMIZER) {
        Some(Part { folder, name: OPTIMIZER }.restore(step).map_err(|error| format!("{OPTIMIZER}: {error}"))?)
    } else {
        None
    };
    Ok(Saved { model, optimizer, state })
}

/// Where the run stood, unverified.
pub(super) fn state(folder: &Path) -> Result<State, String> {
    let text = fs::read(folder.join(STATE)).map_err(|error| format!("{STATE}: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("{STATE}: {error}"))
}

/// Whether the folder was written to its end.
pub(super) fn is_committed(folder: &Path) -> bool {
    folder.join(COMMIT).exists()
}

/// Removes a folder that may not be there. What is left of it when that fails halfway is not committed.
pub(super) fn remove(folder: &Path) -> Result<()> {
    let marker = fs::remove_file(folder.join(COMMIT));
    let removed = marker.and_then(|()| fs::remove_dir_all(folder)).or_else(|_| fs::remove_dir_all(folder));
    if_there(removed).map(drop).map_err(Error::io("remove", folder))
}

/// SHA-256 of every file under `folder` but the commit marker, by relative path with forward slashes.
fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut queue: Vec<(PathBuf, String)> = vec![(folder.to_path_buf(), String::new())];
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
