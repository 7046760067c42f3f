//! Tests of `train` from outside.
