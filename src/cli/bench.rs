//! `ablate bench`: measure a training step.

use super::train::configuration;
use ablate::{
    Result,
    device::DeviceName,
    settings::Error,
    train::{bench, calibration},
};
use std::{path::PathBuf, process::ExitCode};

/// Measure a training step.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Time a training step: fresh batch, forward, backward, global clip, update, reading the loss.
    Step(StepArgs),
}

#[derive(clap::Args, Debug)]
struct StepArgs {
    /// Configuration; `model.vocab` must be written.
    #[arg(long, value_name = "C")]
    config: PathBuf,
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    /// Steps to time, after three to warm up.
    #[arg(long, default_value_t = 20, value_name = "N")]
    steps: usize,
    /// Set a key of the configuration; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the measurement as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let What::Step(args) = args.what;
    if args.steps == 0 {
        return Err(Error::input("--steps", "0 steps cannot be timed", "use 1 or more"));
    }
    let (document, config) = configuration(&args.config, &args.set)?;
    let spec = bench::model(&config).map_err(|problems| document.locate(problems))?;
    let measured = bench::step(&config, &spec, &args.device, args.steps)?;
    // An estimate that cannot be stored is no reason to fail.
    let _ = calibration::write(&args.device, measured.flops_per_second);
    if args.json {
        println!("{}", serde_json::to_string(&measured).expect("a measurement is plain data"));
        return Ok(ExitCode::SUCCESS);
    }
    let ms = &measured.ms_per_step;
    println!("ms per step: {:.1} median, {:.1} fastest", ms.median, ms.min);
    println!("of which:    {:.1} forward, {:.1} backward, {:.1} clip, update, loss", ms.forward, ms.backward, ms.optimizer);
    println!("tokens/s:    {:.0}", measured.tokens_per_second);
    println!("peak memory: {:.0} MiB", measured.peak_rss_bytes as f64 / f64::from(1 << 20));
    println!("path:        {}", measured.path);
    Ok(ExitCode::SUCCESS)
}
