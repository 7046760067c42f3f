//! `ablate data inspect`: what a corpus holds.

use super::super::{
    print,
    text::{self, grouped},
};
use ablate::{
    Error, Result,
    data::{CorpusConfig, DataConfig, DataSpec, Inspection, PATH_KEYS, TokenizerConfig, cache_folder, synthetic},
    model::ModelConfig,
    settings::Document,
    train::RunConfig,
};
use comfy_table::{CellAlignment, Table};
use std::{fmt::Write, path::Path, process::ExitCode};

/// Count documents, bytes and tokens; show licences and samples.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// `crates` (the default corpus), a configuration (.toml), or a file, folder or pattern of text or JSON lines.
    corpus: String,
    /// `bytes`, `bpe:VOCAB`, `unigram:VOCAB`, `byte_level:VOCAB`, `characters:VOCAB`, or the path of a tokenizer.json.
    #[arg(long)]
    tokenizer: Option<String>,
    /// The field of JSON lines that holds the text.
    #[arg(long, default_value = "text")]
    field: String,
    /// Beginnings of documents to show.
    #[arg(long, default_value_t = 3)]
    samples: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let (spec, context) = resolve(&args)?;
    if let Some(inspection) = synthetic::Inspection::of(&spec, context, args.samples) {
        print(&if args.json { text::json("--json", &inspection)? } else { show_task(&inspection) })?;
        return Ok(ExitCode::SUCCESS);
    }
    let bar = indicatif::ProgressBar::new(1)
        .with_style(indicatif::ProgressStyle::with_template("{msg} {wide_bar} {percent}%").expect("a fixed template"));
    let progress = |phase: &str, done: u64, all: u64| {
        bar.set_length(all);
        bar.set_position(done);
        bar.set_message(phase.to_string());
    };
    let inspection = Inspection::of(&spec, &cache_folder(), args.samples, &progress)?;
    bar.finish_and_clear();
    let text = if args.json { serde_json::to_string_pretty(&inspection).expect("plain data") + "\n" } else { show(&inspection) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The data of the corpus or configuration that was named, and the configuration's training context.
fn resolve(args: &Args) -> Result<(DataSpec, usize)> {
    let mut document = Document::new("the command line");
    let mut config = DataConfig::default();
    let configured = args.corpus.ends_with(".toml");
    let mut context = ModelConfig::default().context;
    if configured {
        document = Document::load(Path::new(&args.corpus))?;
        document.make_paths_absolute(&PATH_KEYS)?;
        let run = document.parse::<RunConfig>()?;
        (config, context) = (run.data, run.model.context);
    } else if args.corpus != "crates" {
        let paths = vec![args.corpus.clone()];
        let inner = args.corpus.trim_end_matches(".gz").trim_end_matches(".zst");
        let lines = inner.ends_with(".jsonl") || inner.ends_with(".ndjson");
        config.corpus = if lines { CorpusConfig::Jsonl { paths, field: args.field.clone() } } else { CorpusConfig::Text { paths } };
    }
    if let Some(tokenizer) = &args.tokenizer {
        config.tokenizer = parse_tokenizer(tokenizer)?;
    }
    let checked = config.resolve().and_then(|spec| match spec.problems(context, 1) {
        problems if problems.is_empty() => Ok((spec, context)),
        problems => Err(problems),
    });
    checked.map_err(|problems| match problems.first() {
        Some(problem) if !configured => {
            let help = problem.help.clone().unwrap_or_else(|| "see `ablate data inspect --help`".into());
            Error::input(if problem.key.contains("tokenizer") { "--tokenizer" } else { &args.corpus }, &problem.message, help)
        }
        _ => document.locate(problems),
    })
}

fn parse_tokenizer(text: &str) -> Result<TokenizerConfig> {
    let (kind, vocab) = text.split_once(':').unwrap_or((text, "4096"));
    let vocab = || vocab.parse().map_err(|_| Error::input(format!("--tokenizer {text}"), "the vocabulary is no number", "write bpe:4096"));
    Ok(match kind {
        "bytes" => TokenizerConfig::Bytes {},
        "bpe" => TokenizerConfig::Bpe { vocab: vocab()? },
        "unigram" => TokenizerConfig::Unigram { vocab: vocab()? },
        "byte_level" => TokenizerConfig::ByteLevel { vocab: vocab()?, pattern: Default::default() },
        "characters" => TokenizerConfig::Characters { vocab: vocab()? },
        _ => TokenizerConfig::File { path: text.into() },
    })
}

fn show_task(it: &synthetic::Inspection) -> String {
    let mut out = String::new();
    let train = if it.train == 0 { "a new one each time".into() } else { grouped(it.train) };
    let _ = writeln!(out, "training instances {train}; validation instances {}", grouped(it.validation));
    let _ = writeln!(out, "targets per instance {:.1}; vocabulary {}", it.targets_per_instance, grouped(it.vocab as u64));
    let _ = writeln!(out, "task and generators {}", &it.fingerprint[..16]);
    for (index, sample) in it.samples.iter().enumerate() {
        // What is asked of a token stands behind it.
        let words = sample.tokens.iter().zip(&sample.targets).map(|(token, target)| match target {
            Some(target) => format!("{token}→{target}"),
            None => token.clone(),
        });
        let _ = writeln!(out, "\n--- validation instance {index}\n{}", words.collect::<Vec<_>>().join(" "));
    }
    out
}

fn show(it: &Inspection) -> String {
    let mut out = String::new();
    let mut table = text::table(&["part", "documents", "bytes", "tokens", "bytes/token"]);
    for (name, part) in [("train", it.train), ("validation", it.validation)] {
        let ratio = format!("{:.3}", part.bytes as f64 / part.tokens as f64);
        table.add_row([name.into(), grouped(part.documents), grouped(part.bytes), grouped(part.tokens), ratio]);
    }
    table.add_row(["held out".into(), grouped(it.held_out.documents), grouped(it.held_out.bytes), String::new(), String::new()]);
    align_right(&mut table, 1..5);
    let _ = writeln!(out, "{table}\n");
    let version = it.version.map_or(String::new(), |version| format!("default corpus, version {version}; "));
    let _ = writeln!(out, "{version}content {}; vocabulary {}\n", &it.fingerprint[..16], grouped(it.vocab as u64));
    if !it.licences.is_empty() {
        let mut table = text::table(&["licence", "crates", "documents", "bytes"]);
        for row in &it.licences {
            table.add_row([row.licence.clone(), grouped(row.crates as u64), grouped(row.documents), grouped(row.bytes)]);
        }
        align_right(&mut table, 1..4);
        let _ = writeln!(out, "{table}\n");
    }
    let mut table = text::table(&["largest documents", "bytes"]);
    for document in &it.largest {
        table.add_row([document.name.clone(), grouped(document.bytes)]);
    }
    align_right(&mut table, 1..2);
    let _ = writeln!(out, "{table}");
    for sample in &it.samples {
        let _ = writeln!(out, "\n--- {}\n{}", sample.name, sample.text.trim_end());
    }
    out
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
