//! Tests of `model` from outside.
