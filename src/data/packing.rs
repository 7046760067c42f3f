//! How documents become rows of `context` inputs with their targets.
//!
//! A document of n tokens gives n pairs of an input and the token behind it; behind the last one comes the token that opens the next
//! document, which says that this one has ended. Pieces of documents are stretches of pairs, so no target is lost or
//! counted twice where a document is cut.

use super::{
    instance::{Instance, Target},
    shards::{Ids, Index},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How documents become rows. Losses in training are not comparable between these: rows that begin with a document are easier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// One after the other; rows are cut anywhere (GPT-3, LLaMA).
    #[default]
    Concatenate,
    /// Every row begins with a piece of a document and no piece is cut where it need not be: the longest first, each into the
    /// fullest row with room for it (Ding et al. 2024, "Fewer truncations improve language modeling", arXiv 2404.10830). What
    /// stays free is filled and has no targets.
    BestFit,
    /// A piece of a document in each row; the rest is filled and has no targets.
    Pad,
}

impl Packing {
    /// Whether this is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A stretch of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// The first token.
    start: u64,
    /// Pairs.
    length: u32,
}

/// A packed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Inputs and the targets that count.
    pub instance: Instance,
    /// For each input the position at which its document begins in the row.
    pub starts: Vec<u32>,
}

/// Rows of pieces of documents: 16 bytes of memory for each piece.
#[derive(Debug)]
pub(super) struct Rows {
    context: usize,
    /// Pieces in the order of rows.
    pieces: Vec<Piece>,
    /// Where rows start in the list of pieces, and behind the last of them the number of all.
    starts: Vec<u32>,
    /// The token that opens documents, and fills rows.
    opening: u32,
}

impl Rows {
    /// Packs the documents of an index.
    ///
    /// # Panics
    ///
    /// On [`Packing::Concatenate`], which needs no rows; with 2^32 pieces or more.
    pub fn new(index: &Index, context: usize, packing: Packing, opening: u32) -> Self {
        let lengths = index.starts.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
        let cut = |(start, length): (u64, u64)| {
            let size = context as u64;
            (0..length.div_ceil(size))
                .map(move |number| Piece { start: start + number * size, length: size.min(length - number * size) as u32 })
        };
        let pieces: Vec<Piece> = lengths.flat_map(cut).collect();
        assert!(u32::try_from(pieces.len()).is_ok(), "more pieces than are counted");
        let (pieces, starts) = match packing {
            Packing::Concatenate => unreachable!("windows need no rows"),
            Packing::Pad => {
                let starts = (0..=pieces.len() as u32).collect();
                (pieces, starts)
            }
            Packing::BestFit => best_fit(pieces, context as u32),
        };
        Self { context, pieces, starts, opening }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.starts.len() as u64 - 1
    }

    /// Targets of a row.
    pub fn targets(&self, row: u64) -> usize {
        self.of(row).iter().map(|piece| piece.length as usize).sum()
    }

