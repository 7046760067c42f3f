//! Which source the sequence of an index comes from.
//!
//! Sequences are dealt in blocks. Up to the end of every block, each source has had its share of all sequences so far to within
//! one, by largest remainders (Hamilton); inside a block sources are shuffled. So proportions are exact, any index is found
//! in constant time, and nothing depends on who reads.

use super::Permutation;
use crate::random::{Purpose, generator};
use rand::Rng;

/// Sequences of a block, unless a source is so rare that it would get none in some.
const BLOCK: u64 = 4096;
/// What shares are counted in.
const UNIT: u64 = 1 << 40;

/// Weights from some sequence on.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::data) struct Stage {
    /// The first sequence of the stage; 0 for the first stage.
    pub from: u64,
    /// Weights of the sources; not negative, not all zero.
    pub weights: Vec<f64>,
}

/// A draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Drawn {
    /// Number of the source.
    pub source: usize,
    /// How many sequences the source has given before.
    pub nth: u64,
}

/// Sources by weight, in stages.
#[derive(Clone, Debug)]
pub(in crate::data) struct Mixture {
    seed: u64,
    stages: Vec<Dealt>,
}

/// A stage with what came before it.
#[derive(Clone, Debug)]
struct Dealt {
    from: u64,
    /// Shares in [`UNIT`]s; they add up to it.
    shares: Vec<u64>,
    /// Sequences of a block.
    block: u64,
    /// What each source gave in earlier stages.
    before: Vec<u64>,
}

impl Mixture {
    /// A mixture; the first stage must begin at 0, the others at rising sequences.
    ///
    /// # Panics
    ///
    /// If stages are not in order or differ in the number of sources.
    pub fn new(seed: u64, stages: &[Stage]) -> Self {
        assert!(stages.first().is_some_and(|stage| stage.from == 0), "a mixture begins at its beginning");
        let mut dealt: Vec<Dealt> = Vec::with_capacity(stages.len());
        for stage in stages {
            let before = dealt.last().map_or_else(
                || vec![0; stage.weights.len()],
                |last| {
                    assert!(stage.from > last.from && stage.weights.len() == last.shares.len(), "stages in order, of the same sources");
                    last.given(stage.from - last.from)
                },
            );
            let shares = shares(&stage.weights);
            // Between two ends of blocks a source's count may fall by rounding unless it gets two at least.
            let least = shares.iter().copied().filter(|share| *share > 0).min().unwrap_or(UNIT);
            let block = BLOCK.max((2 * UNIT).div_ceil(least));
            dealt.push(Dealt { from: stage.from, shares, block, before });
        }
        Self { seed, stages: dealt }
    }

    /// The source of sequence `index`.
    pub fn at(&self, index: u64) -> Drawn {
        let stage = self.stages.partition_point(|stage| stage.from <= index) - 1;
        let end = self.stages.get(stage + 1).map(|next| next.from);
        let it = &self.stages[stage];
        let within = index - it.from;
        let number = within / it.block;
        let start = number * it.block;
        // The last block of a stage may be short.
        let size = end.map_or(it.block, |end| it.block.min(end - it.from - start));
        let (from, to) = (it.given(start), it.given(start + size));
        let mut random = generator(self.seed, Purpose::DataOrder, &format!("mixture {stage}"));
        let mut place = Permutation::new(random.next_u64(), number, size).at(within - start);
        for source in 0..from.len() {
            let here = to[source] - from[source];
            if place < here {
                return Drawn { source, nth: from[source] + place };
            }
            place -= here;
        }
        unreachable!("what a block gives adds up to its size")
    }

    /// How many of the first `count` sequences each source gives.
    pub fn given(&self, count: u64) -> Vec<u64> {
        let mut given = vec![0; self.stages[0].shares.len()];
        // Whole blocks by the quota, the rest one by one.
        let stage = &self.stages[self.stages.partition_point(|stage| stage.from < count.max(1)) - 1];
        let whole = (count - stage.from) / stage.block * stage.block;
        given.clone_from(&stage.given(whole));
        for index in stage.from + whole..count {
            given[self.at(index).source] += 1;
        }
        given
    }
}

