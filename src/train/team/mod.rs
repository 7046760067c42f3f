//! A run on several devices: each rank has a part of every batch, and the whole model or a part of each layer, and what they find
//! is added up.
//!
//! Ranks that are neighbours divide layers among them ([`Division`]); such groups share the batch.
//!
//! The first rank leads: it keeps the run's folder, and says before every step what comes. The others follow
//! ([`follow`]). Gradients go their own way, in buckets, from a thread that sends while the backward pass goes on ([`Exchange`]).

mod division;
mod exchange;
mod follow;
mod holding;
mod on_devices;
mod ring;
mod shards;
mod start;
mod states;
mod values;

pub(super) use exchange::Exchange;
pub(super) use follow::{Followers, message};
pub use follow::{Left, follow};
pub(super) use ring::Ring;
pub(super) use start::{Start, terms};

use crate::{
    eval::{Scores, Together, evaluate_together},
    model::{ModelSpec, Transformer},
    parallel::{
        Event, ParallelConfig, Sharded,
        group::{Group, Groups, Lost, Numbers},
    },
    train::Examination,
};
use burn::{
    optim::{GradientsParams, ModuleOptimizer, OptimizerRecord},
    store::RecordError,
    tensor::Device,
};
use division::Division;
use serde::{Deserialize, Serialize};
use shards::Shards;
use std::{cell::RefCell, sync::Arc, time::Instant};

/// What the ranks of a run have in common, as one of them sees it.
#[derive(Debug)]
pub(super) struct Team {
    commands: Group,
    /// Gradients on their way, and parameters after an update.
    pub exchange: Exchange,
    /// Parameters of which each rank has a part, gathered before use.
    pub shards: Option<Shards>,
    /// How layers are divided among neighbours, if they are.
    division: Option<Arc<Division>>,
    config: ParallelConfig,
    traffic: Traffic,
}

/// What the first rank says before anything that all do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Command {
    /// A step.
    Step,
    /// States of the optimizer are gathered.
    Gather,
    /// Parameters are gathered.
    Whole,
    /// The model is evaluated, by all.
    Evaluate,
    /// The run is over, or stops.
    End,
}

/// What sending took, over the steps of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Traffic {
    steps: usize,
    bytes: u64,
    sending: f64,
    exposed: f64,
}

/// How a run lay on several devices, and what that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParallelResult {
    /// All of them.
    pub devices: usize,
    /// How many divided each layer among them; groups of these shared the batch.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub tensor: usize,
    /// What each held a part of only.
    pub sharded: Sharded,
    /// Bytes of the gradients and parameters, and of tokens where layers were divided, that a device handed over in a step, padding and copies aside.
    pub bytes_per_step: u64,
    /// Seconds a step in which something was sent, on the first device; none where that was not measured: between GPUs by NCCL.
    pub sending_seconds: Option<f64>,
    /// Those of them in which the device did not compute beside it.
    pub exposed_seconds: Option<f64>,
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl ParallelResult {
    /// The share of sending beside which the device computed, where something was sent and measured.
    pub fn hidden(&self) -> Option<f64> {
        let sending = self.sending_seconds.filter(|seconds| *seconds > 0.0)?;
        Some(1.0 - self.exposed_seconds? / sending)
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.division.iter().for_each(|division| division.ring.close());
    }
}

impl Team {
    /// Of ranks that all have the whole model. `devices`: those of all ranks, where they are GPUs of one process.
    pub fn new(groups: Groups, spec: &ModelSpec, model: &Transformer, config: &ParallelConfig, devices: Vec<Device>) -> Self {
        let Groups { commands, gradients, parameters, neighbours } = groups;
        let origin = Instant::now();
        let division = neighbours.map(|group| Arc::new(Division::new(Ring::new(group, origin), spec, model)));
        let own = division.as_ref().map(|division| division.part(model.clone()));
        let own = own.as_ref().unwrap_or(model);
        // NCCL may add up in another order with each neighbour, and what all neighbours have would drift apart.
        let devices = if division.is_some() { vec![] } else { devices };
        let exchange = Exchange::new(gradients, own, config, devices, division.clone(), origin);
        let shards = (config.sharded == Sharded::Parameters).then(|| Shards::new(parameters, own, origin));
        Self { commands, exchange, shards, division, config: config.clone(), traffic: Traffic::default() }
    }

    /// Which part of every batch this rank takes, and of how many: neighbours take the same.
    pub fn part(&self) -> (usize, usize) {
        let tensor = self.config.tensor;
        (self.rank() / tensor, self.size() / tensor)
    }

    /// Those among whom layers are divided.
    pub fn neighbours(&self) -> Option<Arc<Ring>> {
        self.division.as_ref().map(|division| division.ring.clone())
    }

