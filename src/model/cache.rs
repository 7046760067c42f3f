//! Reading a text piece by piece: what a model remembers of the tokens that it has read.

use super::{
    Pass, Transformer,
    attention::{Extension, KeyValue},
    position::Places,
    transformer::Block,
};
use crate::ops::computing;
use burn::tensor::{Int, Tensor, TensorData};

/// The keys and values of every layer for rows of text of any lengths, each of them one document. Texts end in the same
/// column; shorter ones begin with filling, which no token of theirs sees.
#[derive(Clone, Debug)]
pub struct Cache {
    layers: Vec<KeyValue>,
    /// Columns of filling at the start of each row.
    filling: Vec<usize>,
    /// Columns read.
    columns: usize,
}

impl Cache {
    /// Rows of text.
    pub fn rows(&self) -> usize {
        self.filling.len()
    }

    /// Tokens that were read of a row, without filling.
    pub fn tokens(&self, row: usize) -> usize {
        self.columns.saturating_sub(self.filling[row])
    }

    /// Forgets the last `count` tokens of every row. False, and nothing is done, if a layer has dropped what a token in their
    /// place would see, or a row has fewer.
    #[must_use]
    pub fn retreat(&mut self, count: usize) -> bool {
        let possible = (0..self.rows()).all(|row| count <= self.tokens(row)) && self.layers.iter().all(|layer| layer.can_retreat(count));
        if possible {
            self.columns -= count;
            for layer in &mut self.layers {
                assert!(layer.retreat(count), "it said that it can");
            }
        }
        possible
    }

    /// Keeps these rows, in this order.
    pub fn select(&mut self, rows: &[usize], model: &Transformer) {
        self.filling = rows.iter().map(|row| self.filling[*row]).collect();
        let ids: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &model.embedding.weight.device());
        self.layers.iter_mut().for_each(|layer| layer.select(&ids));
    }

    /// Tokens of a row that each layer has room for.
    pub fn room(&self) -> Vec<usize> {
        self.layers.iter().map(KeyValue::room).collect()
    }
}

impl Transformer {
    /// An empty memory for rows that begin with so many tokens of filling each, any token.
    pub fn cache(&self, filling: Vec<usize>) -> Cache {
        Cache { layers: self.layers.iter().map(|block| block.attention.key_value()).collect(), filling, columns: 0 }
    }

    /// Logits of tokens that continue what `cache` knows, which knows them too from then on: those that
    /// [`Transformer::forward`] gives for the whole of each row, without gradients or dropout. Those of filling mean nothing.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[rows, count]`
    /// - output: `[rows, count, vocab]`
    ///
    /// # Panics
    ///
    /// If the cache has another number of rows, or a row is longer than learned positions allow: see
    /// [`super::ModelSpec::context_limit`].
    pub fn extend(&self, tokens: Tensor<2, Int>, cache: &mut Cache, pass: &Pass) -> Tensor<3> {
        computing(pass.precision, || {
            let hidden = self.extended(tokens, cache, pass);
            self.head.logits(self.normed(hidden), &self.embedding.weight)
        })
    }

    /// [`Transformer::extend`], but only the logits of the last token of each row.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[rows, count]`
    /// - output: `[rows, vocab]`
    ///
    /// # Panics
    ///
    /// As [`Transformer::extend`].
    pub fn extend_to_last(&self, tokens: Tensor<2, Int>, cache: &mut Cache, pass: &Pass) -> Tensor<2> {
        computing(pass.precision, || {
            let hidden = self.extended(tokens, cache, pass);
            let count = hidden.dims()[1];
            let last = hidden.narrow(1, count - 1, 1);
            self.head.logits(self.normed(last), &self.embedding.weight).squeeze_dim::<2>(1)
        })
    }

    /// `[rows, count]` through all blocks, `[rows, count, width]`.
    fn extended(&self, tokens: Tensor<2, Int>, cache: &mut Cache, pass: &Pass) -> Tensor<3> {
        let [rows, count] = tokens.dims();
        assert_eq!(rows, cache.rows(), "extend: rows of tokens and of the cache");
        let places = Places { first: cache.columns, count, filling: &cache.filling };
        let rotation = self.position.rotation_at(&places);
        let x = self.embedding.extend(tokens, &self.position, &places);
        let extension = Extension { places, rotation };
        let pass = Pass { noise: None, starts: None, ..pass.clone() };
        let blocks = self.layers.iter().zip(&mut cache.layers);
        let x = blocks.fold(x, |x, (block, memory)| block.extend(x, self, &extension, memory, &pass));
        cache.columns += count;
        x
    }
}

impl Block {
    /// # Shapes
    ///
    /// - `x`, output: `[rows, count, width]`
    fn extend(&self, x: Tensor<3>, model: &Transformer, extension: &Extension, memory: &mut KeyValue, pass: &Pass) -> Tensor<3> {
        let attention = |x| self.attention.extend(x, &model.position, extension, memory);
        self.residual.forward(x, attention, |x| self.feed_forward.forward(x, pass), pass)
    }
}
