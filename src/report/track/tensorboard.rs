//! Event files for TensorBoard: a folder per run, named as in the experiment, so that a run is `arm/seed-0` there.
//!
//! A file only ever grows while it says what the run's folder says, and a TensorBoard that shows it follows. When that is no
//! longer so (the run went back to a checkpoint, was tried again, has other settings), a new file begins a new session,
//! at which readers forget the one before.

use super::{
    event,
    framing::append,
    grow::{Growth, grow},
    run::Run,
};
use crate::{
    settings::{Error, Result},
    train::Outcome,
};
use serde_json::Value;
use std::{fs, path::Path};

/// Files of which TensorBoard reads all, in the order of their names.
const PREFIX: &str = "events.out.tfevents.";
const SUFFIX: &str = ".ablate";

/// Brings the events of a run in the folder `root` up to date.
///
/// # Errors
///
/// Files that cannot be read or written.
pub fn write(root: &Path, run: &Run) -> Result<()> {
    let folder = root.join(run.title());
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    let content = events(run);
    let sessions = sessions(&folder)?;
    let file = |session: u64| folder.join(format!("{PREFIX}{session:010}{SUFFIX}"));
    let last = sessions.iter().max().copied();
    let current = match last {
        Some(last) if grow(&file(last), &content)? == Growth::Another => last + 1,
        Some(last) => last,
        None => 1,
    };
    grow(&file(current), &content)?;
    // Emptied, not removed: one of TensorBoard's readers never leaves a file that is gone from under it.
    for old in sessions.into_iter().filter(|session| *session != current) {
        fs::write(file(old), "").map_err(Error::io("write", file(old)))?;
    }
    Ok(())
}

/// Numbers of the event files of ours in a folder.
fn sessions(folder: &Path) -> Result<Vec<u64>> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok();
    Ok(entries.flatten().filter_map(number).collect())
}

/// All events of a run. What a run that goes on has now is the beginning of what it will have.
fn events(run: &Run) -> Vec<u8> {
    let mut file = Vec::new();
    let mut add = |event: event::Message| append(&mut file, event.encoded());
    add(event::version(run.start));
    add(event::session_start(run.start));
    let (arm, stage) = (Value::from(run.arm.as_str()), Value::from(run.stage));
    let known = [("arm", &arm), ("stage", &stage)];
    let settings = run.parameters.iter().map(|(key, value)| (key.as_str(), value));
    // Seeds of an arm are one thing measured several times: a group, which has no seed of its own.
    add(event::settings(run.start, &group(run), known.into_iter().chain(settings)));
    for line in &run.lines {
        add(event::scalars(line.time, line.step, line.values.iter().map(|(name, value)| (name.as_str(), *value))));
    }
    if let Some(outcome) = run.outcome {
        add(event::session_end(run.end(), outcome == Outcome::Finished));
    }
    file
}

/// The run's name without its seed.
fn group(run: &Run) -> String {
    let title = run.title();
    title.rsplit_once("/seed-").map_or(title, |(group, _)| group).into()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{framing::tests::records, run::Line},
        *,
    };

    fn run(losses: &[f64]) -> Run {
        let line = |(at, loss): (usize, &f64)| Line { step: at as u64 + 1, time: 10.0 + at as f64, values: vec![("loss".into(), *loss)] };
        Run {
            arm: "rms".into(),
            seed: 3,
            stage: "compare",
            name: "rms/seed-3".into(),
            folder: "unused".into(),
            start: 10.0,
            parameters: vec![("model.norm.kind".into(), "rms".into())],
            lines: losses.iter().enumerate().map(line).collect(),
            outcome: None,
        }
    }

    fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(root.join("rms/seed-3")).unwrap();
        let files = entries.map(|entry| entry.unwrap()).map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap()));
        files.filter(|(_, content)| !content.is_empty()).collect()
    }

    #[test]
    fn a_file_grows_with_its_run_and_a_run_that_went_back_begins_another() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &run(&[3.0])).unwrap();
        let before = files(root.path());
        write(root.path(), &run(&[3.0, 2.0])).unwrap();
        write(root.path(), &Run { outcome: Some(Outcome::Finished), ..run(&[3.0, 2.0, 1.0]) }).unwrap();
        let after = files(root.path());
        assert_eq!((after.len(), &after[0].0), (1, &before[0].0));
        assert!(after[0].1.starts_with(&before[0].1));
        // Version, session, settings, three steps, the end.
        assert_eq!(records(&after[0].1).unwrap().len(), 7);
        write(root.path(), &run(&[3.0, 2.5])).unwrap();
        let again = files(root.path());
        assert_eq!((again.len(), records(&again[0].1).unwrap().len()), (1, 5));
        assert!(again[0].0 > after[0].0, "TensorBoard reads by name");
        let old = root.path().join("rms/seed-3").join(&after[0].0);
        assert_eq!(fs::read(old).unwrap(), b"", "emptied, and still there for who has it open");
        // Half an event, as a crash leaves it.
        let path = root.path().join("rms/seed-3").join(&again[0].0);
        fs::write(&path, &again[0].1[..again[0].1.len() - 5]).unwrap();
        write(root.path(), &run(&[3.0, 2.5])).unwrap();
        assert_eq!(files(root.path()), again);
    }

    #[test]
    fn seeds_are_one_group_and_trials_are_not() {
        let named = |name: &str| group(&Run { name: name.into(), ..run(&[]) });
        assert_eq!(named("rms/seed-3"), "rms");
        assert_eq!(named("rms/tune/rung-0/trial-2/seed-1000000000"), "rms/tune/rung-0/trial-2");
        assert_eq!(named(""), "rms");
    }
}
