//! The whole model: embedding, blocks, final norm, head. It only composes.

use super::{
    Account, Kept, ModelSpec, Pass, Weights,
    attention::Attention,
    embedding::Embedding,
    feed_forward::FeedForward,
    head::Head,
    init::{Marks, Scope, Sketched},
    norm::{Norm, NormConfig},
    position::{Position, PositionConfig},
    readout::Readout,
    residual::{Residual, ResidualKind},
};
use crate::ops::{Activations, MeanCrossEntropy, computing, embedding, keeping};
use burn::{
    module::Module,
    tensor::{Device, Int, Tensor, TensorData},
};

/// A decoder-only Transformer.
#[derive(Module, Debug)]
pub struct Transformer {
    pub(super) embedding: Embedding,
    pub(super) position: Position,
    pub(super) layers: Vec<Block>,
    pub(super) readout: Option<Readout>,
    pub(super) final_norm: Option<Norm>,
    pub(super) head: Head,
}

/// One layer.
#[derive(Module, Debug)]
pub struct Block {
    pub(super) attention: Attention,
    pub(super) feed_forward: FeedForward,
    pub(super) residual: Residual,
}

/// The loss of a batch, and what it is made of.
#[derive(Clone, Debug)]
pub struct Loss {
    /// What is minimised, `[1]`: cross-entropy (smoothed if configured) plus z-loss.
    pub objective: Tensor<1>,
    /// Mean cross-entropy in nats, `[1]`, without smoothing and z-loss.
    pub nats: Tensor<1>,
}

impl ModelSpec {
    /// Builds the model with every parameter drawn from `seed` by its path.
    pub fn build(&self, seed: u64, device: &Device) -> Transformer {
        self.build_marked(seed, device).0
    }

    /// [`ModelSpec::build`], and what marks the noise of every parameter: see [`Scope::marks`].
    pub fn build_marked(&self, seed: u64, device: &Device) -> (Transformer, Marks) {
        let scope = Scope::new(seed, &self.init, self.layers, self.width, self.weight_shrink(), device).at_multiple(self.multiple());
        let model = self.compose(&scope);
        (model, scope.marks())
    }

    /// The model with given parameters.
    ///
    /// # Panics
    ///
    /// If one is missing, or is not of its size: see [`ModelSpec::parameter_shapes`].
    pub fn build_from(&self, weights: Weights, device: &Device) -> Transformer {
        self.compose(&Scope::new(0, &self.init, self.layers, self.width, 1.0, device).at_multiple(self.multiple()).given(weights))
    }

    fn compose(&self, scope: &Scope) -> Transformer {
        Transformer {
            embedding: self.embedding.build(&scope.child("embedding"), self.vocab, self.width, self.multiple()),
            position: self.position.build(&scope.child("position"), self),
            layers: (0..self.layers).map(|index| self.block(&scope.layer("layers", index))).collect(),
            readout: self.readout.build(&scope.child("readout"), &self.norm, self.width),
            final_norm: self.final_norm.then(|| self.norm.build(&scope.child("final_norm"), self.width)),
            head: self.head.build(&scope.child("head"), self.width, self.vocab, self.embedding.tied, self.multiple()),
        }
    }

    fn block(&self, scope: &Scope) -> Block {
        Block {
            attention: self.attention.build(&scope.child("attention"), self.width),
            feed_forward: self.feed_forward.build(&scope.child("feed_forward"), self.width),
            residual: self.residual.build(&scope.child("residual"), &self.norm, self.width, self.layers),
        }
    }

    /// How many times µP's base width this is; 1 without µP.
    pub fn multiple(&self) -> f64 {
        self.mup.as_ref().map_or(1.0, |mup| mup.multiple(self.width))
    }

    fn weight_shrink(&self) -> f64 {
        self.residual.weight_shrink(self.layers)
    }

