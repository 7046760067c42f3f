//! The parts of LaTeX that all steps must agree on: control sequences, arguments, groups.

use super::verbatim::Verbatim;
use memchr::{memchr, memchr3};

/// Behind the control sequence at `at`, which is a backslash: all letters, or one other character.
pub(super) fn control(text: &str, at: usize) -> usize {
    let letters = text.as_bytes()[at + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if letters > 0 { at + 1 + letters } else { at + 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8) }
}

/// As [`control`], where `@` is a letter, as in the definitions of classes and packages.
pub(super) fn control_with_at(text: &str, at: usize) -> usize {
    let letters = text.as_bytes()[at + 1..].iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'@').count();
    if letters > 0 { at + 1 + letters } else { control(text, at) }
}

/// Behind blanks and line breaks.
pub(super) fn skip_blanks(text: &str, at: usize) -> usize {
    at + text.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// A short argument in braces without braces inside, at `at` or behind blanks.
pub(super) fn argument(text: &str, at: usize) -> Option<&str> {
    let at = at + text.as_bytes()[at..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = text.as_bytes().get(at..)?;
    if rest.first() != Some(&b'{') {
        return None;
    }
    let end = rest.iter().take(200).position(|byte| *byte == b'}')?;
    text.get(at + 1..at + end).filter(|argument| !argument.contains(['{', '\\']))
}

/// Behind the group that begins with the brace at `at`; none if it never ends.
pub(super) fn group(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = at;
    while let Some(offset) = memchr3(b'\\', b'{', b'}', bytes.get(at..)?) {
        let place = at + offset;
        at = place + 1;
        match bytes[place] {
            b'\\' => at = control(text, place),
            b'{' => depth += 1,
            _ if depth <= 1 => return (depth == 1).then_some(at),
            _ => depth -= 1,
        }
    }
    None
}

/// Behind the optional argument that begins with the bracket at `at`; brackets in groups do not count.
///
/// It is at most a thousand bytes long and has few brackets and groups: what is not closed does not cost more for that.
pub(super) fn brackets(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut nested) = (0usize, 0);
    let mut at = at + 1;
    let limit = at + 1000;
    while let Some(byte) = bytes.get(at).filter(|_| at < limit && nested < 16) {
        match byte {
            b'\\' => {
                at = control(text, at);
                continue;
            }
            b'{' => {
                depth += 1;
                nested += 1;
            }
            b'}' => depth = depth.checked_sub(1)?,
            b'[' => nested += 1,
            b']' if depth == 0 => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Groups of one text, all found in one pass, so that braces that are never closed cost no more than others.
pub(super) struct Groups {
    /// Opening braces with what is behind the closing ones, in order.
    pairs: Vec<(usize, usize)>,
}

impl Groups {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut verbatim = Verbatim::default();
        let (mut open, mut pairs) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(offset) = memchr3(b'\\', b'{', b'}', &bytes[at..]) {
            let place = at + offset;
            at = place + 1;
            match bytes[place] {
                b'\\' => {
                    let end = control(text, place);
                    at = verbatim.at(text, &text[place + 1..end], end).map_or(end, |part| part.end);
                }
                b'{' => open.push(place),
                _ => {
                    if let Some(start) = open.pop() {
                        pairs.push((start, at));
                    }
                }
            }
        }
        pairs.sort_unstable();
        Self { pairs }
    }

    /// Behind the group that begins with the brace at `at`.
    pub(super) fn end(&self, at: usize) -> Option<usize> {
        let place = self.pairs.binary_search_by_key(&at, |(start, _)| *start).ok()?;
        Some(self.pairs[place].1)
    }
}

/// Whether a text ends in a control word, to which a letter would be added.
pub(super) fn ends_in_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let letters = bytes.iter().rev().take(64).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let before = &bytes[..bytes.len() - letters];
    let slashes = before.iter().rev().take(64).take_while(|byte| **byte == b'\\').count();
    letters > 0 && slashes % 2 == 1
}

/// Adds to a text; a blank keeps a control word at its end from taking letters.
pub(super) fn push(out: &mut String, text: &str) {
    if text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && ends_in_word(out) {
        out.push(' ');
    }
    out.push_str(text);
}

/// Calls `visit` with every control sequence outside of verbatim parts: its name, where it begins and ends. Stops when that is `false`.
pub(super) fn controls<'a>(text: &'a str, from: usize, mut visit: impl FnMut(&'a str, usize, usize) -> bool) {
    let mut verbatim = Verbatim::default();
    let mut at = from;
    while let Some(offset) = memchr(b'\\', &text.as_bytes()[at..]) {
        let place = at + offset;
        let end = control(text, place);
        let name = &text[place + 1..end];
        match verbatim.at(text, name, end) {
            Some(part) => at = part.end,
            None => {
                if !visit(name, place, end) {
                    return;
                }
                at = end;
            }
        }
    }
}
