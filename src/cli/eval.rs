//! `ablate eval`: ask a model the questions of benchmarks, and compare two models question by question.

use super::text::{self, json, right};
use ablate::{
    Error, Result,
    data::{CorpusConfig, Dataset, cache_folder, synthetic::SyntheticConfig},
    device::DeviceName,
    eval::{
        scoring::{
            Asking, Comparison, LanguageModel, Limits, Network, Results, Sandbox, Summary, compare_results, evaluate_synthetic,
            evaluate_task,
        },
        tasks::{Task, TaskRequest, layouts, load},
    },
    hub::model_name,
    ops::Precision,
    stats,
    train::{Origin, RunSpec, checkpoint::Which, load_spec, open_model},
};
use comfy_table::Cell;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Ask a model the questions of benchmarks on disk; compare two models question by question.
///
/// What was answered to each question is kept in the run's folder, under eval/. Without --tasks, what was kept is shown again; a run on
/// a synthetic task is asked its own. docs/evaluation.md says which layouts are read, and what the metrics are.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder of a run, or of a model in the layout of Hugging Face; of two, to compare the first with the second.
    #[arg(value_name = "RUN", num_args = 1..=2, required_unless_present = "layouts")]
    runs: Vec<PathBuf>,
    /// Benchmarks: files or folders in the layout of their releases, a folder with core.yaml, or texts for bits per byte.
    #[arg(long, value_name = "[LAYOUT=]PATH[@SHOTS]", value_delimiter = ',')]
    tasks: Vec<TaskRequest>,
    /// List the layouts, and end.
    #[arg(long)]
    layouts: bool,
    /// Examples in every prompt; by default as the benchmark is usually asked.
    #[arg(long, value_name = "N")]
    shots: Option<usize>,
    /// File or folder to take examples from; by default the release's, else the questions' own file.
    #[arg(long, value_name = "PATH")]
    examples: Option<PathBuf>,
    /// Ask the first so many questions of each benchmark.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Samples of each free answer or program; with several, answers are also put to the vote (maj@N).
    #[arg(long, default_value_t = 1, value_name = "N")]
    samples: usize,
    /// Divides the logits where text is generated; 0 takes the most likely token.
    #[arg(long, default_value_t = 0.0, value_name = "T")]
    temperature: f64,
    /// Draw from the most likely tokens that make up this probability.
    #[arg(long, default_value_t = 1.0, value_name = "P")]
    top_p: f64,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Tokens of a generated answer at most; by default the layout's.
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// The k of pass@k; 1 and the number of samples by default.
    #[arg(long, value_name = "K", value_delimiter = ',')]
    pass_at: Vec<usize>,
    /// Run the programs that the model writes. They are limited in time, memory and network, and can still read what you can.
    #[arg(long)]
    allow_code_execution: bool,
    /// Seconds that a program may run.
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    time_limit: f64,
    /// Memory that a program may use, in MiB.
    #[arg(long, default_value_t = 2048, value_name = "MIB")]
    memory_limit: u64,
    /// Tokens that the model looks back at; its training context by default.
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// Sequences of a whole context per forward pass; more of shorter ones.
    #[arg(long, default_value_t = 8, value_name = "N")]
    batch: usize,
    /// Do not start prompts with the token that opens a document, which models are trained with.
    #[arg(long)]
    no_bos: bool,
    /// Which of the run's checkpoints: newest, best, or the step of one that was kept.
    #[arg(long, default_value_t, value_name = "WHICH")]
    checkpoint: Which,
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    /// Folder to keep answers in; by default eval/ in a run's folder, and ./eval-NAME for a model that is no run.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    if args.layouts {
        let mut table = text::table(&["layout", "benchmark"]);
        for (name, title) in layouts() {
            table.add_row([name, title]);
        }
        super::print(&format!("{table}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let how = asking(&args)?;
    let tasks = tasks(&args)?;
    let models = args.runs.iter().map(|run| Model::new(run, args.out.as_deref())).collect::<Result<Vec<_>>>()?;
    if let [first, second] = &models[..]
        && first.answers == second.answers
        && first.folder != second.folder
    {
        let message =
            format!("the answers of {} and {} would be kept there, one over the other", first.folder.display(), second.folder.display());
        return Err(Error::input(first.answers.display(), message, "ask one after the other, each with an --out of its own"));
    }
    let results: Vec<Vec<Results>> = models.iter().map(|model| answers(&args, model, &tasks, &how)).collect::<Result<_>>()?;
    let summaries: Vec<Vec<Summary>> = results.iter().map(|results| results.iter().map(Results::summary).collect()).collect();
    let comparisons = match &results[..] {
        [first, second] => compared(&args.runs, first, second)?,
        _ => vec![],
    };
    let output = if args.json {
        let runs: Vec<_> = args.runs.iter().zip(&summaries).map(|(run, tasks)| json!({ "run": run, "tasks": tasks })).collect();
        json("eval", &json!({ "runs": runs, "comparisons": comparisons }))?
    } else {
        words(&args.runs, &summaries, &comparisons)
    };
    super::print(&output)?;
    Ok(ExitCode::SUCCESS)
}

fn tasks(args: &Args) -> Result<Vec<Task>> {
    let mut all: Vec<Task> = vec![];
    for request in &args.tasks {
        let request =
            TaskRequest { shots: request.shots.or(args.shots), examples: args.examples.clone(), limit: args.limit, ..request.clone() };
        for mut task in load(&request)? {
            // Results are kept by name.
            let name = task.name.clone();
            let mut number = 2;
            while all.iter().any(|other| other.name == task.name) {
                task.name = format!("{name}-{number}");
                number += 1;
            }
            all.push(task);
        }
    }
    Ok(all)
}

fn asking(args: &Args) -> Result<Asking> {
    let Args { samples, temperature, top_p, seed, time_limit, .. } = *args;
    let positive = |name: &str, number: usize| match number {
        0 => Err(Error::input(name, "0 is too few", "use 1 or more")),
        _ => Ok(()),
    };
    positive("--samples", samples)?;
    positive("--batch", args.batch)?;
    positive("--limit", args.limit.unwrap_or(1))?;
    positive("--max-tokens", args.max_tokens.unwrap_or(1))?;
    positive("--context", args.context.unwrap_or(1))?;
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return Err(Error::input("--temperature", format!("{temperature} is negative or no number"), "use 0 for the most likely token"));
    }
    if !(0.0..=1.0).contains(&top_p) {
        return Err(Error::input("--top-p", format!("{top_p} is no probability"), "use a number from 0 to 1"));
    }
    if samples > 1 && temperature == 0.0 {
        return Err(Error::input(
            "--samples",
            "without a temperature all samples are the same",
            "add --temperature 0.8, or leave --samples out",
        ));
    }
    if !(time_limit > 0.0 && time_limit <= 3600.0) {
        return Err(Error::input("--time-limit", format!("{time_limit} s is not between 0 and an hour"), "use 3"));
    }
    let limits = Limits { time: Duration::from_secs_f64(time_limit), memory: args.memory_limit << 20, ..Limits::default() };
    let sandbox = args.allow_code_execution.then(|| Sandbox::new(limits)).transpose()?;
    if sandbox.as_ref().is_some_and(|sandbox| sandbox.network() == Network::Open) {
        eprintln!("note: this system does not let the network be cut off; programs that the model writes can reach it");
    }
    Ok(Asking { samples, temperature, top_p, seed, tokens: args.max_tokens, pass_at: args.pass_at.clone(), sandbox })
}

