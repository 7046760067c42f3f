//! What the first rank tells the others before the first step.

use crate::{
    parallel::{
        ParallelConfig,
        group::{Group, Lost, Mesh},
    },
    train::RunSpec,
};
use burn::{
    store::{ModuleRecord, RecordError},
    tensor::Bytes,
    train::checkpoint::Checkpoint,
};
use serde::{Deserialize, Serialize};

/// Where a run begins on all ranks: where its checkpoint left it, or at the first step.
#[derive(Debug)]
pub struct Start {
    /// What all ranks must agree on: see [`terms`].
    pub terms: String,
    /// Steps done.
    pub step: usize,
    /// Loss of the first step.
    pub initial_loss: Option<f64>,
    /// The parameters, with their identifiers.
    pub model: Vec<u8>,
    /// The state of the optimizer; empty before the first step.
    pub optimizer: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    terms: String,
    step: usize,
    initial_loss: Option<f64>,
    model_bytes: usize,
}

/// What ranks must agree on to do the same at the same time, beside the identity of the run.
pub fn terms(spec: &RunSpec) -> String {
    let ParallelConfig { devices, tensor, sharded, bucket_megabytes, overlap, .. } = &spec.parallel;
    let version = env!("CARGO_PKG_VERSION");
    format!("{} {devices} {tensor} {sharded} {bucket_megabytes:?} {overlap} {} {version}", spec.id(), spec.train.activations)
}

impl Start {
    /// # Errors
    ///
    /// A record that cannot be written.
    pub fn new(
        terms: String,
        step: usize,
        initial_loss: Option<f64>,
        model: ModuleRecord,
        optimizer: Option<Bytes>,
    ) -> Result<Self, RecordError> {
        let model = model.checkpoint_into_bytes()?.to_vec();
        let optimizer = optimizer.map(|bytes| bytes.to_vec()).unwrap_or_default();
        Ok(Self { terms, step, initial_loss, model, optimizer })
    }

    /// Tells it, as the first rank.
    pub fn tell(&self, group: &Group) -> Result<(), Lost> {
        group.broadcast(|| {
            let head = Head { terms: self.terms.clone(), step: self.step, initial_loss: self.initial_loss, model_bytes: self.model.len() };
            let mut message = serde_json::to_vec(&head).expect("it is plain data");
            message.push(b'\n');
            [message.as_slice(), &self.model, &self.optimizer].concat()
        })?;
        Ok(())
    }

    /// Tells all, as the first rank, that there is nothing to do.
    pub fn nothing(mesh: Mesh) {
        // Who has gone does not hear it.
        let _ = mesh.commands().broadcast(Vec::new);
    }

    /// Hears it, as another rank; none if there is nothing to do.
    pub fn hear(group: &Group) -> Result<Option<Self>, Lost> {
        let message = group.broadcast(Vec::new)?;
        if message.is_empty() {
            return Ok(None);
        }
        let parsed = || {
            let end = message.iter().position(|byte| *byte == b'\n')?;
            let Head { terms, step, initial_loss, model_bytes } = serde_json::from_slice(&message[..end]).ok()?;
            let (model, optimizer) = message[end + 1..].split_at_checked(model_bytes)?;
            Some(Self { terms, step, initial_loss, model: model.to_vec(), optimizer: optimizer.to_vec() })
        };
        parsed().map(Some).ok_or_else(|| Lost::Apart("the first rank is of another version".into()))
    }
}
