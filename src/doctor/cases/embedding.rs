//! Rows of a table, and the sums of their gradients.

use super::{Case, Place};
use crate::ops::{self, Op, reference::embedding as reference};

fn run(place: &mut Place, [vocab, width, batch, seq]: [usize; 4]) {
    let table = place.noisy("table", [vocab, width]);
    // Squares repeat, so that some rows are read often and others never.
    let tokens: Vec<usize> = (0..batch * seq).map(|i| (i * i + 1) % vocab).collect();
    let y = ops::embedding(table.tensor.clone(), place.indices(&tokens, [batch, seq]));
    place.compare("output", y.clone(), &reference::forward(&table.wide, width, &tokens));
    let (gradients, dy) = place.backward(y);
    place.compare_gradient("gradient of the table", &table, &gradients, &reference::backward(vocab, width, &tokens, &dy));
}

pub(super) fn cases() -> Vec<Case> {
    let sizes = [[1, 1, 1, 1], [5, 3, 2, 7], [300, 64, 2, 33], [1009, 129, 1, 257], [7, 32, 4, 128]];
    let case = |sizes: [usize; 4]| {
        let [vocab, width, batch, seq] = sizes;
        Case::new(Op::Embedding, format!("{batch}×{seq} of {vocab} tokens, width {width}"), move |place| run(place, sizes))
    };
    sizes.map(case).into()
}
