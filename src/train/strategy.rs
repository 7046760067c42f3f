//! The training loop, in optimizer steps, as burn-train's learning strategy.
//!
//! Burn-train's own strategies work in epochs and hand the optimizer a clone of the model, which forbids updates in
//! place. This one takes the model out of the learner, drops the learner, and holds model, optimizer and clipping itself.

use super::{
    Outcome, RunSpec,
    batch::{Batch, Waited, next_step},
    checkpoint::{self, Contents, State},
    metrics,
    probe::{self, Prober},
    replica::{Replica, divergence},
    step::{Examination, Measurement},
    team::{Command, GatherError, ParallelResult, Team},
};
use crate::{
    data::hex,
    eval::Scores,
    files,
    model::{Transformer, init::Marks},
    parallel::group::Lost,
    pulse,
    settings::{Error, Result},
};
use burn::{
    data::dataloader::Progress,
    module::Module,
    optim::{ModuleOptimizer, OptimizerRecord},
    train::{
        EventProcessorTraining, Interrupter, Learner, LearnerEvent, SupervisedLearningStrategy, SupervisedTrainingEventProcessor,
        TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
        metric::store::{Aggregate, Split},
    },
};
use sha2::{Digest, Sha256};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What was computed and sent in the last step of a run on several devices, in the run's folder.
pub(super) const TRACE: &str = "trace.json";
/// Steps at the start of an attempt that say nothing about speed.
const WARM_UP: usize = 2;

/// How far a run is; what is left of it when a step panics.
#[derive(Debug)]
pub(super) struct Status {
    /// What a checkpoint would hold.
    pub state: State,
    /// How the loop ended, once it has, and why.
    pub ended: Option<(Outcome, Option<String>)>,
    /// Wrong input or a full disk.
    pub error: Option<Error>,
    /// What marks the noise that each parameter started from.
    pub noise: Marks,
    /// Wall-clock milliseconds of each step of this attempt after the first [`WARM_UP`].
    pub milliseconds: Vec<f64>,
    /// How long this attempt has waited for batches.
    pub waited: Waited,
    /// What it took to be on several devices.
    pub parallel: Option<ParallelResult>,
}

/// The status, shared between the loop and whoever waits for it.
pub(super) type Shared = Arc<Mutex<Status>>;

/// Locks, also after a panic: the status is whole between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One run's loop.
pub(super) struct Steps {
    pub spec: RunSpec,
    pub out: PathBuf,
    pub examination: Examination,
    /// Taken by the loop.
    pub optimizer: Mutex<Option<ModuleOptimizer>>,
    /// Taken by the loop, where there are other ranks.
    pub team: Mutex<Option<Team>>,
    /// Taken by the loop, where the run has probes.
    pub prober: Mutex<Option<Prober>>,
    pub status: Shared,
    /// Set to stop after the current step.
    pub stop: Arc<AtomicBool>,
    /// First error of writing metrics.
    pub write_failure: Arc<Mutex<Option<std::io::Error>>>,
}

impl SupervisedLearningStrategy<Transformer> for Steps {
    fn fit(
        &self,
        components: TrainingComponents<Transformer>,
        learner: Learner<Transformer>,
        batches: TrainLoader<Transformer>,
        validation: ValidLoader<Transformer>,
        _starting_epoch: usize,
    ) -> (Transformer, SupervisedTrainingEventProcessor<Transformer>) {
        let TrainingComponents { event_processor, event_store, interrupter, .. } = components;
        let model = learner.model();
        drop(learner);
        let optimizer = lock(&self.optimizer).take().expect("a strategy runs once");
        let replica = Replica::new(&self.spec, model, optimizer, lock(&self.team).take());
        let mut attempt = Attempt {
            steps: self,
            replica,
            prober: lock(&self.prober).take(),
            processor: event_processor,
            interrupter,
            saved: Instant::now(),
        };
        let ended = attempt.run(&batches, &validation, &|processor| {
            // Two queues lie between the loop and the file; asking the second one for anything empties both.
            let _ = processor.flush();
            event_store.find_metric("loss", 1, Aggregate::Mean, &Split::Train);
        });
        // Who has gone does not hear it.
        let _ = attempt.replica.command(Command::End);
        let mut status = lock(&self.status);
        match ended {
            Ok(ended) => status.ended = Some(ended),
            Err(error) => status.error = Some(error),
        }
        if let Some(team) = attempt.replica.team() {
            status.parallel = team.result();
            let trace = serde_json::to_vec(&team.exchange.last_step().trace()).expect("a trace is plain data");
            // A picture that cannot be drawn is no reason to fail.
            let _ = files::write(&self.out.join(TRACE), &trace);
        }
        (attempt.replica.into_model(), attempt.processor)
    }
}

