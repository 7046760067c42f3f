//! Parameters of which each rank has a part, gathered before use: ZeRO-3 (Rajbhandari et al. 2020, section 5.3), by blocks, as
//! in "PyTorch FSDP" (Zhao et al. 2023, section 3).

use super::{holding::Holding, values::instead_of};
use crate::{
    model::{Block, Transformer},
    parallel::{
        Buckets, Event, Operation, Sender,
        group::{Group, Lost, Numbers},
    },
};
use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::Tensor,
};
use std::{collections::VecDeque, time::Instant};

/// The parameters of a model in units: a block each, and what is outside of blocks.
#[derive(Debug)]
pub struct Shards {
    is_first: bool,
    sender: Sender,
    /// A bucket for each unit.
    units: Holding,
    /// Units on their way, in their order.
    asked: VecDeque<usize>,
}

impl Shards {
    pub fn new(group: Group, model: &Transformer, origin: Instant) -> Self {
        let size = group.size();
        let units = Holding::new(group.rank(), model, |numbers, sizes| {
            let groups = model.parameter_groups().into_iter().map(|ids| ids.iter().map(|id| numbers[id]).collect()).collect();
            Buckets::of(groups, sizes, size)
        });
        Self { is_first: group.rank() == 0, sender: Sender::start(group, origin, "parameters"), units, asked: VecDeque::new() }
    }

    /// The unit of what is outside of blocks.
    fn outside(&self) -> usize {
        self.units.buckets.all.len() - 1
    }

    /// The model without the parameters that others own: these have no size until they are gathered.
    pub fn dropped(&self, model: Transformer) -> Transformer {
        model.map(&mut Shrink { units: &self.units })
    }

    /// The model with the parameters outside of its blocks.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn with_outside(&mut self, model: &Transformer) -> Result<Transformer, Lost> {
        self.ask(model, self.outside(), Operation::Gather);
        let values = self.receive()?;
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
        for unit in 0..self.units.buckets.all.len() {
            self.ask(model, unit, Operation::Collect);
            let values = self.receive()?;
            if self.is_first {
                whole = self.filled(whole, unit, &values);
            }
        }
        Ok(whole)
    }

    fn ask(&mut self, model: &Transformer, unit: usize, operation: Operation) {
        let values = match model.layers().get(unit) {
            Some(block) => self.units.packed(block, unit),
            None => self.units.packed(model, unit),
        };
        let name = if unit == self.outside() { "embedding".to_string() } else { format!("layers.{unit}") };
        self.sender.send(format!("parameters of {name}"), operation, values, &self.units.buckets.all[unit].parts);
        self.asked.push_back(unit);
    }

    fn receive(&mut self) -> Result<Numbers, Lost> {
        self.asked.pop_front();
        Ok(self.sender.receive()?.expect("it was asked for"))
    }

    fn filled<M: Module>(&self, module: M, unit: usize, values: &Numbers) -> M {
        self.units.filled(module, |bucket| (bucket == unit).then_some(values))
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

struct Shrink<'a> {
    units: &'a Holding,
}

impl ModuleMapper for Shrink<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.units.owns(param.id) {
            return param;
        }
        param.map(|old| instead_of(&old, Tensor::zeros([1; D], (&old.device(), old.dtype()))))
    }
}
