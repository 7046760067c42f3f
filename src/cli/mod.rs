//! One file per verb: parse, call, print. No logic.

mod allocator;
mod bench;
mod chat;
mod completions;
mod data;
mod diff;
mod doctor;
#[cfg(feature = "cuda")]
mod emit_cuda;
mod errors;
mod eval;
mod explain;
mod export;
mod fetch;
mod gc;
mod generate;
mod import;
mod logits;
mod manner;
mod new;
mod plan;
mod report;
mod rm;
mod run;
mod schema;
mod status;
mod task;
mod text;
mod tokenizer;
mod track;
mod train;
mod worker;

use ablate::{Error, Result, ops};
use clap::{Parser, Subcommand};
use std::{io::Write, process::ExitCode};

/// Architecture ablations of language models, with answers one can defend.
#[derive(Parser, Debug)]
#[command(name = "ablate", version, about, propagate_version = true)]
struct Cli {
    /// Implementation of the operators: fused where the device has it, or composed everywhere.
    #[arg(long, global = true, default_value = "fused", value_name = "PATH")]
    ops: ops::Path,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Plan, train what is missing, compare, report.
    Run(run::Args),
    /// Check an experiment and show its arms without training.
    Plan(plan::Args),
    /// Train one configuration.
    Train(train::Args),
    /// Train one resolved run for a parent process.
    #[command(hide = true)]
    Worker(worker::Args),
    /// Train the run of one task of SLURM's.
    #[command(hide = true)]
    Task(task::Args),
    /// Show how an experiment stands: progress, time left, failures, verdicts so far.
    Status(status::Args),
    /// Rebuild report and summary from the records.
    Report(report::Args),
    /// Write the metrics of runs for TensorBoard or MLflow, or as one table.
    Track(track::Args),
    /// Compare two runs: specifications, metrics, and the step at which their losses part.
    Diff(diff::Args),
    /// Remove the runs of an arm with their records.
    Rm(rm::Args),
    /// Remove the checkpoints of runs that are over.
    Gc(gc::Args),
    /// Sample text from a checkpoint.
    Generate(generate::Args),
    /// Fetch a model from a hub.
    Fetch(fetch::Args),
    /// Make a run of a model in the layout of Hugging Face.
    Import(import::Args),
    /// Write a model for other programs.
    Export(export::Args),
    /// Write the logits, loss and gradients of given tokens.
    Logits(logits::Args),
    /// Talk with a model.
    Chat(chat::Args),
    /// Ask a model the questions of benchmarks.
    Eval(eval::Args),
    /// Make, plan and look into corpora.
    Data(data::Args),
    /// Train, use, look into and compare tokenizers.
    Tokenizer(tokenizer::Args),
    /// Measure a training step.
    Bench(bench::Args),
    /// Check every operator on a device against its float64 reference.
    Doctor(doctor::Args),
    /// Write a commented experiment to start from.
    New(new::Args),
    /// Say what a configuration key means.
    Explain(explain::Args),
    /// Print the JSON Schema of experiments, configurations or recipes.
    Schema(schema::Args),
    /// Write the CUDA C++ of every kernel.
    #[cfg(feature = "cuda")]
    #[command(hide = true)]
    EmitCuda(emit_cuda::Args),
    /// Print a completion script for a shell.
    Completions(completions::Args),
}

/// Parses the command line, runs the verb, prints errors. Exit codes: 0 done, 2 wrong input, 3 some run failed or
/// diverged or some check missed, 130 interrupted.
pub fn main() -> ExitCode {
    allocator::tune();
    ablate::device::pin_default();
    let cli = Cli::parse();
    ops::choose(cli.ops);
    // A worker whose parent is gone must be able to stop in order; all others end silently with the reader of a pipe.
    if !matches!(cli.verb, Verb::Worker(_) | Verb::Task(_)) {
        end_with_the_reader();
    }
    dispatch(cli.verb).unwrap_or_else(|error| errors::report(&error))
}

/// Lets a closed pipe (`ablate … | head`) end the process, as other programs do; Rust would panic in `println!`.
#[cfg(unix)]
fn end_with_the_reader() {
    // SAFETY: no other thread runs yet, and the default action needs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

#[cfg(not(unix))]
fn end_with_the_reader() {}

/// Prints on standard output; a reader that went away is no error.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("write", "standard output")(error)),
        _ => Ok(()),
    }
}

fn dispatch(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Run(args) => run::run(args),
        Verb::Plan(args) => plan::run(args),
        Verb::Train(args) => train::run(args),
        Verb::Worker(args) => worker::run(args),
        Verb::Task(args) => task::run(args),
        Verb::Status(args) => status::run(args),
        Verb::Report(args) => report::run(args),
        Verb::Track(args) => track::run(args),
        Verb::Diff(args) => diff::run(args),
        Verb::Rm(args) => rm::run(args),
        Verb::Gc(args) => gc::run(args),
        Verb::Generate(args) => generate::run(args),
        Verb::Fetch(args) => fetch::run(args),
        Verb::Import(args) => import::run(args),
        Verb::Export(args) => export::run(args),
        Verb::Logits(args) => logits::run(args),
        Verb::Chat(args) => chat::run(args),
        Verb::Eval(args) => eval::run(args),
        Verb::Data(args) => data::run(args),
        Verb::Tokenizer(args) => tokenizer::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Doctor(args) => doctor::run(args),
        Verb::New(args) => new::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Schema(args) => schema::run(args),
        #[cfg(feature = "cuda")]
        Verb::EmitCuda(args) => emit_cuda::run(args),
        Verb::Completions(args) => completions::run(args),
    }
}
