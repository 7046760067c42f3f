//! The tokens of spaCy's blank English pipeline, which datatrove takes for words: `Tokenizer` of `spacy/tokenizer.pyx`,
//! `lang/en` and `lang/punctuation.py` at v3.8 (explosion/spaCy, MIT).
//!
//! White space splits a text into chunks. From a chunk prefixes and suffixes are taken as long as there are any, what is left is
//! split at infixes; exceptions (`can't`, `e.g.`, `:-)`) are whole at any step. One thing is not followed: spaCy looks for
//! exceptions whose parts stand in neighbouring chunks, replaces none of them, but lets them hide shorter ones.

mod affixes;
mod classes;
mod exceptions;
mod lists;
mod url;

use super::text::is_space;
use exceptions::Exceptions;
use std::ops::ControlFlow;

/// What takes tokens; it may stop early.
pub(super) trait Sink<'a>: FnMut(&'a str) -> ControlFlow<()> {}
impl<'a, F: FnMut(&'a str) -> ControlFlow<()>> Sink<'a> for F {}

/// Kinds of bytes: 1 for letters of ASCII, 2 for what else is visible, 4 for what may begin white space above
/// ASCII, 8 for white space of ASCII.
const KINDS: [u8; 256] = {
    let mut table = [2; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => 1,
            b' ' | b'\t'..=b'\r' | 0x1c..=0x1f => 8,
            0xC2 | 0xE1..=0xE3 => 4,
            _ => 2,
        };
        byte += 1;
    }
    table
};

/// Calls back with each token, white space included where it is more than one space between two chunks.
pub(super) fn tokens<'a>(text: &'a str, sink: &mut impl Sink<'a>) {
    let exceptions = &*exceptions::ENGLISH;
    let mut pieces = Pieces::default();
    let (mut at, bytes) = (0, text.as_bytes());
    while at < bytes.len() {
        let start = at;
        let letters = chunk(text, &mut at);
        if start < at {
            let chunk = &text[start..at];
            let flow = match simple(chunk, letters, exceptions) {
                Some(0) => sink(chunk),
                Some(mark) => [&chunk[..mark], &chunk[mark..]].into_iter().try_for_each(&mut *sink),
                None => {
                    pieces.split(chunk, exceptions);
                    pieces.out.iter().try_for_each(|piece| sink(piece))
                }
            };
            if flow.is_break() {
                return;
            }
        }
        let (space, first) = (at, start == 0 && at == 0);
        skip_space(text, &mut at);
        // One space that follows a chunk is no token; more than one, without it, are.
        let space = if !first && bytes.get(space) == Some(&b' ') { space + 1 } else { space };
        if space < at && sink(&text[space..at]).is_break() {
            return;
        }
    }
}

/// Goes to the end of what is no white space; tells how many letters of ASCII it begins with.
fn chunk(text: &str, at: &mut usize) -> usize {
    let (bytes, start) = (text.as_bytes(), *at);
    let letters = bytes[start..].iter().take_while(|&&byte| KINDS[byte as usize] == 1).count();
    *at += letters;
    while let Some(&byte) = bytes.get(*at) {
        match KINDS[byte as usize] {
            8 => break,
            4 => match text[*at..].chars().next() {
                Some(c) if !is_space(c) => *at += c.len_utf8(),
                _ => break,
            },
            _ => *at += 1,
        }
    }
    letters
}

/// Where a chunk of letters is split: 0 for nowhere, or before the mark at its end. None if that takes longer to say, as it does
/// for exceptions and all other chunks. A short cut, and no rule: chunks of letters have no affixes but at their end.
fn simple(chunk: &str, letters: usize, exceptions: &Exceptions) -> Option<usize> {
    if letters == 0 || letters + 1 < chunk.len() || exceptions.get(&chunk[..letters]).is_some() {
        return None;
    }
    match chunk.as_bytes()[letters..] {
        [] => Some(0),
        [b',' | b';' | b':' | b'!' | b'?' | b')' | b'"'] => Some(letters),
        [b'.'] if exceptions.get(chunk).is_none() && chunk.as_bytes()[letters - 1].is_ascii_lowercase() => Some(letters),
        _ => None,
    }
}

fn skip_space(text: &str, at: &mut usize) {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(*at) {
        match KINDS[byte as usize] {
            8 => *at += 1,
            4 => match text[*at..].chars().next() {
                Some(c) if is_space(c) => *at += c.len_utf8(),
                _ => break,
            },
            _ => break,
        }
    }
}

/// The tokens of a chunk, in room that is used again.
#[derive(Default)]
struct Pieces<'a> {
    out: Vec<&'a str>,
    suffixes: Vec<&'a str>,
}

impl<'a> Pieces<'a> {
    fn split(&mut self, chunk: &'a str, exceptions: &Exceptions) {
        self.out.clear();
        match exceptions.get(chunk) {
            Some(exception) => self.out.extend(exception.parts(chunk)),
            None => self.affixes(chunk, Some(exceptions)),
        }
        if self.out.len() > 1 {
            exceptions::join(&mut self.out, chunk, exceptions);
        }
    }

    /// `_split_affixes` and `_attach_tokens`.
    fn affixes(&mut self, chunk: &'a str, exceptions: Option<&Exceptions>) {
        let known = |text: &str| !text.is_empty() && exceptions.is_some_and(|exceptions| exceptions.get(text).is_some());
        self.suffixes.clear();
        let mut rest = chunk;
        let mut last = usize::MAX;
        while !rest.is_empty() && rest.len() != last && !known(rest) {
            last = rest.len();
            let prefix = affixes::prefix(rest);
            if prefix > 0 && known(&rest[prefix..]) {
                self.out.push(&rest[..prefix]);
                rest = &rest[prefix..];
                break;
            }
            let suffix = affixes::suffix(&rest[prefix..]);
            let end = rest.len() - suffix;
            if suffix > 0 && known(&rest[..end]) {
                self.suffixes.push(&rest[end..]);
                rest = &rest[..end];
                break;
            }
            if prefix > 0 {
                self.out.push(&rest[..prefix]);
            }
            if suffix > 0 {
                self.suffixes.push(&rest[end..]);
            }
            rest = &rest[prefix..end];
        }
        match exceptions.and_then(|exceptions| exceptions.get(rest)) {
            Some(exception) => self.out.extend(exception.parts(rest)),
            None if rest.is_empty() => {}
            None if url::matches(rest) => self.out.push(rest),
            None => affixes::infixes(rest, &mut self.out),
        }
        self.out.extend(self.suffixes.drain(..).rev());
    }
}

#[cfg(test)]
mod tests;
