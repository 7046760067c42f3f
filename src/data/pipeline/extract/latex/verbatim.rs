//! What is verbatim in LaTeX.

use super::{super::super::extract::find::Next, tokens::argument};
use memchr::memchr2;

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
