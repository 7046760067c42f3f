//! `ablate worker`: train one resolved run for a parent process.

use super::{
    errors,
    train::{calibrate, exit_code},
};
use ablate::{
    Result,
    data::{Dataset, cache_folder},
    device::DeviceName,
    experiment::{DISK_CODE, Lifeline, RunLock},
    pulse,
    settings::Error,
    train::{self, RunSpec, Tick},
};
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
    /// The process without which there is nothing to train for.
    #[arg(long, value_name = "PID")]
    parent: Option<u32>,
}

/// Runs the verb: a JSON object per step on standard output, the rest in the folder of the run. What went wrong is in the log;
/// the exit code tells wrong input from a file that could not be written, even where the log could not be either.
pub fn run(args: Args) -> Result<ExitCode> {
    attempt(args).or_else(|error| {
        let code = errors::report(&error);
        Ok(if matches!(error, Error::Io { .. }) { ExitCode::from(DISK_CODE as u8) } else { code })
    })
}

fn attempt(args: Args) -> Result<ExitCode> {
    let text = std::fs::read_to_string(&args.spec).map_err(Error::io("read", &args.spec))?;
    let spec: RunSpec = toml::from_str(&text).map_err(|error| {
        Error::input(args.spec.display(), format!("no resolved run: {error}"), "use `ablate train` for a configuration")
    })?;
    // The parent or the scheduler that sends these has said what there is to say.
    let stop = || train::interrupter().store(true, Ordering::Relaxed);
    ctrlc::set_handler(stop).map_err(|error| Error::input("Ctrl-C", error.to_string(), "start the program again"))?;
    train::stop_when_preempted();
    let _lock = RunLock::hold(&args.out)?;
    let _lifeline = Lifeline::start(args.parent, stop);
    let dataset = Dataset::prepare(&spec.data, &cache_folder(), &|_, _, _| pulse::beat())?;
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
