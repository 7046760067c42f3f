//! Where a parameter stands, and how it is therefore drawn.

use super::{InitConfig, draw};
use crate::model::Weights;
use burn::{
    module::{Param, ParamId},
    tensor::{Device, Tensor, TensorData},
};
use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex},
};

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

/// How a parameter lies on devices that divide layers among them (Shoeybi et al. 2019, "Megatron-LM", section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Divided {
    /// Each has all of it, and finds a part of its gradient.
    Whole,
    /// Each has a part of this dimension.
    Along(usize),
}

impl Role {
    /// Rows of what is added up, and of what is looked up; else columns: heads, channels, entries of the vocabulary.
    pub(crate) fn divided(self) -> Divided {
        match self {
            Self::QueryKey | Self::Value | Self::Hidden | Self::Head => Divided::Along(1),
            Self::Residual | Self::Embedding => Divided::Along(0),
            Self::Position => Divided::Whole,
        }
    }
}

/// What marks the standard noise of each parameter, by path.
pub type Marks = BTreeMap<String, String>;

/// A parameter that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sketched {
    /// Where.
    pub path: String,
    /// Its size.
    pub shape: Vec<usize>,
    /// How it can be divided.
    pub divided: Divided,
}

/// In the order in which they were asked for.
type Sketch = Arc<Mutex<Vec<Sketched>>>;

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
    multiple: f64,
    layers: usize,
    layer: Option<usize>,
    shrink: f64,
    device: Device,
    sketch: Option<Sketch>,
    given: Option<Arc<Mutex<Weights>>>,
    marks: Arc<Mutex<Marks>>,
}

impl Scope {
    /// The root of a model with `layers` blocks of `width` channels.
    ///
    /// `shrink` is DeepNorm's β for [`Role::Value`], [`Role::Hidden`] and [`Role::Residual`]; 1 elsewhere.
    pub fn new(seed: u64, scheme: &InitConfig, layers: usize, width: usize, shrink: f64, device: &Device) -> Self {
        let path = String::new();
        let (scheme, device, marks) = (scheme.clone(), device.clone(), Arc::default());
        Self { seed, path, scheme, width, multiple: 1.0, layers, layer: None, shrink, device, sketch: None, given: None, marks }
    }

    /// The same place in a model of so many times µP's base width.
    pub fn at_multiple(self, multiple: f64) -> Self {
        Self { multiple, ..self }
    }

    /// A root that draws nothing and allocates nothing: what is built from it has the right parameters, each of them
    /// uninitialised (zeros if somebody reads it), and `sketched` lists them.
    pub fn sketch(layers: usize, width: usize) -> Self {
        Self { sketch: Some(Sketch::default()), ..Self::new(0, &InitConfig::default(), layers, width, 1.0, &Device::flex()) }
    }

    /// The same place where parameters are given instead of drawn.
    pub fn given(self, weights: Weights) -> Self {
        Self { given: Some(Arc::new(Mutex::new(weights))), ..self }
    }

    /// The parameters asked for so far, in that order; empty unless this comes from [`Scope::sketch`].
    pub(crate) fn sketched(&self) -> Vec<Sketched> {
        self.sketch.as_ref().map_or_else(Vec::new, |sketch| sketch.lock().expect("no panic while held").clone())
    }

    /// Of every parameter that was drawn here so far, by path, eight hexadecimal digits that stand for its shape and the
    /// standard noise that it started from, whatever the scheme made of it. Parameters that start as constants have none.
    pub fn marks(&self) -> Marks {
        self.marks.lock().expect("no panic while held").clone()
    }

