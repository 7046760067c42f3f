//! Values of a fixed size that are sorted on disk.

use serde::{Deserialize, Serialize};

/// Where a document stands: shards in the order of the recipe's sources, documents in the order of their shard.
///
/// Places are ordered, and the lowest of a group of duplicates is the one that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Number of the shard, from 0.
    pub shard: u32,
    /// Number in the shard, from 0.
    pub document: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.shard, self.document)
    }
}

/// A value that is written with a fixed number of bytes, and whose order is the order in files.
pub trait Record: Copy + Ord + Send + Sync + 'static {
    /// Bytes.
    const SIZE: usize;

    /// Writes the value into its [`SIZE`](Self::SIZE) bytes.
    fn write(&self, out: &mut [u8]);

    /// Reads it again.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Record for $number {
            const SIZE: usize = size_of::<$number>();

            #[inline]
            fn write(&self, out: &mut [u8]) {
                out[..Self::SIZE].copy_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn read(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes[..Self::SIZE].try_into().expect("as many bytes as asked for"))
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64, u128);

macro_rules! tuples {
    ($($part:ident $value:ident),*) => {
        impl<$($part: Record),*> Record for ($($part,)*) {
            const SIZE: usize = 0 $(+ $part::SIZE)*;

            #[inline]
            fn write(&self, out: &mut [u8]) {
                let ($($value,)*) = self;
                let out = &mut out[..Self::SIZE];
                $(let ($part, out) = out.split_at_mut($part::SIZE); $value.write($part);)*
                let _ = out;
            }

            #[inline]
            fn read(bytes: &[u8]) -> Self {
                let bytes = &bytes[..Self::SIZE];
                $(let ($part, bytes) = bytes.split_at($part::SIZE); let $value = $part::read($part);)*
                let _ = bytes;
                ($($value,)*)
            }
        }
    };
}
#[allow(non_snake_case)]
mod tuples {
    use super::Record;
    tuples!(A a, B b);
    tuples!(A a, B b, C c);
    tuples!(A a, B b, C c, D d);
}

impl Record for Place {
    const SIZE: usize = 8;

    #[inline]
    fn write(&self, out: &mut [u8]) {
        (self.shard, self.document).write(out);
    }

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let (shard, document) = Record::read(bytes);
        Self { shard, document }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        let place = Place { shard: 7, document: 1 << 31 };
        let record = (u64::MAX - 3, place, 9u32, 1u128 << 100);
        let mut bytes = [0; <(u64, Place, u32, u128)>::SIZE];
        record.write(&mut bytes);
        assert_eq!(<(u64, Place, u32, u128)>::read(&bytes), record);
        assert_eq!(bytes.len(), 8 + 8 + 4 + 16);
        assert!(Place { shard: 0, document: 9 } < Place { shard: 1, document: 0 });
    }
}
