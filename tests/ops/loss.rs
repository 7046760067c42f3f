//! The head's product with its loss.

use super::{
    Results, Setting, TOLERANCE, config,
    numbers::{Form, Input, Numbers, USUAL, close, draw, draw_indices, finite, indices, narrow, wide},
    sizes::{few, length, within},
};
use ablate::ops::{
    self, CrossEntropyOptions,
    reference::{Sums, cross_entropy::LinearCrossEntropy},
};
use proptest::{prelude::*, sample::select};

/// Multiplications that float64 is given time for.
const WORK: usize = 300_000;

#[derive(Clone, Copy, Debug)]
pub struct Loss {
    /// Sequences, tokens, width and vocabulary.
    sizes: [usize; 4],
    options: CrossEntropyOptions,
    bias: bool,
    /// Whether the weight is transposed in memory, as the embedding's is.
    tied: bool,
    /// Of x, of the weight, and of the bias.
    numbers: [Numbers; 3],
    seed: u64,
}

pub fn settings() -> impl Strategy<Value = Loss> {
    let soft_cap = prop_oneof![2 => Just(None), 1 => select(&[0.5f64, 5.0, 15.0, 30.0][..]).prop_map(Some)];
    let options = (soft_cap, select(&[0.0f64, 0.0, 1e-4, 1e-2][..]), select(&[0.0f64, 0.0, 0.1, 0.5][..]))
        .prop_map(|(soft_cap, z_loss, label_smoothing)| CrossEntropyOptions { soft_cap, z_loss, label_smoothing });
    // Beyond a tile of the weight, and beyond a chunk of tokens.
    let sizes = prop_oneof![
        6 => (few(), length(), length(), length()),
        1 => (Just(1), 1..=20usize, 1..=9usize, select(&[1023usize, 1024, 1025, 2049][..])),
        1 => (few(), select(&[511usize, 512, 513, 600][..]), 1..=9usize, 1..=20usize),
    ];
    // Logits of a few, of ±80 and of hundreds; all of them equal; ruled by the bias.
    let numbers = prop_oneof![
        4 => Just([USUAL, USUAL, USUAL]),
        1 => Just([(Form::Noise, 80.0), USUAL, USUAL]),
        1 => Just([(Form::Noise, 300.0), USUAL, USUAL]),
        1 => Just([(Form::Noise, 0.0), USUAL, (Form::Equal, 1.0)]),
        1 => Just([USUAL, USUAL, (Form::Noise, 100.0)]),
        1 => Just([(Form::ZeroRows, 1.0), (Form::ZeroRows, 1.0), USUAL]),
        1 => Just([(Form::Noise, 1e15), (Form::Noise, 1e-15), USUAL]),
    ];
    (sizes, options, any::<bool>(), any::<bool>(), numbers, any::<u64>()).prop_map(
        |((batch, seq, width, vocab), options, bias, tied, numbers, seed)| {
            let [batch, width, seq, vocab] = within(WORK, [batch, width, seq, vocab]);
            Loss { sizes: [batch, seq, width, vocab], options, bias, tied, numbers, seed }
        },
    )
}

/// x, weight and bias, and the targets.
#[derive(Clone, Debug)]
struct Inputs {
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    targets: Vec<usize>,
}

/// The gradient of the objective.
const FACTOR: f64 = 0.75;

impl Loss {
    fn inputs(&self) -> Inputs {
        let &Self { sizes: [batch, seq, width, vocab], numbers: [x, weight, bias], seed, .. } = self;
        Inputs {
            x: draw(x, seed, "x", batch * seq, width),
            weight: draw(weight, seed, "weight", width, vocab),
            bias: self.bias.then(|| draw(bias, seed, "bias", 1, vocab)),
            targets: draw_indices(seed, "targets", batch * seq, vocab),
        }
    }

