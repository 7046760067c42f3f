//! The attention branch as one operator.

use super::{
    Results, Setting,
    attention::{Options, group, options, slopes},
    config,
    numbers::{Form, Input, Numbers, USUAL, backward, draw, indices, narrow, wide},
    rotation::{Pairs, angles},
    sizes::{few, length, within},
};
use ablate::ops::{
    self, Affine,
    reference::{Sums, attention, self_attention as reference},
};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub struct SelfAttention {
    batch: usize,
    seq: usize,
    width: usize,
    kv_heads: usize,
    group: usize,
    head_dim: usize,
    biases: [bool; 3],
    rotation: Option<Pairs>,
    options: Options,
    /// Of x, of the projections, of the gradient, and of the table.
    numbers: [Numbers; 4],
    seed: u64,
}

/// Multiplications that float64 is given time for.
const WORK: usize = 400_000;

pub fn settings() -> impl Strategy<Value = SelfAttention> {
    let sizes = (few(), length(), 1..=70usize, few(), group(), 1..=70usize);
    let x = prop_oneof![4 => Just(USUAL), 1 => Just((Form::ZeroRows, 1.0)), 1 => Just((Form::Equal, 1.0)), 1 => Just((Form::Noise, 10.0))];
    let form = (any::<[bool; 3]>(), prop::option::of((any::<prop::sample::Index>(), any::<bool>())));
    (sizes, form, options(), x, any::<u64>()).prop_map(
        |((batch, seq, width, kv_heads, group, head_dim), (biases, rotation), options, x, seed)| {
            let per_head = seq * head_dim * (seq + 3 * width);
            let [batch, group, kv_heads] = within(WORK / per_head.clamp(1, WORK), [batch, group, kv_heads]);
            let head_dim = if rotation.is_some() { head_dim.max(2) } else { head_dim };
            let rotation = rotation.map(|(pairs, interleaved)| Pairs { pairs: 1 + pairs.index(head_dim / 2), interleaved });
            // Projections that keep the size of what they read.
            let numbers = [x, (Form::Noise, 1.7 / (width as f32).sqrt()), USUAL, USUAL];
            SelfAttention { batch, seq, width, kv_heads, group, head_dim, biases, rotation, options, numbers, seed }
        },
    )
}

/// What it is given.
struct Inputs {
    x: Vec<f32>,
    weights: [Vec<f32>; 3],
    biases: [Option<Vec<f32>>; 3],
    table: Vec<f32>,
    starts: Option<Vec<usize>>,
    dy: Vec<f32>,
}

impl SelfAttention {
    fn heads(&self) -> usize {
        self.kv_heads * self.group
    }

    fn scale(&self) -> f64 {
        1.0 / (self.head_dim as f64).sqrt()
    }

    /// Outputs of the projections.
    fn columns(&self) -> [usize; 3] {
        [self.heads(), self.kv_heads, self.kv_heads].map(|heads| heads * self.head_dim)
    }

    fn inputs(&self) -> Inputs {
        let &Self { batch, seq, width, seed, numbers: [x, weights, dy, table], .. } = self;
        let columns = self.columns();
        Inputs {
            x: draw(x, seed, "x", batch * seq, width),
            weights: [0, 1, 2].map(|i| draw(weights, seed, &format!("weight {i}"), width, columns[i])),
            biases: [0, 1, 2].map(|i| self.biases[i].then(|| draw(USUAL, seed, &format!("bias {i}"), 1, columns[i]))),
            table: self.options.table(table, seed, self.heads()),
            starts: self.options.starts(seed, batch, seq),
            dy: draw(dy, seed, "dy", batch * seq, columns[0]),
        }
    }
}

impl Setting for SelfAttention {
    fn run(&self) -> Results {
        let &Self { batch, seq, width, head_dim, .. } = self;
        let (inputs, columns) = (self.inputs(), self.columns());
        let x = Input::new(&inputs.x, [batch, seq, width], None);
        let weights = [0, 1, 2].map(|i| Input::new(&inputs.weights[i], [width, columns[i]], None));
        let biases = [0, 1, 2].map(|i| inputs.biases[i].as_ref().map(|bias| Input::new(bias, [columns[i]], None)));
        let starts = inputs.starts.as_ref().map(|starts| indices(starts, [batch, seq]));
        let (options, table) = self.options.of_operator(self.scale(), self.heads(), &inputs.table, starts);
        let rotation = self.rotation.map(|pairs| pairs.of_operator(&angles(seq, pairs.pairs), head_dim));
        let projections = [0, 1, 2].map(|i| Affine { weight: weights[i].tensor(), bias: biases[i].as_ref().map(Input::tensor) });
        let y = ops::self_attention(x.tensor(), projections, head_dim, rotation.as_ref(), &options);
        let gradients = backward(y.clone(), &inputs.dy);
        let mut found = vec![("output", narrow(y)), ("gradient of x", x.gradient(&gradients))];
        found.extend(weights.iter().map(|weight| ("gradient of a weight", weight.gradient(&gradients))));
        found.extend(biases.iter().flatten().map(|bias| ("gradient of a bias", bias.gradient(&gradients))));
        found.extend(table.map(|table| ("gradient of the table", table.gradient(&gradients))));
        found
    }

    fn want(&self) -> Vec<Sums> {
        let &Self { batch, seq, kv_heads, head_dim, options, .. } = self;
        let inputs = self.inputs();
        let [x, table, dy] = [&inputs.x, &inputs.table, &inputs.dy].map(|x| wide(x));
        let weights = inputs.weights.each_ref().map(|weight| wide(weight));
        let biases = inputs.biases.each_ref().map(|bias| bias.as_ref().map(|bias| wide(bias)));
        let (slopes, buckets) = (wide(&slopes(self.heads())), options.buckets(seq));
        let tables = self.rotation.map(|pairs| angles(seq, pairs.pairs).map(|table| wide(&table)));
        let want = reference::SelfAttention {
            weights: weights.each_ref().map(Vec::as_slice),
            biases: biases.each_ref().map(Option::as_deref),
            rotation: self.rotation.zip(tables.as_ref()).map(|(pairs, tables)| pairs.of_reference(tables, head_dim)),
            attention: attention::Attention {
                batch,
                heads: self.heads(),
                kv_heads,
                queries: seq,
                keys: seq,
                head_dim,
                scale: self.scale(),
                soft_cap: options.soft_cap.map(f64::from),
                window: options.window,
                starts: inputs.starts.as_deref(),
                bias: options.of_reference(&slopes, &table, &buckets),
            },
        };
        let found = want.backward(&x, &dy);
        let biases = found.biases.into_iter().zip(self.biases).filter_map(|(sums, has)| has.then_some(sums));
        let table = (!table.is_empty()).then_some(found.table);
        [want.forward(&x), found.x].into_iter().chain(found.weights).chain(biases).chain(table).collect()
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }
}
