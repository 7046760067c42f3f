//! What verbs that write text share: which model, and how tokens are chosen.

use ablate::{
    Result,
    data::Tokenizer,
    device::DeviceName,
    eval::{Generation, Sampling, Stops, ends, opening},
    model::Transformer,
    settings::Error,
    train::{
        checkpoint::{self, Which},
        load_model,
    },
};
use std::path::{Path, PathBuf};

/// Which model, and how it writes.
#[derive(clap::Args, Debug)]
pub struct Manner {
    /// Which of the run's checkpoints: newest, best, or the step of one that was kept.
    #[arg(long, default_value_t, value_name = "WHICH")]
    checkpoint: Which,
    /// Tokens to add at most.
    #[arg(long, default_value_t = 200, value_name = "N")]
    tokens: usize,
    /// Divides the logits; 0 takes the most likely token.
    #[arg(long, default_value_t = 0.8, value_name = "T")]
    temperature: f64,
    /// Draw from the most likely tokens that make up this probability.
    #[arg(long, default_value_t = 0.95, value_name = "P")]
    top_p: f64,
    /// Draw from so many of the most likely tokens; all by default.
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw from tokens at least this times as likely as the most likely one.
    #[arg(long, default_value_t = 0.0, value_name = "P")]
    min_p: f64,
    /// Above 1, tokens that the text holds already become less likely.
    #[arg(long, default_value_t = 1.0, value_name = "R")]
    repetition_penalty: f64,
    /// A string that ends the text and is no part of it; may be repeated. \n, \t and \\ stand for line end, tabulator and \.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Tokens that the model sees at most; its training context by default. Text that fills it goes on from its last half.
    #[arg(long, value_name = "N")]
    context: Option<usize>,
    /// Device: flex, cuda[:INDEX], wgpu[:INDEX|:cpu].
    #[arg(long, default_value = "flex", value_name = "D")]
    device: DeviceName,
}

/// A model that can write.
pub struct Author {
    pub model: Transformer,
    pub tokenizer: Tokenizer,
    /// Where the tokenizer lies.
    pub folder: PathBuf,
    /// What texts begin with.
    pub opening: Vec<u32>,
    pub how: Generation,
}

impl Manner {
    /// Loads the model of the run; `batch` texts at a time.
    pub fn open(self, run: &Path, batch: usize) -> Result<Author> {
        let sampling = self.sampling()?;
        let (spec, model) = load_model(run, self.checkpoint, &self.device)?;
        let context = self.context.unwrap_or(spec.model.context);
        if context == 0 {
            return Err(Error::input("--context", "0 leaves no token to see", "use 1 or more"));
        }
        if let Some(limit) = spec.model.context_limit().filter(|limit| context > *limit) {
            let message = format!("{context} is more than the {limit} positions that the model learned");
            return Err(Error::input("--context", message, format!("use {limit} or less")));
        }
        let tokenizer = checkpoint::tokenizer(run, self.checkpoint)?;
        let folder = checkpoint::tokenizer_folder(run, self.checkpoint)?;
        let stops = Stops::new(self.stop.iter().map(|text| unescaped(text)));
        let how = Generation { tokens: self.tokens, sampling, stops, ends: ends(&folder, &tokenizer)?, context, batch };
        let opening = opening(&folder, &tokenizer)?;
        Ok(Author { model, tokenizer, folder, opening, how })
    }

    fn sampling(&self) -> Result<Sampling> {
        let &Self { temperature, top_p, top_k, min_p, repetition_penalty, seed, .. } = self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            let message = format!("{temperature} is negative or no number");
            return Err(Error::input("--temperature", message, "use 0 for the most likely token"));
        }
        for (name, value) in [("--top-p", top_p), ("--min-p", min_p)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::input(name, format!("{value} is no probability"), "use a number from 0 to 1"));
            }
        }
        if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
            let message = format!("{repetition_penalty} is not a positive number");
            return Err(Error::input("--repetition-penalty", message, "use 1 for none; 1.2 is usual"));
        }
        if top_k == Some(0) {
            return Err(Error::input("--top-k", "0 leaves no token to draw", "use 1 or more"));
        }
        Ok(Sampling { repetition_penalty, temperature, top_k, top_p, min_p, seed })
    }
}

/// A text in which `\n`, `\t` and `\\` stand for characters that are hard to type in a shell.
fn unescaped(text: &str) -> String {
    let (mut result, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match (character, characters.as_str().chars().next()) {
            ('\\', Some(next @ ('n' | 't' | '\\'))) => {
                result.push(match next {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
                characters.next();
            }
            (other, _) => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_few() {
        assert_eq!(unescaped(r"\n\nQ:\t\\n \x \"), "\n\nQ:\t\\n \\x \\");
    }
}
