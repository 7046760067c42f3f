//! How fast a device trains, from the last run on it: what plans price runs with.

use crate::{
    data::cache_folder,
    device::DeviceName,
    files,
    settings::{Error, Result},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Training FLOPs per second: those of the model's accounting times training tokens per second.
    pub flops_per_second: f64,
    /// Worker threads at the time.
    pub threads: usize,
}

fn file() -> PathBuf {
    cache_folder().join("calibration.json")
}

fn all() -> BTreeMap<String, Calibration> {
    std::fs::read(file()).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// The last measurement on a device with today's kernels; none before the first run.
pub fn read(device: &DeviceName) -> Option<Calibration> {
    all().remove(&key(device))
}

/// Remembers a measurement.
///
/// # Errors
///
/// A cache folder that cannot be written.
pub fn write(device: &DeviceName, flops_per_second: f64) -> Result<()> {
    let mut all = all();
    all.insert(key(device), Calibration { flops_per_second, threads: rayon::current_num_threads() });
    let (folder, file) = (cache_folder(), file());
    std::fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    files::write(&file, &serde_json::to_vec_pretty(&all).expect("a calibration is plain data"))
}

/// Device and implementation: `flex/fused-flex`, `cuda:1/composed`.
fn key(device: &DeviceName) -> String {
    format!("{device}/{}", device.path())
}
