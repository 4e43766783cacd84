//! Parquet: schema, row groups and sizes from the metadata, the columns from as many rows as are cheap to read.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use jiff::civil::date;
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::Type;

use super::sniff::magic;
use super::table::{MAX_COLUMNS, TableBuilder};
use super::{Finding, Input, clip};
use crate::engine::sample::{ColumnType, Content, Table};

/// Cells that are read; of a larger table, what its columns hold is told from its beginning.
const MAX_CELLS: u64 = 2_000_000;
/// Bytes of a file's metadata: it is laid out in memory several times as large.
const MAX_METADATA: u64 = 32 * 1024 * 1024;
const CELL: usize = 4_000;
const PARQUET: &str = "application/vnd.apache.parquet";

/// Samples a Parquet table.
pub fn sample(input: &Input) -> io::Result<Finding> {
    // The reader is foreign code facing anybody's file.
    let read = catch_unwind(AssertUnwindSafe(|| read(input)));
    let why = match read {
        Ok(Ok((table, notes))) => return Ok(Finding { media_type: PARQUET, content: Content::Table(table), notes }),
        Ok(Err(why)) => why,
        Err(_) => "it is malformed".to_owned(),
    };
    let content = Content::Binary { magic: magic(&input.start) };
    Ok(Finding { media_type: PARQUET, content, notes: vec![format!("a Parquet table that cannot be read: {why}")] })
}

fn read(input: &Input) -> Result<(Table, Vec<String>), String> {
    let words = |error: &dyn std::fmt::Display| clip(error.to_string().as_bytes(), 200, false);
    if metadata_size(input).map_err(|error| words(&error))? > MAX_METADATA {
        return Err("its metadata is larger than 32 MiB".to_owned());
    }
    let file = input.file.try_clone().map_err(|error| words(&error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| words(&error))?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema();
    let fields = schema.get_fields();
    let names: Vec<String> = fields.iter().map(|field| field.name().to_owned()).collect();
    let width = names.len().min(MAX_COLUMNS);
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let most = (MAX_CELLS / names.len().max(1) as u64).max(20);
    let mut builder = TableBuilder::new(names, b'.');
    let mut notes = vec![layout(metadata)];
    let projection = narrowed(schema, width)?;
    let all = reader.get_row_iter(projection).map_err(|error| words(&error))?;
    for row in all.take(usize::try_from(most).unwrap_or(usize::MAX)) {
        match row {
            Ok(row) => {
                let cells: Vec<Option<String>> = row.get_column_iter().map(|(_, field)| cell(field)).collect();
                builder.push(|at| cells.get(at)?.as_deref().map(str::as_bytes));
            }
            Err(error) => {
                notes.push(format!("damaged after row {}: {}", builder.rows, words(&error)));
                break;
            }
        }
    }
    let read = builder.rows;
    let (mut table, more) = builder.finish(false, None);
    notes.extend(more);
    for (column, field) in table.columns.iter_mut().zip(fields) {
        if let Some(kind) = kind(field).filter(|_| column.kind != ColumnType::Empty) {
            column.kind = kind;
        }
    }
    if read < rows {
        notes.push(format!("what the columns hold is told from the first {read} of {rows} rows"));
        for column in &mut table.columns {
            column.distinct_capped = true;
        }
    }
    table.rows = rows;
    Ok((table, notes))
}

/// Bytes of the metadata, as the last eight bytes of the file say.
fn metadata_size(input: &Input) -> io::Result<u64> {
    use std::io::Read as _;
    let mut end = [0; 8];
    input.reader(input.size.saturating_sub(8))?.read_exact(&mut end)?;
    Ok(u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]])))
}

/// The schema's first columns, if it has more.
fn narrowed(schema: &Type, width: usize) -> Result<Option<Type>, String> {
    if schema.get_fields().len() <= width {
        return Ok(None);
    }
    let fields = schema.get_fields()[..width].to_vec();
    Type::group_type_builder(schema.name()).with_fields(fields).build().map(Some).map_err(|error| error.to_string())
}

/// Row groups and compression in words.
fn layout(metadata: &ParquetMetaData) -> String {
    let groups = metadata.num_row_groups();
    let first = metadata.row_groups().first();
    let compression = first.and_then(|group| group.columns().first()).map(|column| column.compression().to_string());
    let writer =
        metadata.file_metadata().created_by().map(|by| format!(", written by {}", clip(by.as_bytes(), 80, false)));
    let compression = compression.unwrap_or_else(|| "no data".to_owned()).to_lowercase();
    format!(
        "Parquet: {groups} row group{}, {compression}{}",
        if groups == 1 { "" } else { "s" },
        writer.unwrap_or_default()
    )
}

