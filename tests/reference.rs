//! Tests of `reference` from outside.
