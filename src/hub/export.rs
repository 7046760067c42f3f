//! From a model to a folder that `transformers` loads.

use super::{
    Family,
    families::{families, family},
    folder::CONFIG,
    pairing::repaired,
    shards::{Dtype, INDEX, SINGLE, Written, write_safetensors},
};
use crate::{
    files,
    model::{
        ModelSpec, Weights,
        init::InitConfig,
        norm::NormConfig,
        position::{PositionConfig, RopeConfig},
    },
    settings::{Error, Result, flatten, written},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Bytes of weights in a file: what `transformers` takes, too.
const SHARD: usize = 5_000_000_000;

/// An option of a model that a family has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Its key.
    pub key: String,
    /// Its value in the model; none if it has no such option.
    pub model: Option<String>,
    /// What the family would make of it.
    pub family: Option<String>,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".into());
        write!(f, "{} = {} (there: {})", self.key, show(&self.model), show(&self.family))
    }
}

/// Options that make one model compute something else than the other: not how they start, nor what is dropped in training,
/// nor the order of rotating channels.
pub fn differences(model: &ModelSpec, other: &ModelSpec) -> Vec<Obstacle> {
    compared(&comparable(model), &comparable(other))
}

fn compared(ours: &ModelSpec, theirs: &ModelSpec) -> Vec<Obstacle> {
    let (ours, theirs) = (flatten(ours), flatten(theirs));
    let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).filter(|key| ours.get(*key) != theirs.get(*key)).collect();
    let text = |values: &BTreeMap<String, Value>, key: &str| values.get(key).map(written);
    let obstacle = |key: &String| Obstacle { key: format!("model.{key}"), model: text(&ours, key), family: text(&theirs, key) };
    // Options that only one of two kinds has are no news beside the kinds.
    let one_sided = |key: &String| !(ours.contains_key(key) && theirs.contains_key(key));
    let under_kind = |key: &String| {
        let mut kinds = key.match_indices('.').map(|(at, _)| format!("{}.kind", &key[..at]));
        kinds.any(|kind| kind != *key && keys.contains(&kind))
    };
    keys.iter().filter(|key| !(one_sided(key) && under_kind(key))).map(|key| obstacle(key)).collect()
}

/// A model as a family has it.
#[derive(Debug)]
pub struct Exported {
    /// The family.
    pub family: &'static Family,
    /// Its `config.json`, without the type of the weights.
    pub config: Map<String, Value>,
    /// The model as the family would read it back: with biases that are zeros where the family always has some, and with
    /// the family's pairing of channels.
    pub spec: ModelSpec,
    /// Its parameters.
    pub weights: Weights,
}

/// The model as the first family that covers it, or as the one that is named.
///
/// # Errors
///
/// No family covers it: then the options that are in the way of the nearest one are named.
pub fn export(spec: &ModelSpec, weights: Weights, asked: Option<&str>) -> Result<Exported> {
    let candidates: Vec<&'static Family> = match asked {
        None => families().to_vec(),
        Some(name) => {
            let known = families().iter().map(|family| family.model_type).collect::<Vec<_>>().join(", ");
            vec![family(name).ok_or_else(|| Error::input(name, "is no family that is known", format!("known are {known}")))?]
        }
    };
    let mut nearest: Option<(&Family, Vec<Obstacle>)> = None;
    for family in candidates {
        match family.covers(spec) {
            Ok((config, covered)) => {
                let (_, weights) = repaired(spec, weights, pairing(&covered).unwrap_or(RopeConfig::default().pairing));
                let weights = widened(&covered, weights);
                return Ok(Exported { family, config, spec: covered, weights });
            }
            Err(obstacles) => {
                if nearest.as_ref().is_none_or(|(_, fewest)| obstacles.len() < fewest.len()) {
                    nearest = Some((family, obstacles));
                }
            }
        }
    }
    let (family, obstacles) = nearest.expect("there are families");
    let list: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    let help = "`--format ablate` writes every model; or change these options";
    Err(Error::input(format!("as {}", family.model_type), format!("the model cannot be expressed: {}", list.join(", ")), help))
}

fn pairing(spec: &ModelSpec) -> Option<crate::model::position::Pairing> {
    match &spec.position {
        PositionConfig::Rope(rope) => Some(rope.pairing),
        _ => None,
    }
}

impl Family {
    /// The model as this family's `config.json` and as the family reads that back, if it is the same model.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn covers(&self, spec: &ModelSpec) -> Result<(Map<String, Value>, ModelSpec), Vec<Obstacle>> {
        let mut config = Map::new();
        config.insert("architectures".into(), json!([self.architecture]));
        config.insert("model_type".into(), json!(self.model_type));
        config.extend((self.write)(spec));
        let unreadable = |text: String| vec![Obstacle { key: self.model_type.into(), model: None, family: Some(text) }];
        let read = self.config(Path::new(CONFIG), &config).map_err(|error| unreadable(error.to_string()))?;
        let read = read.resolve(None).map_err(|problems| {
            let texts: Vec<String> = problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect();
            unreadable(texts.join(", "))
        })?;
        let mut ours = comparable(spec);
        let theirs = comparable(&read);
        widen(&mut ours, &theirs);
        let obstacles = compared(&ours, &theirs);
        if obstacles.is_empty() { Ok((config, read)) } else { Err(obstacles) }
    }
}

