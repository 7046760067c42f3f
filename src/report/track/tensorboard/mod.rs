//! TensorBoard: an event file per run, in folders that are named as the runs are.

mod event;
mod frame;
mod wire;

use super::{
    lines::Line,
    source::{Run, Source},
};
use crate::settings::{Error, Result};
use event::Begun;
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Folder of the event files.
const FOLDER: &str = "tensorboard";

/// Writes or continues the event files under `tensorboard/`, to be given to `tensorboard --logdir`.
pub fn write(source: &Source, out: &Path) -> Result<PathBuf> {
    let folder = out.join(FOLDER);
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    for run in &source.runs {
        let folder = folder.join(&run.name);
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        one(run, &folder)?;
    }
    Ok(folder)
}

/// Brings the event file of a run up to date.
fn one(run: &Run, folder: &Path) -> Result<()> {
    let logged = run.logged()?;
    let mine = format!(".ablate.{}", run.id);
    let mut path = folder.join(format!("events.out.tfevents.{:010}{mine}", logged.began.max(0.0) as u64));
    // TensorBoard reads all event files of a folder as one run, so what another specification has left must go.
    for entry in fs::read_dir(folder).map_err(Error::io("read", folder))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("events.out.tfevents.") && name.ends_with(&mine) {
            path = entry.path();
        } else if name.starts_with("events.out.tfevents.") && name.contains(".ablate.") {
            fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
        }
    }
    let before = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => vec![],
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let (events, whole) = frame::read(&before);
    // The first two events tell what run it is: a file that was cut off in them is begun again.
    let (events, whole) = if events.len() < 2 { (vec![], 0) } else { (events, whole) };
    let begun = Begun::of(&events);
    let mut more = Vec::new();
    let began = begun.at.unwrap_or_else(|| {
        frame::write(&mut more, &event::version(logged.began));
        frame::write(&mut more, &event::settings(run, logged.began));
        logged.began
    });
    let at = |line: &Line| began + line.seconds;
    // A run that was killed and continued logs some steps again: they are there already.
    let new = logged.lines.iter().filter(|line| begun.step.is_none_or(|step| line.step > step));
    new.for_each(|line| frame::write(&mut more, &event::scalars(at(line), line.step, &line.values)));
    if let (Some(outcome), Some(last), false) = (run.end, logged.lines.last(), begun.ended) {
        frame::write(&mut more, &event::end(outcome, at(last), last.step));
    }
    append(&path, whole as u64, before.len() as u64, &more).map_err(Error::io("write", &path))
}

/// Appends in one piece behind the first `whole` bytes; what follows them was cut off when it was written.
fn append(path: &Path, whole: u64, length: u64, more: &[u8]) -> std::io::Result<()> {
    if more.is_empty() && whole == length {
        return Ok(());
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    if whole < length {
        file.set_len(whole)?;
    }
    file.write_all(more)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests as example, *};
    use std::collections::BTreeMap;

    fn bytes(run: &Path) -> (PathBuf, Vec<u8>) {
        let folder = write(&Source::open(run).unwrap(), run).unwrap().join("my run");
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        (files[0].clone(), fs::read(&files[0]).unwrap())
    }

    /// The scalars in a file, by its own reader: tag, step, value.
    fn scalars(bytes: &[u8]) -> Vec<(String, u64, f32)> {
        let (events, whole) = frame::read(bytes);
        assert_eq!(whole, bytes.len());
        events.iter().flat_map(|event| event::tests::scalars(event)).collect()
    }

    #[test]
    fn a_file_grows_with_its_run_and_is_never_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let line = |step: u64| format!("{{\"step\":{step},\"loss\":{}.5,\"step_ms\":1000.0}}\n", 10 - step);
        let lines = |steps: std::ops::RangeInclusive<u64>| steps.map(line).collect::<String>();
        let run = example::run(folder.path(), 1, &lines(1..=2));
        let (path, first) = bytes(&run);
        assert!(path.file_name().unwrap().to_string_lossy().starts_with("events.out.tfevents.1"));
        assert_eq!(bytes(&run), (path.clone(), first.clone()), "nothing new");
        example::run(folder.path(), 1, &lines(1..=4));
        let (same, second) = bytes(&run);
        assert!(same == path && second.starts_with(&first) && second.len() > first.len());
        // Killed, continued from step 2 with other speeds, and the exporter died in mid-record.
        fs::write(&path, &second[..second.len() - 5]).unwrap();
        example::run(folder.path(), 1, &lines(1..=5));
        fs::write(run.join("result.json"), "{\"outcome\":\"finished\"}").unwrap();
        let (_, third) = bytes(&run);
        assert!(third.starts_with(&second));
        assert_eq!(bytes(&run).1, third, "the end is told once");
        let losses: BTreeMap<u64, f32> =
            scalars(&third).into_iter().filter(|(tag, ..)| tag == "loss").map(|(_, step, value)| (step, value)).collect();
        assert_eq!(losses, (1..=5).map(|step| (step, 10.5 - step as f32)).collect());
        assert_eq!(scalars(&third).len(), 10, "no step twice");
    }

    #[test]
    fn another_specification_begins_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let run = example::run(folder.path(), 1, "{\"step\":1,\"loss\":1.5}\n");
        let (path, _) = bytes(&run);
        example::run(folder.path(), 2, "{\"step\":1,\"loss\":2.5}\n");
        let (other, content) = bytes(&run);
        assert_ne!(path, other);
        assert_eq!(scalars(&content), [("loss".to_string(), 1, 2.5)]);
    }
}
