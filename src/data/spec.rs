//! Data as written and as resolved.

use super::{
    Batches, MixtureConfig, Packing, cache_folder, fingerprint,
    recipe::StepOptions,
    synthetic::{SyntheticConfig, TaskConfig},
    tokenizer::{self, Pattern},
};
use crate::settings::{Error, Problem, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Keys that hold paths, relative to the file that names them. They say where text lies; what it is, the fingerprint says.
pub const PATH_KEYS: [&str; 10] = [
    "data.corpus.paths",
    "data.corpus.path",
    "data.corpus.held_out",
    "data.corpus.sources.*.corpus.paths",
    "data.corpus.sources.*.corpus.path",
    "data.corpus.sources.*.corpus.held_out",
    "data.validation.paths",
    "data.validation.path",
    "data.validation.held_out",
    "data.tokenizer.path",
];

/// Bytes of validation text if none are named.
const VALIDATION_BYTES: u64 = 262_144;

/// Data as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Where the text comes from.
    pub corpus: CorpusConfig,
    /// Text to ids.
    pub tokenizer: TokenizerConfig,
    /// Where validation text comes from, if not from `corpus`: what this corpus would hold out. For arms that differ in
    /// their corpus and are to be judged by one text: the rule of what is held out looks at a document alone, so
    /// none of it is trained on.
    pub validation: Option<CorpusConfig>,
    /// How documents become rows.
    pub packing: Packing,
    /// Use at most so many bytes of training text, whole documents; all by default. Of a mixture, of each source.
    pub train_bytes: Option<u64>,
    /// Bytes of validation text, whole documents; 262,144 by default.
    pub validation_bytes: Option<u64>,
}

/// Where the text comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CorpusConfig {
    /// Sources and docs of the crates that this build has put in Cargo's local cache: tens of MB of Rust and English.
    Crates {
        /// Which files of them.
        #[serde(default, skip_serializing_if = "CratesPart::is_all")]
        part: CratesPart,
    },
    /// Files of text, one document each: paths, globs or folders; `.gz` and `.zst` are unpacked.
    Text {
        /// Paths, globs or folders. Folders are searched for endings of prose, markup and source code.
        paths: Vec<String>,
    },
    /// Files with one JSON object per line.
    Jsonl {
        /// Paths, globs or folders; `.gz` and `.zst` are unpacked.
        paths: Vec<String>,
        /// The field that holds the text.
        #[serde(default = "text")]
        field: String,
    },
    /// Token files of this or another program, read where they lie: Megatron's `.bin` with `.idx`, nanoGPT's and llm.c's `.bin`,
    /// `.npy`. The tokenizer is a file.
    Shards {
        /// Paths, globs or folders of training tokens.
        paths: Vec<String>,
        /// The same of validation tokens.
        held_out: Vec<String>,
        /// The token that opens documents, where no index tells them apart; that of the tokenizer by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opening: Option<u32>,
    },
    /// What a recipe of `ablate data build` makes; it is built into the cache when it is needed.
    Recipe {
        /// The recipe.
        path: String,
        /// Steps to leave out, by name: an ablation of the data.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        without: Vec<String>,
        /// Options of steps that are others than the recipe's, by the names of the steps:
        /// `"data.corpus.steps.gopher_quality.min_words" = 60`.
        #[serde(default, skip_serializing_if = "StepOptions::is_empty")]
        steps: StepOptions,
    },
    /// Several sources, each with its share of the training tokens.
    Mixture(MixtureConfig),
    /// No text: instances of a synthetic task, computed when they are read. They take the whole training context each, and are
    /// scored by `valid/accuracy`, `valid/sequence_accuracy` and `valid/loss`.
    Synthetic(SyntheticConfig),
    /// No text: batches from a file, trained on in its order. Nothing is evaluated.
    Batches {
        /// A safetensors file with `batches` `[steps, batch, seq + 1]`.
        path: String,
    },
}

/// Which files of the default corpus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CratesPart {
    /// All.
    #[default]
    All,
    /// Rust sources.
    Code,
    /// Markdown: guides and READMEs.
    Prose,
}

impl CratesPart {
    fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Whether a file belongs to the part, by its name.
    pub(super) fn holds(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Code => name.ends_with(".rs"),
            Self::Prose => !name.ends_with(".rs"),
        }
    }
}

