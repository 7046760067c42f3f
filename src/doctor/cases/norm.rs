//! Norms: with and without gain and bias, rows of one, wide rows, rows without spread.

use super::{Case, Place};
use crate::ops::{self, Op, RmsGain, reference::norm::Norm};

/// What the rows hold.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    Usual,
    /// The same number all along.
    Constant,
    /// So small that eps decides.
    Small,
    /// A mean a hundred times the spread.
    FarFromZero,
}

impl Rows {
    fn values(self, place: &Place, count: usize, width: usize) -> Vec<f32> {
        let noise = place.noise("x", count, 1.0);
        match self {
            Self::Usual => noise,
            Self::Constant => (0..count).map(|i| noise[i / width]).collect(),
            Self::Small => noise.into_iter().map(|x| 1e-3 * x).collect(),
            Self::FarFromZero => noise.into_iter().map(|x| 100.0 + x).collect(),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Usual => "",
            Self::Constant => ", constant rows",
            Self::Small => ", small numbers",
            Self::FarFromZero => ", far from zero",
        }
    }
}

const EPS: f64 = 1e-5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Gain {
    None,
    AfterCast,
    UnitOffset,
}

fn rms(place: &mut Place, shape: [usize; 3], gain: Gain, rows: Rows) {
    let width = shape[2];
    let x = place.leaf(rows.values(place, shape.iter().product(), width), shape);
    let w = place.noisy("gain", [width]);
    let (with, offset) = match gain {
        Gain::None => (RmsGain::None, 0.0),
        Gain::AfterCast => (RmsGain::AfterCast(w.tensor.clone()), 0.0),
        Gain::UnitOffset => (RmsGain::UnitOffset(w.tensor.clone()), 1.0),
    };
    let learned = (gain != Gain::None).then_some(w.wide.as_slice());
    let want = Norm { width, centred: false, eps: EPS, gain: learned, offset, bias: None };
    let y = ops::rms_norm(x.tensor.clone(), with, EPS);
    place.compare("output", y.clone(), &want.forward(&x.wide));
    let (gradients, dy) = place.backward(y);
    let [dx, dgain, _] = want.backward(&x.wide, &dy);
    place.compare_gradient("gradient of x", &x, &gradients, &dx);
    if gain != Gain::None {
        place.compare_gradient("gradient of the gain", &w, &gradients, &dgain);
    }
}

fn layer(place: &mut Place, shape: [usize; 3], gain: bool, bias: bool, rows: Rows) {
    let width = shape[2];
    let x = place.leaf(rows.values(place, shape.iter().product(), width), shape);
    let (w, b) = (place.noisy("gain", [width]), place.noisy("bias", [width]));
    let want = Norm {
        width,
        centred: true,
        eps: EPS,
        gain: gain.then_some(w.wide.as_slice()),
        offset: 0.0,
        bias: bias.then_some(b.wide.as_slice()),
    };
    let y = ops::layer_norm(x.tensor.clone(), gain.then(|| w.tensor.clone()), bias.then(|| b.tensor.clone()), EPS);
    place.compare("output", y.clone(), &want.forward(&x.wide));
    let (gradients, dy) = place.backward(y);
    let [dx, dgain, dbias] = want.backward(&x.wide, &dy);
    place.compare_gradient("gradient of x", &x, &gradients, &dx);
    if gain {
        place.compare_gradient("gradient of the gain", &w, &gradients, &dgain);
    }
    if bias {
        place.compare_gradient("gradient of the bias", &b, &gradients, &dbias);
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![];
    let usual = [[1, 1, 1], [2, 3, 5], [3, 7, 64], [1, 2, 257], [2, 5, 1000], [4, 67, 128]].map(|shape| (shape, Rows::Usual));
    let edge = [Rows::Constant, Rows::Small, Rows::FarFromZero].map(|rows| ([2, 9, 96], rows));
    for (shape, rows) in usual.into_iter().chain(edge) {
        let [batch, seq, width] = shape;
        let name = |form: &str| format!("{batch}×{seq} rows of {width}, {form}{}", rows.words());
        for (gain, form) in [(Gain::None, "plain"), (Gain::AfterCast, "gain"), (Gain::UnitOffset, "1 + gain")] {
            cases.push(Case::new(Op::RmsNorm, name(form), move |place| rms(place, shape, gain, rows)));
        }
        for (gain, bias, form) in [(false, false, "plain"), (true, false, "gain"), (true, true, "gain and bias")] {
            cases.push(Case::new(Op::LayerNorm, name(form), move |place| layer(place, shape, gain, bias, rows)));
        }
    }
    cases
}
