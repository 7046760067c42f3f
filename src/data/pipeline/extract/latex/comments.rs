//! Comments out of LaTeX.

use super::{
    tokens::{argument, control, control_with_at, ends_in_word, skip_blanks},
    verbatim::Verbatim,
};
use crate::data::pipeline::Counts;
use memchr::{memchr, memchr2};

/// Names that begin with `if` and open no conditional.
const NO_CONDITIONALS: [&str; 13] = [
    "iff",
    "ifthenelse",
    "ifdef",
    "ifundef",
    "ifdefempty",
    "ifdefstring",
    "ifblank",
    "ifstrequal",
    "ifstrempty",
    "ifbool",
    "iftoggle",
    "ifnumcomp",
    "ifempty",
];

/// Takes out `%` to the end of the line, `comment` environments and `\iffalse … \fi`, and stops behind `\end{document}`.
///
/// As TeX reads them: a line that is only a comment goes with its line break; behind other text the line break stays, unless the text
/// has no blank before the `%`, when the next line goes on where it ended. `\%` and what is verbatim or an address is no comment.
/// Counts bytes as `latex.comments`.
pub(super) fn strip(text: &str, counts: &mut Counts) -> String {
    let mut pass = Pass {
        text,
        at: 0,
        out: String::with_capacity(text.len()),
        verbatim: Verbatim::default(),
        open: Vec::new(),
        endless: false,
        counts,
    };
    pass.run();
    pass.out
}

struct Pass<'a, 'b> {
    text: &'a str,
    at: usize,
    out: String,
    verbatim: Verbatim,
    /// Conditionals that are open, and whether their `\fi` is left out.
    open: Vec<bool>,
    /// A `\iffalse` had no `\fi`; no other is searched.
    endless: bool,
    counts: &'b mut Counts,
}

impl Pass<'_, '_> {
    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(offset) = memchr2(b'\\', b'%', &bytes[self.at..]) {
            let place = self.at + offset;
            self.out.push_str(&self.text[self.at..place]);
            self.at = place;
            if bytes[place] == b'%' {
                self.comment();
            } else if !self.control() {
                return;
            }
        }
        self.out.push_str(&self.text[self.at..]);
    }

    /// At `%`.
    fn comment(&mut self) {
        let bytes = self.text.as_bytes();
        let end = memchr(b'\n', &bytes[self.at..]).map_or(bytes.len(), |offset| self.at + offset);
        self.counts.add("latex.comments", end - self.at);
        let kept = self.out.trim_end_matches([' ', '\t', '\r']).len();
        let blank_before = kept < self.out.len();
        self.out.truncate(kept);
        if kept == 0 || self.out.ends_with('\n') {
            self.at = (end + 1).min(bytes.len());
            return;
        }
        let next = end + 1 + bytes.get(end + 1..).unwrap_or(&[]).iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        match bytes.get(next) {
            // A paragraph ends here, or the line had a blank: the line break stands for it.
            None | Some(b'\n') => self.at = end,
            Some(_) if blank_before => self.at = end,
            Some(letter) => {
                if letter.is_ascii_alphabetic() && ends_in_word(&self.out) {
                    self.out.push(' ');
                }
                self.at = next;
            }
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.out.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    /// At a backslash; `false` at the end of the document.
    fn control(&mut self) -> bool {
        let end = control(self.text, self.at);
        let name = &self.text[self.at + 1..end];
        if let Some(part) = self.verbatim.at(self.text, name, end) {
            if part.comment {
                self.counts.add("latex.comments", part.end - self.at);
                self.leave_out(part.end);
            } else {
                self.copy_to(part.end);
            }
            return true;
        }
        match name {
            "end" if argument(self.text, end) == Some("document") => return false,
            "endinput" => return false,
            "iffalse" if !self.endless => self.skip_false(end),
            "newif" => {
                let next = skip_blanks(self.text, end);
                let next = if self.text.as_bytes().get(next) == Some(&b'\\') { control_with_at(self.text, next) } else { end };
                self.copy_to(next);
            }
            "fi" => {
                if self.open.pop() == Some(true) {
                    self.leave_out(end);
                } else {
                    self.copy_to(end);
                }
            }
            _ => {
                if conditional(name) {
                    self.open.push(false);
                }
                self.copy_to(end);
            }
        }
        true
    }

    /// Leaves out all up to `end`, and its line if nothing else is on it.
    fn leave_out(&mut self, end: usize) {
        self.at = end;
        let bytes = self.text.as_bytes();
        let kept = self.out.trim_end_matches([' ', '\t']).len();
        let rest = end + bytes[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        if (kept == 0 || self.out[..kept].ends_with('\n')) && bytes.get(rest) == Some(&b'\n') {
            self.out.truncate(kept);
            self.at = rest + 1;
        } else if bytes.get(end).is_some_and(u8::is_ascii_alphabetic) && ends_in_word(&self.out) {
            self.out.push(' ');
        }
    }

    /// Behind `\iffalse`: up to its `\fi`, or to its `\else`, behind which text is kept.
    fn skip_false(&mut self, from: usize) {
        let bytes = self.text.as_bytes();
        let (mut depth, mut at) = (1usize, from);
        while let Some(offset) = memchr2(b'\\', b'%', &bytes[at..]) {
            let place = at + offset;
            if bytes[place] == b'%' {
                at = memchr(b'\n', &bytes[place..]).map_or(bytes.len(), |offset| place + offset);
                continue;
            }
            at = control(self.text, place);
            let name = &self.text[place + 1..at];
            match name {
                "fi" => depth -= 1,
                "else" if depth == 1 => {
                    self.open.push(true);
                    depth = 0;
                }
                "newif" => {
                    let next = skip_blanks(self.text, at);
                    if bytes.get(next) == Some(&b'\\') {
                        at = control_with_at(self.text, next);
                    }
                }
                _ if conditional(name) => depth += 1,
                _ => {}
            }
            if depth == 0 {
                self.counts.add("latex.comments", at - self.at);
                // Blanks behind a control word are no text.
                at += bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                return self.leave_out(at);
            }
        }
        self.endless = true;
        self.counts.add("latex.unbalanced", from - self.at);
        self.at = from;
    }
}

fn conditional(name: &str) -> bool {
    name.starts_with("if") && !NO_CONDITIONALS.contains(&name)
}
