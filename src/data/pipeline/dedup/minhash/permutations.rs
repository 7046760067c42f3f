//! The hash functions whose lowest values make a signature, and their parameters.

use super::{MinhashConfig, Scheme, ShingleHash, mersenne::MersenneTwister};
use sha1::{Digest, Sha1};
use xxhash_rust::{xxh3::xxh3_64, xxh64::xxh64};

/// The prime 2⁶¹ − 1.
const PRIME: u64 = (1 << 61) - 1;
/// Functions that are computed side by side.
const LANES: usize = 16;
/// Shingles that wait to be looked at together.
const BATCH: usize = 512;

/// The functions of a signature: x ↦ (a·x + b mod 2⁶⁴) mod 2⁶¹ − 1, or a·x + b mod 2³² with the upper half of x.
pub(super) struct Permutations {
    scheme: Scheme,
    hash: ShingleHash,
    count: usize,
    wide: Vec<[[u64; LANES]; 2]>,
    narrow: Vec<[[u32; LANES]; 2]>,
}

impl Permutations {
    /// As many as bands × rows; the parameters are those that numpy's `RandomState` draws for datatrove.
    pub(super) fn new(config: &MinhashConfig) -> Self {
        let count = config.bands * config.rows;
        let mut random = MersenneTwister::new(config.seed);
        let a: Vec<u64> = (0..count).map(|_| 1 + random.below(PRIME - 1)).collect();
        let b: Vec<u64> = (0..count).map(|_| random.below(PRIME)).collect();
        let groups = count.div_ceil(LANES);
        let lane = |from: &[u64], group: usize| std::array::from_fn(|lane| from.get(group * LANES + lane).copied().unwrap_or(1));
        let wide: Vec<[[u64; LANES]; 2]> = (0..groups).map(|group| [lane(&a, group), lane(&b, group)]).collect();
        // The upper bits of the same draws; a factor must be odd.
        let narrow = wide.iter().map(|[a, b]| [a.map(|a| (a >> 29) as u32 | 1), b.map(|b| (b >> 29) as u32)]).collect();
        Self { scheme: config.scheme, hash: config.hash, count, wide, narrow }
    }

    /// Hash of a shingle.
    #[inline]
    pub(super) fn shingle(&self, shingle: &[u8]) -> u64 {
        match (self.scheme, self.hash) {
            (Scheme::Fast, _) => xxh3_64(shingle),
            (Scheme::Datatrove, ShingleHash::Xxhash) => xxh64(shingle, 0),
            (Scheme::Datatrove, ShingleHash::Sha1) => {
                u64::from_le_bytes(Sha1::digest(shingle)[..8].try_into().expect("a hash has 20 bytes"))
            }
        }
    }

    /// An empty signature.
    pub(super) fn signer(&self) -> Signer<'_> {
        Signer { functions: self, batch: Vec::with_capacity(BATCH), wide: vec![], narrow: vec![], any: false, out: vec![] }
    }
}

/// The lowest values of the functions over the shingles of a document.
pub(super) struct Signer<'a> {
    functions: &'a Permutations,
    batch: Vec<u64>,
    wide: Vec<[u64; LANES]>,
    narrow: Vec<[u32; LANES]>,
    any: bool,
    out: Vec<u64>,
}

impl Signer<'_> {
    /// Starts the next document.
    pub(super) fn clear(&mut self) {
        self.batch.clear();
        self.any = false;
        match self.functions.scheme {
            Scheme::Datatrove => self.wide = vec![[u64::MAX >> 1; LANES]; self.functions.wide.len()],
            Scheme::Fast => self.narrow = vec![[u32::MAX; LANES]; self.functions.narrow.len()],
        }
    }

    /// Adds the hash of a shingle.
    #[inline]
    pub(super) fn push(&mut self, shingle: u64) {
        self.batch.push(shingle);
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.any |= !self.batch.is_empty();
        match self.functions.scheme {
            Scheme::Datatrove => lowest_wide(&self.functions.wide, &self.batch, &mut self.wide),
            Scheme::Fast => {
                let mut narrow = [0; BATCH];
                narrow.iter_mut().zip(&self.batch).for_each(|(narrow, shingle)| *narrow = (shingle >> 32) as u32);
                lowest_narrow(&self.functions.narrow, &narrow[..self.batch.len()], &mut self.narrow);
            }
        }
        self.batch.clear();
    }

    /// The signature; none without a shingle.
    pub(super) fn finish(&mut self) -> Option<&[u64]> {
        self.flush();
        self.out.clear();
        match self.functions.scheme {
            Scheme::Datatrove => self.out.extend(self.wide.iter().flatten()),
            Scheme::Fast => self.out.extend(self.narrow.iter().flatten().map(|low| u64::from(*low))),
        }
        self.any.then(|| &self.out[..self.functions.count])
    }
}