fn text() -> String {
    "text".into()
}

impl Default for CorpusConfig {
    fn default() -> Self {
        Self::Crates { part: CratesPart::All }
    }
}

/// Text to ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenizerConfig {
    /// Byte-pair encoding with LLaMA's trainer settings: byte fallback, split digits, pieces of at most 16 characters.
    Bpe {
        /// Vocabulary, special and byte tokens included.
        vocab: usize,
    },
    /// The unigram language model of SentencePiece (Kudo 2018), with the same settings.
    Unigram {
        /// Vocabulary, special and byte tokens included.
        vocab: usize,
    },
    /// Byte-pair encoding of bytes, as GPT-2's and LLaMA 3's.
    ByteLevel {
        /// Vocabulary, special and byte tokens included.
        vocab: usize,
        /// How text is cut into words: `gpt2`, `gpt4` (LLaMA 3's) or `qwen2`.
        #[serde(default)]
        pattern: Pattern,
    },
    /// One token per byte.
    Bytes {},
    /// One token per character: the most frequent ones of the training text, all others as bytes.
    Characters {
        /// Vocabulary, special and byte tokens included.
        vocab: usize,
    },
    /// A `tokenizer.json` of the `tokenizers` library, a SentencePiece model, or ranks of tiktoken.
    File {
        /// Path, relative to the file that names it.
        path: String,
    },
    /// None: what a synthetic corpus has, whatever is written here. Its vocabulary is the task's.
    None {},
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self::Bpe { vocab: 4096 }
    }
}

/// Data as resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Where the text comes from, paths absolute.
    pub corpus: CorpusConfig,
    /// Text to ids.
    pub tokenizer: TokenizerConfig,
    /// Vocabulary of the tokenizer, or of the synthetic task.
    pub vocab: usize,
    /// Where validation text comes from, if not from the corpus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<CorpusConfig>,
    /// How documents become rows.
    #[serde(default, skip_serializing_if = "Packing::is_default")]
    pub packing: Packing,
    /// Limit on training text.
    pub train_bytes: Option<u64>,
    /// Validation text; 0 where there is no text.
    pub validation_bytes: u64,
    /// SHA-256 of the content of the corpus and of the tokenizer file, if there is one; of a synthetic corpus, of its task.
    pub fingerprint: String,
}

impl DataConfig {
    /// Fills sizes and fingerprints; reads file contents at most once per change (size, modification time), and neither
    /// archives nor the tokenizer. Relative paths are taken from the current folder.
    ///
    /// # Errors
    ///
    /// Missing files, vocabularies too small; keys start with `data.`.
    pub fn resolve(&self) -> Result<DataSpec, Vec<Problem>> {
        self.resolve_in(&cache_folder())
    }

