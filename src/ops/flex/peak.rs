//! The multiply-adds that this processor can do: what a matrix product is measured against.

use super::simd;
use pulp::{Simd, WithSimd};
use std::{hint::black_box, mem, time::Instant};

/// Multiply-adds in flight, each in a register of its own: more than the latency times the units of processors today (4
/// cycles times 2), fewer than the 16 registers of AVX2.
const CHAINS: usize = 12;

/// Multiply-adds of each chain in one measurement: long beside waking a thread, short beside its turn on a busy machine.
const LENGTH: usize = 1 << 20;

/// Measurements, of which the fastest counts.
const ROUNDS: usize = 50;

/// Rates of a loop of nothing but multiply-adds in registers, with the widest instructions of this processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// FLOP/s in f32 of one thread; a multiply-add counts 2.
    pub one_thread: f64,
    /// FLOP/s in f32 of all threads at once.
    pub all_threads: f64,
    /// Numbers in a vector: 16 with AVX-512, 8 with AVX2.
    pub lanes: usize,
    /// Threads.
    pub threads: usize,
}

/// Measures the rates; takes a fraction of a second.
pub fn peak() -> Peak {
    let threads = rayon::current_num_threads();
    let lanes = simd::run(Chains { length: 1 });
    let rate = |threads: usize, run: &dyn Fn()| {
        let fastest = (0..ROUNDS).map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64()
        });
        (2 * threads * CHAINS * lanes * LENGTH) as f64 / fastest.fold(f64::INFINITY, f64::min)
    };
    let one = || {
        simd::run(Chains { length: LENGTH });
    };
    Peak {
        one_thread: rate(1, &one),
        all_threads: rate(threads, &|| {
            rayon::broadcast(|_| one());
        }),
        lanes,
        threads,
    }
}

/// Runs the chains; gives the numbers in a vector.
struct Chains {
    length: usize,
}

impl WithSimd for Chains {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        // Converges to y/(1 - x): no overflow, no subnormal number.
        let (x, y) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
        let mut chains = [simd.splat_f32s(black_box(0.0)); CHAINS];
        for _ in 0..self.length {
            for chain in &mut chains {
                *chain = simd.mul_add_e_f32s(*chain, x, y);
            }
        }
        for chain in chains {
            black_box(chain);
        }
        mem::size_of::<S::f32s>() / mem::size_of::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_a_processor() {
        let peak = peak();
        assert!([1, 4, 8, 16].contains(&peak.lanes) && peak.threads >= 1);
        // Between an emulated processor and ten times the fastest core of today.
        for rate in [peak.one_thread, peak.all_threads / peak.threads as f64] {
            assert!((1e7..5e12).contains(&rate), "{peak:?}");
        }
    }
}
