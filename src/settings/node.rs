//! A tree of values that remember where they were written.

use super::key::{Key, Segment};
use std::{ops::Range, path::PathBuf};
use toml_edit::{Item, TableLike, Value};

/// Where a value was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file as the user named it, or the option (`--set`).
    pub file: String,
    /// Line from 1, if it was a file.
    pub line: Option<usize>,
    /// Number of the layer; a higher one wins.
    pub layer: usize,
    /// The folder that relative paths in this value start from; none: the current one.
    pub folder: Option<PathBuf>,
    /// The value as written, on one line.
    pub text: String,
}

/// A value and where it was written. A table's origin is that of the highest layer that wrote to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub content: Content,
    pub origin: Origin,
    /// The scalar of a lower layer that this one replaced.
    pub below: Option<Box<Node>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Table(Table),
    Array(Vec<Node>),
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Date(String),
}

/// Keys in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table(pub Vec<(String, Node)>);

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Node> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Lays `node` over what is there.
    pub(super) fn merge(&mut self, name: &str, node: Node) {
        match self.get_mut(name) {
            Some(old) => old.merge(node),
            None => self.0.push((name.to_string(), node)),
        }
    }
}

impl Node {
    pub(super) fn new(content: Content, origin: Origin) -> Self {
        Self { content, origin, below: None }
    }

    /// Tables merge deeply; arrays and scalars replace.
    pub(super) fn merge(&mut self, upper: Node) {
        match (&mut self.content, upper.content) {
            (Content::Table(lower), Content::Table(entries)) => {
                for (name, node) in entries.0 {
                    lower.merge(&name, node);
                }
                self.origin = upper.origin;
            }
            (lower, content) => {
                let scalar = !matches!(lower, Content::Table(_) | Content::Array(_));
                let old = std::mem::replace(self, Node::new(content, upper.origin));
                self.below = scalar.then(|| Box::new(old));
            }
        }
    }

    /// Walks a key down; a number written as a name also counts into arrays.
    pub(super) fn find(&self, key: &Key) -> Option<&Node> {
        key.0.iter().try_fold(self, |node, segment| node.step(segment))
    }

    pub(super) fn step(&self, segment: &Segment) -> Option<&Node> {
        match (&self.content, segment) {
            (Content::Table(table), Segment::Name(name)) => table.get(name),
            (Content::Array(items), Segment::Index(index)) => items.get(*index),
            (Content::Array(items), Segment::Name(name)) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The same walk for changes.
    pub(super) fn find_mut(&mut self, key: &Key) -> Option<&mut Node> {
        key.0.iter().try_fold(self, |node, segment| match (&mut node.content, segment) {
            (Content::Table(table), Segment::Name(name)) => table.get_mut(name),
            (Content::Array(items), Segment::Index(index)) => items.get_mut(*index),
            _ => None,
        })
    }

    /// The node of the highest layer at or below this one, itself if it has no children.
    pub(super) fn newest(&self) -> &Node {
        match &self.content {
            Content::Table(table) => table.0.iter().map(|(_, node)| node.newest()).max_by_key(|node| node.origin.layer).unwrap_or(self),
            _ => self,
        }
    }

    /// The value that was in force at `layer`: this one, or the one it replaced.
    pub(super) fn at_layer(&self, layer: usize) -> Option<&Node> {
        let mut node = Some(self);
        while let Some(found) = node {
            if found.origin.layer <= layer {
                break;
            }
            node = found.below.as_deref();
        }
        node
    }

    /// Raises all layers by `by`.
    pub(super) fn raise(&mut self, by: usize) {
        self.origin.layer += by;
        if let Some(below) = &mut self.below {
            below.raise(by);
        }
        match &mut self.content {
            Content::Table(table) => table.0.iter_mut().for_each(|(_, node)| node.raise(by)),
            Content::Array(items) => items.iter_mut().for_each(|node| node.raise(by)),
            _ => {}
        }
    }

    /// Splits names with dots inside: `"model.norm.kind" = 1` becomes three levels.
    pub(super) fn expand(self) -> Node {
        let Content::Table(table) = self.content else { return self };
        let mut expanded = Table::default();
        for (name, node) in table.0 {
            let origin = node.origin.clone();
            let names: Vec<&str> = name.split('.').filter(|part| !part.is_empty()).collect();
            let (first, rest) = names.split_first().unwrap_or((&"", &[]));
            let nested = rest
                .iter()
                .rev()
                .fold(node.expand(), |inner, part| Node::new(Content::Table(Table(vec![(part.to_string(), inner)])), origin.clone()));
            expanded.merge(first, nested);
        }
        Node { content: Content::Table(expanded), ..self }
    }

    /// Every value as JSON, unchecked. Numbers that JSON lacks become null.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.content {
            Content::Table(table) => table.0.iter().map(|(name, node)| (name.clone(), node.to_json())).collect(),
            Content::Array(items) => items.iter().map(Node::to_json).collect(),
            Content::Text(text) | Content::Date(text) => text.as_str().into(),
            Content::Integer(number) => (*number).into(),
            Content::Float(number) => (*number).into(),
            Content::Boolean(truth) => (*truth).into(),
        }
    }
}

