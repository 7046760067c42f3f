//! Files that extend files.

use super::{
    Error, Mistake, Result,
    key::Key,
    node::{Content, Node, Origin, Reader},
    spelling::nearest,
};
use std::path::{Component, Path, PathBuf};

/// Reads a file and all it extends into one tree; answers with the tree and its number of layers.
///
/// `named_at` is the place that names the file, for the error when it is missing.
pub(super) fn load(path: &Path, named_at: Option<(&Key, &Origin)>) -> Result<(Node, usize)> {
    let mut layers = Vec::new();
    collect(path, named_at, &mut Vec::new(), &mut layers)?;
    let count = layers.len();
    let mut layers = layers.into_iter().enumerate().map(|(number, mut node)| {
        node.raise(number);
        node
    });
    let mut tree = layers.next().unwrap_or_else(|| Node::new(Content::Table(Default::default()), Origin::default()));
    layers.for_each(|upper| tree.merge(upper));
    Ok((tree, count))
}

/// Pushes the layers of `path`, the lowest first. `chain` holds the files that are being read.
fn collect(path: &Path, named_at: Option<(&Key, &Origin)>, chain: &mut Vec<(PathBuf, PathBuf)>, layers: &mut Vec<Node>) -> Result<()> {
    let mut steps: Vec<String> = chain.iter().map(|(shown, _)| shown.display().to_string()).collect();
    // Opened as written, since `..` after a link is not the folder before it; shown without the detours.
    let shown = tidy(path).display().to_string();
    steps.push(shown.clone());
    let wrong = |message: String, help: String| {
        let message = if steps.len() > 1 { format!("{message} ({})", steps.join(" -> ")) } else { message };
        match named_at {
            Some((key, origin)) => Error::Settings(vec![Mistake {
                file: origin.file.clone(),
                line: origin.line,
                key: key.to_string(),
                value: Some(origin.text.clone()),
                message,
                help: Some(help),
            }]),
            None => Error::input(&shown, message, help),
        }
    };
    let real = match path.canonicalize() {
        Ok(real) if real.is_dir() => return Err(wrong("is a folder, not a file".into(), "name a TOML file in it".into())),
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = if named_at.is_some() { format!("no such file: {shown}") } else { "no such file".into() };
            return Err(wrong(message, missing_help(path)));
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    if chain.iter().any(|(_, open)| *open == real) {
        return Err(wrong("a cycle of `extends`".into(), "let one file of the circle extend nothing".into()));
    }
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| wrong(format!("no UTF-8 at byte {}", error.utf8_error().valid_up_to()), "save the file as UTF-8".into()))?;

    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let reader = Reader { text: &text, file: &shown, folder: Some(folder.clone()), lines: true };
    let document = toml_edit::Document::parse(text.as_str()).map_err(|error| {
        Error::Settings(vec![Mistake {
            file: shown.clone(),
            line: error.span().map(|span| reader.line(span.start)),
            key: String::new(),
            value: None,
            message: format!("no TOML: {}", error.message().replace('\n', ", ")),
            help: None,
        }])
    })?;
    let mut table = reader.table(document.as_table());
    let extends = table.remove("extends");
    let origin = Origin { file: shown.clone(), folder: Some(folder.clone()), ..Origin::default() };

    chain.push((tidy(path), real));
    if let Some(extends) = extends {
        let key = Key::parse("extends");
        for node in parents(&extends)? {
            let Content::Text(name) = &node.content else { return Err(not_a_path(node)) };
            collect(&folder.join(name), Some((&key, &node.origin)), chain, layers)?;
        }
    }
    chain.pop();
    layers.push(Node::new(Content::Table(table), origin));
    Ok(())
}

fn parents(extends: &Node) -> Result<Vec<&Node>> {
    match &extends.content {
        Content::Text(_) => Ok(vec![extends]),
        Content::Array(items) => Ok(items.iter().collect()),
        _ => Err(not_a_path(extends)),
    }
}

fn not_a_path(node: &Node) -> Error {
    Error::Settings(vec![Mistake {
        file: node.origin.file.clone(),
        line: node.origin.line,
        key: "extends".into(),
        value: Some(node.origin.text.clone()),
        message: "expected the path of a file, or a list of paths".into(),
        help: Some("for example `extends = \"tiny-llama.toml\"`, relative to this file".into()),
    }])
}

fn missing_help(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = folder.read_dir() else {
        return format!("the folder {} does not exist", folder.display());
    };
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {}?", tidy(&folder.join(name)).display()),
        None => "paths are relative to the file that names them, on the command line to the current folder".into(),
    }
}

/// A path without `.` and without `folder/..`; the current folder is `.`.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidied.components().next_back(), Some(Component::Normal(_))) => {
                tidied.pop();
            }
            part => tidied.push(part),
        }
    }
    if tidied.as_os_str().is_empty() { PathBuf::from(".") } else { tidied }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied_for_the_eye() {
        for (path, expected) in
            [("a/../b", "b"), ("./a", "a"), ("../a", "../a"), ("a/b/../../c", "c"), ("/a/./b", "/a/b"), (".", "."), ("a/..", ".")]
        {
            assert_eq!(tidy(Path::new(path)), Path::new(expected));
        }
    }
}
