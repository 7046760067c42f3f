//! A configuration in layers, before it has a type.

use super::{
    Error, Mistake, Origin, Problem, Result,
    check::{Check, written},
    key::{Key, Segment},
    load::{load, tidy},
    node::{Content, Node, Reader, Table},
    shape::Schema,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A tree of TOML values that remember file, line and layer.
///
/// Tables merge deeply; arrays and scalars of a higher layer replace those below. An experiment goes like this:
///
/// ```no_run
/// # fn main() -> ablate::Result<()> {
/// use ablate::{settings::Document, train::RunConfig};
///
/// let experiment = Document::load("experiment.toml".as_ref())?; // parse::<ExperimentConfig>() checks it
/// let mut run = experiment.load_at("base")?;                    // a path relative to the experiment's file
/// if let Some(set) = experiment.overrides("set") {
///     run.overlay(&set);                                        // `"model.norm.kind" = "rms"` or nested tables
/// }
/// run.set("train.steps=100", "--set")?;
/// if let Some(set) = experiment.overrides("arm[0].set") {
///     run.overlay(&set);
/// }
/// run.make_paths_absolute(&["data.corpus.paths", "data.tokenizer.path"])?;
/// let config: RunConfig = run.parse()?;
/// let spec = config.resolve().map_err(|problems| run.locate(problems))?;
/// # let _ = spec;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    root: Node,
    layers: usize,
    /// The source of the highest layer while values are being set: equal sources share a layer.
    source: Option<String>,
}

impl Default for Document {
    fn default() -> Self {
        Self::new("defaults")
    }
}

impl Document {
    /// An empty document; `name` stands for the file in errors.
    pub fn new(name: &str) -> Self {
        let origin = Origin { file: name.to_string(), ..Origin::default() };
        Self { root: Node::new(Content::Table(Table::default()), origin), layers: 1, source: None }
    }

    /// Reads a file and all it extends: `extends = "other.toml"`, or a list in which later files win, relative to the
    /// file that names them.
    ///
    /// # Errors
    ///
    /// A missing file, a cycle (both name the chain of files), no TOML.
    pub fn load(path: &Path) -> Result<Self> {
        Self::loaded(load(path, None)?)
    }

    /// Reads the file whose path is the value of `key`, relative to the file that holds the key.
    ///
    /// # Errors
    ///
    /// As [`Document::load`], pointing at the key; a key that is not there or no path.
    pub fn load_at(&self, key: &str) -> Result<Self> {
        let at = Key::parse(key);
        let (path, origin) = match (self.path(key), self.root.find(&at)) {
            (Some(path), Some(node)) => (path, &node.origin),
            _ => return Err(self.locate(vec![Problem::new(key, "expected the path of a file")])),
        };
        Self::loaded(load(&path, Some((&at, origin)))?)
    }

    fn loaded((root, layers): (Node, usize)) -> Result<Self> {
        Ok(Self { root, layers, source: None })
    }

    /// Reads a text instead of a file; `name` stands for the file in errors, paths are relative to the current folder.
    ///
    /// # Errors
    ///
    /// No TOML.
    pub fn from_text(name: &str, text: &str) -> Result<Self> {
        let reader = Reader { text, file: name, folder: None, lines: true };
        let document = toml_edit::Document::parse(text).map_err(|error| {
            let line = error.span().map(|span| reader.line(span.start));
            one(Mistake {
                file: name.into(),
                line,
                key: String::new(),
                value: None,
                message: format!("no TOML: {}", error.message()),
                help: None,
            })
        })?;
        let mut made = Self::new(name);
        made.root.content = Content::Table(reader.table(document.as_table()));
        Ok(made)
    }

    /// Sets a value above all others: `model.norm.kind=layer`, `model.feed_forward.hidden={ rule = "llama" }`.
    ///
    /// The right side is a TOML value, or else a bare string. Calls with the same `source` (`--set`) share a layer.
    ///
    /// # Errors
    ///
    /// No `=`, no key.
    pub fn set(&mut self, assignment: &str, source: &str) -> Result<()> {
        let wrong =
            |message: &str| Error::input(format!("{source} {assignment}"), message, "write KEY=VALUE, for example model.norm.kind=layer");
        let (key, value) = assignment.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
        let names = toml_edit::Key::parse(key.trim()).map_err(|_| wrong("the part before `=` is no key"))?;
        let names = names.iter().map(|name| Segment::Name(name.get().to_string())).collect();
        let value = value.trim();
        let text = format!("v = {value}\n");
        let reader = Reader { text: &text, file: source, folder: None, lines: false };
        let parsed = toml_edit::Document::parse(text.as_str()).ok().filter(|document| document.as_table().len() == 1);
        let mut node = parsed.and_then(|document| reader.table(document.as_table()).remove("v"));
        if node.as_ref().is_none_or(|node| matches!(node.content, Content::Date(_))) {
            node =
                Some(Node::new(Content::Text(value.to_string()), Origin { file: source.into(), text: value.into(), ..Origin::default() }));
        }
        if let Some(node) = node {
            self.insert(Key(names), node, source);
        }
        Ok(())
    }

