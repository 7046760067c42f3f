//! `ablate explain`: say what a configuration key means.

use ablate::{Result, data::recipe::Recipe, experiment::ExperimentConfig, settings, train::RunConfig};
use schemars::JsonSchema;
use std::{cmp::Reverse, collections::BTreeSet, fmt::Write, process::ExitCode};

/// Say what a configuration key means.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A dotted key, e.g. model.norm.kind, or step.apply.bands of a recipe; without it, the sections are listed.
    key: Option<String>,
    /// List every key instead.
    #[arg(long, conflicts_with = "key")]
    all: bool,
}

/// A kind of file, as its type explains it.
struct Kind {
    name: &'static str,
    explain: fn(&str) -> Result<String>,
    keys: fn() -> Vec<String>,
    near: fn(&str) -> Vec<String>,
    sections: fn() -> String,
}

impl Kind {
    const fn of<T: JsonSchema>(name: &'static str) -> Self {
        let (explain, keys) = (settings::explain::<T>, settings::keys::<T>);
        Self { name, explain, keys, near: settings::near::<T>, sections: settings::sections::<T> }
    }

    /// How far a wrong key is as the nearest of its own; none if no key is near.
    fn agrees(&self, key: &str) -> Option<usize> {
        let near = (self.near)(key);
        near.iter().map(|near| near.chars().zip(key.chars()).take_while(|(a, b)| a == b).count()).max()
    }
}

const KINDS: [Kind; 3] =
    [Kind::of::<RunConfig>("a run"), Kind::of::<ExperimentConfig>("an experiment"), Kind::of::<Recipe>("a recipe of data")];

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let text = match args.key {
        _ if args.all => all(),
        Some(key) => explained(&key)?,
        None => sections(),
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Every key once: kinds of file share a few names.
fn all() -> String {
    let mut said = BTreeSet::new();
    let keys = KINDS.iter().flat_map(|kind| (kind.keys)());
    keys.filter(|key| said.insert(key.clone())).map(|key| key + "\n").collect()
}

fn sections() -> String {
    let mut text = String::new();
    for kind in &KINDS {
        let how = if text.is_empty() { ", explained by `ablate explain KEY`" } else { "" };
        let space = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{space}Keys of {}{how}:\n\n{}", kind.name, (kind.sections)());
    }
    text
}

/// What a key means in each kind of file that has it.
fn explained(key: &str) -> Result<String> {
    let found: Vec<(&Kind, String)> = KINDS.iter().filter_map(|kind| Some((kind, (kind.explain)(key).ok()?))).collect();
    match found.as_slice() {
        [] => (meant(key).explain)(key),
        [(_, text)] => Ok(text.clone()),
        several => Ok(several.iter().map(|(kind, text)| format!("Of {}:\n\n{text}", kind.name)).collect::<Vec<_>>().join("\n")),
    }
}

/// The kind of file that a wrong key is most likely of.
fn meant(key: &str) -> &'static Kind {
    let near = KINDS.iter().filter_map(|kind| Some((Reverse(kind.agrees(key)?), kind)));
    near.min_by_key(|(agrees, _)| *agrees).map_or(&KINDS[0], |(_, kind)| kind)
}
