//! `ablate import`: a model in the layout of Hugging Face becomes a run.

use super::{text::grouped, train::configuration};
use ablate::{
    Result,
    data::{DataConfig, Tokenizer, TokenizerConfig},
    device::DeviceName,
    hub::{self, Imported, repaired},
    model::position::Pairing,
    settings::Error,
    train::{self, COMPANIONS, RunConfig},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Make a run of a model in the layout of Hugging Face: config.json, safetensors, tokenizer.json.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of the model.
    model: PathBuf,
    /// Folder of the run; runs/NAME by default, NAME being that of the model's folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Configuration whose data, optimizer, schedule and training the run has; what it says of the model does not count.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Put the channels of queries and keys into the order in which these rotate together: half, as Hugging Face has them, or
    /// interleaved, as the LLaMA release has them.
    #[arg(long, value_name = "ORDER", value_parser = pairing)]
    pairing: Option<Pairing>,
}

fn pairing(text: &str) -> Result<Pairing, String> {
    match text {
        "half" => Ok(Pairing::Half),
        "interleaved" => Ok(Pairing::Interleaved),
        _ => Err("expected half or interleaved".into()),
    }
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let Imported { family, spec: model, weights, files, config, .. } = hub::import(&args.model)?;
    let (model, weights) = match args.pairing {
        Some(pairing) => repaired(&model, weights, pairing),
        None => (model, weights),
    };
    let Some(tokenizer) = files.tokenizer else {
        let help = "put the model's tokenizer.json there; `ablate logits` needs none";
        return Err(Error::input(args.model.display(), "holds no tokenizer.json, and a run reads text", help));
    };
    let name = args.model.canonicalize().ok().and_then(|path| path.file_name().map(|name| name.to_os_string()));
    let out = args.out.unwrap_or_else(|| Path::new("runs").join(name.unwrap_or_else(|| "imported".into())));
    if out.join("spec.toml").exists() {
        return Err(Error::input(out.display(), "holds a run already", "choose another --out, or delete the folder"));
    }
    let base = match &args.config {
        Some(path) => configuration(path, &[])?.1,
        None => RunConfig::default(),
    };
    let read = Tokenizer::read(&tokenizer)?;
    // The run keeps its own copy: the model's folder may go.
    let kept = out.join(COMPANIONS);
    fs::create_dir_all(&kept).map_err(Error::io("create the folder", &kept))?;
    for path in files.companions.iter().chain([&tokenizer, &args.model.join(hub::CONFIG)]) {
        let target = kept.join(path.file_name().unwrap_or_default());
        fs::copy(path, &target).map_err(Error::io("copy", path))?;
    }
    let tokenizer = kept.join(hub::TOKENIZER).display().to_string();
    let data = DataConfig { tokenizer: TokenizerConfig::File { path: tokenizer }, ..base.data };
    let mut spec = RunConfig { model: config, data, ..base }.resolve().map_err(|problems| {
        let texts: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect();
        Error::input(args.model.display(), texts.join("; "), "choose data and training with --config")
    })?;
    spec.model = model;
    let note = format!("imported from {} as {}", args.model.display(), family.architecture);
    train::adopt(&spec, spec.model.build_from(weights, &DeviceName::Flex.open()?), Some(&read), note, &files.companions, &out)?;
    let parameters = spec.model.account(spec.model.context).parameters;
    super::print(&format!("{} with {} parameters: {}\n", family.architecture, grouped(parameters), out.display()))?;
    Ok(ExitCode::SUCCESS)
}
