//! Byte-pair encoding (Sennrich, Haddow and Birch 2016, 1508.07909): the pair of neighbours that occurs most often becomes a
//! symbol, again and again. Of pairs that occur equally often the shorter is first, then the one that is first in order of
//! bytes, as in SentencePiece (google/sentencepiece@2734490 `src/bpe_model_trainer.cc`).

use super::super::hash::Map;
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeSet, BinaryHeap},
    ops::Deref,
};

/// When merging ends, and what is not merged.
pub(super) struct Limits {
    /// Merges.
    pub pieces: usize,
    /// Longest piece.
    pub length: usize,
    /// Fewest occurrences of a pair.
    pub frequency: u64,
}

const NONE: u32 = u32::MAX;

/// A pair of symbols, with the places of its left one; some are out of date.
struct Pair<T> {
    count: u64,
    places: Vec<u32>,
    text: T,
    length: usize,
}

/// A pair that may be next. Its count is never too low.
struct Candidate<T> {
    count: u64,
    length: usize,
    text: T,
    pair: (u32, u32),
}

impl<T: Ord> Ord for Candidate<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |candidate: &Self| (candidate.count, Reverse(candidate.length));
        key(self).cmp(&key(other)).then_with(|| other.text.cmp(&self.text)).then_with(|| other.pair.cmp(&self.pair))
    }
}

impl<T: Ord> PartialOrd for Candidate<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Candidate<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord> Eq for Candidate<T> {}

/// The symbols of all words, one after another.
struct Line {
    symbols: Vec<u32>,
    next: Vec<u32>,
    previous: Vec<u32>,
    word: Vec<u32>,
}

/// All symbols, those given first, and the two symbols of each that was made.
///
/// A word is a row of symbols with its count. `length` is that of a text, `join` makes the text of a pair, `valid` says whether
/// it may be a piece.
pub(super) fn merges<T: Ord + Clone + Deref>(
    words: Vec<(Vec<u32>, u64)>,
    mut texts: Vec<T>,
    limits: &Limits,
    valid: impl Fn(&T::Target) -> bool,
    length: impl Fn(&T::Target) -> usize,
    join: impl Fn(&T::Target, &T::Target) -> T,
) -> (Vec<T>, Vec<(u32, u32)>) {
    let counts: Vec<u64> = words.iter().map(|(_, count)| *count).collect();
    let mut line = Line::new(words);
    // Pairs that may not become a piece have no entry's worth of places.
    let mut pairs: Map<(u32, u32), Option<Pair<T>>> = Map::default();
    let fresh = |pair: (u32, u32), texts: &[T]| {
        let text = join(&texts[pair.0 as usize], &texts[pair.1 as usize]);
        let length = length(&*text);
        (length <= limits.length && valid(&*text)).then(|| Pair { count: 0, places: Vec::new(), text, length })
    };
    for place in 0..line.symbols.len() {
        if let Some(pair) = line.pair(place as u32)
            && let Some(found) = pairs.entry(pair).or_insert_with(|| fresh(pair, &texts))
        {
            found.count += counts[line.word[place] as usize];
            found.places.push(place as u32);
        }
    }
    let candidate =
        |pair: (u32, u32), found: &Pair<T>| Candidate { count: found.count, length: found.length, text: found.text.clone(), pair };
    let mut queue: BinaryHeap<Candidate<T>> = pairs.iter().filter_map(|(pair, found)| Some(candidate(*pair, found.as_ref()?))).collect();
    let (mut made, mut merged) = (BTreeSet::new(), Vec::new());
    while merged.len() < limits.pieces {
        let Some(next) = queue.pop() else { break };
        let Some(Some(found)) = pairs.get(&next.pair) else { continue };
        if found.count < limits.frequency.max(1) {
            continue;
        }
        if found.count < next.count {
            queue.push(candidate(next.pair, found));
            continue;
        }
        let Some(Some(found)) = pairs.remove(&next.pair) else { continue };
        // The same text in another way: SentencePiece leaves the two apart.
        if !made.insert(found.text.clone()) {
            pairs.insert(next.pair, None);
            continue;
        }
        let symbol = texts.len() as u32;
        texts.push(found.text);
        merged.push(next.pair);
        let mut places = found.places;
        places.sort_unstable();
        let mut touched: Vec<(u32, u32)> = Vec::new();
        for place in places {
            if line.pair(place) != Some(next.pair) {
                continue;
            }
            let count = counts[line.word[place as usize] as usize];
            let (before, after) = line.neighbours(place);
            for gone in [before.and_then(|at| line.pair(at)), after.map(|_| (next.pair.1, line.symbols[after.unwrap_or(0) as usize]))] {
                if let Some(Some(pair)) = gone.and_then(|gone| pairs.get_mut(&gone)) {
                    pair.count = pair.count.saturating_sub(count);
                }
            }
            line.merge(place, symbol);
            for at in before.into_iter().chain(after.map(|_| place)) {
                if let Some(pair) = line.pair(at)
                    && let Some(found) = pairs.entry(pair).or_insert_with(|| fresh(pair, &texts))
                {
                    if found.places.is_empty() {
                        touched.push(pair);
                    }
                    found.count += count;
                    found.places.push(at);
                }
            }
        }
        queue.extend(touched.into_iter().filter_map(|pair| Some(candidate(pair, pairs.get(&pair)?.as_ref()?))));
    }
    (texts, merged)
}

impl Line {
    fn new(words: Vec<(Vec<u32>, u64)>) -> Self {
        let total = words.iter().map(|(word, _)| word.len()).sum();
        let mut line = Self { symbols: Vec::with_capacity(total), next: Vec::with_capacity(total), previous: Vec::new(), word: Vec::new() };
        (line.previous, line.word) = (Vec::with_capacity(total), Vec::with_capacity(total));
        for (index, (word, _)) in words.iter().enumerate() {
            for (at, symbol) in word.iter().enumerate() {
                let place = line.symbols.len() as u32;
                line.symbols.push(*symbol);
                line.previous.push(if at == 0 { NONE } else { place - 1 });
                line.next.push(if at + 1 == word.len() { NONE } else { place + 1 });
                line.word.push(index as u32);
            }
        }
        line
    }

    /// The pair whose left symbol is at a place.
    fn pair(&self, place: u32) -> Option<(u32, u32)> {
        let left = self.symbols[place as usize];
        let next = self.next[place as usize];
        if left == NONE || next == NONE { None } else { Some((left, self.symbols[next as usize])) }
    }

    /// The places before and behind the pair at a place.
    fn neighbours(&self, place: u32) -> (Option<u32>, Option<u32>) {
        let some = |place: u32| (place != NONE).then_some(place);
        (some(self.previous[place as usize]), some(self.next[self.next[place as usize] as usize]))
    }

    fn merge(&mut self, place: u32, symbol: u32) {
        let right = self.next[place as usize] as usize;
        self.symbols[place as usize] = symbol;
        self.symbols[right] = NONE;
        self.next[place as usize] = self.next[right];
        if let Some(previous) = self.previous.get_mut(self.next[right] as usize) {
            *previous = place;
        }
    }
}