    /// Whether this rank has all parameters between steps.
    pub fn has_all(&self) -> bool {
        self.shards.is_none() && self.division.is_none()
    }

    /// The place of this one among all ranks.
    pub fn rank(&self) -> usize {
        self.commands.rank()
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.commands.size()
    }

    /// Says what comes, or hears it.
    pub fn command(&self, command: Command) -> Result<Command, Lost> {
        let heard = self.commands.broadcast(|| vec![command as u8])?;
        Ok(match heard.first() {
            Some(0) => Command::Step,
            Some(1) => Command::Gather,
            Some(2) => Command::Whole,
            Some(3) => Command::Evaluate,
            _ => Command::End,
        })
    }

    /// Whether what neighbours have in common counts here: it counts once.
    fn counts(&self) -> bool {
        self.rank().is_multiple_of(self.config.tensor)
    }

    /// The sums of numbers over all parts of the batch.
    pub fn sums<const N: usize>(&self, values: [f64; N]) -> Result<[f64; N], Lost> {
        let mut sums = Numbers::F64(if self.counts() { values.to_vec() } else { vec![0.0; N] });
        self.commands.all_reduce(&mut sums)?;
        let Numbers::F64(sums) = sums else { unreachable!("they stay what they are") };
        Ok(sums.try_into().expect("as many as before"))
    }

    /// The squares of all gradients, by the number of the parameter, from the ranks that have them.
    pub fn squares(&self, own: Vec<(usize, f32)>) -> Result<Vec<(usize, f32)>, Lost> {
        if !self.has_parts_of_gradients() && self.division.is_none() {
            return Ok(own);
        }
        // Each part once: of those who have the same sums the first tells them.
        let tells = self.has_parts_of_gradients() || self.part().0 == 0;
        let is_here = |number: usize| tells && (self.counts() || self.exchange.divides(number));
        let mut all = Numbers::F32(vec![0.0; self.exchange.parameters()]);
        own.into_iter().filter(|(number, _)| is_here(*number)).for_each(|(number, square)| all.put(number, &Numbers::F32(vec![square])));
        // Where layers are not divided, each is added to zeros: exact.
        self.commands.all_reduce(&mut all)?;
        let Numbers::F32(all) = all else { unreachable!("they stay what they are") };
        Ok(all.into_iter().enumerate().collect())
    }

    /// Whether a rank gets the sums of its own gradients alone.
    pub fn has_parts_of_gradients(&self) -> bool {
        self.config.sharded >= Sharded::Gradients
    }

    /// Whether a rank updates its own parameters alone.
    pub fn has_parts_of_moments(&self) -> bool {
        self.config.sharded >= Sharded::Moments
    }

    /// Whether every rank has the moments of all parameters.
    pub fn has_all_moments(&self) -> bool {
        !self.has_parts_of_moments() && self.division.is_none()
    }

    /// Leaves the gradients whose parameters this rank updates.
    pub fn own(&self, model: &Transformer, gradients: GradientsParams) -> GradientsParams {
        if self.has_parts_of_moments() { self.exchange.own(model, gradients) } else { gradients }
    }

    /// The model with the parameters that others have updated; none where it is that already, or these are gathered when needed.
    pub fn shared(&mut self, model: &Transformer) -> Result<Option<Transformer>, Lost> {
        let elsewhere = self.has_parts_of_moments() && self.shards.is_none();
        elsewhere.then(|| self.exchange.gather(model)).transpose()
    }

    /// The model as this rank keeps it between steps.
    pub fn kept(&self, model: Transformer) -> Transformer {
        let model = match &self.division {
            Some(division) => division.part(model),
            None => model,
        };
        match &self.shards {
            Some(shards) => shards.dropped(model),
            None => model,
        }
    }

    /// The model with all parameters, with the first rank.
    pub fn whole(&mut self, model: &Transformer) -> Result<Transformer, Lost> {
        let mut whole = match &mut self.shards {
            Some(shards) => shards.whole(model)?,
            None => model.clone(),
        };
        // Those who have the first part of the batch have the first part of what is sharded, and that is all of it by now.
        if let Some(division) = self.division.as_ref().filter(|_| self.part().0 == 0) {
            whole = division.whole(whole)?;
        }
        // No part of a step.
        drop(self.others());
        Ok(whole)
    }

