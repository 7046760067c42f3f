//! Records that wait to be collected: each in a file of its own, written in one step by the process that trained, so that
//! tasks on many machines need no lock between them.

use super::{Record, files::replace};
use crate::{
    files::if_there,
    settings::{Error, Result},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const FOLDER: &str = ".inbox";

/// The folder of records that wait.
pub(super) struct Inbox(PathBuf);

impl Inbox {
    /// The one in the folder of an experiment.
    pub fn new(folder: &Path) -> Self {
        Self(folder.join(FOLDER))
    }

    /// Puts a record in; answers with its file.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn put(&self, record: &Record) -> Result<PathBuf> {
        fs::create_dir_all(&self.0).map_err(Error::io("create the folder", &self.0))?;
        let name = format!("{}.{}", record.folder.replace(['/', '\\'], "+"), record.result.id);
        let free = |path: &PathBuf| !path.exists();
        let path = (0..).map(|n| self.0.join(format!("{name}.{n}.json"))).find(free).expect("some number is free");
        replace(&path, serde_json::to_string(record).expect("a record is plain data").as_bytes())?;
        Ok(path)
    }

    /// Every file, in the order of their names; with its record, unless that is among `known` already.
    ///
    /// # Errors
    ///
    /// An unreadable or damaged file.
    pub fn read(&self, known: &[Record]) -> Result<Vec<(PathBuf, Option<Record>)>> {
        let Some(entries) = if_there(fs::read_dir(&self.0)).map_err(Error::io("read", &self.0))? else { return Ok(vec![]) };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        // Hidden ones are not written to the end yet.
        files.retain(|path| path.extension().is_some_and(|end| end == "json") && !name(path).starts_with('.'));
        files.sort();
        let mut found = Vec::new();
        for file in files {
            // Or collected by another process meanwhile.
            let Some(text) = if_there(fs::read(&file)).map_err(Error::io("read", &file))? else { continue };
            let record: Record = serde_json::from_slice(&text).map_err(|error| {
                Error::input(
                    file.display(),
                    format!("is no record: {error}"),
                    "remove the file: what its run left in its folder is read again",
                )
            })?;
            let same = |other: &&Record| Record { attempt: record.attempt, ..(*other).clone() } == record;
            let new = known.iter().find(same).is_none().then_some(record);
            found.push((file, new));
        }
        Ok(found)
    }
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
