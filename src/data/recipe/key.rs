//! What decides the results of a recipe, as a hash. Where files lie is no part of it, nor is what only says which results are
//! accepted: a build that was refused goes on when that is changed.

use super::{config::Recipe, step::STEP_PATHS};
use crate::{
    data::{cache, corpus, pipeline::formats},
    settings::{Error, Result},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Version of what steps do and of what is written: raised whenever the same recipe may give other results.
const PIPELINE: u32 = 1;

/// SHA-256 of the contents of files.
pub(in crate::data) type Contents<'a> = &'a dyn Fn(&[PathBuf]) -> Result<Vec<String>>;

/// The same, by reading them.
pub(super) fn contents(paths: &[PathBuf]) -> Result<Vec<String>> {
    paths.iter().map(|path| cache::sha256(path).map_err(Error::io("read", path))).collect()
}

/// SHA-256 of what a recipe says, and of the contents of the models, lists and tokenizers that it names.
///
/// # Errors
///
/// One of them cannot be read.
pub(super) fn of(recipe: &Recipe, contents: Contents<'_>) -> Result<String> {
    let mut value = serde_json::to_value(recipe).expect("a recipe is plain data");
    value["rejected"].take();
    replace(&mut value["output"]["tokenizer"], false, contents)?;
    steps(&mut value["step"], contents)?;
    for source in value["source"].as_array_mut().into_iter().flatten() {
        for key in ["paths", "damage", "allow_empty"] {
            source[key].take();
        }
        steps(&mut source["step"], contents)?;
    }
    let mut hash = Sha256::new();
    hash.update(format!("{PIPELINE} {value}"));
    if recipe.sources.iter().any(|source| source.crates.is_some()) {
        hash.update(corpus::crates_fingerprint());
    }
    Ok(cache::hex(&hash.finalize()))
}

fn steps(steps: &mut Value, contents: Contents<'_>) -> Result<()> {
    for step in steps.as_array_mut().into_iter().flatten() {
        step["allow"].take();
        let kind = step["apply"]["kind"].as_str().unwrap_or_default().to_string();
        for key in STEP_PATHS.iter().filter_map(|path| path.split_once('.').filter(|(of, _)| *of == kind)).map(|(_, key)| key) {
            replace(&mut step["apply"][key], key == "paths", contents)?;
        }
    }
    Ok(())
}

/// Puts contents in the place of paths; of those that are searched, with the names of what was found.
fn replace(value: &mut Value, searched: bool, contents: Contents<'_>) -> Result<()> {
    match value {
        Value::Array(several) => several.iter_mut().try_for_each(|one| replace(one, searched, contents)),
        // What names no file is said when the step is built.
        Value::String(path) if !path.is_empty() => {
            let found =
                if searched { formats::expand(std::slice::from_ref(path), None)? } else { vec![formats::Input::new(Path::new(path))] };
            let hashes = contents(&found.iter().map(|input| input.path.clone()).collect::<Vec<_>>())?;
            let named = found.iter().zip(hashes).map(|(input, hash)| if searched { format!("{} {hash}", input.name) } else { hash });
            *value = named.collect();
            Ok(())
        }
        _ => Ok(()),
    }
}