/// Who is asked.
struct Model<'a> {
    folder: &'a Path,
    /// What it was trained as, where it is a run.
    spec: Option<RunSpec>,
    /// Where its answers are kept. What is no run is left as it is: it may be the cache of all that read models from a hub.
    answers: PathBuf,
}

impl<'a> Model<'a> {
    fn new(folder: &'a Path, out: Option<&Path>) -> Result<Self> {
        let spec = load_spec(folder)?;
        let usual = match &spec {
            Some(_) => folder.join("eval"),
            None => PathBuf::from(format!("eval-{}", model_name(folder).unwrap_or_default())),
        };
        Ok(Self { folder, spec, answers: out.map_or(usual, Path::to_path_buf) })
    }
}

/// What a model answers, or did before.
fn answers(args: &Args, model: &Model, tasks: &[Task], how: &Asking) -> Result<Vec<Results>> {
    let synthetic = model.spec.as_ref().and_then(|spec| match &spec.data.corpus {
        CorpusConfig::Synthetic(task) => Some((spec, name_of(task))),
        _ => None,
    });
    match synthetic {
        Some((spec, name)) if tasks.is_empty() => own(args, model, spec, &name),
        Some((_, name)) => {
            let message = format!("was trained on the synthetic task {name}, and benchmarks are text");
            Err(Error::input(model.folder.display(), message, "leave --tasks out to ask its own task"))
        }
        None if tasks.is_empty() => kept(model),
        None => asked(args, model, tasks, how),
    }
}

