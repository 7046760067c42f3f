//! The folder of an experiment: plan, records, runs. One process writes to it at a time.

use super::{
    PlanFile, Record,
    files::replace,
    inbox::Inbox,
    ledger::Ledger,
    record::{Removal, attempts},
};
use crate::{
    files::{Lock, clear_temporaries, if_there},
    settings::{Error, Result},
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const LOCK: &str = ".lock";
const PATIENCE: Duration = Duration::from_millis(500);

/// The folder of an experiment.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Folders that were not there before, the innermost first.
    made: Vec<PathBuf>,
    /// Held while the process writes; none for readers.
    lock: Option<Lock>,
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
        let lock = Lock::hold(&folder.join(LOCK), PATIENCE).map_err(wrong)?;
        let running = || {
            Error::input(
                folder.display(),
                "another process is running this experiment",
                "wait for it (`ablate status` shows how far it is), or choose another folder with --out",
            )
        };
        let lock = lock.ok_or_else(running)?;
        clear_temporaries(folder);
        Ok(Self { folder: folder.to_path_buf(), made, lock: Some(lock) })
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
        Ok(Self { folder: folder.to_path_buf(), made: vec![], lock: None })
    }

    /// Takes back what [`Store::create`] made, as far as nothing else is there.
    pub fn discard(&self) {
        // What cannot be removed does no harm.
        let _ = fs::remove_file(self.folder.join(LOCK));
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a process is writing to the folder.
    pub fn is_held(&self) -> bool {
        self.lock.is_some() || Lock::is_held(&self.folder.join(LOCK))
    }

    /// All records that were not removed since, the oldest first, with those that wait to be collected.
    ///
    /// # Errors
    ///
    /// An unreadable file, a damaged line.
    pub fn records(&self) -> Result<Vec<Record>> {
        let mut records = Ledger::new(&self.folder).read()?;
        for (_, record) in Inbox::new(&self.folder).read(&records)? {
            if let Some(record) = record {
                records.push(numbered(&records, record));
            }
        }
        Ok(records)
    }

    /// Appends a record, numbered among the attempts at its run, and waits until the disk has it.
    ///
    /// # Errors
    ///
    /// An unwritable file or a full disk; the file is then as before.
    pub fn append(&self, record: Record) -> Result<Record> {
        let ledger = Ledger::new(&self.folder);
        let record = numbered(&ledger.read()?, record);
        ledger.append(&record)?;
        Ok(record)
    }

    /// Appends what waits to be collected; answers with the new records. After a crash in between nothing is doubled.
    ///
    /// # Errors
    ///
    /// As [`Store::append`].
    pub fn collect(&self) -> Result<Vec<Record>> {
        let (ledger, inbox) = (Ledger::new(&self.folder), Inbox::new(&self.folder));
        let mut records = ledger.read()?;
        let mut new = Vec::new();
        for (file, record) in inbox.read(&records)? {
            if let Some(record) = record {
                let record = numbered(&records, record);
                ledger.append(&record)?;
                records.push(record.clone());
                new.push(record);
            }
            fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        }
        Ok(new)
    }

    /// Notes that the runs of an arm, or its run of one seed, were removed.
    ///
    /// # Errors
    ///
    /// As [`Store::append`].
    pub fn forget(&self, arm: &str, seed: Option<u64>) -> Result<()> {
        Ledger::new(&self.folder).append(&Removal::new(arm, seed))
    }

    /// The plan, if one was written.
    ///
    /// # Errors
    ///
    /// An unreadable or damaged file.
    pub fn plan(&self) -> Result<Option<PlanFile>> {
        let path = self.folder.join("plan.json");
        let Some(text) = if_there(fs::read_to_string(&path)).map_err(Error::io("read", &path))? else { return Ok(None) };
        let damaged =
            |error| Error::input(path.display(), format!("is no plan: {error}"), "restore it, or choose another folder with --out");
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// The plan of an experiment that has begun.
    ///
    /// # Errors
    ///
    /// As [`Store::plan`], and where none was written.
    pub fn written_plan(&self) -> Result<PlanFile> {
        let none = || Error::input(self.folder.display(), "has no plan.json", "name the folder that `ablate run` wrote");
        self.plan()?.ok_or_else(none)
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
        clear_temporaries(&run);
        let marker = run.join("spec.id");
        let left = fs::read_to_string(&marker).ok();
        let begun = || ["metrics.jsonl", "result.json", "checkpoint", "log.txt"].iter().any(|name| run.join(name).exists());
        // Without a marker a crash made the folder, or somebody else's run is in it.
        if run.is_dir() && left.as_deref() != Some(id) && (left.is_some() || begun()) {
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
        replace(&marker, id.as_bytes())?;
        replace(&run.join("spec.toml"), spec.as_bytes())?;
        Ok(run)
    }
}

/// The record with its number among the attempts at its run.
fn numbered(records: &[Record], record: Record) -> Record {
    Record { attempt: 1 + attempts(&record.job(), records), ..record }
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data")
}

#[cfg(test)]
mod tests {
    use super::{super::plan::tests as example, *};
    use crate::train::Outcome;

    #[test]
    fn attempts_are_numbered_by_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let failed = example::record("a", 0, Outcome::Failed, 1.5);
        let attempts: Vec<u32> = (0..3).map(|_| store.append(failed.clone()).unwrap().attempt).collect();
        assert_eq!(attempts, [1, 2, 3]);
        assert_eq!(store.append(example::record("a", 1, Outcome::Finished, 1.5)).unwrap().attempt, 1);
        store.forget("a", Some(0)).unwrap();
        assert_eq!(store.append(failed).unwrap().attempt, 1);
    }

    /// A crash between the line and the removal of the file.
    #[test]
    fn what_waits_is_seen_at_once_and_collected_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let record = [example::record("a", 0, Outcome::Finished, 1.5)];
        let file = Inbox::new(folder.path()).put(&record[0]).unwrap();
        let text = fs::read(&file).unwrap();
        assert_eq!(store.records().unwrap(), record);
        assert_eq!(store.collect().unwrap(), record);
        assert!(!file.exists());
        fs::write(&file, text).unwrap();
        assert_eq!(store.records().unwrap(), record);
        assert_eq!(store.collect().unwrap(), []);
        assert_eq!((store.records().unwrap(), file.exists()), (record.to_vec(), false));
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
        // A crash before the marker leaves an empty folder, which is nobody's.
        fs::create_dir_all(folder.path().join("b/seed-0")).unwrap();
        store.prepare_run("b/seed-0", "three", "").unwrap();
        assert!(!folder.path().join("b/seed-0.old-0").exists());
    }
}
