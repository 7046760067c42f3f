//! From what `--tasks` names to tasks.

use super::{
    core,
    layout::{Entry, Glance, LAYOUTS, Layout, Picks, Protocol},
    python_random::PythonRandom,
    rows::{ending, first},
    shots::prompted,
    task::{Question, Task},
};
use crate::settings::{Error, Result};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

/// A benchmark to read: `[LAYOUT=]PATH[@SHOTS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRequest {
    /// The layout, or the one that the file looks like.
    pub layout: Option<String>,
    /// A file, or a folder.
    pub path: PathBuf,
    /// Examples in a prompt, or the layout's number.
    pub shots: Option<usize>,
    /// Where examples come from, or where the layout takes them from.
    pub examples: Option<PathBuf>,
    /// The first so many questions, or all.
    pub limit: Option<usize>,
}

impl FromStr for TaskRequest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (layout, path) = match text.split_once('=') {
            Some((layout, path)) if !layout.contains(['/', '\\', '.']) => (Some(layout.to_string()), path),
            _ => (None, text),
        };
        let (path, shots) = match path.rsplit_once('@') {
            Some((path, shots)) if !shots.is_empty() && shots.bytes().all(|byte| byte.is_ascii_digit()) => {
                (path, Some(shots.parse().map_err(|_| format!("{shots} examples are too many"))?))
            }
            _ => (path, None),
        };
        if path.is_empty() {
            return Err("there is no path; write [LAYOUT=]PATH[@SHOTS]".into());
        }
        Ok(Self { layout, path: path.into(), shots, examples: None, limit: None })
    }
}

/// Reads what is named: one task, or all of a CORE bundle (a folder with `core.yaml`).
///
/// # Errors
///
/// Nothing there; a layout that is unknown or cannot be told; a malformed row, with its file and line; too few examples.
pub fn load(request: &TaskRequest) -> Result<Vec<Task>> {
    let path = &request.path;
    if !path.exists() {
        return Err(Error::input(path.display(), "there is no such file or folder", "check the path behind --tasks"));
    }
    if ending(path) == "parquet" {
        let help = "write it as JSON lines, in Python pandas.read_parquet(…).to_json(…, orient=\"records\", lines=True)";
        return Err(Error::input(path.display(), "is Parquet, which is not read here", help));
    }
    if path.join("core.yaml").is_file() && request.layout.as_deref().is_none_or(|layout| layout == "core") {
        return bundle(request);
    }
    let layout = layout(request)?;
    let protocol = layout.protocol();
    let entries = layout.read(path)?;
    let shots = request.shots.unwrap_or(protocol.shots);
    let pool = match (&request.examples, layout.examples(path)) {
        _ if shots == 0 => None,
        (Some(examples), _) => Some(layout.read_examples(examples)?),
        (None, Some(examples)) => Some(layout.read_examples(&examples)?),
        (None, None) => None,
    };
    Ok(vec![task(name(path), layout.name(), None, entries, pool, shots, request, &protocol)?])
}

/// The file's name without endings, the folder's where the file's says nothing.
fn name(path: &Path) -> String {
    let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let end = format!(".{}", ending(path));
    let stem = if path.is_dir() { own } else { own.find(&end).map_or(own.clone(), |at| own[..at].to_string()) };
    let generic = ["test", "dev", "val", "valid", "validation", "train"].contains(&stem.to_lowercase().as_str());
    let folder = path.parent().and_then(Path::file_name).filter(|_| generic);
    let name = folder.map_or(stem.clone(), |folder| format!("{}-{stem}", folder.to_string_lossy()));
    name.chars().map(|letter| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '_' }).collect()
}

/// The layout that is named, or the only one that the file looks like.
fn layout(request: &TaskRequest) -> Result<&'static dyn Layout> {
    let names = || LAYOUTS.iter().map(|layout| layout.name()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &request.layout {
        let found = LAYOUTS.iter().find(|layout| layout.name() == name);
        return found
            .copied()
            .ok_or_else(|| Error::input("--tasks", format!("there is no layout {name:?}"), format!("there are: {}", names())));
    }
    let path = &request.path;
    let first = first(path)?;
    let glance = Glance { path, row: first.as_ref() };
    let fitting: Vec<_> = LAYOUTS.iter().filter(|layout| layout.fits(&glance)).collect();
    let help = format!("name one, as in --tasks LAYOUT={}; there are: {}", path.display(), names());
    match fitting[..] {
        [layout] => Ok(*layout),
        [] => {
            let Some(first) = first else { return Err(Error::input(path.display(), "there are no rows", help)) };
            let fields = first.fields.keys().take(12).cloned().collect::<Vec<_>>().join(", ");
            Err(Error::input(path.display(), format!("no layout has rows with the fields {fields}"), help))
        }
        _ => {
            let names: Vec<_> = fitting.iter().map(|layout| layout.name()).collect();
            Err(Error::input(path.display(), format!("the layout could be {}", names.join(" or ")), help))
        }
    }
}

#[allow(clippy::too_many_arguments)]
fn task(
    name: String,
    layout: &'static str,
    chance: Option<f64>,
    mut entries: Vec<Entry>,
    pool: Option<Vec<Entry>>,
    shots: usize,
    request: &TaskRequest,
    protocol: &Protocol,
) -> Result<Task> {
    // Names tell questions apart when two runs are compared.
    let mut seen = std::collections::HashSet::new();
    for (index, entry) in entries.iter_mut().enumerate() {
        if !seen.insert(entry.id.clone()) {
            entry.id = format!("{}#{index}", entry.id);
            seen.insert(entry.id.clone());
        }
    }
    let mut items = prompted(&request.path.display().to_string(), entries, pool.as_deref(), shots, protocol)?;
    items.truncate(request.limit.unwrap_or(usize::MAX));
    let metric = match items.first().map(|item| &item.question) {
        None => return Err(Error::input(request.path.display(), "there are no questions", "ask for one or more with --limit")),
        Some(Question::Continuation(_)) => "acc",
        Some(_) => protocol.metric,
    };
    let shares: Vec<f64> = items
        .iter()
        .map(|item| match &item.question {
            Question::Choice(choice) => 1.0 / choice.options.len() as f64,
            _ => 0.0,
        })
        .collect();
    let chance = chance.unwrap_or(shares.iter().sum::<f64>() / shares.len() as f64);
    Ok(Task { name, layout, metric, chance, shots, items })
}

/// All tasks of a CORE bundle, in nanochat's order: rows are shuffled before a limit cuts them.
fn bundle(request: &TaskRequest) -> Result<Vec<Task>> {
    let mut tasks = vec![];
    for listed in core::listed(&request.path)? {
        let file = request.path.join("eval_data").join(&listed.file);
        let mut entries = core::entries(&file, &listed.delimiter, Some(&listed.kind))?;
        PythonRandom::new(1337).shuffle(&mut entries);
        entries.truncate(request.limit.unwrap_or(usize::MAX));
        let protocol = Protocol { picks: Picks::Core, ..core::Core.protocol() };
        let of = TaskRequest { path: file, ..request.clone() };
        let shots = request.shots.unwrap_or(listed.shots);
        tasks.push(task(listed.label, "core", Some(listed.chance), entries, None, shots, &of, &protocol)?);
    }
    Ok(tasks)
}
