//! The folder of an experiment: plan, records, runs. One process writes to it at a time.

use super::{PlanFile, Record};
use crate::settings::{Error, Result};
use serde::Serialize;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

/// The folder of an experiment.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
    /// Held while the process writes; none for readers.
    _lock: Option<File>,
}

impl Store {
    /// Opens the folder for writing, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// A folder that cannot be made or written to, or that another process writes to.
    pub fn create(folder: &Path) -> Result<Self> {
        let wrong = |error: std::io::Error| {
            Error::input(
                folder.display(),
                format!("cannot be written to: {error}"),
                "choose another folder with --out, or mend its permissions",
            )
        };
        let absent = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made = folder.ancestors().take_while(absent).map(Path::to_path_buf).collect();
        fs::create_dir_all(folder).map_err(wrong)?;
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(folder.join(".lock")).map_err(wrong)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::input(
                    folder.display(),
                    "another process is running this experiment",
                    "wait for it, or choose another folder with --out",
                ));
            }
            // A file system without locks: nothing to hold, and nothing to wait for.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { folder: folder.to_path_buf(), made, _lock: Some(lock) })
    }

    /// Opens the folder for reading.
    ///
    /// # Errors
    ///
    /// No folder, or one without `plan.json`.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.join("plan.json").is_file() {
            return Err(Error::input(
                folder.display(),
                "is no folder of an experiment: it has no plan.json",
                "name the folder that `ablate run` wrote, e.g. runs/quickstart",
            ));
        }
        Ok(Self { folder: folder.to_path_buf(), made: vec![], _lock: None })
    }

    /// Takes back what [`Store::create`] made, as far as nothing else is there.
    pub fn discard(self) {
        // What cannot be removed does no harm.
        let _ = fs::remove_file(self.folder.join(".lock"));
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All records, the oldest first. A last line that a crash cut off is passed over.
    ///
    /// # Errors
    ///
    /// An unreadable file, a damaged line before the last.
    pub fn records(&self) -> Result<Vec<Record>> {
        let path = self.records_file();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let mut records = Vec::new();
        let complete = text.rfind('\n').map_or(0, |end| end + 1);
        for (number, line) in text[..complete].lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let record = serde_json::from_str(line).map_err(|error| {
                let place = format!("{}:{}", path.display(), number + 1);
                Error::input(place, format!("is no record: {error}"), "remove the line: its run will be done again")
            })?;
            records.push(record);
        }
        Ok(records)
    }

    /// Appends a record and waits until the disk has it.
    ///
    /// # Errors
    ///
    /// An unwritable file.
    pub fn append(&self, record: &Record) -> Result<()> {
        let path = self.records_file();
        let wrong = || Error::io("append to", &path);
        let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path).map_err(wrong())?;
        // What follows the last line end was cut off by a crash, and never counted.
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(wrong())?;
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(complete as u64).map_err(wrong())?;
        file.seek(std::io::SeekFrom::End(0)).map_err(wrong())?;
        let mut line = serde_json::to_string(record).expect("a record is plain data");
        line.push('\n');
        file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong())
    }

    /// The plan, if one was written.
    ///
    /// # Errors
    ///
    /// An unreadable or damaged file.
    pub fn plan(&self) -> Result<Option<PlanFile>> {
        let path = self.folder.join("plan.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let damaged =
            |error| Error::input(path.display(), format!("is no plan: {error}"), "restore it, or choose another folder with --out");
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Writes the plan.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn write_plan(&self, plan: &PlanFile) -> Result<()> {
        let mut text = pretty(plan);
        text.push('\n');
        replace(&self.folder.join("plan.json"), text.as_bytes())
    }

    /// Makes the folder of a run ready: empty of results, or holding what the same run left when it was interrupted.
    ///
    /// What another specification left there is moved aside, never deleted.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn prepare_run(&self, folder: &str, id: &str, spec: &str) -> Result<PathBuf> {
        let run = self.folder.join(folder);
        let marker = run.join("spec.id");
        let left = fs::read_to_string(&marker).ok();
        if run.is_dir() && left.as_deref() != Some(id) {
            let aside = (0..).map(|n| run.with_extension(format!("old-{n}"))).find(|path| !path.exists()).expect("some number is free");
            fs::rename(&run, &aside).map_err(Error::io("move aside", &run))?;
        }
        fs::create_dir_all(&run).map_err(Error::io("create the folder", &run))?;
        // The result of an attempt that failed must not be taken for this one's; a run that ended well, and whose record
        // was lost in a crash, is not done again.
        let result = run.join("result.json");
        let ended = |text: Vec<u8>| {
            let value: serde_json::Value = serde_json::from_slice(&text).ok()?;
            Some(["finished", "diverged"].contains(&value.get("outcome")?.as_str()?))
        };
        if result.exists() && fs::read(&result).ok().and_then(ended) != Some(true) {
            fs::remove_file(&result).map_err(Error::io("remove", &result))?;
        }
        replace(&run.join("spec.toml"), spec.as_bytes())?;
        replace(&marker, id.as_bytes())?;
        Ok(run)
    }

    fn records_file(&self) -> PathBuf {
        self.folder.join("records.jsonl")
    }
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data")
}

