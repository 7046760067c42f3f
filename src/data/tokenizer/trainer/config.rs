//! The settings of training.

use super::super::{byte_level::Pattern, pieces::FIRST_PIECE, words::Cutting};
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelType {
    /// Byte-pair encoding of characters, as SentencePiece trains it: LLaMA's.
    #[default]
    Bpe,
    /// SentencePiece's unigram language model (Kudo 2018, 1804.10959).
    Unigram,
    /// Byte-pair encoding of bytes, as GPT-2's and LLaMA 3's.
    ByteLevel,
    /// One token per character.
    Characters,
    /// One token per byte: nothing is trained.
    Bytes,
}

/// Settings of training, with SentencePiece's names; the defaults are those of LLaMA's tokenizer, as its file has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerConfig {
    /// What is trained: `bpe`, `unigram`, `byte_level`, `characters`, `bytes`.
    pub model_type: ModelType,
    /// Vocabulary, 3 special tokens and 256 bytes included; the tokenizer has fewer ids if the text has no more pieces.
    pub vocab_size: usize,
    /// Bytes of text that are looked at: whole documents in their order, up to the one that reaches this. Bounds memory.
    pub sample_bytes: u64,
    /// Share of the characters of the text that have a piece of their own, if there is room. For `bpe` and `unigram`.
    pub character_coverage: f64,
    /// Longest piece, in characters. For `bpe` and `unigram`.
    pub max_sentencepiece_length: usize,
    /// Longer lines are skipped, in bytes. For `bpe` and `unigram`, which are trained line by line.
    pub max_sentence_length: usize,
    /// No piece has characters of two scripts; kana are of the script of kanji.
    pub split_by_unicode_script: bool,
    /// No piece has a space but in front.
    pub split_by_whitespace: bool,
    /// Digits are of a script of their own; otherwise they go with any.
    pub split_by_number: bool,
    /// Every digit is a piece of its own.
    pub split_digits: bool,
    /// Runs of spaces may be pieces.
    pub allow_whitespace_only_pieces: bool,
    /// What has no piece is spelled in bytes; otherwise it is `<unk>`, and lost.
    pub byte_fallback: bool,
    /// A space is put in front of every text, and of every line in training.
    pub add_dummy_prefix: bool,
    /// Pieces that training starts from. For `unigram`.
    pub seed_sentencepiece_size: usize,
    /// Share of the pieces that each round keeps. For `unigram`.
    pub shrinking_factor: f64,
    /// Steps of expectation and maximisation in each round. For `unigram`.
    pub num_sub_iterations: usize,
    /// How text is cut into words. For `byte_level`: `gpt2`, `gpt4` (LLaMA 3's), `qwen2`.
    pub pattern: Pattern,
    /// Pairs that occur less often are not merged. For `bpe` and `byte_level`.
    pub min_frequency: u64,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self {
            model_type: ModelType::Bpe,
            vocab_size: 32_000,
            sample_bytes: 256 << 20,
            character_coverage: 0.999_95,
            max_sentencepiece_length: 16,
            max_sentence_length: 4192,
            split_by_unicode_script: true,
            split_by_whitespace: true,
            split_by_number: true,
            split_digits: true,
            allow_whitespace_only_pieces: true,
            byte_fallback: true,
            add_dummy_prefix: true,
            seed_sentencepiece_size: 1_000_000,
            shrinking_factor: 0.75,
            num_sub_iterations: 2,
            pattern: Pattern::Gpt4,
            min_frequency: 2,
        }
    }
}

impl TrainerConfig {
    /// What training would refuse, with keys under `prefix`; the ranges are SentencePiece's.
    pub fn problems(&self, prefix: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |broken: bool, key: &str, message: String, help: &str| {
            if broken {
                problems.push(Problem::new(format!("{prefix}{key}"), message).help(help));
            }
        };
        let vocab = self.vocab_size;
        let room = "3 special tokens, 256 bytes and a piece";
        let least = FIRST_PIECE + 1;
        let trained = self.model_type != ModelType::Bytes;
        wrong(trained && vocab < least, "vocab_size", format!("{vocab} ids do not suffice for {room}"), &format!("at least {least}"));
        wrong(vocab > 1 << 22, "vocab_size", format!("{vocab} ids are more than any vocabulary has"), "at most 4194304");
        wrong(self.sample_bytes == 0, "sample_bytes", "is zero".into(), "name the bytes of text to look at");
        let coverage = self.character_coverage;
        wrong(!(0.98..=1.0).contains(&coverage), "character_coverage", format!("{coverage} is out of range"), "from 0.98 to 1");
        let longest = self.max_sentencepiece_length;
        wrong(!(1..=512).contains(&longest), "max_sentencepiece_length", format!("{longest} is out of range"), "from 1 to 512");
        let line = self.max_sentence_length;
        wrong(!(10..=1 << 30).contains(&line), "max_sentence_length", format!("{line} is out of range"), "from 10 to 1073741824");
        let factor = self.shrinking_factor;
        wrong(!(0.5..=0.95).contains(&factor), "shrinking_factor", format!("{factor} is out of range"), "from 0.5 to 0.95");
        let steps = self.num_sub_iterations;
        wrong(!(1..=10).contains(&steps), "num_sub_iterations", format!("{steps} is out of range"), "from 1 to 10");
        wrong(self.seed_sentencepiece_size == 0, "seed_sentencepiece_size", "is zero".into(), "1000000 is usual");
        problems
    }

    pub(super) fn cutting(&self) -> Cutting {
        Cutting {
            scripts: self.split_by_unicode_script,
            whitespace: self.split_by_whitespace,
            number: self.split_by_number,
            digits: self.split_digits,
            only_spaces: self.allow_whitespace_only_pieces,
            prefix: self.add_dummy_prefix,
            bytes: self.byte_fallback,
        }
    }
}
