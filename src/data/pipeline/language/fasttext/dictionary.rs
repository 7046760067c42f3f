//! Words, their hashes, and the rows that n-grams of characters and words have in common.

use super::{LABEL, kept::Kept, options::Options, source::Source};
use crate::settings::Result;

/// A place of the table.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    word: u32,
}

const EMPTY: Slot = Slot { hash: 0, word: u32::MAX };

/// Words and labels.
pub(super) struct Dictionary {
    options: Options,
    text: Vec<u8>,
    ends: Vec<usize>,
    slots: Vec<Slot>,
    labels: Vec<String>,
    counts: Vec<i64>,
    /// Of a quantised model that keeps only some n-grams: where those are.
    kept: Option<Kept>,
}

impl Dictionary {
    pub(super) fn read(source: &mut Source, options: Options) -> Result<Self> {
        let (size, words, labels) = (source.i32()?, source.i32()?, source.i32()?);
        source.i64()?;
        let kept = source.i64()?;
        if words < 0 || labels < 1 || i64::from(words) + i64::from(labels) != i64::from(size) {
            return Err(source.wrong("it has no labels, or its dictionary is damaged"));
        }
        let mut new = Self { options, text: vec![], ends: vec![], slots: vec![], labels: vec![], counts: vec![], kept: None };
        for at in 0..size {
            let name = source.name()?;
            let count = source.i64()?;
            let kind = source.bytes::<1>()?[0];
            if kind != u8::from(at >= words) {
                return Err(source.wrong("words and labels are mixed: it is damaged"));
            }
            if at < words {
                new.text.extend_from_slice(&name);
                new.ends.push(new.text.len());
            } else {
                let name = String::from_utf8_lossy(&name);
                new.labels.push(name.strip_prefix(LABEL).unwrap_or(&name).to_string());
                new.counts.push(count);
            }
        }
        if kept >= 0 {
            source.claim(kept, 0)?;
            let mut pairs = vec![];
            for _ in 0..kept {
                pairs.push((source.i32()? as u32, source.i32()? as u32));
            }
            new.kept = Some(Kept::new(&pairs));
        }
        new.slots = vec![EMPTY; (new.ends.len() * 2).next_power_of_two().max(2)];
        for word in 0..new.ends.len() {
            let hash = hash(new.word(word));
            if let Err(place) = new.place(new.word(word), hash) {
                new.slots[place] = Slot { hash, word: word as u32 };
            }
        }
        Ok(new)
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn words(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn word(&self, word: usize) -> &[u8] {
        let start = if word == 0 { 0 } else { self.ends[word - 1] };
        &self.text[start..self.ends[word]]
    }

    pub(super) fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How often each label was seen in training.
    pub(super) fn counts(&self) -> &[i64] {
        &self.counts
    }

    pub(super) fn is_pruned(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether a matrix of so many rows has one for all that can be asked for.
    pub(super) fn fits(&self, rows: usize) -> bool {
        let grams = match &self.kept {
            Some(kept) => kept.rows,
            None => self.options.buckets,
        };
        self.words() as u64 + grams <= rows as u64
    }

    pub(super) fn find(&self, token: &[u8], hash: u32) -> Option<usize> {
        self.place(token, hash).ok()
    }

    /// The number of a word, or the empty place where it belongs.
    fn place(&self, token: &[u8], hash: u32) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let slot = self.slots[place];
            if slot.word == EMPTY.word {
                return Err(place);
            }
            if slot.hash == hash && self.word(slot.word as usize) == token {
                return Ok(slot.word as usize);
            }
            place = (place + 1) & mask;
        }
    }

    /// The words of a line with their hashes, and the end of the line, which is a word. Labels among them, and what follows
    /// a `</s>`, do not count.
    pub(super) fn tokens(&self, text: &[u8], mut each: impl FnMut(&[u8], u32)) {
        let mut at = 0;
        loop {
            while at < text.len() && is_space(text[at]) {
                at += 1;
            }
            if at == text.len() {
                break;
            }
            let start = at;
            let mut hash = BASIS;
            while at < text.len() && !is_space(text[at]) {
                hash = step(hash, text[at]);
                at += 1;
            }
            let token = &text[start..at];
            if token == b"</s>" {
                break;
            }
            if !token.starts_with(LABEL.as_bytes()) {
                each(token, hash);
            }
        }
        each(b"</s>", hash(b"</s>"));
    }

    /// Rows of the character n-grams of a word (`Dictionary::computeSubwords`), which is put between `<` and `>`.
    pub(super) fn character_ngrams(&self, word: &[u8], mut each: impl FnMut(usize)) {
        let Options { least, most, .. } = self.options;
        if most == 0 || word == b"</s>" {
            return;
        }
        let size = word.len() + 2;
        let at = |place: usize| match place {
            0 => b'<',
            place if place + 1 == size => b'>',
            place => word[place - 1],
        };
        let continues = |place: usize| place < size && at(place) & 0xC0 == 0x80;
        for start in (0..size).filter(|start| !continues(*start)) {
            let (mut end, mut hash) = (start, BASIS);
            for length in 1..=most {
                if end == size {
                    break;
                }
                hash = step(hash, at(end));
                end += 1;
                while continues(end) {
                    hash = step(hash, at(end));
                    end += 1;
                }
                if length >= least && !(length == 1 && (start == 0 || end == size)) {
                    self.row(u64::from(hash), &mut each);
                }
            }
        }
    }

    /// Rows of the n-grams of two words and more (`Dictionary::addWordNgrams`).
    pub(super) fn word_ngrams(&self, hashes: &[u32], mut each: impl FnMut(usize)) {
        // C++ extends the sign.
        let wide = |hash: u32| hash as i32 as i64 as u64;
        for (start, first) in hashes.iter().enumerate() {
            let mut hash = wide(*first);
            for next in hashes[start + 1..].iter().take(self.options.word_ngrams.saturating_sub(1)) {
                hash = hash.wrapping_mul(116_049_371).wrapping_add(wide(*next));
                self.row(hash, &mut each);
            }
        }
    }

    #[inline]
    fn row(&self, hash: u64, each: &mut impl FnMut(usize)) {
        let bucket = hash % self.options.buckets;
        match &self.kept {
            None => each(self.words() + bucket as usize),
            Some(kept) => {
                if let Some(row) = kept.get(bucket as u32) {
                    each(self.words() + row as usize);
                }
            }
        }
    }
}

const BASIS: u32 = 2_166_136_261;

/// FNV-1a with signed bytes, as `Dictionary::hash` has it.
#[inline]
fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as i8 as u32).wrapping_mul(16_777_619)
}

fn hash(word: &[u8]) -> u32 {
    word.iter().fold(BASIS, |hash, byte| step(hash, *byte))
}

#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 11 | 12 | 0)
}
