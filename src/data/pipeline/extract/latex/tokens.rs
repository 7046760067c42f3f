//! The parts of LaTeX that all steps must agree on: control sequences, groups, and what is verbatim.

use super::super::find::Next;
use memchr::{memchr, memchr2, memchr3};

/// Environments whose content is not LaTeX.
const ENVIRONMENTS: [(&str, &str); 11] = [
    ("verbatim", "\\end{verbatim}"),
    ("verbatim*", "\\end{verbatim*}"),
    ("Verbatim", "\\end{Verbatim}"),
    ("BVerbatim", "\\end{BVerbatim}"),
    ("LVerbatim", "\\end{LVerbatim}"),
    ("lstlisting", "\\end{lstlisting}"),
    ("minted", "\\end{minted}"),
    ("alltt", "\\end{alltt}"),
    ("filecontents", "\\end{filecontents}"),
    ("filecontents*", "\\end{filecontents*}"),
    ("comment", "\\end{comment}"),
];

/// Finds what is verbatim in one text; asked at growing places.
#[derive(Default)]
pub(super) struct Verbatim {
    ends: Vec<(&'static str, Next<'static>)>,
}

/// A verbatim part.
pub(super) struct Part {
    /// Behind it.
    pub(super) end: usize,
    /// It is a `comment` environment.
    pub(super) comment: bool,
}

impl Verbatim {
    /// The verbatim part whose control sequence, with the name `name`, ends at `at`.
    pub(super) fn at(&mut self, text: &str, name: &str, at: usize) -> Option<Part> {
        let bytes = text.as_bytes();
        match name {
            "begin" => {
                let environment = argument(text, at)?;
                let &(known, needle) = ENVIRONMENTS.iter().find(|(known, _)| *known == environment)?;
                let index = match self.ends.iter().position(|(other, _)| *other == known) {
                    Some(index) => index,
                    None => {
                        self.ends.push((known, Next::new(needle)));
                        self.ends.len() - 1
                    }
                };
                let end = self.ends[index].1.after(text, at)? + needle.len();
                Some(Part { end, comment: known == "comment" })
            }
            "verb" | "lstinline" | "path" => {
                let mut at = at + usize::from(bytes.get(at) == Some(&b'*'));
                if name == "lstinline" && bytes.get(at) == Some(&b'[') {
                    at += memchr2(b']', b'\n', &bytes[at..]).filter(|offset| bytes[at + offset] == b']')? + 1;
                }
                let delimiter = *bytes.get(at)?;
                if delimiter.is_ascii_alphanumeric() || delimiter.is_ascii_whitespace() || !delimiter.is_ascii() {
                    return None;
                }
                let delimiter = if delimiter == b'{' { b'}' } else { delimiter };
                let offset = memchr2(delimiter, b'\n', &bytes[at + 1..]).filter(|offset| bytes[at + 1 + offset] == delimiter)?;
                Some(Part { end: at + 1 + offset + 1, comment: false })
            }
            // A percent sign in an address begins no comment.
            "url" | "nolinkurl" | "href" | "burl" => {
                let open = bytes.get(at) == Some(&b'{');
                let end = if open { line_group(bytes, at) } else { None };
                end.map(|end| Part { end, comment: false })
            }
            _ => None,
        }
    }
}

/// Behind the group at `at` if it ends in the same line; escapes do not count, as in the argument of `\url`.
fn line_group(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, byte) in bytes[at..].iter().enumerate().take(1000) {
        match byte {
            // Addresses hardly have groups; what is not closed does not cost more for that.
            b'{' if depth == 4 => return None,
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + offset + 1),
            b'}' => depth -= 1,
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

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
pub(super) fn brackets(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0usize;
    let mut at = at + 1;
    let limit = at + 1000;
    while let Some(byte) = bytes.get(at).filter(|_| at < limit) {
        match byte {
            b'\\' => {
                at = control(text, at);
                continue;
            }
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
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
