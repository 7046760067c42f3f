//! Removing: runs with their records, and checkpoints that nothing will be continued from.

use super::{RunLock, Store, record::Removal};
use crate::settings::{Error, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is, or would be, removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Folders, relative to the experiment's.
    pub folders: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
}

/// The runs of an arm, or its run of one seed, as [`remove`] would take them.
///
/// # Errors
///
/// A folder that is no experiment's, an arm or a seed without a run and without a record.
pub fn removable(folder: &Path, arm: &str, seed: Option<u64>) -> Result<Tidied> {
    let store = Store::open(folder)?;
    let folders = runs(folder, arm, seed);
    let removal = Removal::new(arm, seed);
    let known = |record: &super::Record| removal.covers(record);
    if folders.is_empty() && !store.records()?.iter().any(known) {
        let plan = store.plan()?;
        let arms: Vec<&str> = plan.iter().flat_map(|file| &file.current.arms).map(|arm| arm.name.as_str()).collect();
        let what = seed.map_or(arm.to_string(), |seed| format!("{arm} with seed {seed}"));
        return Err(Error::input(
            folder.display(),
            format!("has no run of {what}"),
            format!("the arms are {}; `ablate status` shows their runs", arms.join(", ")),
        ));
    }
    Ok(list(folder, folders))
}

/// Removes the runs of an arm, or its run of one seed: their folders, and, by a line that says so, their records.
///
/// # Errors
///
/// As [`removable`]; a run that is being trained, an experiment that is being conducted.
pub fn remove(folder: &Path, arm: &str, seed: Option<u64>) -> Result<Tidied> {
    let tidied = removable(folder, arm, seed)?;
    let store = Store::create(folder)?;
    store.collect()?;
    let folders: Vec<PathBuf> = tidied.folders.iter().map(|name| folder.join(name)).collect();
    if let Some(busy) = folders.iter().find(|folder| is_busy(folder)) {
        return Err(Error::input(busy.display(), "is being trained", "stop it first, or wait for it"));
    }
    // Out of the way in one step each, then the line, then the rest: a crash in between leaves nothing that looks like a run
    // without a record, which would be taken for a record that was lost.
    let bin = folder.join(format!(".removed-{}", std::process::id()));
    fs::create_dir_all(&bin).map_err(Error::io("create the folder", &bin))?;
    for (index, run) in folders.iter().enumerate() {
        fs::rename(run, bin.join(index.to_string())).map_err(Error::io("move", run))?;
    }
    store.forget(arm, seed)?;
    fs::remove_dir_all(&bin).map_err(Error::io("remove", &bin))?;
    // Goes if it is empty.
    let _ = fs::remove_dir(folder.join(arm));
    Ok(tidied)
}

/// The checkpoints of runs that finished or diverged, as [`clean`] would take them.
///
/// # Errors
///
/// A folder that is no experiment's, damaged records.
pub fn cleanable(folder: &Path, keep_best: bool) -> Result<Tidied> {
    let store = Store::open(folder)?;
    let done = |record: &super::Record| record.result.outcome.is_final();
    let mut folders = Vec::new();
    for record in store.records()?.iter().filter(|record| done(record)) {
        let run = folder.join(&record.folder);
        // Another specification may have begun there since.
        let same = fs::read_to_string(run.join("spec.id")).is_ok_and(|id| id == record.result.id);
        if !same || RunLock::is_held(&run) {
            continue;
        }
        let best = if run.join("checkpoint-best").is_dir() { "checkpoint-best" } else { "checkpoint" };
        folders.extend(entries(&run).filter(|path| {
            let name = name(path);
            path.is_dir() && name.starts_with("checkpoint") && !(keep_best && name == best)
        }));
    }
    // What a removal that was cut short left.
    folders.extend(entries(folder).filter(|path| name(path).starts_with(".removed-")));
    folders.sort();
    folders.dedup();
    Ok(list(folder, folders))
}