    /// The cost of each part, by name, in the order of the model: `embedding`, `position`, `layers.0.attention`, …
    ///
    /// `context` is the sequence length that attention is counted at.
    pub fn parts(&self, context: usize) -> Vec<(String, Account)> {
        let mut parts = vec![
            ("embedding".to_string(), self.embedding.account(self.vocab, self.width)),
            ("position".to_string(), self.position.account(self)),
        ];
        // In the first block and behind a norm that ends a block, what is read can be made again.
        let post = self.residual.kind == ResidualKind::Post && self.norm.is_cheap(true);
        let embedded = self.embedding.norm.is_cheap(false)
            && self.embedding.dropout == 0.0
            && !matches!(self.position, PositionConfig::Learned(_) | PositionConfig::Sinusoidal(_));
        let read = |cheap: bool| Account::cheap(if cheap { 4 * self.width } else { 0 });
        for layer in 0..self.layers {
            let input = read(if layer == 0 { embedded } else { post });
            parts.extend([
                (format!("layers.{layer}.attention"), self.attention.account(self.width, layer, context)),
                (format!("layers.{layer}.feed_forward"), self.feed_forward.account(self.width)),
                (format!("layers.{layer}.residual"), self.residual.account(&self.norm, self.width) + input),
            ]);
        }
        if !self.readout.is_each() {
            parts.push(("readout".to_string(), self.readout.account(&self.norm, self.width)));
        }
        if self.final_norm {
            parts.push(("final_norm".to_string(), self.norm.account(self.width) + read(post && self.readout.is_each())));
        }
        parts.push(("head".to_string(), self.head.account(self.width, self.vocab, self.embedding.tied)));
        parts
    }

    /// The cost of the whole: the sum of [`ModelSpec::parts`].
    pub fn account(&self, context: usize) -> Account {
        self.parts(context).into_iter().map(|(_, part)| part).sum()
    }

    /// What is kept for the backward pass by a policy, at sequences of `context` tokens, by the fused operators in f32.
    ///
    /// Operators that are composed of Burn's (dynamic tanh, factors, dropout, sums) count by what Burn's autodiff keeps.
    pub fn kept(&self, context: usize, activations: Activations) -> Kept {
        let all = self.account(context);
        if activations != Activations::Recompute {
            return all.kept_by(activations);
        }
        let blocks: Vec<Account> = (0..self.layers)
            .map(|layer| {
                let prefix = format!("layers.{layer}.");
                self.parts(context).into_iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, part)| part).sum()
            })
            .collect();
        let outside = all.saved_bytes_per_token - blocks.iter().map(|block| block.saved_bytes_per_token).sum::<f64>();
        // The input of each block; what the last one gives, unless the final norm keeps it already.
        let streams = self.layers + usize::from(!self.final_norm || matches!(self.norm, NormConfig::None(_)));
        Kept {
            bytes_per_token: outside + (4 * self.width * streams) as f64,
            passing_bytes_per_token: blocks.iter().map(|block| block.saved_bytes_per_token).fold(0.0, f64::max),
            recomputed_flops_per_token: blocks.iter().map(|block| block.flops_per_token).sum::<f64>() / 3.0,
        }
    }

    /// Parameters without token embedding, learned positions and head.
    pub fn non_embedding_parameters(&self) -> u64 {
        let positions = match self.position {
            PositionConfig::Learned(_) => self.position.account(self).parameters,
            _ => 0,
        };
        let head = self.head.account(self.width, self.vocab, self.embedding.tied).parameters;
        self.account(self.context).parameters - (self.vocab * self.width) as u64 - positions - head
    }

    /// Paths and shapes of all parameters, in module order, without building any.
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.sketched().into_iter().map(|parameter| (parameter.path, parameter.shape)).collect()
    }

    /// The same with how each can be divided.
    pub(crate) fn sketched(&self) -> Vec<Sketched> {
        let scope = Scope::sketch(self.layers, self.width);
        self.compose(&scope);
        scope.sketched()
    }

    /// The longest context the positions are defined for: the training context for learned positions, none elsewhere.
    pub fn context_limit(&self) -> Option<usize> {
        self.position.context_limit(self.context)
    }
}

impl Block {
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub(super) fn forward(&self, x: Tensor<3>, position: &Position, pass: &Pass) -> Tensor<3> {
        self.residual.forward(x, |x| self.attention.forward(x, position, pass), |x| self.feed_forward.forward(x, pass), pass)
    }
}

impl Transformer {
    /// Its blocks.
    pub fn layers(&self) -> &[Block] {
        &self.layers
    }

    /// Logits of every position, or of those that are scored.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, seq]`
    /// - output: `[batch, seq, vocab]`; `[1, scored, vocab]` with [`Pass::scored`]
    pub fn forward(&self, tokens: Tensor<2, Int>, pass: &Pass) -> Tensor<3> {
        computing(pass.precision, || self.head.logits(self.hidden(tokens, pass), &self.embedding.weight))
    }

