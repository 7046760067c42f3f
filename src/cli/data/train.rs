//! `ablate data train`: the models that recipes judge by.

use super::super::{print, text::grouped};
use ablate::{
    Error, Result,
    data::{
        pipeline::{
            filter::NormaliseOptions,
            language::{QualityTrainConfig, fasttext::TrainConfig, ngram::NgramConfig},
        },
        recipe::{train_language, train_ngram, train_quality},
    },
};
use std::{path::PathBuf, process::ExitCode};

/// Train the models that recipes judge by.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    /// A Kneser–Ney language model, for `perplexity`.
    Ngram(Ngram),
    /// A classifier of references against random pages, for `quality`.
    Quality(Quality),
    /// An identifier of languages, for `identify`.
    Language(Language),
}

#[derive(clap::Args, Debug)]
struct Ngram {
    /// Files of reference text: paths, globs or folders.
    #[arg(required = true)]
    paths: Vec<String>,
    /// File to write; ARPA if it ends in .arpa.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Words of an n-gram at most.
    #[arg(long, default_value_t = 5, value_name = "N")]
    order: usize,
    /// Counts up to which n-grams are left out, by order: 0,0,1.
    #[arg(long, value_delimiter = ',', value_name = "COUNT")]
    prune: Vec<u64>,
    /// A tokenizer.json or SentencePiece model; by default words are what white space parts.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Each line is a sentence; by default each document is, as in CCNet.
    #[arg(long)]
    lines: bool,
    /// MiB of memory for counting.
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    memory: usize,
}

#[derive(clap::Args, Debug)]
struct Quality {
    /// Files of pages that are referred to.
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    references: Vec<String>,
    /// Files of random pages.
    #[arg(long, required = true, value_name = "PATH", num_args = 1..)]
    random: Vec<String>,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Characters that a page must have.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    least_characters: usize,
}

#[derive(clap::Args, Debug)]
struct Language {
    /// A label and its files: en=texts/en; may be repeated.
    #[arg(required = true, value_name = "LABEL=PATH")]
    labels: Vec<String>,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the verb.
pub fn run(args: Args) -> Result<ExitCode> {
    let said = match args.verb {
        Verb::Ngram(args) => {
            let config = NgramConfig { order: args.order, prune: args.prune, memory: args.memory, ..NgramConfig::default() };
            let options = NormaliseOptions::default();
            let report = train_ngram(&config, &args.paths, args.lines, &options, args.tokenizer.as_deref(), &args.out)?;
            let ngrams = report.ngrams.iter().map(|count| grouped(*count)).collect::<Vec<_>>().join(", ");
            format!(
                "{} sentences, {} words; n-grams by order {ngrams}: {}\n",
                grouped(report.sentences),
                grouped(report.words),
                args.out.display()
            )
        }
        Verb::Quality(args) => {
            let config = QualityTrainConfig { least_characters: args.least_characters, ..QualityTrainConfig::default() };
            let held = train_quality(&config, &args.references, &args.random, &args.out)?;
            format!(
                "trained on {} pages of each class; of {} and {} held out, accuracy {:.4}, area under the ROC curve {:.4}: {}\n",
                grouped(held.trained),
                grouped(held.held_out[0]),
                grouped(held.held_out[1]),
                held.accuracy,
                held.auc,
                args.out.display()
            )
        }
        Verb::Language(args) => {
            let mut labels: Vec<(String, Vec<String>)> = vec![];
            for pair in &args.labels {
                let (label, path) = pair.split_once('=').ok_or_else(|| Error::input(pair, "has no label", "write LABEL=PATH"))?;
                match labels.iter_mut().find(|(known, _)| known == label) {
                    Some((_, paths)) => paths.push(path.into()),
                    None => labels.push((label.into(), vec![path.into()])),
                }
            }
            let loss = train_language(&TrainConfig::default(), &labels, &args.out)?;
            format!("{} languages, mean loss {loss:.4} nats: {}\n", labels.len(), args.out.display())
        }
    };
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}
