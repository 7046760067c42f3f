//! What a `.model` file holds (google/sentencepiece@2734490 `src/sentencepiece_model.proto`).

use super::wire::Fields;

/// More bytes than any piece has: a bound on time, as a piece is cut everywhere. SentencePiece allows 512 characters.
const LONGEST: usize = 2048;
/// More pieces than any vocabulary has: a bound on memory.
const MOST: usize = 1 << 22;

/// How a piece is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Byte,
}

#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// With ▁ for a space.
    pub text: Box<str>,
    pub score: f32,
    pub kind: Kind,
}

/// How pieces are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Unigram,
    Bpe,
}

/// A model file, checked as SentencePiece checks it.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub pieces: Vec<Piece>,
    pub algorithm: Algorithm,
    pub byte_fallback: bool,
    pub suffix: bool,
    pub bos: i64,
    pub charsmap: Vec<u8>,
    pub prefix: bool,
    pub remove_extra_spaces: bool,
}

impl Model {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut model = Self {
            pieces: Vec::new(),
            algorithm: Algorithm::Unigram,
            byte_fallback: false,
            suffix: false,
            bos: 1,
            charsmap: Vec::new(),
            prefix: true,
            remove_extra_spaces: true,
        };
        for field in Fields(bytes) {
            match field? {
                (1, value) => {
                    let piece = piece(value.bytes()?).map_err(|reason| format!("piece {}: {reason}", model.pieces.len()))?;
                    model.pieces.push(piece);
                    if model.pieces.len() > MOST {
                        return Err("more pieces than any vocabulary has".into());
                    }
                }
                (2, value) => model.trainer(value.bytes()?)?,
                (3, value) => model.normalizer(value.bytes()?)?,
                _ => {}
            }
        }
        model.check()?;
        Ok(model)
    }

    fn trainer(&mut self, bytes: &[u8]) -> Result<(), String> {
        for field in Fields(bytes) {
            match field? {
                (3, value) => {
                    self.algorithm = match value.integer()? {
                        1 => Algorithm::Unigram,
                        2 => Algorithm::Bpe,
                        3 => return Err("its model type is WORD: BPE and UNIGRAM are supported".into()),
                        4 => return Err("its model type is CHAR: BPE and UNIGRAM are supported".into()),
                        other => return Err(format!("its model type {other} is unknown")),
                    }
                }
                (24, value) => self.suffix = value.flag()?,
                (35, value) => self.byte_fallback = value.flag()?,
                (41, value) => self.bos = value.signed()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn normalizer(&mut self, bytes: &[u8]) -> Result<(), String> {
        for field in Fields(bytes) {
            match field? {
                (2, value) => self.charsmap = value.bytes()?.to_vec(),
                (3, value) => self.prefix = value.flag()?,
                (4, value) => self.remove_extra_spaces = value.flag()?,
                (5, value) if !value.flag()? => return Err("its normalizer does not write spaces as ▁, which is not supported".into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        if self.pieces.is_empty() {
            return Err("holds no pieces".into());
        }
        if self.pieces.iter().filter(|piece| piece.kind == Kind::Unknown).count() != 1 {
            return Err("one piece must be the unknown one".into());
        }
        let bytes = self.pieces.iter().filter(|piece| piece.kind == Kind::Byte).count();
        match (self.byte_fallback, bytes) {
            (true, 256) | (false, 0) => Ok(()),
            (true, other) => Err(format!("{other} byte pieces instead of 256")),
            (false, _) => Err("byte pieces without `byte_fallback`".into()),
        }
    }
}

fn piece(bytes: &[u8]) -> Result<Piece, String> {
    let mut piece = Piece { text: "".into(), score: 0.0, kind: Kind::Normal };
    for field in Fields(bytes) {
        match field? {
            (1, value) => piece.text = value.text()?.into(),
            (2, value) => piece.score = value.float()?,
            (3, value) => {
                piece.kind = match value.integer()? {
                    1 => Kind::Normal,
                    2 => Kind::Unknown,
                    3 => Kind::Control,
                    4 => Kind::UserDefined,
                    5 => return Err("its type is UNUSED, which is not supported".into()),
                    6 => Kind::Byte,
                    other => return Err(format!("its type {other} is unknown")),
                }
            }
            _ => {}
        }
    }
    match piece.text.len() {
        0 => Err("it is empty".into()),
        long if long > LONGEST => Err(format!("it has more than {LONGEST} bytes")),
        _ if piece.kind == Kind::Byte && byte(&piece.text).is_none() => Err(format!("{} is no byte", piece.text)),
        _ => Ok(piece),
    }
}

/// The byte that a piece such as `<0x0A>` names.
pub(super) fn byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}
