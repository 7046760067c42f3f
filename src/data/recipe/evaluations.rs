//! The text of evaluation files, whatever their layout.

use crate::{
    data::pipeline::{
        dedup::contamination::Evaluation,
        formats::{self, Content, Lines},
    },
    settings::{Error, Result},
};
use serde_json::Value;

/// Bytes of the longest row.
const LONGEST: u64 = 64 << 20;

/// Reads evaluations: of a row of JSON all its strings, of other files each line is an item.
///
/// # Errors
///
/// Files that are not there, cannot be read or hold no item.
pub(super) fn read(paths: &[String]) -> Result<Vec<Evaluation>> {
    if paths.is_empty() {
        return Err(Error::input("contamination.paths", "names no file", "name the files of evaluations"));
    }
    formats::expand(paths, None)?
        .iter()
        .map(|input| {
            let unpacked = formats::unpack(&input.path, &formats::Limits::default())?;
            let mut lines = Lines::new(std::io::BufReader::new(unpacked), 0, LONGEST);
            let mut items = vec![];
            while let Some(line) = lines.next().map_err(Error::io("read", &input.path))? {
                let Content::Text(text) = line.content else { continue };
                let item = match serde_json::from_str::<Value>(text) {
                    Ok(value @ (Value::Object(_) | Value::Array(_))) => strings(&value),
                    _ => text.to_string(),
                };
                if !item.trim().is_empty() {
                    items.push(item);
                }
            }
            if items.is_empty() {
                return Err(Error::input(input.path.display(), "holds no item", "name files of JSON lines or of text"));
            }
            Ok(Evaluation { name: input.name.clone(), items })
        })
        .collect()
}

/// All strings of a row, a line each.
fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(strings).collect(),
        Value::Object(map) => map.values().map(strings).collect(),
        _ => String::new(),
    }
}
