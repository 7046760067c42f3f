//! `ablate worker`: train one resolved run for a parent process.

use super::train::{calibrate, exit_code, prepare};
use ablate::{
    Result,
    device::DeviceName,
    settings::Error,
    train::{self, RunSpec, Tick},
};
use indicatif::ProgressBar;
use std::{io::Write, path::PathBuf, process::ExitCode, sync::atomic::Ordering};

/// Train one resolved run for a parent process.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Resolved specification.
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
    /// Folder of the run.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Device.
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
}

/// Runs the verb: a JSON object per step on standard output, the rest in the folder of the run.
pub fn run(args: Args) -> Result<ExitCode> {
    let text = std::fs::read_to_string(&args.spec).map_err(Error::io("read", &args.spec))?;
    let spec: RunSpec = toml::from_str(&text).map_err(|error| {
        Error::input(args.spec.display(), format!("no resolved run: {error}"), "use `ablate train` for a configuration")
    })?;
    // The parent or the scheduler that sends these has said what there is to say.
    let stop = || train::interrupter().store(true, Ordering::Relaxed);
    ctrlc::set_handler(stop).map_err(|error| Error::input("Ctrl-C", error.to_string(), "start the program again"))?;
    train::stop_when_preempted();
    let dataset = prepare(&spec, &ProgressBar::hidden())?;
    let mut tick = |tick: Tick| {
        let line = serde_json::to_string(&tick).expect("a tick is plain data");
        let mut output = std::io::stdout().lock();
        if writeln!(output, "{line}").and_then(|()| output.flush()).is_err() {
            // Nobody waits for this run any more.
            stop();
        }
    };
    let result = train::run(&spec, &dataset, &args.out, &args.device, &mut tick)?;
    calibrate(&spec, &args.device, &result);
    Ok(exit_code(result.outcome))
}
