//! JSON lines: an object per line, one of whose fields is the text.

use super::{
    Limits, Read, Source,
    fault::{Origin, bytes, id_of_row},
    lines::{Content, Lines},
    packed::{self, Unpacked},
    ranges::WHOLE,
};
use crate::{
    data::pipeline::Document,
    settings::{Error, Result},
};
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::{
    io::{BufReader, Read as _, Take},
    ops::Range,
};

const BUFFER: usize = 1 << 17;

/// The lines of a file, or of a part of it.
pub(super) struct Jsonl {
    origin: Origin,
    fields: Fields,
    limit: u64,
    lines: Lines<BufReader<Take<Unpacked>>>,
}

/// Names of the fields that are no mere knowledge about the text.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub text: String,
    pub id: String,
}

impl Jsonl {
    /// `range` is one of [`super::ranges`].
    pub fn open(origin: Origin, fields: Fields, limits: &Limits, range: Range<u64>) -> Result<Self> {
        if range != WHOLE && packed::Packing::of(&origin.path) != packed::Packing::None {
            return Err(Error::input(origin.path.display(), "a packed file cannot be read from its middle", "read it as a whole"));
        }
        let Range { start, end } = range;
        let content = origin.content_at(limits, start, false)?.take(end.saturating_sub(start));
        let lines = Lines::new(BufReader::with_capacity(BUFFER, content), start, limits.document_bytes);
        Ok(Self { origin, fields, limit: limits.document_bytes, lines })
    }
}

impl Source for Jsonl {
    fn next(&mut self) -> Result<Option<Read>> {
        loop {
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                Err(error) => return self.origin.faulty(error, &format!("byte {}", self.lines.offset())),
            };
            let place = format!("byte {}", line.offset);
            return match line.content {
                Content::Text(text) if text.trim_ascii().is_empty() => continue,
                Content::Text(text) => match self.fields.parse(text, self.origin.id(line.offset)) {
                    Ok(document) => Ok(Some(Read::Document(document))),
                    Err((rule, message)) => self.origin.damaged(rule, &place, message),
                },
                Content::TooLong => {
                    let (long, most) = (line.length, bytes(self.limit));
                    let message = format!("a line of {long} bytes, longer than {most}, the limit that `document_bytes` sets");
                    self.origin.damaged("too_long", &place, message)
                }
                Content::NotUtf8(at) => self.origin.damaged("not_utf8", &place, format!("not UTF-8 at byte {at} of the line")),
                Content::Binary => self.origin.damaged("binary", "", "there is a zero byte near its beginning: it is no JSON"),
            };
        }
    }
}

impl Fields {
    /// The document of a line; or the rule that the line breaks, and how.
    fn parse(&self, line: &str, place: String) -> Result<Document, (&'static str, String)> {
        let mut parser = serde_json::Deserializer::from_str(line);
        let object = self.deserialize(&mut parser).and_then(|object| parser.end().map(|()| object));
        let mut object = object.map_err(|error| ("not_json", format!("not a JSON object: {error}")))?;
        let text = match object.text {
            Some(Value::String(text)) => text,
            Some(_) => return Err(("no_text", format!("the field \"{}\" is no string", self.text))),
            None => return Err(("no_text", format!("there is no field \"{}\"{}", self.text, names(&object.meta)))),
        };
        let id = id_of_row(object.id, place, &mut object.meta);
        Ok(Document { id, text, source: object.source, meta: object.meta })
    }
}

/// Names of fields, for an error.
fn names(fields: &Map<String, Value>) -> String {
    let names: Vec<String> = fields.keys().take(8).map(|name| format!("\"{name}\"")).collect();
    if names.is_empty() { String::new() } else { format!(", but {}", names.join(", ")) }
}

/// A line, taken apart.
#[derive(Default)]
pub(super) struct Object {
    text: Option<Value>,
    id: Option<String>,
    source: String,
    meta: Map<String, Value>,
}

pub(super) enum Key {
    Text,
    Id,
    Source,
    Meta,
    Other(String),
}

struct KeyOf<'a>(&'a Fields);

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = Key;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            _ if name == self.0.text => Key::Text,
            _ if name == self.0.id => Key::Id,
            "source" => Key::Source,
            "meta" => Key::Meta,
            _ => Key::Other(name.to_string()),
        })
    }
}

impl<'de> DeserializeSeed<'de> for &Fields {
    type Value = Object;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Fields {
    type Value = Object;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::default();
        while let Some(key) = map.next_key_seed(KeyOf(self))? {
            let value: Value = map.next_value()?;
            match (key, value) {
                (Key::Text, text) => object.text = Some(text),
                (Key::Id, Value::String(id)) => object.id = Some(id),
                (Key::Id, Value::Number(id)) => object.id = Some(id.to_string()),
                (Key::Id, Value::Null) => {}
                (Key::Id, other) => drop(object.meta.insert(self.id.clone(), other)),
                (Key::Source, Value::String(source)) => object.source = source,
                (Key::Source, other) => drop(object.meta.insert("source".into(), other)),
                // What `write` has written reads back as it was.
                (Key::Meta, Value::Object(meta)) => object.meta.extend(meta),
                (Key::Meta, other) => drop(object.meta.insert("meta".into(), other)),
                (Key::Other(name), value) => drop(object.meta.insert(name, value)),
            }
        }
        Ok(object)
    }
}