    /// Mean training loss over all tokens of the batch, or over those that are scored. For gradients by any policy of what is
    /// kept, see [`Transformer::record`]; blocks are not run again here.
    ///
    /// # Shapes
    ///
    /// - `tokens`, `targets`: `[batch, seq]`; `targets`: `[1, scored]` with [`Pass::scored`]
    pub fn loss(&self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>, pass: &Pass) -> Loss {
        let loss = || self.loss_of(self.blocks(self.embedding.forward(tokens, &self.position, pass), pass), targets, pass);
        computing(pass.precision, || keeping(pass.activations, loss))
    }

    /// The mean loss from what the last block gives, `[batch, seq, width]`.
    pub(super) fn loss_of(&self, x: Tensor<3>, targets: Tensor<2, Int>, pass: &Pass) -> Loss {
        let x = match &pass.neighbours {
            None => self.normed(scored(self.read(x), pass)),
            // A norm is of a token's own channels: of all tokens, or of those that are scored, it is the same.
            Some(_) => scored(pass.gathered(self.normed(x)), pass),
        };
        let MeanCrossEntropy { objective, nats } = self.head.mean_loss(x, targets, &self.embedding.weight, pass.neighbours.as_ref());
        Loss { objective, nats }
    }

    /// Cross-entropy of every token in nats, without smoothing and z-loss; with [`Pass::scored`], of these.
    ///
    /// # Shapes
    ///
    /// - `tokens`, `targets`: `[batch, seq]`
    /// - output: `[batch, seq]`; both `[1, scored]` with [`Pass::scored`]
    pub fn token_losses(&self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>, pass: &Pass) -> Tensor<2> {
        computing(pass.precision, || self.head.token_losses(self.hidden(tokens, pass), targets, &self.embedding.weight))
    }

    /// Logits at some places of a batch, `chunk` places at a time, so that those of the whole batch never exist at once.
    ///
    /// `places` are indices of tokens, counted through all rows: row · seq + position.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `[batch, seq]`
    /// - what `read` is given, with the part of `places` it belongs to: `[places, vocab]`
    pub fn logits_at(
        &self,
        tokens: Tensor<2, Int>,
        places: &[usize],
        chunk: usize,
        pass: &Pass,
        mut read: impl FnMut(&[usize], Tensor<2>),
    ) {
        computing(pass.precision, || {
            let (hidden, device) = (self.hidden(tokens, pass), self.embedding.weight.device());
            for part in places.chunks(chunk.max(1)) {
                let indices: Vec<i32> = part.iter().map(|place| *place as i32).collect();
                let indices = Tensor::from_data(TensorData::new(indices, [1, part.len()]), &device);
                let logits = self.head.logits(at(hidden.clone(), indices), &self.embedding.weight);
                read(part, logits.squeeze_dim(0));
            }
        });
    }

    /// What the head reads, `[batch, seq, width]` or `[1, scored, width]`.
    fn hidden(&self, tokens: Tensor<2, Int>, pass: &Pass) -> Tensor<3> {
        debug_assert!(pass.neighbours.is_none(), "only the loss is made of parts of a vocabulary");
        let x = self.blocks(self.embedding.forward(tokens, &self.position, pass), pass);
        self.normed(scored(self.read(x), pass))
    }

    /// `[batch, seq, width]` through all blocks.
    fn blocks(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.layers.iter().fold(x, |x, block| block.forward(x, &self.position, pass))
    }

    /// What each position answers from.
    fn read(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.readout {
            Some(readout) => readout.forward(x),
            None => x,
        }
    }

    /// The final norm.
    pub(super) fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.final_norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

/// Of `[batch, seq, width]` the positions that are scored, `[1, scored, width]`; all of it where every position is.
///
/// What has no target reaches no norm and no head, so that a mask is no factor that kernels would have to know: the mean is
/// over fewer rows, and the gradients of the others are zero.
fn scored(x: Tensor<3>, pass: &Pass) -> Tensor<3> {
    match &pass.scored {
        Some(positions) => at(x, positions.clone()),
        None => x,
    }
}

/// Of `[batch, seq, width]` the rows at some positions `[1, count]`, counted through all sequences, `[1, count, width]`.
fn at(x: Tensor<3>, positions: Tensor<2, Int>) -> Tensor<3> {
    let [batch, seq, width] = x.dims();
    embedding(x.reshape([batch * seq, width]), positions)
}

/// The path of a parameter without the segments of enum variants, for visitors that track containers: `true` when a
/// container of this type adds no segment.
pub fn is_variant(container_type: &str) -> bool {
    container_type.starts_with("Enum:")
}
