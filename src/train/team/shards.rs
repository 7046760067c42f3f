//! Parameters of which each rank has a part, gathered before use: ZeRO-3 (Rajbhandari et al. 2020, section 5.3), by blocks, as
//! in "PyTorch FSDP" (Zhao et al. 2023, section 3).

use super::values::{numbers, tensor};
use crate::{
    model::{Block, Transformer, parameters},
    parallel::{
        Buckets, Event, Operation, Place, Sender,
        group::{Group, Lost, Numbers},
    },
};
use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId},
    tensor::Tensor,
};
use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

/// The parameters of a model in units: a block each, and what is outside of blocks.
#[derive(Debug)]
pub struct Shards {
    rank: usize,
    sender: Sender,
    units: Buckets,
    numbers: HashMap<ParamId, usize>,
    shapes: Vec<Vec<usize>>,
    /// Units on their way, in their order.
    asked: VecDeque<usize>,
}

impl Shards {
    pub fn new(group: Group, model: &Transformer, origin: Instant) -> Self {
        let parameters = parameters(model);
        let numbers: HashMap<ParamId, usize> = parameters.iter().enumerate().map(|(number, (_, id, _))| (*id, number)).collect();
        let shapes: Vec<Vec<usize>> = parameters.into_iter().map(|(_, _, shape)| shape).collect();
        let sizes: Vec<usize> = shapes.iter().map(|shape| shape.iter().product()).collect();
        let groups = model.parameter_groups().into_iter().map(|ids| ids.iter().map(|id| numbers[id]).collect()).collect();
        let units = Buckets::of(groups, &sizes, group.size());
        Self { rank: group.rank(), sender: Sender::start(group, origin), units, numbers, shapes, asked: VecDeque::new() }
    }

    /// The unit of what is outside of blocks.
    fn outside(&self) -> usize {
        self.units.all.len() - 1
    }

    fn owns(&self, number: usize) -> bool {
        self.units.owner(number) == self.rank
    }

    /// The model without the parameters that others own: these have no size until they are gathered.
    pub fn dropped(&self, model: Transformer) -> Transformer {
        model.map(&mut Drop { shards: self })
    }

    /// The model with the parameters outside of its blocks.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn with_outside(&mut self, model: &Transformer) -> Result<Transformer, Lost> {
        let values = self.take(model, self.outside())?;
        Ok(self.filled(model.clone(), self.outside(), &values))
    }

    /// A block with all its parameters; the one that is needed next is asked for.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn block(&mut self, model: &Transformer, index: usize, next: Option<usize>) -> Result<Block, Lost> {
        if self.asked.front() != Some(&index) {
            self.ask(model, index, Operation::Gather);
        }
        if let Some(next) = next {
            self.ask(model, next, Operation::Gather);
        }
        let values = self.receive()?;
        Ok(self.filled(model.layers()[index].clone(), index, &values))
    }

    /// The model with all parameters, with the first rank; with the others, as it is.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn whole(&mut self, model: &Transformer) -> Result<Transformer, Lost> {
        let mut whole = model.clone();
        for unit in 0..self.units.all.len() {
            self.ask(model, unit, Operation::Collect);
            let values = self.receive()?;
            if self.rank == 0 {
                whole = self.filled(whole, unit, &values);
            }
        }
        Ok(whole)
    }

    fn take(&mut self, model: &Transformer, unit: usize) -> Result<Numbers, Lost> {
        self.ask(model, unit, Operation::Gather);
        self.receive()
    }

    fn ask(&mut self, model: &Transformer, unit: usize, operation: Operation) {
        let mut pack = Pack { shards: self, unit, values: None };
        match model.layers().get(unit) {
            Some(block) => block.visit(&mut pack),
            None => model.visit(&mut pack),
        }
        let bucket = &self.units.all[unit];
        // Of a rank that owns nothing of it.
        let values = pack.values.unwrap_or_else(|| Numbers::F32(vec![0.0; bucket.count]));
        let name = if unit == self.outside() { "embedding".to_string() } else { format!("layers.{unit}") };
        self.sender.send(format!("parameters of {name}"), operation, values, &bucket.parts);
        self.asked.push_back(unit);
    }

    fn receive(&mut self) -> Result<Numbers, Lost> {
        self.asked.pop_front();
        Ok(self.sender.receive()?.expect("it was asked for"))
    }

    fn filled<M: Module>(&self, module: M, unit: usize, values: &Numbers) -> M {
        module.map(&mut Fill { shards: self, unit, values })
    }

    /// What was sent since the last call, and when.
    pub fn events(&mut self) -> Vec<Event> {
        self.sender.events()
    }

    /// Bytes that were handed over since the last call.
    pub fn bytes(&mut self) -> u64 {
        self.sender.bytes()
    }
}

struct Drop<'a> {
    shards: &'a Shards,
}

impl ModuleMapper for Drop<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.shards.owns(self.shards.numbers[&param.id]) {
            return param;
        }
        param.map(|old| {
            let nothing = Tensor::zeros([1; D], (&old.device(), old.dtype()));
            if old.is_require_grad() { nothing.require_grad() } else { nothing }
        })
    }
}

struct Pack<'a> {
    shards: &'a Shards,
    unit: usize,
    values: Option<Numbers>,
}

impl ModuleVisitor for Pack<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let number = self.shards.numbers[&param.id];
        let Place { bucket, start, .. } = self.shards.units.place(number);
        if bucket != self.unit {
            return;
        }
        let values = numbers(param.val().inner());
        let count = self.shards.units.all[bucket].count;
        let all = self.values.get_or_insert_with(|| values.zeros(count));
        if self.shards.owns(number) {
            all.put(start, &values);
        }
    }
}

struct Fill<'a> {
    shards: &'a Shards,
    unit: usize,
    values: &'a Numbers,
}

impl ModuleMapper for Fill<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let number = self.shards.numbers[&param.id];
        let Place { bucket, start, count } = self.shards.units.place(number);
        if bucket != self.unit || self.shards.owns(number) {
            return param;
        }
        let shape: [usize; D] = self.shards.shapes[number].clone().try_into().expect("a parameter keeps its rank");
        let values = self.values.part(start..start + count);
        param.map(|old| {
            let new = tensor(values, shape, &old.device());
            if old.is_require_grad() { new.require_grad() } else { new }
        })
    }
}
