//! Why a question has no answer from these numbers.

/// Why a fit or a reading is refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Too few budgets for a curve.
    #[error("a curve needs base runs at {needed} different budgets or more, and there are {found}")]
    Budgets {
        /// How many it takes.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Too few model sizes for a fit.
    #[error("a fit needs {needed} different model sizes or more, and there are {found}")]
    Sizes {
        /// How many it takes.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Too few seeds with a finished run in every place.
    #[error("it takes {needed} seeds or more that finished everywhere, and there are {found}")]
    Seeds {
        /// How many it takes.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// More compute did not give less loss.
    #[error(
        "the base does not improve with compute: loss {} at {:.3e} and {} at {:.3e}; a loss has no one place on such a curve",
        less.1, less.0, more.1, more.0
    )]
    NotMonotone {
        /// The smaller budget and its loss.
        less: (f64, f64),
        /// The larger budget and its loss.
        more: (f64, f64),
    },
    /// Sizes, budgets and losses are positive numbers.
    #[error("a size, budget or loss is not a positive number")]
    NotPositive,
    /// The losses do not fall as a power of size does.
    #[error("losses do not fall with size like a power of it: no exponent between {low} and {high} fits best")]
    NoExponent {
        /// The smallest exponent tried.
        low: f64,
        /// The largest exponent tried.
        high: f64,
    },
}