impl Dealt {
    /// What each source has given after `count` sequences of this stage, `count` being the end of a block.
    fn given(&self, count: u64) -> Vec<u64> {
        let exact = |share: u64| u128::from(share) * u128::from(count);
        let mut quotas: Vec<u64> = self.shares.iter().map(|share| (exact(*share) / u128::from(UNIT)) as u64).collect();
        let left = count - quotas.iter().sum::<u64>();
        let mut order: Vec<usize> = (0..quotas.len()).collect();
        order.sort_by_key(|source| (std::cmp::Reverse(exact(self.shares[*source]) % u128::from(UNIT)), *source));
        order[..left as usize].iter().for_each(|source| quotas[*source] += 1);
        quotas.iter().zip(&self.before).map(|(quota, before)| quota + before).collect()
    }
}

/// Weights as whole units, by largest remainders.
fn shares(weights: &[f64]) -> Vec<u64> {
    let total: f64 = weights.iter().sum();
    assert!(total > 0.0 && weights.iter().all(|weight| *weight >= 0.0), "weights are not negative, and not all zero");
    let exact: Vec<f64> = weights.iter().map(|weight| weight / total * UNIT as f64).collect();
    let mut shares: Vec<u64> = exact.iter().map(|share| share.floor() as u64).collect();
    let mut order: Vec<usize> = (0..weights.len()).filter(|source| weights[*source] > 0.0).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    let left = UNIT.saturating_sub(shares.iter().sum());
    for turn in 0..left as usize {
        shares[order[turn % order.len()]] += 1;
    }
    // Rounding of f64 may have given a unit too many.
    let over = shares.iter().sum::<u64>() - UNIT;
    if over > 0 {
        let largest = (0..shares.len()).max_by_key(|source| shares[*source]).expect("there is a source");
        shares[largest] -= over;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 1 of Touvron et al. 2023.
    const LLAMA: [f64; 7] = [67.0, 15.0, 4.5, 4.5, 4.5, 2.5, 2.0];

    fn stage(from: u64, weights: &[f64]) -> Stage {
        Stage { from, weights: weights.to_vec() }
    }

    fn drawn(mixture: &Mixture, count: u64) -> Vec<Drawn> {
        (0..count).map(|index| mixture.at(index)).collect()
    }

    #[test]
    fn proportions_are_exact_at_the_end_of_every_block() {
        let mixture = Mixture::new(3, &[stage(0, &LLAMA)]);
        let mut counts = [0u64; 7];
        for index in 0..5 * BLOCK {
            let Drawn { source, nth } = mixture.at(index);
            assert!(nth < counts[source] + BLOCK);
            counts[source] += 1;
            if (index + 1).is_multiple_of(BLOCK) {
                for (count, weight) in counts.iter().zip(LLAMA) {
                    assert!((*count as f64 - weight / 100.0 * (index + 1) as f64).abs() < 1.0, "{counts:?}");
                }
                assert_eq!(mixture.given(index + 1), counts);
            }
        }
    }

    /// Every source gives its sequences 0, 1, 2, …, each once, whatever the weights and however stages cut blocks.
    #[test]
    fn every_source_gives_each_of_its_sequences_once() {
        for stages in [
            vec![stage(0, &[1.0])],
            vec![stage(0, &[0.0, 1.0, 3.0])],
            vec![stage(0, &[1.0, 1.0, 1.0]), stage(1000, &[0.0, 0.0, 1.0]), stage(7001, &[5.0, 0.0, 1e-3])],
            vec![stage(0, &[1.0, 1e-4])],
        ] {
            let mixture = Mixture::new(11, &stages);
            let count = mixture.stages.last().unwrap().from + 2 * mixture.stages.last().unwrap().block;
            let mut seen: Vec<Vec<u64>> = vec![vec![]; stages[0].weights.len()];
            drawn(&mixture, count).iter().for_each(|it| seen[it.source].push(it.nth));
            for (source, mut numbers) in seen.into_iter().enumerate() {
                numbers.sort_unstable();
                assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "source {source} of {stages:?}");
                assert_eq!(mixture.given(count)[source], numbers.len() as u64);
            }
        }
    }

    #[test]
    fn seeds_shuffle_and_stages_change_the_weights() {
        let of = |seed| drawn(&Mixture::new(seed, &[stage(0, &LLAMA)]), 2000);
        assert_eq!(of(1), of(1));
        let same = of(1).iter().zip(&of(2)).filter(|(a, b)| a == b).count();
        assert!(same < 20, "{same}");
        let mixture = Mixture::new(1, &[stage(0, &[1.0, 0.0]), stage(10, &[0.0, 1.0])]);
        assert_eq!(drawn(&mixture, 12).iter().map(|it| it.source).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((mixture.given(0), mixture.given(10), mixture.given(12)), (vec![0, 0], vec![10, 0], vec![10, 2]));
    }
}
