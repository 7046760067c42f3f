//! Timing a training step, and attention by itself.

pub mod attention;
mod usage;

pub use super::memory::{peak as peak_memory, resident as resident_memory};

use super::{Batch, RunConfig, clip::clip, optimizer, run::median, step};
use crate::{
    device::DeviceName,
    model::{ModelSpec, Noise, Transformer},
    ops,
    random::{Purpose, generator},
    settings::{Error, Problem, Result},
};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use usage::Usage;

/// Steps before the clock starts.
const WARM_UP: usize = 3;

/// Milliseconds per step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Milliseconds {
    /// Fastest step.
    pub min: f64,
    /// Median step.
    pub median: f64,
    /// Median of making the batch and the forward pass.
    pub forward: f64,
    /// Median of the backward pass.
    pub backward: f64,
    /// Median of clipping, update and reading the loss.
    pub optimizer: f64,
}

/// What a benchmark measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Benchmark {
    /// Time of a step and its parts.
    pub ms_per_step: Milliseconds,
    /// At the median step.
    pub tokens_per_second: f64,
    /// Largest resident memory of the process so far; 0 where the system does not say.
    pub peak_rss_bytes: u64,
    /// Which implementation of the operators ran.
    pub path: String,
    /// Training FLOPs per second at the median step, by the model's accounting: matrix products only.
    pub flops_per_second: f64,
    /// FLOPs per second of multiply-adds alone on all threads of this processor; only measured for the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_flops_per_second: Option<f64>,
    /// The first of these two as a share of the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_share: Option<f64>,
    /// Where the time went, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

/// Where the time of a step went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// By kind of kernel, the largest first; the last is all that is not in a kernel: Burn's own operations, the tape, the batch.
    pub parts: Vec<ProfilePart>,
    /// Share of the threads' time in the system, which page faults of fresh memory dominate; only known on Unix.
    pub system_share: Option<f64>,
    /// Share of the threads' time in which they did not run; only known on Unix.
    pub idle_share: Option<f64>,
}

/// A line of a [`Profile`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfilePart {
    /// Kind of kernel.
    pub name: String,
    /// Mean milliseconds per step.
    pub ms: f64,
    /// Share of the step.
    pub share: f64,
    /// Kernels per step; 0 where they are not counted.
    pub calls: f64,
}

impl Profile {
    fn new(parts: &[ops::Part], seconds: f64, steps: usize, usage: Option<Usage>) -> Self {
        let part = |name: &str, time: f64, calls: u64| ProfilePart {
            name: name.into(),
            ms: time * 1e3 / steps as f64,
            share: time / seconds,
            calls: calls as f64 / steps as f64,
        };
        let rest = seconds - parts.iter().map(|part| part.time.as_secs_f64()).sum::<f64>();
        let parts = parts.iter().map(|known| part(known.name, known.time.as_secs_f64(), known.calls));
        let threads = seconds * rayon::current_num_threads() as f64;
        Self {
            parts: parts.chain([part("outside kernels", rest, 0)]).collect(),
            system_share: usage.map(|usage| usage.system / threads),
            idle_share: usage.map(|usage| (1.0 - (usage.user + usage.system) / threads).max(0.0)),
        }
    }
}

/// The model of a configuration for a benchmark: no data is read, so `model.vocab` must be written.
///
/// # Errors
///
/// All broken rules at once, by key.
pub fn model(config: &RunConfig) -> Result<ModelSpec, Vec<Problem>> {
    let mut problems = config.problems();
    if config.model.vocab.is_none() {
        problems.push(Problem::new("model.vocab", "must be written: a benchmark reads no data"));
    }
    match config.model.resolve(None) {
        Ok(model) if problems.is_empty() => Ok(model),
        Ok(_) => Err(problems),
        Err(found) => {
            // A vocabulary that is missing is reported once.
            problems.extend(found.into_iter().filter(|problem| problem.key != "model.vocab" || config.model.vocab.is_some()));
            Err(problems)
        }
    }
}

