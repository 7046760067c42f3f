//! What a key means, from the documentation of the type that it fills.

use super::{
    Error, Result,
    key::{Key, Segment},
    shape::{Schema, Shape, View, Word},
    spelling::nearest,
};
use schemars::JsonSchema;
use serde_json::Value;
use std::fmt::Write;

/// A place that a key leads to. There are several where variants of a tagged table share the name of a key.
struct Place<'a> {
    kind: PlaceKind<'a>,
    /// The variants on the way, `kind = "rms"`.
    within: Vec<String>,
    default: Option<Value>,
}

enum PlaceKind<'a> {
    View(View<'a>),
    /// The tag of the tagged table at this view, with its words.
    Tag(View<'a>, Vec<Word<'a>>),
}

/// Explains a key of `T`: meaning and source, type, default, allowed values, keys below it. Markdown-free plain text.
///
/// # Errors
///
/// An unknown key; the help names the nearest ones.
pub fn explain<T: JsonSchema>(key: &str) -> Result<String> {
    let schema = Schema::of::<T>();
    let places = find(schema.root(), &Key::parse(key));
    if places.is_empty() {
        return Err(unknown(schema.root(), key));
    }
    let mut text = format!("{key}\n");
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for place in &places {
        let body = body(place, key);
        match said.iter_mut().find(|(other, _)| *other == body) {
            Some((_, within)) => within.push(place.within.join(", ")),
            None => said.push((body, vec![place.within.join(", ")])),
        }
    }
    for (body, within) in said {
        let within: Vec<String> = within.into_iter().filter(|way| !way.is_empty()).collect();
        if !within.is_empty() {
            let _ = write!(text, "\n  with {}:\n", within.join("; or "));
        }
        text.push_str(&body);
    }
    Ok(text)
}

/// The top-level keys of `T`, a line each with its meaning.
pub fn sections<T: JsonSchema>() -> String {
    let schema = Schema::of::<T>();
    let mut text = String::new();
    if let Shape::Struct(fields) = schema.root().shape() {
        let widest = fields.names().map(str::len).max().unwrap_or(0);
        for (name, view) in &fields.entries {
            let _ = writeln!(text, "  {name:widest$}  {}", view.meaning().unwrap_or_default());
        }
    }
    text
}

/// Every key of `T` that can be written, tables included, each once.
pub fn keys<T: JsonSchema>() -> Vec<String> {
    let schema = Schema::of::<T>();
    all(schema.root())
}

fn all(root: View<'_>) -> Vec<String> {
    let mut keys = Vec::new();
    collect(root, &Key::default(), &mut keys);
    keys
}

fn collect(view: View<'_>, key: &Key, keys: &mut Vec<String>) {
    // Types may contain themselves; nobody writes that deep.
    if key.0.len() > 8 {
        return;
    }
    for (name, below) in children(view) {
        let child = key.child(name);
        let text = child.to_string();
        if !keys.contains(&text) {
            keys.push(text);
        }
        if let Some(view) = below {
            collect(view, &child, keys);
        }
    }
}

/// Names below a view; a tag has no view.
fn children(view: View<'_>) -> Vec<(&str, Option<View<'_>>)> {
    match view.shape() {
        Shape::Struct(fields) => fields.entries.into_iter().map(|(name, view)| (name, Some(view))).collect(),
        Shape::Tagged { tag, variants } => {
            let fields = variants.into_iter().flat_map(|variant| variant.fields.entries);
            [(tag, None)].into_iter().chain(fields.map(|(name, view)| (name, Some(view)))).collect()
        }
        Shape::Either(views) => views.into_iter().flat_map(children).collect(),
        Shape::Array(items) => children(items),
        _ => Vec::new(),
    }
}

/// Full keys whose last name is `name`.
pub(super) fn places(root: View<'_>, name: &str) -> Vec<String> {
    let all = all(root);
    all.into_iter().filter(|key| key.rsplit('.').next() == Some(name)).collect()
}

fn find<'a>(root: View<'a>, key: &Key) -> Vec<Place<'a>> {
    let mut places = vec![Place { kind: PlaceKind::View(root), within: Vec::new(), default: None }];
    for segment in &key.0 {
        places = places.iter().flat_map(|place| step(place, segment)).collect();
    }
    places
}

fn step<'a>(place: &Place<'a>, segment: &Segment) -> Vec<Place<'a>> {
    let PlaceKind::View(view) = place.kind else { return Vec::new() };
    let inherited = |name: &str| place.default.as_ref().and_then(|value| value.get(name)).cloned();
    let below = |view: View<'a>, name: &str, within: &[String]| Place {
        kind: PlaceKind::View(view),
        within: within.to_vec(),
        default: view.default().cloned().or_else(|| inherited(name)),
    };
    let same = |view: View<'a>| Place { kind: PlaceKind::View(view), within: place.within.clone(), default: place.default.clone() };
    match (view.shape(), segment) {
        (Shape::Struct(fields), Segment::Name(name)) => fields.get(name).map(|view| below(view, name, &place.within)).into_iter().collect(),
        (Shape::Tagged { tag, variants }, Segment::Name(name)) if name == tag => {
            let words = variants.into_iter().map(|variant| Word { name: variant.name, meaning: variant.meaning }).collect();
            vec![Place { kind: PlaceKind::Tag(view, words), within: place.within.clone(), default: inherited(tag) }]
        }
        (Shape::Tagged { tag, variants }, Segment::Name(name)) => {
            let having = variants.into_iter().filter_map(|variant| Some((variant.name, variant.fields.get(name)?)));
            having
                .map(|(variant, view)| {
                    let within: Vec<String> = place.within.iter().cloned().chain([format!("{tag} = \"{variant}\"")]).collect();
                    below(view, name, &within)
                })
                .collect()
        }
        (Shape::Map(Some(values)), Segment::Name(name)) => vec![below(values, name, &place.within)],
        (Shape::Either(views), _) => views.into_iter().flat_map(|view| step(&same(view), segment)).collect(),
        (Shape::Array(items), Segment::Index(_)) => vec![same(items)],
        // `arm.name` speaks of every arm.
        (Shape::Array(items), Segment::Name(_)) => step(&Place { default: None, ..same(items) }, segment),
        _ => Vec::new(),
    }
}