/// Why there is no next step, other than that the run is over.
enum Stopped {
    Diverged(String),
    /// Another device is.
    Lost(Lost),
    /// Wrong input or a full disk.
    Error(Error),
}

impl From<Lost> for Stopped {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Empties the queues of metrics.
type Drain<'a> = &'a dyn Fn(&mut SupervisedTrainingEventProcessor<Transformer>);

struct Attempt<'a> {
    steps: &'a Steps,
    replica: Replica,
    /// Looks into the model, if somebody asked for it.
    prober: Option<Prober>,
    processor: SupervisedTrainingEventProcessor<Transformer>,
    interrupter: Interrupter,
    /// When the last checkpoint was written, or the attempt began.
    saved: Instant,
}

impl Attempt<'_> {
    /// Steps until the end, a divergence, an interruption, or the loss of a device.
    fn run(
        &mut self,
        batches: &TrainLoader<Transformer>,
        validation: &ValidLoader<Transformer>,
        drain: Drain<'_>,
    ) -> Result<(Outcome, Option<String>)> {
        let stopped = match self.steps_from(batches, validation, drain) {
            Ok(ended) => return Ok(ended),
            Err(stopped) => stopped,
        };
        drain(&mut self.processor);
        match stopped {
            Stopped::Diverged(reason) => Ok((Outcome::Diverged, Some(reason))),
            Stopped::Lost(lost) => {
                let lost = self.replica.team().map_or(lost.clone(), |team| team.explain(lost));
                Ok((Outcome::Failed, Some(lost.to_string())))
            }
            Stopped::Error(error) => Err(error),
        }
    }

    fn steps_from(
        &mut self,
        batches: &TrainLoader<Transformer>,
        validation: &ValidLoader<Transformer>,
        drain: Drain<'_>,
    ) -> std::result::Result<(Outcome, Option<String>), Stopped> {
        let spec = &self.steps.spec;
        let steps = spec.train.steps;
        let mut batches = batches.iter();
        let first = lock(&self.steps.status).state.step;
        self.event(LearnerEvent::StartSplit { epoch_number: 1, total_items: steps });
        if first == 0 {
            self.probe(0)?;
        }
        for step in first..steps {
            if self.steps.stop.load(Ordering::Relaxed) {
                self.interrupter.stop(Some("stopped by the user"));
            }
            if self.interrupter.should_stop() {
                return self.interrupted(step, drain);
            }
            let started = Instant::now();
            let micro = match next_step(&mut batches, spec.train.accumulation, step) {
                Ok(micro) => micro,
                Err(reason) => return Ok((Outcome::Failed, Some(reason))),
            };
            let data_hash = chain(&lock(&self.steps.status).state.data_hash, &micro);
            let mut measured = self.step(step, micro)?;
            measured.milliseconds = started.elapsed().as_secs_f64() * 1e3;
            measured.tokens_per_second = spec.tokens_per_step() as f64 / (measured.milliseconds / 1e3);
            let done = step + 1;
            let scores = if done.is_multiple_of(spec.evaluation.every) || done == steps { Some(self.evaluate(validation)?) } else { None };
            let unsound = scores
                .iter()
                .flat_map(|scores| &scores.0)
                .find(|(_, value)| !value.is_finite())
                .map(|(name, value)| format!("{name} is {value}"));
            let best = {
                let mut status = lock(&self.steps.status);
                status.state.step = done;
                if done.is_power_of_two() {
                    status.state.data_marks.insert(done, data_hash.clone());
                }
                status.state.data_hash = data_hash;
                status.state.initial_loss.get_or_insert(measured.loss);
                if let Some(history) = &mut status.state.probes {
                    history.loss.push(measured.loss);
                    history.gradient_norm.push(measured.gradient_norm);
                }
                if let (None, Some(scores)) = (&unsound, &scores) {
                    status.state.metrics.extend(scores.0.clone());
                }
                if step >= first + WARM_UP {
                    status.milliseconds.push(measured.milliseconds);
                }
                let score = scores.as_ref().filter(|_| unsound.is_none()).and_then(|scores| scores.0.get(spec.best_by()).copied());
                let best = score.filter(|score| spec.train.keep_best && status.state.best.is_none_or(|best| *score < best));
                status.state.best = best.or(status.state.best);
                best.is_some()
            };
            if let Some(reason) = unsound {
                return Err(Stopped::Diverged(format!("after step {done} {reason}")));
            }
            self.report(measured, scores);
            lock(&self.steps.status).state.seconds += started.elapsed().as_secs_f64();
            if let Some(error) = lock(&self.steps.write_failure).take() {
                return Err(Error::io("write", self.steps.out.join(metrics::FILE))(error).into());
            }
            self.probe(done)?;
            if best {
                self.save_best()?;
            }
            if done == steps || self.is_due(done) {
                drain(&mut self.processor);
                self.save()?;
            }
        }
        self.event(LearnerEvent::EndSplit(1));
        drain(&mut self.processor);
        Ok((Outcome::Finished, None))
    }

    /// One optimizer step; a reason instead if the run has diverged, and the model is then as before.
    fn step(&mut self, step: usize, micro: Vec<Batch>) -> std::result::Result<Measurement, Stopped> {
        let spec = &self.steps.spec;
        if self.prober.is_some() && spec.probe.is_due(step + 1, spec.train.steps) {
            // Before the step: the others cannot be asked for parameters within.
            let model = self.whole()?;
            self.prober.as_mut().expect("it is there").before_update(&model);
        }
        self.replica.command(Command::Step)?;
        let computed = self.replica.compute(spec, step, micro)?;
        let measured = computed.measured;
        let initial = lock(&self.steps.status).state.initial_loss.unwrap_or(measured.loss);
        if let Some(reason) = divergence(&measured, initial) {
            return Err(Stopped::Diverged(reason));
        }
        self.replica.update(computed)?;
        Ok(measured)
    }

    /// Looks into the model after `done` steps, where that is due.
    fn probe(&mut self, done: usize) -> std::result::Result<(), Stopped> {
        let Steps { spec, out, status, .. } = self.steps;
        if self.prober.is_none() || !spec.probe.is_due(done, spec.train.steps) {
            return Ok(());
        }
        let history = lock(status).state.probes.clone().unwrap_or_default();
        let model = self.whole()?;
        let prober = self.prober.as_mut().expect("it is there");
        let seen = self.replica.working(|| prober.look(&model, done, &history));
        probe::write(out, &seen)?;
        lock(status).state.metrics.extend(seen.metrics());
        Ok(())
    }

    /// The model with all parameters, from whoever has them.
    fn whole(&mut self) -> std::result::Result<Transformer, Lost> {
        if self.replica.is_whole() {
            return Ok(self.replica.model().clone());
        }
        self.replica.command(Command::Whole)?;
        self.replica.whole()
    }

    fn evaluate(&mut self, validation: &ValidLoader<Transformer>) -> std::result::Result<Scores, Lost> {
        let is_whole = self.replica.is_whole();
        let model = self.whole()?.valid();
        let mut scores = Scores::default();
        for examination in validation.iter().flatten() {
            if is_whole {
                self.replica.command(Command::Evaluate)?;
            }
            scores.0.extend(self.replica.evaluate(&model, &examination)?.0);
        }
        Ok(scores)
    }

    /// Sends the scores first: they belong to the line of the step that follows.
    fn report(&mut self, measured: Measurement, scores: Option<Scores>) {
        let progress = || Progress::new(measured.step, self.steps.spec.train.steps, Some("steps".into()));
        if let Some(scores) = scores {
            let item = TrainingItem::new(scores, progress(), Some(measured.step), None);
            let result = self.processor.process_valid(LearnerEvent::ProcessedItem(item));
            self.interrupter.fail_on_error(result);
        }
        let item = TrainingItem::new(measured, progress(), Some(measured.step), Some(measured.learning_rate.into()));
        self.event(LearnerEvent::ProcessedItem(item));
    }

    fn event(&mut self, event: LearnerEvent<Measurement>) {
        let result = self.processor.process_train(event);
        self.interrupter.fail_on_error(result);
    }

    fn interrupted(&mut self, step: usize, drain: Drain<'_>) -> std::result::Result<(Outcome, Option<String>), Stopped> {
        drain(&mut self.processor);
        if let Some(error) = self.interrupter.error() {
            return Ok((Outcome::Failed, Some(error.to_string())));
        }
        self.save()?;
        let reason = format!("stopped after step {step} of {}", self.steps.spec.train.steps);
        Ok((Outcome::Interrupted, Some(reason)))
    }

    /// Whether a checkpoint is due after so many steps, by their number or by the clock.
    fn is_due(&self, done: usize) -> bool {
        let train = &self.steps.spec.train;
        let every = train.checkpoint_every.is_some_and(|every| done.is_multiple_of(every));
        every || (train.checkpoint_minutes > 0.0 && self.saved.elapsed() >= Duration::from_secs_f64(60.0 * train.checkpoint_minutes))
    }

    /// Writes a checkpoint; that of a finished run needs no optimizer. None is written where a part of it is lost with its rank.
    fn save(&mut self) -> std::result::Result<(), Stopped> {
        let steps = self.steps;
        // What the checkpoint counts as measured must be on the disk when it is.
        metrics::sync(&steps.out)?;
        let state = lock(&steps.status).state.clone();
        tracing::info!(step = state.step, "checkpoint");
        let optimizer = if state.step == steps.spec.train.steps {
            None
        } else {
            self.replica.command(Command::Gather)?;
            self.replica.optimizer().map_err(|error| match error {
                GatherError::Lost(lost) => Stopped::Lost(lost),
                GatherError::Record(error) => {
                    Error::io("gather the state of the optimizer for", &steps.out)(std::io::Error::other(error.to_string())).into()
                }
            })?
        };
        let model = self.whole()?;
        pulse::beat();
        let contents = self.contents(model, &state, optimizer);
        self.replica.working(|| checkpoint::save(&steps.out, contents, steps.spec.train.keep_last))?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Writes the checkpoint of the best evaluation; nothing continues from it.
    fn save_best(&mut self) -> std::result::Result<(), Stopped> {
        let state = lock(&self.steps.status).state.clone();
        tracing::info!(step = state.step, "best checkpoint");
        let model = self.whole()?;
        Ok(checkpoint::save_best(&self.steps.out, self.contents(model, &state, None))?)
    }

    fn contents<'a>(&'a self, model: Transformer, state: &'a State, optimizer: Option<OptimizerRecord>) -> Contents<'a> {
        let dataset = &self.steps.examination.dataset;
        let tokenizer = dataset.has_text().then(|| dataset.tokenizer());
        Contents { model: model.into_record(), optimizer, tokenizer, state }
    }
}

/// The hash of the batches so far followed by one more step's.
fn chain(hash: &str, micro: &[Batch]) -> String {
    let mut next = Sha256::new();
    next.update(hash);
    for batch in micro {
        let scored = batch.scored.iter().flat_map(|scored| scored.positions.iter().chain(&scored.targets));
        for word in batch.tokens.iter().chain(scored) {
            next.update(word.to_le_bytes());
        }
    }
    hex(&next.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_hash_depends_on_every_token_and_not_on_the_cut_into_micro_batches() {
        let noise = crate::model::Noise { seed: 0, step: 0, micro: 0, row: 0 };
        let batch = |tokens: &[u32]| Batch {
            tokens: tokens.to_vec(),
            context: 1,
            scored: None,
            opening: None,
            starts: None,
            noise,
            share: 1.0,
            activations: Default::default(),
            precision: Default::default(),
        };
        let whole = chain("x", &[batch(&[1, 2, 3, 4])]);
        assert_eq!(whole, chain("x", &[batch(&[1, 2]), batch(&[3, 4])]));
        assert_ne!(whole, chain("x", &[batch(&[1, 2, 3, 5])]));
        assert_ne!(whole, chain("y", &[batch(&[1, 2, 3, 4])]));
    }
}
