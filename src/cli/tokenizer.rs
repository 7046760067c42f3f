//! `ablate tokenizer`: train, use, look into and compare tokenizers.

use super::{
    print,
    text::{self, grouped, right},
};
use ablate::{
    Error, Result,
    data::{
        Measure, ModelType, Pattern, Tokenizer, Trainer, TrainerConfig, compare,
        recipe::{texts_of, texts_while},
    },
    settings::Document,
};
use std::{
    fmt::Write,
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Train, use, look into and compare tokenizers.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// Train a tokenizer, with LLaMA's settings unless told otherwise.
    Train(Train),
    /// Print the ids of a text.
    Encode(Encode),
    /// Show what a vocabulary holds.
    Inspect(Inspect),
    /// Measure several tokenizers on the same texts.
    Compare(Compare),
}

#[derive(clap::Args, Debug)]
struct Train {
    /// Files of text: paths, globs or folders, of any format that recipes read.
    #[arg(required = true)]
    paths: Vec<String>,
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Settings, with SentencePiece's names: vocab_size=32000, model_type=unigram, split_digits=false; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(clap::Args, Debug)]
struct Encode {
    /// A tokenizer.json, a SentencePiece model, ranks of tiktoken, or a folder that `train` wrote.
    tokenizer: PathBuf,
    /// The text; standard input by default.
    text: Option<String>,
    /// Show pieces beside ids.
    #[arg(long)]
    pieces: bool,
}

#[derive(clap::Args, Debug)]
struct Inspect {
    /// A tokenizer, as for `encode`.
    tokenizer: PathBuf,
    /// Longest pieces to show.
    #[arg(long, default_value_t = 20, value_name = "N")]
    longest: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Compare {
    /// Tokenizers, as for `encode`, or `gpt2`-like kinds to train on the texts: bpe:8000, unigram:8000, byte_level:8000.
    #[arg(required = true)]
    tokenizers: Vec<String>,
    /// Texts, as NAME=PATH for a source or language each, or a path alone; may be repeated.
    #[arg(long, required = true, value_name = "[NAME=]PATH", num_args = 1..)]
    on: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let said = match args.verb {
        Verb::Train(args) => train(&args)?,
        Verb::Encode(args) => encode(&args)?,
        Verb::Inspect(args) => inspect(&args)?,
        Verb::Compare(args) => comparison(&args)?,
    };
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a tokenizer: a file, or a folder that was written here.
fn read(path: &Path) -> Result<Tokenizer> {
    if path.is_dir() { Tokenizer::load(path) } else { Tokenizer::read(path) }
}

fn train(args: &Train) -> Result<String> {
    let mut document = Document::new("--set");
    for assignment in &args.set {
        document.set(assignment, "--set")?;
    }
    let config: TrainerConfig = document.parse()?;
    let problems = config.problems("");
    if !problems.is_empty() {
        return Err(document.locate(problems));
    }
    if args.out.join("tokenizer.meta.json").exists() {
        return Err(Error::input(args.out.display(), "holds a tokenizer already", "choose another --out, or delete it"));
    }
    let mut trainer = Trainer::new(&config)?;
    texts_while(&args.paths, &mut |text| Ok(trainer.add(&[text])))?;
    let bytes = trainer.bytes();
    let tokenizer = trainer.finish()?;
    std::fs::create_dir_all(&args.out).map_err(Error::io("create the folder", &args.out))?;
    tokenizer.save(&args.out)?;
    Ok(format!("{} ids from {}: {}\n", grouped(tokenizer.vocab() as u64), text::bytes(bytes as f64), args.out.display()))
}

fn encode(args: &Encode) -> Result<String> {
    let tokenizer = read(&args.tokenizer)?;
    let text = match &args.text {
        Some(text) => text.clone(),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(Error::io("read", Path::new("standard input")))?;
            text
        }
    };
    if args.pieces {
        let shown = tokenizer.show(&text);
        return Ok(shown.iter().map(|token| format!("{}\t{}\n", token.id, token.text.escape_debug())).collect());
    }
    Ok(tokenizer.encode(&text).iter().map(u32::to_string).collect::<Vec<_>>().join(" ") + "\n")
}

fn inspect(args: &Inspect) -> Result<String> {
    let found = read(&args.tokenizer)?.inspect(args.longest);
    if args.json {
        return text::json("--json", &found);
    }
    let mut out = String::new();
    let special = found.special.iter().map(|(name, id)| format!("{name} {id}")).collect::<Vec<_>>().join(", ");
    let _ =
        writeln!(out, "{}, {} ids; special tokens {special}; documents begin with {}", found.kind, grouped(found.vocab as u64), found.bos);
    let counts = [
        ("bytes and parts of characters", found.fallback),
        ("single characters", found.characters),
        ("begin with a space", found.opening),
        ("of spaces alone", found.spaces),
        ("of digits alone", found.digits),
        ("of marks alone", found.marks),
        ("empty", found.empty),
    ];
    let mut table = text::table(&["pieces", "count", "share"]);
    for (name, count) in counts.into_iter().chain(found.scripts.iter().map(|(script, count)| (script.as_str(), *count))) {
        table.add_row([
            name.into(),
            right(grouped(count as u64)),
            right(format!("{:.1} %", 100.0 * count as f64 / found.vocab.max(1) as f64)),
        ]);
    }
    let _ = writeln!(out, "\n{table}\n\nmean length {:.2} characters; the longest:", found.mean_length);
    for (piece, id) in &found.longest {
        let _ = writeln!(out, "{id}\t{}", piece.escape_debug());
    }
    Ok(out)
}

fn comparison(args: &Compare) -> Result<String> {
    let mut texts: Vec<(String, String)> = vec![];
    for source in &args.on {
        let (name, path) = source.split_once('=').unwrap_or(("all", source));
        texts_of(&[path.to_string()], &mut |text| {
            texts.push((name.to_string(), text.to_string()));
            Ok(())
        })?;
    }
    let tokenizer = |name: &String| -> Result<(String, Tokenizer)> {
        let kind = match name.split_once(':') {
            Some(("bpe", vocab)) => Some((ModelType::Bpe, vocab)),
            Some(("unigram", vocab)) => Some((ModelType::Unigram, vocab)),
            Some(("byte_level", vocab)) => Some((ModelType::ByteLevel, vocab)),
            Some(("characters", vocab)) => Some((ModelType::Characters, vocab)),
            _ => None,
        };
        let Some((model_type, vocab)) = kind else { return Ok((name.clone(), read(Path::new(name))?)) };
        let vocab_size = vocab.parse().map_err(|_| Error::input(name, "the vocabulary is no number", "write bpe:8000"))?;
        let config = TrainerConfig { model_type, vocab_size, pattern: Pattern::default(), ..TrainerConfig::default() };
        if let Some(problem) = config.problems("").into_iter().next() {
            return Err(Error::input(name, problem.message, problem.help.unwrap_or_default()));
        }
        let all: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        Ok((name.clone(), Tokenizer::train(&config, &all)?))
    };
    let tokenizers: Vec<(String, Tokenizer)> = args.tokenizers.iter().map(tokenizer).collect::<Result<_>>()?;
    let measures = compare(&tokenizers, &texts);
    Ok(if args.json { text::json("--json", &measures)? } else { show(&measures) })
}

/// Compression of all and of each source, and bars of it.
fn show(measures: &[Measure]) -> String {
    let mut out = String::new();
    let mut table = text::table(&["tokenizer", "ids", "used", "tokens", "bytes/token", "tokens/word", "fallback", "exact"]);
    let share = |share: f64| right(format!("{:.1} %", 100.0 * share));
    for it in measures {
        table.add_row([
            it.name.clone().into(),
            right(grouped(it.vocab as u64)),
            share(it.used_share),
            right(grouped(it.all.tokens)),
            right(format!("{:.3}", it.all.bytes_per_token)),
            right(format!("{:.3}", it.all.tokens_per_word)),
            share(it.all.fallback_share),
            share(it.all.exact_share),
        ]);
    }
    let _ = writeln!(out, "{table}");
    let most = measures.iter().flat_map(|it| it.sources.values()).map(|source| source.bytes_per_token).fold(0.0, f64::max);
    let mut table = text::table(&["source", "tokenizer", "bytes/token", "tokens/word", ""]);
    let names: std::collections::BTreeSet<&String> = measures.iter().flat_map(|it| it.sources.keys()).collect();
    for name in names {
        for it in measures {
            let Some(source) = it.sources.get(name) else { continue };
            let bar = "█".repeat((30.0 * source.bytes_per_token / most.max(f64::MIN_POSITIVE)).round() as usize);
            table.add_row([
                name.clone().into(),
                it.name.clone().into(),
                right(format!("{:.3}", source.bytes_per_token)),
                right(format!("{:.3}", source.tokens_per_word)),
                bar.into(),
            ]);
        }
    }
    let _ = writeln!(out, "\n{table}");
    out
}