    /// Sets a value that the program computed, above all others; `asked` is the place that asked for it. Calls with the same
    /// place share a layer.
    pub fn set_value(&mut self, key: &str, value: toml::Value, asked: &Origin) {
        let node = from_value(value.clone(), &Origin { layer: 0, text: value.to_string(), ..asked.clone() });
        self.insert(Key::parse(key), node, &format!("{}:{:?}", asked.file, asked.line));
    }

    fn insert(&mut self, key: Key, node: Node, source: &str) {
        if self.source.as_deref() != Some(source) {
            self.source = Some(source.to_string());
            self.layers += 1;
        }
        let mut origin = Origin { text: String::new(), ..node.origin.clone() };
        let mut node = node;
        node.raise(self.layers - 1);
        origin.layer = self.layers - 1;
        // An array element is replaced in place; everything else is merged as a nest of tables.
        if key.0.iter().any(|segment| matches!(segment, Segment::Index(_))) {
            if let Some(old) = self.root.find_mut(&key) {
                old.merge(node);
            }
            return;
        }
        let names = key.0.into_iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some(name),
            Segment::Index(_) => None,
        });
        let nest = |inner, name| Node::new(Content::Table(Table(vec![(name, inner)])), origin.clone());
        let upper = names.rev().fold(node, nest);
        let keep = self.root.origin.clone();
        self.root.merge(upper);
        self.root.origin = keep;
    }

    /// Lays all layers of another document over this one's. Every value keeps its file and line.
    pub fn overlay(&mut self, upper: &Document) {
        let mut root = upper.root.clone();
        root.raise(self.layers);
        self.layers += upper.layers;
        self.source = None;
        let keep = self.root.origin.clone();
        self.root.merge(root);
        self.root.origin = keep;
    }

    /// The table at `key` as a document of its own, e.g. `match` or `arm[0]`; none if there is no table.
    pub fn section(&self, key: &str) -> Option<Document> {
        let root = self.root.find(&Key::parse(key)).filter(|node| matches!(node.content, Content::Table(_)))?;
        Some(Document { root: root.clone(), layers: self.layers, source: None })
    }

    /// The table at `key` as values to lay over another document: quoted dotted keys are nested.
    pub fn overrides(&self, key: &str) -> Option<Document> {
        let section = self.section(key)?;
        Some(Document { root: section.root.expand(), ..section })
    }

    /// The value at `at` as the value of `key`, to lay over another document: `factor[0].values[1]` as `model.norm.kind`.
    pub fn nested(&self, at: &str, key: &str) -> Option<Document> {
        let node = self.root.find(&Key::parse(at))?.clone();
        let origin = Origin { text: String::new(), ..node.origin.clone() };
        let nest = |inner, segment| match segment {
            Segment::Name(name) => Node::new(Content::Table(Table(vec![(name, inner)])), origin.clone()),
            Segment::Index(_) => inner,
        };
        let root = Key::parse(key).0.into_iter().rev().fold(node.expand(), nest);
        Some(Document { root, layers: self.layers, source: None })
    }

    /// Removes a top-level section and answers with it; none if there is no table.
    pub fn take(&mut self, name: &str) -> Option<Document> {
        let section = self.section(name)?;
        if let Content::Table(table) = &mut self.root.content {
            table.remove(name);
        }
        Some(section)
    }

    /// How many elements the list at `key` has, e.g. `arm`; 0 if there is none.
    pub fn len_of(&self, key: &str) -> usize {
        match self.root.find(&Key::parse(key)).map(|node| &node.content) {
            Some(Content::Array(items)) => items.len(),
            _ => 0,
        }
    }

    /// All keys that somebody wrote, lists and scalars, in the order of the file.
    pub fn written_keys(&self) -> Vec<String> {
        fn walk(node: &Node, key: &Key, keys: &mut Vec<String>) {
            match &node.content {
                Content::Table(table) if !table.0.is_empty() || key.0.is_empty() => {
                    table.0.iter().for_each(|(name, node)| walk(node, &key.child(name), keys));
                }
                _ => keys.push(key.to_string()),
            }
        }
        let mut keys = Vec::new();
        walk(&self.root, &Key::default(), &mut keys);
        keys
    }

    /// Where the value of `key` was written; none for a default.
    pub fn origin(&self, key: &str) -> Option<Origin> {
        self.root.find(&Key::parse(key)).map(|node| node.origin.clone())
    }

    /// The value of `key` as JSON, unchecked.
    pub fn value(&self, key: &str) -> Option<serde_json::Value> {
        self.root.find(&Key::parse(key)).map(Node::to_json)
    }

    /// The value of `key` as a path, relative to the file that holds it; none if it is no string.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let node = self.root.find(&Key::parse(key))?;
        match &node.content {
            Content::Text(text) => Some(resolved(text, &node.origin)),
            _ => None,
        }
    }

    /// The keys that a pattern stands for: a segment `*` is every name in a table, or every place in an array.
    fn matching(&self, pattern: &str) -> Vec<Key> {
        let Some((before, after)) = pattern.split_once(".*.") else { return vec![Key::parse(pattern)] };
        let key = Key::parse(before);
        let below: Vec<Key> = match self.root.find(&key).map(|node| &node.content) {
            Some(Content::Table(table)) => table.0.iter().map(|(name, _)| key.child(name)).collect(),
            Some(Content::Array(items)) => (0..items.len()).map(|index| key.index(index)).collect(),
            _ => vec![],
        };
        below.iter().flat_map(|key| self.matching(&format!("{key}.{after}"))).collect()
    }

    /// Rewrites relative paths (strings, or lists of strings) at `keys` to absolute ones, each from the folder of the
    /// file that holds it; from the current folder on the command line. A segment `*` of a key is every name in a table, or every place in an array. Keys
    /// that are not there are passed over.
    ///
    /// # Errors
    ///
    /// The current folder cannot be read.
    pub fn make_paths_absolute(&mut self, keys: &[&str]) -> Result<()> {
        for key in keys.iter().flat_map(|key| self.matching(key)).collect::<Vec<_>>() {
            let Some(node) = self.root.find_mut(&key) else { continue };
            let items = match &mut node.content {
                Content::Array(items) => items.iter_mut().collect(),
                _ => vec![node],
            };
            for item in items {
                if let Content::Text(text) = &mut item.content
                    && !text.is_empty()
                {
                    let path = resolved(text, &item.origin);
                    let path = std::path::absolute(&path).map_err(Error::io("find", &path))?;
                    *text = tidy(&path).to_string_lossy().into_owned();
                }
            }
        }
        Ok(())
    }

    /// Gives the document a type, after checking it against the type's schema.
    ///
    /// Where a higher layer changes the tag of a tagged table (`kind`), keys that lower layers set for the other kind
    /// are dropped. Where no layer writes the tag, that of the default holds.
    ///
    /// # Errors
    ///
    /// Every mistake at once, each with file, line, key, value, what is allowed and the nearest spelling.
    pub fn parse<T: DeserializeOwned + JsonSchema>(&self) -> Result<T> {
        let schema = Schema::of::<T>();
        let mut check = Check { mistakes: Vec::new(), root: schema.root() };
        let value = check.node(&self.root, schema.root(), &Key::default(), None);
        let mut mistakes = check.mistakes;
        if mistakes.is_empty() {
            match serde_path_to_error::deserialize(&value) {
                Ok(parsed) => return Ok(parsed),
                // The schema knows less than the type: say it where the type says it.
                Err(error) => {
                    let key = error.path().to_string();
                    let key = if key == "." { String::new() } else { key };
                    return Err(self.locate(vec![Problem::new(key, error.inner().to_string())]));
                }
            }
        }
        mistakes.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(Error::Settings(mistakes))
    }

    /// Finds file, line and value of each problem: those of the key, else of the nearest table around it that was
    /// written, saying that the value itself is a default.
    pub fn locate(&self, problems: Vec<Problem>) -> Error {
        Error::Settings(problems.into_iter().map(|problem| self.mistake(problem)).collect())
    }

    fn mistake(&self, Problem { key, message, help }: Problem) -> Mistake {
        let path = Key::parse(&key);
        let mut node = &self.root;
        let mut depth = 0;
        while let Some(below) = path.0.get(depth).and_then(|segment| node.step(segment)) {
            (node, depth) = (below, depth + 1);
        }
        let found = depth == path.0.len();
        let message = if found { message } else { format!("{message} (not written: a default)") };
        let (file, line) = (node.origin.file.clone(), node.origin.line);
        Mistake { file, line, key, value: if found { written(node) } else { None }, message, help }
    }
}

fn one(mistake: Mistake) -> Error {
    Error::Settings(vec![mistake])
}

fn resolved(text: &str, origin: &Origin) -> PathBuf {
    match &origin.folder {
        Some(folder) => folder.join(text),
        None => PathBuf::from(text),
    }
}

fn from_value(value: toml::Value, origin: &Origin) -> Node {
    let content = match value {
        toml::Value::String(text) => Content::Text(text),
        toml::Value::Integer(number) => Content::Integer(number),
        toml::Value::Float(number) => Content::Float(number),
        toml::Value::Boolean(truth) => Content::Boolean(truth),
        toml::Value::Datetime(date) => Content::Date(date.to_string()),
        toml::Value::Array(items) => Content::Array(items.into_iter().map(|item| from_value(item, origin)).collect()),
        toml::Value::Table(table) => {
            Content::Table(Table(table.into_iter().map(|(name, value)| (name, from_value(value, origin))).collect()))
        }
    };
    Node::new(content, origin.clone())
}
