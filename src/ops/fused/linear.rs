//! x·W + b, and several such products of one x: nothing but the inputs is kept.

use super::{matrix, room, slice, tensor, width};
use crate::ops::{
    flex::{
        bf16,
        product::{Matrix, product},
    },
    operator::{Kept, Kernels, Properties},
    precision::Precision,
};
use burn::backend::{Flex, flex::FlexTensor};

/// Inputs: x `[…, inputs]`, W `[inputs, outputs]` in any layout, and b `[outputs]` if there is one.
#[derive(Debug)]
pub struct Linear {
    /// Whether there is a bias.
    pub bias: bool,
    /// As what products read f32; tensors of other types are read as they are.
    pub reads: Precision,
}

impl Properties for Linear {}

impl Kernels<Flex> for Linear {
    fn forward(&self, inputs: Vec<FlexTensor>, _: Option<FlexTensor>, _: bool) -> Vec<FlexTensor> {
        let shared = Shared::new(&inputs, &[self.bias], self.reads);
        let mut shape = inputs[0].layout().shape().clone();
        let last = shape.num_dims() - 1;
        shape[last] = shared.outputs(0);
        vec![tensor(shared.forward(0), shape)]
    }

    fn backward(&self, kept: Kept<Flex>, gradient: FlexTensor, wanted: &[bool]) -> Vec<Option<FlexTensor>> {
        backward_of_shared(&Shared::new(&kept.inputs, &[self.bias], self.reads), &[gradient.to_contiguous()], wanted)
    }
}

/// Products of one x: inputs are x, then every W, then the biases that there are.
pub(super) struct Shared<'a> {
    x: FlexTensor,
    weights: &'a [FlexTensor],
    biases: Vec<Option<&'a FlexTensor>>,
    reads: Precision,
}

impl<'a> Shared<'a> {
    /// The products among `inputs`; `biases` says which have a bias.
    pub(super) fn new(inputs: &'a [FlexTensor], biases: &[bool], reads: Precision) -> Self {
        let (weights, mut rest) = (&inputs[1..=biases.len()], inputs[1 + biases.len()..].iter());
        let biases = biases.iter().map(|bias| if *bias { rest.next() } else { None }).collect();
        Self { x: inputs[0].to_contiguous(), weights, biases, reads }
    }

    /// out = a·b, or out += a·b, of operands as they are read.
    fn product(&self, a: Matrix, b: Matrix, out: &mut [f32], accumulate: bool) {
        match self.reads {
            Precision::F32 => product(a, b, out, accumulate),
            Precision::Bf16 => bf16::product(a, b, out, accumulate),
        }
    }

    fn rows(&self) -> usize {
        slice(&self.x).len() / width(&self.x)
    }

    fn x(&self) -> Matrix<'_> {
        Matrix::contiguous(slice(&self.x), self.rows(), width(&self.x))
    }

    /// Columns of product `i`.
    pub(super) fn outputs(&self, i: usize) -> usize {
        self.weights[i].layout().shape()[1]
    }

    /// Product `i`, with its bias.
    pub(super) fn forward(&self, i: usize) -> Vec<f32> {
        let outputs = self.outputs(i);
        let mut y = room(self.rows() * outputs);
        if let Some(bias) = self.biases[i] {
            let bias = bias.to_contiguous();
            y.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(slice(&bias)));
        }
        self.product(self.x(), matrix(&self.weights[i]), &mut y, self.biases[i].is_some());
        y
    }
}

/// The gradients of x, of every W and of every bias, from those of the products.
pub(super) fn backward_of_shared(shared: &Shared, outputs: &[FlexTensor], wanted: &[bool]) -> Vec<Option<FlexTensor>> {
    let (rows, inputs) = (shared.rows(), width(&shared.x));
    let gradients: Vec<Matrix> = outputs.iter().map(|dy| Matrix::contiguous(slice(dy), rows, width(dy))).collect();
    let mut found = vec![wanted[0].then(|| {
        let mut dx = room(rows * inputs);
        for (i, dy) in gradients.iter().enumerate() {
            shared.product(*dy, matrix(&shared.weights[i]).transposed(), &mut dx, i > 0);
        }
        tensor(dx, shared.x.layout().shape().clone())
    })];
    let mut wanted = wanted[1..].iter();
    let mut next = || *wanted.next().expect("as many as inputs");
    for (i, dy) in gradients.iter().enumerate() {
        found.push(next().then(|| {
            let mut dw = room(inputs * shared.outputs(i));
            shared.product(shared.x().transposed(), *dy, &mut dw, false);
            tensor(dw, [inputs, shared.outputs(i)])
        }));
    }
    for (i, dy) in gradients.iter().enumerate().filter(|(i, _)| shared.biases[*i].is_some()) {
        found.push(next().then(|| {
            // The sum of the rows, as a product with ones.
            let mut sums = room(shared.outputs(i));
            product(Matrix::contiguous(&vec![1.0; rows], 1, rows), *dy, &mut sums, false);
            tensor(sums, [shared.outputs(i)])
        }));
    }
    found
}
