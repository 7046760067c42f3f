//! `ablate bench`: measure a training step, attention by itself, the processor.

use super::train::configuration;
use ablate::{
    Result,
    device::DeviceName,
    ops,
    settings::Error,
    train::{
        bench::{self, attention},
        calibration,
    },
};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Measure a training step, attention by itself, the processor.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Time a training step: fresh batch, forward, backward, global clip, update, reading the loss.
    Step(StepArgs),
    /// Time attention by itself over growing sequences.
    Attention(AttentionArgs),
    /// Measure the multiply-adds that this processor can do.
    Peak(PeakArgs),
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
    /// Say where the time goes, by kind of kernel; on the CPU.
    #[arg(long)]
    profile: bool,
    /// Print the measurement as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct AttentionArgs {
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
    /// Type of queries, keys and values: f32 or bf16.
    #[arg(long, default_value = "f32", value_name = "TYPE")]
    dtype: attention::Element,
    /// Sequences.
    #[arg(long, default_value_t = 1, value_name = "N")]
    batch: usize,
    /// As many sequences as make so many tokens, one at least, instead of --batch.
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    /// Query heads.
    #[arg(long, default_value_t = 8, value_name = "N")]
    heads: usize,
    /// Key and value heads; as many as query heads by default.
    #[arg(long, value_name = "N")]
    kv_heads: Option<usize>,
    /// Channels of a head.
    #[arg(long, default_value_t = 64, value_name = "N")]
    head_dim: usize,
    /// Lengths of the sequences, shortest first.
    #[arg(long, value_delimiter = ',', default_value = "1024,2048,4096", value_name = "N,…")]
    seq: Vec<usize>,
    /// Keys that a query sees, itself included; all earlier ones by default.
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// Documents of equal length in a sequence, which do not see each other.
    #[arg(long, default_value_t = 1, value_name = "N")]
    documents: usize,
    /// Added to the scores: alibi or t5; nothing by default.
    #[arg(long, value_name = "KIND")]
    bias: Option<attention::Bias>,
    /// Scores s become c·tanh(s/c).
    #[arg(long, value_name = "C")]
    soft_cap: Option<f64>,
    /// What is timed: forward or both (with backward).
    #[arg(long, default_value = "both", value_name = "PASS")]
    pass: attention::Pass,
    /// Rounds of at least 20 ms, of which the median counts.
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// Print a line of JSON per length.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct PeakArgs {
    /// Print the measurement as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Step(args) => step(args),
        What::Attention(args) => attend(args),
        What::Peak(args) => peak(args),
    }
}

fn step(args: StepArgs) -> Result<ExitCode> {
    if args.steps == 0 {
        return Err(Error::input("--steps", "0 steps cannot be timed", "use 1 or more"));
    }
    let (document, config) = configuration(&args.config, &args.set)?;
    let spec = bench::model(&config).map_err(|problems| document.locate(problems))?;
    let measured = bench::step(&config, &spec, &args.device, args.steps, args.profile)?;
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
    match measured.peak_flops_per_second.zip(measured.peak_share) {
        Some((peak, share)) => {
            println!("products:    {:.0} GFLOP/s, {:.0} % of {:.0} at peak", measured.flops_per_second / 1e9, 100.0 * share, peak / 1e9);
        }
        None => println!("products:    {:.0} GFLOP/s", measured.flops_per_second / 1e9),
    }
    println!("path:        {}", measured.path);
    if let Some(profile) = &measured.profile {
        println!("\n{:18}{:>10}{:>8}{:>14}", "ms per step, mean", "ms", "%", "calls/step");
        for part in &profile.parts {
            println!("{:18}{:10.2}{:8.1}{:14.0}", part.name, part.ms, 100.0 * part.share, part.calls);
        }
        if let Some((system, idle)) = profile.system_share.zip(profile.idle_share) {
            println!("of the threads' time: {:.1} % in the system (fresh memory), {:.1} % idle", 100.0 * system, 100.0 * idle);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn attend(args: AttentionArgs) -> Result<ExitCode> {
    let case = attention::Case {
        batch: args.batch,
        heads: args.heads,
        kv_heads: args.kv_heads.unwrap_or(args.heads),
        head_dim: args.head_dim,
        element: args.dtype,
        window: args.window,
        documents: args.documents,
        bias: args.bias,
        soft_cap: args.soft_cap,
        pass: args.pass,
    };
    case.check()?;
    if args.seq.contains(&0) || args.rounds == 0 {
        return Err(Error::input("--seq, --rounds", "0 cannot be timed", "use 1 or more"));
    }
    if !args.json {
        println!("{:>8}{:>12}{:>12}{:>12}{:>12}  path", "seq", "ms", "ms min", "TFLOP/s", "peak MiB");
    }
    for seq in args.seq {
        let batch = args.tokens.map_or(case.batch, |tokens| (tokens / seq).max(1));
        let measured = attention::Case { batch, ..case.clone() }.measure(seq, args.rounds, &args.device)?;
        if args.json {
            println!("{}", serde_json::to_string(&measured).expect("a measurement is plain data"));
            continue;
        }
        let memory = measured.peak_bytes.map_or_else(|| "-".into(), |bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
        let rate = measured.flops_per_second / 1e12;
        println!("{seq:8}{:12.3}{:12.3}{rate:12.3}{memory:>12}  {}", measured.ms, measured.ms_min, measured.path);
    }
    Ok(ExitCode::SUCCESS)
}

fn peak(args: PeakArgs) -> Result<ExitCode> {
    let ops::Peak { one_thread, all_threads, lanes, threads } = ops::peak();
    if args.json {
        let (one, all) = (one_thread, all_threads);
        println!("{}", json!({ "one_thread_flops": one, "all_threads_flops": all, "lanes": lanes, "threads": threads }));
        return Ok(ExitCode::SUCCESS);
    }
    println!("one thread:  {:.0} GFLOP/s in f32, {lanes} numbers in a vector", one_thread / 1e9);
    println!("{:12} {:.0} GFLOP/s", format!("{threads} threads:"), all_threads / 1e9);
    Ok(ExitCode::SUCCESS)
}
