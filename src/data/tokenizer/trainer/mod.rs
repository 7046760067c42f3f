//! Training tokenizers: words are counted, document by document, and pieces made from the counts.
//!
//! BPE and unigram follow SentencePiece, whose trainer made LLaMA's tokenizer: they see text line by line, each with a space in
//! front; what stands in one piece keeps to the rules of `Cutting`. Whatever the number of threads, the result is the same.
//!
//! One thing is otherwise: a run of spaces before a word is cut before its last space, as LLaMA's tokenizer encodes it, while
//! SentencePiece's trainer lets the run take that space. Training and encoding cut alike here.

mod alphabet;
mod config;
mod expectation;
mod lattice;
mod merging;
mod seeds;
#[cfg(test)]
mod tests;
mod unigram;

pub use config::{ModelType, TrainerConfig};

use super::{
    Inner, Tokenizer,
    bpe::Bpe,
    byte_level::ByteLevel,
    hash::Map,
    pieces::{Characters, FIRST_BYTE, FIRST_PIECE, Pieces, reserved},
    scripts::Scripts,
    unigram::Unigram,
};
use crate::settings::{Error, Result};
use alphabet::Alphabet;
use merging::{Limits, merges};
use rayon::prelude::*;

/// How often a word occurs within a line and at the end of one.
type Counts = Map<Box<str>, [u64; 2]>;

/// A word of a sample with its counts within lines and at their ends.
type Word<'a> = (&'a str, [u64; 2]);

/// Trains a tokenizer on text that is given in parts. Memory grows with the number of different words.
#[derive(Debug)]
pub struct Trainer {
    config: TrainerConfig,
    bytes: u64,
    counts: Counts,
    characters: Map<u32, u64>,
}

impl Trainer {
    /// A trainer that has seen nothing.
    ///
    /// # Errors
    ///
    /// Settings out of range, see [`TrainerConfig::problems`]; the first is named.
    pub fn new(config: &TrainerConfig) -> Result<Self> {
        if let Some(problem) = config.problems("").into_iter().next() {
            return Err(Error::input(problem.key, problem.message, problem.help.unwrap_or_default()));
        }
        Ok(Self { config: config.clone(), bytes: 0, counts: Map::default(), characters: Map::default() })
    }

    /// Looks at documents, and says whether more are wanted: the sample ends with the document that fills it.
    pub fn add<T: AsRef<str> + Sync>(&mut self, texts: &[T]) -> bool {
        let mut count = 0;
        for text in texts {
            if self.bytes >= self.config.sample_bytes {
                break;
            }
            self.bytes += text.as_ref().len() as u64;
            count += 1;
        }
        let texts = &texts[..count];
        match self.config.model_type {
            ModelType::Bytes => {}
            ModelType::Characters => {
                texts.iter().flat_map(|text| text.as_ref().chars()).for_each(|c| *self.characters.entry(c as u32).or_default() += 1)
            }
            _ => {
                let count = |texts: &[T]| {
                    let mut counts = Counts::default();
                    texts.iter().for_each(|text| self.count(text.as_ref(), &mut counts));
                    counts
                };
                let parts: Vec<Counts> = texts.par_chunks(64).map(count).collect();
                for (word, [within, last]) in parts.into_iter().flatten() {
                    let sum = self.counts.entry(word).or_default();
                    sum[0] += within;
                    sum[1] += last;
                }
            }
        }
        self.bytes < self.config.sample_bytes
    }

    fn count(&self, text: &str, counts: &mut Counts) {
        let mut add = |word: &str, last: bool| match counts.get_mut(word) {
            Some(count) => count[usize::from(last)] += 1,
            None => _ = counts.insert(word.into(), if last { [0, 1] } else { [1, 0] }),
        };
        if self.config.model_type == ModelType::ByteLevel {
            return self.config.pattern.split(text, |word| add(word, false));
        }
        let cutting = self.config.cutting();
        let (cut, prefix) = (cutting.only_spacing(), if cutting.prefix { " " } else { "" });
        let mut line = String::new();
        for text in text.split('\n').filter(|text| !text.is_empty() && text.len() <= self.config.max_sentence_length) {
            line.clear();
            line.extend([prefix, text]);
            let mut rest = line.len();
            cut.split(&line, |word| {
                rest -= word.len();
                add(word, rest == 0);
            });
        }
    }

