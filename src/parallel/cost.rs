//! What a layout costs: memory, bytes on links, seconds of a step.
//!
//! The seconds of a step on one device are a sum, because a device does one thing at a time:
//!
//! | part | seconds |
//! |---|---|
//! | products with weights | FLOPs / (peak × 0.6) |
//! | scores | FLOPs / (peak × 0.3) |
//! | all else | 6 × kept bytes / (memory's bandwidth × 0.8) |
//! | tensor parallelism | what is not hidden of 8 collectives a layer, bytes / (link × 0.8) |
//! | data parallelism | what is not hidden of gradients and parameters, bytes / (link × 0.8) |
//! | optimizer | 28 bytes a parameter / (memory's bandwidth × 0.8) |
//!
//! The shares are round numbers of large runs on A100s, not fitted to what they are tested with: Korthikanti et al. 2022 (table 5)
//! reach 0.56 of the peak with a whole step of 530B, `FlashAttention` (Dao et al. 2022) 0.3 with causal attention.

use super::{Cluster, Layout, Part, Sharded, Timeline, Work};

/// Of the peak, what products with weights reach.
const PRODUCTS: f64 = 0.6;
/// Of the peak, what causal attention reaches.
const SCORES: f64 = 0.3;
/// Of a memory's or a link's bandwidth, what is reached.
const STREAMED: f64 = 0.8;
/// Reads and writes of what is kept: written, read by the next product; on the way back read again, its gradient written and
/// read; one more for what is made again.
const TOUCHED: f64 = 6.0;
/// Collectives of a layer: before and behind each branch the tokens are gathered or its sums scattered, both ways.
const COLLECTIVES: f64 = 8.0;
/// Of these, the half on the way back runs beside the products that make the weights' gradients; ahead nothing can run beside them.
const BESIDE: f64 = 0.5;
/// Bytes of an element in what a [`Part`] says is kept.
const ELEMENT: f64 = 2.0;
/// Bytes of a parameter, of its gradient, of its two moments; in memory and on links.
const FLOAT: f64 = 4.0;
/// Bytes that AdamW reads and writes for a parameter: itself, two moments, both ways, and the gradient.
const UPDATED: f64 = 28.0;
/// Bytes of gradients of a bucket.
const BUCKET: f64 = 64e6;
/// Bytes that the runtime, its libraries and their work spaces take.
const RUNTIME: f64 = 3e9;

/// Bytes on a device when most is held.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// Parameters, in f32, with what is gathered of others'.
    pub parameters: f64,
    /// Gradients, in f32.
    pub gradients: f64,
    /// AdamW's two moments, in f32.
    pub moments: f64,
    /// What a micro-batch keeps for the backward pass.
    pub activations: f64,
    /// Runtime and buckets.
    pub fixed: f64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.parameters + self.gradients + self.moments + self.activations + self.fixed
    }
}

/// Bytes that a device sends in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sent {
    /// Within its group.
    pub tensor: f64,
    /// To those that hold the same part of the model.
    pub data: f64,
}

/// Seconds of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seconds {
    /// Products with weights.
    pub products: f64,
    /// Attention's scores.
    pub scores: f64,
    /// Products that run a second time.
    pub again: f64,
    /// Everything that only moves memory.
    pub moved: f64,
    /// Sending within groups that nothing hides.
    pub tensor: f64,
    /// Sending between groups that nothing hides.
    pub data: f64,
    /// The optimizer.
    pub optimizer: f64,
}

impl Seconds {
    /// The whole step.
    pub fn total(&self) -> f64 {
        self.computed() + self.tensor + self.data + self.optimizer
    }

    fn computed(&self) -> f64 {
        self.products + self.scores + self.again + self.moved
    }
}

/// What a layout costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Bytes on a device.
    pub memory: Memory,
    /// Bytes that a device sends in a step.
    pub sent: Sent,
    /// Seconds of a step.
    pub seconds: Seconds,
    /// The share of sending between groups that is hidden.
    pub hidden: f64,
    /// Tokens per second of a device.
    pub tokens_per_second: f64,
    /// Model FLOPs utilisation: products and scores without what runs a second time, of the peak.
    pub mfu: f64,
    /// Days of the whole run.
    pub days: f64,
    /// The backward pass of the last micro-batch of a step.
    pub backward: Timeline,
}

impl Cost {
    /// The cost of a layout without problems.
    pub fn new(work: &Work, layout: &Layout, cluster: &Cluster) -> Self {
        Model { work, layout, cluster }.cost()
    }
}

struct Model<'a> {
    work: &'a Work,
    layout: &'a Layout,
    cluster: &'a Cluster,
}