/// Writes a file in one step: readers find the old content or the new.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&temporary, path)).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests as example, *};
    use crate::train::Outcome;

    #[test]
    fn a_torn_last_line_is_passed_over_and_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        assert_eq!(store.records().unwrap(), []);
        let records: Vec<_> = (0..3).map(|seed| example::record("a", seed, Outcome::Finished, 1.5)).collect();
        store.append(&records[0]).unwrap();
        store.append(&records[1]).unwrap();
        let path = folder.path().join("records.jsonl");
        let whole = fs::read(&path).unwrap();
        for cut in [1, 2, 20, 100] {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            assert_eq!(store.records().unwrap(), records[..1], "{cut} bytes are missing");
        }
        store.append(&records[2]).unwrap();
        assert_eq!(store.records().unwrap(), [records[0].clone(), records[2].clone()]);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        fs::write(folder.path().join("records.jsonl"), "{\"arm\":\n\n").unwrap();
        let error = store.records().unwrap_err().to_string();
        assert!(error.contains("records.jsonl:1"), "{error}");
    }

    #[test]
    fn one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Store::create(folder.path()).unwrap();
        let error = Store::create(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(first);
        Store::create(folder.path()).unwrap();
    }

    #[test]
    fn discarding_leaves_nothing_new_and_takes_nothing_old() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        Store::create(&out).unwrap().discard();
        assert!(!out.exists());
        fs::create_dir(&out).unwrap();
        fs::write(out.join("notes.txt"), "mine").unwrap();
        Store::create(&out).unwrap().discard();
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_wrong_input() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Store::create(&file.join("out")), Err(Error::Input { .. })));
        assert!(matches!(Store::open(folder.path()), Err(Error::Input { .. })));
    }

    #[test]
    fn plans_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        assert_eq!(store.plan().unwrap(), None);
        let plan = PlanFile::update(None, example::plan(&["a"], 3), false);
        store.write_plan(&plan).unwrap();
        assert_eq!(Store::open(folder.path()).unwrap().plan().unwrap(), Some(plan));
    }

    #[test]
    fn a_run_continues_and_another_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let run = store.prepare_run("a/seed-0", "one", "x = 1").unwrap();
        fs::write(run.join("metrics.jsonl"), "kept").unwrap();
        fs::write(run.join("result.json"), "stale").unwrap();
        store.prepare_run("a/seed-0", "one", "x = 1").unwrap();
        assert!(run.join("metrics.jsonl").exists() && !run.join("result.json").exists());
        fs::write(run.join("result.json"), "{\"outcome\": \"finished\"}").unwrap();
        store.prepare_run("a/seed-0", "one", "x = 1").unwrap();
        assert!(run.join("result.json").exists());
        store.prepare_run("a/seed-0", "two", "x = 2").unwrap();
        assert!(!run.join("metrics.jsonl").exists());
        assert_eq!(fs::read_to_string(folder.path().join("a/seed-0.old-0/metrics.jsonl")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(run.join("spec.toml")).unwrap(), "x = 2");
    }
}
