//! Numbers from the tensors of a family to those of a model, and back.

use super::{
    layout::{Entry, Form, Layout},
    shards::{Dtype, Written},
};
use crate::model::Weights;

impl Layout {
    /// The tensors of theirs, made of numbers by the paths of ours: parameters, or their gradients.
    pub fn written<'a>(&'a self, numbers: &'a Weights, dtype: Dtype) -> Vec<Written<'a>> {
        let written = |entry: &'a Entry| Written::new(entry.name.clone(), self.shape(entry), dtype, move || gathered(self, entry, numbers));
        self.entries.iter().map(written).collect()
    }
}

/// Puts the values of a tensor of theirs where they belong.
pub(super) fn place(layout: &Layout, entry: &Entry, values: &[f32], weights: &mut Weights) {
    let mut before = 0;
    let outputs: usize = entry.parts.iter().map(|part| part.columns.len()).sum();
    for part in &entry.parts {
        let shape = &layout.shapes[&part.path];
        let (columns, rows) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product::<usize>());
        let ours = weights.entry(part.path.clone()).or_insert_with(|| vec![0.0; rows * columns]);
        for (at, column) in part.columns.clone().enumerate() {
            for row in 0..rows {
                ours[row * columns + column] = values[source(entry.form, row, before + at, rows, outputs)];
            }
        }
        before += part.columns.len();
    }
}

/// Where a tensor of theirs holds the number for an input and an output.
fn source(form: Form, input: usize, output: usize, inputs: usize, outputs: usize) -> usize {
    match form {
        Form::Rows => output * inputs + input,
        Form::Columns => input * outputs + output,
        Form::Table { skip } => (input + skip) * outputs + output,
    }
}

/// The values of a tensor of theirs.
pub(super) fn gathered(layout: &Layout, entry: &Entry, numbers: &Weights) -> Vec<f32> {
    let mut values = vec![0.0; layout.shape(entry).iter().product()];
    let outputs: usize = entry.parts.iter().map(|part| part.columns.len()).sum();
    let mut before = 0;
    for part in &entry.parts {
        let (ours, shape) = (&numbers[&part.path], &layout.shapes[&part.path]);
        let (columns, rows) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product::<usize>());
        for (at, column) in part.columns.clone().enumerate() {
            for row in 0..rows {
                values[source(entry.form, row, before + at, rows, outputs)] = ours[row * columns + column];
            }
        }
        before += part.columns.len();
    }
    values
}
