//! The part of a model that a rank has where layers are divided, and the whole again.

use super::{
    ring::Ring,
    states::{Cut, Joint, joined},
    values::{instead_of, numbers, shape_of, tensor},
};
use crate::{
    model::{ModelSpec, Transformer, init::Divided, parameters},
    ops::{Neighbours, part_of},
    parallel::group::{Lost, Numbers},
};
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    optim::GradientsParams,
    tensor::{Tensor, TensorData},
};
use std::{collections::HashMap, ops::Range, sync::Arc};

/// How a model is divided among some neighbours.
#[derive(Debug)]
pub struct Division {
    /// The neighbours.
    pub ring: Arc<Ring>,
    /// Parameters of which each has a part: along which dimension, and the size of it in the whole.
    along: HashMap<u64, (usize, usize)>,
}

impl Division {
    /// Of a model that has all its parameters.
    pub fn new(ring: Ring, spec: &ModelSpec, model: &Transformer) -> Self {
        let divided: HashMap<String, Divided> = spec.sketched().into_iter().map(|known| (known.path, known.divided)).collect();
        let along = parameters(model).into_iter().filter_map(|(path, id, shape)| match divided[&path] {
            Divided::Whole => None,
            Divided::Along(dimension) => Some((id.val(), (dimension, shape[dimension]))),
        });
        Self { along: along.collect(), ring: Arc::new(ring) }
    }

    /// Whether each neighbour has a part of a parameter; else all have all of it.
    pub fn divides(&self, id: ParamId) -> bool {
        self.along.contains_key(&id.val())
    }

    /// The part of this rank of a parameter: the dimension, and where.
    fn own(&self, id: u64) -> Option<(usize, Range<usize>)> {
        self.along.get(&id).map(|(dimension, size)| (*dimension, self.ring.part(*size)))
    }

    /// The model with this rank's part of each parameter.
    pub fn part(&self, model: Transformer) -> Transformer {
        model.map(&mut Part { division: self })
    }

    /// Gradients with the sums over all neighbours of those that each has found a part of.
    ///
    /// # Errors
    ///
    /// One is lost.
    pub fn summed(&self, model: &Transformer, gradients: GradientsParams) -> Result<GradientsParams, Lost> {
        self.ring.complete()?;
        let mut pack = Pack { division: self, gradients, parts: vec![], all: GradientsParams::new() };
        model.visit(&mut pack);
        let Pack { parts, all, .. } = pack;
        if parts.is_empty() {
            return Ok(all);
        }
        // One transfer for all parameters.
        let mut sums = numbers(Tensor::cat(parts, 0));
        self.ring.sum(&mut sums);
        self.ring.complete()?;
        let mut unpack = Unpack { division: self, sums, taken: 0, gradients: all };
        model.visit(&mut unpack);
        Ok(unpack.gradients)
    }

    /// The model with all of each parameter, with the first of the neighbours; with the others, as it is.
    ///
    /// # Errors
    ///
    /// One is lost.
    pub fn whole(&self, model: Transformer) -> Result<Transformer, Lost> {
        let mut whole = Whole { division: self, lost: Ok(()) };
        let model = model.map(&mut whole);
        whole.lost.map(|()| model)
    }

    /// What this rank needs of a tensor that belongs to a parameter and has its shape.
    pub fn cut(&self, id: u64, shape: &[usize]) -> Option<Cut> {
        let (dimension, size) = self.along.get(&id)?;
        (shape.get(*dimension) == Some(size)).then(|| Cut { dimension: *dimension, range: self.ring.part(*size) })
    }

    /// How parts of such a tensor are put together, where this one has the first of them.
    pub fn joint(&self, id: u64, shape: &[usize]) -> Option<Joint> {
        let (dimension, size) = self.along.get(&id)?;
        (shape.get(*dimension) == Some(&part_of(*size, 0, self.ring.size()).len()))
            .then_some(Joint { dimension: *dimension, length: *size })
    }
}

struct Part<'a> {
    division: &'a Division,
}

impl ModuleMapper for Part<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((dimension, range)) = self.division.own(param.id.val()) else { return param };
        param.map(|old| {
            // Copied: a view would hold on to the whole.
            let part = old.clone().inner().slice_dim(dimension, range);
            let shape = part.dims();
            instead_of(&old, tensor(numbers(part), shape, &old.device()))
        })
    }
}

struct Whole<'a> {
    division: &'a Division,
    lost: Result<(), Lost>,
}

impl ModuleMapper for Whole<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((dimension, _)) = self.division.own(param.id.val()).filter(|_| self.lost.is_ok()) else { return param };
        let (own, mut shape) = (param.val().inner().into_data(), shape_of(&param));
        let dtype = own.dtype();
        match self.division.ring.collect(own.into_bytes().to_vec()) {
            Err(lost) => {
                self.lost = Err(lost);
                param
            }
            Ok(parts) if parts.is_empty() => param,
            Ok(parts) => {
                let whole = joined(&parts, &shape, dimension);
                shape[dimension] = self.division.along[&param.id.val()].1;
                let whole = TensorData::from_bytes_vec(whole, shape, dtype);
                param.map(|old| instead_of(&old, Tensor::from_data(whole, (&old.device(), dtype))))
            }
        }
    }
}

/// Looks for gradients that are to be summed.
struct Pack<'a> {
    division: &'a Division,
    gradients: GradientsParams,
    parts: Vec<Tensor<1>>,
    /// All of them, as they were.
    all: GradientsParams,
}

impl ModuleVisitor for Pack<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return };
        if !self.division.divides(param.id) {
            self.parts.push(gradient.clone().reshape([gradient.shape().num_elements()]));
        }
        self.all.register(param.id, gradient);
    }
}

/// Puts the sums in their place.
struct Unpack<'a> {
    division: &'a Division,
    sums: Numbers,
    taken: usize,
    gradients: GradientsParams,
}

impl ModuleVisitor for Unpack<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.division.divides(param.id) {
            return;
        }
        let Some(part) = self.gradients.remove::<D>(param.id) else { return };
        let (shape, count) = (part.dims(), part.shape().num_elements());
        let sum = self.sums.part(self.taken..self.taken + count);
        self.taken += count;
        self.gradients.register(param.id, tensor(sum, shape, &part.device()));
    }
}
