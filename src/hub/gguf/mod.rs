//! GGUF, the format of llama.cpp (version 3 of its specification, `docs/gguf.md` of ggml).

mod architecture;
mod file;
mod quantise;
mod special;
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
use special::Beside;
use std::path::Path;

/// What a file says of a model beside its weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Described<'a> {
    /// What it is called.
    pub name: Option<&'a str>,
    /// Its tokenizer.
    pub tokenizer: Option<&'a Tokenizer>,
    /// Folder with what came along with that, as far as it is there: `tokenizer_config.json`, `generation_config.json`,
    /// `config.json`, `chat_template.jinja`.
    pub companions: Option<&'a Path>,
}

/// Writes a model as one file.
///
/// # Errors
///
/// A model that no family covers, or one of a family, or with an option, that llama.cpp does not have; a companion that is no
/// JSON; an unwritable file.
pub fn write_gguf(
    spec: &ModelSpec,
    weights: Weights,
    described: Described,
    quantisation: Quantisation,
    path: &Path,
) -> Result<&'static str> {
    let architecture = nearest(spec)?;
    let exported = export(spec, weights, Some(architecture.family))?;
    let Names { layout, spec, weights } = architecture.named(exported.spec, exported.weights);
    let mut values = architecture.values(&spec);
    values.push(("general.file_type".into(), Value::U32(quantisation.file_type())));
    values.extend(described.name.map(|name| ("general.name".into(), Value::Text(name.into()))));
    if let Some(tokenizer) = described.tokenizer {
        let json = serde_json::from_str(&tokenizer.to_json()).expect("a tokenizer is JSON");
        let beside = described.companions.map(Beside::read).transpose()?.unwrap_or_default();
        values.extend(vocabulary::values(&json, spec.vocab));
        values.extend(beside.values(tokenizer, &json, spec.vocab));
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
