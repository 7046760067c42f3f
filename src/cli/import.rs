//! `ablate import`: a model in the layout of Hugging Face becomes a run.

use super::{text::grouped, train::configuration};
use ablate::{
    Result,
    data::{DataConfig, Tokenizer, TokenizerConfig},
    device::DeviceName,
    hub::{self, Imported, repaired},
    model::{attention::Span, position::Pairing},
    settings::{Error, Problem},
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
    let Imported { family, spec: model, weights, files, mut config, dtype } = hub::import(&args.model)?;
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
    if config.attention.window.is_some_and(|window| window > config.context) {
        // A configuration says no window that training does not reach; the model has its own again below.
        (config.attention.window, config.attention.pattern) = (None, vec![Span::Full]);
    }
    let data = DataConfig { tokenizer: TokenizerConfig::File { path: tokenizer.display().to_string() }, ..base.data };
    let resolved = RunConfig { model: config, data, ..base }.resolve();
    let mut spec = resolved.map_err(|problems| unfit(&args.model, &problems))?;
    spec.model = model;
    // Nothing was written so far. The run keeps copies of its own: the model's folder may go.
    let kept = out.join(COMPANIONS);
    fs::create_dir_all(&kept).map_err(Error::io("create the folder", &kept))?;
    for path in files.companions.iter().chain([&tokenizer]) {
        let target = kept.join(path.file_name().unwrap_or_default());
        fs::copy(path, &target).map_err(Error::io("copy", path))?;
    }
    hub::keep_config(&args.model, dtype, &kept)?;
    if let TokenizerConfig::File { path } = &mut spec.data.tokenizer {
        let own = kept.join(hub::TOKENIZER);
        *path = std::path::absolute(&own).unwrap_or(own).display().to_string();
    }
    let note = format!("imported from {} as {}", args.model.display(), family.architecture);
    train::adopt(&spec, spec.model.build_from(weights, &DeviceName::Flex.open()?), Some(&read), note, &files.companions, &out)?;
    let parameters = spec.model.account(spec.model.context).parameters;
    super::print(&format!("{} with {} parameters: {}\n", family.architecture, grouped(parameters), out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Rules that the run would break, with what to do about the first.
fn unfit(model: &Path, problems: &[Problem]) -> Error {
    let texts: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect();
    let help = match problems.first() {
        // All that the folder says of the model was read before; what is left is said by its tokenizer.
        Some(problem) if problem.key == "model.vocab" => "take the tokenizer.json that belongs to the model",
        Some(Problem { help: Some(help), .. }) => help.as_str(),
        _ => "choose data and training with --config",
    };
    Error::input(model.display(), texts.join("; "), help)
}
