//! A model by the name of a folder: of a run, or in the layout of Hugging Face.

use super::{
    COMPANIONS, RunSpec,
    checkpoint::{self, Which},
    run::{load_record, with_record},
};
use crate::{
    data::Tokenizer,
    hub::{self, Dtype, Family, Files},
    model::{ModelSpec, Transformer, Weights},
    settings::Result,
};
use burn::{store::ModuleRecord, tensor::Device};
use std::path::{Path, PathBuf};

/// A model that was read, on no device yet.
#[derive(Debug)]
pub struct Opened {
    /// The model.
    pub spec: ModelSpec,
    /// Where it comes from.
    pub origin: Origin,
    folder: PathBuf,
    parameters: Parameters,
}

/// Where a model comes from.
#[derive(Debug)]
pub enum Origin {
    /// A run, with its specification, and which of its checkpoints.
    Run(Box<RunSpec>, Which),
    /// A folder in the layout of Hugging Face.
    Hub {
        /// Its family.
        family: &'static Family,
        /// The type of its weights.
        dtype: Dtype,
        /// The files beside the weights.
        files: Files,
    },
}

/// As they were stored.
#[derive(Debug)]
enum Parameters {
    Record(ModuleRecord),
    Weights(Weights),
}

/// Reads the model in a folder; of a run, one of its checkpoints.
///
/// # Errors
///
/// As [`super::load_model`] and [`hub::import`].
pub fn open_model(folder: &Path, which: Which) -> Result<Opened> {
    let folder = folder.to_path_buf();
    if hub::is_model_folder(&folder) {
        let hub::Imported { family, spec, weights, dtype, files, .. } = hub::import(&folder)?;
        return Ok(Opened { spec, origin: Origin::Hub { family, dtype, files }, folder, parameters: Parameters::Weights(weights) });
    }
    let (spec, record) = load_record(&folder, which)?;
    Ok(Opened { spec: spec.model.clone(), origin: Origin::Run(Box::new(spec), which), folder, parameters: Parameters::Record(record) })
}

impl Opened {
    /// The model on a device.
    ///
    /// # Errors
    ///
    /// A checkpoint that does not fit its run.
    pub fn build(self, device: &Device) -> Result<Transformer> {
        match (self.parameters, &self.origin) {
            (Parameters::Record(record), Origin::Run(spec, _)) => with_record(spec, record, &self.folder, device),
            (Parameters::Record(_), Origin::Hub { .. }) => unreachable!("records are those of runs"),
            (Parameters::Weights(weights), _) => Ok(self.spec.build_from(weights, device)),
        }
    }

    /// Its parameters on the host.
    ///
    /// # Errors
    ///
    /// As [`Opened::build`].
    pub fn weights(self) -> Result<Weights> {
        match self.parameters {
            Parameters::Weights(weights) => Ok(weights),
            Parameters::Record(_) => Ok(self.build(&Device::flex())?.weights()),
        }
    }

    /// Its tokenizer; none of a run without text, or where no file is one.
    ///
    /// # Errors
    ///
    /// A broken tokenizer.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>> {
        match &self.origin {
            Origin::Run(spec, which) => spec.data.has_text().then(|| checkpoint::tokenizer(&self.folder, *which)).transpose(),
            Origin::Hub { files, .. } => files.tokenizer.as_deref().map(Tokenizer::read).transpose(),
        }
    }

    /// The folder that it was read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of what came along with weights and tokenizer from Hugging Face; there may be nothing.
    pub fn companions(&self) -> PathBuf {
        match &self.origin {
            Origin::Run(..) => self.folder.join(COMPANIONS),
            Origin::Hub { .. } => self.folder.clone(),
        }
    }
}
