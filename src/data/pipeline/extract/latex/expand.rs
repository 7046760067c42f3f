//! Macros expanded in place.

use super::{
    Latex,
    definitions::{Definition, Macro, defines, parse},
    tokens::{Groups, Verbatim, brackets, control, control_with_at, ends_in_word, group, push},
};
use crate::data::pipeline::Counts;
use memchr::memchr;
use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Macros that are looked through for a cycle at a definition.
const REACH: usize = 300;
/// What an expansion costs beside its text, in bytes of the budget; so macros that give nothing cost something.
const COST: usize = 16;
/// In texts up to this length the end of a group is searched; in longer ones all ends are found at once.
const SHORT: usize = 256;

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
        macros: HashMap::new(),
        frames: vec![Frame::new(Cow::Borrowed(text))],
        out: String::with_capacity(text.len() + text.len() / 8),
        budget: text.len().saturating_mul(rules.max_growth).saturating_add(1 << 16),
        max_depth: rules.max_depth,
        counts,
    };
    while engine.step() {}
    engine.out
}

/// A text that is being read: the paper, or an expansion.
struct Frame<'a> {
    text: Cow<'a, str>,
    at: usize,
    /// Groups of a long text, once they are asked for.
    groups: OnceCell<Groups>,
    verbatim: Verbatim,
}

impl<'a> Frame<'a> {
    fn new(text: Cow<'a, str>) -> Self {
        Self { text, at: 0, groups: OnceCell::new(), verbatim: Verbatim::default() }
    }

