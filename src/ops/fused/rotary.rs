//! Rotation of channel pairs; the backward turns back. Nothing is kept but the tables.

use super::{room, tensor};
use crate::ops::{
    activations::Activations,
    flex::{
        rotary::{Angles, Part, Shape, rotate},
        view::View,
    },
    operator::{Keeps, Kept, Kernels, Properties},
    rotation::Rotation,
};
use burn::backend::{Flex, flex::FlexTensor};

/// Input: x `[batch, heads, seq, head_dim]` in any layout with contiguous heads. The output lies as
/// `[batch, seq, heads, head_dim]` in memory.
#[derive(Debug)]
pub struct Rotary(pub Rotation);

impl Rotary {
    /// All of one batch and sequence, turned in one pass.
    pub(super) fn turn<const N: usize>(&self, xs: [&FlexTensor; N], inverse: bool) -> [FlexTensor; N] {
        let xs = xs.map(rows);
        let [batch, _, seq, head_dim] = dims(&xs[0]);
        let mut ys = xs.each_ref().map(|x| room(x.layout().num_elements()));
        let Rotation { cos, sin, pairs, interleaved, .. } = &self.0;
        let angles = Angles { cos, sin, pairs: *pairs, interleaved: *interleaved, inverse };
        let mut outputs = ys.iter_mut();
        let part = |x| Part { x: view(x), heads: dims(x)[1], y: outputs.next().expect("as many as inputs") };
        rotate(xs.each_ref().map(part), Shape { batch, seq, head_dim }, angles);
        let mut heads = xs.iter().map(|x| dims(x)[1]);
        ys.map(|y| tensor(y, [batch, seq, heads.next().expect("as many as inputs"), head_dim]).transpose(1, 2))
    }
}

impl Properties for Rotary {
    fn keeps(&self, _: Activations) -> Keeps {
        Keeps { inputs: false, ..Keeps::default() }
    }
}

impl Kernels<Flex> for Rotary {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        self.turn([&inputs[0]], false).into()
    }

    fn backward(&self, _: Kept<Flex>, gradient: FlexTensor, _: &[bool]) -> Vec<Option<FlexTensor>> {
        self.turn([&gradient], true).map(Some).into()
    }
}

/// The tensor, with the numbers of a row one after the other.
pub(super) fn rows(x: &FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    if strides[3] == 1 && strides.iter().all(|stride| *stride >= 0) { x.clone() } else { x.to_contiguous() }
}

/// The sizes of four dimensions.
pub(super) fn dims(x: &FlexTensor) -> [usize; 4] {
    let shape = x.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// A tensor of four dimensions as it lies in memory.
pub(super) fn view(x: &FlexTensor) -> View<'_> {
    let strides = x.layout().strides();
    let stride = |i: usize| strides[i] as usize;
    View { data: &x.storage()[x.layout().start_offset()..], batch: stride(0), head: stride(1), seq: stride(2) }
}
