//! Training tokenizers.
//!
//! BPE follows LLaMA's trainer (SentencePiece, parsed from the released model): byte fallback, single digits, pieces
//! of at most 16 characters, character coverage 0.99995, no pieces across scripts, whitespace or lines, pieces of only
//! spaces allowed. The `tokenizers` library does the merging.

use super::{
    bpe::{Bpe, merge_of},
    hash::Map,
    pieces::{Characters, FIRST_PIECE},
    words::{split, split_scripts},
};
use crate::data::corpus::Document;
use rayon::prelude::*;
use tokenizers::models::bpe::{BPE, BpeTrainer};

/// Bytes of training text that a tokenizer is trained on: documents from the front, up to the one that reaches this.
const SAMPLE: usize = 8 << 20;
/// Longest piece, in characters.
const LONGEST: usize = 16;
/// Share of the characters of the text that have a piece of their own, if there is room.
const COVERAGE: f64 = 0.99995;

fn sample(documents: &[Document]) -> &[Document] {
    let mut sum = 0;
    let count = documents
        .iter()
        .take_while(|document| {
            let wanted = sum < SAMPLE;
            sum += document.text.len();
            wanted
        })
        .count();
    &documents[..count]
}

/// Characters of texts by falling count, equal counts by code point.
fn frequent_characters(counts: impl Iterator<Item = (char, u64)>) -> Vec<(char, u64)> {
    let mut sums: Map<u32, u64> = Map::default();
    for (c, count) in counts {
        *sums.entry(c as u32).or_default() += count;
    }
    let mut sums: Vec<(char, u64)> = sums.into_iter().filter_map(|(c, count)| Some((char::from_u32(c)?, count))).collect();
    sums.sort_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
    sums
}

/// The most frequent characters of a sample, as many as fit into `vocab` ids.
pub(super) fn characters(documents: &[Document], vocab: usize) -> Characters {
    let chars = sample(documents).iter().flat_map(|document| document.text.chars().map(|c| (c, 1)));
    let room = vocab.saturating_sub(FIRST_PIECE);
    Characters::new(frequent_characters(chars).into_iter().take(room).map(|(c, _)| c))
}

/// A BPE tokenizer of at most `vocab` ids; of fewer if the text has no more pairs that occur twice.
pub(super) fn bpe(documents: &[Document], vocab: usize) -> Bpe {
    let room = vocab.saturating_sub(FIRST_PIECE);
    let words = count_words(sample(documents));
    let chars = frequent_characters(words.iter().flat_map(|(word, count)| word.chars().map(|c| (c, *count))));
    // U+2581 stands for a space in files, and lines are trained on one by one: both are spelled in bytes.
    let chars: Vec<(char, u64)> = chars.into_iter().filter(|&(c, _)| c != '\n' && c != '▁').collect();
    let total: u64 = chars.iter().map(|(_, count)| count).sum();
    let mut covered = 0;
    // Half of the pieces at most, so that there is room for merges.
    let mut alphabet: std::collections::BTreeSet<char> = chars
        .into_iter()
        .take(room / 2)
        .take_while(|(_, count)| {
            let wanted = (covered as f64) < COVERAGE * total as f64;
            covered += count;
            wanted
        })
        .map(|(c, _)| c)
        .collect();
    // The space in front of every document must be a piece, or decoding could not tell it from one in the text.
    alphabet.insert(' ');

    // Characters without a piece break words, as their bytes take part in no merge.
    let mut known: Map<&str, u64> = Map::default();
    for (word, count) in &words {
        for part in word.split(|c| !alphabet.contains(&c)).filter(|part| !part.is_empty()) {
            *known.entry(part).or_default() += count;
        }
    }
    // The library keeps merges of merges below its limit, not at it.
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(room)
        .min_frequency(2)
        .max_token_length(Some(LONGEST + 1))
        .initial_alphabet(alphabet.iter().copied().collect())
        .build();
    let mut model = BPE::default();
    let trained = trainer.do_train(&known.into_iter().map(|(word, count)| (word.into(), count)).collect(), &mut model);
    trained.expect("training without files cannot fail");

    // The library shows its merges only in writing.
    let value = serde_json::to_value(&model).expect("plain data");
    let merges: Vec<(String, String)> = value["merges"].as_array().into_iter().flatten().filter_map(merge_of).collect();
    let mut texts: Vec<(u32, String)> = model.get_vocab().into_iter().map(|(text, id)| (id, text)).collect();
    texts.sort();
    Bpe::new(texts.into_iter().map(|(_, text)| text.into()).collect(), &merges).expect("the library's merges join its own pieces")
}

/// Words of documents, as encoding splits them, with their counts; in no order.
fn count_words(documents: &[Document]) -> Vec<(String, u64)> {
    let count = |document: &Document| {
        let mut words: Map<String, u64> = Map::default();
        let text = format!(" {}", document.text);
        split(&text, |word| {
            split_scripts(word, |part| match words.get_mut(part) {
                Some(count) => *count += 1,
                None => {
                    words.insert(part.to_string(), 1);
                }
            });
        });
        words
    };
    let add = |mut sum: Map<String, u64>, words: Map<String, u64>| {
        for (word, count) in words {
            *sum.entry(word).or_default() += count;
        }
        sum
    };
    let words = documents.par_iter().map(count).reduce(Map::default, |a, b| if a.len() < b.len() { add(b, a) } else { add(a, b) });
    words.into_iter().collect()
}
