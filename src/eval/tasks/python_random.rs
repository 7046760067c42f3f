//! Python's `random.Random`: the few-shot examples of published evaluations are whatever it draws.
//!
//! The Mersenne Twister MT19937 (Matsumoto & Nishimura 1998), seeded and read as CPython does since version 3.2
//! (`Lib/random.py`, `Modules/_randommodule.c`): `seed(int)`, `sample`, `shuffle`.

use std::collections::HashSet;

const N: usize = 624;
const M: usize = 397;

/// The generator.
pub(super) struct PythonRandom {
    state: [u32; N],
    next: usize,
}

impl PythonRandom {
    /// `random.Random(seed)`: `init_by_array` over the 32-bit digits of the seed.
    pub(super) fn new(seed: u64) -> Self {
        let digits = if seed >> 32 == 0 { vec![seed as u32] } else { vec![seed as u32, (seed >> 32) as u32] };
        let mut state = [0u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            state[i] = 1_812_433_253u32.wrapping_mul(state[i - 1] ^ (state[i - 1] >> 30)).wrapping_add(i as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(digits.len()) {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_664_525);
            state[i] = (state[i] ^ mixed).wrapping_add(digits[j]).wrapping_add(j as u32);
            (i, j) = (i + 1, (j + 1) % digits.len());
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 0..N - 1 {
            let mixed = (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(1_566_083_941);
            state[i] = (state[i] ^ mixed).wrapping_sub(i as u32);
            i += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, next: N }
    }

    fn word(&mut self) -> u32 {
        if self.next >= N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let twist = if y & 1 == 0 { 0 } else { 0x9908_b0df };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `_randbelow`: bits as long as those of `n`, drawn again until below it. `n` fits 32 bits and is not 0.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let drawn = (self.word() >> (32 - bits)) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }

    /// The places that `sample(population, count)` takes from a population of `size`, in its order.
    ///
    /// # Panics
    ///
    /// If `count` is larger than `size`.
    pub(super) fn sample(&mut self, size: usize, count: usize) -> Vec<usize> {
        assert!(count <= size, "a sample of {count} from {size}");
        // Below this size of the population CPython draws from a list that shrinks, above it draws again what it had.
        let mut list_size = 21;
        if count > 5 {
            list_size += 4usize.pow(((count * 3) as f64).log(4.0).ceil() as u32);
        }
        if size <= list_size {
            let mut pool: Vec<usize> = (0..size).collect();
            return (0..count)
                .map(|i| {
                    let j = self.below(size - i);
                    let taken = pool[j];
                    pool[j] = pool[size - i - 1];
                    taken
                })
                .collect();
        }
        let mut taken = HashSet::new();
        let mut draw = || loop {
            let j = self.below(size);
            if taken.insert(j) {
                return j;
            }
        };
        (0..count).map(|_| draw()).collect()
    }

    /// `shuffle(list)`.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            let j = self.below(i + 1);
            list.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CPython 3.11 answers.
    #[test]
    fn draws_what_python_draws() {
        let cases: [(u64, usize, &[usize], [usize; 2]); 5] = [
            (1234, 10, &[7, 1, 0], [1, 0]),
            (1235, 40, &[27, 34, 37, 30, 25, 9, 22, 39, 13, 19], [6, 26]),
            (1234, 5000, &[3610, 957, 61, 742, 4769, 286, 687, 806, 2905, 1939], [142, 252]),
            (0, 21, &[12, 13, 1, 8, 16], [15, 12]),
            (7, 22, &[10, 4, 12, 20, 1], [2, 17]),
        ];
        for (seed, size, first, second) in cases {
            let mut random = PythonRandom::new(seed);
            assert_eq!(random.sample(size, first.len()), first, "seed {seed}");
            assert_eq!(random.sample(size, 2), second, "seed {seed}, drawn again");
        }
        let mut all = PythonRandom::new((1 << 40) + 5).sample(64, 64);
        assert_eq!(all[..10], [34, 42, 59, 1, 33, 48, 52, 53, 50, 58]);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..64));
        let mut list: Vec<usize> = (0..12).collect();
        PythonRandom::new(1337).shuffle(&mut list);
        assert_eq!(list, [6, 0, 1, 4, 10, 7, 3, 11, 2, 5, 8, 9]);
    }
}
