//! A JSON Schema read as the few shapes that configuration types have.

use super::prose;
use schemars::JsonSchema;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A schema with its definitions.
pub(super) struct Schema(Arc<Value>);

/// Schemas made so far: making one takes longer than checking a file against it, and a design checks one per arm.
static MADE: Mutex<BTreeMap<String, Arc<Value>>> = Mutex::new(BTreeMap::new());

impl Schema {
    pub(super) fn of<T: JsonSchema>() -> Self {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        Self(made.entry(T::schema_id().into_owned()).or_insert_with(|| Arc::new(schemars::schema_for!(T).to_value())).clone())
    }

    pub(super) fn root(&self) -> View<'_> {
        View { schema: &self.0, definitions: self.0.get("$defs") }
    }
}

/// A place in a schema.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    schema: &'a Value,
    definitions: Option<&'a Value>,
}

/// What may stand at a place.
pub(super) enum Shape<'a> {
    Any,
    Boolean,
    Integer(Limits),
    Number(Limits),
    Text,
    /// One of these words.
    Choice(Vec<Word<'a>>),
    /// A table with these keys.
    Struct(Fields<'a>),
    /// A table with any keys.
    Map(Option<View<'a>>),
    Array(View<'a>),
    /// A table whose key `tag` decides which other keys it has.
    Tagged {
        tag: &'a str,
        variants: Vec<Variant<'a>>,
    },
    /// One of several shapes.
    Either(Vec<View<'a>>),
}

/// Inclusive limits of a number.
#[derive(Clone, Copy, Default)]
pub(super) struct Limits {
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
}

/// An allowed word and its meaning.
#[derive(Clone)]
pub(super) struct Word<'a> {
    pub name: &'a str,
    pub meaning: Option<String>,
}

/// A variant of a tagged table.
pub(super) struct Variant<'a> {
    pub name: &'a str,
    pub meaning: Option<String>,
    /// Its keys, without the tag.
    pub fields: Fields<'a>,
}

/// The keys of a table.
pub(super) struct Fields<'a> {
    pub entries: Vec<(&'a str, View<'a>)>,
    pub required: Vec<&'a str>,
    /// Whether other keys are refused.
    pub closed: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<View<'a>> {
        self.entries.iter().find(|(key, _)| *key == name).map(|(_, view)| *view)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.entries.iter().map(|(name, _)| *name)
    }
}

impl<'a> View<'a> {
    fn at(self, schema: &'a Value) -> Self {
        Self { schema, ..self }
    }

    /// Follows references; a chain of references that never ends has no schema.
    fn resolved(self) -> Self {
        let mut view = self;
        for _ in 0..32 {
            let Some(reference) = view.schema.get("$ref").and_then(Value::as_str) else { return view };
            let name = reference.strip_prefix("#/$defs/").unwrap_or_default();
            match view.definitions.and_then(|definitions| definitions.get(name)) {
                Some(schema) => view = view.at(schema),
                None => break,
            }
        }
        view.at(&Value::Bool(true))
    }

