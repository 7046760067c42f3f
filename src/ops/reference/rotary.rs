//! Rotation of channel pairs by position.

use super::Sums;

/// Heads whose pair p at position s turns by the angle with this cosine and sine.
#[derive(Clone, Copy, Debug)]
pub struct Rotary<'a> {
    /// `[seq, pairs]`.
    pub cos: &'a [f64],
    /// `[seq, pairs]`.
    pub sin: &'a [f64],
    /// Pairs of a head that turn.
    pub pairs: usize,
    /// Whether pair p is the channels (2p, 2p + 1), or else (p, p + pairs).
    pub interleaved: bool,
    /// Channels of a head; those beyond the pairs stay.
    pub head_dim: usize,
}

impl Rotary<'_> {
    /// x `[…, seq, head_dim]`, turned.
    pub fn forward(&self, x: &[f64]) -> Sums {
        self.turn(&Sums::of(x), 1.0)
    }

    /// The gradient of x: that of y, turned back.
    pub fn backward(&self, dy: &Sums) -> Sums {
        self.turn(dy, -1.0)
    }

    fn turn(&self, x: &Sums, sign: f64) -> Sums {
        let seq = self.cos.len() / self.pairs;
        let mut y = x.clone();
        for row in 0..x.len() / self.head_dim {
            for p in 0..self.pairs {
                let (a, b) = if self.interleaved { (2 * p, 2 * p + 1) } else { (p, p + self.pairs) };
                let (a, b) = (row * self.head_dim + a, row * self.head_dim + b);
                let at = row % seq * self.pairs + p;
                let (cos, sin) = (self.cos[at], sign * self.sin[at]);
                y.value[a] = x.value[a] * cos - x.value[b] * sin;
                y.value[b] = x.value[b] * cos + x.value[a] * sin;
                y.size[a] = x.size[a] * cos.abs() + x.size[b] * sin.abs();
                y.size[b] = x.size[b] * cos.abs() + x.size[a] * sin.abs();
            }
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check::*, *};

    #[test]
    fn gradients_agree_with_differences() {
        let (seq, head_dim) = (3, 6);
        for (pairs, interleaved) in [(3, true), (3, false), (2, true), (1, false)] {
            let (sin, cos): (Vec<f64>, Vec<f64>) = (0..seq * pairs).map(|i| (0.7 * i as f64).sin_cos()).unzip();
            let rotary = Rotary { cos: &cos, sin: &sin, pairs, interleaved, head_dim };
            let (x, dy) = (numbers("x", 2 * seq * head_dim), numbers("dy", 2 * seq * head_dim));
            gradient("dx", &rotary.backward(&Sums::of(&dy)), &x, &dy, |x| rotary.forward(x).value);
        }
    }

    #[test]
    fn a_quarter_turn() {
        let rotary = Rotary { cos: &[0.0], sin: &[1.0], pairs: 1, interleaved: false, head_dim: 3 };
        assert_eq!(rotary.forward(&[1.0, 2.0, 3.0]).value, [-2.0, 1.0, 3.0]);
    }
}
