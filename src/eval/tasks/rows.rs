//! Rows of benchmark files, with the place of each, so that a malformed one can be named.

use crate::{
    data::read_bytes,
    settings::{Error, Result},
};
use serde_json::{Map, Value};
use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

/// What to do about a file that is not what its layout says.
const HELP: &str = "mend or remove the row, or name the file's layout as in --tasks LAYOUT=FILE; docs/evaluation.md lists the layouts";

/// An object of a file: a line of JSON lines, an entry of a JSON array, a record of a table with a header.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// `file:line`, or `file[index]`.
    pub(super) place: String,
    /// The path of this object inside the row, empty for the row itself: `question.`.
    inside: String,
    /// Its fields.
    pub(super) fields: Map<String, Value>,
}

impl Row {
    pub(super) fn new(place: impl Into<String>, fields: Map<String, Value>) -> Self {
        Self { place: place.into(), inside: String::new(), fields }
    }

    /// Other fields at the same place.
    pub(super) fn with(&self, fields: Map<String, Value>) -> Self {
        Self { fields, ..self.clone() }
    }

    /// The error of a field.
    pub(super) fn wrong(&self, key: &str, message: impl Display) -> Error {
        Error::input(&self.place, format!("\"{}{key}\" {message}", self.inside), HELP)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.get(key).is_some_and(|value| !value.is_null())
    }

    pub(super) fn value(&self, key: &str) -> Result<&Value> {
        self.fields.get(key).ok_or_else(|| {
            let names: Vec<_> = self.fields.keys().take(12).map(String::as_str).collect();
            self.wrong(key, format!("is missing; there are: {}", names.join(", ")))
        })
    }

    /// A text that may be empty.
    pub(super) fn any_text(&self, key: &str) -> Result<&str> {
        self.value(key)?.as_str().ok_or_else(|| self.wrong(key, "is not a text"))
    }

    /// A text of which something is left without the white space around it.
    pub(super) fn text(&self, key: &str) -> Result<&str> {
        let text = self.any_text(key)?;
        if text.trim().is_empty() { Err(self.wrong(key, "is empty")) } else { Ok(text) }
    }

    /// A whole number, or a text that is one, as some releases write their labels.
    pub(super) fn integer(&self, key: &str) -> Result<i64> {
        let value = self.value(key)?;
        let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        number.ok_or_else(|| self.wrong(key, format!("= {value} is not a whole number")))
    }

    /// A whole number that is the place of one of `choices` counted from `first`; the place from 0.
    pub(super) fn label(&self, key: &str, first: i64, choices: usize) -> Result<usize> {
        let number = self.integer(key)?;
        let place = usize::try_from(number - first).ok().filter(|place| *place < choices);
        place.ok_or_else(|| {
            let last = first + choices as i64 - 1;
            self.wrong(key, format!("= {number} names none of the choices {first} to {last}; rows of hidden test sets have no answer"))
        })
    }

    pub(super) fn list(&self, key: &str) -> Result<&[Value]> {
        self.value(key)?.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(key, "is not a list"))
    }

    /// A list of texts, none of them empty, at least `least` of them.
    pub(super) fn texts(&self, key: &str, least: usize) -> Result<Vec<String>> {
        let list = self.list(key)?;
        if list.len() < least {
            return Err(self.wrong(key, format!("has {} entries and needs {least}", list.len())));
        }
        let text = |(index, value): (usize, &Value)| {
            let text = value.as_str().filter(|text| !text.trim().is_empty());
            text.map(str::to_string).ok_or_else(|| self.wrong(key, format!("[{index}] is not a text, or empty")))
        };
        list.iter().enumerate().map(text).collect()
    }

    /// An object inside this one.
    pub(super) fn object(&self, key: &str) -> Result<Self> {
        let fields = self.value(key)?.as_object().ok_or_else(|| self.wrong(key, "is not an object"))?;
        Ok(Self { place: self.place.clone(), inside: format!("{}{key}.", self.inside), fields: fields.clone() })
    }

    /// The objects of a list inside this one.
    pub(super) fn objects(&self, key: &str) -> Result<Vec<Self>> {
        let object = |(index, value): (usize, &Value)| {
            let fields = value.as_object().ok_or_else(|| self.wrong(key, format!("[{index}] is not an object")))?;
            Ok(Self { place: self.place.clone(), inside: format!("{}{key}[{index}].", self.inside), fields: fields.clone() })
        };
        self.list(key)?.iter().enumerate().map(object).collect()
    }

    /// The first of several keys that is there, as a text or a number, else `otherwise`.
    pub(super) fn id(&self, keys: &[&str], otherwise: usize) -> String {
        let found = keys.iter().find_map(|key| match self.fields.get(*key)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        found.unwrap_or_else(|| otherwise.to_string())
    }
}

