//! Norms of rows.

use super::{
    Results, Setting, config,
    numbers::{Form, Input, Numbers, any_size, backward, draw, finite, narrow, ordinary, wide},
    sizes::{few, length},
};
use ablate::ops::{
    self, RmsGain,
    reference::{Sums, norm as reference},
};
use proptest::{prelude::*, sample::select};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Rms,
    /// RMS with a gain to which 1 is added.
    Offset,
    Layer,
}

#[derive(Clone, Copy, Debug)]
pub struct Norm {
    kind: Kind,
    /// Sequences, rows of each and their width.
    shape: [usize; 3],
    gain: bool,
    bias: bool,
    eps: f32,
    /// Added to all elements.
    mean: f32,
    /// Of x, of gain and bias, and of the gradient.
    numbers: [Numbers; 3],
    seed: u64,
}

pub fn settings() -> impl Strategy<Value = Norm> {
    let width = prop_oneof![3 => length(), 1 => select(&[191usize, 255, 257, 1000][..])];
    // A mean beyond the spread, where subtracting it cancels.
    let x = prop_oneof![3 => (any_size(), Just(0.0f32)), 1 => (Just((Form::Noise, 1.0)), select(&[3.0f32, 100.0, -1e4][..]))];
    let numbers = (x, ordinary(), ordinary());
    let form = (select(&[Kind::Rms, Kind::Offset, Kind::Layer, Kind::Layer][..]), any::<bool>(), any::<bool>());
    (form, (few(), length(), width), select(&[1e-5f32, 1e-6, 1e-12, 0.1][..]), numbers, any::<u64>()).prop_map(
        |((kind, gain, bias), (batch, rows, width), eps, ((x, mean), vectors, dy), seed)| Norm {
            kind,
            shape: [batch, rows, width],
            gain: gain || kind == Kind::Offset,
            bias: bias && kind == Kind::Layer,
            eps,
            mean,
            numbers: [x, vectors, dy],
            seed,
        },
    )
}

impl Norm {
    /// x, gain, bias and the gradient of the output.
    fn inputs(&self) -> [Vec<f32>; 4] {
        let &Self { shape: [batch, rows, width], numbers: [x, vectors, dy], mean, seed, .. } = self;
        let draw = |numbers, key, rows| draw(numbers, seed, key, rows, width);
        let x = draw(x, "x", batch * rows).into_iter().map(|x| x + mean).collect();
        [x, draw(vectors, "gain", 1), draw(vectors, "bias", 1), draw(dy, "dy", batch * rows)]
    }
}

impl Setting for Norm {
    fn run(&self) -> Results {
        let [x, gain, bias, dy] = self.inputs();
        let x = Input::new(&x, self.shape, None);
        let [gain, bias] = [gain, bias].map(|vector| Input::new(&vector, [self.shape[2]], None));
        let eps = f64::from(self.eps);
        let y = match self.kind {
            Kind::Layer => ops::layer_norm(x.tensor(), self.gain.then(|| gain.tensor()), self.bias.then(|| bias.tensor()), eps),
            Kind::Offset => ops::rms_norm(x.tensor(), RmsGain::UnitOffset(gain.tensor()), eps),
            Kind::Rms if self.gain => ops::rms_norm(x.tensor(), RmsGain::AfterCast(gain.tensor()), eps),
            Kind::Rms => ops::rms_norm(x.tensor(), RmsGain::None, eps),
        };
        let gradients = backward(y.clone(), &dy);
        let mut found = vec![("output", narrow(y)), ("gradient of x", x.gradient(&gradients))];
        found.extend(self.gain.then(|| ("gradient of the gain", gain.gradient(&gradients))));
        found.extend(self.bias.then(|| ("gradient of the bias", bias.gradient(&gradients))));
        found
    }

    fn want(&self) -> Vec<Sums> {
        let [x, gain, bias, dy] = self.inputs().map(|x| wide(&x));
        let norm = reference::Norm {
            width: self.shape[2],
            centred: self.kind == Kind::Layer,
            eps: f64::from(self.eps),
            gain: self.gain.then_some(&gain),
            offset: if self.kind == Kind::Offset { 1.0 } else { 0.0 },
            bias: self.bias.then_some(&bias),
        };
        let [dx, dgain, dbias] = norm.backward(&x, &dy);
        let vectors = [(self.gain, dgain), (self.bias, dbias)];
        [norm.forward(&x), dx].into_iter().chain(vectors.into_iter().filter_map(|(has, vector)| has.then_some(vector))).collect()
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn agrees_with_float64(setting in settings()) {
        setting.agrees()?;
    }

    #[test]
    fn rows_of_any_size_give_numbers(setting in settings(), size in select(&[1e-38f32, 1e-25, 1e-10, 1e10, 1e17][..])) {
        let [(form, _), vectors, dy] = setting.numbers;
        finite(&Norm { numbers: [(form, size), vectors, dy], mean: 0.0, ..setting }.run())?;
    }
}
