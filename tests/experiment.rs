//! Tests of `experiment` from outside.
