//! Twenty steps of training.
