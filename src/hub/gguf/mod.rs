//! GGUF, the format of llama.cpp (version 3 of its specification, `docs/gguf.md` of ggml).

mod architecture;
mod file;
mod quantise;
mod vocabulary;

pub use quantise::Quantisation;

use super::{export::export, gather::gathered};
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
    let exported = export(spec, weights, None)?;
    let refused = |what: String| Err(Error::input("as gguf", what, "`--format hf` or `--format ablate` writes it"));
    let Some(architecture) = Architecture::of(exported.family.model_type) else {
        return refused(format!("llama.cpp has no {}", exported.family.model_type));
    };
    if let Some(lacking) = architecture.lacks(&exported.spec) {
        return refused(format!("llama.cpp's {} has no {lacking}", architecture.name));
    }
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
