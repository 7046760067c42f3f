//! Rows of a table.

use super::{
    Results, Setting, config,
    numbers::{Input, Numbers, any_size, backward, draw, draw_indices, indices, narrow, ordinary, wide},
    sizes::{few, length, within},
};
use ablate::ops::{
    self,
    reference::{Sums, embedding as reference},
};
use proptest::{prelude::*, sample::select};

#[derive(Clone, Copy, Debug)]
pub struct Embedding {
    /// Vocabulary, width, sequences and their tokens.
    sizes: [usize; 4],
    /// Of the table and of the gradient.
    numbers: [Numbers; 2],
    seed: u64,
}

pub fn settings() -> impl Strategy<Value = Embedding> {
    // Few rows are read often, many rarely.
    let vocab = select(&[1usize, 2, 7, 129, 1009][..]);
    ((vocab, length(), few(), length()), any_size(), ordinary(), any::<u64>()).prop_map(|((vocab, width, batch, seq), table, dy, seed)| {
        let [vocab, width] = within(100_000, [vocab, width]);
        Embedding { sizes: [vocab, width, batch, seq], numbers: [table, dy], seed }
    })
}

impl Embedding {
    /// The table, tokens and the gradient of the output.
    fn inputs(&self) -> (Vec<f32>, Vec<usize>, Vec<f32>) {
        let &Self { sizes: [vocab, width, batch, seq], numbers: [table, dy], seed } = self;
        let draw = |numbers, key, rows| draw(numbers, seed, key, rows, width);
        (draw(table, "table", vocab), draw_indices(seed, "tokens", batch * seq, vocab), draw(dy, "dy", batch * seq))
    }
}

impl Setting for Embedding {
    fn run(&self) -> Results {
        let &Self { sizes: [vocab, width, batch, seq], .. } = self;
        let (table, tokens, dy) = self.inputs();
        let table = Input::new(&table, [vocab, width], None);
        let y = ops::embedding(table.tensor(), indices(&tokens, [batch, seq]));
        let gradients = backward(y.clone(), &dy);
        vec![("output", narrow(y)), ("gradient of the table", table.gradient(&gradients))]
    }

    fn want(&self) -> Vec<Sums> {
        let &Self { sizes: [vocab, width, ..], .. } = self;
        let (table, tokens, dy) = self.inputs();
        vec![reference::forward(&wide(&table), width, &tokens), reference::backward(vocab, width, &tokens, &wide(&dy))]
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }

    #[test]
    fn rows_are_copied(setting in settings()) {
        let (table, tokens, _) = setting.inputs();
        let rows: Vec<f32> = tokens.iter().flat_map(|token| table.chunks(setting.sizes[1]).nth(*token).unwrap()).copied().collect();
        prop_assert_eq!(&setting.run()[0].1, &rows);
    }
}
