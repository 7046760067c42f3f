//! A model and its optimizer, which take steps: alone, or as one of several that share the batch.

use super::{
    Batch, Examination, Measurement, RunSpec,
    clip::{clip_by, squares},
    memory, optimizer, step,
    team::{Command, GatherError, Ring, Team},
};
use crate::{
    eval::Scores,
    model::{HandOut, Recorded, Transformer},
    ops::Neighbours,
    parallel::group::Lost,
    pulse,
};
use burn::{
    optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer, OptimizerRecord},
    train::{InferenceStep, TrainStep},
};
use std::{cell::RefCell, sync::Arc};

/// A loss beyond `RUNAWAY_FACTOR` times the first one plus `RUNAWAY_NATS` is a divergence. The first loss is near the
/// logarithm of the vocabulary, where a model knows nothing; no useful run comes near three times that.
const RUNAWAY_FACTOR: f64 = 3.0;
const RUNAWAY_NATS: f64 = 10.0;

/// What takes steps.
pub(super) struct Replica {
    model: Option<Transformer>,
    optimizer: ModuleOptimizer,
    /// Where updates run, if not on all threads.
    serial: Option<rayon::ThreadPool>,
    team: Option<Team>,
}

/// Gradients of a step, with what was measured before the update.
pub(super) struct Computed {
    pub measured: Measurement,
    gradients: GradientsParams,
}

#[cfg(test)]
impl Computed {
    pub fn gradients(&self) -> &GradientsParams {
        &self.gradients
    }
}

impl Replica {
    /// What takes the steps of a run; `team` says with whom.
    pub fn new(spec: &RunSpec, model: Transformer, optimizer: ModuleOptimizer, team: Option<Team>) -> Self {
        let serial = optimizer::serial(&spec.optimizer, &model);
        let model = match &team {
            Some(team) => team.kept(model),
            None => model,
        };
        Self { model: Some(model), optimizer, serial, team }
    }

    /// The model, as far as this one has it.
    pub fn model(&self) -> &Transformer {
        self.model.as_ref().expect("the model is put back after each step")
    }

    /// The model with all parameters, with the first rank; to be called by all.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn whole(&mut self) -> Result<Transformer, Lost> {
        let model = self.model.as_ref().expect("the model is put back after each step");
        match &mut self.team {
            Some(team) => team.whole(model),
            None => Ok(model.clone()),
        }
    }

    /// Whether this rank has all parameters.
    pub fn is_whole(&self) -> bool {
        self.team.as_ref().is_none_or(Team::has_all)
    }

    /// The model, when no more steps are taken.
    pub fn into_model(self) -> Transformer {
        self.model.expect("the model is put back after each step")
    }

    /// Those who take the same steps.
    pub fn team(&self) -> Option<&Team> {
        self.team.as_ref()
    }

    #[cfg(test)]
    pub fn team_mut(&mut self) -> Option<&mut Team> {
        self.team.as_mut()
    }

    /// Loss and gradients of a step's batch in micro-batches, clipped: of the whole batch, whoever has a part of it.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn compute(&mut self, spec: &RunSpec, step: usize, micro: Vec<Batch>) -> Result<Computed, Lost> {
        let model = self.model.as_ref().expect("the model is put back after each step");
        let mut measured = Measurement { step: step + 1, ..Measurement::default() };
        let mut gradients = match &mut self.team {
            None => alone(model, micro, &mut measured),
            Some(team) => {
                let gradients = together(team, model, micro, &mut measured)?;
                [measured.loss, measured.objective] = team.sums([measured.loss, measured.objective])?;
                gradients
            }
        };
        let mut squares = squares(model, &gradients);
        if let Some(team) = &self.team {
            squares = team.squares(squares)?;
        }
        measured.gradient_norm = clip_by(model, &mut gradients, spec.train.gradient_clip, &squares);
        measured.learning_rate = spec.schedule.rate(spec.optimizer.lr(), step, spec.train.steps);
        Ok(Computed { measured, gradients })
    }

    /// Updates the parameters.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn update(&mut self, computed: Computed) -> Result<(), Lost> {
        let model = self.model.take().expect("the model is put back after each step");
        let Computed { measured, mut gradients } = computed;
        if let Some(team) = &self.team {
            gradients = team.own(&model, gradients);
        }
        let (optimizer, rate) = (&mut self.optimizer, measured.learning_rate);
        let model = match &self.serial {
            Some(pool) => pool.install(|| optimizer.step(rate, model, gradients)),
            None => optimizer.step(rate, model, gradients),
        };
        // Back before anything can be lost.
        let model = self.model.insert(model);
        if let Some(team) = &mut self.team {
            if let Some(shared) = team.shared(model)? {
                *model = shared;
            }
            team.count();
        }
        Ok(())
    }

    /// Says what comes to those who follow.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn command(&self, command: Command) -> Result<(), Lost> {
        self.team.as_ref().map_or(Ok(()), |team| team.command(command).map(drop))
    }

    /// Scores of the model without gradients: each of those who have it finds a part of them, and must call this. Those who have
    /// parts of the model wait.
    ///
    /// # Errors
    ///
    /// A rank that is lost.
    pub fn evaluate(&self, model: &Transformer, examination: &Examination) -> Result<Scores, Lost> {
        let scores = match &self.team {
            Some(team) if team.has_all() => team.evaluate(model, examination)?,
            _ => self.working(|| InferenceStep::step(model, examination.clone())),
        };
        memory::give_back();
        Ok(scores)
    }

    /// The state of the optimizer, as far as this one has it.
    #[cfg(test)]
    pub fn own_state(&self) -> OptimizerRecord {
        self.optimizer.to_record()
    }

    /// Does something that those who follow wait for.
    pub fn working<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.team {
            Some(team) => team.working(work),
            None => work(),
        }
    }

    /// The state of the optimizer, gathered from those who have a part of it; to be called by all ranks, answered to the first.
    ///
    /// # Errors
    ///
    /// A rank that is lost, a state that cannot be read.
    pub fn optimizer(&self) -> Result<Option<OptimizerRecord>, GatherError> {
        match &self.team {
            Some(team) if !team.has_all_moments() => team.gather(self.optimizer.to_record()),
            _ => Ok(Some(self.optimizer.to_record())),
        }
    }
}

