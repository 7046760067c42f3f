//! Which checkpoints a run's folder holds: the newest, older ones, the best.

use super::{Contents, Saved, folder};
use crate::{
    data::Tokenizer,
    hub::is_model_folder,
    settings::{Error, Result},
};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The newest one's name in a run's folder, and the beginning of all others'.
const NAME: &str = "checkpoint";

/// A checkpoint of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    #[default]
    Newest,
    /// That of the best evaluation, with `train.keep_best`.
    Best,
    /// An older one, by its step, with `train.keep_last`.
    Step(usize),
}

impl Which {
    /// Its folder, and where that is written and set aside while it is replaced.
    fn folders(self, out: &Path) -> [PathBuf; 3] {
        let name = match self {
            Self::Newest => NAME.to_owned(),
            other => format!("{NAME}-{other}"),
        };
        ["", ".new", ".old"].map(|ending| out.join(format!("{name}{ending}")))
    }

    /// Its folder, or what a crash between two renames left of it.
    fn find(self, out: &Path) -> Option<PathBuf> {
        let [current, new, old] = self.folders(out);
        if current.exists() {
            return Some(current);
        }
        [new, old].into_iter().find(|folder| folder::is_committed(folder))
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => write!(f, "newest"),
            Self::Best => write!(f, "best"),
            Self::Step(step) => write!(f, "{step}"),
        }
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self::Newest),
            "best" => Ok(Self::Best),
            step => step.parse().map(Self::Step).map_err(|_| format!("`{text}` is none of newest, best and the number of a step")),
        }
    }
}

/// Replaces the newest checkpoint in the run's folder `out`. Of those before it, the `keep_last - 1` newest stay.
///
/// # Errors
///
/// A folder that cannot be written; the old checkpoint is then still in place.
pub fn save(out: &Path, contents: Contents, keep_last: usize) -> Result<()> {
    let [current, new, old] = Which::Newest.folders(out);
    let step = contents.state.step;
    folder::write(&new, contents)?;
    folder::remove(&old)?;
    // One that is taken again, after an interruption or at the end, replaces itself.
    let before = folder::state(&current).ok().map(|state| state.step).filter(|before| keep_last > 1 && *before < step);
    let aside = before.map_or(old.clone(), |before| Which::Step(before).folders(out)[0].clone());
    swap(&current, &new, &aside)?;
    folder::remove(&old)?;
    // What lies ahead is of an attempt that went on from an older one.
    let (behind, ahead): (Vec<_>, Vec<_>) = steps(out).into_iter().partition(|kept| *kept < step);
    for kept in ahead.into_iter().chain(behind.into_iter().skip(keep_last.saturating_sub(1))) {
        folder::remove(&Which::Step(kept).folders(out)[0])?;
    }
    Ok(())
}

/// Replaces the checkpoint of the best evaluation in the run's folder `out`.
///
/// # Errors
///
/// As [`save`].
pub fn save_best(out: &Path, contents: Contents) -> Result<()> {
    let [current, new, old] = Which::Best.folders(out);
    folder::write(&new, contents)?;
    swap(&current, &new, &old)?;
    folder::remove(&old)
}

/// Puts `new` in the place of `current`, which goes to `aside`.
fn swap(current: &Path, new: &Path, aside: &Path) -> Result<()> {
    folder::remove(aside)?;
    if current.exists() {
        fs::rename(current, aside).map_err(Error::io("rename", current))?;
    }
    fs::rename(new, current).map_err(Error::io("rename", new))
}

/// Reads a checkpoint in the run's folder `out`, if it is there, and verifies every file.
///
/// # Errors
///
/// A checkpoint that is truncated, altered or of another version.
pub fn load(out: &Path, which: Which) -> Result<Option<Saved>> {
    let Some(folder) = which.find(out) else { return Ok(None) };
    folder::read(&folder).map(Some).map_err(|what| damaged(out, &folder, &what))
}

/// What a run continues from.
pub struct Recovered {
    /// The newest checkpoint that is whole.
    pub saved: Saved,
    /// What was wrong with newer ones; they are set aside as `checkpoint.damaged/`.
    pub warnings: Vec<String>,
}

