//! From paths, globs and folders to files.

use super::{Format, packed::Packing};
use crate::settings::{Error, Result};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Endings that a search knows, for people.
const KNOWN: &str =
    ".jsonl, .ndjson, .parquet, .tar, .warc, .wet, dumps in .xml, and text such as .txt, .md, .html, .rs; packed as .gz, .zst or .bz2 too";

/// A file of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// Its name in ids of documents: as seen from the folder that was named, so that it is the same on every machine.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The files behind paths, globs and folders, each once, ordered by name.
///
/// A folder is searched in depth for files whose names say that they are of `format`, or of any format if there is none; hidden
/// entries and links to folders are passed over. A file that is named, or matched by a glob, is taken whatever its name.
///
/// # Errors
///
/// A path that does not exist, a pattern that is none or that nothing matches, a folder without such files.
pub fn expand(paths: &[String], format: Option<&Format>) -> Result<Vec<Input>> {
    let mut found = BTreeMap::new();
    for path in paths {
        let plain = Path::new(path);
        let mut matched = false;
        let mut add = |path: PathBuf, root: &Path| {
            matched = true;
            let name = path.strip_prefix(root).ok().filter(|name| !name.as_os_str().is_empty()).unwrap_or(&path).display().to_string();
            found.entry(path).or_insert(name);
        };
        if plain.is_dir() {
            search(plain, format, &mut |path| add(path, plain))?;
        } else if plain.is_file() {
            add(plain.to_path_buf(), plain.parent().unwrap_or(plain));
        } else if path.contains(['*', '?', '[']) {
            let help = "patterns are *, **, ? and [abc]";
            let matches = glob::glob(path).map_err(|error| Error::input(path, format!("not a pattern: {error}"), help))?;
            let root = fixed(path);
            for entry in matches {
                let entry = entry.map_err(|error| Error::Io { action: "read", path: error.path().into(), source: error.into() })?;
                if entry.is_dir() {
                    search(&entry, format, &mut |path| add(path, &root))?;
                } else {
                    add(entry, &root);
                }
            }
        } else {
            return Err(Error::input(path, "there is no such file or folder", "check the paths of the source"));
        }
        if !matched {
            let known = || format!("known formats ({KNOWN})");
            let what = format.map_or_else(known, |format| format!("the format {}", format.kind()));
            let help = format!("a folder is searched for files whose names end like those of {what}; others can be named or matched");
            return Err(Error::input(path, "no file matches", help));
        }
    }
    Ok(unique(found))
}

/// Files of one name from several folders are told apart by their paths.
fn unique(found: BTreeMap<PathBuf, String>) -> Vec<Input> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in found.values() {
        *count.entry(name).or_default() += 1;
    }
    let name = |path: &Path, name: &str| if count[name] > 1 { path.display().to_string() } else { name.to_string() };
    let mut inputs: Vec<Input> = found.iter().map(|(path, known)| Input { name: name(path, known), path: path.clone() }).collect();
    inputs.sort();
    inputs
}

/// The folder of a pattern that is the same for all that it matches.
fn fixed(pattern: &str) -> PathBuf {
    let end = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    Path::new(&pattern[..pattern[..end].rfind(std::path::is_separator).map_or(0, |at| at + 1)]).to_path_buf()
}

fn search(folder: &Path, format: Option<&Format>, add: &mut impl FnMut(PathBuf)) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read the folder", folder))?;
        let path = entry.path();
        let linked = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if !linked {
                search(&path, format, add)?;
            }
        } else if path.is_file() {
            let guess = Format::of(&path);
            if guess.is_some_and(|guess| format.is_none_or(|format| format.kind() == guess.kind())) {
                add(path);
            }
        }
    }
    Ok(())
}

/// The name of a file in lower case, without the ending of its packing.
pub(super) fn bare_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let packed = Packing::of(path) != Packing::None;
    match name.rsplit_once('.').filter(|_| packed) {
        // `.tgz` is two endings in one.
        Some((bare, ending)) if ending.starts_with('t') => format!("{bare}.tar"),
        Some((bare, _)) => bare.to_string(),
        None => name,
    }
}
