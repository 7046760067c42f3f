//! Matrix products, alone and gating each other.

use super::{
    Results, Setting, config,
    elementwise::kind,
    numbers::{Input, Numbers, USUAL, any_size, backward, draw, narrow, ordinary, wide},
    sizes::{few, length, within},
};
use ablate::ops::{
    self, Activation, Affine,
    reference::{Sums, gated_linear::GatedLinear, linear as reference},
};
use proptest::prelude::*;

/// Multiplications that float64 is given time for.
const WORK: usize = 300_000;

/// Multiplications that are shared among threads.
pub const SHARED: usize = 4_000_000;

#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// The activation of a gated pair of products; none of a single one.
    gate: Option<Activation>,
    /// Sequences, tokens, inputs and outputs.
    sizes: [usize; 4],
    bias: bool,
    /// Whether weights are transposed in memory, as the head's tied one is.
    tied: bool,
    /// Of x, of the weights, and of the gradient.
    numbers: [Numbers; 3],
    seed: u64,
}

/// Products of at most `work` multiplications.
pub fn settings(work: usize) -> impl Strategy<Value = Product> {
    let form = (prop::option::of(kind()), any::<bool>(), any::<bool>());
    let numbers = (prop_oneof![1 => Just(USUAL), 1 => any_size()], ordinary(), ordinary());
    (form, [few().boxed(), length().boxed(), length().boxed(), length().boxed()], numbers, any::<u64>()).prop_map(
        move |((gate, bias, tied), sizes, (x, weights, dy), seed)| {
            // A gate that closes makes nothing of a product in float64 alone: what is left in f32 must not be multiplied by much.
            let x = if gate.is_some() { (x.0, x.1.min(30.0)) } else { x };
            let numbers = [x, weights, dy];
            Product { gate, sizes: within(work, sizes), bias, tied: tied && gate.is_none(), numbers, seed }
        },
    )
}

/// x, the gradient of the output, weights and biases.
type Inputs = (Vec<f32>, Vec<f32>, Vec<Vec<f32>>, Vec<Vec<f32>>);

impl Product {
    fn inputs(&self) -> Inputs {
        let &Self { sizes: [batch, seq, inputs, outputs], numbers: [x, weights, dy], seed, .. } = self;
        let names = if self.gate.is_some() { vec!["gate", "up"] } else { vec!["w"] };
        let each =
            |key: &'static str, rows| names.iter().map(|name| draw(weights, seed, &format!("{key} {name}"), rows, outputs)).collect();
        let biases = if self.bias { each("bias", 1) } else { vec![] };
        (draw(x, seed, "x", batch * seq, inputs), draw(dy, seed, "dy", batch * seq, outputs), each("weight", inputs), biases)
    }
}

impl Setting for Product {
    fn run(&self) -> Results {
        let &Self { sizes: [batch, seq, inputs, outputs], .. } = self;
        let (x, dy, weights, biases) = self.inputs();
        let x = Input::new(&x, [batch, seq, inputs], None);
        let weights: Vec<Input<2>> = weights.iter().map(|w| Input::new(w, [inputs, outputs], self.tied.then_some([0, 1]))).collect();
        let biases: Vec<Input<1>> = biases.iter().map(|b| Input::new(b, [outputs], None)).collect();
        let affine = |i: usize| Affine { weight: weights[i].tensor(), bias: biases.get(i).map(Input::tensor) };
        let y = match self.gate {
            Some(kind) => ops::gated_linear(x.tensor(), affine(0), affine(1), kind),
            None => ops::linear(x.tensor(), weights[0].tensor(), biases.first().map(Input::tensor)),
        };
        let gradients = backward(y.clone(), &dy);
        let mut found = vec![("output", narrow(y)), ("gradient of x", x.gradient(&gradients))];
        found.extend(weights.iter().map(|w| ("gradient of a weight", w.gradient(&gradients))));
        found.extend(biases.iter().map(|b| ("gradient of a bias", b.gradient(&gradients))));
        found
    }

    fn want(&self) -> Vec<Sums> {
        let outputs = self.sizes[3];
        let (x, dy, weights, biases) = self.inputs();
        let (x, dy) = (wide(&x), wide(&dy));
        let [weights, biases] = [weights, biases].map(|all| all.iter().map(|x| wide(x)).collect::<Vec<_>>());
        let bias = |i: usize| biases.get(i).map(Vec::as_slice);
        let (y, dx, dw, db) = match self.gate {
            Some(activation) => {
                let gated = GatedLinear { weights: [&weights[0], &weights[1]], biases: [bias(0), bias(1)], hidden: outputs, activation };
                let (dx, dw, db) = gated.backward(&x, &dy);
                (gated.forward(&x), dx, dw.to_vec(), db.to_vec())
            }
            None => {
                let [dx, dw, db] = reference::backward(&x, &weights[0], &Sums::of(&dy), outputs);
                (reference::forward(&x, &weights[0], bias(0), outputs), dx, vec![dw], vec![db])
            }
        };
        [y, dx].into_iter().chain(dw).chain(db.into_iter().filter(|_| self.bias)).collect()
    }
}

proptest! {
    #![proptest_config(config(250))]

    #[test]
    fn agrees_with_float64(setting in settings(WORK)) {
        setting.agrees()?;
    }
}
