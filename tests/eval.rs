//! Tests of `eval` from outside.

mod generate;
