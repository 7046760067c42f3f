//! Scoring text with an n-gram model.
//!
//! A model is an automaton: a state is the longest known context, and one look-up of (state, word) finds probability and next
//! state. Where there is none, the back-off is added and the state falls to what it backs off to. A sentence thereby takes at
//! most two look-ups per word on average, whatever the order; `KenLM` takes one per order that matches, and one more.

use super::vocabulary::{BEGIN, END, UNKNOWN, Vocabulary};

/// The empty context.
pub(super) const ROOT: u32 = 0;

/// A single word: it needs no look-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unigram {
    pub probability: f32,
    pub next: u32,
}

/// A context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    pub backoff: f32,
    /// The context without its first word, or what is left of that; always a lower number.
    pub fail: u32,
    /// Bits of the words that follow: most contexts are followed by few, and most look-ups of other words end here.
    pub follow: u64,
}

/// A word after a context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub node: u32,
    pub word: u32,
    pub probability: f32,
    pub next: u32,
}

pub(super) const FREE: Entry = Entry { node: u32::MAX, word: 0, probability: 0.0, next: 0 };

/// An n-gram model in memory. Logarithms are to base 10, as in ARPA files.
pub struct Model {
    pub(super) order: usize,
    pub(super) vocabulary: Vocabulary,
    pub(super) unigrams: Vec<Unigram>,
    pub(super) nodes: Vec<Node>,
    pub(super) entries: Vec<Entry>,
}

/// The score of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Logarithm to base 10 of the probability.
    pub log10: f64,
    /// Words that were scored, `</s>` included.
    pub words: u64,
    /// Words among them that the model does not know.
    pub unknown: u64,
}

impl Score {
    /// 10^(-log10 / words), as CCNet defines it (`cc_net/perplexity.py`); 1 for no words.
    pub fn perplexity(&self) -> f64 {
        10f64.powf(-self.log10 / self.words.max(1) as f64).min(f64::MAX)
    }

    /// The score of two texts together.
    pub fn and(self, other: Self) -> Self {
        Self { log10: self.log10 + other.log10, words: self.words + other.words, unknown: self.unknown + other.unknown }
    }
}

/// Scores a sentence word by word.
pub struct Scorer<'a> {
    model: &'a Model,
    state: u32,
    score: Score,
}

impl Scorer<'_> {
    /// Scores the next word.
    pub fn word(&mut self, word: &str) {
        let id = self.model.vocabulary.find(word).unwrap_or(UNKNOWN);
        self.score.unknown += u64::from(id == UNKNOWN);
        self.id(id);
    }

    fn id(&mut self, id: u32) {
        let (log10, next) = self.model.step(self.state, id);
        self.score.log10 += log10;
        self.score.words += 1;
        self.state = next;
    }

    /// Scores `</s>`.
    pub fn end(mut self) -> Score {
        self.id(END);
        self.score
    }

    /// What was scored so far.
    pub fn score(&self) -> Score {
        self.score
    }
}

impl Model {
    /// Words per n-gram at most.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Different words, the special ones included.
    pub fn words(&self) -> usize {
        self.vocabulary.len()
    }

    /// Starts a sentence; behind `<s>`, or with no context at all.
    pub fn scorer(&self, begin: bool) -> Scorer<'_> {
        let state = if begin { self.unigrams[BEGIN as usize].next } else { ROOT };
        Scorer { model: self, state, score: Score::default() }
    }

    /// The score of a sentence between `<s>` and `</s>`: `KenLM`'s `model.score(text, bos=True, eos=True)`.
    pub fn score<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Score {
        let mut scorer = self.scorer(true);
        words.into_iter().for_each(|word| scorer.word(word));
        scorer.end()
    }

    #[inline]
    fn step(&self, mut state: u32, word: u32) -> (f64, u32) {
        let mut log10 = 0.0;
        let bit = bit(word);
        while state != ROOT {
            let node = self.nodes[state as usize];
            if node.follow & bit != 0
                && let Some(entry) = self.entry(state, word)
            {
                return (log10 + f64::from(entry.probability), entry.next);
            }
            log10 += f64::from(node.backoff);
            state = node.fail;
        }
        let unigram = self.unigrams[word as usize];
        (log10 + f64::from(unigram.probability), unigram.next)
    }

    /// Sets [`Node::follow`] by the entries, which must point to nodes.
    pub(super) fn note_what_follows(&mut self) {
        for entry in self.entries.iter().filter(|entry| entry.node != FREE.node) {
            self.nodes[entry.node as usize].follow |= bit(entry.word);
        }
    }

    #[inline]
    fn entry(&self, node: u32, word: u32) -> Option<&Entry> {
        find(&self.entries, node, word).ok()
    }
}

/// One of 64 bits for a word.
fn bit(word: u32) -> u64 {
    1 << (word.wrapping_mul(0x9E37_79B1) >> 26)
}

/// Where the search for a word after a context begins.
fn place(node: u32, word: u32, places: usize) -> usize {
    let mut hash = (u64::from(node) << 32 | u64::from(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    ((u128::from(hash) * places as u128) >> 64) as usize
}

/// The entry, or the free place for it. There is always a free place.
#[inline]
fn find(entries: &[Entry], node: u32, word: u32) -> Result<&Entry, usize> {
    let mut at = place(node, word, entries.len());
    loop {
        let entry = &entries[at];
        if entry.node == node && entry.word == word {
            return Ok(entry);
        }
        if entry.node == FREE.node {
            return Err(at);
        }
        at = if at + 1 == entries.len() { 0 } else { at + 1 };
    }
}

/// Places for so many entries: a third stays free, and one at least.
pub(super) fn places(entries: usize) -> usize {
    entries + entries / 2 + 1
}

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
