//! What a model asks of its devices, in numbers.

/// A layer, or what stands around the layers. What is counted by tokens is counted per token.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// Learned numbers.
    pub parameters: f64,
    /// FLOPs of products with weights, forward and backward; a third of them forward.
    pub products: f64,
    /// FLOPs between queries, keys and values, forward and backward, of visible pairs.
    pub scores: f64,
    /// FLOPs of products that run a second time before the backward pass.
    pub again: f64,
    /// Bytes that are kept for the backward pass.
    pub kept: f64,
}

/// A training run.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Its layers, in the order of the forward pass.
    pub layers: Vec<Part>,
    /// Embedding, final norm, head and loss.
    pub outside: Part,
    /// Channels of the residual stream.
    pub width: usize,
    /// What tensor parallelism divides, by name: heads, heads of keys, hidden channels, tokens of a sequence.
    pub divided: Vec<(&'static str, usize)>,
    /// What it cannot divide.
    pub undivided: Vec<&'static str>,
    /// Tokens of a sequence.
    pub context: usize,
    /// Sequences of an optimizer step, over all devices.
    pub sequences: usize,
    /// Optimizer steps.
    pub steps: usize,
}

impl Work {
    /// Layers and the rest.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.layers.iter().chain(std::iter::once(&self.outside))
    }

    /// All of it as one.
    pub fn all(&self) -> Part {
        self.parts().fold(Part::default(), |sum, part| Part {
            parameters: sum.parameters + part.parameters,
            products: sum.products + part.products,
            scores: sum.scores + part.scores,
            again: sum.again + part.again,
            kept: sum.kept + part.kept,
        })
    }

    /// Learned numbers.
    pub fn parameters(&self) -> f64 {
        self.all().parameters
    }

    /// FLOPs of a token, without what runs a second time.
    pub fn flops(&self) -> f64 {
        let all = self.all();
        all.products + all.scores
    }

    /// Tokens of a step, over all devices.
    pub fn tokens(&self) -> f64 {
        (self.sequences * self.context) as f64
    }
}