/// Removes the checkpoints of runs that finished or diverged. Their records, metrics and results stay, and none of them is
/// done again.
///
/// # Errors
///
/// As [`cleanable`]; an experiment that is being conducted.
pub fn clean(folder: &Path, keep_best: bool) -> Result<Tidied> {
    let _store = Store::open(folder).and_then(|_| Store::create(folder))?;
    let tidied = cleanable(folder, keep_best)?;
    for name in &tidied.folders {
        let path = folder.join(name);
        fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(tidied)
}

/// The folders of an arm's runs, those included that were put aside, and without a seed those that tuned or timed it.
fn runs(folder: &Path, arm: &str, seed: Option<u64>) -> Vec<PathBuf> {
    let of_seed = |path: &PathBuf| {
        let name = name(path);
        match seed {
            None => true,
            Some(seed) => name == format!("seed-{seed}") || name.starts_with(&format!("seed-{seed}.")),
        }
    };
    let mut found: Vec<PathBuf> = entries(&folder.join(arm)).filter(of_seed).collect();
    found.sort();
    found
}

/// Whether a process trains there, or in a folder below.
fn is_busy(folder: &Path) -> bool {
    RunLock::is_held(folder) || entries(folder).any(|entry| entry.is_dir() && is_busy(&entry))
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn list(root: &Path, folders: Vec<PathBuf>) -> Tidied {
    let bytes = folders.iter().map(|folder| size(folder)).sum();
    let relative = |path: PathBuf| path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
    Tidied { folders: folders.into_iter().map(relative).collect(), bytes }
}

fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => entries(path).map(|entry| size(&entry)).sum(),
        Ok(data) => data.len(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{PlanFile, plan::tests as example},
        *,
    };
    use crate::train::Outcome;

    fn experiment() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        store.write_plan(&PlanFile::update(None, example::plan(&["a"], 2), false)).unwrap();
        for (arm, seed, outcome) in [("base", 0, Outcome::Finished), ("a", 0, Outcome::Failed), ("a", 1, Outcome::Finished)] {
            let record = store.append(example::record(arm, seed, outcome, 2.0)).unwrap();
            let run = store.prepare_run(&record.folder, &record.result.id, "").unwrap();
            for name in ["checkpoint", "checkpoint-best", "checkpoint-10"] {
                fs::create_dir(run.join(name)).unwrap();
                fs::write(run.join(name).join("model.bpk"), [0; 100]).unwrap();
            }
        }
        folder
    }

    #[test]
    fn removing_takes_folders_and_records_and_nothing_else() {
        let folder = experiment();
        fs::create_dir(folder.path().join("a/seed-0.old-0")).unwrap();
        let arms =
            |folder: &Path| Store::open(folder).unwrap().records().unwrap().iter().map(|r| (r.arm.clone(), r.seed)).collect::<Vec<_>>();
        let busy = RunLock::hold(&folder.path().join("a/seed-0")).unwrap();
        assert!(remove(folder.path(), "a", None).unwrap_err().to_string().contains("is being trained"));
        drop(busy);
        assert_eq!(remove(folder.path(), "a", Some(0)).unwrap().folders, ["a/seed-0", "a/seed-0.old-0"]);
        assert_eq!(arms(folder.path()), [("base".to_string(), 0), ("a".to_string(), 1)]);
        assert!(folder.path().join("a/seed-1/checkpoint").is_dir());
        let again = remove(folder.path(), "a", Some(0)).unwrap_err().to_string();
        assert!(again.contains("a with seed 0") && again.contains("base, a"), "{again}");
        remove(folder.path(), "a", None).unwrap();
        assert!(!folder.path().join("a").exists());
        assert_eq!(arms(folder.path()), [("base".to_string(), 0)]);
        let conducted = Store::create(folder.path()).unwrap();
        assert!(remove(folder.path(), "base", None).is_err() && clean(folder.path(), false).is_err());
        drop(conducted);
    }

    #[test]
    fn cleaning_takes_checkpoints_of_runs_that_are_over() {
        let folder = experiment();
        let all = cleanable(folder.path(), false).unwrap();
        assert_eq!((all.folders.len(), all.bytes), (6, 600));
        let most = clean(folder.path(), true).unwrap();
        assert_eq!((most.folders.len(), most.bytes), (4, 400));
        assert_eq!(clean(folder.path(), false).unwrap().folders, ["a/seed-1/checkpoint-best", "base/seed-0/checkpoint-best"]);
        assert!(folder.path().join("a/seed-0/checkpoint").is_dir(), "a run that failed may continue");
        assert_eq!(clean(folder.path(), false).unwrap(), Tidied::default());
    }
}