    /// The alternatives of an untagged type, without "nothing", which TOML cannot say.
    fn alternatives(self) -> Vec<View<'a>> {
        let list = self.schema.get("anyOf").or_else(|| self.schema.get("oneOf")).and_then(Value::as_array);
        let all = list.into_iter().flatten().map(|schema| self.at(schema));
        all.filter(|view| view.schema.get("type").and_then(Value::as_str) != Some("null")).collect()
    }

    /// What the documentation says, on one line: at the key itself, then at its type where that adds something.
    pub(super) fn meaning(self) -> Option<String> {
        let texts = self.descriptions();
        (!texts.is_empty()).then(|| texts.into_iter().map(prose::one_line).collect::<Vec<_>>().join(" "))
    }

    /// The same line by line, with its code and tables.
    pub(super) fn text(self) -> Vec<String> {
        prose::lines(&self.descriptions().join("\n"))
    }

    fn descriptions(self) -> Vec<&'a str> {
        let mut texts: Vec<&str> = Vec::new();
        let mut view = self;
        for _ in 0..8 {
            if let Some(text) = view.schema.get("description").and_then(Value::as_str) {
                // The type's text is worth reading after the key's where it says the same and more, or gives a source.
                match texts.last().map(|said| prose::one_line(said)) {
                    Some(said) if prose::one_line(text).starts_with(said.trim_end_matches('.')) => texts = vec![text],
                    Some(_) if !text.contains('(') => {}
                    _ => texts.push(text),
                }
            }
            let next = if view.schema.get("$ref").is_some() { view.resolved() } else { view.only_alternative() };
            if std::ptr::eq(next.schema, view.schema) {
                break;
            }
            view = next;
        }
        texts
    }

    /// The type inside an optional one; itself otherwise.
    fn only_alternative(self) -> Self {
        match self.alternatives().as_slice() {
            [only] if self.schema.get("anyOf").is_some() => *only,
            _ => self,
        }
    }

    /// The value when nobody writes one; `null` is "none".
    pub(super) fn default(self) -> Option<&'a Value> {
        self.schema.get("default")
    }

    pub(super) fn shape(self) -> Shape<'a> {
        let view = self.resolved();
        let schema = view.schema;
        if let Some(words) = view.words() {
            return Shape::Choice(words);
        }
        let alternatives = view.alternatives();
        if !alternatives.is_empty() {
            if let Some(tagged) = view.tagged(&alternatives) {
                return tagged;
            }
            // Words written as alternatives of one word each, e.g. a documented enumeration inside an option.
            return match alternatives.as_slice() {
                [only] => only.shape(),
                _ => Shape::Either(alternatives),
            };
        }
        match view.kind() {
            Some("boolean") => Shape::Boolean,
            Some("integer") => Shape::Integer(view.limits()),
            Some("number") => Shape::Number(view.limits()),
            Some("string") => Shape::Text,
            Some("array") => Shape::Array(schema.get("items").map_or(view.at(&Value::Bool(true)), |items| view.at(items))),
            Some("object") => match schema.get("properties") {
                Some(_) => Shape::Struct(view.fields(None)),
                None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => Shape::Struct(view.fields(None)),
                None => Shape::Map(schema.get("additionalProperties").map(|values| view.at(values))),
            },
            _ => Shape::Any,
        }
    }

    fn kind(self) -> Option<&'a str> {
        match self.schema.get("type")? {
            Value::String(kind) => Some(kind),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            _ => None,
        }
    }

    fn limits(self) -> Limits {
        let number = |key: &str| self.schema.get(key).and_then(Value::as_f64);
        Limits { minimum: number("minimum"), maximum: number("maximum") }
    }

    /// The words of an enumeration, if this is one.
    fn words(self) -> Option<Vec<Word<'a>>> {
        if let Some(name) = self.schema.get("const").and_then(Value::as_str) {
            return Some(vec![Word { name, meaning: self.meaning() }]);
        }
        if let Some(names) = self.schema.get("enum").and_then(Value::as_array) {
            return Some(names.iter().filter_map(Value::as_str).map(|name| Word { name, meaning: None }).collect());
        }
        let list = self.schema.get("oneOf")?.as_array()?;
        let words: Option<Vec<Vec<Word<'a>>>> = list.iter().map(|schema| self.at(schema).words()).collect();
        Some(words?.into_iter().flatten().collect())
    }

    fn tagged(self, alternatives: &[View<'a>]) -> Option<Shape<'a>> {
        let word = |schema: &'a Value| schema.get("const").and_then(Value::as_str);
        let first = alternatives.first()?.schema.get("properties")?.as_object()?;
        let tag = first.iter().find(|(_, schema)| word(schema).is_some()).map(|(name, _)| name.as_str())?;
        let variants: Option<Vec<Variant<'a>>> = alternatives
            .iter()
            .map(|view| {
                let name = word(view.schema.get("properties")?.get(tag)?)?;
                Some(Variant { name, meaning: view.meaning(), fields: view.fields(Some(tag)) })
            })
            .collect();
        Some(Shape::Tagged { tag, variants: variants? })
    }

    fn fields(self, without: Option<&str>) -> Fields<'a> {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let required = self.schema.get("required").and_then(Value::as_array);
        Fields {
            entries: properties
                .into_iter()
                .flatten()
                .filter(|(name, _)| Some(name.as_str()) != without)
                .map(|(name, schema)| (name.as_str(), self.at(schema)))
                .collect(),
            required: required.into_iter().flatten().filter_map(Value::as_str).filter(|name| Some(*name) != without).collect(),
            closed: self.schema.get("additionalProperties") == Some(&Value::Bool(false)),
        }
    }
}

impl Shape<'_> {
    /// What to write here, as prose: `an integer`, `"rms" or "layer"`.
    pub(super) fn expected(&self) -> String {
        match self {
            Shape::Any => "any value".into(),
            Shape::Boolean => "true or false".into(),
            Shape::Integer(limits) => limits.said("an integer"),
            Shape::Number(limits) => limits.said("a number"),
            Shape::Text => "a string".into(),
            Shape::Choice(words) => super::spelling::listed(words.iter().map(|word| format!("\"{}\"", word.name)), "or"),
            Shape::Struct(_) | Shape::Map(_) => "a table".into(),
            Shape::Array(items) => format!("a list of {}", items.shape().plural()),
            Shape::Tagged { tag, .. } => format!("a table with the key `{tag}`"),
            Shape::Either(views) => super::spelling::listed(views.iter().map(|view| view.shape().expected()), "or"),
        }
    }

    fn plural(&self) -> String {
        match self {
            Shape::Boolean => "booleans".into(),
            Shape::Integer(_) => "integers".into(),
            Shape::Number(_) => "numbers".into(),
            Shape::Text => "strings".into(),
            Shape::Choice(_) => self.expected(),
            Shape::Struct(_) | Shape::Map(_) | Shape::Tagged { .. } => "tables".into(),
            _ => "values".into(),
        }
    }
}

impl Limits {
    fn said(&self, noun: &str) -> String {
        match (self.minimum, self.maximum) {
            (Some(low), Some(high)) => format!("{noun} from {low} to {high}"),
            (Some(low), None) => format!("{noun} of at least {low}"),
            (None, Some(high)) => format!("{noun} of at most {high}"),
            (None, None) => noun.into(),
        }
    }

    pub(super) fn hold(&self, number: f64) -> bool {
        self.minimum.is_none_or(|low| number >= low) && self.maximum.is_none_or(|high| number <= high)
    }
}