    /// Bytes of text looked at so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tokenizer of what was looked at. It has fewer ids than asked for where the text has no more pieces.
    ///
    /// # Errors
    ///
    /// Text in which there is nothing to learn from.
    pub fn finish(self) -> Result<Tokenizer> {
        let config = &self.config;
        let room = config.vocab_size.saturating_sub(FIRST_PIECE);
        let mut words: Vec<Word<'_>> = self.counts.iter().map(|(word, counts)| (&**word, *counts)).collect();
        words.par_sort_unstable();
        let inner = match config.model_type {
            ModelType::Bytes => Inner::Bytes(Pieces::default()),
            ModelType::Characters => {
                let mut counts: Vec<(u64, char)> =
                    self.characters.iter().filter_map(|(c, count)| Some((*count, char::from_u32(*c)?))).collect();
                counts.sort_by_key(|&(count, c)| (std::cmp::Reverse(count), c));
                Inner::Characters(Characters::new(counts.into_iter().take(room).map(|(_, c)| c)))
            }
            ModelType::Bpe => Inner::Bpe(Box::new(bpe(&words, config, room)?)),
            ModelType::Unigram => Inner::Unigram(unigram(&words, config, room)?),
            ModelType::ByteLevel => Inner::ByteLevel(Box::new(byte_level(&words, config, room)?)),
        };
        Ok(Tokenizer::from(inner))
    }
}

impl Tokenizer {
    /// Trains a tokenizer on the first documents, see [`Trainer`].
    ///
    /// # Errors
    ///
    /// Settings out of range.
    pub fn train<T: AsRef<str> + Sync>(config: &TrainerConfig, texts: &[T]) -> Result<Self> {
        let mut trainer = Trainer::new(config)?;
        trainer.add(texts);
        trainer.finish()
    }
}

fn nothing(reason: String) -> Error {
    Error::input("tokenizer", reason, "train on other text")
}

/// Merges first, then characters by falling count: LLaMA's order of ids.
fn bpe(words: &[Word<'_>], config: &TrainerConfig, room: usize) -> Result<Bpe> {
    let cutting = config.cutting();
    let alphabet = Alphabet::new(words, config.character_coverage, room / 2, "");
    let scripts = Scripts::of(alphabet.characters().iter().copied());
    let parts = alphabet.parts(words);
    // A space is ▁ as in SentencePiece's order of equals.
    let symbols: Vec<Box<str>> = alphabet.characters().iter().map(|c| c.to_string().replace(' ', "▁").into()).collect();
    let spelled: Vec<(Vec<u32>, u64)> = parts.iter().map(|(part, [within, last])| (alphabet.spell(part), within + last)).collect();
    let valid = |text: &str| {
        let chars: Vec<char> = text.chars().map(|c| if c == '▁' { ' ' } else { c }).collect();
        !reserved(text) && scripts.valid(chars.iter().copied(), &cutting)
    };
    let limits =
        Limits { pieces: room.saturating_sub(symbols.len()), length: config.max_sentencepiece_length, frequency: config.min_frequency };
    let single = symbols.len();
    let (mut texts, pairs) = merges(spelled, symbols, &limits, valid, |text| text.chars().count(), |a, b| [a, b].concat().into());
    texts.iter_mut().filter(|text| text.contains('▁')).for_each(|text| *text = text.replace('▁', " ").into());
    let named: Vec<(String, String)> =
        pairs.iter().map(|&(left, right)| (texts[left as usize].to_string(), texts[right as usize].to_string())).collect();
    texts.rotate_left(single);
    Bpe::new(texts, &named, cutting).ok_or_else(|| nothing("merges of pieces that are not there".into()))
}

fn unigram(words: &[Word<'_>], config: &TrainerConfig, room: usize) -> Result<Unigram> {
    // Text that spells a special token must be cheaper to cut than that token.
    let alphabet = Alphabet::new(words, config.character_coverage, room / 2, "</>0123456789ABCDEFknsux");
    let least = FIRST_PIECE + alphabet.characters().len();
    if config.vocab_size < least {
        let message = format!("{} ids do not suffice for 3 special tokens, 256 bytes and the characters", config.vocab_size);
        return Err(Error::input("vocab_size", message, format!("at least {least}, or a lower character_coverage")));
    }
    let parts = alphabet.parts(words);
    Ok(Unigram::new(unigram::train(&parts, &alphabet, config, room), config.cutting()))
}

fn byte_level(words: &[Word<'_>], config: &TrainerConfig, room: usize) -> Result<ByteLevel> {
    let spelled = words.iter().map(|(word, [within, _])| (word.bytes().map(u32::from).collect(), *within)).collect();
    let symbols: Vec<Box<[u8]>> = (0..=255_u8).map(|byte| Box::from([byte])).collect();
    let limits = Limits { pieces: room, length: usize::MAX, frequency: config.min_frequency };
    let special = |text: &[u8]| std::str::from_utf8(text).is_ok_and(reserved);
    let (_, pairs) = merges(spelled, symbols, &limits, |text| !special(text), |text| text.len(), |a, b| [a, b].concat().into());
    let pairs = pairs.into_iter().map(|(left, right)| (left + FIRST_BYTE, right + FIRST_BYTE)).collect();
    ByteLevel::own(pairs, config.pattern).map_err(nothing)
}
