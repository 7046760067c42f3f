//! Batches: which sequences a step reads, and their way to the device.

use super::RunSpec;
use crate::{
    data::{Dataset, Instance, Row, Scored},
    model::{Noise, Pass, document_starts},
    ops::{Activations, Precision},
};
use burn::{
    data::dataloader::{DataLoader, DataLoaderIterator, Progress},
    data::dataset::DatasetError,
    tensor::{Device, Int, Tensor, TensorData},
};
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    time::Instant,
};

/// A micro-batch on the host.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Rows of `context + 1` tokens, one after the other; of `context` tokens where `scored` says what the targets are.
    pub tokens: Vec<u32>,
    /// Tokens of a row that are inputs.
    pub context: usize,
    /// The targets that count, where they are not the token behind each.
    pub scored: Option<Scored>,
    /// The token that opens documents, where the model keeps documents apart.
    pub opening: Option<u32>,
    /// For each input the position at which its document begins, where rows are packed: a piece need not begin as a document does.
    pub starts: Option<Vec<u32>>,
    /// Address of the micro-batch's random draws.
    pub noise: Noise,
    /// Share of the step's batch: the factor on the loss whose gradients are summed.
    pub share: f64,
    /// What is kept for the backward pass.
    pub activations: Activations,
    /// The type of the operands of matrix products.
    pub precision: Precision,
}

/// `[1, scored]` on `device`.
fn one_row(values: &[u32], device: &Device) -> Tensor<2, Int> {
    let values: Vec<i32> = values.iter().map(|value| *value as i32).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [1, count]), device)
}

impl Batch {
    /// Inputs and targets on `device`, `[rows, context]` each; the targets that count alone, `[1, scored]`, where not all do.
    pub fn tensors(&self, device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
        let length = self.context + usize::from(self.scored.is_none());
        let rows = self.tokens.len() / length;
        let part = |offset: usize| {
            let values: Vec<i32> = self
                .tokens
                .chunks_exact(length)
                .flat_map(|row| row[offset..offset + self.context].iter().map(|&token| token as i32))
                .collect();
            Tensor::from_data(TensorData::new(values, [rows, self.context]), device)
        };
        match &self.scored {
            Some(scored) => (part(0), one_row(&scored.targets, device)),
            None => (part(0), part(1)),
        }
    }

    /// The part of one of `ranks` devices: as many rows for each, with its share of the step's loss.
    ///
    /// # Panics
    ///
    /// If the rows cannot be divided.
    pub fn part(&self, rank: usize, ranks: usize) -> Self {
        let length = self.context + usize::from(self.scored.is_none());
        let all = self.tokens.len() / length;
        assert!(all.is_multiple_of(ranks), "{all} rows cannot be divided by {ranks}");
        let rows = all / ranks;
        let range = |length: usize| rank * rows * length..(rank + 1) * rows * length;
        let scored = self.scored.as_ref().map(|scored| scored.within(range(self.context)));
        let share = match (&scored, &self.scored) {
            (Some(part), Some(whole)) => part.targets.len() as f64 / whole.targets.len() as f64,
            _ => 1.0 / ranks as f64,
        };
        Self {
            tokens: self.tokens[range(length)].to_vec(),
            scored,
            starts: self.starts.as_ref().map(|starts| starts[range(self.context)].to_vec()),
            noise: Noise { row: self.noise.row + (rank * rows) as u64, ..self.noise },
            share: self.share * share,
            ..*self
        }
    }

    /// What a forward pass needs to know of the batch, on `device`, without dropout.
    pub fn pass(&self, device: &Device) -> Pass {
        let scored = self.scored.as_ref().map(|scored| one_row(&scored.positions, device));
        let (activations, precision) = (self.activations, self.precision);
        Pass { starts: self.starts(device), scored, activations, precision, ..Pass::default() }
    }

