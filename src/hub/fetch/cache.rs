//! The cache: `models--owner--name/` with `blobs/`, `snapshots/COMMIT/` and `refs/`.

use super::client::Found;
use crate::{
    data::{hex, sha256},
    files,
    settings::{Error, Result},
};
use sha1::{Digest, Sha1};
use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

/// A model's part of the cache.
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// That of a model.
    pub fn of(cache: &Path, model: &str) -> Self {
        Self { root: cache.join(format!("models--{}", model.replace('/', "--"))) }
    }

    /// Where a blob lies.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// The files of a commit.
    pub fn folder(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The files of a revision, if it was fetched.
    pub fn snapshot(&self, revision: &str) -> Option<PathBuf> {
        let commit = fs::read_to_string(self.root.join("refs").join(revision)).ok();
        let folder = self.folder(commit.as_deref().map_or(revision, str::trim));
        folder.join(crate::hub::CONFIG).exists().then_some(folder)
    }

    /// Puts a blob among the files of a commit.
    pub fn link(&self, commit: &str, name: &str, etag: &str) -> Result<()> {
        let folder = self.folder(commit);
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        let link = folder.join(name);
        let linked = linked(&Path::new("../../blobs").join(etag), &self.blob(etag), &link);
        match linked {
            // Somebody else was as fast.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(Error::io("link", &link)),
        }
    }

    /// Notes which commit a revision is.
    pub fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        files::write(&path, commit.as_bytes())
    }
}

#[cfg(unix)]
fn linked(relative: &Path, _blob: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(relative, link)
}

#[cfg(not(unix))]
fn linked(_relative: &Path, blob: &Path, link: &Path) -> io::Result<()> {
    fs::copy(blob, link).map(drop)
}

/// What the model in a folder is called: the name of the folder, or of the model whose snapshot it is.
pub fn model_name(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let root = folder.parent().filter(|parent| parent.ends_with("snapshots")).and_then(Path::parent).and_then(name);
    let model = root.as_deref().and_then(|root| root.strip_prefix("models--"));
    model.map(|model| model.rsplit("--").next().unwrap_or(model).to_owned()).or_else(|| name(&folder))
}

/// Holds a file against the checksum that its hub names.
///
/// # Errors
///
/// What is wrong.
pub fn verify(path: &Path, found: &Found) -> Result<(), String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length != found.size {
        return Err(format!("{length} bytes have come, not {}", found.size));
    }
    let digest = match found.etag.len() {
        64 => sha256(path).map_err(|error| error.to_string())?,
        40 => git_blob(path, length).map_err(|error| error.to_string())?,
        // Hubs of other makes may name anything; the length is right.
        _ => return Ok(()),
    };
    if digest == found.etag { Ok(()) } else { Err(format!("its checksum is {digest}, not {}", found.etag)) }
}

/// SHA-1 as Git has it of files.
fn git_blob(path: &Path, length: u64) -> io::Result<String> {
    let mut hash = Sha1::new();
    hash.update(format!("blob {length}\0"));
    let mut file = BufReader::new(File::open(path)?);
    io::copy(&mut file, &mut Hashing(&mut hash))?;
    Ok(hex(&hash.finalize()))
}

struct Hashing<'a>(&'a mut Sha1);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
