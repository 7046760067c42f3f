//! The common layout of our own tokenizers, and the tokenizer of characters.

use super::hash::Map;

/// Special tokens in the order of their ids.
pub(super) const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];
/// `<unk>`.
pub(super) const UNKNOWN: u32 = 0;
/// `<s>`.
pub(super) const BOS: u32 = 1;
/// Id of the byte 0.
pub(super) const FIRST_BYTE: u32 = 3;
/// Id of the first piece: behind three special tokens and 256 bytes.
pub(in crate::data) const FIRST_PIECE: usize = 259;

/// The id of a special token.
pub(super) fn special(name: &str) -> Option<u32> {
    SPECIAL.iter().position(|other| *other == name).map(|id| id as u32)
}

/// Whether a text is the name of a special token or of a byte, which no piece may be.
pub(super) fn reserved(text: &str) -> bool {
    special(text).is_some() || (text.len() == 6 && text.starts_with("<0x") && text.ends_with('>'))
}

/// Texts of the ids from [`FIRST_PIECE`] on.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    texts: Vec<Box<str>>,
}

impl Pieces {
    pub(super) fn new(texts: Vec<Box<str>>) -> Self {
        Self { texts }
    }

    pub(super) fn vocab(&self) -> usize {
        FIRST_PIECE + self.texts.len()
    }

    pub(super) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// The byte tokens of some bytes.
    pub(super) fn spell(bytes: &[u8], ids: &mut Vec<u32>) {
        ids.extend(bytes.iter().map(|&byte| FIRST_BYTE + u32::from(byte)));
    }

    /// The bytes behind an id; none for special tokens and ids beyond the vocabulary.
    pub(super) fn append(&self, id: u32, out: &mut Vec<u8>) {
        match id as usize {
            0..3 => {}
            byte if byte < FIRST_PIECE => out.push((id - FIRST_BYTE) as u8),
            piece => out.extend(self.texts.get(piece - FIRST_PIECE).map_or(&[][..], |text| text.as_bytes())),
        }
    }

    pub(super) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(ids.len());
        ids.iter().for_each(|&id| self.append(id, &mut out));
        out
    }
}

/// Bytes of ids, without the space that encoding put in front of each document if `prefix` is set.
pub(super) fn strip_prefix(pieces: &Pieces, ids: &[u32], prefix: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * ids.len());
    let mut opening = true;
    for &id in ids {
        let before = out.len();
        pieces.append(id, &mut out);
        // A byte token spells what was in the text: only a piece can hold the added space.
        if prefix && opening && id as usize >= FIRST_PIECE && out.get(before) == Some(&b' ') {
            out.remove(before);
        }
        opening = id < 3;
    }
    out
}

/// One token per character of an alphabet, bytes for all others.
#[derive(Clone, Debug)]
pub(super) struct Characters {
    ids: Map<u32, u32>,
    pieces: Pieces,
}

impl Characters {
    pub(super) fn new(alphabet: impl Iterator<Item = char>) -> Self {
        let texts: Vec<Box<str>> = alphabet.map(|c| c.to_string().into()).collect();
        let ids = texts.iter().enumerate().filter_map(|(i, text)| Some((text.chars().next()? as u32, (FIRST_PIECE + i) as u32))).collect();
        Self { ids, pieces: Pieces::new(texts) }
    }

    pub(super) fn alphabet(&self) -> String {
        self.pieces.texts().concat()
    }

    pub(super) fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        for c in text.chars() {
            match self.ids.get(&(c as u32)) {
                Some(&id) => ids.push(id),
                None => Pieces::spell(c.encode_utf8(&mut [0; 4]).as_bytes(), ids),
            }
        }
    }
}
