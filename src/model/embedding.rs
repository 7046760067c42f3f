//! Token embedding.

use super::{
    Account, Pass,
    dropout::Dropout,
    init::{Role, Scope},
    norm::{NoNormConfig, Norm, NormConfig},
    position::{Places, Position},
};
use crate::{ops, settings::Problem};
use burn::{
    module::{Module, Param},
    tensor::{FloatDType, Int, Tensor},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Token embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// The head uses the embedding's matrix (Press & Wolf 2017). LLaMA: no.
    pub tied: bool,
    /// Multiply embeddings by √width (Vaswani et al. 2017, section 3.4; Gemma).
    pub scale: bool,
    /// Normalisation of the embedded tokens, after the factor, before positions are added (BLOOM, nanochat).
    pub norm: NormConfig,
    /// Probability of dropping a channel of the embedded tokens, positions included.
    pub dropout: f64,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self { tied: false, scale: false, norm: NormConfig::None(NoNormConfig {}), dropout: 0.0 }
    }
}

/// A vector per token.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[vocab, width]`.
    pub weight: Param<Tensor<2>>,
    norm: Norm,
    dropout: Dropout,
    #[module(skip)]
    vocab: usize,
    #[module(skip)]
    factor: Option<f64>,
}

impl EmbeddingConfig {
    /// Rules that the section breaks.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.norm.problems("model.embedding.norm");
        if !(0.0..1.0).contains(&self.dropout) {
            problems.push(Problem::new("model.embedding.dropout", format!("must be at least 0 and below 1, not {}", self.dropout)));
        }
        problems
    }

    /// Builds the embedding of `vocab` tokens, in a model of `multiple` times µP's base width.
    pub fn build(&self, scope: &Scope, vocab: usize, width: usize, multiple: f64) -> Embedding {
        Embedding {
            weight: scope.matrix("weight", vocab, width, Role::Embedding),
            norm: self.norm.build(&scope.child("norm"), width),
            dropout: Dropout::build(&scope.child("dropout"), self.dropout),
            vocab,
            factor: self.scale.then(|| (width as f64 / multiple).sqrt()),
        }
    }

    /// Cost of the embedding: a lookup, no product; norm and dropout keep something for backward.
    pub fn account(&self, vocab: usize, width: usize) -> Account {
        let masks = if self.dropout > 0.0 { 4 * width } else { 0 };
        Account { parameters: (vocab * width) as u64, ..Account::kept(masks) } + self.norm.account(width)
    }
}

impl Embedding {
    /// Looks up, scales, normalises, adds positions, drops.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, seq]`
    /// - output: `[batch, seq, width]`
    pub fn forward(&self, tokens: Tensor<2, Int>, position: &Position, pass: &Pass) -> Tensor<3> {
        let [rows, seq] = tokens.dims();
        let x = self.normed(self.looked_up(tokens, pass));
        let x = match &pass.neighbours {
            None => position.embed(x),
            Some(neighbours) => {
                let own = neighbours.part(seq);
                position.embed_at(x, &Places { first: own.start, count: own.len(), filling: &vec![0; rows] })
            }
        };
        self.dropout.forward(x, pass)
    }

    /// [`Embedding::forward`] for tokens that continue others, without dropout.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[rows, count]`
    /// - output: `[rows, count, width]`
    pub fn extend(&self, tokens: Tensor<2, Int>, position: &Position, places: &Places) -> Tensor<3> {
        position.embed_at(self.normed(ops::embedding(self.weight.val(), tokens)), places)
    }

    /// The rows of the tokens, of this device's tokens where layers are divided: it gives those of its part of the vocabulary
    /// to all, and zeros for the others.
    fn looked_up(&self, tokens: Tensor<2, Int>, pass: &Pass) -> Tensor<3> {
        let Some(neighbours) = &pass.neighbours else { return ops::embedding(self.weight.val(), tokens) };
        let own = neighbours.part(self.vocab);
        let tokens = tokens - own.start as i64;
        let others = tokens.clone().lower_elem(0).bool_or(tokens.clone().greater_equal_elem(own.len() as i64));
        let rows = ops::embedding(self.weight.val(), tokens.mask_fill(others.clone(), 0));
        let dtype = FloatDType::from(rows.dtype());
        ops::scatter(rows * others.bool_not().float().cast(dtype).unsqueeze_dim(2), neighbours)
    }

    /// Scales, normalises.
    fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        let x = match self.factor {
            Some(factor) => x * factor,
            None => x,
        };
        self.norm.forward(x)
    }
}
