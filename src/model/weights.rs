//! Numbers by path: parameters and their gradients.

use super::{Transformer, transformer::is_variant};
use burn::{
    module::{Module, ModuleVisitor, Param},
    optim::GradientsParams,
    tensor::{Element, Tensor},
};
use std::collections::BTreeMap;

/// Values of every parameter, row-major, by its path without the segments of enum variants.
pub type Weights = BTreeMap<String, Vec<f32>>;

/// Gradients of every parameter, in the same form, as wide as they come.
pub type Gradients = BTreeMap<String, Vec<f64>>;

impl Transformer {
    /// The parameters.
    pub fn weights(&self) -> Weights {
        let mut read = Read { path: vec![], gradients: None, found: Weights::new() };
        self.visit(&mut read);
        read.found
    }

    /// The gradients of the parameters; zeros where there is none.
    pub fn gradients(&self, gradients: &GradientsParams) -> Gradients {
        let mut read = Read { path: vec![], gradients: Some(gradients), found: Gradients::new() };
        self.visit(&mut read);
        read.found
    }
}

struct Read<'a, E> {
    path: Vec<String>,
    gradients: Option<&'a GradientsParams>,
    found: BTreeMap<String, Vec<E>>,
}

impl<E: Element> ModuleVisitor for Read<'_, E> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = match self.gradients {
            None => param.val().into_data().iter::<E>().collect(),
            Some(gradients) => match gradients.get::<D>(param.id) {
                Some(gradient) => gradient.into_data().iter::<E>().collect(),
                None => vec![E::default(); param.lazy_shape().num_elements()],
            },
        };
        self.found.insert(self.path.join("."), values);
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

#[cfg(test)]
mod tests {
    use crate::model::ModelConfig;
    use burn::tensor::Device;

    #[test]
    fn a_model_is_built_from_its_own_parameters() {
        let spec = ModelConfig { width: 16, vocab: Some(11), ..ModelConfig::default() }.resolve(None).unwrap();
        let device = Device::flex();
        let weights = spec.build(3, &device).weights();
        let shapes = spec.parameter_shapes();
        assert_eq!(weights.len(), shapes.len());
        assert!(shapes.iter().all(|(path, shape)| weights[path].len() == shape.iter().product::<usize>()));
        assert_eq!(spec.build_from(weights.clone(), &device).weights(), weights);
    }
}
