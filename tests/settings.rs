//! Tests of `settings` from outside.
