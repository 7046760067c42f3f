//! `ablate data plan`: what will be read, before it is.

use super::super::{
    print,
    text::{self, bytes, count, grouped, right},
    train::{bar, configuration, prepare},
};
use super::build::read;
use ablate::{
    Result,
    data::{Dataset, recipe::Plan},
    settings::Document,
};
use std::{fmt::Write, path::PathBuf, process::ExitCode};

/// Show what a recipe reads and does, or how often a training configuration reads each source.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A recipe, or a configuration of a run (.toml).
    file: PathBuf,
    /// Change a key, or an option of a step by its name: `minhash.bands=20`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Steps of a recipe to leave out, by name.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    without: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let is_recipe = Document::load(&args.file)?.value("source").is_some();
    print(&if is_recipe { recipe(&args)? } else { training(&args)? })?;
    Ok(ExitCode::SUCCESS)
}

fn recipe(args: &Args) -> Result<String> {
    let plan = Plan::new(read(&args.file, &args.set, &args.without)?)?;
    plan.check()?;
    if args.json {
        return text::json("--json", &plan.sources());
    }
    let mut out = String::new();
    let mut table = text::table(&["source", "files", "on disk", "steps"]);
    let recipe = plan.recipe();
    let names = |steps: &[ablate::data::recipe::Step]| steps.iter().map(|step| step.name().to_string()).collect::<Vec<_>>().join(", ");
    for (source, config) in plan.sources().iter().zip(&recipe.sources) {
        table.add_row([
            source.name.clone().into(),
            right(grouped(source.files as u64)),
            right(bytes(source.file_bytes as f64)),
            names(&config.steps).into(),
        ]);
    }
    if !recipe.steps.is_empty() {
        table.add_row(["all".into(), right(""), right(""), names(&recipe.steps).into()]);
    }
    let _ = writeln!(out, "{table}\n");
    let all: u64 = plan.sources().iter().map(|source| source.file_bytes).sum();
    let _ = writeln!(
        out,
        "{}, worked on apart; the folder needs up to about twice what is read, {}, while it is made",
        count(plan.shards() as u64, "part"),
        bytes(all as f64)
    );
    let _ = writeln!(out, "try it first: `ablate data build {} --out trial --limit 100`", args.file.display());
    Ok(out)
}

/// As Table 1 of LLaMA has it: proportions, epochs and sizes by source.
fn training(args: &Args) -> Result<String> {
    let (document, config) = configuration(&args.file, &args.set)?;
    let spec = config.resolve().map_err(|problems| document.locate(problems))?;
    let bar = bar();
    let data: Dataset = prepare(&spec, &bar)?;
    bar.finish_and_clear();
    if !data.has_text() {
        return Ok("no text is read: nothing is repeated\n".into());
    }
    let epochs = data.epochs((spec.train.steps * spec.train.batch) as u64, spec.model.context);
    if args.json {
        return text::json("--json", &epochs);
    }
    let all: u64 = epochs.iter().map(|source| source.tokens).sum();
    let mut table = text::table(&["source", "sampling prop.", "epochs", "tokens read", "tokens", "text", "bytes/token"]);
    for source in &epochs {
        let (extent, name) = (source.extent, if source.source.is_empty() { "all" } else { &source.source });
        let known = extent.bytes > 0;
        table.add_row([
            name.into(),
            right(format!("{:.1} %", 100.0 * source.tokens as f64 / all as f64)),
            right(format!("{:.2}", source.epochs)),
            right(grouped(source.tokens)),
            right(grouped(extent.tokens)),
            right(if known { bytes(extent.bytes as f64) } else { String::new() }),
            right(if known { format!("{:.2}", extent.bytes as f64 / extent.tokens as f64) } else { String::new() }),
        ]);
    }
    let mut out = format!("{table}\n\n{} tokens in {} steps\n", grouped(all), grouped(spec.train.steps as u64));
    if let Err(error) = data.require_epochs((spec.train.steps * spec.train.batch) as u64, spec.model.context) {
        let _ = writeln!(out, "this run would be refused: {error}");
    }
    Ok(out)
}
