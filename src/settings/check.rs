//! Checks a tree against a schema, collects every mistake, and answers with what serde reads.

use super::{
    Mistake,
    key::Key,
    node::{Content, Node, Table},
    shape::{Fields, Limits, Shape, Variant, View, Word},
    spelling::{listed, nearest},
};
use serde_json::{Map, Value};

/// The state of a check.
pub(super) struct Check<'a> {
    /// Everything wrong so far.
    pub mistakes: Vec<Mistake>,
    /// The whole schema, to say where a misplaced key belongs.
    pub root: View<'a>,
}

impl<'a> Check<'a> {
    /// Checks `node`, which stands at `key`. `default` is what the surrounding type has there when nothing is written.
    ///
    /// The answer is meaningless if there were mistakes.
    pub(super) fn node(&mut self, node: &Node, view: View<'a>, key: &Key, default: Option<&Value>) -> Value {
        match (view.shape(), &node.content) {
            (Shape::Any, _) => node.to_json(),
            (Shape::Boolean, Content::Boolean(truth)) => (*truth).into(),
            (Shape::Integer(limits), content) => self.integer(node, content, limits, key),
            (Shape::Number(limits), content) => self.number(node, content, limits, key),
            (Shape::Text, Content::Text(text)) => text.as_str().into(),
            (Shape::Choice(words), content) => self.choice(node, content, &words, key),
            (Shape::Struct(fields), Content::Table(table)) => self.fields(node, table, &fields, key, None),
            (Shape::Map(values), Content::Table(table)) => {
                let entry = |check: &mut Self, name: &str, node: &Node| match values {
                    Some(view) => check.node(node, view, &key.child(name), None),
                    None => node.to_json(),
                };
                table.0.iter().map(|(name, node)| (name.clone(), entry(self, name, node))).collect()
            }
            (Shape::Array(items), Content::Array(nodes)) => {
                nodes.iter().enumerate().map(|(i, node)| self.node(node, items, &key.index(i), None)).collect()
            }
            (Shape::Tagged { tag, variants }, Content::Table(table)) => self.tagged(node, table, tag, &variants, key, default),
            (Shape::Either(views), _) => self.either(node, &views, key, default),
            (shape, _) => self.wrong_type(node, &shape, key),
        }
    }

    fn integer(&mut self, node: &Node, content: &Content, limits: Limits, key: &Key) -> Value {
        match content {
            Content::Integer(number) if limits.hold(*number as f64) => return (*number).into(),
            Content::Float(number) if number.fract() == 0.0 => {
                let help = format!("write {number:.0} without a decimal point or exponent");
                self.mistake(node, key, format!("expected {}, found a float", Shape::Integer(limits).expected()), Some(help));
            }
            _ => return self.wrong_type(node, &Shape::Integer(limits), key),
        }
        Value::Null
    }

    fn number(&mut self, node: &Node, content: &Content, limits: Limits, key: &Key) -> Value {
        match content {
            Content::Integer(number) if limits.hold(*number as f64) => (*number).into(),
            Content::Float(number) if !number.is_finite() => {
                self.mistake(node, key, format!("expected {}, finite", Shape::Number(limits).expected()), None);
                Value::Null
            }
            Content::Float(number) if limits.hold(*number) => (*number).into(),
            _ => self.wrong_type(node, &Shape::Number(limits), key),
        }
    }

