//! Dotted keys: `model.norm.kind`, `arm[1].set`, `set."model.norm.kind"`.

use std::fmt;

/// One step into a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Into a table.
    Name(String),
    /// Into an array, from 0.
    Index(usize),
}

/// A path from the root of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Key(pub Vec<Segment>);

impl Key {
    /// Reads a key as this module prints it; quotes keep dots inside a name. Any text is some key.
    pub(super) fn parse(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut name = String::new();
        let mut quoted = false;
        let mut chars = text.chars().peekable();
        let mut finish = |name: &mut String| {
            if !name.is_empty() {
                segments.extend(split_index(&std::mem::take(name)));
            }
        };
        while let Some(c) = chars.next() {
            match c {
                '"' => quoted = !quoted,
                '\\' if quoted => name.extend(chars.next()),
                '.' if !quoted => finish(&mut name),
                // Marked so that brackets inside quotes stay part of the name.
                '[' if !quoted => name.push(OPEN),
                c => name.push(c),
            }
        }
        finish(&mut name);
        Self(segments)
    }

    /// This key and a name below it.
    pub(super) fn child(&self, name: &str) -> Self {
        self.with(Segment::Name(name.to_string()))
    }

    /// This key and a place in its array.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

const OPEN: char = '\u{1}';

fn split_index(text: &str) -> Vec<Segment> {
    let mut parts = text.split(OPEN);
    let mut segments = Vec::new();
    if let Some(name) = parts.next().filter(|name| !name.is_empty()) {
        segments.push(Segment::Name(name.to_string()));
    }
    for part in parts {
        match part.strip_suffix(']').and_then(|digits| digits.parse().ok()) {
            Some(index) => segments.push(Segment::Index(index)),
            None => segments.push(Segment::Name(format!("[{part}"))),
        }
    }
    segments
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Name(name) => {
                    if i > 0 {
                        write!(f, ".")?;
                    }
                    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                        write!(f, "{name}")?;
                    } else {
                        write!(f, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for text in ["model.norm.kind", "arm[1].set.\"model.norm.kind\"", "a.\"b \\\" c\"", "a[0][12].b", "\"x[1]\".y"] {
            assert_eq!(Key::parse(text).to_string(), text);
        }
        assert_eq!(Key::parse("arm[1].name").0, [Segment::Name("arm".into()), Segment::Index(1), Segment::Name("name".into())]);
    }
}
