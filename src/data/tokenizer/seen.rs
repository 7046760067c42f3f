//! Words seen before, with their ids: text repeats its words, so that most need no encoding.

use super::hash::Map;

/// Words longer than this are not remembered, in bytes.
const LONGEST: usize = 64;
/// All is forgotten when so many words are remembered.
const MOST: usize = 1 << 18;

/// Ids of words seen before. It only holds what encoding would give, so its history does not matter.
#[derive(Debug, Default)]
pub(super) struct Seen {
    words: Map<Box<[u8]>, (u32, u32)>,
    ids: Vec<u32>,
}

impl Seen {
    /// Appends the ids of a word, made by `make` if it is new.
    pub(super) fn append(&mut self, word: &[u8], ids: &mut Vec<u32>, make: impl FnOnce(&mut Vec<u32>)) {
        if word.len() > LONGEST {
            return make(ids);
        }
        if let Some(&(start, end)) = self.words.get(word) {
            ids.extend_from_slice(&self.ids[start as usize..end as usize]);
            return;
        }
        let before = ids.len();
        make(ids);
        if self.words.len() >= MOST {
            *self = Self::default();
        }
        let start = self.ids.len() as u32;
        self.ids.extend_from_slice(&ids[before..]);
        self.words.insert(word.into(), (start, self.ids.len() as u32));
    }
}
