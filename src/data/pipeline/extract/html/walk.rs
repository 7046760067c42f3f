//! The tree of a page as calls in order: every element that is opened is closed, whatever the tags say.
//!
//! A much simpler tree than a browser's, as text needs: elements that matter for lines, cells and what is hidden are right, the rest is
//! near. Time is linear and memory a byte per open element, where the standard's rules look through all open elements at each tag.

use super::{
    elements::{BLOCK, BREAK, CELL, COUNT, Element, LOOSE, OTHER, RAW, UNSEEN, VOID},
    tokens::{Tag, Token, Tokens},
};

/// How many open elements inside a line are looked at for the one that an end tag means.
const INLINE: usize = 64;

/// What is told of a page; nothing of what is not seen.
pub(super) trait Sink {
    /// An element begins. Those without content are not closed.
    fn open(&mut self, tag: &Tag<'_>);
    /// An element ends.
    fn close(&mut self, element: Element);
    /// Text, with its references as written.
    fn text(&mut self, text: &str);
}

/// Tells a sink about a page.
pub(super) fn walk(html: &str, sink: &mut impl Sink) {
    let mut walker = Walker { stack: Vec::new(), open: [0; COUNT], hidden: None, sink };
    for token in Tokens::new(html) {
        match token {
            Token::Text(text) if walker.hidden.is_none() => walker.sink.text(text),
            Token::Text(_) => {}
            Token::Open(tag) => walker.open(&tag),
            Token::Close(element) => walker.close(element),
        }
    }
    walker.pop_to(0);
}

struct Walker<'a, S> {
    stack: Vec<Element>,
    /// How many of each element are open.
    open: [u32; COUNT],
    /// Depth of the outermost element that is not shown.
    hidden: Option<usize>,
    sink: &'a mut S,
}

/// Whether its end tag closes whatever is open inside.
fn strong(element: Element) -> bool {
    element.is(BLOCK | CELL | UNSEEN)
}

impl<S: Sink> Walker<'_, S> {
    fn open(&mut self, tag: &Tag<'_>) {
        let element = tag.element;
        if element.is(RAW) {
            return;
        }
        self.end_before(element);
        if element.is(VOID | LOOSE) || tag.closed && (element == OTHER || element.is(UNSEEN)) {
            if self.hidden.is_none() && !tag.hidden && !element.is(UNSEEN) {
                self.sink.open(tag);
                if element.is(LOOSE) {
                    self.sink.close(element);
                }
            }
            return;
        }
        if self.hidden.is_none() {
            if tag.hidden || element.is(UNSEEN) {
                self.hidden = Some(self.stack.len());
            } else {
                self.sink.open(tag);
            }
        }
        self.stack.push(element);
        self.open[element.index()] += 1;
    }

    /// Closes what has no end tag of its own before `next`.
    fn end_before(&mut self, next: Element) {
        if !strong(next) {
            return;
        }
        // At most a paragraph in a cell in a row in a group of rows.
        for _ in 0..4 {
            let from = self.stack.len().saturating_sub(INLINE);
            let Some(place) = self.stack[from..].iter().rposition(|open| strong(*open)) else { return };
            if !self.stack[from + place].ends_before(next) {
                return;
            }
            self.pop_to(from + place);
        }
    }

    fn close(&mut self, element: Element) {
        if element.is(LOOSE) && element.is(BLOCK) && self.hidden.is_none() {
            self.sink.close(element);
        }
        // Browsers take `</br>` for `<br>`, and `</p>` for an empty paragraph where none is open.
        if element.is(BREAK) || element.name() == "p" && self.open[element.index()] == 0 {
            let depth = self.stack.len();
            self.open(&Tag { element, attributes: "", closed: false, hidden: false });
            return self.pop_to(depth.min(self.stack.len()));
        }
        if self.open[element.index()] == 0 {
            return;
        }
        let place = if strong(element) {
            self.stack.iter().rposition(|open| *open == element)
        } else {
            let near = self.stack.iter().enumerate().rev().take(INLINE);
            near.take_while(|(_, open)| !strong(**open)).find(|(_, open)| **open == element).map(|(place, _)| place)
        };
        if let Some(place) = place {
            self.pop_to(place);
        }
    }

    fn pop_to(&mut self, depth: usize) {
        while self.stack.len() > depth {
            let Some(element) = self.stack.pop() else { return };
            self.open[element.index()] -= 1;
            match self.hidden {
                Some(place) if place == self.stack.len() => self.hidden = None,
                Some(_) => {}
                None => self.sink.close(element),
            }
        }
    }
}
