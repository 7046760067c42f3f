//! From a folder of Hugging Face's to a model.

use super::{
    Family,
    families::{families, family},
    folder::{CONFIG, Files},
    gather::place,
    keys::Keys,
    layout::Layout,
    shards::{Dtype, Shards, json},
};
use crate::{
    model::{ModelConfig, ModelSpec, Weights},
    settings::{Error, Mistake, Problem, Result},
};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, path::Path};

/// A model from a folder.
#[derive(Debug)]
pub struct Imported {
    /// What kind of model it is.
    pub family: &'static Family,
    /// As it would be written.
    pub config: ModelConfig,
    /// As resolved.
    pub spec: ModelSpec,
    /// The parameters.
    pub weights: Weights,
    /// The type of the elements in the files.
    pub dtype: Dtype,
    /// The other files.
    pub files: Files,
}

/// Reads the model in a folder.
///
/// # Errors
///
/// An architecture or an option that is not known, by its name; weights that do not belong to the options, are damaged,
/// or not finite. Nothing is reserved for what the files do not hold.
pub fn import(folder: &Path) -> Result<Imported> {
    let path = folder.join(CONFIG);
    if !path.is_file() {
        let help = "name the folder that save_pretrained wrote";
        return Err(Error::input(folder.display(), format!("holds no {CONFIG}"), help));
    }
    let value = json(&path)?;
    let values = value.as_object().ok_or_else(|| Error::input(path.display(), "is no object", "take the file of the model"))?;
    let family = family_of(&path, values)?;
    let config = family.config(&path, values)?;
    let shards = Shards::open(folder)?;
    // The names of its tensors are made below: as many as the files can hold.
    if config.layers > shards.count() {
        let message = format!("describes {} layers, and the weights are {} tensors", config.layers, shards.count());
        return Err(Error::input(path.display(), message, format!("take the {CONFIG} that belongs to the weights")));
    }
    let spec = config.resolve(None).map_err(|problems| located(&path, problems))?;
    let layout = family.tensors(&spec);
    let named = |name: &str| named(&shards, family, name);
    check(folder, family, &layout, &shards)?;
    let mut weights = Weights::new();
    for entry in &layout.entries {
        place(&layout, entry, &shards.read(&named(&entry.name))?, &mut weights);
    }
    let first = layout.entries.first().map(|entry| named(&entry.name)).and_then(|name| shards.dtype(&name));
    Ok(Imported { family, config, spec, weights, dtype: first.unwrap_or(Dtype::F32), files: Files::of(folder) })
}

/// The family of a `config.json`.
fn family_of(path: &Path, values: &Map<String, Value>) -> Result<&'static Family> {
    let wrong = |key: &str, message: String, help: String| {
        let value = values.get(key).map(ToString::to_string);
        Err(Error::Settings(vec![Mistake {
            file: path.display().to_string(),
            line: None,
            key: key.into(),
            value,
            message,
            help: Some(help),
        }]))
    };
    let known = || families().iter().map(|family| family.model_type).collect::<Vec<_>>().join(", ");
    let Some(name) = values.get("model_type").and_then(Value::as_str) else {
        return wrong("model_type", "says no architecture".into(), format!("known are {}", known()));
    };
    let Some(family) = family(name) else {
        return wrong("model_type", "is an architecture that is not known".into(), format!("known are {}", known()));
    };
    let class = values.get("architectures").and_then(|list| list.get(0)).and_then(Value::as_str).unwrap_or(family.architecture);
    // The same without a head: its tensors are named without the prefix, and the head is the embedding's.
    let bare = family.architecture.replace("ForCausalLM", "Model").replace("LMHeadModel", "Model");
    if class != family.architecture && class != bare {
        return wrong("architectures", "is no language model with a head".into(), format!("{} can be read", family.architecture));
    }
    Ok(family)
}

impl Family {
    /// The model that a `config.json` describes.
    ///
    /// # Errors
    ///
    /// Options that are not known, by their names.
    pub fn config(&self, path: &Path, values: &Map<String, Value>) -> Result<ModelConfig> {
        let keys = Keys::new(path, values);
        let config = (self.read)(&keys);
        keys.finish()?;
        Ok(config)
    }
}

/// Rules of the model that a file breaks, as mistakes of the file.
fn located(path: &Path, problems: Vec<Problem>) -> Error {
    let mistake = |problem: Problem| Mistake {
        file: path.display().to_string(),
        line: None,
        key: problem.key,
        value: None,
        message: problem.message,
        help: problem.help,
    };
    Error::Settings(problems.into_iter().map(mistake).collect())
}

/// The name of a tensor in files that may hold a model without a head.
fn named(shards: &Shards, family: &Family, name: &str) -> String {
    let bare = name.strip_prefix(family.prefix).filter(|bare| shards.shape(name).is_none() && shards.shape(bare).is_some());
    bare.unwrap_or(name).to_string()
}

/// Holds the tensors of the files against those of the model.
fn check(folder: &Path, family: &Family, layout: &Layout, shards: &Shards) -> Result<()> {
    let mut wrong = vec![];
    let mut expected = BTreeSet::new();
    for entry in &layout.entries {
        let (name, shape) = (named(shards, family, &entry.name), layout.shape(entry));
        match shards.shape(&name) {
            None => wrong.push(format!("{name} {shape:?} is missing")),
            Some(found) if found != shape => wrong.push(format!("{name} is {found:?}, not {shape:?}")),
            Some(_) => {}
        }
        expected.insert(name);
    }
    for name in shards.names() {
        if expected.contains(name) || is_buffer(name) {
            continue;
        }
        match tied_to(layout, shards, family, name) {
            None => wrong.push(format!("{name} belongs to nothing that {CONFIG} describes")),
            Some(embedding) if !same(shards, name, &embedding)? => {
                wrong.push(format!("{name} differs from {embedding}, and {CONFIG} says that they are tied"));
            }
            Some(_) => {}
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = if wrong.len() > 5 { format!("; and {} more", wrong.len() - 5) } else { String::new() };
    let help = format!("take the {CONFIG} that belongs to the weights");
    Err(Error::input(folder.display(), wrong[..wrong.len().min(5)].join("; ") + &more, help))
}

/// Masks and frequencies that older versions of `transformers` stored with the weights.
fn is_buffer(name: &str) -> bool {
    const BUFFERS: [&str; 6] =
        [".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq", ".position_ids"];
    BUFFERS.iter().any(|ending| name.ends_with(ending))
}

/// The embedding that a tensor is tied to, if it is the head of a model that has none of its own.
fn tied_to(layout: &Layout, shards: &Shards, family: &Family, name: &str) -> Option<String> {
    let tied = !layout.shapes.contains_key("head.weight") && ["lm_head.weight", "embed_out.weight"].contains(&name);
    let embedding = layout.entries.iter().find(|entry| tied && entry.parts[0].path == "embedding.weight")?;
    Some(named(shards, family, &embedding.name)).filter(|name| shards.shape(name).is_some())
}

/// Whether two tensors hold the same numbers.
fn same(shards: &Shards, one: &str, other: &str) -> Result<bool> {
    Ok(shards.shape(one) == shards.shape(other) && shards.read(one)? == shards.read(other)?)
}
