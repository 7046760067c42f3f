//! A model as a folder that `transformers` and what builds on it load: weights, tokenizer, card.

use super::{Opened, Origin, RunResult, RunSpec, run::RESULT};
use crate::{
    data::Tokenizer,
    files,
    hub::{self, Dtype, Exported},
    settings::{Error, Result},
};
use serde_json::{Value, json};
use std::{fmt::Write, fs, path::Path};

/// Where an imported run keeps the files that came with the weights.
pub const COMPANIONS: &str = "hub";

/// How to publish a model.
#[derive(Clone, Copy, Debug)]
pub struct Publishing<'a> {
    /// Folder to write.
    pub out: &'a Path,
    /// Type of the weights.
    pub dtype: Dtype,
    /// The family; by default the first that covers the model.
    pub family: Option<&'a str>,
}

/// Writes `config.json`, weights, `tokenizer.json` with its companions, and a model card.
///
/// # Errors
///
/// A model that the family, or no family, can express: the options in the way are named.
pub fn publish(model: Opened, how: Publishing) -> Result<&'static str> {
    let original = model.companions();
    let asked = match &model.origin {
        Origin::Hub { family, .. } => how.family.or(Some(family.model_type)),
        Origin::Run(..) => how.family,
    };
    let card = match &model.origin {
        Origin::Hub { .. } => None,
        Origin::Run(run, _) => Some((run.clone(), result_in(model.folder()))),
    };
    let (spec, tokenizer, companions) = (model.spec.clone(), model.tokenizer()?, hub::Files::of(&original));
    let mut exported = hub::export(&spec, model.weights()?, asked)?;
    exported.config.extend(hub::special_tokens(&original)?);
    if let (Some(tokenizer), None) = (&tokenizer, &companions.tokenizer) {
        // Our models open every document with one token, and so end one by opening the next.
        exported.config.insert("bos_token_id".into(), json!(tokenizer.bos()));
        exported.config.insert("eos_token_id".into(), json!(tokenizer.bos()));
    }
    fs::create_dir_all(how.out).map_err(Error::io("create the folder", how.out))?;
    let copied = |path: &Path| {
        let target = how.out.join(path.file_name().unwrap_or_default());
        fs::read(path).map_err(Error::io("read", path)).and_then(|bytes| files::write(&target, &bytes))
    };
    match (&companions.tokenizer, &tokenizer) {
        (Some(path), _) => copied(path)?,
        (None, Some(tokenizer)) => own_tokenizer(tokenizer, spec.context, how.out)?,
        (None, None) => {}
    }
    companions.companions.iter().try_for_each(|path| copied(path))?;
    if let Some((run, result)) = card {
        files::write(&how.out.join("README.md"), written_card(&run, result.as_ref(), &exported).as_bytes())?;
    }
    // The weights come last: a folder without them is taken for no model.
    exported.write(how.out, how.dtype)?;
    Ok(exported.family.model_type)
}

/// The token that stands for what a vocabulary lacks, where it has one.
const UNKNOWN: &str = "<unk>";

/// A run's tokenizer with what `transformers` wants to know about it.
fn own_tokenizer(tokenizer: &Tokenizer, context: usize, out: &Path) -> Result<()> {
    let mut value: Value = serde_json::from_str(&tokenizer.to_json()).expect("a tokenizer is JSON");
    let special = tokenizer.special();
    let Some((opening, _)) = special.iter().find(|token| token.1 == tokenizer.bos()) else {
        let help = "publish the model alone, beside the tokenizer's own files";
        return Err(Error::input("the tokenizer", format!("its token {}, which opens documents, has no name", tokenizer.bos()), help));
    };
    // What stands before every document while training.
    value["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{ "SpecialToken": { "id": opening, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "pair": [
            { "SpecialToken": { "id": opening, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
            { "SpecialToken": { "id": opening, "type_id": 1 } }, { "Sequence": { "id": "B", "type_id": 1 } }
        ],
        "special_tokens": { opening: { "id": opening, "ids": [tokenizer.bos()], "tokens": [opening] } },
    });
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": opening, "eos_token": opening,
        "model_max_length": context, "clean_up_tokenization_spaces": false,
    });
    let mut named = json!({ "bos_token": opening, "eos_token": opening });
    if special.iter().any(|token| token.0 == UNKNOWN) {
        config["unk_token"] = json!(UNKNOWN);
        named["unk_token"] = json!(UNKNOWN);
    }
    let generation = json!({ "bos_token_id": tokenizer.bos(), "eos_token_id": tokenizer.bos() });
    for (name, value) in [
        (hub::TOKENIZER, value),
        ("tokenizer_config.json", config),
        ("special_tokens_map.json", named),
        ("generation_config.json", generation),
    ] {
        let text = serde_json::to_string_pretty(&value).expect("plain data") + "\n";
        files::write(&out.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// The result in the folder of a run, if it is there.
fn result_in(run: &Path) -> Option<RunResult> {
    serde_json::from_slice(&fs::read(run.join(RESULT)).ok()?).ok()
}

/// The model card: what the model is, and where it comes from.
fn written_card(spec: &RunSpec, result: Option<&RunResult>, exported: &Exported) -> String {
    let model = &spec.model;
    let mut text = String::from(
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- ablate\n---\n\n# A model trained with ablate\n\n",
    );
    let parameters = model.account(model.context).parameters;
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "| {name} | {value} |");
    };
    row("property", "value".into());
    row("---", "---".into());
    row("architecture", format!("`{}`", exported.family.architecture));
    row("parameters", parameters.to_string());
    row("layers, width, context", format!("{}, {}, {}", model.layers, model.width, model.context));
    row("vocabulary", model.vocab.to_string());
    let corpus = toml::Value::try_from(&spec.data.corpus).map(|value| without_folders(value).to_string());
    row("corpus", format!("`{}`", corpus.unwrap_or_default()));
    row("fingerprint of corpus and tokenizer", format!("`{}`", spec.data.fingerprint));
    row("run", format!("`{}`, seed {}", spec.id(), spec.train.seed));
    if let Some(result) = result {
        row("trained", format!("{} steps, {} tokens, on {}, by ablate {}", result.steps, result.tokens, result.device, result.version));
        for (name, value) in &result.metrics {
            row(name, value.to_string());
        }
        for note in &result.notes {
            row("note", note.split(' ').map(file_name).collect::<Vec<_>>().join(" "));
        }
    }
    if spec.data.has_text() {
        text += "\nEvery document of the training text was opened by the token `bos_token_id`: put it before a text.\n";
    }
    let whole = toml::Value::try_from(spec).and_then(|value| toml::to_string(&without_folders(value)));
    let _ = writeln!(text, "\nThe whole specification, files by their names alone:\n\n```toml\n{}```", whole.unwrap_or_default());
    text
}

/// The same with the names of files in the place of whole paths: where they lie is nobody's business, and may say whose they are.
fn without_folders(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::String(text) => file_name(&text).into(),
        toml::Value::Array(values) => values.into_iter().map(without_folders).collect::<Vec<_>>().into(),
        toml::Value::Table(values) => values.into_iter().map(|(key, value)| (key, without_folders(value))).collect::<toml::Table>().into(),
        other => other,
    }
}

/// A text, or the name of the file where that is a whole path.
fn file_name(text: &str) -> &str {
    let path = Path::new(text);
    path.file_name().filter(|_| path.is_absolute()).and_then(|name| name.to_str()).unwrap_or(text)
}
