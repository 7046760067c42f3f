//! Layouts that a cluster allows, the fastest first.

use super::{Cluster, Cost, Layout, Sharded, Work};
use std::cmp::Ordering;

/// A layout, what of the forward pass is kept in it, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The layout.
    pub layout: Layout,
    /// Which of the works it is for.
    pub work: usize,
    /// What it costs.
    pub cost: Cost,
}

impl Proposal {
    /// Whether a device has the memory.
    pub fn fits(&self, cluster: &Cluster) -> bool {
        self.cost.memory.total() <= cluster.kind.memory
    }
}

/// Every layout of the cluster for the same run by different policies of what is kept: those that fit by their time, then the
/// others by their memory. Of equal ones the simpler comes first. Empty if nothing can be divided by the number of devices.
pub fn proposals(works: &[Work], cluster: &Cluster) -> Vec<Proposal> {
    let mut all = vec![];
    for (number, work) in works.iter().enumerate() {
        for tensor in (1..=cluster.kind.node).filter(|tensor| cluster.devices.is_multiple_of(*tensor)) {
            let data = cluster.devices / tensor;
            for sharded in Sharded::ALL.into_iter().filter(|sharded| data > 1 || *sharded == Sharded::Nothing) {
                for micro in (0..=work.sequences.ilog2()).map(|power| 1 << power) {
                    let layout = Layout { data, tensor, sharded, micro };
                    if layout.problems(work, cluster).is_empty() {
                        all.push(Proposal { layout, work: number, cost: Cost::new(work, &layout, cluster) });
                    }
                }
            }
        }
    }
    let key = |proposal: &Proposal| {
        let fits = proposal.fits(cluster);
        (!fits, if fits { proposal.cost.seconds.total() } else { proposal.cost.memory.total() })
    };
    all.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::{super::Part, *};

    /// LLaMA as in table 2 of its paper, saving the outputs of linear layers (section 2.4).
    fn llama(width: usize, layers: usize, heads: usize, hidden: usize, steps: usize) -> Work {
        let (d, h, context, vocab) = (width as f64, hidden as f64, 2048, 32000.0);
        let parameters = 4.0 * d * d + 3.0 * d * h + 2.0 * d;
        let layer = Part {
            parameters,
            products: 6.0 * (parameters - 2.0 * d),
            scores: 6.0 * d * f64::from(context),
            again: 0.0,
            kept: 2.0 * (6.0 * d + 2.0 * h),
        };
        let outside = Part { parameters: 2.0 * vocab * d + d, products: 6.0 * vocab * d, kept: 4.0 * d, ..Part::default() };
        let divided = vec![("heads", heads), ("hidden channels", hidden), ("tokens of a sequence", context as usize)];
        Work { layers: vec![layer; layers], outside, width, divided, undivided: vec![], context: context as usize, sequences: 2048, steps }
    }

    /// Touvron et al. 2023: section 2.4 for 65B; tokens per second of the others by the GPU hours of table 15.
    #[test]
    fn llama_takes_as_long_as_it_took() {
        let cluster: Cluster = "a100-80g:2048".parse().unwrap();
        let best = |work: &Work| proposals(std::slice::from_ref(work), &cluster).remove(0);
        let large = best(&llama(8192, 80, 64, 22016, 333_786));
        println!("{large:?}");
        assert!(large.fits(&cluster));
        assert!((large.cost.tokens_per_second / 380.0 - 1.0).abs() < 0.2, "{}", large.cost.tokens_per_second);
        assert!((large.cost.days / 21.0 - 1.0).abs() < 0.2, "{}", large.cost.days);
        for (work, measured) in
            [(llama(4096, 32, 32, 11008, 1), 3369.8), (llama(5120, 40, 40, 13824, 1), 2055.1), (llama(6656, 60, 52, 17920, 1), 733.2)]
        {
            let speed = best(&work).cost.tokens_per_second;
            println!("{:?} {speed} {measured}", best(&work).layout);
            assert!((speed / measured - 1.0).abs() < 0.35, "{speed} {measured}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_from_what_does() {
        let work = llama(8192, 80, 64, 22016, 1);
        let eight: Cluster = "a100-80g:8".parse().unwrap();
        let found = proposals(std::slice::from_ref(&work), &eight);
        assert!(!found.is_empty() && found.iter().all(|proposal| !proposal.fits(&eight)));
        // 65B parameters with gradients and moments are 16 bytes each: a terabyte on eight devices of 80 GB.
        assert!(found[0].cost.memory.total() > 1e12 / 8.0);
        let more: Cluster = "a100-80g:64".parse().unwrap();
        let fitting = proposals(std::slice::from_ref(&work), &more).remove(0);
        assert!(fitting.fits(&more) && fitting.layout.sharded > Sharded::Nothing, "{fitting:?}");
        let three: Cluster = "a100-80g:3".parse().unwrap();
        assert!(proposals(&[work], &three).is_empty(), "2,048 sequences are not divided by three");
    }

    /// Sharding and dividing change what is held and sent by what the papers say.
    #[test]
    fn memory_and_sending_are_those_of_the_papers() {
        let work = llama(4096, 32, 32, 11008, 1);
        let cluster: Cluster = "a100-80g:64".parse().unwrap();
        let cost = |tensor: usize, sharded| Cost::new(&work, &Layout { data: 64 / tensor, tensor, sharded, micro: 1 }, &cluster);
        let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
        let all = work.parameters();
        let [none, moments, gradients, parameters] = Sharded::ALL.map(|sharded| cost(1, sharded));
        // Rajbhandari et al. 2020, figure 1, with f32 throughout: 16, 8 + 8/N, 4 + 12/N, 16/N bytes a parameter.
        let state = |cost: &Cost| cost.memory.parameters + cost.memory.gradients + cost.memory.moments;
        assert!(near(state(&none), 16.0 * all) && near(state(&moments), (8.0 + 8.0 / 64.0) * all));
        assert!(near(state(&gradients), (4.0 + 12.0 / 64.0) * all));
        let gathered = state(&parameters) - 16.0 / 64.0 * all;
        assert!(near(gathered, 2.0 * 4.0 * work.outside.parameters), "the largest part, and the next one on its way");
        // Section 7: as much as an all-reduce sends, and half as much again for parameters; here of each micro-batch.
        assert!(near(none.sent.data, 2.0 * 63.0 / 64.0 * 4.0 * all) && near(moments.sent.data, none.sent.data));
        let micro = 2048.0 / 64.0;
        assert!(near(parameters.sent.data, 1.5 * micro * none.sent.data));
        // Korthikanti et al. 2022: everything that is kept is divided, too.
        let four = cost(4, Sharded::Nothing);
        assert!(near(4.0 * four.memory.activations, none.memory.activations) && near(4.0 * state(&four), state(&none)));
        assert!(none.sent.tensor == 0.0 && four.sent.tensor > 0.0);
    }

    /// LLaMA 7B on eight devices of a node: the links are fast, and one micro-batch is long.
    #[test]
    fn sending_is_hidden() {
        let cluster: Cluster = "a100-80g:8".parse().unwrap();
        let work = llama(4096, 32, 32, 11008, 1);
        let cost = Cost::new(&work, &Layout { data: 8, tensor: 1, sharded: Sharded::Nothing, micro: 4 }, &cluster);
        assert!(cost.backward.hidden() > 0.9, "{}", cost.backward.hidden());
    }
}
