//! From the mean of rows to the probabilities of labels.

use super::matrix::{Dense, Matrix};

/// What a model was trained with decides how probabilities are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loss {
    Hierarchical,
    Sigmoid,
    Softmax,
}

impl Loss {
    /// By its number in the file: negative sampling and one-vs-all both give each label a sigmoid of its own.
    pub(super) fn new(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Hierarchical),
            2 | 4 => Some(Self::Sigmoid),
            3 => Some(Self::Softmax),
            _ => None,
        }
    }
}

/// The rows of labels, or of the inner nodes of their Huffman tree.
pub(super) struct Output {
    rows: Dense,
    labels: usize,
    loss: Loss,
    /// Left and right children of inner nodes, from the first to the root; labels come before them.
    tree: Vec<[usize; 2]>,
}

impl Output {
    pub(super) fn new(rows: Matrix, loss: Loss, counts: &[i64]) -> Result<Self, &'static str> {
        let tree = if loss == Loss::Hierarchical { tree(counts)? } else { vec![] };
        Ok(Self { rows: rows.dense(), labels: counts.len(), loss, tree })
    }

    fn dot(&self, row: usize, hidden: &[f32]) -> f32 {
        self.rows.row(row).iter().zip(hidden).map(|(a, b)| a * b).sum()
    }

    pub(super) fn probabilities(&self, hidden: &[f32]) -> Vec<f32> {
        let scores = || (0..self.labels).map(|label| self.dot(label, hidden));
        match self.loss {
            Loss::Hierarchical => self.descend(hidden),
            Loss::Sigmoid => scores().map(|score| padded(tabulated(score))).collect(),
            Loss::Softmax => {
                let mut all: Vec<f32> = scores().collect();
                let highest = all.iter().copied().fold(f32::MIN, f32::max);
                all.iter_mut().for_each(|score| *score = (*score - highest).exp());
                let sum: f32 = all.iter().sum();
                all.iter().map(|part| padded(part / sum)).collect()
            }
        }
    }

    /// `HierarchicalSoftmaxLoss::dfs`: from the root down, a node takes its right child with the sigmoid of its row.
    fn descend(&self, hidden: &[f32]) -> Vec<f32> {
        let mut scores = vec![0f32; self.labels + self.tree.len()];
        for (at, children) in self.tree.iter().enumerate().rev() {
            let right = 1.0 / (1.0 + (-self.dot(at, hidden)).exp());
            let score = scores[self.labels + at];
            scores[children[0]] = score + (1.0 - right + 1e-5).ln();
            scores[children[1]] = score + (right + 1e-5).ln();
        }
        scores.truncate(self.labels);
        scores.iter().map(|score| score.exp()).collect()
    }
}

/// fastText gives the exponential of ln(p + 0.00001).
fn padded(probability: f32) -> f32 {
    (probability + 1e-5).ln().exp()
}

/// The sigmoid from a table of 512 steps between -8 and 8, as `Loss::sigmoid` has it.
fn tabulated(score: f32) -> f32 {
    if score < -8.0 {
        0.0
    } else if score > 8.0 {
        1.0
    } else {
        let step = ((score + 8.0) * 512.0 / 8.0 / 2.0) as i64;
        1.0 / (1.0 + (-((step * 16) as f32 / 512.0 - 8.0)).exp())
    }
}

/// `HierarchicalSoftmaxLoss::buildTree`, for counts that fall.
fn tree(counts: &[i64]) -> Result<Vec<[usize; 2]>, &'static str> {
    const NONE: i64 = 1_000_000_000_000_000;
    let labels = counts.len();
    let mut weights: Vec<i64> = counts.to_vec();
    weights.resize(2 * labels - 1, NONE);
    let (mut leaf, mut node) = (labels, labels);
    let mut tree = vec![];
    for parent in labels..2 * labels - 1 {
        let mut lowest = || {
            if leaf > 0 && weights.get(node).is_some_and(|weight| weights[leaf - 1] < *weight) {
                leaf -= 1;
                return Some(leaf);
            }
            node += 1;
            // Only what is made already can be put below something.
            (node <= parent).then_some(node - 1)
        };
        let (Some(left), Some(right)) = (lowest(), lowest()) else {
            return Err("the counts of its labels make no tree: it is damaged");
        };
        weights[parent] = weights[left].checked_add(weights[right]).ok_or("the counts of its labels are out of range")?;
        tree.push([left, right]);
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_labels_lie_deep_in_the_tree() {
        assert_eq!(tree(&[10, 4, 2, 1]), Ok(vec![[3, 2], [4, 1], [5, 0]]));
        assert_eq!(tree(&[1]), Ok(vec![]));
        assert!(tree(&[i64::MAX, i64::MAX]).is_err());
        assert!(tree(&[1, i64::MAX, 3]).is_err());
    }
}
