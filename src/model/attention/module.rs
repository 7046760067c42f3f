//! The attention branch.

use super::{AttentionSpec, QkNormConfig};
use crate::{
    model::{
        Account, Pass,
        init::{Role, Scope},
        linear::Linear,
        norm::{NoNormConfig, Norm, NormConfig},
        position::Position,
    },
    ops::{self, AttentionOptions},
};
use burn::{
    module::Module,
    tensor::{Int, Tensor},
};

/// Causal self-attention of one layer: output(attention(rotate(norm(query(x))), rotate(norm(key(x))), value(x))).
#[derive(Module, Debug)]
pub struct Attention {
    /// `[width, heads·head_dim]`, head-major.
    pub query: Linear,
    /// `[width, kv_heads·head_dim]`, head-major.
    pub key: Linear,
    /// `[width, kv_heads·head_dim]`, head-major.
    pub value: Linear,
    /// `[heads·head_dim, width]`.
    pub output: Linear,
    /// Over a head's channels, or over all.
    pub query_norm: Norm,
    /// Over a head's channels, or over all.
    pub key_norm: Norm,
    #[module(skip)]
    pub(super) spec: AttentionSpec,
    #[module(skip)]
    pub(super) layer: usize,
}

/// The norm of queries and keys, and whether it is over the whole projection.
pub(super) fn qk_norm(config: &QkNormConfig) -> (NormConfig, bool) {
    match config {
        QkNormConfig::None {} => (NormConfig::None(NoNormConfig {}), true),
        QkNormConfig::PerHead { norm } => (norm.clone(), false),
        QkNormConfig::FullWidth { norm } => (norm.clone(), true),
    }
}

impl AttentionSpec {
    /// The attention at the place `scope`, in the scope's layer.
    pub fn build(&self, scope: &Scope, width: usize) -> Attention {
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let (norm, whole) = qk_norm(&self.qk_norm);
        let channels = |all: usize| if whole { all } else { self.head_dim };
        Attention {
            query: Linear::build(&scope.child("query"), width, queries, self.bias.query, Role::QueryKey),
            key: Linear::build(&scope.child("key"), width, keys, self.bias.key, Role::QueryKey),
            value: Linear::build(&scope.child("value"), width, keys, self.bias.value, Role::Value),
            output: Linear::build(&scope.child("output"), queries, width, self.bias.output, Role::Residual),
            query_norm: norm.build(&scope.child("query_norm"), channels(queries)),
            key_norm: norm.build(&scope.child("key_norm"), channels(keys)),
            spec: self.clone(),
            layer: scope.layer_index().unwrap_or(0),
        }
    }

    /// Cost per token of `layer`, from 0, averaged over a sequence of `context` tokens.
    ///
    /// A visible query-key pair costs 2·head_dim for its score and 2·head_dim for its value, per head; training is
    /// three times forward. Kept for backward: the input, queries, keys and values as attention reads them, what the norms of
    /// queries and keys keep, the mixed values and one statistic (log of the softmax's sum) per head.
    pub fn account(&self, width: usize, layer: usize, context: usize) -> Account {
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let (norm, whole) = qk_norm(&self.qk_norm);
        let norms = if whole {
            norm.account(queries) + norm.account(keys)
        } else {
            let one = norm.account(self.head_dim);
            // Each head keeps its own input and statistic, but all share the gain.
            Account {
                parameters: 2 * one.parameters,
                saved_bytes_per_token: (self.heads + self.kv_heads) as f64 * one.saved_bytes_per_token,
                ..Account::default()
            }
        };
        let pairs = visible_pairs(context, self.window_at(layer));
        let (core, core_flops) = (4 * (queries + self.heads), (4 * queries) as f64 * pairs as f64 / context as f64);
        let mixing = Account {
            flops_per_token: 3.0 * core_flops,
            core_bytes_per_token: core as f64,
            core_flops_per_token: core_flops,
            ..Account::kept(4 * (width + queries + 2 * keys) + core)
        };
        Linear::account(width, queries, self.bias.query)
            + Linear::account(width, keys, self.bias.key)
            + Linear::account(width, keys, self.bias.value)
            + Linear::account(queries, width, self.bias.output)
            + norms
            + mixing
    }
}

/// Σ min(i, window) over the queries i = 1 to `context`.
fn visible_pairs(context: usize, window: Option<usize>) -> usize {
    let window = window.unwrap_or(context).min(context);
    window * (window + 1) / 2 + (context - window) * window
}

impl Attention {
    /// # Shapes
    ///
    /// - `x`, output: `[batch, seq, width]`
    pub fn forward(&self, x: Tensor<3>, position: &Position, pass: &Pass) -> Tensor<3> {
        let options = self.options(position, pass);
        let x = pass.gathered(x);
        if matches!(self.spec.qk_norm, QkNormConfig::None {}) {
            let projections = [&self.query, &self.key, &self.value].map(Linear::affine);
            let rotation = position.rotation(self.layer, x.dims()[1]);
            return self.output.forward_summed(ops::self_attention(x, projections, self.spec.head_dim, rotation.as_ref(), &options), pass);
        }
        let [q, k, v] = self.heads(x);
        let (q, k) = position.rotate(q, k, self.layer);
        self.output.forward_summed(ops::join_heads(ops::attention(q, k, v, &options)), pass)
    }

    /// Queries, keys and values by heads, normed, not rotated.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, seq, width]`
    /// - outputs: `[batch, heads, seq, head_dim]`, of keys and values with their own number of heads
    pub(super) fn heads(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        let [batch, seq, _] = x.dims();
        let head_dim = self.spec.head_dim;
        let (_, whole) = qk_norm(&self.spec.qk_norm);
        // As many heads as are here: devices may divide them.
        let split = |x: Tensor<3>| {
            let [_, _, channels] = x.dims();
            x.reshape([batch, seq, channels / head_dim, head_dim])
        };
        let normed = |x: Tensor<3>, norm: &Norm| if whole { split(norm.forward(x)) } else { norm.forward(split(x)) };
        let q = normed(self.query.forward(x.clone()), &self.query_norm);
        let k = normed(self.key.forward(x.clone()), &self.key_norm);
        [q, k, split(self.value.forward(x))].map(|x| x.swap_dims(1, 2))
    }

    /// How queries meet keys.
    pub(super) fn options(&self, position: &Position, pass: &Pass) -> AttentionOptions {
        let options = self.options_from(position, pass.starts.clone().filter(|_| self.spec.document_mask));
        match &pass.neighbours {
            Some(neighbours) => AttentionOptions { bias: options.bias.of_heads(neighbours.part(self.spec.heads)), ..options },
            None => options,
        }
    }

    /// The same where documents start at given places.
    pub(super) fn options_from(&self, position: &Position, starts: Option<Tensor<2, Int>>) -> AttentionOptions {
        AttentionOptions {
            scale: self.spec.scale,
            soft_cap: self.spec.soft_cap,
            window: self.spec.window_at(self.layer),
            starts,
            bias: position.bias(self.layer),
        }
    }
}

#[cfg(test)]
mod tests;