    /// The means, the losses of tokens, and the gradients of x, weight and bias.
    fn run_on(&self, inputs: &Inputs) -> Results {
        let &Self { sizes: [batch, seq, width, vocab], options, .. } = self;
        let across = self.tied.then_some([0, 1]);
        let (x, weight) = (Input::new(&inputs.x, [batch, seq, width], None), Input::new(&inputs.weight, [width, vocab], across));
        let bias = inputs.bias.as_ref().map(|bias| Input::new(bias, [vocab], None));
        let targets = indices(&inputs.targets, [batch, seq]);
        let loss = ops::linear_cross_entropy(x.tensor(), weight.tensor(), bias.as_ref().map(Input::tensor), targets.clone(), options);
        let gradients = loss.objective.clone().mul_scalar(FACTOR).sum().backward();
        // As evaluation asks for it, without gradients.
        let plain = bias.as_ref().map(|bias| bias.tensor().inner());
        let by_token = ops::token_cross_entropy(x.tensor().inner(), weight.tensor().inner(), plain, targets.inner(), options);
        let mut found = vec![
            ("objective", narrow(loss.objective)),
            ("cross-entropy", narrow(loss.nats)),
            ("cross-entropy by token", narrow(by_token)),
            ("gradient of x", x.gradient(&gradients)),
            ("gradient of the weight", weight.gradient(&gradients)),
        ];
        found.extend(bias.map(|bias| ("gradient of the bias", bias.gradient(&gradients))));
        found
    }

    fn want_of(&self, Inputs { x, weight, bias, targets }: &Inputs, vocab: usize) -> Vec<Sums> {
        let (x, weight, bias) = (wide(x), wide(weight), bias.as_ref().map(|bias| wide(bias)));
        let loss = LinearCrossEntropy { vocab, targets, options: self.options };
        let losses = loss.forward(&x, &weight, bias.as_deref());
        let n = targets.len() as f64;
        let mean = |losses: &Sums| {
            let [value, size] = [&losses.value, &losses.size].map(|x| vec![x.iter().sum::<f64>() / n]);
            Sums { value, size }
        };
        let [dx, dw, db] = loss.backward(&x, &weight, bias.as_deref(), FACTOR / n);
        let means = [mean(&losses.objective), mean(&losses.nats)];
        means.into_iter().chain([losses.nats, dx, dw]).chain(bias.map(|_| db)).collect()
    }
}

impl Setting for Loss {
    fn run(&self) -> Results {
        self.run_on(&self.inputs())
    }

    fn want(&self) -> Vec<Sums> {
        self.want_of(&self.inputs(), self.sizes[3])
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }

    #[test]
    fn logits_of_any_size_give_numbers(setting in settings(), size in select(&[1e4f32, 1e7, 1e11, 1e15][..])) {
        let [_, weight, bias] = setting.numbers;
        finite(&Loss { numbers: [(Form::Noise, size), weight, bias], ..setting }.run())?;
    }

    #[test]
    fn entries_ruled_out_by_the_bias_are_not_there(setting in settings()) {
        let options = CrossEntropyOptions { soft_cap: None, label_smoothing: 0.0, ..setting.options };
        let setting = Loss { bias: true, options, ..setting };
        let (vocab, mut inputs) = (setting.sizes[3], setting.inputs());
        let out: Vec<bool> =
            draw_indices(setting.seed, "out", vocab, 3).iter().enumerate().map(|(i, n)| *n > 0 && !inputs.targets.contains(&i)).collect();
        let kept: Vec<usize> = (0..vocab).filter(|i| !out[*i]).collect();
        let bias = inputs.bias.as_mut().unwrap();
        (0..vocab).filter(|i| out[*i]).for_each(|i| bias[i] = f32::NEG_INFINITY);
        let without = |x: &[f32]| x.chunks(vocab).flat_map(|row| kept.iter().map(|i| row[*i])).collect::<Vec<f32>>();
        let small = Inputs {
            weight: without(&inputs.weight),
            bias: inputs.bias.as_ref().map(|bias| without(bias)),
            targets: inputs.targets.iter().map(|target| kept.binary_search(target).unwrap()).collect(),
            ..inputs.clone()
        };
        let want = setting.want_of(&small, kept.len());
        for ((name, found), want) in setting.run_on(&inputs).iter().zip(&want) {
            let of_vocabulary = name.ends_with("weight") || name.ends_with("bias");
            prop_assert!(!of_vocabulary || found.iter().enumerate().all(|(i, x)| !out[i % vocab] || *x == 0.0), "{} moves them", name);
            close(name, &if of_vocabulary { without(found) } else { found.clone() }, want, TOLERANCE)?;
        }
    }
}