/// Times `steps` training steps after a warm-up: a fresh batch of random tokens, forward, backward, global clip, update,
/// reading the loss. Accumulation is not used. With `profiled`, where their time went.
///
/// # Errors
///
/// A device that is not there, or a profile of one whose kernels do not run when they are called.
pub fn step(config: &RunConfig, spec: &ModelSpec, device: &DeviceName, steps: usize, profiled: bool) -> Result<Benchmark> {
    let on_cpu = *device == DeviceName::Flex;
    if profiled && !on_cpu {
        let what = format!("kernels of {device} run later than they are called, so their time cannot be told apart");
        return Err(Error::input("--profile", what, "use --device flex"));
    }
    let opened = device.train_device()?;
    let model = spec.build(config.train.seed, &opened);
    let mut updates = optimizer::build(&config.optimizer, spec.multiple(), &model);
    let sync = || opened.sync().expect("the device runs what it was given");
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut one = |model: Transformer, index: usize| {
        let started = Instant::now();
        let batch = random_batch(config, spec, index);
        let recorded = step::forward(&model, &batch);
        sync();
        let forward = started.elapsed();
        let nats = recorded.loss.nats.clone();
        let mut grads = recorded.backward(&model, batch.share);
        sync();
        let backward = started.elapsed();
        clip(&model, &mut grads, config.train.gradient_clip);
        let rate = config.schedule.rate(config.optimizer.lr(), index.min(config.train.steps - 1), config.train.steps);
        let model = updates.step(rate, model, grads);
        std::hint::black_box(step::read(nats));
        sync();
        let all = started.elapsed();
        if index >= WARM_UP {
            for (times, time) in times.iter_mut().zip([all, forward, backward - forward, all - backward]) {
                times.push(time.as_secs_f64() * 1e3);
            }
        }
        model
    };
    let model = (0..WARM_UP).fold(model, &mut one);
    let (before, started) = (Usage::now(), Instant::now());
    let timed = || (WARM_UP..WARM_UP + steps).fold(model, &mut one);
    let profile = if profiled {
        let (_, parts) = ops::profile(timed);
        let used = Usage::now().zip(before).map(|(now, before)| now - before);
        Some(Profile::new(&parts, started.elapsed().as_secs_f64(), steps, used))
    } else {
        timed();
        None
    };
    let [all, forward, backward, optimizer] = times;
    let middle = |times: &[f64]| median(times).unwrap_or(f64::NAN);
    let tokens_per_second = (config.train.batch * spec.context) as f64 / (middle(&all) / 1e3);
    let flops_per_second = spec.account(spec.context).flops_per_token * tokens_per_second;
    let peak_rss_bytes = peak_memory().unwrap_or(0);
    let peak = on_cpu.then(|| ops::peak().all_threads);
    Ok(Benchmark {
        ms_per_step: Milliseconds {
            min: all.iter().copied().fold(f64::INFINITY, f64::min),
            median: middle(&all),
            forward: middle(&forward),
            backward: middle(&backward),
            optimizer: middle(&optimizer),
        },
        tokens_per_second,
        peak_rss_bytes,
        path: device.path(),
        flops_per_second,
        peak_flops_per_second: peak,
        peak_share: peak.map(|peak| flops_per_second / peak),
        profile,
    })
}

fn random_batch(config: &RunConfig, spec: &ModelSpec, index: usize) -> Batch {
    let mut generator = generator(config.train.seed, Purpose::DataOrder, &format!("bench/{index}"));
    let count = config.train.batch * (spec.context + 1);
    Batch {
        tokens: (0..count).map(|_| ((u64::from(generator.next_u32()) * spec.vocab as u64) >> 32) as u32).collect(),
        context: spec.context,
        scored: None,
        opening: spec.attention.document_mask.then_some(0),
        starts: None,
        noise: Noise { seed: config.train.seed, step: index as u64, micro: 0, row: 0 },
        share: 1.0,
        activations: config.train.activations,
        precision: config.train.precision,
    }
}
