//! Words and their numbers.

use super::prefetch::prefetch;
use xxhash_rust::xxh3::xxh3_64;

/// Number of `<unk>`.
pub(super) const UNKNOWN: u32 = 0;
/// Number of `<s>`.
pub(super) const BEGIN: u32 = 1;
/// Number of `</s>`.
pub(super) const END: u32 = 2;

/// A place of the table: a word's hash, and its number.
#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    id: u32,
}

const EMPTY: Slot = Slot { hash: 0, id: u32::MAX };

/// Words numbered in the order in which they came, the three special ones first, as in `lmplz`. As there, words with the same
/// hash of 64 bits are one word: among a million that has a chance of 1 to 37 million, and spares two look-ups of three.
pub(super) struct Vocabulary {
    text: String,
    ends: Vec<usize>,
    slots: Vec<Slot>,
}

impl Vocabulary {
    /// The special words alone.
    pub(super) fn new() -> Self {
        let mut new = Self::empty();
        for word in ["<unk>", "<s>", "</s>"] {
            new.add(word);
        }
        new
    }

    /// No word at all.
    pub(super) fn empty() -> Self {
        Self { text: String::new(), ends: vec![], slots: vec![EMPTY; 1024] }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The word of a number below [`Vocabulary::len`].
    pub(super) fn word(&self, id: u32) -> &str {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.text[start..self.ends[id]]
    }

    /// All words, one behind the other, and where each ends.
    pub(super) fn parts(&self) -> (&str, &[usize]) {
        (&self.text, &self.ends)
    }

    pub(super) fn find(&self, word: &str) -> Option<u32> {
        self.with_hash(self.hash(word))
    }

    /// By which a word is found.
    pub(super) fn hash(&self, word: &str) -> u64 {
        xxh3_64(word.as_bytes())
    }

    /// The number of the word with a hash.
    pub(super) fn with_hash(&self, hash: u64) -> Option<u32> {
        self.place(hash).ok()
    }

    /// Has memory on its way that finding a hash will read.
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch(&self.slots[hash as usize & (self.slots.len() - 1)]);
    }

    /// The number of a word, a new one if it has none.
    pub(super) fn add(&mut self, word: &str) -> u32 {
        let hash = xxh3_64(word.as_bytes());
        match self.place(hash) {
            Ok(id) => id,
            Err(place) => {
                let id = self.ends.len() as u32;
                self.text.push_str(word);
                self.ends.push(self.text.len());
                self.slots[place] = Slot { hash, id };
                if self.ends.len() * 2 > self.slots.len() {
                    self.grow();
                }
                id
            }
        }
    }

    /// The number of a word, or the empty place where it belongs.
    fn place(&self, hash: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let slot = self.slots[place];
            if slot.id == EMPTY.id {
                return Err(place);
            }
            if slot.hash == hash {
                return Ok(slot.id);
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mut slots = vec![EMPTY; self.slots.len() * 2];
        let mask = slots.len() - 1;
        for slot in self.slots.iter().filter(|slot| slot.id != EMPTY.id) {
            let mut place = slot.hash as usize & mask;
            while slots[place].id != EMPTY.id {
                place = (place + 1) & mask;
            }
            slots[place] = *slot;
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_numbers_while_the_table_grows() {
        let mut words = Vocabulary::new();
        assert_eq!((words.find("<unk>"), words.find("<s>"), words.find("</s>")), (Some(UNKNOWN), Some(BEGIN), Some(END)));
        let ids: Vec<u32> = (0..5000).map(|word| words.add(&format!("w{word}"))).collect();
        assert_eq!(ids, (3..5003).collect::<Vec<_>>());
        assert!((0..5000).all(|word| words.add(&format!("w{word}")) == word + 3 && words.word(word + 3) == format!("w{word}")));
        assert_eq!((words.find("w5000"), words.find(""), words.len()), (None, None, 5003));
    }
}
