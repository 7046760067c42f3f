//! The section `parallel` of a run.

use super::{Sharded, group::Link};
use crate::settings::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a run lies on several devices. Changes no more than the order in which numbers are added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParallelConfig {
    /// Devices of the run. They share the batch (data parallelism): each takes as many rows of every micro-batch, and their
    /// gradients are added up while the backward pass goes on. On a CPU they are threads. `--devices N` sets it; started by
    /// torchrun or srun with `--distributed`, it is the number of processes.
    pub devices: usize,
    /// How many of them, neighbours, divide each layer among them (tensor parallelism): heads, hidden channels and the vocabulary
    /// within products, tokens outside of them (sequence parallelism); such groups then share the batch. It must divide the
    /// devices, heads, heads of keys, hidden channels and the context.
    pub tensor: usize,
    /// What is held by one only of those who share the batch: `nothing`; `moments` of the optimizer (ZeRO-1); `gradients` (ZeRO-2), with the
    /// moments; `parameters` (ZeRO-3), with both, gathered block by block before use: set train.activations = "recompute" with it,
    /// since other policies keep what was gathered until the backward pass is done with it.
    pub sharded: Sharded,
    /// Megabytes of gradients that are sent together; an eighth of all, but at most 25, unless given. Smaller ones are sent earlier,
    /// larger ones with less overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_megabytes: Option<f64>,
    /// Whether gradients are sent while the backward pass goes on; else after it.
    pub overlap: bool,
    /// Seconds without an answer after which another device counts as lost, and the run ends.
    pub timeout_seconds: u64,
    /// Makes the links between devices that are threads as slow as this, to see what slow links do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkConfig>,
}

/// How slow links are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkConfig {
    /// Megabytes a second that a device can send.
    pub megabytes_per_second: f64,
    /// Microseconds until what is sent begins to arrive.
    #[serde(default)]
    pub latency_microseconds: f64,
}

impl Default for ParallelConfig {
    fn default() -> Self {
        Self { devices: 1, tensor: 1, sharded: Sharded::Nothing, bucket_megabytes: None, overlap: true, timeout_seconds: 600, link: None }
    }
}

impl ParallelConfig {
    /// Whether there is nothing parallel about the run.
    pub fn is_alone(&self) -> bool {
        self.devices == 1
    }

    /// The link that threads have between them, if it is slowed down.
    pub fn link(&self) -> Option<Link> {
        self.link.map(|link| Link { bytes_per_second: link.megabytes_per_second * 1e6, latency: link.latency_microseconds * 1e-6 })
    }

    /// Numbers of a bucket, of so many in f32.
    pub fn bucket(&self, all: usize) -> usize {
        match self.bucket_megabytes {
            Some(megabytes) => (megabytes * 1e6 / 4.0) as usize,
            None => (all / 8).min(25_000_000 / 4),
        }
    }

    /// How long others are waited for.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    /// The broken rules of this section, for micro-batches of so many rows.
    pub fn problems(&self, rows: usize) -> Vec<Problem> {
        let mut problems = vec![];
        let mut require = |holds: bool, key: &str, message: String| {
            if !holds {
                problems.push(Problem::new(format!("parallel.{key}"), message));
            }
        };
        require(self.devices > 0, "devices", "must be at least 1".into());
        require(self.tensor > 0, "tensor", "must be at least 1".into());
        if self.devices > 0 && self.tensor > 0 {
            let groups = self.devices / self.tensor;
            let those = if self.tensor > 1 { " groups of devices" } else { "" };
            require(
                self.devices.is_multiple_of(self.tensor),
                "tensor",
                format!("{} must divide the {} devices (parallel.devices)", self.tensor, self.devices),
            );
            require(
                groups == 0 || rows.is_multiple_of(groups),
                "devices",
                format!("{groups}{those} must divide the {rows} rows of a micro-batch (train.batch / train.accumulation)"),
            );
        }
        require(
            self.bucket_megabytes.is_none_or(|megabytes| megabytes > 0.0 && megabytes.is_finite()),
            "bucket_megabytes",
            "must be a positive number".into(),
        );
        require(self.timeout_seconds > 0, "timeout_seconds", "must be at least 1".into());
        if let Some(LinkConfig { megabytes_per_second: rate, latency_microseconds: latency }) = self.link {
            require(rate > 0.0 && rate.is_finite(), "link.megabytes_per_second", "must be a positive number".into());
            require(latency >= 0.0 && latency.is_finite(), "link.latency_microseconds", "must be 0 or a positive number".into());
        }
        problems
    }
}
