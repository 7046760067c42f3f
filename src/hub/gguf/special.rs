//! Special tokens, and how a conversation is written: what the files beside a tokenizer say of both.

use super::{
    super::{CONFIG, shards::json},
    file::Value,
    vocabulary::UNKNOWN_TOKEN,
};
use crate::{
    data::Tokenizer,
    files,
    settings::{Error, Result},
};
use serde_json::Value as Json;
use std::path::Path;

/// The files, each null where it is not there.
#[derive(Debug, Default)]
pub struct Beside {
    tokenizer: Json,
    generation: Json,
    config: Json,
    template: Option<String>,
}

impl Beside {
    /// Those of a folder.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is no JSON.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            if path.is_file() { json(&path) } else { Ok(Json::Null) }
        };
        let path = folder.join("chat_template.jinja");
        let template = files::if_there(std::fs::read_to_string(&path)).map_err(Error::io("read", &path))?;
        let [tokenizer, generation] = ["tokenizer_config.json", "generation_config.json"].map(read);
        Ok(Self { tokenizer: tokenizer?, generation: generation?, config: read(CONFIG)?, template })
    }

    /// The tokens that `kind` names, as llama.cpp's own converter looks for them: the tokenizer's first, then those of the model.
    fn tokens(&self, kind: &str, tokenizer: &Tokenizer, vocab: usize) -> Vec<u32> {
        let named = &self.tokenizer[format!("{kind}_token")];
        let named = named.as_str().or_else(|| named["content"].as_str()).and_then(|name| tokenizer.id_of(name));
        let listed = [&self.generation, &self.config].into_iter().flat_map(|file| match &file[format!("{kind}_token_id")] {
            Json::Array(ids) => ids.as_slice(),
            one => std::slice::from_ref(one),
        });
        let listed = listed.filter_map(|id| u32::try_from(id.as_u64()?).ok());
        let mut found = vec![];
        for id in named.into_iter().chain(listed) {
            if (id as usize) < vocab && !found.contains(&id) {
                found.push(id);
            }
        }
        found
    }

    /// The template of conversations; of several, the one that is taken where none is asked for.
    fn conversation(&self) -> Option<&str> {
        let named = |list: &'_ Vec<Json>| list.iter().position(|entry| entry["name"] == "default");
        match &self.tokenizer["chat_template"] {
            Json::Array(list) => list[named(list)?]["template"].as_str(),
            one => one.as_str().or(self.template.as_deref()),
        }
    }

    /// Keys and values. `json` is the tokenizer's own file. Where the files say nothing, a model of another's has what its tokenizer
    /// puts around a text; ours open every document with one token, and so end one by opening the next.
    pub fn values(&self, tokenizer: &Tokenizer, json: &Json, vocab: usize) -> Vec<(String, Value)> {
        let tokens = |kind: &str| self.tokens(kind, tokenizer, vocab);
        let opening = tokens("bos").first().copied().unwrap_or(tokenizer.bos());
        let mut ends = tokens("eos");
        if ends.is_empty() {
            ends.push(opening);
        }
        let around = around(json).map(|name| name.and_then(|name| tokenizer.id_of(name)));
        let switch = |kind: &str| self.tokenizer[format!("add_{kind}_token")].as_bool();
        let opens = switch("bos").unwrap_or(self.config.is_null() || around[0] == Some(opening));
        let closes = switch("eos").unwrap_or(around[1] == Some(ends[0]));

        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let mut values = vec![
            (key("bos_token_id"), Value::U32(opening)),
            (key("add_bos_token"), Value::Bool(opens)),
            (key("add_eos_token"), Value::Bool(closes)),
        ];
        // llama.cpp ends an answer at any of three.
        let names = ["eos_token_id", "eot_token_id", "eom_token_id"];
        values.extend(names.iter().zip(ends).map(|(name, id)| (key(name), Value::U32(id))));
        let unknown = tokens("unk").first().copied().or_else(|| tokenizer.id_of(UNKNOWN_TOKEN));
        values.extend(unknown.filter(|id| (*id as usize) < vocab).map(|id| (key("unknown_token_id"), Value::U32(id))));
        values.extend(tokens("pad").first().map(|id| (key("padding_token_id"), Value::U32(*id))));
        values.extend(self.conversation().map(|text| ("tokenizer.chat_template".to_owned(), Value::Text(text.to_owned()))));
        values
    }
}

/// The special tokens that a tokenizer's file puts before and behind a text.
fn around(json: &Json) -> [Option<&str>; 2] {
    let processor = &json["post_processor"];
    let alone = std::slice::from_ref(processor);
    let all = processor["processors"].as_array().map_or(alone, Vec::as_slice);
    let template = all.iter().filter(|it| it["type"] == "TemplateProcessing").find_map(|it| it["single"].as_array());
    [template.and_then(|parts| parts.first()), template.and_then(|parts| parts.last())]
        .map(|part| part.and_then(|part| part["SpecialToken"]["id"].as_str()))
}
