//! Which gradients are sent together, and which rank owns what (Li et al. 2020, "PyTorch Distributed", section 3.2.3;
//! Rajbhandari et al. 2020, "ZeRO", section 5).

use std::ops::Range;

/// Where a parameter's numbers lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: usize,
    /// The first of its numbers there.
    pub start: usize,
    /// How many they are.
    pub count: usize,
}

/// Parameters that are sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The parameters, by their numbers in the model, in the order in which they lie.
    pub parameters: Vec<usize>,
    /// How many numbers they have.
    pub count: usize,
    /// The part of each rank: what it owns lies together.
    pub parts: Vec<Range<usize>>,
}

/// All parameters of a model in buckets, in the order in which the backward pass is done with them, and who owns which.
///
/// Parameters are owned whole, as in PyTorch's `ZeroRedundancyOptimizer`, so that optimizers that look at a matrix as a whole
/// (Muon, Adafactor) can be shared out as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// In the order in which they are filled.
    pub all: Vec<Bucket>,
    places: Vec<Place>,
    owners: Vec<usize>,
}

impl Buckets {
    /// Buckets of `limit` numbers: a parameter that does not fit opens the next one.
    ///
    /// `order` has all parameters, the first one done first, and `sizes` how many numbers each has. The largest go to owners
    /// first, each to the one that has least so far.
    ///
    /// # Panics
    ///
    /// If `order` leaves one out or has one twice.
    pub fn new(order: &[usize], sizes: &[usize], limit: usize, ranks: usize) -> Self {
        let mut groups: Vec<Vec<usize>> = vec![];
        let mut filled = 0;
        for parameter in order {
            if groups.is_empty() || filled + sizes[*parameter] > limit {
                groups.push(vec![]);
                filled = 0;
            }
            groups.last_mut().expect("one was just put there").push(*parameter);
            filled += sizes[*parameter];
        }
        Self::of(groups, sizes, ranks)
    }

    /// A bucket for each group of parameters.
    ///
    /// # Panics
    ///
    /// If they leave a parameter out or have one twice.
    pub fn of(groups: Vec<Vec<usize>>, sizes: &[usize], ranks: usize) -> Self {
        let owners = owners(sizes, ranks);
        let mut places = vec![None; sizes.len()];
        let all = groups.into_iter().enumerate().map(|(bucket, mut parameters)| {
            // Stable: among those of an owner the order stays.
            parameters.sort_by_key(|parameter| owners[*parameter]);
            let (mut count, mut parts) = (0, vec![]);
            for rank in 0..ranks {
                let start = count;
                for parameter in parameters.iter().filter(|parameter| owners[**parameter] == rank) {
                    let place = Place { bucket, start: count, count: sizes[*parameter] };
                    assert!(places[*parameter].replace(place).is_none(), "a parameter is there twice");
                    count += sizes[*parameter];
                }
                parts.push(start..count);
            }
            Bucket { parameters, count, parts }
        });
        let all = all.collect();
        Self { all, places: places.into_iter().map(|place| place.expect("every parameter has its place")).collect(), owners }
    }

    /// Where a parameter lies.
    pub fn place(&self, parameter: usize) -> Place {
        self.places[parameter]
    }

    /// Who owns a parameter.
    pub fn owner(&self, parameter: usize) -> usize {
        self.owners[parameter]
    }
}

fn owners(sizes: &[usize], ranks: usize) -> Vec<usize> {
    let mut by_size: Vec<usize> = (0..sizes.len()).collect();
    by_size.sort_by_key(|parameter| std::cmp::Reverse(sizes[*parameter]));
    let (mut loads, mut owners) = (vec![0; ranks], vec![0; sizes.len()]);
    for parameter in by_size {
        let least = (0..ranks).min_by_key(|rank| loads[*rank]).expect("there is a rank");
        owners[parameter] = least;
        loads[least] += sizes[parameter];
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_fill_in_order_and_large_ones_stand_alone() {
        let sizes = [10, 3, 3, 50, 1];
        let buckets = Buckets::new(&[4, 3, 2, 1, 0], &sizes, 8, 1);
        let found: Vec<_> = buckets.all.iter().map(|bucket| bucket.parameters.clone()).collect();
        assert_eq!(found, [vec![4], vec![3], vec![2, 1], vec![0]]);
        assert_eq!(buckets.place(1), Place { bucket: 2, start: 3, count: 3 });
    }

    proptest! {
        #[test]
        fn every_number_has_one_place_and_every_rank_its_share(
            sizes in prop::collection::vec(0usize..40, 1..30), limit in 1usize..100, ranks in 1usize..6,
        ) {
            let order: Vec<usize> = (0..sizes.len()).rev().collect();
            let buckets = Buckets::new(&order, &sizes, limit, ranks);
            let mut seen: Vec<Vec<bool>> = buckets.all.iter().map(|bucket| vec![false; bucket.count]).collect();
            let mut loads = vec![0; ranks];
            for (parameter, size) in sizes.iter().enumerate() {
                let Place { bucket, start, count } = buckets.place(parameter);
                prop_assert_eq!(count, *size);
                for taken in &mut seen[bucket][start..start + count] {
                    prop_assert!(!std::mem::replace(taken, true));
                }
                let part = &buckets.all[bucket].parts[buckets.owner(parameter)];
                prop_assert!(part.start <= start && start + count <= part.end);
                loads[buckets.owner(parameter)] += size;
            }
            prop_assert!(seen.iter().flatten().all(|taken| *taken));
            let largest = sizes.iter().max().unwrap();
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= *largest);
            // Buckets come in the order of the backward pass.
            let at: Vec<usize> = order.iter().map(|parameter| buckets.place(*parameter).bucket).collect();
            prop_assert!(at.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(buckets.all.iter().all(|bucket| bucket.count <= limit || bucket.parameters.len() == 1 || bucket.parameters.iter().filter(|p| sizes[**p] > 0).count() <= 1));
        }
    }
}
