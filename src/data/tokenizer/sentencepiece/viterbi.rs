//! Unigram as SentencePiece does it: Viterbi's algorithm with scores summed in 32 bits along the whole text, so that equal cuts
//! are told apart by the same rounding (`EncodeOptimized` of google/sentencepiece@2734490 `src/unigram_model.cc`). Texts of more
//! than some 9,000 tokens may differ in a few from release 0.2.3.

use super::{
    super::{trie::Trie, unigram::width},
    model::{Kind, Model},
};

/// How much worse an unknown character is than the worst piece.
const PENALTY: f32 = 10.0;

#[derive(Clone, Debug)]
pub(super) struct Viterbi {
    trie: Trie,
    /// By id; what is added for a symbol that the user defined is NaN.
    scores: Vec<f32>,
    missing: f32,
    highest: f32,
    bytes: Option<[u32; 256]>,
    unknown: u32,
}

impl Viterbi {
    pub(super) fn new(model: &Model, bytes: Option<[u32; 256]>, unknown: u32) -> Result<Self, String> {
        let found = |kind: Kind| matches!(kind, Kind::Normal | Kind::UserDefined);
        let pieces = model.pieces.iter().enumerate().filter(|(_, piece)| found(piece.kind));
        let trie = Trie::new(pieces.map(|(id, piece)| (piece.text.as_bytes(), id as u32)));
        let normal = || model.pieces.iter().filter(|piece| piece.kind == Kind::Normal).map(|piece| piece.score);
        let lowest = normal().fold(f32::MAX, f32::min);
        // The smallest positive number: that is where SentencePiece starts to look for the highest score.
        let highest = normal().fold(f32::MIN_POSITIVE, f32::max);
        let score = |piece: &super::model::Piece| if piece.kind == Kind::UserDefined { f32::NAN } else { piece.score };
        Ok(Self { trie, scores: model.pieces.iter().map(score).collect(), missing: lowest - PENALTY, highest, bytes, unknown })
    }

    /// Appends the ids of a stretch of text; `total` is the score of the text before it, and afterwards of the text up to its end.
    pub(super) fn encode(&self, text: &str, total: &mut f32, ids: &mut Vec<u32>) {
        const NOWHERE: u32 = u32::MAX;
        let bytes = text.as_bytes();
        let mut best = vec![(*total, NOWHERE, NOWHERE); bytes.len() + 1];
        let mut start = 0;
        while start < bytes.len() {
            let so_far = best[start].0;
            let width = width(bytes[start]).min(bytes.len() - start);
            let mut single = false;
            self.trie.prefixes(&bytes[start..], |length, id| {
                let end = &mut best[start + length];
                let score = self.scores[id as usize];
                // Sums with a bonus are in 64 bits until they are kept.
                let (sum, better) = if score.is_nan() {
                    let sum = f64::from(length as f32 * self.highest) - 0.1 + f64::from(so_far);
                    (sum as f32, sum > f64::from(end.0))
                } else {
                    (score + so_far, score + so_far > end.0)
                };
                if end.1 == NOWHERE || better {
                    *end = (sum, start as u32, id);
                }
                single |= length == width;
            });
            if !single {
                let end = &mut best[start + width];
                let sum = self.missing + so_far;
                if end.1 == NOWHERE || sum > end.0 {
                    *end = (sum, start as u32, NOWHERE);
                }
            }
            start += width;
        }
        *total = best[bytes.len()].0;
        let (before, mut end) = (ids.len(), bytes.len());
        while end > 0 {
            let (_, start, id) = best[end];
            match (id, &self.bytes) {
                (NOWHERE, Some(spelled)) => ids.extend(bytes[start as usize..end].iter().rev().map(|&byte| spelled[byte as usize])),
                (NOWHERE, None) => ids.push(self.unknown),
                (id, _) => ids.push(id),
            }
            end = start as usize;
        }
        ids[before..].reverse();
    }
}
