//! The macros that are defined.

use super::{definitions::Definition, macros::Macro};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Macros that are looked through for a cycle at a definition.
const REACH: usize = 300;

/// What a name means.
pub(super) struct Entry {
    /// The macro; none if its definition is not understood.
    pub(super) value: Option<Rc<Macro>>,
    /// Its body leads back to it.
    pub(super) cyclic: bool,
}

/// Macros by name.
pub(super) struct Table {
    macros: HashMap<String, Entry>,
    /// Whether a macro has a name of this [`mark`]: most commands are LaTeX's, and need no look-up.
    marks: [bool; 256],
}

fn mark(name: &str) -> usize {
    let bytes = name.as_bytes();
    let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
    usize::from(first.wrapping_mul(31) ^ last.wrapping_mul(7) ^ bytes.len() as u8)
}

impl Table {
    pub(super) fn new() -> Self {
        Self { macros: HashMap::new(), marks: [false; 256] }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        if self.marks[mark(name)] { self.macros.get(name) } else { None }
    }

    /// Does what a definition says.
    pub(super) fn define(&mut self, definition: Definition) {
        let (name, value) = match definition {
            Definition::Provide(name, _) if self.get(&name).is_some() => return,
            Definition::Macro(name, value) | Definition::Provide(name, value) => (name, Some(Rc::new(value))),
            Definition::Let(name, other) if name == other => return,
            Definition::Let(name, other) => {
                let value = self.get(&other).map_or_else(|| Some(Rc::new(Macro::command(&other))), |entry| entry.value.clone());
                (name, value)
            }
            Definition::Unknown(name) => (name, None),
        };
        let cyclic = value.as_ref().is_some_and(|value| self.reaches(&name, value));
        self.marks[mark(&name)] = true;
        self.macros.insert(name, Entry { value, cyclic });
    }

    /// Whether expanding a body leads to a macro of that name, or through more macros than anyone needs.
    fn reaches(&self, name: &str, value: &Macro) -> bool {
        let mut seen = HashSet::new();
        let known = |other: &&str| *other == name || self.get(other).is_some();
        let mut waiting: Vec<&str> = value.uses().filter(known).collect();
        let mut steps = 0;
        while let Some(next) = waiting.pop() {
            if next == name || steps > REACH {
                return true;
            }
            if let Some(Entry { value: Some(value), cyclic: false }) = self.get(next)
                && seen.insert(next)
            {
                let before = waiting.len();
                waiting.extend(value.uses().take(REACH).filter(known));
                steps += waiting.len() - before + 1;
            }
        }
        false
    }
}
