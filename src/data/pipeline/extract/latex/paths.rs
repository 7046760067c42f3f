//! Paths inside of an archive.

use super::tokens::{argument, skip_blanks};
use memchr::memmem;

/// The path at `at`, in braces or (for plain TeX's `\input`) up to the next blank, and what is behind it.
pub(super) fn path(text: &str, at: usize, bare: bool) -> Option<(&str, usize)> {
    if let Some(path) = argument(text, at) {
        let brace = at + memmem::find(&text.as_bytes()[at..], b"}")?;
        return Some((path, brace + 1));
    }
    let start = skip_blanks(text, at);
    if !bare || start == at {
        return None;
    }
    let length =
        text.as_bytes()[start..].iter().take(200).take_while(|byte| !byte.is_ascii_whitespace() && !b"\\{}%".contains(byte)).count();
    (length > 0).then(|| (&text[start..start + length], start + length))
}

/// The folder of a file; empty at the top.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path without `.`, `..` and doubled slashes.
pub(super) fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
