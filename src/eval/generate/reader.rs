//! Reading rows of text into a cache, a prompt or a token at a time.

use crate::{
    model::{Cache, Pass, Transformer},
    pulse,
};
use burn::{
    module::Module,
    tensor::{Int, Tensor, TensorData},
};

/// Reads rows of text and knows them from then on. Where a row fills the context, the last half of it is read again from the
/// front, as if the text began there.
#[derive(Debug)]
pub struct Reader<'a> {
    model: &'a Transformer,
    context: usize,
    rows: Vec<Row>,
    cache: Cache,
}

#[derive(Clone, Debug)]
struct Row {
    tokens: Vec<u32>,
    /// The first token that the model still sees.
    begin: usize,
}

impl Row {
    fn seen(&self) -> &[u32] {
        &self.tokens[self.begin..]
    }
}

/// The logits of the token that comes next in each row.
#[derive(Clone, Debug)]
pub struct Logits {
    numbers: Vec<f32>,
    vocab: usize,
}

impl Logits {
    /// Those of a row, one per token of the vocabulary.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.vocab..][..self.vocab]
    }

    fn of(logits: Tensor<2>) -> Self {
        let vocab = logits.dims()[1];
        let numbers = logits.into_data().convert::<f32>().try_to_vec::<f32>().expect("logits were converted to f32");
        Self { numbers, vocab }
    }
}

impl<'a> Reader<'a> {
    /// Knows nothing yet; will see `context` tokens at most, at least 1.
    pub fn new(model: &'a Transformer, context: usize) -> Self {
        Self { model, context: context.max(1), rows: vec![], cache: model.cache(vec![]) }
    }

    /// Forgets all and reads these rows, each of at least one token; of those with more than the context only the end,
    /// half as long as it. Logits of what comes next.
    ///
    /// # Panics
    ///
    /// Without a row, or if one is empty.
    pub fn read(&mut self, rows: &[&[u32]]) -> Logits {
        assert!(!rows.is_empty() && rows.iter().all(|row| !row.is_empty()), "read: nothing to read");
        let begin = |tokens: &[u32]| if tokens.len() > self.context { tokens.len() - self.context.div_ceil(2) } else { 0 };
        let row = |tokens: &&[u32]| Row { tokens: tokens.to_vec(), begin: begin(tokens) };
        self.rows = rows.iter().map(row).collect();
        self.read_again()
    }

    /// [`Reader::read`] of one row, of which no token is read that is known from before.
    ///
    /// # Panics
    ///
    /// If the row is empty.
    pub fn read_on(&mut self, tokens: &[u32]) -> Logits {
        let [row] = &mut self.rows[..] else { return self.read(&[tokens]) };
        let same = row.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count();
        // The last token is read in any case: its logits are wanted.
        let same = same.min(tokens.len() - 1);
        let known = self.cache.tokens(0);
        let kept = same.checked_sub(row.begin).filter(|kept| *kept > 0 && *kept <= known);
        match kept {
            Some(kept) if tokens.len() - row.begin <= self.context && self.cache.retreat(known - kept) => {
                row.tokens = tokens.to_vec();
                let new = row.tokens[same..].to_vec();
                self.extend(new.len(), &new)
            }
            _ => self.read(&[tokens]),
        }
    }

    /// Reads a further token of each row.
    ///
    /// # Panics
    ///
    /// If there are not as many as rows.
    pub fn push(&mut self, tokens: &[u32]) -> Logits {
        assert_eq!(tokens.len(), self.rows.len(), "push: a token for each row");
        let mut full = false;
        for (row, token) in self.rows.iter_mut().zip(tokens) {
            row.tokens.push(*token);
            if row.seen().len() > self.context {
                row.begin = row.tokens.len() - self.context.div_ceil(2);
                full = true;
            }
        }
        if full { self.read_again() } else { self.extend(1, tokens) }
    }

    /// Keeps these rows, in this order, at least one.
    pub fn select(&mut self, rows: &[usize]) {
        self.rows = rows.iter().map(|row| self.rows[*row].clone()).collect();
        self.cache.select(rows, self.model);
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The tokens of a row.
    pub fn tokens(&self, row: usize) -> &[u32] {
        &self.rows[row].tokens
    }

    /// What the caches of the layers have room for; see [`Cache::room`].
    pub fn room(&self) -> Vec<usize> {
        self.cache.room()
    }

    /// Fills a new cache with what is seen of each row.
    fn read_again(&mut self) -> Logits {
        let longest = self.rows.iter().map(|row| row.seen().len()).max().unwrap_or(0);
        let filling: Vec<usize> = self.rows.iter().map(|row| longest - row.seen().len()).collect();
        let row = |(row, filling): (&Row, &usize)| [vec![row.tokens[0]; *filling], row.seen().to_vec()].concat();
        let tokens: Vec<u32> = self.rows.iter().zip(&filling).flat_map(row).collect();
        self.cache = self.model.cache(filling);
        self.extend(longest, &tokens)
    }

    /// Reads `count` more columns, given row by row.
    fn extend(&mut self, count: usize, tokens: &[u32]) -> Logits {
        pulse::beat();
        let ids: Vec<i32> = tokens.iter().map(|token| *token as i32).collect();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [self.rows.len(), count]), &self.model.devices()[0]);
        Logits::of(self.model.extend_to_last(ids, &mut self.cache, &Pass::default()))
    }
}
