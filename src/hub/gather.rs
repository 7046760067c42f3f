//! Numbers from the tensors of a family to those of a model, and back.

use super::{
    layout::{Entry, Form, Layout, Part},
    shards::{Dtype, Written},
};
use crate::model::Weights;
use std::collections::BTreeMap;

impl Layout {
    /// The tensors of theirs, made of numbers by the paths of ours: parameters, or their gradients.
    pub fn written<'a, T>(&'a self, numbers: &'a BTreeMap<String, Vec<T>>, dtype: Dtype) -> Vec<Written<'a>>
    where
        T: Copy + Default + Into<f64>,
    {
        let written = |entry: &'a Entry| Written::new(entry.name.clone(), self.shape(entry), dtype, move || gathered(self, entry, numbers));
        self.entries.iter().map(written).collect()
    }
}

/// Puts the values of a tensor of theirs where they belong.
pub(super) fn place(layout: &Layout, entry: &Entry, values: &[f32], weights: &mut Weights) {
    for (part, places) in layout.places(entry) {
        let size = layout.shapes[&part.path].iter().product();
        let ours = weights.entry(part.path.clone()).or_insert_with(|| vec![0.0; size]);
        places.for_each(|(own, other)| ours[own] = values[other]);
    }
}

/// The values of a tensor of theirs.
pub(super) fn gathered<T: Copy + Default>(layout: &Layout, entry: &Entry, numbers: &BTreeMap<String, Vec<T>>) -> Vec<T> {
    let mut values = vec![T::default(); layout.shape(entry).iter().product()];
    for (part, places) in layout.places(entry) {
        let ours = &numbers[&part.path];
        places.for_each(|(own, other)| values[other] = ours[own]);
    }
    values
}

impl Layout {
    /// Of each part of a tensor, where its numbers lie: in ours, and in the tensor of theirs.
    fn places<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = (&'a Part, impl Iterator<Item = (usize, usize)>)> {
        let outputs: usize = entry.parts.iter().map(|part| part.columns.len()).sum();
        entry.parts.iter().scan(0, move |before, part| {
            let shape = &self.shapes[&part.path];
            let (columns, inputs) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product::<usize>());
            let first = *before;
            *before += part.columns.len();
            let at = move |(output, column): (usize, usize)| {
                (0..inputs).map(move |input| (input * columns + column, source(entry.form, input, first + output, inputs, outputs)))
            };
            Some((part, part.columns.clone().enumerate().flat_map(at)))
        })
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