    /// [`DataConfig::resolve`] with another folder to remember fingerprints in.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn resolve_in(&self, cache: &Path) -> Result<DataSpec, Vec<Problem>> {
        let mut problems = Vec::new();
        if let CorpusConfig::Synthetic(synthetic) = &self.corpus {
            return Ok(DataSpec::synthetic(synthetic));
        }
        if let CorpusConfig::Batches { path } = &self.corpus {
            let absolute = absolute(path);
            return DataSpec::batches(&absolute, cache).map_err(|error| vec![problem("data.corpus.path", error)]);
        }
        let corpus = self.corpus.absolute();
        let validation = self.validation.as_ref().map(CorpusConfig::absolute);
        problems.extend(corpus.problems("data.corpus"));
        problems.extend(validation.iter().flat_map(|corpus| corpus.problems("data.validation")));
        let shards = |corpus: &CorpusConfig| corpus.parts().iter().any(|(_, part)| matches!(part, CorpusConfig::Shards { .. }));
        if (shards(&corpus) || validation.as_ref().is_some_and(shards)) && !matches!(self.tokenizer, TokenizerConfig::File { .. }) {
            let message = "token files are read with the tokenizer that made them";
            problems.push(Problem::new("data.tokenizer.kind", message).help("write { kind = \"file\", path = \"…/tokenizer.json\" }"));
        }
        let tokenizer = self.tokenizer.absolute();
        let least = tokenizer::FIRST_PIECE + 1;
        let vocab = match &tokenizer {
            TokenizerConfig::Bytes {} => tokenizer::FIRST_PIECE,
            TokenizerConfig::Bpe { vocab }
            | TokenizerConfig::Unigram { vocab }
            | TokenizerConfig::ByteLevel { vocab, .. }
            | TokenizerConfig::Characters { vocab } => {
                if *vocab < least {
                    let message = format!("{vocab} ids do not suffice for 3 special tokens, 256 bytes and a piece");
                    problems.push(Problem::new("data.tokenizer.vocab", message).help(format!("at least {least}")));
                }
                *vocab
            }
            TokenizerConfig::File { path } => tokenizer::vocab_of_file(Path::new(path)).unwrap_or_else(|error| {
                problems.push(problem("data.tokenizer.path", error));
                0
            }),
            TokenizerConfig::None {} => {
                problems.push(Problem::new("data.tokenizer.kind", "text needs a tokenizer").help("only a synthetic corpus has none"));
                0
            }
        };
        let validation_bytes = self.validation_bytes.unwrap_or(VALIDATION_BYTES);
        for (key, value) in [("data.train_bytes", self.train_bytes), ("data.validation_bytes", Some(validation_bytes))] {
            if value == Some(0) {
                problems.push(Problem::new(key, "is zero").help("leave it out for the default"));
            }
        }
        let mut spec = DataSpec {
            corpus,
            tokenizer,
            vocab,
            validation,
            packing: self.packing,
            train_bytes: self.train_bytes,
            validation_bytes,
            fingerprint: String::new(),
        };
        if problems.is_empty() {
            match spec.corpus_and_tokenizer_fingerprint(cache) {
                Ok(fingerprint) => spec.fingerprint = fingerprint,
                Err(error) => problems.push(problem("data.corpus.paths", error)),
            }
        }
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }
}

impl DataSpec {
    /// Keys about text are left out: an arm that sets one changes nothing.
    fn synthetic(config: &SyntheticConfig) -> Self {
        Self {
            corpus: CorpusConfig::Synthetic(config.resolve()),
            tokenizer: TokenizerConfig::None {},
            vocab: config.vocab(),
            validation: None,
            packing: Packing::default(),
            train_bytes: None,
            validation_bytes: 0,
            fingerprint: config.fingerprint(),
        }
    }

    /// Batches of a file have no text either.
    fn batches(path: &str, cache: &Path) -> Result<Self> {
        let corpus = CorpusConfig::Batches { path: path.to_string() };
        let fingerprint = fingerprint::corpus(&corpus, cache)?;
        let vocab = Batches::read(Path::new(path))?.vocab();
        Ok(Self {
            corpus,
            tokenizer: TokenizerConfig::None {},
            vocab,
            validation: None,
            packing: Packing::default(),
            train_bytes: None,
            validation_bytes: 0,
            fingerprint,
        })
    }

    /// Whether there is text: something to tokenise, to evaluate, to write.
    pub fn has_text(&self) -> bool {
        !matches!(self.corpus, CorpusConfig::Synthetic(_) | CorpusConfig::Batches { .. })
    }

    /// The broken rules between the data and a model with a training context of `context` tokens that is evaluated at up to
    /// `longest` of them.
    pub fn problems(&self, context: usize, longest: usize) -> Vec<Problem> {
        match &self.corpus {
            CorpusConfig::Synthetic(synthetic) => synthetic.problems(context, longest),
            _ => vec![],
        }
    }

    /// Whether there is no text.
    pub fn is_synthetic(&self) -> bool {
        matches!(self.corpus, CorpusConfig::Synthetic(_))
    }

    /// Whether a whole sequence is asked of its last position.
    pub fn is_compression(&self) -> bool {
        matches!(&self.corpus, CorpusConfig::Synthetic(SyntheticConfig { task: TaskConfig::Compression(_), .. }))
    }

    /// SHA-256 of the corpus and of the tokenizer file as they are on disk.
    pub(super) fn corpus_and_tokenizer_fingerprint(&self, cache: &Path) -> Result<String> {
        let mut corpus = fingerprint::corpus(&self.corpus, cache)?;
        if let Some(validation) = &self.validation {
            corpus = super::cache::hex(&Sha256::digest(format!("{corpus} {}", fingerprint::corpus(validation, cache)?)));
        }
        Ok(match fingerprint::tokenizer(&self.tokenizer, cache)? {
            None => corpus,
            Some(tokenizer) => super::cache::hex(&Sha256::digest(format!("{corpus} {tokenizer}"))),
        })
    }
}

