//! A model by the name of a folder: of a run, or in the layout of Hugging Face.

use super::{RunSpec, checkpoint::Which, load_model};
use crate::{
    device::DeviceName,
    hub::{self, Dtype, Family, Files},
    model::{ModelSpec, Weights},
    settings::Result,
};
use std::path::Path;

/// A model with its parameters on the host.
#[derive(Debug)]
pub struct Opened {
    /// The model.
    pub spec: ModelSpec,
    /// The parameters.
    pub weights: Weights,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a model comes from.
#[derive(Debug)]
pub enum Origin {
    /// A run, with its specification.
    Run(Box<RunSpec>),
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

/// Reads the model in a folder; of a run, one of its checkpoints.
///
/// # Errors
///
/// As [`load_model`] and [`hub::import`].
pub fn open_model(folder: &Path, which: Which) -> Result<Opened> {
    if hub::is_model_folder(folder) {
        let hub::Imported { family, spec, weights, dtype, files, .. } = hub::import(folder)?;
        return Ok(Opened { spec, weights, origin: Origin::Hub { family, dtype, files } });
    }
    let (spec, model) = load_model(folder, which, &DeviceName::Flex)?;
    Ok(Opened { spec: spec.model.clone(), weights: model.weights(), origin: Origin::Run(Box::new(spec)) })
}
