//! Which numbers of a model lie where while they are sent, and which parameters this rank owns.

use super::values::{instead_of, numbers, tensor};
use crate::{
    model::{Transformer, parameters},
    parallel::{Buckets, Place, group::Numbers},
};
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::Tensor,
};
use std::collections::HashMap;

/// The parameters of a model in buckets.
#[derive(Debug)]
pub struct Holding {
    rank: usize,
    /// The buckets.
    pub buckets: Buckets,
    /// Paths, in the order of the module.
    pub names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    numbers: HashMap<ParamId, usize>,
    ids: Vec<ParamId>,
}

impl Holding {
    /// Of a model that has all its parameters; `buckets` makes buckets of their numbers in the module, by identifier, and sizes.
    pub fn new(rank: usize, model: &Transformer, buckets: impl FnOnce(&HashMap<ParamId, usize>, &[usize]) -> Buckets) -> Self {
        let (mut names, mut shapes, mut numbers, mut ids) = (vec![], vec![], HashMap::new(), vec![]);
        for (number, (name, id, shape)) in parameters(model).into_iter().enumerate() {
            numbers.insert(id, number);
            ids.push(id);
            names.push(name);
            shapes.push(shape);
        }
        let sizes: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
        Self { rank, buckets: buckets(&numbers, &sizes), names, shapes, numbers, ids }
    }

    /// The number of a parameter in the module.
    pub fn number(&self, id: ParamId) -> usize {
        self.numbers[&id]
    }

    /// The parameter of a number.
    pub fn id(&self, number: usize) -> ParamId {
        self.ids[number]
    }

    /// Where a parameter lies.
    pub fn place(&self, id: ParamId) -> Place {
        self.buckets.place(self.number(id))
    }

    /// Whether this rank owns a parameter; none of another model.
    pub fn owns(&self, id: ParamId) -> bool {
        self.numbers.get(&id).is_some_and(|number| self.buckets.owner(*number) == self.rank)
    }

    /// A bucket with what this rank owns of it, from a module that has that; zeros for the rest.
    pub fn packed(&self, module: &impl Module, bucket: usize) -> Numbers {
        let mut pack = Pack { holding: self, bucket, values: None };
        module.visit(&mut pack);
        pack.values.unwrap_or_else(|| Numbers::F32(vec![0.0; self.buckets.all[bucket].count]))
    }

    /// The module with the parameters that others own, of those buckets whose numbers are there.
    pub fn filled<'a, M: Module>(&self, module: M, values: impl Fn(usize) -> Option<&'a Numbers>) -> M {
        module.map(&mut Fill { holding: self, values })
    }
}

struct Pack<'a> {
    holding: &'a Holding,
    bucket: usize,
    values: Option<Numbers>,
}

impl ModuleVisitor for Pack<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Place { bucket, start, .. } = self.holding.place(param.id);
        let owned = self.holding.owns(param.id);
        // One is read to see how wide they are.
        if bucket == self.bucket && (owned || self.values.is_none()) {
            let values = numbers(param.val().inner());
            let all = self.values.get_or_insert_with(|| values.zeros(self.holding.buckets.all[bucket].count));
            if owned {
                all.put(start, &values);
            }
        }
    }
}

struct Fill<'a, F> {
    holding: &'a Holding,
    values: F,
}

impl<'v, F: Fn(usize) -> Option<&'v Numbers>> ModuleMapper for Fill<'_, F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Place { bucket, start, count } = self.holding.place(param.id);
        // What is owned stays where it is, so that it is updated in place.
        let Some(values) = (self.values)(bucket).filter(|_| !self.holding.owns(param.id)) else { return param };
        let shape: [usize; D] = self.holding.shapes[self.holding.number(param.id)].clone().try_into().expect("a parameter keeps its rank");
        param.map(|old| instead_of(&old, tensor(values.part(start..start + count), shape, &old.device())))
    }
}
