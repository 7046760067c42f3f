//! A model as written and as resolved.

use super::{
    attention::{AttentionConfig, AttentionSpec},
    embedding::EmbeddingConfig,
    feed_forward::{FeedForwardConfig, FeedForwardSpec},
    head::HeadConfig,
    init::InitConfig,
    mup::MupConfig,
    norm::NormConfig,
    position::PositionConfig,
    readout::ReadoutConfig,
    residual::ResidualConfig,
};
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model as written: rules and defaults allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Blocks.
    pub layers: usize,
    /// Channels of the residual stream.
    pub width: usize,
    /// Training context in tokens.
    pub context: usize,
    /// Vocabulary; the tokenizer's by default.
    pub vocab: Option<usize>,
    /// Every norm of the blocks, and the final one.
    pub norm: NormConfig,
    /// A norm before the head. By default: yes, except with `residual.kind = "post"`.
    pub final_norm: Option<bool>,
    /// Block topology.
    pub residual: ResidualConfig,
    /// Attention.
    pub attention: AttentionConfig,
    /// Positions.
    pub position: PositionConfig,
    /// Feed-forward.
    pub feed_forward: FeedForwardConfig,
    /// Embedding.
    pub embedding: EmbeddingConfig,
    /// Head and loss.
    pub head: HeadConfig,
    /// Where answers are read from.
    pub readout: ReadoutConfig,
    /// Initialisation.
    pub init: InitConfig,
    /// Scaling by which what is tuned at one width holds at others; none by default.
    pub mup: Option<MupConfig>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            layers: 4,
            width: 128,
            context: 128,
            vocab: None,
            norm: NormConfig::default(),
            final_norm: None,
            residual: ResidualConfig::default(),
            attention: AttentionConfig::default(),
            position: PositionConfig::default(),
            feed_forward: FeedForwardConfig::default(),
            embedding: EmbeddingConfig::default(),
            head: HeadConfig::default(),
            readout: ReadoutConfig::default(),
            init: InitConfig::default(),
            mup: None,
        }
    }
}

/// A model as resolved: every size explicit, every cross-field rule checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Blocks.
    pub layers: usize,
    /// Channels of the residual stream.
    pub width: usize,
    /// Training context in tokens.
    pub context: usize,
    /// Vocabulary.
    pub vocab: usize,
    /// Every norm of the blocks, and the final one.
    pub norm: NormConfig,
    /// A norm before the head.
    pub final_norm: bool,
    /// Block topology.
    pub residual: ResidualConfig,
    /// Attention.
    pub attention: AttentionSpec,
    /// Positions.
    pub position: PositionConfig,
    /// Feed-forward.
    pub feed_forward: FeedForwardSpec,
    /// Embedding.
    pub embedding: EmbeddingConfig,
    /// Head and loss.
    pub head: HeadConfig,
    /// Where answers are read from.
    // Left out for language models, so that runs from before there was a choice keep their identity.
    #[serde(default, skip_serializing_if = "ReadoutConfig::is_each")]
    pub readout: ReadoutConfig,
    /// Initialisation.
    pub init: InitConfig,
    /// Scaling by which what is tuned at one width holds at others.
    // Left out where there is none, so that runs from before there was a choice keep their identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mup: Option<MupConfig>,
}

impl ModelConfig {
    /// Checks every cross-field rule and fills every size. `vocab` is the tokenizer's size, where there is one.
    ///
    /// # Errors
    ///
    /// All broken rules at once; keys start with `model.`.
    pub fn resolve(&self, vocab: Option<usize>) -> Result<ModelSpec, Vec<Problem>> {
        let mut problems = vec![];
        for (key, size) in [("layers", self.layers), ("width", self.width), ("context", self.context)] {
            if size == 0 {
                problems.push(Problem::new(format!("model.{key}"), "must be positive"));
            }
        }
        // The components divide by these sizes.
        let sizes_hold = problems.is_empty();

        let vocab = keep(self.resolve_vocab(vocab).map_err(|problem| vec![problem]), &mut problems);
        problems.extend(self.norm.problems("model.norm"));
        problems.extend(self.init.problems());
        problems.extend(self.residual.problems());
        problems.extend(self.embedding.problems());
        problems.extend(self.head.problems());
        problems.extend(self.mup.iter().flat_map(MupConfig::problems));
        if self.mup.is_some() && !self.readout.is_each() {
            problems.push(Problem::new("model.readout", "model.mup has no rule for it").help("leave model.mup out"));
        }
        if !sizes_hold {
            return Err(problems);
        }
        let attention = keep(self.attention.resolve(self.width, self.layers, self.mup.as_ref()), &mut problems);
        problems.extend(attention.iter().flat_map(|attention| self.position.problems(attention.head_dim)));
        let feed_forward = keep(self.feed_forward.resolve(self.width), &mut problems);
        match (vocab, attention, feed_forward) {
            (Some(vocab), Some(attention), Some(feed_forward)) if problems.is_empty() => Ok(ModelSpec {
                layers: self.layers,
                width: self.width,
                context: self.context,
                vocab,
                norm: self.norm.clone(),
                final_norm: self.final_norm.unwrap_or_else(|| self.residual.kind.needs_final_norm()),
                residual: self.residual.clone(),
                attention,
                position: self.position.clone(),
                feed_forward,
                embedding: self.embedding.clone(),
                head: self.head.clone(),
                readout: self.readout.clone(),
                init: self.init.clone(),
                mup: self.mup.clone(),
            }),
            _ => Err(problems),
        }
    }

    /// The vocabulary: as written, else the tokenizer's.
    fn resolve_vocab(&self, tokenizer: Option<usize>) -> Result<usize, Problem> {
        let problem = |message: String| Problem::new("model.vocab", message);
        match (self.vocab, tokenizer) {
            (Some(0), _) => Err(problem("must be positive".into())),
            (Some(vocab), Some(least)) if vocab < least => {
                Err(problem(format!("({vocab}) is smaller than the tokenizer's vocabulary ({least})"))
                    .help("leave the key out to take the tokenizer's, or give the tokenizer a smaller one"))
            }
            (Some(vocab), _) | (None, Some(vocab)) => Ok(vocab),
            (None, None) => Err(problem("is needed where no tokenizer gives it".into()).help("set model.vocab to the number of tokens")),
        }
    }
}

/// The value, or its problems added to the others.
fn keep<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|mut more| problems.append(&mut more)).ok()
}
