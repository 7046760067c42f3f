//! Statistics: against SciPy on fixed inputs, and by simulation of whole experiments.

mod experiments;
mod questions;
mod resampled;
mod scipy;
mod sequential;