/// Endings of files that hold rows; `.gz` and `.zst` may follow.
const ENDINGS: &[&str] = &["jsonl", "ndjson", "json", "csv", "tsv"];

/// The ending of a file without `.gz` and `.zst`, in lower case.
pub(super) fn ending(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_string())
}

/// The file itself, or all files below a folder whose endings are among `endings`, sorted. Hidden ones are passed over.
///
/// # Errors
///
/// Nothing there, an unreadable folder, a folder without such files.
pub(super) fn files(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    if !path.is_dir() {
        return Err(Error::input(path.display(), "there is no such file or folder", "check the path behind --tasks"));
    }
    let (mut found, mut folders) = (vec![], vec![path.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io("read the folder", &folder))? {
            let entry = entry.map_err(Error::io("read the folder", &folder))?;
            let (path, linked) = (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_symlink()));
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                if !linked {
                    folders.push(path);
                }
            } else if endings.contains(&ending(&path).as_str()) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        return Err(Error::input(path.display(), format!("no file in this folder ends in .{}", endings.join(" .")), HELP));
    }
    found.sort();
    Ok(found)
}

/// The text of a file; `.gz` and `.zst` are unpacked.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_bytes(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::input(path.display(), format!("not UTF-8 at byte {at}"), "convert the file to UTF-8")
    })
}

/// Lines of a text file that are not blank, with their places.
pub(super) fn lines(path: &Path) -> Result<Vec<(String, String)>> {
    let text = text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(lines.map(|(number, line)| (format!("{}:{}", path.display(), number + 1), line.to_string())).collect())
}

/// All rows of a file, or of all such files below a folder: JSON lines, a JSON array or object, CSV and TSV with a header.
///
/// # Errors
///
/// Unreadable files, rows that are no objects; none at all.
pub(super) fn rows(path: &Path) -> Result<Vec<Row>> {
    let mut rows = vec![];
    for file in files(path, ENDINGS)? {
        match ending(&file).as_str() {
            "json" => rows.extend(json(&file)?),
            "csv" => rows.extend(table(&file, b',')?),
            "tsv" => rows.extend(table(&file, b'\t')?),
            _ => rows.extend(jsonl(&file)?),
        }
    }
    if rows.is_empty() {
        return Err(Error::input(path.display(), "there are no rows", "check the path behind --tasks"));
    }
    Ok(rows)
}

/// The first row of the first such file, to tell the layout by. None where there is no file with rows.
///
/// # Errors
///
/// An unreadable file, a row that is no object.
pub(super) fn first(path: &Path) -> Result<Option<Row>> {
    let Some(file) = files(path, ENDINGS).ok().and_then(|files| files.into_iter().next()) else { return Ok(None) };
    match ending(&file).as_str() {
        "jsonl" | "ndjson" => lines(&file)?.into_iter().next().map(line).transpose(),
        "json" => Ok(json(&file)?.into_iter().next()),
        // Without a header, as in MMLU's release, a table of one row has none here.
        "csv" => Ok(table(&file, b',')?.into_iter().next()),
        "tsv" => Ok(table(&file, b'\t')?.into_iter().next()),
        _ => Ok(None),
    }
}

