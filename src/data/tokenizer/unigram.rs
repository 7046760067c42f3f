//! The unigram language model of SentencePiece (Kudo 2018, "Subword regularization", 1804.10959): the cutting of a word into
//! pieces that is most probable.

use super::{
    json::{self, Model, NEVER},
    pieces::{FIRST_PIECE, Pieces, UNKNOWN, strip_prefix},
    seen::Seen,
    trie::Trie,
    words::Cutting,
};
use crate::settings::Result;
use serde_json::Value;
use std::path::Path;

/// The score of a character without a piece: the library's, see [`NEVER`].
const MISSING: f64 = NEVER - 10.0;

/// Pieces with log-probabilities.
#[derive(Clone, Debug)]
pub(super) struct Unigram {
    pieces: Pieces,
    scores: Vec<f64>,
    cutting: Cutting,
    spacing: Cutting,
    trie: Trie,
}

impl Unigram {
    /// A tokenizer of pieces, spaces written as spaces, with their scores.
    pub(super) fn new(pieces: Vec<(Box<str>, f64)>, cutting: Cutting) -> Self {
        let (texts, scores): (Vec<Box<str>>, Vec<f64>) = pieces.into_iter().unzip();
        let trie = Trie::new(texts.iter().enumerate().map(|(index, text)| (text.as_bytes(), index as u32)));
        Self { pieces: Pieces::new(texts), scores, cutting, spacing: cutting.only_spacing(), trie }
    }

    pub(super) fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    pub(super) fn cutting(&self) -> Cutting {
        self.cutting
    }

    pub(super) fn encode(&self, text: &str, seen: &mut Seen, ids: &mut Vec<u32>) {
        self.spacing.split_prefixed(text, |word| seen.append(word.as_bytes(), ids, |ids| self.word(word, ids)));
    }

    /// Viterbi's algorithm, with the library's arithmetic and its choice among equals.
    fn word(&self, word: &str, ids: &mut Vec<u32>) {
        const NOWHERE: u32 = u32::MAX;
        let bytes = word.as_bytes();
        // For every end in bytes: the best score, where its last piece starts, and which it is.
        let mut best = vec![(0.0_f64, NOWHERE, NOWHERE); bytes.len() + 1];
        let mut start = 0;
        while start < bytes.len() {
            let so_far = best[start].0;
            let width = width(bytes[start]);
            let mut single = false;
            self.trie.prefixes(&bytes[start..], |length, piece| {
                let end = &mut best[start + length];
                let score = self.scores[piece as usize] + so_far;
                if end.1 == NOWHERE || score > end.0 {
                    *end = (score, start as u32, piece);
                }
                single |= length == width;
            });
            if !single {
                let end = &mut best[start + width];
                let score = MISSING + so_far;
                if end.1 == NOWHERE || score > end.0 {
                    *end = (score, start as u32, NOWHERE);
                }
            }
            start += width;
        }
        let (before, mut end) = (ids.len(), bytes.len());
        while end > 0 {
            let (_, start, piece) = best[end];
            let start = start as usize;
            match piece {
                NOWHERE if self.cutting.bytes => {
                    ids.extend(bytes[start..end].iter().rev().map(|&byte| super::pieces::FIRST_BYTE + u32::from(byte)))
                }
                NOWHERE if ids.len() > before && ids.last() == Some(&UNKNOWN) => {}
                NOWHERE => ids.push(UNKNOWN),
                piece => ids.push(FIRST_PIECE as u32 + piece),
            }
            end = start;
        }
        ids[before..].reverse();
    }

    /// Bytes of ids; the space in front of each document, which encoding added, is taken away again.
    pub(super) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        strip_prefix(&self.pieces, ids, self.cutting.prefix)
    }

    /// This tokenizer in the format of the `tokenizers` library.
    pub(super) fn to_json(&self) -> String {
        json::spaced(self.pieces.texts(), &Model::Unigram(&self.scores), &self.cutting)
    }

    /// Reads what [`Unigram::to_json`] wrote.
    pub(super) fn read(path: &Path, cutting: Cutting) -> Result<Self> {
        let value = json::read(path)?;
        let pieces = || -> Option<Vec<(Box<str>, f64)>> {
            let vocab = value.get("model")?.get("vocab")?.as_array()?;
            let piece = |entry: &Value| {
                let [text, score] = entry.as_array()?.as_slice() else { return None };
                Some((text.as_str()?.replace('▁', " ").into(), score.as_f64()?))
            };
            vocab.get(FIRST_PIECE..)?.iter().map(piece).collect()
        };
        Ok(Self::new(pieces().ok_or_else(|| json::foreign(path))?, cutting))
    }
}

/// Bytes of the character that begins with a byte.
pub(super) fn width(byte: u8) -> usize {
    match byte {
        0..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(pieces: &[(&str, f64)], cutting: Cutting) -> Unigram {
        Unigram::new(pieces.iter().map(|(text, score)| ((*text).into(), *score)).collect(), cutting)
    }

    fn shown(model: &Unigram, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        model.encode(text, &mut Seen::default(), &mut ids);
        ids
    }

    #[test]
    fn the_most_probable_cutting_is_taken() {
        // The example of the library's documentation, and SentencePiece's own rule among equals: the first found stays.
        let cutting = Cutting { prefix: false, ..Cutting::default() };
        let pieces = [("a", 0.0), ("b", 0.0), ("c", 0.0), ("d", 0.0), ("cd", 1.0), ("ab", 2.0), ("abc", 5.0), ("abcd", 10.0)];
        let id = |index: u32| FIRST_PIECE as u32 + index;
        let model = model(&pieces, cutting);
        assert_eq!(shown(&model, "abcdacdxx"), [id(7), id(0), id(4), 3 + 120, 3 + 120]);
        assert_eq!(shown(&model, "é"), [3 + 0xC3, 3 + 0xA9]);
        assert_eq!(model.decode(&shown(&model, "abé")), "abé".as_bytes());
    }

    #[test]
    fn without_bytes_the_unknown_is_one_token() {
        let model = model(&[(" ", -2.0), ("a", -1.0)], Cutting { bytes: false, ..Cutting::default() });
        assert_eq!(shown(&model, "axyza"), [259, 260, 0, 260]);
    }
}