#[inline(always)]
fn wide(functions: &[[[u64; LANES]; 2]], shingles: &[u64], lowest: &mut [[u64; LANES]]) {
    for ([a, b], lowest) in functions.iter().zip(lowest) {
        let mut low = *lowest;
        for shingle in shingles {
            for lane in 0..LANES {
                let value = shingle.wrapping_mul(a[lane]).wrapping_add(b[lane]);
                // Modulo 2⁶¹ − 1: the upper three bits come again below, and what reaches the prime wraps.
                let folded = (value & PRIME) + (value >> 61);
                let value = (folded + ((folded + 1) >> 61)) & PRIME;
                // All values fit into 62 bits, so that signed comparisons do, which older instruction sets have.
                low[lane] = if (value as i64) < low[lane] as i64 { value } else { low[lane] };
            }
        }
        *lowest = low;
    }
}

#[inline(always)]
fn narrow(functions: &[[[u32; LANES]; 2]], shingles: &[u32], lowest: &mut [[u32; LANES]]) {
    for ([a, b], lowest) in functions.iter().zip(lowest) {
        let mut low = *lowest;
        for shingle in shingles {
            for lane in 0..LANES {
                low[lane] = low[lane].min(shingle.wrapping_mul(a[lane]).wrapping_add(b[lane]));
            }
        }
        *lowest = low;
    }
}

/// The same loop for processors with wider registers: several times as fast, and its results are the same.
macro_rules! by_processor {
    ($name:ident, $wider:ident, $body:ident, $number:ty) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $wider(functions: &[[[$number; LANES]; 2]], shingles: &[$number], lowest: &mut [[$number; LANES]]) {
            $body(functions, shingles, lowest);
        }

        fn $name(functions: &[[[$number; LANES]; 2]], shingles: &[$number], lowest: &mut [[$number; LANES]]) {
            #[cfg(target_arch = "x86_64")]
            if std::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has just been asked for the instructions that the function is compiled with.
                return unsafe { $wider(functions, shingles, lowest) };
            }
            $body(functions, shingles, lowest);
        }
    };
}
by_processor!(lowest_wide, lowest_wide_avx2, wide, u64);
by_processor!(lowest_narrow, lowest_narrow_avx2, narrow, u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_loops_do_what_the_slow_arithmetic_does() {
        for scheme in [Scheme::Datatrove, Scheme::Fast] {
            let config = MinhashConfig { bands: 3, rows: 7, scheme, ..MinhashConfig::default() };
            let functions = Permutations::new(&config);
            let shingles: Vec<u64> = (1..1300u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).chain([0, u64::MAX]).collect();
            let mut signer = functions.signer();
            signer.clear();
            assert!(signer.finish().is_none());
            signer.clear();
            shingles.iter().for_each(|shingle| signer.push(*shingle));
            let signature = signer.finish().unwrap().to_vec();
            assert_eq!(signature.len(), 21);
            for (number, low) in signature.into_iter().enumerate() {
                let lane = number % LANES;
                let expected = match scheme {
                    Scheme::Datatrove => {
                        let [a, b] = [0, 1].map(|part| u128::from(functions.wide[number / LANES][part][lane]));
                        let value = |x: u64| ((u128::from(x) * a + b) % (1 << 64)) % u128::from(PRIME);
                        shingles.iter().map(|x| value(*x) as u64).min().unwrap()
                    }
                    Scheme::Fast => {
                        let [a, b] = [0, 1].map(|part| u64::from(functions.narrow[number / LANES][part][lane]));
                        shingles.iter().map(|x| ((x >> 32) * a + b) % (1 << 32)).min().unwrap()
                    }
                };
                assert_eq!(low, expected);
            }
        }
    }
}