/// The type that the schema gives a column, where its cells as text could be taken for another.
fn kind(field: &Type) -> Option<ColumnType> {
    if !field.is_primitive() {
        return Some(ColumnType::Text);
    }
    // Older files say it in the older way alone.
    if matches!(
        field.get_basic_info().converted_type(),
        ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON
    ) {
        return Some(ColumnType::Text);
    }
    match (field.get_physical_type(), field.get_basic_info().logical_type_ref()) {
        (_, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json | LogicalType::Uuid)) => {
            Some(ColumnType::Text)
        }
        (_, Some(LogicalType::Date)) => Some(ColumnType::Date),
        (_, Some(LogicalType::Timestamp { .. })) | (Physical::INT96, _) => Some(ColumnType::Datetime),
        (_, Some(LogicalType::Decimal { .. })) | (Physical::FLOAT | Physical::DOUBLE, _) => Some(ColumnType::Float),
        (Physical::BOOLEAN, _) => Some(ColumnType::Boolean),
        (Physical::INT32 | Physical::INT64, None | Some(LogicalType::Integer { .. })) => Some(ColumnType::Integer),
        _ => None,
    }
}

/// A value as text; `None` is missing.
fn cell(field: &Field) -> Option<String> {
    let text = match field {
        Field::Null => return None,
        Field::Str(text) => clip(text.as_bytes(), CELL, text.len() > CELL),
        Field::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Field::Float(number) if number.is_nan() => return None,
        Field::Double(number) if number.is_nan() => return None,
        Field::Date(days) => date(1970, 1, 1).checked_add(jiff::Span::new().try_days(*days).ok()?).ok()?.to_string(),
        Field::TimestampMillis(at) => moment(Timestamp::from_millisecond(*at).ok()?),
        Field::TimestampMicros(at) => moment(Timestamp::from_microsecond(*at).ok()?),
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
            let text = field.to_string();
            clip(text.as_bytes(), CELL, text.len() > CELL)
        }
        plain => plain.to_string(),
    };
    Some(text)
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;
    use crate::engine::sample::Sample;

    fn written(rows: i32) -> Vec<u8> {
        let schema =
            "message people { required binary code (UTF8); optional double height; required int32 born (DATE); }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        for _ in 0..2 {
            let mut group = writer.next_row_group().unwrap();
            let codes: Vec<ByteArray> = (0..rows).map(|n| ByteArray::from(format!("{n:04}").into_bytes())).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&codes, None, None).unwrap();
            column.close().unwrap();
            let heights: Vec<f64> = (0..rows - 1).map(f64::from).collect();
            let present: Vec<i16> = (0..rows).map(|n| i16::from(n > 0)).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<DoubleType>().write_batch(&heights, Some(&present), None).unwrap();
            column.close().unwrap();
            let born: Vec<i32> = (0..rows).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<Int32Type>().write_batch(&born, None, None).unwrap();
            column.close().unwrap();
            group.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn sample_of(bytes: &[u8]) -> Sample {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        super::super::read("people.parquet", file, bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_table_has_the_types_of_its_schema_and_the_rows_of_all_groups() {
        let sample = sample_of(&written(10));
        let Content::Table(table) = &sample.content else { panic!("{sample:?}") };
        assert_eq!((table.rows, sample.media_type.as_str()), (20, PARQUET));
        let kinds: Vec<_> =
            table.columns.iter().map(|column| (column.name.as_str(), column.kind, column.missing)).collect();
        assert_eq!(
            kinds,
            [("code", ColumnType::Text, 0), ("height", ColumnType::Float, 2), ("born", ColumnType::Date, 0)]
        );
        assert_eq!(table.head[0], [Some("0000".to_owned()), None, Some("1970-01-01".to_owned())]);
        assert!(sample.notes[0].starts_with("Parquet: 2 row groups"), "{:?}", sample.notes);
    }

    #[test]
    fn a_table_cut_anywhere_is_named_as_one_that_cannot_be_read() {
        let whole = written(10);
        for part in 1..20 {
            let sample = sample_of(&whole[..whole.len() * part / 20]);
            assert!(matches!(sample.content, Content::Binary { .. }), "{part}");
            assert!(sample.notes[0].starts_with("a Parquet table that cannot be read"), "{:?}", sample.notes);
        }
    }
}
