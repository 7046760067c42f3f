//! Where a family keeps the numbers of a model: its tensors, as rows of theirs and columns of ours.

use crate::model::ModelSpec;
use std::{collections::BTreeMap, ops::Range};

/// How a tensor of theirs lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A vector, or `[outputs, inputs]` as PyTorch's `Linear` has it: ours is transposed.
    Rows,
    /// `[inputs, outputs]` as GPT-2's `Conv1D` has it: as ours.
    Columns,
    /// As ours, whatever its rows are: embeddings, and positions of which the first `skip` rows serve nobody.
    Table {
        /// Rows before those of ours.
        skip: usize,
    },
}

/// Outputs of one of our parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Path of the parameter, or while a layout is written that of the layer it belongs to.
    pub path: String,
    /// Its columns; of a vector, its elements.
    pub columns: Range<usize>,
}

/// A tensor of theirs: the outputs of its parts, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name in the file.
    pub name: String,
    /// How it lies.
    pub form: Form,
    /// What it holds.
    pub parts: Vec<Part>,
}

/// The tensors of a model in the layout of a family.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Paths and shapes of our parameters.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// All tensors.
    pub entries: Vec<Entry>,
}

impl Layout {
    /// A layout of a model, to be filled.
    pub fn new(spec: &ModelSpec) -> Self {
        Self { shapes: spec.parameter_shapes().into_iter().collect(), entries: vec![] }
    }

    /// The layout of our own: every parameter under its path, as it is.
    pub fn own(spec: &ModelSpec) -> Self {
        let mut layout = Self::new(spec);
        let paths: Vec<String> = layout.shapes.keys().cloned().collect();
        for path in paths {
            if layout.shapes[&path].len() == 1 { layout.rows(path.clone(), &path) } else { layout.table(path.clone(), &path, 0) }
        }
        layout
    }

    fn columns(&self, path: &str) -> Option<usize> {
        self.shapes.get(path)?.last().copied()
    }

    fn add(&mut self, name: String, form: Form, parts: Vec<Part>) {
        self.entries.push(Entry { name, form, parts });
    }

    /// A table of ours under a name of theirs.
    pub fn table(&mut self, theirs: impl Into<String>, ours: &str, skip: usize) {
        if let Some(columns) = self.columns(ours) {
            self.add(theirs.into(), Form::Table { skip }, vec![Part { path: ours.to_string(), columns: 0..columns }]);
        }
    }

    /// A matrix of ours, transposed, or a vector; nothing if the model has none.
    pub fn rows(&mut self, theirs: impl Into<String>, ours: &str) {
        if let Some(columns) = self.columns(ours) {
            self.add(theirs.into(), Form::Rows, vec![Part { path: ours.to_string(), columns: 0..columns }]);
        }
    }

    /// `weight`, and `bias` if there is one, of a layer.
    pub fn linear(&mut self, theirs: &str, ours: &str) {
        self.stacked(theirs, Form::Rows, &[ours]);
    }

    /// `weight` and `bias` of a layer that holds several of ours, one after the other.
    pub fn stacked(&mut self, theirs: &str, form: Form, ours: &[&str]) {
        let whole =
            |path: &&str| self.columns(&format!("{path}.weight")).map(|columns| Part { path: path.to_string(), columns: 0..columns });
        let parts = ours.iter().filter_map(whole).collect();
        self.mixed(theirs, form, parts);
    }

    /// `weight` and `bias` of a layer whose outputs are those of several of ours, in any order.
    pub fn mixed(&mut self, theirs: &str, form: Form, parts: Vec<Part>) {
        for name in ["weight", "bias"] {
            let parts: Vec<Part> =
                parts.iter().map(|part| Part { path: format!("{}.{name}", part.path), columns: part.columns.clone() }).collect();
            if !parts.is_empty() && parts.iter().all(|part| self.shapes.contains_key(&part.path)) {
                self.add(format!("{theirs}.{name}"), form, parts);
            }
        }
    }

    /// `weight` and `bias` of a norm, as far as the model has them.
    pub fn norm(&mut self, theirs: &str, ours: &str) {
        self.rows(format!("{theirs}.weight"), &format!("{ours}.gain"));
        self.rows(format!("{theirs}.bias"), &format!("{ours}.bias"));
    }

    /// The shape of a tensor of theirs.
    pub fn shape(&self, entry: &Entry) -> Vec<usize> {
        let outputs: usize = entry.parts.iter().map(|part| part.columns.len()).sum();
        let ours = &self.shapes[&entry.parts[0].path];
        match (entry.form, ours.as_slice()) {
            (_, [_]) => vec![outputs],
            (Form::Rows, [inputs, _]) => vec![outputs, *inputs],
            (Form::Columns, [inputs, _]) => vec![*inputs, outputs],
            (Form::Table { skip }, [rows, _]) => vec![rows + skip, outputs],
            (_, other) => unreachable!("parameters are vectors or matrices, not {other:?}"),
        }
    }
}

/// Queries, keys and values in one layer, group by group: the query heads that share a key head, the key head, the value head.
pub fn grouped(prefix: &str, heads: usize, kv_heads: usize, head_dim: usize) -> Vec<Part> {
    let part = |name: &str, columns: Range<usize>| Part { path: format!("{prefix}.{name}"), columns };
    let shared = heads / kv_heads * head_dim;
    (0..kv_heads)
        .flat_map(|group| {
            let own = group * head_dim..(group + 1) * head_dim;
            [part("query", group * shared..(group + 1) * shared), part("key", own.clone()), part("value", own)]
        })
        .collect()
}