    fn of(&self, row: u64) -> &[Piece] {
        let row = row as usize;
        &self.pieces[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// A row, filled up to the context with tokens that open documents, each a document of its own.
    pub fn row(&self, ids: &Ids, row: u64) -> Packed {
        let (mut tokens, mut targets) = (Vec::with_capacity(self.context), Vec::with_capacity(self.context));
        let mut starts = Vec::with_capacity(self.context);
        for piece in self.of(row) {
            let (start, length) = (piece.start as usize, piece.length as usize);
            let there = ids.len().min(start + length + 1) - start;
            let mut read = ids.read(start, there);
            // Behind the last document of all comes another beginning, too.
            read.resize(length + 1, self.opening);
            let at = tokens.len();
            targets.extend((0..length).map(|pair| Target { position: at + pair, token: read[pair + 1] }));
            tokens.extend_from_slice(&read[..length]);
            starts.resize(at + length, at as u32);
        }
        tokens.resize(self.context, self.opening);
        starts.extend(starts.len() as u32..self.context as u32);
        Packed { instance: Instance { tokens, targets }, starts }
    }
}

/// Best fit, the longest first; equally long pieces in their order, and of equally full rows the one that was opened first.
fn best_fit(pieces: Vec<Piece>, context: u32) -> (Vec<Piece>, Vec<u32>) {
    let mut order: Vec<u32> = (0..pieces.len() as u32).collect();
    order.sort_by_key(|piece| std::cmp::Reverse(pieces[*piece as usize].length));
    let mut rows: Vec<Vec<u32>> = vec![];
    // Rows by what is free, each list in the order in which its rows came to it; those that are full are not kept.
    let mut free: BTreeMap<u32, std::collections::VecDeque<u32>> = BTreeMap::new();
    for piece in order {
        let length = pieces[piece as usize].length;
        let found = free.range(length..).next().map(|(room, _)| *room);
        let (row, room) = match found {
            Some(room) => {
                let list = free.get_mut(&room).expect("it was found");
                let row = list.pop_front().expect("lists are not empty");
                if list.is_empty() {
                    free.remove(&room);
                }
                (row, room)
            }
            None => {
                rows.push(vec![]);
                (rows.len() as u32 - 1, context)
            }
        };
        rows[row as usize].push(piece);
        if room > length {
            free.entry(room - length).or_default().push_back(row);
        }
    }
    let mut starts = vec![0];
    let mut packed = Vec::with_capacity(pieces.len());
    for row in rows {
        packed.extend(row.into_iter().map(|piece| pieces[piece as usize]));
        starts.push(packed.len() as u32);
    }
    (packed, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents of these lengths, each opened by 0, its other tokens counted from 1 on over all documents.
    fn shard(lengths: &[usize]) -> (tempfile::TempDir, Ids, Index, Vec<u32>) {
        let folder = tempfile::tempdir().unwrap();
        let mut next = 0;
        let mut tokens: Vec<u32> = vec![];
        for length in lengths {
            tokens.push(0);
            tokens.extend((1..*length).map(|_| {
                next += 1;
                next
            }));
        }
        let path = folder.path().join("a.bin");
        std::fs::write(&path, tokens.iter().flat_map(|token| (*token as u16).to_le_bytes()).collect::<Vec<_>>()).unwrap();
        let ids = Ids::open(&path, 0, 2, None).unwrap();
        (folder, ids, Index::of(lengths.iter().copied(), 2), tokens)
    }

    /// Every token is an input once, and the token behind it its target.
    #[test]
    fn nothing_is_lost_or_counted_twice() {
        let lengths = [3, 1, 17, 8, 9, 2, 5, 16, 24, 4];
        let (_folder, ids, index, tokens) = shard(&lengths);
        let mut expected: Vec<(u32, u32)> = tokens.iter().zip(tokens[1..].iter().chain([&0])).map(|(a, b)| (*a, *b)).collect();
        expected.sort_unstable();
        for packing in [Packing::BestFit, Packing::Pad] {
            let rows = Rows::new(&index, 8, packing, 0);
            let mut found = vec![];
            for number in 0..rows.len() {
                let Packed { instance: row, starts } = rows.row(&ids, number);
                assert!(row.targets.iter().all(|target| starts[target.position] as usize <= target.position) && starts.is_sorted());
                assert_eq!((row.tokens.len(), row.targets.len()), (8, rows.targets(number)));
                found.extend(row.targets.iter().map(|target| (row.tokens[target.position], target.token)));
            }
            found.sort_unstable();
            assert_eq!(found, expected, "{packing:?}");
        }
    }

    #[test]
    fn the_longest_go_first_and_each_into_the_fullest_row() {
        let (_folder, ids, index, _) = shard(&[3, 5, 2, 8, 6]);
        let rows = Rows::new(&index, 8, Packing::BestFit, 0);
        let inputs: Vec<Vec<u32>> = (0..rows.len()).map(|row| rows.row(&ids, row).instance.tokens).collect();
        // 8 | 6 + 2 | 5 + 3
        assert_eq!(inputs, [vec![0, 8, 9, 10, 11, 12, 13, 14], vec![0, 15, 16, 17, 18, 19, 0, 7], vec![0, 3, 4, 5, 6, 0, 1, 2]]);
        assert_eq!(rows.row(&ids, 2).starts, [0, 0, 0, 0, 0, 5, 5, 5]);
        let padded = Rows::new(&index, 8, Packing::Pad, 0);
        assert_eq!((padded.len(), padded.targets(2)), (5, 2));
        assert_eq!(padded.row(&ids, 2).instance.tokens, [0, 7, 0, 0, 0, 0, 0, 0]);
        assert_eq!(padded.row(&ids, 2).starts, [0, 0, 2, 3, 4, 5, 6, 7]);
    }

    /// No packing of pieces needs fewer rows than their pairs fill; best fit needs at most 11/9 of the best and one more.
    #[test]
    fn rows_are_nearly_full() {
        let lengths: Vec<usize> = (0..2000).map(|i| 1 + (i * i + 7 * i) % 150).collect();
        let (_folder, _, index, tokens) = shard(&lengths);
        let rows = Rows::new(&index, 128, Packing::BestFit, 0);
        let least = tokens.len().div_ceil(128) as u64;
        assert!(rows.len() <= least * 11 / 9 + 1, "{} rows for {least}", rows.len());
    }
}
