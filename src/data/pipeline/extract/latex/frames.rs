//! Texts that are being read: the paper, and expansions inside of each other.

use super::{
    macros::Macro,
    tokens::{Groups, brackets, control, group},
    verbatim::Verbatim,
};
use std::{borrow::Cow, cell::OnceCell};

/// In texts up to this length the end of a group is searched; in longer ones all ends are found at once.
const SHORT: usize = 256;

/// One text.
pub(super) struct Frame<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) at: usize,
    pub(super) verbatim: Verbatim,
    /// Groups of a long text, once they are asked for.
    groups: OnceCell<Groups>,
}

impl<'a> Frame<'a> {
    fn new(text: Cow<'a, str>) -> Self {
        Self { text, at: 0, verbatim: Verbatim::default(), groups: OnceCell::new() }
    }

    /// Behind the group that begins with the brace at `at`.
    pub(super) fn group_end(&self, at: usize) -> Option<usize> {
        if self.text.len() <= SHORT { group(&self.text, at) } else { self.groups.get_or_init(|| Groups::of(&self.text)).end(at) }
    }

    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}

/// The texts, the innermost last.
pub(super) struct Frames<'a>(Vec<Frame<'a>>);

impl<'a> Frames<'a> {
    /// Begins with the paper.
    pub(super) fn of(text: &'a str) -> Self {
        Self(vec![Frame::new(Cow::Borrowed(text))])
    }

    /// How many there are.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    pub(super) fn last(&self) -> Option<&Frame<'a>> {
        self.0.last()
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Frame<'a>> {
        self.0.last_mut()
    }

    pub(super) fn push(&mut self, text: String) {
        self.0.push(Frame::new(Cow::Owned(text)));
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// The byte that is read next; none at the end of a text.
    pub(super) fn next(&self) -> Option<u8> {
        self.0.last().and_then(|frame| frame.byte(frame.at))
    }

    /// Behind a macro without arguments, whose name is a word: skips blanks, or an empty group that only ends the name. Whether `\xspace`
    /// gives a space here.
    pub(super) fn skip_behind_name(&mut self) -> bool {
        let Some(frame) = self.0.last_mut() else { return false };
        let bytes = frame.text.as_bytes();
        let blanks = |at: usize| bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        if bytes[frame.at..].starts_with(b"{}") {
            frame.at += 2;
            return false;
        }
        let mut at = frame.at + blanks(frame.at);
        if bytes.get(at) == Some(&b'\n') {
            let next = at + 1 + blanks(at + 1);
            // An empty line ends the paragraph.
            if matches!(bytes.get(next), None | Some(b'\n')) {
                frame.at = at;
                return false;
            }
            at = next;
        }
        frame.at = at;
        // The exceptions of the package xspace.
        bytes.get(at).is_some_and(|next| !b"{}~.!,:;?/')-".contains(next) && !bytes[at..].starts_with(b"\\ "))
    }

    /// Reads the arguments of a macro; where one is missing, what was read.
    pub(super) fn arguments(&mut self, value: &Macro) -> Result<Vec<String>, String> {
        let mut arguments = Vec::with_capacity(value.parameters);
        let mut read = String::new();
        for index in 0..value.parameters {
            // An expansion that ends in a macro leaves its arguments to the text around.
            while self.0.len() > 1 && self.0.last().is_some_and(|frame| frame.text[frame.at..].trim_start().is_empty()) {
                self.0.pop();
            }
            let Some(frame) = self.0.last_mut() else { return Err(read) };
            let start = frame.at;
            let at = start + frame.text.as_bytes()[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if index == 0
                && let Some(default) = &value.default
            {
                let end = if frame.byte(at) == Some(b'[') { brackets(&frame.text, at) } else { None };
                match end {
                    Some(end) => {
                        arguments.push(frame.text[at + 1..end - 1].to_string());
                        frame.at = end;
                        read.push_str(&frame.text[start..end]);
                    }
                    None => arguments.push(default.clone()),
                }
                continue;
            }
            let (from, to, end) = match frame.byte(at) {
                None | Some(b'}') => return Err(read),
                Some(b'{') => match frame.group_end(at) {
                    Some(end) => (at + 1, end - 1, end),
                    None => return Err(read),
                },
                Some(b'\\') => {
                    let end = control(&frame.text, at);
                    (at, end, end)
                }
                Some(_) => {
                    let end = at + frame.text[at..].chars().next().map_or(0, char::len_utf8);
                    (at, end, end)
                }
            };
            arguments.push(frame.text[from..to].to_string());
            if value.parameters > 1 {
                read.push_str(&frame.text[start..end]);
            }
            frame.at = end;
        }
        Ok(arguments)
    }
}