    fn group_end(&self, at: usize) -> Option<usize> {
        if self.text.len() <= SHORT { group(&self.text, at) } else { self.groups.get_or_init(|| Groups::of(&self.text)).end(at) }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}

/// A macro, or that a name has a meaning which is not known.
struct Entry {
    value: Option<Rc<Macro>>,
    cyclic: bool,
}

struct Engine<'a, 'b> {
    macros: HashMap<String, Entry>,
    frames: Vec<Frame<'a>>,
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
            self.pop();
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
                    self.define(definition);
                }
                self.close_line();
                return true;
            }
        }
        // `@` is a letter in names that were defined with it.
        let with_at =
            if frame.byte(end) == Some(b'@') || frame.byte(place + 1) == Some(b'@') { control_with_at(&frame.text, place) } else { end };
        let known = [with_at, end].into_iter().find(|end| self.macros.contains_key(&frame.text[place + 1..*end]));
        match known {
            Some(end) => self.use_macro(place, end),
            None => {
                self.out.push_str(&frame.text[place..end]);
                frame.at = end;
            }
        }
        true
    }

    fn pop(&mut self) {
        self.frames.pop();
        let next = self.frames.last().and_then(|frame| frame.byte(frame.at));
        if next.is_some_and(|next| next.is_ascii_alphabetic()) && ends_in_word(&self.out) {
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

    fn define(&mut self, definition: Definition) {
        let (name, value) = match definition {
            Definition::Provide(name, _) if self.macros.contains_key(&name) => return,
            Definition::Macro(name, value) | Definition::Provide(name, value) => (name, Some(Rc::new(value))),
            Definition::Let(name, other) => {
                if name == other {
                    return;
                }
                let value = match self.macros.get(&other) {
                    Some(entry) => entry.value.clone(),
                    None => Some(Rc::new(Macro::command(&other))),
                };
                (name, value)
            }
            Definition::Unknown(name) => (name, None),
        };
        let cyclic = value.as_ref().is_some_and(|value| self.reaches(&name, value));
        self.macros.insert(name, Entry { value, cyclic });
    }

    /// Whether expanding a body leads to a macro of that name, or through more macros than anyone needs.
    fn reaches(&self, name: &str, value: &Macro) -> bool {
        let mut seen = HashSet::new();
        let known = |other: &&str| *other == name || self.macros.contains_key(*other);
        let mut waiting: Vec<&str> = value.uses().filter(known).collect();
        let mut steps = 0;
        while let Some(next) = waiting.pop() {
            if next == name || steps > REACH {
                return true;
            }
            if let Some(Entry { value: Some(value), cyclic: false }) = self.macros.get(next)
                && seen.insert(next)
            {
                let before = waiting.len();
                waiting.extend(value.uses().take(REACH).filter(known));
                steps += waiting.len() - before + 1;
            }
        }
        false
    }

    /// Leaves the macro as it is.
    fn leave(&mut self, place: usize, end: usize, rule: &str) {
        self.counts.add(rule, 0);
        if let Some(frame) = self.frames.last_mut() {
            self.out.push_str(&frame.text[place..end]);
            frame.at = end;
        }
    }

    /// The macro whose name is at `place..end` of the last frame.
    fn use_macro(&mut self, place: usize, end: usize) {
        let Some(frame) = self.frames.last() else { return };
        let depth = self.frames.len();
        let name = &frame.text[place + 1..end];
        let Some(entry) = self.macros.get(name) else { return };
        let Some(value) = &entry.value else { return self.leave(place, end, "latex.delimited_macros") };
        if entry.cyclic {
            return self.leave(place, end, "latex.cyclic_macros");
        }
        if depth > self.max_depth {
            return self.leave(place, end, "latex.deep_macros");
        }
        let value = Rc::clone(value);
        let word = name.ends_with(|letter: char| letter.is_ascii_alphabetic());
        let original = frame.text[place..end].to_string();
        let script = self.out.ends_with(['^', '_']) && !self.out.ends_with("\\_") && !self.out.ends_with("\\^");
        if let Some(frame) = self.frames.last_mut() {
            frame.at = end;
        }
        let mut arguments = Vec::new();
        let mut spaced = false;
        if value.parameters == 0 {
            spaced = self.skip_behind_name(word) && value.spaced;
        } else if let Err(read) = self.arguments(&value, &mut arguments) {
            self.counts.add("latex.missing_arguments", 0);
            self.out.push_str(&original);
            self.out.push_str(&read);
            return;
        }
        let size = value.size(&arguments).saturating_add(COST);
        if size > self.budget {
            // From here on all are left as they are, so that the text has one form before and one behind.
            self.budget = 0;
            self.counts.add("latex.growth", 0);
            self.out.push_str(&original);
            for argument in &arguments {
                self.out.push('{');
                self.out.push_str(argument);
                self.out.push('}');
            }
            return;
        }
        self.budget -= size;
        self.counts.add("latex.macros", 0);
        let mut expansion = value.expand(&arguments);
        if script && Macro::needs_group(&expansion) {
            expansion = format!("{{{expansion}}}");
        }
        if spaced {
            expansion.push(' ');
        }
        if value.frozen {
            push(&mut self.out, &expansion);
            let next = self.frames.last().and_then(|frame| frame.byte(frame.at));
            if next.is_some_and(|next| next.is_ascii_alphabetic()) && ends_in_word(&self.out) {
                self.out.push(' ');
            }
            return;
        }
        if expansion.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && ends_in_word(&self.out) {
            self.out.push(' ');
        }
        self.frames.push(Frame::new(Cow::Owned(expansion)));
    }

    /// Behind a macro without arguments: blanks, and an empty group that only ends its name. Whether `\xspace` gives a space.
    fn skip_behind_name(&mut self, word: bool) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        let bytes = frame.text.as_bytes();
        if !word {
            return false;
        }
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
    fn arguments(&mut self, value: &Macro, arguments: &mut Vec<String>) -> Result<(), String> {
        let mut read = String::new();
        for index in 0..value.parameters {
            // An expansion that ends in a macro leaves its arguments to the text around.
            while self.frames.len() > 1 && self.frames.last().is_some_and(|frame| frame.text[frame.at..].trim_start().is_empty()) {
                self.frames.pop();
            }
            let Some(frame) = self.frames.last_mut() else { return Err(read) };
            let start = frame.at;
            let at = start + frame.text.as_bytes()[start..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if index == 0
                && let Some(default) = &value.default
            {
                match brackets_at(&frame.text, at) {
                    Some(end) => {
                        arguments.push(frame.text[at + 1..end - 1].to_string());
                        frame.at = end;
                        read.push_str(&frame.text[start..end]);
                    }
                    None => arguments.push(default.clone()),
                }
                continue;
            }
            let range = match frame.byte(at) {
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
            arguments.push(frame.text[range.0..range.1].to_string());
            read.push_str(&frame.text[start..range.2]);
            frame.at = range.2;
        }
        Ok(())
    }
}

fn brackets_at(text: &str, at: usize) -> Option<usize> {
    if text.as_bytes().get(at) == Some(&b'[') { brackets(text, at) } else { None }
}