    fn choice(&mut self, node: &Node, content: &Content, words: &[Word<'a>], key: &Key) -> Value {
        let Content::Text(text) = content else { return self.wrong_type(node, &Shape::Choice(words.to_vec()), key) };
        if !words.iter().any(|word| word.name == text) {
            self.unknown_word(node, text, words.iter().map(|word| word.name).collect(), key);
        }
        text.as_str().into()
    }

    fn unknown_word(&mut self, node: &Node, text: &str, words: Vec<&str>, key: &Key) {
        let allowed = format!("allowed: {}", words.join(", "));
        let help = match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"? {allowed}"),
            None => allowed,
        };
        self.mistake(node, key, "unknown value".into(), Some(help));
    }

    /// The keys of a table whose type is known. `default` holds values for keys that are not written.
    fn fields(&mut self, node: &Node, table: &Table, fields: &Fields<'a>, key: &Key, default: Option<&Map<String, Value>>) -> Value {
        let mut object = Map::new();
        for (name, child) in &table.0 {
            let below = key.child(name);
            match fields.get(name) {
                Some(view) => {
                    let default = default.and_then(|values| values.get(name)).or(view.default());
                    object.insert(name.clone(), self.node(child, view, &below, default));
                }
                None if fields.closed => self.unknown_key(child, name, &below, fields.names().collect(), None),
                None => {
                    object.insert(name.clone(), child.to_json());
                }
            }
        }
        self.missing(node, table, fields, key, default, &mut object);
        object.into()
    }

    fn missing(
        &mut self,
        node: &Node,
        table: &Table,
        fields: &Fields<'a>,
        key: &Key,
        default: Option<&Map<String, Value>>,
        object: &mut Map<String, Value>,
    ) {
        for (name, value) in default.into_iter().flatten() {
            if table.get(name).is_none() && fields.get(name).is_some() {
                object.insert(name.clone(), value.clone());
            }
        }
        for name in &fields.required {
            if table.get(name).is_none() && !object.contains_key(*name) {
                let view = fields.get(name);
                let expected = view.map(|view| format!("expected {}", view.shape().expected()));
                let help = [expected, view.and_then(View::meaning)].into_iter().flatten().collect::<Vec<_>>().join(": ");
                let place = Node { content: Content::Table(Table::default()), ..node.clone() };
                self.mistake(&place, &key.child(name), "is missing".into(), Some(help).filter(|help| !help.is_empty()));
            }
        }
    }

    fn tagged(&mut self, node: &Node, table: &Table, tag: &str, variants: &[Variant<'a>], key: &Key, default: Option<&Value>) -> Value {
        let written = table.get(tag);
        let default_tag = default.and_then(|value| value.get(tag)).and_then(Value::as_str);
        let names = || variants.iter().map(|variant| variant.name).collect::<Vec<_>>();
        let chosen = match written.map(|tag| (tag, &tag.content)) {
            Some((_, Content::Text(text))) => text.as_str(),
            Some((found, _)) => {
                let words = variants.iter().map(|variant| Word { name: variant.name, meaning: None }).collect();
                return self.wrong_type(found, &Shape::Choice(words), &key.child(tag));
            }
            None => match default_tag {
                Some(name) => name,
                None => {
                    let place = Node { content: Content::Table(Table::default()), ..node.clone() };
                    self.mistake(&place, &key.child(tag), "is missing".into(), Some(format!("allowed: {}", names().join(", "))));
                    return Value::Null;
                }
            },
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == chosen) else {
            if let Some(found) = written {
                self.unknown_word(found, chosen, names(), &key.child(tag));
            }
            return Value::Null;
        };

        let mut kept = Table::default();
        for (name, child) in table.0.iter().filter(|(name, _)| name != tag) {
            if variant.fields.get(name).is_some() || !variant.fields.closed {
                kept.0.push((name.clone(), child.clone()));
                continue;
            }
            // Set for another kind that a higher layer has replaced: not a mistake, just gone.
            let newest = child.newest();
            let then = written.map(|tag| tag.at_layer(newest.origin.layer));
            let then = match then.flatten().map(|tag| &tag.content) {
                Some(Content::Text(text)) => Some(text.as_str()),
                _ => default_tag,
            };
            let known_then = variants.iter().any(|other| Some(other.name) == then && other.fields.get(name).is_some());
            if then != Some(chosen) && known_then {
                continue;
            }
            let known = variant.fields.names().collect();
            let homes: Vec<String> =
                variants.iter().filter(|other| other.fields.get(name).is_some()).map(|other| format!("\"{}\"", other.name)).collect();
            let context = Some((format!("{tag} = \"{chosen}\""), (!homes.is_empty()).then(|| format!("{tag} = {}", listed(homes, "or")))));
            self.unknown_key(newest_below(child), name, &key.child(name), known, context);
        }
        let same = default.and_then(Value::as_object).filter(|_| default_tag == Some(chosen));
        let mut value = self.fields(node, &kept, &variant.fields, key, same);
        value[tag] = chosen.into();
        value
    }

    fn either(&mut self, node: &Node, views: &[View<'a>], key: &Key, default: Option<&Value>) -> Value {
        let fitting: Vec<View<'a>> = views.iter().copied().filter(|view| fits(&view.shape(), &node.content)).collect();
        if fitting.is_empty() {
            return self.wrong_type(node, &Shape::Either(views.to_vec()), key);
        }
        let others = views.iter().map(|view| view.shape()).filter(|shape| !fits(shape, &node.content));
        let others = listed(others.map(|shape| shape.expected()), "or");
        let mut first = None;
        for view in fitting {
            let mut attempt = Check { mistakes: Vec::new(), root: self.root };
            let value = attempt.node(node, view, key, default);
            if attempt.mistakes.is_empty() {
                return value;
            }
            if let ([mistake], true) = (attempt.mistakes.as_mut_slice(), !others.is_empty() && matches!(view.shape(), Shape::Choice(_))) {
                mistake.help = mistake.help.take().map(|help| format!("{help}, or {others}"));
            }
            first.get_or_insert(attempt.mistakes);
        }
        self.mistakes.extend(first.into_iter().flatten());
        Value::Null
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape<'a>, key: &Key) -> Value {
        let found = match &node.content {
            Content::Table(_) => "a table",
            Content::Array(_) => "a list",
            Content::Text(_) => "a string",
            Content::Integer(_) => "an integer",
            Content::Float(_) => "a float",
            Content::Boolean(_) => "a boolean",
            Content::Date(_) => "a date",
        };
        let help = advice(node, shape, key);
        let message = match (shape, &node.content) {
            (Shape::Integer(limits), Content::Integer(_)) | (Shape::Number(limits), Content::Integer(_) | Content::Float(_))
                if limits.minimum.is_some() || limits.maximum.is_some() =>
            {
                format!("expected {}", shape.expected())
            }
            _ => format!("expected {}, found {found}", shape.expected()),
        };
        self.mistake(node, key, message, help);
        Value::Null
    }

    fn unknown_key(&mut self, node: &Node, name: &str, key: &Key, known: Vec<&str>, kind: Option<(String, Option<String>)>) {
        let known_text = if known.is_empty() { "no keys belong here".into() } else { format!("allowed: {}", known.join(", ")) };
        let (message, home) = match kind {
            Some((chosen, home)) => (format!("unknown key for {chosen}"), home),
            None => ("unknown key".into(), None),
        };
        let elsewhere = || super::explain::places(self.root, name).into_iter().next();
        let hint = match (nearest(name, known.iter().copied()), home) {
            (_, Some(home)) => Some(format!("it belongs to {home};")),
            (Some(near), None) => Some(format!("did you mean `{near}`?")),
            (None, None) => elsewhere().map(|place| format!("did you mean `{place}`?")),
        };
        let help = [hint, Some(known_text)].into_iter().flatten().collect::<Vec<_>>().join(" ");
        self.mistake(node, key, message, Some(help));
    }

    fn mistake(&mut self, node: &Node, key: &Key, message: String, help: Option<String>) {
        self.mistakes.push(Mistake {
            file: node.origin.file.clone(),
            line: node.origin.line,
            key: key.to_string(),
            value: written(node),
            message,
            help,
        });
    }
}

/// The value as written, if it is short enough to be shown in an error: tables are not.
pub(super) fn written(node: &Node) -> Option<String> {
    let shown = !matches!(node.content, Content::Table(_)) && !node.origin.text.is_empty();
    shown.then(|| node.origin.text.clone())
}

/// The leaf that carries the newest layer, so that the error points at it.
fn newest_below(node: &Node) -> &Node {
    if matches!(node.content, Content::Table(_)) { node.newest() } else { node }
}

/// Whether a value is of the right TOML type for a shape.
fn fits(shape: &Shape<'_>, content: &Content) -> bool {
    match (shape, content) {
        (Shape::Any, _)
        | (Shape::Boolean, Content::Boolean(_))
        | (Shape::Integer(_), Content::Integer(_) | Content::Float(_))
        | (Shape::Number(_), Content::Integer(_) | Content::Float(_))
        | (Shape::Text | Shape::Choice(_), Content::Text(_))
        | (Shape::Struct(_) | Shape::Map(_) | Shape::Tagged { .. }, Content::Table(_))
        | (Shape::Array(_), Content::Array(_)) => true,
        (Shape::Either(views), content) => views.iter().any(|view| fits(&view.shape(), content)),
        _ => false,
    }
}

/// What to write instead of a value of the wrong type.
fn advice(node: &Node, shape: &Shape<'_>, key: &Key) -> Option<String> {
    match (shape, &node.content) {
        (Shape::Tagged { tag, variants }, Content::Text(text)) if variants.iter().any(|variant| variant.name == text) => {
            Some(format!("write {key}.{tag} = \"{text}\""))
        }
        (Shape::Tagged { tag, variants }, _) => {
            Some(format!("{tag} is one of: {}", variants.iter().map(|variant| variant.name).collect::<Vec<_>>().join(", ")))
        }
        (Shape::Struct(fields), _) => Some(format!("its keys: {}", fields.names().collect::<Vec<_>>().join(", "))),
        (Shape::Integer(_) | Shape::Number(_), Content::Text(text)) if text.parse::<f64>().is_ok() => {
            Some(format!("write {text} without quotes"))
        }
        (Shape::Boolean, Content::Text(text)) if text == "true" || text == "false" => Some(format!("write {text} without quotes")),
        (Shape::Array(items), content) if fits(&items.shape(), content) => Some(format!("write [{}]", node.origin.text)),
        _ => None,
    }
}
