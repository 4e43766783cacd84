//! Arrow: files and streams of record batches, Feather version 2 among them.

use std::io::{self, BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Schema};

use super::sniff::magic;
use super::table::{MAX_COLUMNS, TableBuilder};
use super::{Finding, Input, clip};
use crate::engine::sample::{ColumnType, Content, Table};

/// Cells that are read; of a larger table, what its columns hold is told from its beginning.
const MAX_CELLS: u64 = 2_000_000;
const CELL: usize = 4_000;

/// Samples an Arrow table: a file if `framed`, else a stream.
pub fn sample(input: &Input, framed: bool) -> io::Result<Finding> {
    let media_type = if framed { "application/vnd.apache.arrow.file" } else { "application/vnd.apache.arrow.stream" };
    // The reader is foreign code facing anybody's file.
    let read = catch_unwind(AssertUnwindSafe(|| read(input, framed)));
    let why = match read {
        Ok(Ok((table, notes))) => return Ok(Finding { media_type, content: Content::Table(table), notes }),
        Ok(Err(error)) => clip(error.to_string().as_bytes(), 200, false),
        Err(_) => "it is malformed".to_owned(),
    };
    let content = Content::Binary { magic: magic(&input.start) };
    Ok(Finding { media_type, content, notes: vec![format!("an Arrow table that cannot be read: {why}")] })
}

fn read(input: &Input, framed: bool) -> Result<(Table, Vec<String>), ArrowError> {
    let mut file = input.file.try_clone()?;
    file.rewind()?;
    if framed {
        let reader = FileReader::try_new(BufReader::new(file), None)?;
        let (schema, batches) = (reader.schema(), reader.num_batches());
        return table(&schema, Some(batches), reader);
    }
    let reader = StreamReader::try_new(BufReader::new(file.take(super::MAX_READ)), None)?;
    let schema = reader.schema();
    table(&schema, None, reader)
}

fn table(
    schema: &Schema,
    batches: Option<usize>,
    reader: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<(Table, Vec<String>), ArrowError> {
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let most = (MAX_CELLS / names.len().max(1) as u64).max(20);
    let mut builder = TableBuilder::new(names, b'.');
    let mut notes = Vec::new();
    let mut rows = 0;
    let mut read = 0;
    for batch in reader {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) if read > 0 => {
                notes.push(format!("damaged after row {rows}: {}", clip(error.to_string().as_bytes(), 200, false)));
                break;
            }
            Err(error) => return Err(error),
        };
        read += 1;
        rows += batch.num_rows() as u64;
        if builder.rows < most {
            add(&mut builder, &batch, most)?;
        }
        // A file says how many batches it has; those that are left are not worth reading for their lengths.
        if builder.rows >= most && batches.is_some_and(|batches| batches > read) {
            break;
        }
    }
    let shown = builder.rows;
    let estimated = batches.is_some_and(|batches| batches > read) && read > 0;
    if let Some(batches) = batches {
        notes.push(format!("Arrow: {batches} record batch{}", if batches == 1 { "" } else { "es" }));
        if estimated {
            rows = rows.saturating_mul(batches as u64) / read as u64;
        }
    }
    let (mut table, more) = builder.finish(estimated, None);
    notes.extend(more);
    for (column, field) in table.columns.iter_mut().zip(schema.fields()) {
        if let Some(kind) = kind(field.data_type()).filter(|_| column.kind != ColumnType::Empty) {
            column.kind = kind;
        }
    }
    if shown < rows {
        notes.push(format!("what the columns hold is told from the first {shown} rows"));
        for column in &mut table.columns {
            column.distinct_capped = true;
        }
    }
    table.rows = rows;
    Ok((table, notes))
}

fn add(builder: &mut TableBuilder, batch: &RecordBatch, most: u64) -> Result<(), ArrowError> {
    let options = FormatOptions::default().with_null("").with_timestamp_format(Some("%Y-%m-%d %H:%M:%S"));
    let columns = batch.columns().iter().take(MAX_COLUMNS);
    let columns = columns.map(|column| Ok((column, ArrayFormatter::try_new(column, &options)?)));
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    for row in 0..batch.num_rows() {
        if builder.rows >= most {
            break;
        }
        let cells: Vec<Option<String>> = columns
            .iter()
            .map(|(column, formatter)| {
                if column.is_null(row) {
                    return None;
                }
                let text = formatter.value(row).try_to_string().ok()?;
                Some(clip(text.as_bytes(), CELL, text.len() > CELL))
            })
            .collect();
        builder.push(|at| cells.get(at)?.as_deref().map(str::as_bytes));
    }
    Ok(())
}

/// The type that the schema gives a column, where its cells as text could be taken for another.
fn kind(of: &DataType) -> Option<ColumnType> {
    Some(match of {
        DataType::Boolean => ColumnType::Boolean,
        kind if kind.is_integer() => ColumnType::Integer,
        kind if kind.is_floating() => ColumnType::Float,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            ColumnType::Float
        }
        DataType::Date32 => ColumnType::Date,
        DataType::Date64 | DataType::Timestamp(..) => ColumnType::Datetime,
        DataType::Dictionary(_, values) => return kind(values),
        DataType::Null => return None,
        _ => ColumnType::Text,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use arrow_array::{Float64Array, StringArray, TimestampSecondArray};
    use arrow_ipc::writer::{FileWriter, StreamWriter};

    use super::*;
    use crate::engine::sample::Sample;

    fn batch() -> RecordBatch {
        RecordBatch::try_from_iter([
            ("code", Arc::new(StringArray::from(vec!["007", "008", "009"])) as arrow_array::ArrayRef),
            ("height", Arc::new(Float64Array::from(vec![Some(1.5), None, Some(2.0)]))),
            ("seen", Arc::new(TimestampSecondArray::from(vec![0, 60, 120]))),
        ])
        .unwrap()
    }

    fn written(framed: bool) -> Vec<u8> {
        let (batch, mut bytes) = (batch(), Vec::new());
        if framed {
            let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        } else {
            let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        bytes
    }

    fn sample_of(name: &str, bytes: &[u8]) -> Sample {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        super::super::read(name, file, bytes.len() as u64).unwrap()
    }

    #[test]
    fn files_and_streams_have_the_types_of_their_schema() {
        for (name, framed) in [("a.feather", true), ("a.arrows", false)] {
            let sample = sample_of(name, &written(framed));
            let Content::Table(table) = &sample.content else { panic!("{sample:?}") };
            assert_eq!(table.rows, 6, "{name}");
            let kinds: Vec<_> = table.columns.iter().map(|column| (column.kind, column.missing)).collect();
            assert_eq!(kinds, [(ColumnType::Text, 0), (ColumnType::Float, 2), (ColumnType::Datetime, 0)]);
            assert_eq!(table.head[1], [Some("008".to_owned()), None, Some("1970-01-01 00:01:00".to_owned())]);
        }
    }

    #[test]
    fn a_table_cut_anywhere_is_read_in_part_or_named() {
        for framed in [true, false] {
            let whole = written(framed);
            for part in 1..20 {
                let sample = sample_of("a.arrow", &whole[..whole.len() * part / 20]);
                match &sample.content {
                    Content::Table(table) => assert!(table.rows <= 6),
                    Content::Binary { .. } => assert!(!sample.notes.is_empty()),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}
