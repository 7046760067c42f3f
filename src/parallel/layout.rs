//! How a run lies on its devices.

use super::{Cluster, Work};
use crate::settings::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What the devices that hold the same part of a model share out among them (Rajbhandari et al. 2020, "ZeRO", section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharded {
    /// Nothing: every one holds all.
    #[default]
    Nothing,
    /// Moments: ZeRO-1.
    Moments,
    /// Moments and gradients: ZeRO-2.
    Gradients,
    /// Moments, gradients and parameters, which are gathered before use: ZeRO-3.
    Parameters,
}

impl Sharded {
    /// All stages, by how much is shared.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Moments, Self::Gradients, Self::Parameters];
}

impl Sharded {
    /// The name of the last that is shared.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Moments => "moments",
            Self::Gradients => "gradients",
            Self::Parameters => "parameters",
        }
    }
}

impl fmt::Display for Sharded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Sharded {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::name).join(", ");
        let wrong = || Error::input(format!("--sharded {name}"), "is nothing that can be shared out", format!("write one of {known}"));
        Self::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(wrong)
    }
}

/// A layout. Neighbours in a node divide the layers between them (`tensor`, with the sequences divided outside of products:
/// Korthikanti et al. 2022); such groups share the batch (`data`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Groups that share the batch.
    pub data: usize,
    /// Devices of a group.
    pub tensor: usize,
    /// What is held by one of `data` devices only.
    pub sharded: Sharded,
    /// Sequences that a group works on at a time.
    pub micro: usize,
}

/// Why `tensor` neighbours cannot divide layers with these sizes, by name, and with what cannot be divided at all.
pub fn indivisible(sizes: &[(&'static str, usize)], undivided: &[&'static str], tensor: usize) -> Vec<String> {
    let uneven = sizes.iter().filter(|(_, size)| !size.is_multiple_of(tensor));
    let whole = undivided.iter().filter(|_| tensor > 1).map(|what| format!("{what} cannot be divided"));
    uneven.map(|(name, size)| format!("{size} {name} cannot be divided by {tensor}")).chain(whole).collect()
}

impl Layout {
    /// Micro-batches of a step.
    pub fn accumulated(&self, work: &Work) -> usize {
        work.sequences / (self.data * self.micro)
    }

    /// Why the run cannot lie like this, memory aside.
    pub fn problems(&self, work: &Work, cluster: &Cluster) -> Vec<String> {
        let mut problems = vec![];
        if self.data * self.tensor != cluster.devices {
            problems.push(format!("{} × {} devices are not the cluster's {}", self.data, self.tensor, cluster.devices));
        }
        if self.tensor > cluster.kind.node {
            problems.push(format!("a group of {} leaves its node of {}", self.tensor, cluster.kind.node));
        }
        problems.extend(indivisible(&work.divided, &work.undivided, self.tensor));
        if !work.sequences.is_multiple_of(self.data * self.micro) {
            problems.push(format!("{} sequences cannot be divided by {} groups × {}", work.sequences, self.data, self.micro));
        }
        problems
    }
}
