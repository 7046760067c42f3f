//! What a component costs.

use crate::ops::Activations;
use std::ops::{Add, Mul};

/// The cost of a component, in exact integers where the quantity is one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Account {
    /// Learned numbers.
    pub parameters: u64,
    /// Floating-point operations of training per token, averaged over a sequence of the given context: matrix
    /// products only, forward and backward, a multiply-add counts 2, only visible query-key pairs count.
    pub flops_per_token: f64,
    /// Bytes per token that the fused operators keep for the backward pass by [`Activations::All`], in f32. What several
    /// operators keep at one place counts once, where it is read first; parameters and their gradients do not count.
    pub saved_bytes_per_token: f64,
    /// Of these bytes, what [`Activations::LinearOutputs`] makes again.
    pub cheap_bytes_per_token: f64,
    /// Of these bytes, what [`Activations::Selective`] makes again.
    pub core_bytes_per_token: f64,
    /// Floating-point operations per token of doing so.
    pub core_flops_per_token: f64,
}

/// What a policy keeps of the forward pass, and what it costs to make the rest again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// Bytes per token that are kept when the backward pass begins, in f32.
    pub bytes_per_token: f64,
    /// Bytes per token that the backward pass keeps for a while on top of these: the block that runs again.
    pub passing_bytes_per_token: f64,
    /// Floating-point operations per token of matrix products that run a second time.
    pub recomputed_flops_per_token: f64,
}

impl Account {
    /// Bytes that fused operators keep until the backward pass.
    pub(super) fn kept(bytes: usize) -> Self {
        Self { saved_bytes_per_token: bytes as f64, ..Self::default() }
    }

    /// Of bytes that are kept, the share that is made again from the outputs of matrices.
    pub(super) fn cheap(bytes: usize) -> Self {
        Self { cheap_bytes_per_token: bytes as f64, ..Self::default() }
    }

    /// Bytes that were counted twice.
    pub(super) fn shared(bytes: usize) -> Self {
        Self { saved_bytes_per_token: -(bytes as f64), ..Self::default() }
    }

    /// What is kept where no block runs again.
    pub(super) fn kept_by(&self, activations: Activations) -> Kept {
        let saved = self.saved_bytes_per_token;
        match activations {
            Activations::All | Activations::Recompute => Kept { bytes_per_token: saved, ..Kept::default() },
            Activations::LinearOutputs => Kept { bytes_per_token: saved - self.cheap_bytes_per_token, ..Kept::default() },
            Activations::Selective => Kept {
                bytes_per_token: saved - self.core_bytes_per_token,
                recomputed_flops_per_token: self.core_flops_per_token,
                ..Kept::default()
            },
        }
    }
}

impl Add for Account {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            parameters: self.parameters + other.parameters,
            flops_per_token: self.flops_per_token + other.flops_per_token,
            saved_bytes_per_token: self.saved_bytes_per_token + other.saved_bytes_per_token,
            cheap_bytes_per_token: self.cheap_bytes_per_token + other.cheap_bytes_per_token,
            core_bytes_per_token: self.core_bytes_per_token + other.core_bytes_per_token,
            core_flops_per_token: self.core_flops_per_token + other.core_flops_per_token,
        }
    }
}

impl Mul<Account> for usize {
    type Output = Account;
    fn mul(self, one: Account) -> Account {
        let times = |number: f64| self as f64 * number;
        Account {
            parameters: self as u64 * one.parameters,
            flops_per_token: times(one.flops_per_token),
            saved_bytes_per_token: times(one.saved_bytes_per_token),
            cheap_bytes_per_token: times(one.cheap_bytes_per_token),
            core_bytes_per_token: times(one.core_bytes_per_token),
            core_flops_per_token: times(one.core_flops_per_token),
        }
    }
}

impl std::iter::Sum for Account {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}