    /// Where the documents of the inputs start, `[rows, context]`, where the model keeps documents apart.
    fn starts(&self, device: &Device) -> Option<Tensor<2, Int>> {
        let length = self.context + usize::from(self.scored.is_none());
        let rows = || self.tokens.chunks_exact(length).map(|row| &row[..self.context]);
        let opening = self.opening?;
        Some(match &self.starts {
            Some(starts) => {
                let starts: Vec<i32> = starts.iter().map(|start| *start as i32).collect();
                let rows = starts.len() / self.context;
                Tensor::from_data(TensorData::new(starts, [rows, self.context]), device)
            }
            None => document_starts(rows(), opening, device),
        })
    }
}

/// The micro-batches of a run, in order, from some step to the last.
///
/// Step s consists of sequences s·batch .. (s + 1)·batch of the training order, cut into contiguous micro-batches.
#[derive(Clone)]
pub struct Batches {
    /// Where the sequences come from.
    pub dataset: Dataset,
    /// Seed of the order and of dropout.
    pub seed: u64,
    /// Tokens of a sequence.
    pub context: usize,
    /// The token that opens documents, where the model keeps documents apart.
    pub opening: Option<u32>,
    /// Sequences per step.
    pub batch: usize,
    /// Micro-batches per step.
    pub accumulation: usize,
    /// What is kept for the backward pass.
    pub activations: Activations,
    /// The type of the operands of matrix products.
    pub precision: Precision,
    /// Steps of the run.
    pub steps: usize,
    /// First step to read.
    pub first: usize,
    /// How long training has waited for batches.
    pub waited: Waited,
}

/// Nanoseconds that the reader of batches had to wait for them.
#[derive(Clone, Debug, Default)]
pub struct Waited(Arc<AtomicU64>);

impl Waited {
    /// Seconds.
    pub fn seconds(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 * 1e-9
    }
}

/// Micro-batches that are read ahead.
const AHEAD: usize = 4;

impl Batches {
    /// Those of a run from step `first` on; `waited` hears how long they are waited for.
    pub fn of(spec: &RunSpec, data: &Dataset, first: usize, waited: Waited) -> Self {
        Self {
            dataset: data.clone(),
            seed: spec.train.seed,
            context: data.batches().map_or(spec.model.context, |batches| batches.shape()[2] - 1),
            // An instance of a synthetic task is one document.
            opening: (spec.model.attention.document_mask && data.has_text()).then(|| data.tokenizer().bos()),
            batch: spec.train.batch,
            accumulation: spec.train.accumulation,
            activations: spec.train.activations,
            precision: spec.train.precision,
            steps: spec.train.steps,
            first,
            waited,
        }
    }

    /// Micro-batch `micro` of step `step`.
    pub fn read(&self, step: usize, micro: usize) -> Batch {
        let rows = self.batch / self.accumulation;
        let first = (step * self.batch + micro * rows) as u64;
        let indices = first..first + rows as u64;
        let (tokens, scored, share, starts) = match self.rows(indices) {
            Rows::Windows(tokens) => (tokens, None, 1.0 / self.accumulation as f64, None),
            Rows::Instances(instances, starts) => {
                let scored = Scored::of(&instances, self.context);
                let share = self.share(step, scored.targets.len());
                (instances.into_iter().flat_map(|instance| instance.tokens).collect(), Some(scored), share, starts)
            }
        };
        Batch {
            tokens,
            context: self.context,
            scored,
            opening: self.opening,
            starts,
            noise: Noise { seed: self.seed, step: step as u64, micro: micro as u64, row: 0 },
            share,
            activations: self.activations,
            precision: self.precision,
        }
    }

    /// Reads rows of the training order.
    fn rows(&self, indices: Range<u64>) -> Rows {
        if let Some(task) = self.dataset.synthetic() {
            return Rows::Instances(indices.map(|index| task.train(self.seed, index, self.context)).collect(), None);
        }
        let (mut tokens, mut instances, mut starts) = (vec![], vec![], vec![]);
        for index in indices {
            match self.dataset.row(self.seed, index, self.context) {
                Row::Window(window) => tokens.extend(window),
                Row::Packed(packed) => {
                    instances.push(packed.instance);
                    starts.extend(packed.starts);
                }
            }
        }
        if instances.is_empty() { Rows::Windows(tokens) } else { Rows::Instances(instances, Some(starts)) }
    }

