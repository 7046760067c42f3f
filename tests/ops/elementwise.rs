//! Activations, alone and as gates.

use super::{
    Results, Setting, config,
    numbers::{Form, Input, Numbers, any_size, backward, draw, narrow, ordinary, wide},
    sizes::length,
};
use ablate::ops::{
    self, Activation,
    reference::{Sums, activation as reference},
};
use proptest::{prelude::*, sample::select};

/// Any activation.
pub fn kind() -> impl Strategy<Value = Activation> {
    select(&Activation::ALL[..])
}

#[derive(Clone, Copy, Debug)]
pub struct Elementwise {
    kind: Activation,
    /// Whether it gates another input.
    gates: bool,
    /// Rows and columns.
    shape: [usize; 2],
    /// Of the activation's input, the gated one, and the gradient.
    numbers: [Numbers; 3],
    seed: u64,
}

pub fn settings() -> impl Strategy<Value = Elementwise> {
    // 80 is beyond where exponentials of f32 end.
    let x = prop_oneof![1 => any_size(), 2 => select(&[4.0f32, 12.0, 80.0, 200.0][..]).prop_map(|size| (Form::Noise, size))];
    (kind(), any::<bool>(), [length(), length()], (x, ordinary(), ordinary()), any::<u64>())
        .prop_map(|(kind, gates, shape, (x, up, dy), seed)| Elementwise { kind, gates, shape, numbers: [x, up, dy], seed })
}

impl Elementwise {
    /// The activation's input, the gated one, and the gradient of the output.
    fn inputs(&self) -> [Vec<f32>; 3] {
        let [x, up, dy] = self.numbers;
        [(x, "x"), (up, "up"), (dy, "dy")].map(|(numbers, key)| draw(numbers, self.seed, key, self.shape[0], self.shape[1]))
    }
}

impl Setting for Elementwise {
    fn run(&self) -> Results {
        let [x, up, dy] = self.inputs();
        let [x, up] = [x, up].map(|x| Input::new(&x, self.shape, None));
        if self.gates {
            let y = ops::gated(x.tensor(), up.tensor(), self.kind);
            let gradients = backward(y.clone(), &dy);
            return vec![
                ("output", narrow(y)),
                ("gradient of the gate", x.gradient(&gradients)),
                ("gradient of up", up.gradient(&gradients)),
            ];
        }
        let y = ops::activate(x.tensor(), self.kind);
        let gradients = backward(y.clone(), &dy);
        vec![("output", narrow(y)), ("gradient of x", x.gradient(&gradients))]
    }

    fn want(&self) -> Vec<Sums> {
        let [x, up, dy] = self.inputs().map(|x| wide(&x));
        if self.gates {
            let (gate, up) = (Sums::of(&x), Sums::of(&up));
            let [dgate, dup] = reference::gated_backward(self.kind, &gate, &up, &dy);
            return vec![reference::gated(self.kind, &gate, &up), dgate, dup];
        }
        vec![reference::forward(self.kind, &x), reference::backward(self.kind, &x, &dy)]
    }
}

/// Every finite number of f32.
fn any_finite() -> impl Strategy<Value = f32> {
    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }

    #[test]
    fn any_number_gives_a_number(kind in kind(), x in prop::collection::vec(any_finite(), 1..70)) {
        let count = x.len();
        let [gate, up] = [x, vec![0.5; count]].map(|x| Input::new(&x, [count], None));
        let y = ops::gated(gate.tensor(), up.tensor(), kind);
        let gradients = backward(y.clone(), &vec![0.5; count]);
        for found in [narrow(y), gate.gradient(&gradients), up.gradient(&gradients)] {
            // The square of a large number is infinite.
            prop_assert!(found.iter().all(|y| !y.is_nan() && (y.is_finite() || kind == Activation::Relu2)));
        }
    }
}
