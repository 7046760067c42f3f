//! Byte-pair encoding with LLaMA's layout: merges inside words, words looked up once seen.
//!
//! The encoder gives the ids that the `tokenizers` library gives for the file that is written, many times faster because words
//! repeat, and is lossless for U+2581, which that library takes for a space.

use super::{
    hash::Map,
    json::{self, Model},
    merges::Merges,
    pieces::{FIRST_PIECE, Pieces, UNKNOWN, strip_prefix},
    seen::Seen,
    words::Cutting,
};
use crate::settings::Result;
use serde_json::Value;
use std::path::Path;

/// Vocabulary and merges.
#[derive(Clone, Debug)]
pub(super) struct Bpe {
    pieces: Pieces,
    cutting: Cutting,
    ascii: [u32; 128],
    characters: Map<u32, u32>,
    merges: Merges,
    /// The two ids of each merge by rank.
    ranked: Vec<(u32, u32)>,
}

impl Bpe {
    /// A tokenizer of pieces, spaces written as spaces, and of merges of two pieces by rank.
    ///
    /// Returns none if a merge joins or makes a piece that is not there.
    pub(super) fn new(texts: Vec<Box<str>>, merges: &[(String, String)], cutting: Cutting) -> Option<Self> {
        let ids: Map<&str, u32> = texts.iter().enumerate().map(|(i, text)| (&**text, (FIRST_PIECE + i) as u32)).collect();
        let (mut ascii, mut characters) = ([UNKNOWN; 128], Map::default());
        for (text, &id) in &ids {
            let mut chars = text.chars();
            if let (Some(c), None) = (chars.next(), chars.next()) {
                match ascii.get_mut(c as usize) {
                    Some(place) => *place = id,
                    None => _ = characters.insert(c as u32, id),
                }
            }
        }
        let mut table = Merges::default();
        let mut ranked = Vec::with_capacity(merges.len());
        for (rank, (left, right)) in merges.iter().enumerate() {
            let merged = *ids.get(format!("{left}{right}").as_str())?;
            let (left, right) = (*ids.get(left.as_str())?, *ids.get(right.as_str())?);
            table.add(left, right, rank as u32, merged);
            ranked.push((left, right));
        }
        Some(Self { pieces: Pieces::new(texts), cutting, ascii, characters, merges: table, ranked })
    }

    pub(super) fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    pub(super) fn cutting(&self) -> Cutting {
        self.cutting
    }

    /// Ids of a text: that of a space and the text, as SentencePiece's dummy prefix has it; none for no text.
    pub(super) fn encode(&self, text: &str, seen: &mut Seen, ids: &mut Vec<u32>) {
        let before = ids.len();
        self.cutting.split_prefixed(text, |word| seen.append(word.as_bytes(), ids, |ids| self.word(word, ids)));
        if !self.cutting.bytes {
            fuse_unknown(ids, before);
        }
    }

    fn word(&self, word: &str, ids: &mut Vec<u32>) {
        let from = ids.len();
        for c in word.chars() {
            let id = match self.ascii.get(c as usize) {
                Some(&id) => id,
                None => self.characters.get(&(c as u32)).copied().unwrap_or(UNKNOWN),
            };
            if id == UNKNOWN && self.cutting.bytes {
                Pieces::spell(c.encode_utf8(&mut [0; 4]).as_bytes(), ids);
            } else {
                ids.push(id);
            }
        }
        self.merges.merge(ids, from);
    }

    /// Bytes of ids; the space in front of each document, which encoding added, is taken away again.
    pub(super) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        strip_prefix(&self.pieces, ids, self.cutting.prefix)
    }

    /// This tokenizer in the format of the `tokenizers` library, laid out as LLaMA's.
    pub(super) fn to_json(&self) -> String {
        let text = |id: u32| &*self.pieces.texts()[id as usize - FIRST_PIECE];
        let merges: Vec<[&str; 2]> = self.ranked.iter().map(|&(left, right)| [text(left), text(right)]).collect();
        json::spaced(self.pieces.texts(), &Model::Bpe(&merges), &self.cutting)
    }

    /// Reads what [`Bpe::to_json`] wrote.
    pub(super) fn read(path: &Path, cutting: Cutting) -> Result<Self> {
        let value = json::read(path)?;
        Self::from_json(&value, cutting).ok_or_else(|| json::foreign(path))
    }

    fn from_json(value: &Value, cutting: Cutting) -> Option<Self> {
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
        if dense { Self::new(texts.into_iter().map(|(_, text)| text).collect(), &merges?, cutting) } else { None }
    }
}

/// Neighbouring unknown ids from `from` on become one.
fn fuse_unknown(ids: &mut Vec<u32>, from: usize) {
    let mut kept = from;
    for at in from..ids.len() {
        if !(ids[at] == UNKNOWN && kept > from && ids[kept - 1] == UNKNOWN) {
            ids[kept] = ids[at];
            kept += 1;
        }
    }
    ids.truncate(kept);
}

/// The two texts of a merge in a `tokenizer.json`, spaces as spaces.
fn merge_of(value: &Value) -> Option<(String, String)> {
    let [left, right] = value.as_array()?.as_slice() else { return None };
    Some((left.as_str()?.replace('▁', " "), right.as_str()?.replace('▁', " ")))
}
