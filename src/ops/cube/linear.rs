//! x·W + b, and several such products of one x: nothing but the inputs is kept.

use super::{
    Described,
    reduce::sum_rows,
    tensor::{count, dense, matmul, reshape, swap, width},
};
use crate::ops::{
    fused::linear::Linear,
    operator::{Kept, Kernels},
};
use burn::backend::{TensorMetadata, fusion::custom::TensorSpec, ops::FloatTensorOps};
use burn_cubecl::{CubeBackend, tensor::CubeTensor};

/// Products of one x: inputs are x, then every W, then the biases that there are.
pub(super) struct Shared<'a> {
    x: &'a CubeTensor,
    rows: CubeTensor,
    weights: &'a [CubeTensor],
    biases: Vec<Option<&'a CubeTensor>>,
}

/// `[…, width]` as `[rows, width]`.
fn matrix(x: &CubeTensor) -> CubeTensor {
    let width = width(x);
    reshape(dense(x), [count(x) / width, width])
}

impl<'a> Shared<'a> {
    /// The products among `inputs`; `biases` says which have a bias.
    pub(super) fn new(inputs: &'a [CubeTensor], biases: &[bool]) -> Self {
        let (weights, mut rest) = (&inputs[1..=biases.len()], inputs[1 + biases.len()..].iter());
        let biases = biases.iter().map(|bias| if *bias { rest.next() } else { None }).collect();
        Self { x: &inputs[0], rows: matrix(&inputs[0]), weights, biases }
    }

    /// Product `i`, with its bias: `[…, outputs]`.
    pub(super) fn forward(&self, i: usize) -> CubeTensor {
        let mut y = matmul(self.rows.clone(), self.weights[i].clone());
        let outputs = width(&y);
        if let Some(bias) = self.biases[i] {
            assert_eq!(bias.dtype, y.dtype, "linear: element types differ");
            y = CubeBackend::float_add(y, reshape(bias.clone(), [1, outputs]));
        }
        let mut shape = self.x.shape();
        let last = shape.num_dims() - 1;
        shape[last] = outputs;
        reshape(y, shape)
    }
}

/// The gradients of x, of every W and of every bias, from those of the products.
pub(super) fn backward_of_shared(shared: &Shared, outputs: &[CubeTensor], wanted: &[bool]) -> Vec<Option<CubeTensor>> {
    let gradients: Vec<CubeTensor> = outputs.iter().map(matrix).collect();
    let mut found = vec![wanted[0].then(|| {
        let parts = gradients.iter().zip(shared.weights).map(|(dy, weight)| matmul(dy.clone(), swap(weight.clone(), 0, 1)));
        let dx = parts.reduce(CubeBackend::float_add).expect("at least one product");
        reshape(dx, shared.x.shape())
    })];
    let mut wanted = wanted[1..].iter();
    let mut next = || *wanted.next().expect("as many as inputs");
    for dy in &gradients {
        found.push(next().then(|| matmul(swap(shared.rows.clone(), 0, 1), dy.clone())));
    }
    for (dy, _) in gradients.iter().zip(&shared.biases).filter(|(_, bias)| bias.is_some()) {
        found.push(next().then(|| sum_rows(dy, 1.0, dy.dtype)));
    }
    found
}

/// The description of product `i` of one x.
pub(super) fn described(inputs: &[TensorSpec], i: usize) -> TensorSpec {
    let mut shape = inputs[0].shape.clone();
    let last = shape.num_dims() - 1;
    shape[last] = inputs[1 + i].shape[1];
    TensorSpec::new(shape, inputs[0].dtype)
}

impl Kernels<CubeBackend> for Linear {
    fn forward(&self, inputs: Vec<CubeTensor>, _: Option<CubeTensor>, _: bool) -> Vec<CubeTensor> {
        vec![Shared::new(&inputs, &[self.bias]).forward(0)]
    }

    fn backward(&self, kept: Kept<CubeBackend>, gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        backward_of_shared(&Shared::new(&kept.inputs, &[self.bias]), &[gradient], wanted)
    }
}

impl Described for Linear {
    fn outputs(&self, inputs: &[TensorSpec], _: bool) -> Vec<TensorSpec> {
        vec![described(inputs, 0)]
    }
}