impl Model<'_> {
    fn cost(&self) -> Cost {
        let Self { work, layout, cluster } = self;
        let steps = layout.accumulated(work) as f64;
        let all = work.all();
        let each = self.seconds(&all, self.tokens());
        let mut seconds = self.seconds(&all, self.tokens() * steps);
        let sent = Sent { tensor: self.tensor_bytes() * steps, data: self.data_bytes() };
        let tensor = self.tensor_bytes() / (cluster.link(layout.tensor, 1) * STREAMED) * (1.0 - BESIDE);
        seconds.tensor = tensor * steps;
        let backward = self.backward();
        seconds.data = self.exposed(&backward, each, tensor);
        let hidden = if sent.data == 0.0 { 1.0 } else { 1.0 - seconds.data / (sent.data / self.rate()) };
        seconds.optimizer = UPDATED * self.held() / self.divided(Sharded::Moments) / (cluster.kind.bandwidth * STREAMED);
        let tokens_per_second = work.tokens() / seconds.total() / cluster.devices as f64;
        Cost {
            memory: self.memory(),
            sent,
            hidden: hidden.clamp(0.0, 1.0),
            tokens_per_second,
            mfu: tokens_per_second * work.flops() / cluster.kind.flops,
            days: seconds.total() * work.steps as f64 / 86_400.0,
            seconds,
            backward,
        }
    }

    /// Tokens that a device has of a micro-batch, where they are divided.
    fn tokens(&self) -> f64 {
        (self.layout.micro * self.work.context) as f64 / self.layout.tensor as f64
    }

    /// Parameters of a group's member.
    fn held(&self) -> f64 {
        self.work.parameters() / self.layout.tensor as f64
    }

    /// Among how many a stage of sharding divides what it shares.
    fn divided(&self, stage: Sharded) -> f64 {
        if self.layout.sharded >= stage { self.layout.data as f64 } else { 1.0 }
    }

    /// Bytes that are kept for a token.
    fn kept(&self, part: &Part) -> f64 {
        part.kept * self.cluster.kind.element / ELEMENT
    }

    /// What a device computes for so many tokens.
    fn seconds(&self, part: &Part, tokens: f64) -> Seconds {
        let kind = &self.cluster.kind;
        Seconds {
            products: part.products * tokens / (kind.flops * PRODUCTS),
            scores: part.scores * tokens / (kind.flops * SCORES),
            again: part.again * tokens / (kind.flops * PRODUCTS),
            moved: TOUCHED * self.kept(part) * tokens / (kind.bandwidth * STREAMED),
            ..Seconds::default()
        }
    }

    fn memory(&self) -> Memory {
        let held = self.held();
        let largest = self.work.parts().map(|part| part.parameters).fold(0.0, f64::max) / self.layout.tensor as f64;
        let gathered = if self.layout.sharded == Sharded::Parameters { 2.0 * FLOAT * largest } else { 0.0 };
        Memory {
            parameters: FLOAT * held / self.divided(Sharded::Parameters) + gathered,
            gradients: FLOAT * held / self.divided(Sharded::Gradients),
            moments: 2.0 * FLOAT * held / self.divided(Sharded::Moments),
            activations: self.kept(&self.work.all()) * self.tokens(),
            fixed: RUNTIME + if self.layout.data > 1 { 2.0 * BUCKET } else { 0.0 },
        }
    }

    /// Of so many bytes, what a member of a ring of `members` sends when they are gathered or scattered.
    fn ring(members: usize, bytes: f64) -> f64 {
        bytes * (members - 1) as f64 / members as f64
    }

    /// Bytes of tensor parallelism for a micro-batch.
    fn tensor_bytes(&self) -> f64 {
        let tensor = self.layout.tensor;
        let stream = self.cluster.kind.element * (self.layout.micro * self.work.context * self.work.width) as f64;
        COLLECTIVES * Self::ring(tensor, stream) * self.work.layers.len() as f64
    }

    /// Bytes for one gathering of parameters, or one scattering of gradients.
    fn once(&self) -> f64 {
        Self::ring(self.layout.data, FLOAT * self.held())
    }

    fn data_bytes(&self) -> f64 {
        let micro = self.layout.accumulated(self.work) as f64;
        self.once()
            * match self.layout.sharded {
                Sharded::Nothing | Sharded::Moments => 2.0,
                Sharded::Gradients => micro + 1.0,
                Sharded::Parameters => 3.0 * micro,
            }
    }

    fn rate(&self) -> f64 {
        self.cluster.link(self.layout.data, self.layout.tensor) * STREAMED
    }

    /// The backward pass of a micro-batch, from the head to the embedding, with what is sent beside it.
    fn backward(&self) -> Timeline {
        let times = match self.layout.sharded {
            // Gradients are summed up, and given back to all.
            Sharded::Nothing => 2.0,
            Sharded::Moments | Sharded::Gradients => 1.0,
            // Parameters are gathered once more.
            Sharded::Parameters => 2.0,
        };
        let layers = self.work.layers.iter().enumerate().rev().map(|(layer, part)| (format!("layers.{layer}"), part));
        // A head of its own is done first, the embedding last: half of what is outside each.
        let half = Part { parameters: self.work.outside.parameters / 2.0, ..Part::default() };
        let head = Part { parameters: half.parameters, ..self.work.outside };
        let parts = std::iter::once(("head".to_string(), head))
            .chain(layers.map(|(name, part)| (name, *part)))
            .chain([("embedding".to_string(), half)]);
        let steps: Vec<(String, f64, f64)> = parts
            .map(|(name, part)| {
                let seconds = self.seconds(&part, self.tokens());
                let bytes = times * Self::ring(self.layout.data, FLOAT * part.parameters / self.layout.tensor as f64);
                (name, behind(seconds), bytes)
            })
            .collect();
        Timeline::backward(&steps, BUCKET, self.rate())
    }

    /// Seconds of a step in which devices wait for others' gradients or parameters.
    fn exposed(&self, backward: &Timeline, each: Seconds, tensor: f64) -> f64 {
        let ahead = each.computed() - behind(each) + tensor;
        let gathered = (self.once() / self.rate() - ahead).max(0.0);
        let micro = self.layout.accumulated(self.work) as f64;
        match self.layout.sharded {
            _ if self.layout.data == 1 => 0.0,
            Sharded::Nothing => backward.exposed(),
            // What was updated is gathered while the next step's first micro-batch goes ahead.
            Sharded::Moments => backward.exposed() + gathered,
            Sharded::Gradients => backward.exposed() * micro + gathered,
            Sharded::Parameters => (backward.exposed() + gathered) * micro,
        }
    }
}

/// Seconds of the way back: two of three products, two thirds of the rest, and what runs again.
fn behind(seconds: Seconds) -> f64 {
    (seconds.products + seconds.scores + seconds.moved) * 2.0 / 3.0 + seconds.again
}
