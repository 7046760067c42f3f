//! The table as a Parquet file: a row group per run, texts by dictionary, not compressed.

use super::{
    run::Run,
    source::Source,
    table::{Row, replace, rows},
};
use crate::settings::{Error, Result};
use parquet::{
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::{ParquetError, Result as Written},
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
    schema::parser::parse_message_type,
};
use std::{io::Write, path::Path, sync::Arc};

/// The columns, as those of the other tables. What was no finite number is NaN.
const SCHEMA: &str = "message metrics {
    required binary experiment (string);
    required binary arm (string);
    required int64 seed (integer(64, false));
    required binary stage (string);
    required binary run (string);
    required int64 step (integer(64, false));
    required binary metric (string);
    required double value;
}";

/// Writes the table.
///
/// # Errors
///
/// Files that cannot be read or written.
pub fn write(path: &Path, source: &Source) -> Result<()> {
    let wrong = |error: ParquetError| match error {
        // What the file system said is inside.
        ParquetError::External(inner) => Error::io("write", path)(std::io::Error::other(inner)),
        error => Error::io("write", path)(std::io::Error::other(error)),
    };
    replace(path, |file| {
        let schema = Arc::new(parse_message_type(SCHEMA).map_err(wrong)?);
        let mut writer = SerializedFileWriter::new(file, schema, Default::default()).map_err(wrong)?;
        source.each(|run| {
            let mut group = writer.next_row_group().map_err(wrong)?;
            row_group(&mut group, &source.name, run).map_err(wrong)?;
            group.close().map(drop).map_err(wrong)
        })?;
        writer.close().map(drop).map_err(wrong)
    })
}

/// The rows of a run, column by column in the order of the schema.
fn row_group<W: Write + Send>(group: &mut SerializedRowGroupWriter<W>, experiment: &str, run: &Run) -> Written<()> {
    let rows: Vec<Row> = rows(run).collect();
    let same = |text: &str| vec![ByteArray::from(text); rows.len()];
    texts(group, &same(experiment))?;
    texts(group, &same(&run.arm))?;
    integers(group, &vec![run.seed; rows.len()])?;
    texts(group, &same(run.stage))?;
    texts(group, &same(run.title()))?;
    integers(group, &rows.iter().map(|row| row.step).collect::<Vec<_>>())?;
    texts(group, &rows.iter().map(|row| ByteArray::from(row.metric)).collect::<Vec<_>>())?;
    let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
    column::<DoubleType, W>(group, &values)
}

fn texts<W: Write + Send>(group: &mut SerializedRowGroupWriter<W>, values: &[ByteArray]) -> Written<()> {
    column::<ByteArrayType, W>(group, values)
}

fn integers<W: Write + Send>(group: &mut SerializedRowGroupWriter<W>, values: &[u64]) -> Written<()> {
    // Unsigned integers stand as signed ones of the same bits.
    let values: Vec<i64> = values.iter().map(|value| value.cast_signed()).collect();
    column::<Int64Type, W>(group, &values)
}

fn column<T: parquet::data_type::DataType, W: Write + Send>(group: &mut SerializedRowGroupWriter<W>, values: &[T::T]) -> Written<()> {
    let Some(mut column) = group.next_column()? else { return Err(ParquetError::General("more columns than in the schema".into())) };
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}
