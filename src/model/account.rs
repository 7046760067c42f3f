//! What a component costs.

use std::ops::{Add, Mul};

/// The cost of a component, in exact integers where the quantity is one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Account {
    /// Learned numbers.
    pub parameters: u64,
    /// Floating-point operations of training per token, averaged over a sequence of the given context: matrix
    /// products only, forward and backward, a multiply-add counts 2, only visible query-key pairs count.
    pub flops_per_token: f64,
    /// Bytes per token that a hand-written backward keeps from the forward pass in f32 (LLaMA section 2.4): inputs of
    /// norms, outputs of linear layers, row statistics.
    pub saved_bytes_per_token: f64,
}

impl Add for Account {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            parameters: self.parameters + other.parameters,
            flops_per_token: self.flops_per_token + other.flops_per_token,
            saved_bytes_per_token: self.saved_bytes_per_token + other.saved_bytes_per_token,
        }
    }
}

impl Mul<Account> for usize {
    type Output = Account;
    fn mul(self, one: Account) -> Account {
        Account {
            parameters: self as u64 * one.parameters,
            flops_per_token: self as f64 * one.flops_per_token,
            saved_bytes_per_token: self as f64 * one.saved_bytes_per_token,
        }
    }
}

impl std::iter::Sum for Account {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}
