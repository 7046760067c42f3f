//! The parameters of a model by path.

use super::{ModelSpec, transformer::is_variant};
use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    tensor::Tensor,
};
use std::collections::BTreeSet;

/// Paths (without the segments of enum variants), identifiers and shapes of all parameters, in the order of the module.
pub fn parameters(model: &impl Module) -> Vec<(String, ParamId, Vec<usize>)> {
    let mut list = List::default();
    model.visit(&mut list);
    list.found
}

#[derive(Default)]
struct List {
    path: Vec<String>,
    found: Vec<(String, ParamId, Vec<usize>)>,
}

impl ModuleVisitor for List {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), param.id, param.lazy_shape().to_vec()));
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        if !is_variant(container_type) {
            self.path.push(name.to_string());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if !is_variant(container_type) {
            self.path.pop();
        }
    }
}

/// The share of `a`'s learned numbers that start from the same noise (or constant) in `b` under the same seed: those in
/// tensors whose path and shape `b` has too.
///
/// 1 when `a` has nothing that `b` lacks. Not symmetric.
pub fn paired_share(a: &ModelSpec, b: &ModelSpec) -> f64 {
    let others: BTreeSet<_> = b.parameter_shapes().into_iter().collect();
    let (mut paired, mut all) = (0, 0);
    for tensor in a.parameter_shapes() {
        let size: usize = tensor.1.iter().product();
        all += size;
        if others.contains(&tensor) {
            paired += size;
        }
    }
    paired as f64 / all as f64
}
