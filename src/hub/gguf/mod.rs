//! GGUF, the format of llama.cpp (version 3 of its specification, `docs/gguf.md` of ggml).

mod architecture;
mod file;
mod quantise;
mod vocabulary;

pub use quantise::Quantisation;

use super::{export::export, families::families, gather::gathered};
use crate::{
    data::Tokenizer,
    model::{ModelSpec, Weights},
    settings::{Error, Result},
};
use architecture::{Architecture, Names};
use file::{Tensor, Value};
use std::path::Path;

/// Writes a model as one file.
///
/// # Errors
///
/// A model that no family covers, or one of a family, or with an option, that llama.cpp does not have; an unwritable file.
pub fn write_gguf(
    spec: &ModelSpec,
    weights: Weights,
    tokenizer: Option<&Tokenizer>,
    quantisation: Quantisation,
    path: &Path,
) -> Result<&'static str> {
    let architecture = nearest(spec)?;
    let exported = export(spec, weights, Some(architecture.family))?;
    let Names { layout, spec, weights } = architecture.named(exported.spec, exported.weights);
    let mut values = architecture.values(&spec);
    values.push(("general.file_type".into(), Value::U32(quantisation.file_type())));
    if let Some(tokenizer) = tokenizer {
        values.extend(vocabulary::values(tokenizer, spec.vocab));
    }
    let (layout, weights) = (&layout, &weights);
    let mut tensors: Vec<Tensor> = layout
        .entries
        .iter()
        .map(|entry| Tensor::new(entry.name.clone(), layout.shape(entry), quantisation, move || gathered(layout, entry, weights)))
        .collect();
    tensors.extend(architecture.frequencies(&spec));
    file::write(path, &values, &tensors)?;
    Ok(architecture.name)
}

/// The first architecture of llama.cpp, in the order of families, that has all options of a model.
fn nearest(spec: &ModelSpec) -> Result<Architecture> {
    let mut reasons = vec![];
    for family in families() {
        let covered = match family.covers(spec) {
            Ok((_, covered)) => covered,
            Err(_) => continue,
        };
        match Architecture::of(family.model_type) {
            None => reasons.push(format!("llama.cpp has no {}", family.model_type)),
            Some(architecture) => match architecture.lacks(&covered) {
                None => return Ok(architecture),
                Some(lacking) => reasons.push(format!("llama.cpp's {} has no {lacking}", architecture.name)),
            },
        }
    }
    if reasons.is_empty() {
        // No family at all: what is in the way is said as for `transformers`.
        return Err(export(spec, Weights::new(), None).err().unwrap_or_else(|| unreachable!("no family covers the model")));
    }
    Err(Error::input("as gguf", reasons.join(", "), "`--format hf` or `--format ablate` writes it"))
}