impl CorpusConfig {
    fn absolute(&self) -> Self {
        let all = |paths: &[String]| paths.iter().map(|path| absolute(path)).collect();
        match self {
            Self::Text { paths } => Self::Text { paths: all(paths) },
            Self::Jsonl { paths, field } => Self::Jsonl { paths: all(paths), field: field.clone() },
            Self::Shards { paths, held_out, opening } => Self::Shards { paths: all(paths), held_out: all(held_out), opening: *opening },
            Self::Mixture(mixture) => {
                let mut mixture = mixture.clone();
                mixture.sources.values_mut().for_each(|source| source.corpus = source.corpus.absolute());
                Self::Mixture(mixture)
            }
            Self::Recipe { path, without, steps } => Self::Recipe { path: absolute(path), without: without.clone(), steps: steps.clone() },
            Self::Batches { path } => Self::Batches { path: absolute(path) },
            Self::Crates { .. } | Self::Synthetic(_) => self.clone(),
        }
    }

    /// The sources by name; of what is no mixture itself, without a name.
    pub(super) fn parts(&self) -> Vec<(&str, &Self)> {
        match self {
            Self::Mixture(mixture) => mixture.sources.iter().map(|(name, source)| (name.as_str(), &source.corpus)).collect(),
            other => vec![("", other)],
        }
    }

    /// Broken rules, of text; `key` is where it is written.
    fn problems(&self, key: &str) -> Vec<Problem> {
        let none = |name: &str| Problem::new(format!("{key}.{name}"), "names no file").help("name files, globs or folders");
        match self {
            Self::Text { paths } | Self::Jsonl { paths, .. } if paths.is_empty() => vec![none("paths")],
            Self::Shards { paths, .. } if paths.is_empty() => vec![none("paths")],
            Self::Shards { held_out, .. } if held_out.is_empty() => vec![none("held_out")],
            Self::Mixture(_) if key != "data.corpus" => {
                vec![Problem::new(format!("{key}.kind"), "is a mixture, and text that is held out has no shares").help("name one corpus")]
            }
            Self::Mixture(mixture) => mixture.problems(),
            Self::Synthetic(_) | Self::Batches { .. } if key != "data.corpus" => {
                vec![Problem::new(format!("{key}.kind"), "is no text").help("name text, jsonl, crates or shards")]
            }
            _ => vec![],
        }
    }
}

impl TokenizerConfig {
    fn absolute(&self) -> Self {
        match self {
            Self::File { path } => Self::File { path: absolute(path) },
            other => other.clone(),
        }
    }
}

fn absolute(path: &str) -> String {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)).to_string_lossy().into_owned()
}

/// An error about a file as a problem of the key that names the file.
fn problem(key: &str, error: Error) -> Problem {
    match error {
        Error::Input { subject, message, help } => Problem::new(key, format!("{subject}: {message}")).help(help),
        other => Problem::new(key, other.to_string()).help("check the path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(toml: &str) -> String {
        let config: DataConfig = toml::from_str(toml).unwrap();
        let folder = tempfile::tempdir().unwrap();
        config.resolve_in(folder.path()).unwrap_err().iter().map(|p| format!("{}: {}\n", p.key, p.message)).collect()
    }

    #[test]
    fn the_default_resolves_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let start = std::time::Instant::now();
        let spec = DataConfig::default().resolve_in(folder.path()).unwrap();
        assert!(start.elapsed().as_millis() < 100, "{:?}", start.elapsed());
        assert_eq!((spec.vocab, spec.validation_bytes, spec.fingerprint.len()), (4096, 262_144, 64));
    }

    #[test]
    fn problems_name_their_key() {
        assert!(problems("tokenizer = { kind = \"bpe\", vocab = 259 }").starts_with("data.tokenizer.vocab: 259"));
        assert!(problems("corpus = { kind = \"text\", paths = [] }").starts_with("data.corpus.paths: "));
        assert!(problems("corpus = { kind = \"text\", paths = [\"none/here\"] }").contains("no such file"));
        assert!(problems("tokenizer = { kind = \"file\", path = \"none.json\" }").starts_with("data.tokenizer.path: "));
        assert!(problems("validation_bytes = 0").starts_with("data.validation_bytes: "));
    }
}
