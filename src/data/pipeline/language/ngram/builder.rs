//! Putting models together.

use super::{
    model::{Entry, FREE, Model, Node, ROOT, Unigram, find, places},
    vocabulary::{UNKNOWN, Vocabulary},
};

/// Puts a model together, order by order. While that goes on, `next` of entries is the n-gram's own node.
pub(super) struct Builder {
    model: Model,
    used: usize,
    /// The last words of nodes, and whether they have something behind them.
    last: Vec<u32>,
    extended: Vec<bool>,
    /// Nodes of the highest order are none: numbers from here on are the targets of their entries.
    level: usize,
}

impl Builder {
    /// For so many n-grams of two words and more, or more than that.
    pub(super) fn new(vocabulary: Vocabulary, order: usize, entries: usize) -> Self {
        let root = Node { backoff: 0.0, fail: ROOT, follow: 0 };
        let unigrams = vec![Unigram { probability: f32::NAN, next: ROOT }; vocabulary.len()];
        let model = Model { order, vocabulary, unigrams, nodes: vec![root], entries: vec![FREE; places(entries)] };
        Self { model, used: 0, last: vec![UNKNOWN], extended: vec![true], level: 1 }
    }

    pub(super) fn vocabulary(&self) -> &Vocabulary {
        &self.model.vocabulary
    }

    /// Sets a single word; they all must come first, in order. Gives its node.
    pub(super) fn word(&mut self, word: u32, probability: f32, backoff: f32) -> u32 {
        let node = if self.model.order > 1 { self.node(word, backoff, ROOT) } else { ROOT };
        self.model.unigrams[word as usize] = Unigram { probability, next: node };
        node
    }

    /// The n-grams that follow have so many words.
    pub(super) fn level(&mut self, words: usize) {
        self.level = words;
    }

    fn node(&mut self, last: u32, backoff: f32, fail: u32) -> u32 {
        self.model.nodes.push(Node { backoff, fail, follow: 0 });
        self.last.push(last);
        self.extended.push(false);
        (self.model.nodes.len() - 1) as u32
    }

    /// Where the automaton goes without any back-off: the node of the n-gram that is the context's with the word behind it.
    pub(super) fn after(&self, context: u32, word: u32) -> Option<u32> {
        if context == ROOT {
            return self.model.unigrams.get(word as usize).map(|unigram| unigram.next);
        }
        self.model.entry(context, word).map(|entry| entry.next)
    }

    /// The longest known ending of the n-gram that is the context's, without its first word, with the word behind it.
    pub(super) fn ending(&self, context: u32, word: u32) -> u32 {
        let mut context = self.model.nodes[context as usize].fail;
        loop {
            match self.after(context, word) {
                Some(node) => return node,
                None if context == ROOT => return ROOT,
                None => context = self.model.nodes[context as usize].fail,
            }
        }
    }

    /// Adds an n-gram of the highest order or another: a context's node, and the node of its longest known ending, which ends
    /// with the same word. Gives its node, or that of the ending if no n-gram can continue it.
    pub(super) fn add(&mut self, context: u32, ending: u32, probability: f32, backoff: f32) -> u32 {
        let word = self.last[ending as usize];
        self.insert(context, word, ending, probability, backoff).unwrap_or(ending)
    }

    /// The same of a word by its number; none if the n-gram is there already.
    pub(super) fn insert(&mut self, context: u32, word: u32, ending: u32, probability: f32, backoff: f32) -> Option<u32> {
        if places(self.used + 1) > self.model.entries.len() {
            self.grow();
        }
        let place = find(&self.model.entries, context, word).err()?;
        let next = if self.level < self.model.order { self.node(word, backoff, ending) } else { ending };
        self.model.entries[place] = Entry { node: context, word, probability, next };
        self.extended[context as usize] = true;
        self.used += 1;
        Some(next)
    }

    fn grow(&mut self) {
        let entries = vec![FREE; self.model.entries.len() * 2];
        for entry in std::mem::replace(&mut self.model.entries, entries) {
            if entry.node != FREE.node
                && let Err(place) = find(&self.model.entries, entry.node, entry.word)
            {
                self.model.entries[place] = entry;
            }
        }
    }

    /// Contexts that nothing follows, and that take nothing off, are passed over from now on.
    pub(super) fn finish(self) -> Model {
        let Self { mut model, extended, .. } = self;
        let mut live: Vec<u32> = vec![ROOT];
        for node in 1..model.nodes.len() {
            let fail = live[model.nodes[node].fail as usize];
            model.nodes[node].fail = fail;
            live.push(if extended[node] || model.nodes[node].backoff != 0.0 { node as u32 } else { fail });
        }
        model.unigrams.iter_mut().for_each(|unigram| unigram.next = live[unigram.next as usize]);
        model.entries.iter_mut().filter(|entry| entry.node != FREE.node).for_each(|entry| entry.next = live[entry.next as usize]);
        model.note_what_follows();
        model
    }
}
