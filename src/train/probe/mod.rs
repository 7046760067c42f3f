//! Probes: looks inside the model, off the training path.
//!
//! A probe runs a fixed batch of validation text forward and backward, and throws the gradients away. It draws no random
//! number, changes no parameter and no moment, and holds nothing of the model when it is done, so that updates stay in
//! place: a run with probes has the bits of one without.

mod norms;
mod report;
mod spikes;

pub use report::{LayerProbe, Probe};
pub use spikes::Spikes;

pub(super) use report::metric_names;

use super::{Batch, RunSpec, memory, metrics, step::read};
use crate::{
    data::{Dataset, Instance, Scored},
    files::if_there,
    model::{Activity, Noise, Transformer},
    settings::{Error, Result},
};
use burn::module::Module;
use norms::{ByParameter, Squares};
use report::finite;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

/// The file's name in a run's folder.
const FILE: &str = "probes.jsonl";

/// What probes know of the steps between them; part of checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Of the training loss.
    pub loss: Spikes,
    /// Of the norm of training gradients.
    pub gradient_norm: Spikes,
}

/// What the probes of a run have in common.
pub(super) struct Prober {
    batch: Batch,
    /// The parameters before the update that is about to happen, if that is looked at.
    before: Option<Vec<Vec<f32>>>,
}

impl Prober {
    /// The prober of a run; none if it has no probes.
    ///
    /// # Errors
    ///
    /// A validation text shorter than one sequence.
    pub fn new(spec: &RunSpec, data: &Dataset) -> Result<Option<Self>> {
        if spec.probe.every == 0 {
            return Ok(None);
        }
        let context = spec.model.context;
        if let Some(task) = data.synthetic() {
            let rows = (spec.probe.batch as u64).min(task.validation_instances());
            let instances: Vec<Instance> = (0..rows).map(|index| task.validation(index, context, 1)).collect();
            let scored = Scored::of(&instances, context);
            let tokens = instances.into_iter().flat_map(|instance| instance.tokens).collect();
            return Ok(Some(Self { batch: Self::batch(spec, tokens, Some(scored), None), before: None }));
        }
        let tokens = &data.validation().tokens;
        let Some(last) = tokens.len().checked_sub(context + 1) else {
            let message = format!("the validation text has {} tokens, fewer than one sequence of {context} + 1", tokens.len());
            return Err(Error::input("probe.every", message, "set a larger data.validation_bytes, or 0 for no probes"));
        };
        // Evenly over the whole text, so that the batch is as mixed as the text is.
        let rows = spec.probe.batch;
        let first = |row: usize| (last as u128 * row as u128 / usize::max(rows - 1, 1) as u128) as usize;
        let tokens = (0..rows).flat_map(|row| &tokens[first(row)..=first(row) + context]).copied().collect();
        let opening = spec.model.attention.document_mask.then(|| data.tokenizer().bos());
        Ok(Some(Self { batch: Self::batch(spec, tokens, None, opening), before: None }))
    }

    fn batch(spec: &RunSpec, tokens: Vec<u32>, scored: Option<Scored>, opening: Option<u32>) -> Batch {
        Batch {
            tokens,
            context: spec.model.context,
            scored,
            opening,
            starts: None,
            noise: Noise { seed: 0, step: 0, micro: 0, row: 0 },
            share: 1.0,
            activations: spec.train.activations,
            precision: spec.train.precision,
        }
    }

    /// Keeps a copy of the parameters, for the size of the update that follows.
    pub fn before_update(&mut self, model: &Transformer) {
        self.before = Some(norms::copies(model));
    }

    /// Looks at the model after `step` steps.
    pub fn look(&mut self, model: &Transformer, step: usize, history: &History) -> Probe {
        let device = &model.devices()[0];
        let (tokens, targets) = self.batch.tensors(device);
        // Without noise there is no dropout: two looks at the same model see the same.
        let pass = self.batch.pass(device);
        let activity = model.activity(tokens.clone(), &pass);
        let recorded = model.record(tokens, targets, &pass);
        let loss = read(recorded.loss.nats.clone());
        let gradients = ByParameter::of_gradients(model, &recorded.backward(model, 1.0));
        let update = self.before.take().map(|before| ByParameter::of_update(model, &before));
        memory::give_back();

        let of_blocks = |sizes: &ByParameter| (0..activity.len()).map(|layer| sizes.matrices(layer, "")).sum::<Squares>().rms();
        Probe {
            step,
            loss: finite(loss),
            gradient_norm: finite(gradients.all().norm()),
            embedding_gradient_norm: finite(gradients.outside("embedding.").norm()),
            head_gradient_norm: finite(gradients.outside("head.").norm()),
            relative_update_rms: update.as_ref().and_then(|[change, old]| finite(of_blocks(change) / of_blocks(old))),
            spike_score_loss: history.loss.score(),
            spike_score_gradient_norm: history.gradient_norm.score(),
            layers: activity.iter().enumerate().map(|(index, block)| layer(index, block, &gradients, update.as_ref())).collect(),
        }
    }
}

fn layer(index: usize, activity: &Activity, gradients: &ByParameter, update: Option<&[ByParameter; 2]>) -> LayerProbe {
    let &Activity { stream_rms, spread, dead_units } = activity;
    let rms = |sizes: &ByParameter| sizes.matrices(index, "").rms();
    LayerProbe {
        gradient_norm: finite(gradients.block(index).norm()),
        gradient_norm_output: finite(gradients.matrices(index, "feed_forward.down.").norm()),
        gradient_rms_attention: finite(gradients.matrices(index, "attention.").rms()),
        gradient_rms_feed_forward: finite(gradients.matrices(index, "feed_forward.").rms()),
        activation_rms: finite(stream_rms),
        update_rms: update.and_then(|[change, _]| finite(rms(change))),
        relative_update_rms: update.and_then(|[change, old]| finite(rms(change) / rms(old))),
        attention_entropy: finite(spread.entropy),
        attention_entropy_min: finite(spread.entropy_min),
        max_attention_logit: finite(spread.max_logit),
        dead_units: finite(dead_units),
    }
}

/// Removes the lines of steps after `step`; all when nothing is done, since a run begins with a look.
pub(super) fn truncate(out: &Path, step: usize) -> Result<()> {
    let path = out.join(FILE);
    if step > 0 {
        return metrics::truncate(&path, step);
    }
    if_there(fs::remove_file(&path)).map(drop).map_err(Error::io("remove", &path))
}

/// Appends a line to the file in the run's folder `out`.
pub(super) fn write(out: &Path, probe: &Probe) -> Result<()> {
    let path = out.join(FILE);
    let line = serde_json::to_string(probe).expect("a probe is plain data") + "\n";
    let written = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| {
        file.write_all(line.as_bytes())?;
        file.sync_data()
    });
    written.map_err(Error::io("write", &path))
}