/// Reads the newest checkpoint that is whole in the run's folder `out`, if there is one. Newer ones that are not whole are
/// passed over: going on from an older one leads to the same bits.
///
/// # Errors
///
/// Only checkpoints that are damaged.
pub fn recover(out: &Path) -> Result<Option<Recovered>> {
    let mut first = None;
    let mut warnings = vec![];
    let [current, new, old] = Which::Newest.folders(out);
    let left = [new, old].into_iter().filter(|folder| folder::is_committed(folder)).collect::<Vec<_>>();
    let kept = steps(out).into_iter().map(|step| Which::Step(step).folders(out)[0].clone());
    for folder in current.exists().then(|| current.clone()).into_iter().chain(left.clone()).chain(kept) {
        match folder::read(&folder) {
            Ok(saved) => {
                // Out of the way, so that nothing takes it for a checkpoint again.
                if let Some((damaged, _)) = &first {
                    warnings.push(format!("continued from the older checkpoint of step {}", saved.state.step));
                    let aside = out.join(format!("{NAME}.damaged"));
                    folder::remove(&aside)?;
                    fs::rename(damaged, &aside).map_err(Error::io("rename", damaged))?;
                }
                // A crash came between two renames.
                if left.contains(&folder) {
                    fs::rename(&folder, &current).map_err(Error::io("rename", &folder))?;
                }
                return Ok(Some(Recovered { saved, warnings }));
            }
            Err(what) => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                warnings.push(format!("{name} is damaged: {what}"));
                first.get_or_insert((folder, what));
            }
        }
    }
    match first {
        Some((folder, what)) => Err(damaged(out, &folder, &what)),
        None => Ok(None),
    }
}

/// Puts every checkpoint aside that a run in `out` could go on from, as `checkpoint.damaged-0/` and the like: where none of
/// them is what was written, the run has to start again, and gives the same bits.
///
/// # Errors
///
/// A folder that cannot be renamed.
pub fn set_aside(out: &Path) -> Result<()> {
    let kept = steps(out).into_iter().map(|step| Which::Step(step).folders(out)[0].clone());
    for folder in Which::Newest.folders(out).into_iter().chain(kept).filter(|folder| folder.exists()) {
        let numbered = |n| PathBuf::from(format!("{}.damaged-{n}", folder.display()));
        let aside = (0..).map(numbered).find(|path| !path.exists()).expect("some number is free");
        fs::rename(&folder, aside).map_err(Error::io("move aside", &folder))?;
    }
    Ok(())
}

/// The tokenizer saved with a checkpoint in `out`.
///
/// # Errors
///
/// No checkpoint, a broken tokenizer, or none at all: that of a run on a synthetic corpus.
pub fn tokenizer(out: &Path, which: Which) -> Result<Tokenizer> {
    Tokenizer::load(&tokenizer_folder(out, which)?)
}

/// Where the tokenizer of a checkpoint in `out` lies, with what else belongs to it, such as a chat template.
///
/// # Errors
///
/// No checkpoint, or none with a tokenizer.
pub fn tokenizer_folder(out: &Path, which: Which) -> Result<PathBuf> {
    let folder = which.find(out).ok_or_else(|| missing(out, which))?.join(folder::TOKENIZER);
    if !folder.exists() {
        let message = "the run was trained on a synthetic corpus, which has no text";
        return Err(Error::input(out.display(), message, "name a run that was trained on text"));
    }
    Ok(folder)
}

/// The error of a run without that checkpoint.
pub fn missing(out: &Path, which: Which) -> Error {
    let (message, help) = match which {
        _ if is_model_folder(out) => {
            let folder = out.display();
            (
                "is a model in the layout of Hugging Face, not a run".to_owned(),
                format!("make a run of it: `ablate import {folder} --out runs/NAME`"),
            )
        }
        Which::Newest => ("there is no checkpoint".to_owned(), "name the folder of a run that finished or was interrupted".to_owned()),
        other => {
            let mut there: Vec<_> = steps(out).into_iter().map(Which::Step).chain([Which::Best, Which::Newest]).collect();
            there.retain(|which| which.find(out).is_some());
            let there = there.iter().map(Which::to_string).collect::<Vec<_>>().join(", ");
            let help = if there.is_empty() { "there is none at all".into() } else { format!("there are: {there}") };
            (format!("there is no checkpoint `{other}`"), help)
        }
    };
    Error::input(out.display(), message, help)
}

fn damaged(out: &Path, folder: &Path, what: &str) -> Error {
    let older = steps(out).into_iter().find(|step| Which::Step(*step).folders(out)[0] != folder);
    let otherwise = older.map_or(String::new(), |step| format!(", take that of step {step}"));
    Error::input(
        folder.display(),
        format!("the checkpoint is damaged: {what}"),
        format!("copy it back from elsewhere{otherwise}, or delete {} to start the run again", out.display()),
    )
}

/// Steps of the older checkpoints that are kept, the newest first.
fn steps(out: &Path) -> Vec<usize> {
    let names = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut steps: Vec<usize> = names.filter_map(|name| name.strip_prefix(NAME)?.strip_prefix('-')?.parse().ok()).collect();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_checkpoints_are_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["one", "two"] {
            for name in ["checkpoint", "checkpoint-40"] {
                fs::create_dir(folder.path().join(name)).unwrap();
                fs::write(folder.path().join(name).join("state.json"), content).unwrap();
            }
            set_aside(folder.path()).unwrap();
        }
        for name in ["checkpoint", "checkpoint-40"] {
            assert!(!folder.path().join(name).exists());
            let kept = [0, 1].map(|n| fs::read_to_string(folder.path().join(format!("{name}.damaged-{n}/state.json"))).unwrap());
            assert_eq!(kept, ["one", "two"]);
        }
    }
}
