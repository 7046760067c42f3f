//! Lines, with the white space that is due between what is visible.

use super::super::entities;

/// What is due before the next visible character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    #[default]
    Nothing,
    Space,
    Cell,
    Line,
}

/// Writes lines; white space is written when something visible follows.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) out: String,
    pub(super) due: Due,
    /// How many preformatted elements are open.
    pub(super) pre: usize,
    /// The next byte is the first in a `<pre>`.
    pub(super) pre_start: bool,
    pub(super) bullets: bool,
    /// The next visible character is the first of an item.
    pub(super) item: bool,
    pub(super) title: String,
    pub(super) title_start: Option<usize>,
}

impl Writer {
    /// Something is due before the next visible character.
    pub(super) fn due(&mut self, due: Due) {
        self.due = self.due.max(due);
    }

    /// Writes what is due.
    pub(super) fn flush(&mut self) {
        let line_start = self.out.is_empty() || self.out.ends_with('\n');
        match self.due {
            Due::Space if !line_start => self.out.push(' '),
            Due::Cell if !line_start => self.out.push('\t'),
            Due::Line => {
                self.out.truncate(self.out.trim_end().len());
                if !self.out.is_empty() {
                    self.out.push('\n');
                }
            }
            _ => {}
        }
        self.due = Due::Nothing;
        if std::mem::take(&mut self.item) && self.bullets {
            self.out.push_str("- ");
        }
    }

    /// Text whose white space counts.
    pub(super) fn preformatted(&mut self, text: &str) {
        let text = if std::mem::take(&mut self.pre_start) {
            text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text)
        } else {
            text
        };
        if text.is_empty() {
            return;
        }
        self.flush();
        let mut lines = text.split("\r\n");
        entities::decode(lines.next().unwrap_or(""), &mut self.out);
        for line in lines {
            self.out.push('\n');
            entities::decode(line, &mut self.out);
        }
    }

    /// Text whose white space is one space.
    pub(super) fn collapsed(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            // A run of bytes that are copied: single spaces inside of it too.
            let start = at;
            while let Some(byte) = bytes.get(at) {
                match CLASS[usize::from(*byte)] {
                    Class::Copied => at += 1,
                    Class::Space
                        if *byte == b' '
                            && at > start
                            && bytes.get(at + 1).is_some_and(|next| CLASS[usize::from(*next)] == Class::Copied) =>
                    {
                        at += 2;
                    }
                    Class::Latin if bytes.get(at + 1) != Some(&0xa0) => at += 1,
                    _ => break,
                }
            }
            if at > start {
                if self.due != Due::Nothing || self.item {
                    self.flush();
                }
                self.out.push_str(&text[start..at]);
            }
            match bytes.get(at) {
                None => {}
                Some(b'&') => at += self.reference(&text[at..]),
                // The no-break space.
                Some(0xc2) => {
                    self.due(Due::Space);
                    at += 2;
                }
                Some(_) => {
                    self.due(Due::Space);
                    at += 1;
                }
            }
        }
    }

    fn reference(&mut self, text: &str) -> usize {
        let (length, characters) = entities::reference(text).unwrap_or((1, [Some('&'), None]));
        for character in characters.into_iter().flatten() {
            if matches!(character, '\u{a0}' | ' ' | '\n' | '\t' | '\r') {
                self.due(Due::Space);
            } else {
                self.flush();
                self.out.push(character);
            }
        }
        length
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Copied,
    Space,
    Reference,
    /// First byte of what may be a no-break space.
    Latin,
}

static CLASS: [Class; 256] = {
    let mut class = [Class::Copied; 256];
    class[b' ' as usize] = Class::Space;
    class[b'\n' as usize] = Class::Space;
    class[b'\t' as usize] = Class::Space;
    class[b'\r' as usize] = Class::Space;
    class[0x0c] = Class::Space;
    class[b'&' as usize] = Class::Reference;
    class[0xc2] = Class::Latin;
    class
};