fn jsonl(path: &Path) -> Result<Vec<Row>> {
    lines(path)?.into_iter().map(line).collect()
}

fn line((place, line): (String, String)) -> Result<Row> {
    match serde_json::from_str(&line) {
        Ok(Value::Object(fields)) => Ok(Row::new(place, fields)),
        Ok(_) => Err(Error::input(place, "this line is no JSON object", HELP)),
        Err(error) => Err(Error::input(place, format!("not JSON: {error}"), HELP)),
    }
}

/// An array of objects, or one object.
fn json(path: &Path) -> Result<Vec<Row>> {
    let value = serde_json::from_str(&text(path)?).map_err(|error: serde_json::Error| {
        Error::input(format!("{}:{}", path.display(), error.line()), format!("not JSON: {error}"), HELP)
    })?;
    match value {
        Value::Object(fields) => Ok(vec![Row::new(path.display().to_string(), fields)]),
        Value::Array(values) => {
            let row = |(index, value)| match value {
                Value::Object(fields) => Ok(Row::new(format!("{}[{index}]", path.display()), fields)),
                _ => Err(Error::input(format!("{}[{index}]", path.display()), "not an object", HELP)),
            };
            values.into_iter().enumerate().map(row).collect()
        }
        _ => Err(Error::input(path.display(), "neither an array nor an object", HELP)),
    }
}

fn table(path: &Path, delimiter: u8) -> Result<Vec<Row>> {
    let (records, header) = records(path, delimiter, true)?;
    let object = |(place, values): (String, Vec<String>)| {
        Row::new(place, header.iter().cloned().zip(values.into_iter().map(Value::String)).collect())
    };
    Ok(records.into_iter().map(object).collect())
}

/// A record of a table with its place.
pub(super) type Record = (String, Vec<String>);

/// Records of a table with the place of each; all as wide as the first. The header, if there is one, beside them.
pub(super) fn records(path: &Path, delimiter: u8, header: bool) -> Result<(Vec<Record>, Vec<String>)> {
    let bytes = text(path)?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).quoting(delimiter == b',').has_headers(header).from_reader(bytes.as_bytes());
    let wrong = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        Error::input(format!("{}:{line}", path.display()), format!("not a table: {error}"), HELP)
    };
    let names = if header { reader.headers().map_err(wrong)?.iter().map(str::to_string).collect() } else { vec![] };
    let mut records = vec![];
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(1, csv::Position::line);
        records.push((format!("{}:{line}", path.display()), record.iter().map(str::to_string).collect()));
    }
    Ok((records, names))
}

/// Labels that PIQA's and SIQA's releases keep in a file of their own beside the rows, one a line: `dev-labels.lst`, or
/// `valid-labels.lst`, beside `dev.jsonl`. Put into the rows that have none under `key`.
///
/// # Errors
///
/// Another number of labels than rows.
pub(super) fn join_labels(path: &Path, rows: &mut [Row], key: &str) -> Result<()> {
    if rows.iter().all(|row| row.has(key)) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.split('.').next().unwrap_or_default();
    let beside = path.with_file_name(format!("{stem}-labels.lst"));
    if !beside.is_file() {
        let help = format!("put {} beside it, as in the release, or a \"{key}\" into each row", beside.display());
        return Err(Error::input(path.display(), format!("the rows have no \"{key}\""), help));
    }
    let labels = lines(&beside)?;
    if labels.len() != rows.len() {
        let message = format!("{} labels for the {} rows of {}", labels.len(), rows.len(), path.display());
        return Err(Error::input(beside.display(), message, "both files must be of the same split"));
    }
    for (row, (_, label)) in rows.iter_mut().zip(labels) {
        row.fields.insert(key.into(), Value::String(label.trim().into()));
    }
    Ok(())
}
