//! A fast hash for tables that hold nothing an attacker chose; tables are only looked up, never walked.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map with [`Fold`].
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fold>>;

/// Multiply and fold, eight bytes at a time.
#[derive(Default)]
pub(super) struct Fold(u64);

impl Fold {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.add(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        let rest = chunks.remainder().iter().fold(bytes.len() as u64, |sum, &byte| sum << 8 | u64::from(byte));
        self.add(rest);
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }
}
