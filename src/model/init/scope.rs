//! Where a parameter stands, and how it is therefore drawn.

use super::InitConfig;
use burn::{
    module::Param,
    tensor::{Device, Tensor},
};
use std::fmt::Display;

/// What a matrix is for; schemes treat them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Token embedding.
    Embedding,
    /// Position table or bias.
    Position,
    /// Reads the residual stream as queries or keys.
    QueryKey,
    /// Reads the residual stream as values; DeepNorm shrinks it.
    Value,
    /// Reads the residual stream in the feed-forward branch; DeepNorm shrinks it.
    Hidden,
    /// Writes to the residual stream.
    Residual,
    /// Untied head.
    Head,
}

/// A place in the model while it is built: path, layer, scheme, seed, device.
///
/// Paths equal the module paths of Burn without the segments of enum variants, so that arms of different topology
/// share the noise of every tensor they share.
#[derive(Clone, Debug)]
pub struct Scope {
    seed: u64,
    path: String,
    scheme: InitConfig,
    width: usize,
    layers: usize,
    layer: Option<usize>,
    shrink: f64,
    device: Device,
}

impl Scope {
    /// The root of a model with `layers` blocks of `width` channels.
    ///
    /// `shrink` is DeepNorm's β for [`Role::Value`], [`Role::Hidden`] and [`Role::Residual`]; 1 elsewhere.
    pub fn new(seed: u64, scheme: &InitConfig, layers: usize, width: usize, shrink: f64, device: &Device) -> Self {
        Self { seed, path: String::new(), scheme: scheme.clone(), width, layers, layer: None, shrink, device: device.clone() }
    }

    /// STANDIN
    pub fn outline(_scheme: &InitConfig, _layers: usize, _width: usize) -> Self {
        todo!()
    }
    /// STANDIN
    pub fn outlined(&self) -> Vec<(String, Vec<usize>)> {
        todo!()
    }
    /// The place of a field of this module.
    pub fn child(&self, name: impl Display) -> Self {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { path, ..self.clone() }
    }

    /// The place of block `index`, from 0, of the field `name`.
    pub fn layer(&self, name: &str, index: usize) -> Self {
        Self { layer: Some(index), ..self.child(name).child(index) }
    }

    /// The layer's number from 0, inside a block.
    pub fn layer_index(&self) -> Option<usize> {
        self.layer
    }

    /// Dotted path of this place.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A matrix `[inputs, outputs]` drawn by the scheme.
    pub fn matrix(&self, name: &str, inputs: usize, outputs: usize, role: Role) -> Param<Tensor<2>> {
        let _ = (name, inputs, outputs, role, self.seed, &self.scheme, self.width, self.layers, self.shrink);
        todo!()
    }

    /// A parameter filled with one value.
    pub fn constant<const D: usize>(&self, name: &str, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        let _ = name;
        Param::from_tensor(Tensor::full(shape, value, &self.device))
    }
}
