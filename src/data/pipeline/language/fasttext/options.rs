//! The head of a model file.

use super::{output::Loss, source::Source};
use crate::settings::Result;

const MAGIC: i32 = 793_712_314;
const VERSION: i32 = 12;
const SUPERVISED: i32 = 3;

/// What the file says of how it was made, as far as it matters for its use.
pub(super) struct Options {
    pub width: usize,
    pub word_ngrams: usize,
    pub loss: Loss,
    pub buckets: u64,
    /// Characters per n-gram.
    pub least: usize,
    pub most: usize,
}

impl Options {
    pub(super) fn read(source: &mut Source) -> Result<Self> {
        if source.i32()? != MAGIC {
            return Err(source.wrong("is not a fastText model"));
        }
        let version = source.i32()?;
        if version > VERSION {
            return Err(source.wrong("is a fastText model of a newer version"));
        }
        let mut numbers = [0; 12];
        for number in &mut numbers {
            *number = source.i32()?;
        }
        source.bytes::<8>()?;
        let [width, _, _, _, _, word_ngrams, loss, model, buckets, least, most, _] = numbers;
        if model != SUPERVISED {
            return Err(source.wrong("holds word vectors, no classifier"));
        }
        let most = if version == 11 { 0 } else { most };
        // Longer n-grams than these would cost time without end on a text without white space.
        let sensible = (1..1 << 16).contains(&width) && buckets >= 0 && most <= 64 && word_ngrams <= 64;
        let loss = Loss::new(loss).filter(|_| sensible && (buckets > 0 || (most <= 0 && word_ngrams <= 1)));
        let loss = loss.ok_or_else(|| source.wrong("its options are out of range: it is damaged"))?;
        let size = |number: i32| usize::try_from(number).unwrap_or(0);
        let (least, most) = (size(least).max(1), size(most));
        Ok(Self { width: width as usize, word_ngrams: size(word_ngrams), loss, buckets: buckets as u64, least, most })
    }
}
