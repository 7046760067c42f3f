//! `ablate data build`: from raw files to clean documents.

use super::super::{
    print,
    text::{self, bytes, count, duration, grouped, right},
    train::bar,
};
use ablate::{
    Error, Result,
    data::recipe::{Ablated, Options, Plan, REJECTED, Recipe, Report, StepOptions, StepReport, TIMES, of_step},
    settings::{Document, Origin},
    train::{interrupter, stop_when_preempted},
};
use indicatif::ProgressStyle;
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::Ordering,
    time::Instant,
};

/// Make clean documents, and token shards, as a recipe says.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The recipe (.toml).
    recipe: PathBuf,
    /// Folder for what is made; an interrupted build goes on there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Threads; all processors by default.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Memory for steps that compare documents, such as 4GB; beside it each thread holds a document or two.
    #[arg(long, default_value = "1GB", value_name = "SIZE", value_parser = size)]
    memory: u64,
    /// Steps to leave out, by name.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    without: Vec<String>,
    /// Read so many documents of each part of the input at most, to try a recipe.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Keep the working folder, .work.
    #[arg(long)]
    keep_work: bool,
    /// Change a key of the recipe, or an option of a step by its name: `output.file_bytes=1000000`, `minhash.bands=20`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let recipe = read(&args.recipe, &args.set, &args.without)?;
    let threads = match args.jobs {
        Some(0) => return Err(Error::input("--jobs", "0 threads", "use 1 or more")),
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let options = Options { threads, memory: args.memory as usize, most: args.limit, keep_work: args.keep_work };
    stop_when_preempted();
    ctrlc::set_handler(|| {
        if interrupter().swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|error| Error::input("Ctrl-C", error.to_string(), "start the program again"))?;
    let bar = bar();
    let style = "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is valid"));
    let progress = |phase: &str, done: u64, all: u64| {
        if bar.message() != phase {
            // Speed and time left are those of the phase.
            bar.reset();
            bar.set_message(phase.to_string());
        }
        bar.set_length(all);
        bar.set_position(done);
    };
    let start = Instant::now();
    let plan = Plan::new(recipe)?;
    let report = plan.build(&args.out, &options, &progress, &interrupter());
    bar.finish_and_clear();
    if interrupter().load(Ordering::Relaxed) && report.is_err() {
        eprintln!("interrupted; the same command goes on");
        return Ok(ExitCode::from(130));
    }
    let report = report?;
    print(&if args.json { text::json("--json", &report)? } else { show(&report, &args.out, start.elapsed().as_secs_f64()) })?;
    Ok(ExitCode::SUCCESS)
}

/// Bytes: `500MB`, `4GB`.
fn size(text: &str) -> std::result::Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write 500MB or 4GB");
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?);
    let unit = match unit.to_ascii_uppercase().as_str() {
        "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return Err(wrong()),
    };
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    if number > 0.0 && number.is_finite() { Ok((number * unit) as u64) } else { Err(wrong()) }
}

/// Reads a recipe, its paths relative to the file that names them.
pub(super) fn read(path: &Path, set: &[String], without: &[String]) -> Result<Recipe> {
    let mut document = Document::load(path)?;
    let mut steps = StepOptions::new();
    for assignment in set {
        match of_step(&document, assignment)? {
            Some((name, options)) => steps.entry(name).or_default().extend(options),
            None => document.set(assignment, "--set")?,
        }
    }
    let asked = Origin { file: "--set".into(), ..Origin::default() };
    Recipe::parse(document, &Ablated { without, steps: &steps, asked: &asked })
}

/// What a build has done.
pub(super) fn show(report: &Report, out: &Path, seconds: f64) -> String {
    let mut text = String::new();
    let mut table = text::table(&["source", "files", "on disk", "documents", "text", "damaged", "written", "text"]);
    for source in &report.sources {
        let written = report.by_source.get(&source.name).copied().unwrap_or_default();
        let damage: u64 = source.damage.iter().map(|(_, count)| count.times).sum();
        table.add_row([
            source.name.clone().into(),
            right(grouped(source.files as u64)),
            right(bytes(source.file_bytes as f64)),
            right(grouped(source.read.documents)),
            right(bytes(source.read.bytes as f64)),
            right(grouped(damage)),
            right(grouped(written.documents)),
            right(bytes(written.bytes as f64)),
        ]);
    }
    let _ = writeln!(text, "{table}\n");
    if !report.steps.is_empty() {
        let _ = writeln!(text, "{}\n", steps(&report.steps));
    }
    let damaged = report.sources.iter().flat_map(|source| &source.damaged);
    for damage in damaged.take(5) {
        let _ = writeln!(text, "damaged: {damage}");
    }
    let _ = writeln!(
        text,
        "{}, {} of text in {} of {}, {}; rejected documents in {REJECTED}, times in {TIMES}",
        count(report.written.documents, "document"),
        bytes(report.written.bytes as f64),
        count(report.files.len() as u64, "file"),
        out.display(),
        duration(seconds),
    );
    text
}

/// What each step has done.
fn steps(reports: &[StepReport]) -> comfy_table::Table {
    let mut table = text::table(&["source", "step", "in", "kept", "text kept", "changed", "what dropped most"]);
    for step in reports {
        table.add_row([
            step.source.clone().into(),
            step.name.clone().into(),
            right(grouped(step.input.documents)),
            right(share(step.output.documents, step.input.documents)),
            right(share(step.output.bytes, step.input.bytes)),
            right(grouped(step.changed)),
            most(step).into(),
        ]);
    }
    table
}

/// How much is left; nothing of what was not there before, such as text that a step made of files.
fn share(left: u64, of: u64) -> String {
    if of == 0 { "–".into() } else { format!("{:.1} %", 100.0 * left as f64 / of as f64) }
}

/// The rules of a step that dropped most.
fn most(step: &StepReport) -> String {
    let mut rules: Vec<(&str, u64)> = step.dropped.iter().map(|(rule, count)| (rule, count.times)).collect();
    rules.sort_by_key(|(rule, times)| (std::cmp::Reverse(*times), *rule));
    rules.iter().take(3).map(|(rule, times)| format!("{rule} {}", grouped(*times))).collect::<Vec<_>>().join(", ")
}