fn body(place: &Place<'_>, key: &str) -> String {
    let mut text = String::new();
    match &place.kind {
        PlaceKind::Tag(view, words) => {
            meaning(&mut text, *view);
            default(&mut text, place.default.as_ref());
            allowed(&mut text, words);
        }
        PlaceKind::View(view) => {
            meaning(&mut text, *view);
            let shape = view.shape();
            if !matches!(shape, Shape::Choice(_) | Shape::Any) {
                let _ = writeln!(text, "  type     {}", shape.expected());
            }
            default(&mut text, place.default.as_ref());
            detail(&mut text, &shape, key);
        }
    }
    text
}

fn meaning(text: &mut String, view: View<'_>) {
    for line in view.text() {
        let _ = writeln!(text, "  {line}");
    }
}

fn default(text: &mut String, value: Option<&Value>) {
    match value {
        Some(Value::Null) => text.push_str("  default  not set\n"),
        Some(value) => {
            let _ = writeln!(text, "  default  {}", toml(value));
        }
        None => {}
    }
}

fn allowed(text: &mut String, words: &[Word<'_>]) {
    text.push_str("  allowed\n");
    let widest = words.iter().map(|word| word.name.len()).max().unwrap_or(0);
    for word in words {
        let line = format!("    {:widest$}  {}", word.name, word.meaning.as_deref().unwrap_or_default());
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn detail(text: &mut String, shape: &Shape<'_>, key: &str) {
    match shape {
        Shape::Choice(words) => allowed(text, words),
        Shape::Struct(fields) => below(text, fields.entries.iter().map(|(name, view)| (*name, view.meaning()))),
        Shape::Tagged { tag, variants } => {
            let _ = writeln!(text, "  {tag}");
            let widest = variants.iter().map(|variant| variant.name.len()).max().unwrap_or(0);
            for variant in variants {
                let fields: Vec<&str> = variant.fields.names().collect();
                let fields = if fields.is_empty() { String::new() } else { format!(" Keys: {}.", fields.join(", ")) };
                let _ = writeln!(text, "    {:widest$}  {}{fields}", variant.name, variant.meaning.as_deref().unwrap_or_default());
            }
            let _ = writeln!(text, "  see `ablate explain {key}.KEY` for each key");
        }
        Shape::Array(items) => match items.shape() {
            Shape::Array(_) | Shape::Any => {}
            shape => detail(text, &shape, key),
        },
        Shape::Either(views) => {
            text.push_str("  one of\n");
            for view in views {
                let meaning = view.meaning().map(|meaning| format!(": {meaning}")).unwrap_or_default();
                let _ = writeln!(text, "    {}{meaning}", view.shape().expected());
            }
            for view in views {
                if let shape @ (Shape::Tagged { .. } | Shape::Struct(_)) = view.shape() {
                    detail(text, &shape, key);
                }
            }
        }
        _ => {}
    }
}

fn below<'a>(text: &mut String, entries: impl Iterator<Item = (&'a str, Option<String>)>) {
    let entries: Vec<_> = entries.collect();
    let widest = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    if !entries.is_empty() {
        text.push_str("  keys\n");
    }
    for (name, meaning) in entries {
        let _ = writeln!(text, "    {name:widest$}  {}", meaning.unwrap_or_default());
    }
}

/// A JSON value as TOML; "none" inside a table is left out.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let entries = object.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> = entries.map(|(name, value)| format!("{name} = {}", toml(value))).collect();
            if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float != 0.0 && float.abs() < 1e-3 => format!("{float:e}"),
            Some(float) if !number.is_i64() && !number.is_u64() => toml::Value::Float(float).to_string(),
            _ => number.to_string(),
        },
        value => value.to_string(),
    }
}

fn unknown(root: View<'_>, key: &str) -> Error {
    let help = match near_keys(root, key).as_slice() {
        [] => "`ablate explain` without a key lists the sections".to_string(),
        near => format!("did you mean {}?", super::spelling::listed(near, "or")),
    };
    Error::input(key, "no such key", help)
}

/// The keys of `T` that somebody may have meant, six at most: of the same name elsewhere, or spelt nearly so.
pub fn near<T: JsonSchema>(key: &str) -> Vec<String> {
    near_keys(Schema::of::<T>().root(), key)
}

fn near_keys(root: View<'_>, key: &str) -> Vec<String> {
    let all = all(root);
    let last = key.rsplit('.').next().unwrap_or(key);
    let mut near: Vec<String> = places(root, last);
    if near.is_empty() {
        near.extend(nearest(key, all.iter().map(String::as_str)).map(str::to_string));
    }
    if near.is_empty() {
        let lasts: Vec<&str> = all.iter().map(|key| key.rsplit('.').next().unwrap_or(key)).collect();
        near.extend(nearest(last, lasts).into_iter().flat_map(|name| places(root, name)));
    }
    near.truncate(6);
    near
}