    /// The state of the whole optimizer, from a rank's part of it; with the first rank only.
    pub fn gather(&self, own: OptimizerRecord) -> Result<Option<OptimizerRecord>, GatherError> {
        // Those who have the same state as others need not tell it.
        let tells = self.has_parts_of_moments() || self.part().0 == 0;
        let parts = self.commands.gather(if tells { own.into_bytes()?.to_vec() } else { vec![] })?;
        if parts.is_empty() {
            return Ok(None);
        }
        let of_neighbour = |neighbour: usize| {
            let theirs = parts.iter().skip(neighbour).step_by(self.config.tensor).filter(|part| !part.is_empty());
            states::merged(theirs.cloned().collect())
        };
        let neighbours = (0..self.config.tensor).map(of_neighbour).collect::<Result<Vec<_>, _>>()?;
        let joint = |id: u64, shape: &[usize]| self.division.as_ref().and_then(|division| division.joint(id, shape));
        Ok(Some(states::assembled(neighbours, &joint)?))
    }

    /// The optimizer with the state of what this rank updates, from that of the whole; empty before the first step.
    pub fn load(&self, optimizer: ModuleOptimizer, state: Vec<u8>) -> Result<ModuleOptimizer, RecordError> {
        if state.is_empty() {
            return Ok(optimizer);
        }
        let wanted = |id: u64| !self.has_parts_of_moments() || self.exchange.owns(id.into());
        let cut = |id: u64, shape: &[usize]| self.division.as_ref().and_then(|division| division.cut(id, shape));
        Ok(optimizer.load_record(states::selected(vec![state], &wanted, &cut)?))
    }

    /// What a step took to send; to be called after it.
    pub fn count(&mut self) {
        let (others, bytes) = self.others();
        let [bytes, sending, exposed] = self.exchange.end_step(others, bytes);
        let traffic = &mut self.traffic;
        traffic.steps += 1;
        traffic.bytes += bytes as u64;
        traffic.sending += sending;
        traffic.exposed += exposed;
    }

    /// What was sent beside gradients since the last call, and how many bytes.
    fn others(&mut self) -> (Vec<Event>, u64) {
        let (mut events, mut bytes) = self.shards.as_mut().map_or((vec![], 0), |shards| (shards.events(), shards.bytes()));
        if let Some(division) = &self.division {
            events.extend(division.ring.events());
            bytes += division.ring.bytes();
        }
        (events, bytes)
    }

    /// How the run lay on its devices, and what that took; none before the first step.
    pub fn result(&self) -> Option<ParallelResult> {
        let Traffic { steps, bytes, sending, exposed } = self.traffic;
        let each = |seconds: f64| self.exchange.is_measured().then_some(seconds / steps as f64);
        (steps > 0).then(|| ParallelResult {
            devices: self.size(),
            tensor: self.config.tensor,
            sharded: self.config.sharded,
            bytes_per_step: bytes / steps as u64,
            sending_seconds: each(sending),
            exposed_seconds: each(exposed),
        })
    }

    /// Scores of a model that all have, of which each rank finds a part; to be called by all.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn evaluate(&self, model: &Transformer, examination: &Examination) -> Result<Scores, Lost> {
        let colleagues = Colleagues { commands: &self.commands, lost: RefCell::new(None) };
        let scores = self.working(|| evaluate_together(model, &examination.dataset, &examination.evaluation, &colleagues));
        colleagues.lost.into_inner().map_or(Ok(scores), Err)
    }

    /// Does something that the others wait for.
    pub fn working<T>(&self, work: impl FnOnce() -> T) -> T {
        self.commands.working(work)
    }

    /// Tells the others why this one leaves.
    pub fn leave(&self, why: &str) {
        self.commands.leave(why);
        self.division.iter().for_each(|division| division.ring.leave(why));
    }

    /// What the others said about why one of them left, if the loss itself does not say.
    pub fn explain(&self, lost: Lost) -> Lost {
        self.commands.last_words(lost)
    }
}

/// All ranks while they evaluate.
struct Colleagues<'a> {
    commands: &'a Group,
    lost: RefCell<Option<Lost>>,
}

impl Together for Colleagues<'_> {
    fn is_mine(&self, batch: usize) -> bool {
        // Once one is lost there are no scores.
        self.lost.borrow().is_none() && batch % self.commands.size() == self.commands.rank()
    }

    fn combined(&self, numbers: Vec<f32>) -> Vec<f32> {
        let mut all = Numbers::F32(numbers);
        let mut lost = self.lost.borrow_mut();
        if lost.is_none() {
            // Each is added to zeros: exact.
            *lost = self.commands.all_reduce(&mut all).err();
        }
        let Numbers::F32(all) = all else { unreachable!("they stay what they are") };
        all
    }
}

/// Why the state of an optimizer could not be gathered.
#[derive(Debug)]
pub(super) enum GatherError {
    /// A rank is lost.
    Lost(Lost),
    /// A state cannot be written or read.
    Record(RecordError),
}

impl From<Lost> for GatherError {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<RecordError> for GatherError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

#[cfg(test)]
mod tests;