/// A model by what it computes: without how it starts and is regularised, with patterns written out.
fn comparable(spec: &ModelSpec) -> ModelSpec {
    let mut spec = spec.clone();
    spec.init = InitConfig::default();
    spec.residual.dropout = 0.0;
    spec.embedding.dropout = 0.0;
    spec.head.z_loss = 0.0;
    spec.head.label_smoothing = 0.0;
    spec.attention.document_mask = false;
    if let PositionConfig::Rope(rope) = &mut spec.position {
        // The channels can be put into the other order.
        rope.pairing = RopeConfig::default().pairing;
        rope.pattern = (0..spec.layers).map(|layer| rope.pattern[layer % rope.pattern.len()]).collect();
    }
    spec
}

/// Gives a model the biases and gains that a family always has: zeros and ones there change nothing.
fn widen(ours: &mut ModelSpec, theirs: &ModelSpec) {
    let (own, other) = (&mut ours.attention.bias, theirs.attention.bias);
    own.query |= other.query;
    own.key |= other.key;
    own.value |= other.value;
    own.output |= other.output;
    ours.feed_forward.bias |= theirs.feed_forward.bias;
    ours.head.bias |= theirs.head.bias;
    widen_norm(&mut ours.norm, &theirs.norm);
    widen_norm(&mut ours.embedding.norm, &theirs.embedding.norm);
}

fn widen_norm(ours: &mut NormConfig, theirs: &NormConfig) {
    match (ours, theirs) {
        (NormConfig::Layer(own), NormConfig::Layer(other)) => {
            own.gain |= other.gain;
            own.bias |= other.bias;
        }
        (NormConfig::Rms(own), NormConfig::Rms(other)) if own.unit_offset == other.unit_offset => own.gain |= other.gain,
        _ => {}
    }
}

/// The parameters of the model with those that only the family has: gains that do nothing, biases of zero.
pub(super) fn widened(spec: &ModelSpec, mut weights: Weights) -> Weights {
    let offset = |norm: &NormConfig| matches!(norm, NormConfig::Rms(rms) if rms.unit_offset);
    for (path, shape) in spec.parameter_shapes() {
        let one = if path.ends_with(".gain") && !offset(&spec.norm) { 1.0 } else { 0.0 };
        weights.entry(path).or_insert_with(|| vec![one; shape.iter().product()]);
    }
    weights
}

impl Exported {
    /// Writes `config.json` and the weights, in files of a size that `transformers` takes, too.
    ///
    /// # Errors
    ///
    /// An unwritable folder.
    pub fn write(&self, out: &Path, dtype: Dtype) -> Result<()> {
        self.write_shards(out, dtype, SHARD)
    }

    /// The same with at most so many bytes of weights in a file, unless one tensor alone has more.
    ///
    /// # Errors
    ///
    /// As [`Exported::write`].
    pub fn write_shards(&self, out: &Path, dtype: Dtype, most: usize) -> Result<()> {
        std::fs::create_dir_all(out).map_err(Error::io("create the folder", out))?;
        let mut config = self.config.clone();
        config.insert("torch_dtype".into(), json!(dtype.name()));
        files::write(&out.join(CONFIG), pretty(&Value::Object(config)).as_bytes())?;
        let layout = self.family.tensors(&self.spec);
        let shards = cut(layout.written(&self.weights, dtype), most);
        if let [only] = shards.as_slice() {
            return write_safetensors(&out.join(SINGLE), only);
        }
        let mut map = Map::new();
        let mut total = 0;
        for (at, shard) in shards.iter().enumerate() {
            let name = format!("model-{:05}-of-{:05}.safetensors", at + 1, shards.len());
            write_safetensors(&out.join(&name), shard)?;
            total += shard.iter().map(Written::length).sum::<usize>();
            map.extend(shard.iter().map(|tensor| (tensor.name.clone(), json!(name))));
        }
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        files::write(&out.join(INDEX), pretty(&index).as_bytes())
    }
}

/// Tensors by the files they go to, with at most so many bytes in each.
fn cut(tensors: Vec<Written>, most: usize) -> Vec<Vec<Written>> {
    let mut shards: Vec<Vec<Written>> = vec![vec![]];
    let mut full = 0;
    for tensor in tensors {
        let size = tensor.length();
        if full > 0 && full + size > most {
            shards.push(vec![]);
            full = 0;
        }
        full += size;
        shards.last_mut().expect("there is one").push(tensor);
    }
    shards
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("plain data") + "\n"
}
