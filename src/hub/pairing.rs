//! Rotating neighbours instead of halves: the same model with its channels in another order.

use crate::model::{
    ModelSpec, Weights,
    position::{Pairing, PositionConfig},
};

/// The parameters for the other pairing of channels, of a model that rotates: the outputs for queries and keys change places
/// within each head, and with them biases and gains, so that scores stay what they were to the bit of each product.
pub fn repaired(spec: &ModelSpec, mut weights: Weights, pairing: Pairing) -> (ModelSpec, Weights) {
    let mut spec = spec.clone();
    let PositionConfig::Rope(rope) = &mut spec.position else { return (spec, weights) };
    if rope.pairing == pairing {
        return (spec, weights);
    }
    rope.pairing = pairing;
    let rotated = rope.rotated(spec.attention.head_dim);
    let order = order(spec.attention.head_dim, rotated, pairing);
    for (path, values) in &mut weights {
        let Some((_, rest)) = path.split_once(".attention.") else { continue };
        if ["query.", "key.", "query_norm.", "key_norm."].iter().any(|name| rest.starts_with(name)) {
            // Outputs are the last dimension, whole heads of them.
            for head in values.chunks_mut(order.len()) {
                let before = head.to_vec();
                head.iter_mut().zip(&order).for_each(|(value, from)| *value = before[*from]);
            }
        }
    }
    (spec, weights)
}

/// For each channel of a head under the new pairing, the channel that it was.
fn order(head_dim: usize, rotated: usize, pairing: Pairing) -> Vec<usize> {
    let half = rotated / 2;
    let from = |channel: usize| match pairing {
        _ if channel >= rotated => channel,
        // Pair p was (2p, 2p + 1) and is (p, p + half).
        Pairing::Half if channel < half => 2 * channel,
        Pairing::Half => 2 * (channel - half) + 1,
        Pairing::Interleaved => channel / 2 + if channel.is_multiple_of(2) { 0 } else { half },
    };
    (0..head_dim).map(from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_nothing() {
        for (head_dim, rotated) in [(8, 8), (8, 4), (6, 2)] {
            let [half, neighbours] = [Pairing::Half, Pairing::Interleaved].map(|pairing| order(head_dim, rotated, pairing));
            assert!((0..head_dim).all(|channel| half[neighbours[channel]] == channel), "{half:?} {neighbours:?}");
        }
        assert_eq!(order(6, 4, Pairing::Half), [0, 2, 1, 3, 4, 5]);
    }
}
