//! Parquet: a document per row.

mod pages;

use super::{
    Limits, Read, Source,
    fault::{Origin, bytes, id_of_row},
};
use crate::{
    data::pipeline::Document,
    settings::{Error, Result},
};
use pages::{Group, PAGE};
use parquet::{
    errors::{ParquetError, Result as Decoded},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
    record::{
        Field, Row,
        reader::{ReaderIter, TreeBuilder},
    },
    schema::types::{SchemaDescPtr, SchemaDescriptor, Type},
};
use serde_json::{Map, Value};
use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Rows whose columns are decoded at once.
const BATCH: usize = 64;

/// The rows of a file.
pub(super) struct Rows {
    origin: Origin,
    file: Arc<File>,
    metadata: ParquetMetaData,
    /// The columns that are read.
    schema: SchemaDescPtr,
    text: String,
    id: String,
    limit: u64,
    group: usize,
    rows: Option<ReaderIter>,
    number: u64,
}

impl Rows {
    /// `columns` go into `meta`; all, if none are named.
    pub fn open(origin: Origin, text: &str, id: &str, columns: Option<&[String]>, limits: &Limits) -> Result<Self> {
        let path = &origin.path;
        let file = File::open(path).map_err(Error::io("open", path))?;
        let help = "every row of a Parquet file has its text in the column that `text` names";
        let metadata = caught(|| ParquetMetaDataReader::new().parse_and_finish(&file));
        let metadata = metadata.map_err(|error| Error::input(path.display(), format!("not a Parquet file: {error}"), help))?;
        let root = metadata.file_metadata().schema_descr().root_schema();
        let names: Vec<&str> = root.get_fields().iter().map(|field| field.name()).collect();
        let list = names.join(", ");
        if !names.contains(&text) {
            let message = format!("there is no column \"{text}\"; the columns are {list}");
            return Err(Error::input(path.display(), message, "name the column that holds the text with `text`"));
        }
        if let Some(missing) = columns.and_then(|columns| columns.iter().find(|name| !names.contains(&name.as_str()))) {
            let message = format!("there is no column \"{missing}\"; the columns are {list}");
            return Err(Error::input(path.display(), message, "name columns that are there with `columns`"));
        }
        let wanted = |name: &str| name == text || name == id || columns.is_none_or(|columns| columns.iter().any(|column| column == name));
        // A type that is too deep to be a column's is left out, rather than recursed into.
        let fields = root.get_fields().iter().filter(|field| wanted(field.name()) && depth(field) < 32).cloned().collect();
        let projected = Type::group_type_builder(root.name()).with_fields(fields).build();
        let projected = projected.map_err(|error| Error::input(path.display(), format!("not a Parquet file: {error}"), help))?;
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(projected)));
        let (text, id, limit) = (text.to_string(), id.to_string(), limits.document_bytes);
        Ok(Self { file: Arc::new(file), metadata, schema, text, id, limit, group: 0, rows: None, number: 0, origin })
    }

    /// The next row; a group that is broken is the end, since the place of its next row is unknown.
    fn row(&mut self) -> Decoded<Option<Row>> {
        loop {
            if let Some(rows) = &mut self.rows {
                match caught(|| rows.next().transpose()) {
                    Ok(Some(row)) => return Ok(Some(row)),
                    Ok(None) => self.rows = None,
                    Err(error) => {
                        self.rows = None;
                        return Err(error);
                    }
                }
            }
            if self.group == self.metadata.num_row_groups() {
                return Ok(None);
            }
            let metadata = self.metadata.row_group(self.group);
            self.group += 1;
            let (file, read) = (Arc::clone(&self.file), Arc::clone(&self.origin.read));
            let group = Group { file, metadata, limit: self.limit.saturating_mul(PAGE), read };
            let schema = Arc::clone(&self.schema);
            self.rows = Some(caught(|| TreeBuilder::new().with_batch_size(BATCH).as_iter(schema, &group))?);
        }
    }

    fn document(&self, row: Row) -> Result<Document, (&'static str, String)> {
        let (mut text, mut id, mut meta) = (None, None, Map::new());
        for (name, field) in row.into_columns() {
            match field {
                Field::Str(string) if name == self.text => text = Some(string),
                Field::Bytes(raw) if name == self.text => {
                    let raw = String::from_utf8(raw.data().to_vec());
                    text = Some(raw.map_err(|_| ("not_utf8", format!("the column \"{name}\" is not UTF-8")))?);
                }
                Field::Null if name == self.text => return Err(("no_text", format!("the column \"{name}\" is null"))),
                _ if name == self.text => return Err(("no_text", format!("the column \"{name}\" holds no strings"))),
                Field::Str(string) if name == self.id => id = Some(string),
                Field::Int(number) if name == self.id => id = Some(number.to_string()),
                Field::Long(number) if name == self.id => id = Some(number.to_string()),
                Field::Null => {}
                field => drop(meta.insert(name, value(field))),
            }
        }
        let text = text.ok_or_else(|| ("no_text", format!("there is no column \"{}\"", self.text)))?;
        if text.len() as u64 > self.limit {
            let (long, most) = (bytes(text.len() as u64), bytes(self.limit));
            return Err(("too_long", format!("a text of {long}, more than {most}, the limit that `document_bytes` sets")));
        }
        let id = id_of_row(id, self.origin.id(self.number), &mut meta);
        Ok(Document { id, text, meta, ..Document::default() })
    }
}

impl Source for Rows {
    fn next(&mut self) -> Result<Option<Read>> {
        self.number += 1;
        let place = format!("row {}", self.number);
        match self.row() {
            Ok(None) => Ok(None),
            Ok(Some(row)) => match self.document(row) {
                Ok(document) => Ok(Some(Read::Document(document))),
                Err((rule, message)) => self.origin.damaged(rule, &place, message),
            },
            Err(error) => {
                let group = self.group;
                self.origin.damaged("parquet", &place, format!("the rest of row group {group} is left out: {error}"))
            }
        }
    }
}

/// The crate panics at some files that break its expectations; that is no reason to end a pipeline.
fn caught<T>(decode: impl FnOnce() -> Decoded<T>) -> Decoded<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(ParquetError::General("it breaks the rules of the format".into())))
}

fn depth(field: &Type) -> usize {
    if field.is_primitive() { 0 } else { 1 + field.get_fields().iter().map(|field| depth(field)).max().unwrap_or(0) }
}

/// A value of a column as JSON.
fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) | Field::Date(value) | Field::TimeMillis(value) => value.into(),
        Field::Long(value) | Field::TimestampMillis(value) | Field::TimestampMicros(value) | Field::TimeMicros(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float(value) => f64::from(value).into(),
        Field::Double(value) => value.into(),
        Field::Str(value) => value.into(),
        Field::Bytes(value) => String::from_utf8_lossy(value.data()).into(),
        Field::Group(row) => Value::Object(row.into_columns().into_iter().map(|(name, field)| (name, self::value(field))).collect()),
        Field::ListInternal(list) => list.elements().iter().cloned().map(self::value).collect(),
        other => other.to_string().into(),
    }
}