/// Gradients of all micro-batches.
fn alone(model: &Transformer, micro: Vec<Batch>, measured: &mut Measurement) -> GradientsParams {
    let mut sum = GradientsAccumulator::new();
    let (mut single, count) = (None, micro.len());
    for batch in micro {
        let gradients = forward_backward(model, batch, measured);
        if count == 1 { single = Some(gradients) } else { sum.accumulate(model, gradients) }
    }
    single.unwrap_or_else(|| sum.grads())
}

/// Gradients of this rank's part of all micro-batches, added to those of the others while the last backward pass goes on.
fn together(team: &mut Team, model: &Transformer, mut micro: Vec<Batch>, measured: &mut Measurement) -> Result<GradientsParams, Lost> {
    let (part, parts) = team.part();
    let neighbours = team.neighbours();
    // Parameters outside of blocks stay for the whole step.
    let outside = team.shards.as_mut().map(|shards| shards.with_outside(model)).transpose()?;
    let run = outside.as_ref().unwrap_or(model);
    team.exchange.begin();
    let last = micro.pop().expect("a step has a batch");
    let mut earlier = GradientsAccumulator::new();
    let Team { exchange, shards, .. } = team;
    let exchange = RefCell::new(exchange);
    let mut hand_out = |index: usize, next: Option<usize>| {
        let Some(shards) = &mut *shards else { return Ok(model.layers()[index].clone()) };
        // Waiting is no computation.
        exchange.borrow_mut().computed("before a block");
        let block = shards.block(model, index, next);
        exchange.borrow_mut().begin();
        block
    };
    for batch in micro.iter().map(|batch| batch.part(part, parts)) {
        let recorded = forward(run, &batch, neighbours.as_ref(), measured, &mut hand_out)?;
        recorded.backward_each(run, batch.share, &mut hand_out, &mut |_, part| {
            earlier.accumulate(model, part);
            complete(neighbours.as_ref())
        })?;
        exchange.borrow_mut().computed("micro-batch");
    }
    let batch = last.part(part, parts);
    let recorded = forward(run, &batch, neighbours.as_ref(), measured, &mut hand_out)?;
    exchange.borrow_mut().computed("forward");
    let mut earlier = earlier.grads();
    recorded.backward_each(run, batch.share, &mut hand_out, &mut |name, part| {
        let mut exchange = exchange.borrow_mut();
        exchange.computed(name);
        exchange.deliver(model, part, &mut earlier)?;
        exchange.begin();
        Ok(())
    })?;
    exchange.into_inner().finish(model)
}

/// Fails if an operator has found a neighbour missing.
fn complete(neighbours: Option<&Arc<Ring>>) -> Result<(), Lost> {
    neighbours.map_or(Ok(()), |ring| ring.complete())
}

/// The forward pass of a micro-batch, by the blocks that are handed out.
fn forward(
    model: &Transformer,
    batch: &Batch,
    neighbours: Option<&Arc<Ring>>,
    measured: &mut Measurement,
    hand_out: HandOut<'_, Lost>,
) -> Result<Recorded, Lost> {
    pulse::beat();
    let ring = neighbours.map(|ring| ring.clone() as Arc<dyn Neighbours>);
    let recorded = step::forward_in_parts(model, batch, ring, hand_out)?;
    complete(neighbours)?;
    measured.loss += batch.share * step::read(recorded.loss.nats.clone());
    measured.objective += batch.share * step::read(recorded.loss.objective.clone());
    Ok(recorded)
}

fn forward_backward(model: &Transformer, batch: Batch, measured: &mut Measurement) -> GradientsParams {
    pulse::beat();
    let share = batch.share;
    let output = TrainStep::step(model, batch);
    measured.loss += share * output.item.loss;
    measured.objective += share * output.item.objective;
    output.grads
}

/// Why a step shows that the run has diverged, if it does.
pub(super) fn divergence(measured: &Measurement, initial: f64) -> Option<String> {
    let Measurement { step, loss, objective, gradient_norm, .. } = *measured;
    if !loss.is_finite() || !objective.is_finite() {
        Some(format!("the loss of step {step} is {}", if loss.is_finite() { objective } else { loss }))
    } else if !gradient_norm.is_finite() {
        Some(format!("the gradient norm of step {step} is {gradient_norm}"))
    } else if loss > RUNAWAY_FACTOR * initial + RUNAWAY_NATS {
        Some(format!("the loss of step {step} is {loss:.3} nats, the first was {initial:.3}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_a_loss_or_norm_that_is_no_number_or_a_loss_that_ran_away() {
        let measured = |loss, gradient_norm| Measurement { step: 7, loss, objective: loss, gradient_norm, ..Measurement::default() };
        assert_eq!(divergence(&measured(8.0, 1.0), 6.0), None);
        assert_eq!(divergence(&measured(28.0, 1e9), 6.0), None);
        assert!(divergence(&measured(28.1, 1.0), 6.0).unwrap().contains("28.1"));
        assert!(divergence(&measured(f64::NAN, 1.0), 6.0).unwrap().contains("step 7 is NaN"));
        assert!(divergence(&measured(1.0, f64::INFINITY), 6.0).unwrap().contains("gradient norm"));
    }
}
