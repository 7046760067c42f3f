//! Several tokenizers on the same texts.

use super::Tokenizer;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a tokenizer makes of some texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What the tokenizer was called.
    pub name: String,
    /// What it is, see [`Tokenizer::kind`].
    pub kind: String,
    /// Ids that it has.
    pub vocab: usize,
    /// All texts together.
    pub all: SourceMeasure,
    /// Ids that occur in the texts.
    pub used: usize,
    /// Share of the vocabulary that occurs in the texts.
    pub used_share: f64,
    /// Ids that occur once.
    pub once: usize,
    /// The same for each source or language, by its name.
    pub sources: BTreeMap<String, SourceMeasure>,
    /// What the tokens are made of: `letters`, `digits`, `marks` (punctuation and signs, most of it code), `spaces`, and
    /// `bytes` (of what has no piece).
    pub classes: BTreeMap<String, ClassMeasure>,
}

/// Sizes of texts, and what they come to in tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceMeasure {
    /// Texts.
    pub texts: u64,
    /// Bytes of UTF-8.
    pub bytes: u64,
    /// Characters.
    pub characters: u64,
    /// Stretches between white space.
    pub words: u64,
    /// Tokens, without those that open texts.
    pub tokens: u64,
    /// Tokens that spell a byte of what has no piece, or are no whole characters.
    pub fallback: u64,
    /// Compression.
    pub bytes_per_token: f64,
    /// Fertility; means little in languages that put no spaces between words.
    pub tokens_per_word: f64,
    /// The same for languages without spaces.
    pub characters_per_token: f64,
    /// Share of the tokens that are [`SourceMeasure::fallback`].
    pub fallback_share: f64,
    /// Share of the texts that decode to what they were.
    pub exact_share: f64,
    exact: u64,
}

/// Tokens of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassMeasure {
    /// Tokens.
    pub tokens: u64,
    /// Bytes that they stand for.
    pub bytes: u64,
    /// Compression of this class.
    pub bytes_per_token: f64,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl SourceMeasure {
    fn add(&mut self, other: &Self) {
        self.texts += other.texts;
        self.bytes += other.bytes;
        self.characters += other.characters;
        self.words += other.words;
        self.tokens += other.tokens;
        self.fallback += other.fallback;
        self.exact += other.exact;
    }

    fn finish(&mut self) {
        self.bytes_per_token = share(self.bytes, self.tokens);
        self.tokens_per_word = share(self.tokens, self.words);
        self.characters_per_token = share(self.characters, self.tokens);
        self.fallback_share = share(self.fallback, self.tokens);
        self.exact_share = share(self.exact, self.texts);
    }
}

/// The class of a token: that of its first character behind spaces.
fn class(token: &[u8], fallback: bool) -> &'static str {
    let text = std::str::from_utf8(token).unwrap_or_default();
    match text.trim_start().chars().next() {
        _ if fallback => "bytes",
        None => "spaces",
        Some(c) if c.is_numeric() => "digits",
        Some(c) if c.is_alphabetic() => "letters",
        Some(_) => "marks",
    }
}

/// Measures of tokenizers, each with a name, on texts, each with the name of its source or language. Numbers do not depend on
/// the number of threads.
pub fn compare<T: AsRef<str> + Sync>(tokenizers: &[(String, Tokenizer)], texts: &[(String, T)]) -> Vec<Measure> {
    tokenizers.iter().map(|(name, tokenizer)| measure(name, tokenizer, texts)).collect()
}

fn measure<T: AsRef<str> + Sync>(name: &str, tokenizer: &Tokenizer, texts: &[(String, T)]) -> Measure {
    let vocab = tokenizer.vocab();
    let mut measure = Measure { name: name.into(), kind: tokenizer.kind().into(), vocab, ..Measure::default() };
    let fallback: Vec<bool> = (0..vocab as u32).map(|id| tokenizer.is_fallback(id)).collect();
    let mut counts = vec![0_u64; vocab];
    // In portions, so that the ids of all texts are never there at once.
    for texts in texts.chunks(1024) {
        let plain: Vec<&str> = texts.iter().map(|(_, text)| text.as_ref()).collect();
        let encoded = tokenizer.encode_many(&plain);
        let one = |(text, ids): (&&str, &Vec<u32>)| SourceMeasure {
            texts: 1,
            bytes: text.len() as u64,
            characters: text.chars().count() as u64,
            words: text.split_whitespace().count() as u64,
            tokens: ids.len() as u64,
            fallback: ids.iter().filter(|id| fallback.get(**id as usize) == Some(&true)).count() as u64,
            exact: u64::from(tokenizer.decode_bytes(ids) == text.as_bytes()),
            ..SourceMeasure::default()
        };
        let ones: Vec<SourceMeasure> = plain.par_iter().zip(&encoded).map(one).collect();
        for ((source, _), one) in texts.iter().zip(&ones) {
            measure.all.add(one);
            measure.sources.entry(source.clone()).or_default().add(one);
        }
        for id in encoded.iter().flatten() {
            if let Some(count) = counts.get_mut(*id as usize) {
                *count += 1;
            }
        }
    }
    for (id, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let token = tokenizer.token_bytes(id as u32);
        let class = measure.classes.entry(class(&token, fallback[id]).to_string()).or_default();
        class.tokens += count;
        class.bytes += count * token.len() as u64;
    }
    measure.used = counts.iter().filter(|count| **count > 0).count();
    measure.once = counts.iter().filter(|count| **count == 1).count();
    measure.used_share = share(measure.used as u64, vocab as u64);
    measure.all.finish();
    measure.sources.values_mut().for_each(SourceMeasure::finish);
    measure.classes.values_mut().for_each(|class| class.bytes_per_token = share(class.bytes, class.tokens));
    measure
}

#[cfg(test)]
mod tests {
    use super::super::{ModelType, TrainerConfig};
    use super::*;

    #[test]
    fn numbers_are_those_of_hand() {
        let bytes = Tokenizer::train::<&str>(&TrainerConfig { model_type: ModelType::Bytes, ..TrainerConfig::default() }, &[]).unwrap();
        let config = TrainerConfig { vocab_size: 270, ..TrainerConfig::default() };
        let bpe = Tokenizer::train(&config, &["ab ab ab ab\n".repeat(50)]).unwrap();
        let texts = [("en".to_string(), "ab ab"), ("ru".to_string(), "я 12"), ("en".to_string(), "")];
        let measures = compare(&[("b".into(), bytes), ("p".into(), bpe)], &texts);
        let (first, second) = (&measures[0], &measures[1]);
        assert_eq!((first.all.texts, first.all.bytes, first.all.characters, first.all.words, first.all.tokens), (3, 10, 9, 4, 10));
        assert_eq!((first.used, first.once, first.all.fallback, first.all.exact_share), (7, 4, 10, 1.0), "{first:?}");
        assert_eq!(first.classes["bytes"], ClassMeasure { tokens: 10, bytes: 10, bytes_per_token: 1.0 });
        assert_eq!(
            (second.sources["en"].tokens, second.sources["en"].bytes_per_token, second.sources["en"].tokens_per_word),
            (2, 2.5, 1.0)
        );
        assert_eq!((second.classes["letters"].tokens, second.classes["letters"].bytes), (2, 6));
        // "я" and digits have no pieces: two and two bytes, between two spaces.
        assert_eq!((second.sources["ru"].fallback, second.classes["spaces"].tokens), (4, 2));
        let json = serde_json::to_string(first).unwrap();
        assert_eq!(serde_json::from_str::<Measure>(&json).unwrap(), *first);
    }
}