fn name_of(task: &SyntheticConfig) -> String {
    serde_json::to_value(&task.task).map(|task| task["kind"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
}

/// Asks a run the synthetic task that it was trained on, as training does.
fn own(args: &Args, model: &Model, spec: &RunSpec, name: &str) -> Result<Vec<Results>> {
    let data = Dataset::prepare(&spec.data, &cache_folder(), &|_, _, _| {})?;
    let task = data.synthetic().expect("the corpus is synthetic");
    let built = open_model(model.folder, args.checkpoint)?.build(&args.device.open()?)?;
    let mut all = evaluate_synthetic(name, &built, task, &spec.examined());
    for results in &mut all {
        results.header.model = Some(json!({ "checkpoint": args.checkpoint.to_string() }));
        results.write(&model.answers)?;
    }
    Ok(all)
}

/// Asks a model everything, and keeps what it answers.
fn asked(args: &Args, model: &Model, tasks: &[Task], how: &Asking) -> Result<Vec<Results>> {
    let opened = open_model(model.folder, args.checkpoint)?;
    let precision = match &opened.origin {
        Origin::Run(trained, _) => trained.train.precision,
        Origin::Hub { .. } => Precision::default(),
    };
    let without = || Error::input(model.folder.display(), "has no tokenizer, and benchmarks are text", "put its tokenizer.json there");
    let tokenizer = opened.tokenizer()?.ok_or_else(without)?;
    let context = args.context.unwrap_or(opened.spec.context);
    if let Some(limit) = opened.spec.context_limit().filter(|limit| *limit < context) {
        let message = format!("{context} is more than the {limit} tokens that the model's positions are defined for");
        return Err(Error::input("--context", message, format!("use {limit} or less")));
    }
    let built = opened.build(&args.device.open()?)?;
    let mut language =
        LanguageModel { model: &built, tokenizer: &tokenizer, context, batch: args.batch, precision, opens_prompts: !args.no_bos };
    let mut all = vec![];
    for task in tasks {
        let style = ProgressStyle::with_template("{msg} {pos}/{len} {elapsed}").expect("a template of ours");
        let bar = ProgressBar::new(0).with_style(style).with_message(task.name.clone());
        let progress = |done: usize, whole: usize| {
            bar.set_length(whole as u64);
            bar.set_position(done as u64);
        };
        let mut results = evaluate_task(task, &mut language, how, &progress)?;
        bar.finish_and_clear();
        let samples = how.sandbox.as_ref().map(|sandbox| format!("{:?}", sandbox.network()));
        results.header.model = Some(json!({
            "checkpoint": args.checkpoint.to_string(), "context": context, "opens_prompts": !args.no_bos,
            "samples": how.samples, "temperature": how.temperature, "top_p": how.top_p, "seed": how.seed, "network": samples,
        }));
        results.write(&model.answers)?;
        all.push(results);
    }
    if model.spec.is_none() {
        eprintln!("note: what was answered is kept in {}", model.answers.display());
    }
    Ok(all)
}

/// What a model answered before.
fn kept(model: &Model) -> Result<Vec<Results>> {
    let names = Results::kept(&model.answers)?;
    if names.is_empty() {
        let message = format!("no results are kept in {}", model.answers.display());
        return Err(Error::input(model.folder.display(), message, "name benchmarks with --tasks"));
    }
    names.iter().map(|name| Results::read(&Results::path(&model.answers, name))).collect()
}

/// The tasks that both have.
fn compared(runs: &[PathBuf], first: &[Results], second: &[Results]) -> Result<Vec<Comparison>> {
    let mut all = vec![];
    for a in first {
        if let Some(b) = second.iter().find(|b| b.header.task == a.header.task) {
            all.extend(compare_results(a, b)?);
        }
    }
    if all.is_empty() {
        return Err(Error::input(runs[1].display(), "the two runs have no task in common", "ask both the same with --tasks"));
    }
    Ok(all)
}

fn words(runs: &[PathBuf], summaries: &[Vec<Summary>], comparisons: &[Comparison]) -> String {
    let mut lines = vec![];
    for (run, summaries) in runs.iter().zip(summaries) {
        if runs.len() > 1 {
            lines.push(run.display().to_string());
        }
        lines.extend(tables(summaries));
    }
    lines.extend(comparison(comparisons));
    lines.join("\n") + "\n"
}

/// Four digits, or as many as make sense.
fn short(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.4}") } else { format!("{value:.4e}") }
}

/// A table for the tasks of each kind, then what there is to say of groups and of the whole.
fn tables(summaries: &[Summary]) -> Vec<String> {
    let mut lines = vec![];
    let names = |summary: &Summary| summary.metrics.keys().cloned().collect::<Vec<_>>();
    let mut kinds: Vec<Vec<String>> = vec![];
    for summary in summaries {
        if !kinds.contains(&names(summary)) {
            kinds.push(names(summary));
        }
    }
    for kind in kinds {
        let header: Vec<&str> = ["task", "items", "shots"].into_iter().chain(kind.iter().map(String::as_str)).collect();
        let mut table = text::table(&header);
        for summary in summaries.iter().filter(|summary| names(summary) == kind) {
            let cells = summary.metrics.iter().map(|(name, found)| {
                let mark = if *name == summary.header.metric { "*" } else { "" };
                let error = found.error.map_or(String::new(), |error| format!("\n±{}", short(error)));
                right(format!("{mark}{}{error}", short(found.value)))
            });
            let start = [Cell::new(&summary.header.task), right(summary.items), right(summary.header.shots)];
            table.add_row(start.into_iter().chain(cells));
        }
        lines.push(table.to_string());
    }
    for summary in summaries.iter().filter(|summary| summary.groups.len() > 1) {
        let metric = &summary.header.metric;
        let mean = summary.mean_of_groups.get(metric).map_or(String::new(), |mean| format!(", their mean {}", short(*mean)));
        lines.push(format!("{}: {metric} by group{mean}", summary.header.task));
        let mut table = text::table(&["group", metric, "±"]);
        for (name, metrics) in &summary.groups {
            if let Some(found) = metrics.get(metric) {
                table.add_row([Cell::new(name), right(short(found.value)), right(found.error.map_or(String::new(), short))]);
            }
        }
        lines.push(table.to_string());
    }
    let centered: Vec<f64> =
        summaries.iter().filter(|summary| summary.header.layout == "core").filter_map(|summary| summary.centered).collect();
    if centered.len() > 1 {
        let mean = centered.iter().sum::<f64>() / centered.len() as f64;
        lines.push(format!("CORE over these {} tasks: {mean:.4}", centered.len()));
    }
    lines.push("* what the benchmark's users report; ± standard error over questions".into());
    lines
}

fn comparison(all: &[Comparison]) -> Vec<String> {
    let shown: Vec<&Comparison> =
        all.iter().filter(|comparison| comparison.headline || comparison.metric == "gold_bits_per_byte").collect();
    if shown.is_empty() {
        return vec![];
    }
    let p: Vec<Option<f64>> = shown.iter().map(|comparison| comparison.mcnemar.map(|test| test.p)).collect();
    // Tests are of headline metrics alone; they are one family.
    let family: Vec<Option<f64>> = p.iter().copied().filter(Option::is_some).collect();
    let mut corrected = stats::holm(&family).into_iter();
    let mut table =
        text::table(&["task", "metric", "first", "second", "difference", "95 % interval", "only first : second", "p", "p (Holm)"]);
    for (comparison, p) in shown.iter().zip(p) {
        let better = if comparison.less_is_better { " (less is better)" } else { "" };
        let interval = comparison.ci95.map_or("too few".into(), |[low, high]| format!("{low:+.4} to {high:+.4}"));
        let split = comparison.mcnemar.map_or(String::new(), |test| format!("{} : {}", test.only_first, test.only_second));
        let show = |p: Option<f64>| p.map_or(String::new(), |p| if p < 1e-4 { format!("{p:.1e}") } else { format!("{p:.4}") });
        let holm = if p.is_some() { corrected.next().flatten() } else { None };
        table.add_row([
            Cell::new(&comparison.task),
            Cell::new(format!("{}{better}", comparison.metric)),
            right(short(comparison.first)),
            right(short(comparison.second)),
            right(format!("{:+.4}", comparison.difference)),
            right(interval),
            right(split),
            right(show(p)),
            right(show(holm)),
        ]);
    }
    let note = "p: McNemar's exact test; intervals: paired bootstrap over questions. Both speak of these two trained models on other \
                questions, not of other seeds: whether an architecture is better is for `ablate run`.";
    vec![table.to_string(), note.into()]
}
