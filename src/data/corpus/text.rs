//! Documents of text files and of JSON lines.

use super::{files::read_bytes, split::Document};
use crate::{
    data::Progress,
    settings::{Error, Result},
};
use std::path::{Path, PathBuf};

/// One document per file.
pub(super) fn read_text(files: &[PathBuf], progress: Progress<'_>) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for (index, path) in files.iter().enumerate() {
        progress("reading files", index as u64, files.len() as u64);
        documents.push(Document::new(path.display().to_string(), utf8(path, read_bytes(path)?)?));
    }
    Ok(documents)
}

/// One document per line: the string under `field` of its JSON object. Blank lines are passed over.
pub(super) fn read_jsonl(files: &[PathBuf], field: &str, progress: Progress<'_>) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for (index, path) in files.iter().enumerate() {
        progress("reading files", index as u64, files.len() as u64);
        let content = utf8(path, read_bytes(path)?)?;
        for (number, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{}", path.display(), number + 1);
            let help = "every line is a JSON object with its text under data.corpus.field";
            let value: serde_json::Value =
                serde_json::from_str(line).map_err(|error| Error::input(&place, format!("not JSON: {error}"), help))?;
            match value.get(field) {
                Some(serde_json::Value::String(text)) => documents.push(Document::new(place, text.clone())),
                Some(_) => return Err(Error::input(place, format!("the field \"{field}\" is not a string"), help)),
                None => return Err(Error::input(place, format!("there is no field \"{field}\"{}", fields(&value)), help)),
            }
        }
    }
    Ok(documents)
}

/// The names of an object's fields, for an error.
fn fields(value: &serde_json::Value) -> String {
    let Some(object) = value.as_object() else { return String::new() };
    let names: Vec<String> = object.keys().take(8).map(|name| format!("\"{name}\"")).collect();
    if names.is_empty() { String::new() } else { format!(", only {}", names.join(", ")) }
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes()[at];
        let help = "convert the file to UTF-8, or leave it out";
        Error::input(path.display(), format!("not UTF-8: byte 0x{byte:02X} at offset {at}"), help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_file_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let bad = write("bad.txt", b"fine\xff");
        let error = read_text(&[bad], &|_, _, _| ()).unwrap_err().to_string();
        assert!(error.contains("bad.txt") && error.contains("0xFF at offset 4"), "{error}");

        let lines = write("a.jsonl", b"{\"text\": \"one\\n\"}\n\n{\"body\": \"two\"}\n");
        let error = read_jsonl(std::slice::from_ref(&lines), "text", &|_, _, _| ()).unwrap_err().to_string();
        assert!(error.contains("a.jsonl:3") && error.contains("\"text\"") && error.contains("\"body\""), "{error}");
        let good = write("b.jsonl", b"{\"text\": \"one\\n\"}\n\n{\"text\": \"two\"}\r\n");
        let documents = read_jsonl(&[good], "text", &|_, _, _| ()).unwrap();
        assert_eq!(documents.iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), ["one\n", "two"]);
        let broken = write("c.jsonl", b"{\"text\": ");
        assert!(read_jsonl(&[broken], "text", &|_, _, _| ()).unwrap_err().to_string().contains("c.jsonl:1"));
        let number = write("d.jsonl", b"{\"text\": 3}");
        assert!(read_jsonl(&[number], "text", &|_, _, _| ()).unwrap_err().to_string().contains("not a string"));
    }
}
