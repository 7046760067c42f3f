//! Byte-pair encoding with LLaMA's layout: merges inside words, words looked up once seen.
//!
//! The `tokenizers` library trains the merges (see [`super::train`]); this encoder gives the ids that its encoder
//! gives, several times faster because words repeat, and is lossless for U+2581, which that library takes for a space.

use super::{
    hash::Map,
    json::{Words, json},
    pieces::{FIRST_PIECE, Pieces},
    words::{SPACES, split, split_scripts},
};
use crate::settings::{Error, Result};
use serde_json::Value;
use std::{cmp::Reverse, collections::BinaryHeap, path::Path};

/// Words longer than this are not remembered.
const LONGEST_REMEMBERED: usize = 64;
/// A cache of words is emptied when it holds so many.
const MOST_REMEMBERED: usize = 1 << 18;

/// Vocabulary and merges.
#[derive(Clone, Debug)]
pub(super) struct Bpe {
    pieces: Pieces,
    characters: Map<u32, u32>,
    /// Pair of ids, the left one in the upper half, to rank and merged id.
    merges: Map<u64, (u32, u32)>,
    /// The same by rank.
    ranked: Vec<(u32, u32)>,
}

/// Ids of words seen before.
#[derive(Debug, Default)]
pub(super) struct Cache {
    words: Map<Box<str>, (u32, u32)>,
    ids: Vec<u32>,
}

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

impl Bpe {
    /// A tokenizer of pieces, spaces written as spaces, and of merges of two pieces by rank.
    ///
    /// Returns none if a merge joins or makes a piece that is not there.
    pub(super) fn new(texts: Vec<Box<str>>, merges: &[(String, String)]) -> Option<Self> {
        let ids: Map<&str, u32> = texts.iter().enumerate().map(|(i, text)| (&**text, (FIRST_PIECE + i) as u32)).collect();
        let mut characters = Map::default();
        for (text, &id) in &ids {
            let mut chars = text.chars();
            if let (Some(c), None) = (chars.next(), chars.next()) {
                characters.insert(c as u32, id);
            }
        }
        let mut table = Map::default();
        let mut ranked = Vec::with_capacity(merges.len());
        for (rank, (left, right)) in merges.iter().enumerate() {
            let merged = *ids.get(format!("{left}{right}").as_str())?;
            let (left, right) = (*ids.get(left.as_str())?, *ids.get(right.as_str())?);
            table.insert(pair(left, right), (rank as u32, merged));
            ranked.push((left, right));
        }
        Some(Self { pieces: Pieces::new(texts), characters, merges: table, ranked })
    }

    pub(super) fn vocab(&self) -> usize {
        self.pieces.vocab()
    }

    /// Ids of a text: that of a space and the text, as SentencePiece's dummy prefix has it; none for no text.
    pub(super) fn encode(&self, text: &str, cache: &mut Cache, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        // Only the first line needs the space in front.
        let end = text.find('\n').unwrap_or(text.len());
        let first = format!(" {}", &text[..end]);
        split(&first, |word| self.look_up(word, cache, ids));
        split(&text[end..], |word| self.look_up(word, cache, ids));
    }

    fn look_up(&self, word: &str, cache: &mut Cache, ids: &mut Vec<u32>) {
        if let Some(&(start, end)) = cache.words.get(word) {
            ids.extend_from_slice(&cache.ids[start as usize..end as usize]);
            return;
        }
        let before = ids.len();
        split_scripts(word, |part| self.merge(part, ids));
        if word.len() <= LONGEST_REMEMBERED {
            if cache.words.len() >= MOST_REMEMBERED {
                *cache = Cache::default();
            }
            let start = cache.ids.len() as u32;
            cache.ids.extend_from_slice(&ids[before..]);
            cache.words.insert(word.into(), (start, cache.ids.len() as u32));
        }
    }

    /// Merges the pair of lowest rank, the leftmost of equals, until none is left.
    fn merge(&self, word: &str, ids: &mut Vec<u32>) {
        let mut symbols = Vec::with_capacity(word.len());
        for c in word.chars() {
            match self.characters.get(&(c as u32)) {
                Some(&id) => symbols.push(id),
                None => Pieces::spell(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut symbols),
            }
        }
        const GONE: u32 = u32::MAX;
        let count = symbols.len();
        // Positions of the symbols to the left and right that are still there; `count` is none.
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<usize> = (0..count).map(|at| at.checked_sub(1).unwrap_or(count)).collect();
        let candidate = |symbols: &[u32], left: usize, right: usize| {
            let (a, b) = (symbols[left], symbols[right]);
            self.merges.get(&pair(a, b)).map(|&(rank, merged)| Reverse((rank, left, right, a, b, merged)))
        };
        let mut queue: BinaryHeap<_> = (1..count).filter_map(|right| candidate(&symbols, right - 1, right)).collect();
        while let Some(Reverse((_, left, right, a, b, merged))) = queue.pop() {
            if symbols[left] != a || symbols[right] != b || next[left] != right {
                continue;
            }
            symbols[left] = merged;
            symbols[right] = GONE;
            next[left] = next[right];
            if next[left] < count {
                previous[next[left]] = left;
                queue.extend(candidate(&symbols, left, next[left]));
            }
            if previous[left] < count {
                queue.extend(candidate(&symbols, previous[left], left));
            }
        }
        ids.extend(symbols.into_iter().filter(|&id| id != GONE));
    }

    /// Bytes of ids; the space in front of each document, which encoding added, is taken away again.
    pub(super) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(3 * ids.len());
        let mut opening = true;
        for &id in ids {
            let before = out.len();
            self.pieces.append(id, &mut out);
            // A byte token spells what was in the text: only a piece can hold the added space.
            if opening && id as usize >= FIRST_PIECE && out.get(before) == Some(&b' ') {
                out.remove(before);
            }
            opening = id < 3;
        }
        out
    }

    /// This tokenizer in the format of the `tokenizers` library, laid out as LLaMA's.
    pub(super) fn to_json(&self) -> String {
        let text = |id: u32| &*self.pieces.texts()[id as usize - FIRST_PIECE];
        let merges: Vec<[&str; 2]> = self.ranked.iter().map(|&(left, right)| [text(left), text(right)]).collect();
        json(self.pieces.texts(), &merges, &Words::Llama(SPACES))
    }

    /// Reads what [`Bpe::to_json`] wrote.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let broken = || Error::input(path.display(), "not a tokenizer that ablate trained", "train or prepare the data again");
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        Self::from_json(&value).ok_or_else(broken)
    }

    fn from_json(value: &Value) -> Option<Self> {
        let model = value.get("model")?;
        let mut texts: Vec<(u64, Box<str>)> = Vec::new();
        for (text, id) in model.get("vocab")?.as_object()? {
            let id = id.as_u64()?;
            if id >= FIRST_PIECE as u64 {
                texts.push((id, text.replace('▁', " ").into()));
            }
        }
        texts.sort();
        let dense = texts.iter().enumerate().all(|(index, (id, _))| *id == (FIRST_PIECE + index) as u64);
        let merges: Option<Vec<(String, String)>> = model.get("merges")?.as_array()?.iter().map(merge_of).collect();
        if dense { Self::new(texts.into_iter().map(|(_, text)| text).collect(), &merges?) } else { None }
    }
}

/// The two texts of a merge in a `tokenizer.json`, spaces as spaces.
pub(super) fn merge_of(value: &Value) -> Option<(String, String)> {
    let [left, right] = value.as_array()?.as_slice() else { return None };
    Some((left.as_str()?.replace('▁', " "), right.as_str()?.replace('▁', " ")))
}
