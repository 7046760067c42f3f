//! Exceptions: `lang/tokenizer_exceptions.py` and `lang/en/tokenizer_exceptions.py`, which generate them in the same way.

use super::{
    Pieces,
    lists::{CONTRACTED, EMOTICONS, NOT_CONTRACTED, SPLIT, WHOLE},
};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

/// How one exception is split.
#[derive(Debug)]
pub(super) struct Exception {
    /// Bytes of its tokens.
    parts: Vec<u8>,
    /// Bytes of the tokens that the affixes alone would give; empty if these find nothing in it.
    pattern: Vec<u8>,
}

impl Exception {
    /// The tokens in a text that is the exception.
    pub(super) fn parts<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> + use<'a, '_> {
        let mut at = 0;
        self.parts.iter().map(move |&length| {
            at += usize::from(length);
            &text[at - usize::from(length)..at]
        })
    }
}

/// FNV-1a: keys are a few bytes long.
#[derive(Default)]
pub(super) struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// Bytes of the longest exception.
pub(super) const LONGEST: usize = 32;

pub(super) struct Exceptions {
    rules: HashMap<Box<str>, Exception, BuildHasherDefault<Fnv>>,
    /// By first byte, a bit for each length in bytes that there is.
    lengths: [u32; 256],
}

impl Exceptions {
    pub(super) fn get(&self, text: &str) -> Option<&Exception> {
        let first = *text.as_bytes().first()?;
        let there = text.len() < LONGEST && self.lengths[usize::from(first)] >> text.len() & 1 == 1;
        if there { self.rules.get(text) } else { None }
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.rules.iter().map(|(key, exception)| (&**key, exception.parts(key).collect()))
    }

    fn build(rules: HashMap<String, Vec<String>>) -> Self {
        let mut built = Self { rules: HashMap::default(), lengths: [0; 256] };
        for (key, parts) in rules {
            let mut pieces = Pieces::default();
            pieces.affixes(&key, None);
            let found = pieces.out.len() > 1;
            let lengths = |parts: &[&str]| parts.iter().map(|part| part.len() as u8).collect::<Vec<_>>();
            let pattern = if found { lengths(&pieces.out) } else { vec![] };
            built.lengths[usize::from(key.as_bytes()[0])] |= 1 << key.len();
            let parts = lengths(&parts.iter().map(String::as_str).collect::<Vec<_>>());
            built.rules.insert(key.into(), Exception { parts, pattern });
        }
        built
    }
}

/// Makes exceptions whole again that affixes have split: the longest first, then the first.
pub(super) fn join<'a>(tokens: &mut Vec<&'a str>, chunk: &'a str, exceptions: &Exceptions) {
    let mut found: Vec<(usize, usize, &Exception)> = vec![];
    let mut start = 0;
    for first in 0..tokens.len() {
        let mut end = start + tokens[first].len();
        for last in first + 1..tokens.len() {
            end += tokens[last].len();
            if end - start >= LONGEST {
                break;
            }
            let Some(exception) = exceptions.get(&chunk[start..end]) else { continue };
            let lengths = tokens[first..=last].iter().map(|token| token.len());
            if lengths.eq(exception.pattern.iter().map(|&length| usize::from(length))) {
                found.push((first, last + 1, exception));
            }
        }
        start += tokens[first].len();
    }
    if found.is_empty() {
        return;
    }
    found.sort_by_key(|&(first, end, _)| (usize::MAX - (end - first), first));
    let mut seen = HashSet::new();
    found.retain(|&(first, end, _)| {
        let free = !seen.contains(&first) && !seen.contains(&(end - 1));
        seen.extend(first..end);
        free
    });
    found.sort_by_key(|&(first, ..)| first);
    let (mut joined, mut at, mut byte) = (Vec::with_capacity(tokens.len()), 0, 0);
    for (first, end, exception) in found {
        let length = |tokens: &[&str]| tokens.iter().map(|token| token.len()).sum::<usize>();
        joined.extend_from_slice(&tokens[at..first]);
        let start = byte + length(&tokens[at..first]);
        byte = start + length(&tokens[first..end]);
        joined.extend(exception.parts(&chunk[start..byte]));
        at = end;
    }
    joined.extend_from_slice(&tokens[at..]);
    *tokens = joined;
}

/// The exceptions of English.
pub(super) static ENGLISH: LazyLock<Exceptions> = LazyLock::new(|| {
    let mut rules = HashMap::new();
    let mut add = |parts: &[&str]| drop(rules.insert(parts.concat(), parts.iter().map(|part| part.to_string()).collect::<Vec<_>>()));
    WHOLE.split_ascii_whitespace().chain(EMOTICONS.split_ascii_whitespace()).for_each(|text| add(&[text]));
    ('a'..='z').chain(['ä', 'ö', 'ü']).for_each(|letter| add(&[&format!("{letter}.")]));
    ["c", "f", "k", "C", "F", "K"].iter().for_each(|unit| add(&["°", unit, "."]));
    for hour in 1..=12 {
        ["a.m.", "am", "p.m.", "pm"].iter().for_each(|period| add(&[&hour.to_string(), period]));
    }
    SPLIT.split_ascii_whitespace().for_each(|text| add(&text.split('|').collect::<Vec<_>>()));
    for (words, endings) in CONTRACTED {
        for word in words.split(' ') {
            for word in [word.to_string(), title(word)] {
                for ending in endings.split(' ') {
                    let parts: Vec<_> = std::iter::once(word.as_str()).chain(ending.split('|')).collect();
                    add(&parts);
                    // Each is also known without its first apostrophe, or without all.
                    let plain: Vec<_> = parts.iter().map(|part| part.replace('\'', "")).collect();
                    add(&plain.iter().map(String::as_str).collect::<Vec<_>>());
                }
            }
        }
    }
    NOT_CONTRACTED.split(' ').for_each(|text| drop(rules.remove(text)));
    // All with an apostrophe are known with the typographic one too.
    let curled: Vec<_> = rules.iter().filter(|(key, _)| key.contains('\'')).map(|(key, parts)| curled(key, parts)).collect();
    rules.extend(curled);
    Exceptions::build(rules)
});

fn curled(key: &str, parts: &[String]) -> (String, Vec<String>) {
    (key.replace('\'', "’"), parts.iter().map(|part| part.replace('\'', "’")).collect())
}

fn title(word: &str) -> String {
    word[..1].to_ascii_uppercase() + &word[1..]
}
