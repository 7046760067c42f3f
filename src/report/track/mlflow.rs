//! MLflow's store of files: `mlruns/EXPERIMENT/RUN/` with `meta.yaml`, `metrics/NAME`, `params/KEY`, `tags/KEY`
//! (`mlflow/store/tracking/file_store.py` in its sources). MLflow has stopped changing this store, reads it, and migrates it to
//! its database.

use super::{grow::update, run::Run, source::Source};
use crate::{
    settings::{Error, Result, written},
    train::Outcome,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Component, Path},
};

/// Brings the store in the folder `root` up to date.
///
/// # Errors
///
/// Files that cannot be read or written.
pub fn write(root: &Path, source: &Source) -> Result<()> {
    // An experiment's number is digits, by custom; the name decides it, so that it is found again.
    let id = (u64::from_be_bytes(digest(&source.name)[..8].try_into().expect("eight bytes")) % 1_000_000_000_000_000_000).to_string();
    let folder = root.join(&id);
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    let folder = folder.canonicalize().map_err(Error::io("read", &folder))?;
    let mut first = u64::MAX;
    source.each(|run| {
        first = first.min(milliseconds(run.start));
        write_run(&folder, &id, &source.name, run)
    })?;
    let created = if first == u64::MAX { 0 } else { first };
    let meta = format!(
        "artifact_location: {}\ncreation_time: {created}\nexperiment_id: '{id}'\nlast_update_time: {created}\nlifecycle_stage: active\nname: {}\n",
        quoted(&uri(&folder)),
        quoted(&source.name),
    );
    update(&folder.join("meta.yaml"), meta.as_bytes())
}

fn write_run(experiment: &Path, experiment_id: &str, experiment_name: &str, run: &Run) -> Result<()> {
    let id: String = digest(&format!("{experiment_name}/{}", run.title()))[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = experiment.join(&id);
    // A file per metric, with a line per step.
    let mut metrics: BTreeMap<String, String> = BTreeMap::new();
    for line in &run.lines {
        for (name, value) in &line.values {
            let value = if value.is_finite() { value.to_string() } else { "nan".into() };
            let lines = metrics.entry(allowed(name)).or_default();
            writeln!(lines, "{} {value} {}", milliseconds(line.time), line.step).expect("a String takes every write");
        }
    }
    put(&folder.join("metrics"), metrics)?;
    let known = [("arm", run.arm.clone()), ("stage", run.stage.into()), ("seed", run.seed.to_string())];
    let known = known.map(|(key, value)| (key.to_string(), value));
    put(&folder.join("params"), run.parameters.iter().map(|(key, value)| (allowed(key), written(value))).chain(known))?;
    let tags =
        [("mlflow.runName", run.title()), ("mlflow.source.type", "LOCAL"), ("mlflow.source.name", "ablate"), ("mlflow.user", "ablate")];
    put(&folder.join("tags"), tags.map(|(key, value)| (key.to_string(), value.to_string())))?;
    // The whole specification, for those who miss a key among the parameters.
    let spec = run.folder.join("spec.toml");
    let spec = fs::read_to_string(&spec).map_err(Error::io("read", &spec))?;
    put(&folder.join("artifacts"), [("spec.toml".to_string(), spec)])?;

    // RunStatus and SourceType of MLflow's service.proto.
    const LOCAL: u8 = 4;
    let (running, finished, failed) = (1, 3, 4);
    let (status, end) = match run.outcome {
        None => (running, "null".into()),
        Some(outcome) => (if outcome == Outcome::Finished { finished } else { failed }, milliseconds(run.end()).to_string()),
    };
    let meta = format!(
        "artifact_uri: {}\nend_time: {end}\nentry_point_name: ''\nexperiment_id: '{experiment_id}'\nlifecycle_stage: active\n\
         run_id: {id}\nrun_name: {}\nsource_name: ''\nsource_type: {LOCAL}\nsource_version: ''\nstart_time: {}\nstatus: {status}\n\
         tags: []\nuser_id: ablate\n",
        quoted(&uri(&folder.join("artifacts"))),
        quoted(run.title()),
        milliseconds(run.start),
        id = quoted(&id),
    );
    // Last: a folder without it is no run yet.
    update(&folder.join("meta.yaml"), meta.as_bytes())
}

/// Writes files by name, which may lead into folders.
fn put(folder: &Path, files: impl IntoIterator<Item = (String, String)>) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    for (name, content) in files {
        let path = folder.join(&name);
        if let Some(parent) = path.parent().filter(|parent| *parent != folder) {
            fs::create_dir_all(parent).map_err(Error::io("create the folder", parent))?;
        }
        update(&path, content.as_bytes())?;
    }
    Ok(())
}

/// MLflow allows letters, digits and `_ - . : / ` and the space in names; everything else becomes `_`.
fn allowed(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-./ ".contains(c) { c } else { '_' }).collect()
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1e3) as u64
}

/// A text as YAML has it: every JSON text is one.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The URI of a file, with what a URI cannot hold escaped.
fn uri(path: &Path) -> String {
    let mut uri = "file://".to_string();
    for part in path.components() {
        let part = match part {
            Component::RootDir => continue,
            part => part.as_os_str().to_string_lossy().into_owned(),
        };
        uri.push('/');
        for byte in part.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b':' => uri.push(byte.into()),
                _ => write!(uri, "%{byte:02X}").expect("a String takes every write"),
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_in_the_alphabets_they_are_written_in() {
        assert_eq!(allowed("valid/bits_per_byte@2x"), "valid/bits_per_byte_2x");
        assert_eq!(allowed("probe/layers/0/rms"), "probe/layers/0/rms");
        assert_eq!(quoted("a: \"b\" ü"), r#""a: \"b\" ü""#);
        #[cfg(unix)]
        assert_eq!(uri(Path::new("/runs/my runs/é+1")), "file:///runs/my%20runs/%C3%A9+1");
    }

    #[test]
    fn names_with_folders_in_them_become_folders() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("loss", "1"), ("valid/b", "2")].map(|(name, content)| (name.to_string(), content.to_string()));
        put(&folder.path().join("metrics"), files).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("metrics/valid/b")).unwrap(), "2");
    }
}