    /// The place of a field of this module.
    pub fn child(&self, name: impl Display) -> Self {
        Self { path: self.path_of(name), ..self.clone() }
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

    /// A matrix `[inputs, outputs]`: its standard noise, keyed by (seed, path), scaled by the scheme for `role`.
    ///
    /// See [`InitConfig`] for the scales.
    pub fn matrix(&self, name: &str, inputs: usize, outputs: usize, role: Role) -> Param<Tensor<2>> {
        let shape = [inputs, outputs];
        if let Some(param) = self.note(name, shape, role.divided()).or_else(|| self.take(name, shape)) {
            return param;
        }
        let place =
            draw::Place { role, inputs, outputs, width: self.width, multiple: self.multiple, layers: self.layers, layer: self.layer };
        let path = self.path_of(name);
        let draw::Drawn { values, mark } = draw::matrix(&self.scheme, &place, self.shrink, self.seed, &path);
        self.marks.lock().expect("no panic while held").insert(path, mark);
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A parameter filled with one value.
    pub fn constant<const D: usize>(&self, name: &str, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.filled(name, shape, value, Divided::Whole)
    }

    /// The bias of a matrix for `role`: zeros, divided as its columns are.
    pub fn bias(&self, name: &str, outputs: usize, role: Role) -> Param<Tensor<1>> {
        let divided = if role.divided() == Divided::Along(1) { Divided::Along(0) } else { Divided::Whole };
        self.filled(name, [outputs], 0.0, divided)
    }

    fn filled<const D: usize>(&self, name: &str, shape: [usize; D], value: f32, divided: Divided) -> Param<Tensor<D>> {
        self.note(name, shape, divided)
            .or_else(|| self.take(name, shape))
            .unwrap_or_else(|| Param::from_tensor(Tensor::full(shape, value, &self.device)))
    }

    fn path_of(&self, name: impl Display) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    /// Where parameters are given: this one.
    fn take<const D: usize>(&self, name: &str, shape: [usize; D]) -> Option<Param<Tensor<D>>> {
        let path = self.path_of(name);
        let values = self.given.as_ref()?.lock().expect("no panic while held").remove(&path);
        let values = values.unwrap_or_else(|| panic!("{path} is not among the given parameters"));
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{path} has the shape {shape:?}");
        Some(Param::from_data(TensorData::new(values, shape), &self.device))
    }

    /// In a sketch: notes the parameter and returns a stand-in that allocates when read.
    fn note<const D: usize>(&self, name: &str, shape: [usize; D], divided: Divided) -> Option<Param<Tensor<D>>> {
        let sketch = self.sketch.as_ref()?;
        sketch.lock().expect("no panic while held").push(Sketched { path: self.path_of(name), shape: shape.to_vec(), divided });
        let zeros = move |device: &Device, grad: bool| Tensor::zeros(shape, device).set_require_grad(grad);
        Some(Param::uninitialized(ParamId::new(), zeros, self.device.clone(), true, shape.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::linear::Linear;
    use burn::module::{Module, ModuleVisitor};

    fn scope(seed: u64, scheme: InitConfig) -> Scope {
        Scope::new(seed, &scheme, 4, 64, 1.0, &Device::flex())
    }

    fn bits(param: &Param<Tensor<2>>) -> Vec<u32> {
        param.val().into_data().iter::<f32>().map(f32::to_bits).collect()
    }

    #[test]
    fn a_place_has_its_path_and_layer() {
        let root = scope(1, InitConfig::default());
        let place = root.layer("layers", 3).child("attention").child("query");
        assert_eq!(place.path(), "layers.3.attention.query");
        assert_eq!(place.layer_index(), Some(3));
        assert_eq!(root.layer_index(), None);
    }

    #[test]
    fn same_seed_path_and_shape_give_the_same_bits() {
        let draw = |seed, name| bits(&scope(seed, InitConfig::Normal { std: 0.02 }).matrix(name, 8, 8, Role::Hidden));
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }

    #[test]
    fn a_sketch_lists_what_a_build_makes_and_allocates_nothing() {
        let build = |scope: &Scope| {
            let block = scope.layer("layers", 0).child("attention");
            vec![
                Linear::build(&block.child("query"), 6, 4, true, Role::QueryKey),
                Linear::build(&block.child("key"), 6, 2, false, Role::QueryKey),
            ]
        };
        let sketch = Scope::sketch(2, 6);
        let lazy = build(&sketch);
        let expected = [
            ("layers.0.attention.query.weight", vec![6, 4], 1),
            ("layers.0.attention.query.bias", vec![4], 0),
            ("layers.0.attention.key.weight", vec![6, 2], 1),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(path, shape, dimension)| Sketched { path: path.to_string(), shape, divided: Divided::Along(dimension) })
            .collect();
        assert_eq!(sketch.sketched(), expected);
        assert!(lazy.iter().all(|l| !l.weight.is_initialized()));
        assert_eq!(lazy[0].weight.lazy_shape().to_vec(), [6, 4]);

        // The same shapes in the same order as a visitor of the built modules sees them.
        #[derive(Default)]
        struct Shapes(Vec<Vec<usize>>);
        impl ModuleVisitor for Shapes {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push(param.lazy_shape().to_vec());
            }
        }
        let real = scope(1, InitConfig::default());
        let mut shapes = Shapes::default();
        build(&real).visit(&mut shapes);
        assert_eq!(shapes.0, expected.into_iter().map(|parameter| parameter.shape).collect::<Vec<_>>());
        assert!(real.sketched().is_empty());
    }

    #[test]
    fn a_sketch_of_65_billion_parameters_is_free() {
        let scope = Scope::sketch(80, 8192);
        for layer in 0..80 {
            scope.layer("layers", layer).matrix("weight", 8192, 100_000, Role::Hidden);
        }
        assert_eq!(scope.sketched().iter().map(|parameter| parameter.shape.iter().product::<usize>()).sum::<usize>(), 80 * 8192 * 100_000);
    }
}
