//! Attention with every combination of its options.

use super::{
    Results, Setting, config,
    numbers::{Form, Input, Numbers, USUAL, backward, draw, draw_indices, indices, narrow, wide},
    sizes::{few, head_dim, length, within},
};
use ablate::ops::{
    self, AttentionOptions, ScoreBias,
    reference::{Sums, attention as reference},
    relative_bucket,
};
use proptest::{prelude::*, sample::select};

/// What is added to the scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bias {
    None,
    Alibi,
    Relative { buckets: usize, max_distance: usize },
}

/// What is done to the scores.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub soft_cap: Option<f32>,
    pub window: Option<usize>,
    /// Documents of about so many tokens; 1 is one token each.
    pub documents: Option<usize>,
    pub bias: Bias,
}

/// Options for any sequence.
pub fn options() -> impl Strategy<Value = Options> {
    let soft_cap = prop_oneof![2 => Just(None), 1 => select(&[0.5f32, 2.0, 30.0, 50.0][..]).prop_map(Some)];
    let window = prop_oneof![2 => Just(None), 1 => (1..=20usize).prop_map(Some), 1 => length().prop_map(Some), 1 => Just(Some(1000))];
    let documents = prop_oneof![2 => Just(None), 2 => select(&[1usize, 2, 8, 60, 300][..]).prop_map(Some)];
    let relative = (2..=32usize, 1..=128usize).prop_map(|(buckets, beyond)| Bias::Relative { buckets, max_distance: buckets / 2 + beyond });
    let bias = prop_oneof![2 => Just(Bias::None), 1 => Just(Bias::Alibi), 2 => relative];
    (soft_cap, window, documents, bias).prop_map(|(soft_cap, window, documents, bias)| Options { soft_cap, window, documents, bias })
}

/// Query heads of a kv head: multi-head, grouped and multi-query.
pub fn group() -> impl Strategy<Value = usize> {
    select(&[1usize, 1, 2, 3, 4, 8][..])
}

#[derive(Clone, Copy, Debug)]
pub struct Attention {
    pub batch: usize,
    pub kv_heads: usize,
    pub group: usize,
    pub queries: usize,
    pub keys: usize,
    pub head_dim: usize,
    pub options: Options,
    /// Of queries, keys and values, of the gradient of the output, and of the table.
    pub numbers: [Numbers; 5],
    /// Whether the heads of a token lie beside each other, as projections give them.
    pub across: bool,
    /// Factor on the scores, by the usual one.
    pub steep: f64,
    pub seed: u64,
}

/// The inputs of a [`Attention`].
#[derive(Clone, Debug)]
pub struct Inputs {
    pub q: Vec<f32>,
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    pub dy: Vec<f32>,
    /// `[buckets, heads]`; empty without.
    pub table: Vec<f32>,
    /// `[batch, keys]`.
    pub starts: Option<Vec<usize>>,
}

/// Sizes of queries and keys that make scores of a few, of ±80 and of hundreds, equal ones, and ordinary ones of numbers that
/// are not; values of any size.
fn numbers() -> impl Strategy<Value = [Numbers; 5]> {
    let noise = |size| (Form::Noise, size);
    let scores = prop_oneof![
        6 => Just([USUAL, USUAL]),
        1 => Just([noise(5.0), noise(5.0)]),
        1 => Just([noise(30.0), noise(30.0)]),
        1 => Just([noise(100.0), noise(30.0)]),
        1 => Just([noise(0.0), USUAL]),
        1 => Just([USUAL, (Form::Equal, 1.0)]),
        1 => Just([noise(1e-15), noise(1e15)]),
        1 => Just([(Form::ZeroRows, 1.0), USUAL]),
        1 => Just([USUAL, (Form::ZeroRows, 1.0)]),
    ];
    let values = prop_oneof![4 => Just(USUAL), 1 => Just(noise(1e15)), 1 => Just((Form::ZeroRows, 1.0))];
    let table = prop_oneof![4 => Just(USUAL), 1 => Just(noise(80.0)), 1 => Just((Form::Equal, 1.0))];
    (scores, values, prop_oneof![4 => Just(USUAL), 1 => Just((Form::ZeroRows, 1.0))], table)
        .prop_map(|([q, k], v, dy, table)| [q, k, v, dy, table])
}

/// Multiplications that float64 is given time for.
const WORK: usize = 1_000_000;

pub fn settings() -> impl Strategy<Value = Attention> {
    let fewer = prop_oneof![2 => Just(0), 1 => 0..140usize, 1 => Just(1000)];
    // Some beyond a tile of keys.
    let keys = prop_oneof![9 => length(), 1 => select(&[511usize, 512, 513, 700, 1025][..])];
    let sizes = (few(), few(), group(), keys, fewer, head_dim());
    (sizes, options(), numbers(), (any::<bool>(), select(&[1.0, 1.0, 0.1, 3.0][..])), any::<u64>()).prop_map(
        |((batch, kv_heads, group, keys, fewer, head_dim), options, numbers, (across, steep), seed)| {
            let queries = (keys - fewer.min(keys - 1)).min(2 * WORK / (keys * head_dim)).max(1);
            let limit = WORK / (queries * keys * head_dim).clamp(1, WORK);
            let [batch, group, kv_heads] = within(limit, [batch, group, kv_heads]);
            Attention { batch, kv_heads, group, queries, keys, head_dim, options, numbers, across, steep, seed }
        },
    )
}

