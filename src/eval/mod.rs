//! Bits per byte and generation.
