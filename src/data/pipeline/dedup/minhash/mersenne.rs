//! The random numbers that datatrove draws its hash functions with.

/// MT19937 (Matsumoto and Nishimura 1998) as numpy's `RandomState(seed)` seeds and reads it.
pub(super) struct MersenneTwister {
    state: [u32; 624],
    at: usize,
}

impl MersenneTwister {
    /// Seeded with a number.
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for at in 1..624 {
            let last: u32 = state[at - 1];
            state[at] = 1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(at as u32);
        }
        Self { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            for at in 0..624 {
                let bits = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % 624] & 0x7fff_ffff);
                let twist = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + 397) % 624] ^ (bits >> 1) ^ twist;
            }
            self.at = 0;
        }
        let mut value = self.state[self.at];
        self.at += 1;
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c_5680;
        value ^= (value << 15) & 0xefc6_0000;
        value ^ (value >> 18)
    }

    /// `randint(0, limit, dtype=uint64)`: as many bits as the highest value has, drawn again while they are too many.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let highest = limit - 1;
        let mask = u64::MAX >> highest.leading_zeros();
        loop {
            let high = u64::from(self.next());
            let value = (high << 32 | u64::from(self.next())) & mask;
            if value <= highest {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_numpys() {
        // np.random.RandomState(5489).randint(0, 1 << 64, dtype=uint64) begins with the published first outputs of MT19937.
        let mut random = MersenneTwister::new(5489);
        assert_eq!([random.next(), random.next(), random.next()], [3_499_211_612, 581_869_302, 3_890_346_734]);
    }
}