impl Options {
    /// Where the document of each of `keys` positions starts, in each of `batch` sequences.
    pub fn starts(&self, seed: u64, batch: usize, keys: usize) -> Option<Vec<usize>> {
        let mean = self.documents?;
        let mut start = 0;
        let chances = draw_indices(seed, "documents", batch * keys, mean);
        Some(
            (0..batch * keys)
                .map(|i| {
                    if i % keys == 0 || chances[i] == 0 {
                        start = i % keys;
                    }
                    start
                })
                .collect(),
        )
    }

    /// Numbers of the table for so many heads.
    pub fn table(&self, numbers: Numbers, seed: u64, heads: usize) -> Vec<f32> {
        if let Bias::Relative { buckets, .. } = self.bias { draw(numbers, seed, "table", buckets, heads) } else { vec![] }
    }

    /// As the operators take them; the table on the device too.
    pub fn of_operator(
        &self,
        scale: f64,
        heads: usize,
        table: &[f32],
        starts: Option<burn::tensor::Tensor<2, burn::tensor::Int>>,
    ) -> (AttentionOptions, Option<Input<2>>) {
        let (bias, input) = match self.bias {
            Bias::None => (ScoreBias::None, None),
            Bias::Alibi => (ScoreBias::Alibi(slopes(heads)), None),
            Bias::Relative { buckets, max_distance } => {
                let input = Input::new(table, [buckets, heads], None);
                (ScoreBias::Relative { table: input.tensor(), max_distance }, Some(input))
            }
        };
        (AttentionOptions { scale, soft_cap: self.soft_cap.map(f64::from), window: self.window, starts, bias }, input)
    }

    /// The bucket of each distance; none without a table.
    pub fn buckets(&self, keys: usize) -> Vec<usize> {
        match self.bias {
            Bias::Relative { buckets, max_distance } => {
                (0..keys).map(|distance| relative_bucket(distance, buckets, max_distance)).collect()
            }
            _ => vec![],
        }
    }

    /// The bias as the reference takes it.
    pub fn of_reference<'a>(&self, slopes: &'a [f64], table: &'a [f64], bucket: &'a [usize]) -> reference::Bias<'a> {
        match self.bias {
            Bias::None => reference::Bias::None,
            Bias::Alibi => reference::Bias::Slopes(slopes),
            Bias::Relative { .. } => reference::Bias::Table { table, bucket },
        }
    }
}

/// A slope per head, from steep to flat.
pub fn slopes(heads: usize) -> Vec<f32> {
    (0..heads).map(|head| 2.0 * 0.6f32.powi(head as i32)).collect()
}

impl Attention {
    pub fn heads(&self) -> usize {
        self.kv_heads * self.group
    }

    fn scale(&self) -> f64 {
        self.steep / (self.head_dim as f64).sqrt()
    }

    pub fn inputs(&self) -> Inputs {
        let &Self { batch, kv_heads, queries, keys, head_dim, seed, .. } = self;
        let [q, k, v, dy, table] = self.numbers;
        let of_queries = |numbers, key| draw(numbers, seed, key, batch * self.heads() * queries, head_dim);
        let of_keys = |numbers, key| draw(numbers, seed, key, batch * kv_heads * keys, head_dim);
        Inputs {
            q: of_queries(q, "q"),
            k: of_keys(k, "k"),
            v: of_keys(v, "v"),
            dy: of_queries(dy, "dy"),
            table: self.options.table(table, seed, self.heads()),
            starts: self.options.starts(seed, batch, keys),
        }
    }

    /// The output, and the gradients of q, k, v and the table.
    pub fn run_on(&self, inputs: &Inputs) -> Results {
        let &Self { batch, kv_heads, queries, keys, head_dim, .. } = self;
        let across = self.across.then_some([1, 2]);
        let q = Input::new(&inputs.q, [batch, self.heads(), queries, head_dim], across);
        let [k, v] = [&inputs.k, &inputs.v].map(|x| Input::new(x, [batch, kv_heads, keys, head_dim], across));
        let starts = inputs.starts.as_ref().map(|starts| indices(starts, [batch, keys]));
        let (options, table) = self.options.of_operator(self.scale(), self.heads(), &inputs.table, starts);
        let y = ops::attention(q.tensor(), k.tensor(), v.tensor(), &options);
        let gradients = backward(y.clone(), &inputs.dy);
        let mut found = vec![
            ("output", narrow(y)),
            ("gradient of q", q.gradient(&gradients)),
            ("gradient of k", k.gradient(&gradients)),
            ("gradient of v", v.gradient(&gradients)),
        ];
        found.extend(table.map(|table| ("gradient of the table", table.gradient(&gradients))));
        found
    }
}

impl Setting for Attention {
    fn run(&self) -> Results {
        self.run_on(&self.inputs())
    }

    fn want(&self) -> Vec<Sums> {
        let &Self { batch, kv_heads, queries, keys, head_dim, options, .. } = self;
        let Inputs { q, k, v, dy, table, starts } = self.inputs();
        let (slopes, table, buckets) = (wide(&slopes(self.heads())), wide(&table), options.buckets(keys));
        let attention = reference::Attention {
            batch,
            heads: self.heads(),
            kv_heads,
            queries,
            keys,
            head_dim,
            scale: self.scale(),
            soft_cap: options.soft_cap.map(f64::from),
            window: options.window,
            starts: starts.as_deref(),
            bias: options.of_reference(&slopes, &table, &buckets),
        };
        let [q, k, v, dy] = [q, k, v, dy].map(|x| wide(&x));
        let (y, _) = attention.forward(&q, &k, &v);
        let found = attention.backward(&q, &k, &v, &dy);
        let table = (!table.is_empty()).then_some(found.table);
        [y, found.q, found.k, found.v].into_iter().chain(table).collect()
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }
}