    /// The share of a micro-batch with `targets` targets in its step, so that a step's loss is the mean over all its targets
    /// however it is cut.
    fn share(&self, step: usize, targets: usize) -> f64 {
        if self.accumulation == 1 {
            return 1.0;
        }
        let of = |index| match self.dataset.synthetic() {
            Some(task) => task.train(self.seed, index, self.context).targets.len(),
            None => self.dataset.targets(self.seed, index, self.context),
        };
        targets as f64 / ((step * self.batch) as u64..((step + 1) * self.batch) as u64).map(of).sum::<usize>() as f64
    }
}

/// Rows of a micro-batch: windows in which every token has a target; or inputs with the targets that count, and with the starts of
/// their documents where rows are packed.
enum Rows {
    Windows(Vec<u32>),
    Instances(Vec<Instance>, Option<Vec<u32>>),
}

impl DataLoader<Batch> for Batches {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let first = self.first * self.accumulation;
        let (sender, batches) = sync_channel(AHEAD);
        let reader = self.clone();
        // Ends when nobody reads on.
        std::thread::spawn(move || {
            for number in first..reader.num_items() {
                let batch = reader.read(number / reader.accumulation, number % reader.accumulation);
                if sender.send(batch).is_err() {
                    break;
                }
            }
        });
        Box::new(Reader { batches, next: first, all: self.num_items(), waited: self.waited.clone() })
    }

    fn num_items(&self) -> usize {
        self.steps * self.accumulation
    }

    // Batches stay on the host until the model asks for tensors on its own device.
    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(self.clone())
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self { first: self.first + start / self.accumulation, steps: self.first + end / self.accumulation, ..self.clone() })
    }
}

/// The next `count` micro-batches: those of a step, from 0. Or what is wrong.
pub(super) fn next_step(
    batches: &mut dyn Iterator<Item = Result<Batch, DatasetError>>,
    count: usize,
    step: usize,
) -> Result<Vec<Batch>, String> {
    (0..count).map(|_| batches.next()?.ok()).collect::<Option<_>>().ok_or_else(|| format!("no batch for step {}", step + 1))
}

/// Batches in their order, read ahead on a thread, so that the device does not wait for the disk.
struct Reader {
    batches: Receiver<Batch>,
    /// Micro-batches since the first step of the run.
    next: usize,
    all: usize,
    waited: Waited,
}

impl Iterator for Reader {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.all {
            return None;
        }
        let start = Instant::now();
        let batch = self.batches.recv();
        self.waited.0.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.next += 1;
        Some(Ok(batch.expect("the reading thread reads to the end")))
    }
}

impl DataLoaderIterator<Batch> for Reader {
    fn progress(&self) -> Progress {
        Progress::new(self.next, self.all, Some("micro-batches".into()))
    }
}

/// A loader of exactly one item: one look at the whole validation text.
#[derive(Clone)]
pub struct Once<T>(pub T);

impl<T: Clone + Send + Sync + 'static> DataLoader<T> for Once<T> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<T> + 'a> {
        Box::new(OnceReader(Some(self.0.clone())))
    }

    fn num_items(&self) -> usize {
        1
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<T>> {
        Arc::new(self.clone())
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<T>> {
        Arc::new(self.clone())
    }
}

struct OnceReader<T>(Option<T>);

impl<T> Iterator for OnceReader<T> {
    type Item = Result<T, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl<T> DataLoaderIterator<T> for OnceReader<T> {
    fn progress(&self) -> Progress {
        Progress::new(usize::from(self.0.is_none()), 1, Some("evaluations".into()))
    }
}
