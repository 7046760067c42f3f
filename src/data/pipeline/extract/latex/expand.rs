//! Macros expanded in place.

use super::{
    Latex,
    definitions::{defines, parse},
    frames::Frames,
    macros::Macro,
    table::Table,
    tokens::{control, control_with_at, ends_in_word, push},
};
use crate::data::pipeline::Counts;
use memchr::memchr;
use std::rc::Rc;

/// What an expansion costs beside its text, in bytes of the budget; so macros that give nothing cost something.
const COST: usize = 16;

/// Expands the author's macros in order of the text, and takes their definitions out.
///
/// As TeX does where it can be known without running TeX: blanks behind a macro without arguments are not text, arguments are groups or
/// single characters, `##` is for definitions inside of definitions, a later definition replaces an earlier one, groups do not limit
/// definitions. A macro is left as it is where arguments are missing, where its definition has delimited parameters, and
///
/// - if its body leads back to it (`latex.cyclic_macros`),
/// - in more than [`Latex::max_depth`] expansions inside of each other (`latex.deep_macros`),
/// - from where expansions have added [`Latex::max_growth`] times the length of the text (`latex.growth`).
pub(super) fn expand(text: &str, rules: &Latex, counts: &mut Counts) -> String {
    let mut engine = Engine {
        macros: Table::new(),
        frames: Frames::of(text),
        out: String::with_capacity(text.len() + text.len() / 8),
        budget: text.len().saturating_mul(rules.max_growth).saturating_add(1 << 16),
        max_depth: rules.max_depth,
        counts,
    };
    while engine.step() {}
    engine.out
}

struct Engine<'a, 'b> {
    macros: Table,
    frames: Frames<'a>,
    out: String,
    /// Bytes that expansions may still add.
    budget: usize,
    max_depth: usize,
    counts: &'b mut Counts,
}

impl Engine<'_, '_> {
    /// Goes on to behind the next control sequence; `false` at the end.
    fn step(&mut self) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        let Some(offset) = memchr(b'\\', &frame.text.as_bytes()[frame.at..]) else {
            self.out.push_str(&frame.text[frame.at..]);
            self.frames.pop();
            self.part_word();
            return true;
        };
        let place = frame.at + offset;
        self.out.push_str(&frame.text[frame.at..place]);
        let end = control(&frame.text, place);
        let name = &frame.text[place + 1..end];
        if let Some(part) = frame.verbatim.at(&frame.text, name, end) {
            self.out.push_str(&frame.text[place..part.end]);
            frame.at = part.end;
            return true;
        }
        if defines(name) {
            let parsed = parse(&frame.text, name, end, &|at| frame.group_end(at));
            if let Some((definition, end)) = parsed {
                frame.at = end;
                self.counts.add("latex.definitions", end - place);
                if let Some(definition) = definition {
                    self.macros.define(definition);
                }
                self.close_line();
                return true;
            }
        }
        // `@` is a letter in names that were defined with it.
        let at = frame.byte(end) == Some(b'@') || frame.byte(place + 1) == Some(b'@');
        let with_at = if at { Some(control_with_at(&frame.text, place)) } else { None };
        let known = with_at.into_iter().chain([end]).find_map(|end| Some((self.macros.get(&frame.text[place + 1..end])?, end)));
        match known {
            None => {
                self.out.push_str(&frame.text[place..end]);
                frame.at = end;
            }
            Some((entry, end)) => {
                frame.at = end;
                let reason = match &entry.value {
                    None => "latex.delimited_macros",
                    Some(_) if entry.cyclic => "latex.cyclic_macros",
                    Some(_) if self.frames.depth() > self.max_depth => "latex.deep_macros",
                    Some(value) => {
                        let value = Rc::clone(value);
                        self.use_macro(&value, place, end);
                        return true;
                    }
                };
                self.counts.add(reason, 0);
                self.copy_name(place, end);
            }
        }
        true
    }

    /// Writes the name of a macro as it is.
    fn copy_name(&mut self, place: usize, end: usize) {
        if let Some(frame) = self.frames.last() {
            self.out.push_str(&frame.text[place..end]);
        }
    }

    /// Keeps a control word at the end of the output from taking letters of what is read next.
    fn part_word(&mut self) {
        if self.frames.next().is_some_and(|next| next.is_ascii_alphabetic()) && ends_in_word(&self.out) {
            self.out.push(' ');
        }
    }

    /// Behind a definition: its line goes if nothing else is on it.
    fn close_line(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        let kept = self.out.trim_end_matches([' ', '\t']).len();
        let rest = frame.text.as_bytes()[frame.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if (kept == 0 || self.out[..kept].ends_with('\n')) && frame.byte(frame.at + rest) == Some(b'\n') {
            self.out.truncate(kept);
            frame.at += rest + 1;
        }
    }

    /// Expands the macro whose name is at `place..end` of the last text, which is read up to there.
    fn use_macro(&mut self, value: &Macro, place: usize, end: usize) {
        let Some(frame) = self.frames.last() else { return };
        let name = &frame.text[place..end];
        let word = name.ends_with(|letter: char| letter.is_ascii_alphabetic());
        let script = self.out.ends_with(['^', '_']) && !self.out.ends_with("\\_") && !self.out.ends_with("\\^");
        let (mut arguments, mut spaced) = (Vec::new(), false);
        if value.parameters > 0 {
            // The text may be gone when its arguments are read.
            let name = name.to_string();
            arguments = match self.frames.arguments(value) {
                Ok(arguments) => arguments,
                Err(read) => {
                    self.counts.add("latex.missing_arguments", 0);
                    self.out.push_str(&name);
                    self.out.push_str(&read);
                    return;
                }
            };
            if !self.pay(value, &arguments) {
                self.out.push_str(&name);
                for argument in &arguments {
                    self.out.push('{');
                    self.out.push_str(argument);
                    self.out.push('}');
                }
                return;
            }
        } else {
            if !self.pay(value, &arguments) {
                return self.copy_name(place, end);
            }
            if word {
                spaced = self.frames.skip_behind_name() && value.spaced;
            }
        }
        self.counts.add("latex.macros", 0);
        let mut expansion = value.expand(&arguments);
        if script && Macro::needs_group(&expansion) {
            expansion = format!("{{{expansion}}}");
        }
        if spaced {
            expansion.push(' ');
        }
        if value.frozen || !expansion.contains('\\') {
            push(&mut self.out, &expansion);
            self.part_word();
        } else {
            if expansion.starts_with(|first: char| first.is_ascii_alphabetic()) && ends_in_word(&self.out) {
                self.out.push(' ');
            }
            self.frames.push(expansion);
        }
    }

    /// Takes an expansion from the budget. Where it is too much, all that follow are too: the text has one form before and one behind.
    fn pay(&mut self, value: &Macro, arguments: &[String]) -> bool {
        let size = value.size(arguments).saturating_add(COST);
        let enough = size <= self.budget;
        self.budget = if enough { self.budget - size } else { 0 };
        if !enough {
            self.counts.add("latex.growth", 0);
        }
        enough
    }
}
