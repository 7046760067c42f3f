//! A run's folder from a model that something else has made.

use super::{
    Outcome, RunResult, RunSpec,
    checkpoint::{self, Contents, State, Which},
    run::{RESULT, SPEC, load_model, version},
};
use crate::{
    data::Tokenizer,
    device::DeviceName,
    files,
    hub::Files,
    model::Transformer,
    settings::{Error, Result},
};
use burn::module::Module;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Writes one checkpoint of a run as a run that is over: without metrics, logs, other checkpoints and the optimizer's state.
///
/// # Errors
///
/// No run, no such checkpoint, a folder that holds a run already.
pub fn hand_on(from: &Path, which: Which, out: &Path) -> Result<()> {
    let (spec, model) = load_model(from, which, &DeviceName::Flex)?;
    let tokenizer = spec.data.has_text().then(|| checkpoint::tokenizer(from, which)).transpose()?;
    let files = match &tokenizer {
        Some(_) => Files::of(&checkpoint::tokenizer_folder(from, which)?).companions,
        None => vec![],
    };
    adopt(&spec, model, tokenizer.as_ref(), format!("checkpoint `{which}` of {}", from.display()), &files, out)
}

/// Writes a model as a run that is over after no step: what evaluates, generates or goes on from a run takes it. `companions` are
/// files that say how its tokenizer is used, and go beside that.
///
/// # Errors
///
/// A folder that holds a run already, or cannot be written.
pub fn adopt(
    spec: &RunSpec,
    model: Transformer,
    tokenizer: Option<&Tokenizer>,
    note: String,
    companions: &[PathBuf],
    out: &Path,
) -> Result<()> {
    if out.join(SPEC).exists() {
        return Err(Error::input(out.display(), "holds a run already", "choose another --out, or delete the folder"));
    }
    fs::create_dir_all(out).map_err(Error::io("create the folder", out))?;
    let state = State { notes: vec![note], ..State::new(&spec.id()) };
    checkpoint::save(out, Contents { model: model.into_record(), optimizer: None, tokenizer, state: &state }, 1)?;
    for path in companions {
        let target = checkpoint::tokenizer_folder(out, Which::Newest)?.join(path.file_name().unwrap_or_default());
        fs::copy(path, target).map_err(Error::io("copy", path))?;
    }
    let device = DeviceName::Flex;
    let result = RunResult {
        id: state.id,
        outcome: Outcome::Finished,
        reason: None,
        steps: 0,
        tokens: 0,
        metrics: state.metrics,
        tokens_per_second: None,
        seconds: 0.0,
        device: device.to_string(),
        path: spec.path(&device),
        operators: spec.operators(&device),
        threads: rayon::current_num_threads(),
        version: version(),
        data_hash: state.data_hash,
        data_marks: state.data_marks,
        noise: Default::default(),
        peak_memory_bytes: None,
        waited_seconds: None,
        notes: state.notes,
        parallel: None,
    };
    files::write(&out.join(RESULT), &serde_json::to_vec_pretty(&result).expect("a result is plain data"))?;
    // Last: without it the folder is no run.
    files::write(&out.join(SPEC), toml::to_string_pretty(spec).expect("a specification is plain data").as_bytes())
}
