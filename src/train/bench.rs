//! Timing a training step.

use super::{Batch, RunConfig, clip::clip, optimizer, run::median, step};
use crate::{
    device::DeviceName,
    model::{ModelSpec, Noise},
    random::{Purpose, generator},
    settings::{Problem, Result},
};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::time::Instant;

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
    /// Training FLOPs per second at the median step, by the model's accounting.
    #[serde(skip)]
    pub flops_per_second: f64,
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
/// reading the loss. Accumulation is not used.
///
/// # Errors
///
/// A device that is not there.
pub fn step(config: &RunConfig, spec: &ModelSpec, device: &DeviceName, steps: usize) -> Result<Benchmark> {
    let opened = device.train_device()?;
    let mut model = spec.build(config.train.seed, &opened);
    let mut updates = optimizer::build(&config.optimizer, &model);
    let sync = || opened.sync().expect("the device runs what it was given");
    let mut times: [Vec<f64>; 4] = Default::default();
    for index in 0..WARM_UP + steps {
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
        model = updates.step(rate, model, grads);
        std::hint::black_box(step::read(nats));
        sync();
        let all = started.elapsed();
        if index >= WARM_UP {
            for (times, time) in times.iter_mut().zip([all, forward, backward - forward, all - backward]) {
                times.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    let [all, forward, backward, optimizer] = times;
    let middle = |times: &[f64]| median(times).unwrap_or(f64::NAN);
    let tokens_per_second = (config.train.batch * spec.context) as f64 / (middle(&all) / 1e3);
    Ok(Benchmark {
        ms_per_step: Milliseconds {
            min: all.iter().copied().fold(f64::INFINITY, f64::min),
            median: middle(&all),
            forward: middle(&forward),
            backward: middle(&backward),
            optimizer: middle(&optimizer),
        },
        tokens_per_second,
        peak_rss_bytes: peak_memory().unwrap_or(0),
        path: device.path(),
        flops_per_second: spec.account(spec.context).flops_per_token * tokens_per_second,
    })
}

fn random_batch(config: &RunConfig, spec: &ModelSpec, index: usize) -> Batch {
    let mut generator = generator(config.train.seed, Purpose::DataOrder, &format!("bench/{index}"));
    let count = config.train.batch * (spec.context + 1);
    Batch {
        tokens: (0..count).map(|_| ((u64::from(generator.next_u32()) * spec.vocab as u64) >> 32) as u32).collect(),
        context: spec.context,
        opening: spec.attention.document_mask.then_some(0),
        noise: Noise { seed: config.train.seed, step: index as u64, micro: 0 },
        share: 1.0,
        activations: config.train.activations,
    }
}

/// Largest resident memory of this process so far, in bytes.
pub fn peak_memory() -> Option<u64> {
    // `getrusage` would count what the parent had before it started this program.
    #[cfg(target_os = "linux")]
    return memory("VmHWM:");
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a valid, writable structure.
        let code = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        return (code == 0).then(|| usage.ru_maxrss as u64 * unit);
    }
    #[allow(unreachable_code)]
    None
}

/// Resident memory of this process, in bytes; only known on Linux.
pub fn resident_memory() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return memory("VmRSS:");
    #[allow(unreachable_code)]
    None
}

#[cfg(target_os = "linux")]
fn memory(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}