/// A text that is being read into nodes.
pub(super) struct Reader<'a> {
    pub text: &'a str,
    pub file: &'a str,
    pub folder: Option<PathBuf>,
    /// Whether line numbers mean anything to the user.
    pub lines: bool,
}

impl Reader<'_> {
    /// Line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count()
    }

    fn origin(&self, place: Option<Range<usize>>, value: Option<Range<usize>>) -> Origin {
        let text = value.and_then(|span| self.text.get(span)).unwrap_or_default();
        Origin {
            file: self.file.to_string(),
            line: place.filter(|_| self.lines).map(|span| self.line(span.start)),
            layer: 0,
            folder: self.folder.clone(),
            text: one_line(text),
        }
    }

    pub(super) fn table(&self, table: &dyn TableLike) -> Table {
        let mut entries = Table::default();
        for (name, item) in table.iter() {
            let place = table.key(name).and_then(toml_edit::Key::span);
            if let Some(node) = self.item(item, place) {
                entries.0.push((name.to_string(), node));
            }
        }
        entries
    }

    fn item(&self, item: &Item, place: Option<Range<usize>>) -> Option<Node> {
        Some(match item {
            Item::None => return None,
            Item::Value(value) => self.value(value, place),
            Item::Table(table) => Node::new(Content::Table(self.table(table)), self.origin(place.or(table.span()), None)),
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().map(|table| Node::new(Content::Table(self.table(table)), self.origin(table.span(), None)));
                Node::new(Content::Array(items.collect()), self.origin(place.or(tables.span()), None))
            }
        })
    }

    pub(super) fn value(&self, value: &Value, place: Option<Range<usize>>) -> Node {
        let content = match value {
            Value::String(text) => Content::Text(text.value().clone()),
            Value::Integer(number) => Content::Integer(*number.value()),
            Value::Float(number) => Content::Float(*number.value()),
            Value::Boolean(truth) => Content::Boolean(*truth.value()),
            Value::Datetime(date) => Content::Date(date.value().to_string()),
            Value::Array(items) => Content::Array(items.iter().map(|item| self.value(item, None)).collect()),
            Value::InlineTable(table) => Content::Table(self.table(table)),
        };
        Node::new(content, self.origin(place.or(value.span()), value.span()))
    }
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, layer: usize) -> Node {
        let document = toml_edit::Document::parse(text).unwrap();
        let reader = Reader { text, file: "a.toml", folder: None, lines: true };
        let mut node = Node::new(Content::Table(reader.table(document.as_table())), Origin::default());
        node.raise(layer);
        node
    }

    #[test]
    fn remembers_lines_and_texts_of_all_ways_to_write_a_key() {
        let node = read("a.b = 1\n[c]\nd = [1,\n  2]\ne = { f = 'x' }\n[[g]]\nh = 1\n[[g]]\nh = 0x2\n", 0);
        let line = |key: &str| node.find(&Key::parse(key)).unwrap().origin.line.unwrap();
        let text = |key: &str| node.find(&Key::parse(key)).unwrap().origin.text.clone();
        let found: Vec<_> = ["a", "a.b", "c", "c.d", "c.d[1]", "c.e", "c.e.f", "g", "g[1]", "g[1].h"].map(line).into();
        assert_eq!(found, [1, 1, 2, 3, 4, 5, 5, 6, 8, 9]);
        assert_eq!(["c.d", "c.e", "c.e.f", "g[1].h"].map(text), ["[1, 2]", "{ f = 'x' }", "'x'", "0x2"]);
    }

    #[test]
    fn tables_merge_and_the_rest_replaces() {
        let mut node = read("x = 1\nlist = [1, 2]\n[t]\na = 1\nb = 2\n", 0);
        node.merge(read("x = 2\nlist = [3]\n[t]\nb = 3\nc = 4\n", 1));
        assert_eq!(node.to_json(), serde_json::json!({"x": 2, "list": [3], "t": {"a": 1, "b": 3, "c": 4}}));
        let b = node.find(&Key::parse("t.b")).unwrap();
        assert_eq!((b.origin.layer, b.at_layer(0).unwrap().to_json()), (1, 2.into()));
        assert_eq!(node.find(&Key::parse("t.a")).unwrap().origin.layer, 0);
    }

    #[test]
    fn quoted_keys_expand() {
        let node = read("\"a.b\" = 1\n\"a.c\" = { \"d.e\" = 2 }\na.f = 3\n", 0).expand();
        assert_eq!(node.to_json(), serde_json::json!({"a": {"b": 1, "c": {"d": {"e": 2}}, "f": 3}}));
    }
}
