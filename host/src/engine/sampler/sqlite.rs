//! SQLite: tables and views with their columns and some rows. The file is read into memory and opened there, read-only;
//! nothing that it defines runs beyond a bounded number of steps.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::sniff::magic;
use super::table::{MAX_COLUMNS, TableBuilder};
use super::{Finding, Input, clip};
use crate::engine::sample::{Content, Sheet, Table};

/// Bytes of a database that is looked into: it is held in memory.
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// Tables and views that are described.
const MAX_TABLES: usize = 50;
/// Rows of a table that its columns are told from.
const ROWS: u64 = 10_000;
/// Steps of SQLite's machine for one question; some ten million are a second.
const STEPS: i32 = 20_000_000;
/// Bytes of a value, and of a question.
const MAX_LENGTH: i32 = 16 * 1024 * 1024;
const CELL: usize = 4_000;
const NAME: usize = 200;
const SQLITE: &str = "application/vnd.sqlite3";

/// Samples a SQLite database.
pub fn sample(input: &Input) -> io::Result<Finding> {
    let unread = |why: String| {
        let content = Content::Binary { magic: magic(&input.start) };
        Ok(Finding { media_type: SQLITE, content, notes: vec![why] })
    };
    if input.size > MAX_FILE {
        return unread("a SQLite database larger than 256 MiB: not read ahead".to_owned());
    }
    match catch_unwind(AssertUnwindSafe(|| read(input))) {
        Ok(Ok((tables, notes))) => Ok(Finding { media_type: SQLITE, content: Content::Database { tables }, notes }),
        Ok(Err(error)) => unread(format!("a SQLite database that cannot be read: {}", words(&error))),
        Err(_) => unread("a SQLite database that cannot be read: it is malformed".to_owned()),
    }
}

fn words(error: &rusqlite::Error) -> String {
    clip(error.to_string().as_bytes(), 200, false)
}

fn read(input: &Input) -> rusqlite::Result<(Vec<Sheet>, Vec<String>)> {
    let database = open(input)?;
    let mut names = Vec::new();
    let mut notes = Vec::new();
    if claimed_size(&input.start).is_some_and(|size| size > input.size) {
        notes.push("the file is cut off: its last pages are missing".to_owned());
    }
    {
        let mut question = database.prepare(
            "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             ORDER BY rowid",
        )?;
        let mut rows = question.query([])?;
        while let Some(row) = rows.next()? {
            if names.len() == MAX_TABLES {
                notes.push(format!("more than {MAX_TABLES} tables; the first {MAX_TABLES} are described"));
                break;
            }
            names.push((row.get::<_, String>(0)?, row.get::<_, String>(1)? == "view"));
        }
    }
    let mut tables = Vec::new();
    for (name, view) in names {
        if view {
            notes.push(format!("`{}` is a view", clip(name.as_bytes(), NAME, name.len() > NAME)));
        }
        match table(&database, &name) {
            Ok((table, more)) => {
                tables.push(Sheet { name: clip(name.as_bytes(), NAME, name.len() > NAME), table });
                notes.extend(more);
            }
            Err(error) => notes.push(format!(
                "`{}` cannot be read: {}",
                clip(name.as_bytes(), NAME, name.len() > NAME),
                if interrupted(&error) { "it takes too long".to_owned() } else { words(&error) }
            )),
        }
    }
    Ok((tables, notes))
}

/// Bytes that the header says the file has: page size times pages, https://sqlite.org/fileformat.html.
fn claimed_size(start: &[u8]) -> Option<u64> {
    let page = u64::from(u16::from_be_bytes([*start.get(16)?, *start.get(17)?]));
    let pages = u32::from_be_bytes(start.get(28..32)?.try_into().ok()?);
    Some(if page == 1 { 65_536 } else { page } * u64::from(pages))
}

fn open(input: &Input) -> rusqlite::Result<Connection> {
    let mut database = Connection::open_in_memory()?;
    // https://sqlite.org/security.html: what a file brings along is neither trusted nor run.
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    ] {
        database.set_db_config(setting, on)?;
    }
    database.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_LENGTH)?;
    database.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    database.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, 200)?;
    let size = usize::try_from(input.size).unwrap_or(usize::MAX);
    let reader = input.reader(0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    database.deserialize_read_exact("main", reader, size, true)?;
    database.execute_batch("PRAGMA cell_size_check = ON; PRAGMA query_only = ON;")?;
    Ok(database)
}

fn interrupted(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if failure.code == rusqlite::ErrorCode::OperationInterrupted)
}

/// Lets the next question take its bounded number of steps.
fn bound(database: &Connection) -> rusqlite::Result<()> {
    database.progress_handler(STEPS, Some(|| true))
}

fn table(database: &Connection, name: &str) -> rusqlite::Result<(Table, Vec<String>)> {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    bound(database)?;
    let mut question = database.prepare(&format!("SELECT * FROM {quoted}"))?;
    let names: Vec<String> = question.column_names().into_iter().map(str::to_owned).collect();
    let width = names.len().min(MAX_COLUMNS);
    let mut builder = TableBuilder::new(names, b'.');
    let mut rows = question.query([])?;
    let mut notes = Vec::new();
    let mut whole = true;
    loop {
        match rows.next() {
            Ok(None) => break,
            Ok(Some(_)) if builder.rows == ROWS => {
                whole = false;
                break;
            }
            Ok(Some(row)) => {
                let cells: Vec<Option<String>> = (0..width).map(|at| cell(row, at)).collect();
                builder.push(|at| cells.get(at)?.as_deref().map(str::as_bytes));
            }
            Err(error) if builder.rows > 0 => {
                let why = if interrupted(&error) { "it takes too long".to_owned() } else { words(&error) };
                notes.push(format!(
                    "`{}` was read up to row {}: {why}",
                    clip(name.as_bytes(), NAME, false),
                    builder.rows
                ));
                whole = false;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    drop(rows);
    let read = builder.rows;
    let (mut table, more) = builder.finish(false, None);
    notes.extend(more);
    if !whole {
        bound(database)?;
        let counted = database.query_row(&format!("SELECT count(*) FROM {quoted}"), [], |row| row.get::<_, i64>(0));
        match counted {
            Ok(count) => table.rows = u64::try_from(count).unwrap_or(read),
            Err(_) => table.rows_estimated = true,
        }
        notes.push(format!(
            "what the columns of `{}` hold is told from the first {read} rows",
            clip(name.as_bytes(), NAME, false)
        ));
        for column in &mut table.columns {
            column.distinct_capped = true;
        }
    }
    Ok((table, notes))
}

/// A value as text; `None` is missing.
fn cell(row: &Row<'_>, at: usize) -> Option<String> {
    Some(match row.get_ref(at).ok()? {
        ValueRef::Null => return None,
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => clip(text, CELL, text.len() > CELL),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;
    use crate::engine::sample::{ColumnType, Sample};

    fn database(script: &str) -> Vec<u8> {
        let database = Connection::open_in_memory().unwrap();
        database.execute_batch(script).unwrap();
        database.serialize("main").unwrap().to_vec()
    }

    fn sample_of(bytes: &[u8]) -> Sample {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        super::super::read("shop.db", file, bytes.len() as u64).unwrap()
    }

    #[test]
    fn tables_and_views_have_columns_and_rows() {
        let sample = sample_of(&database(
            "CREATE TABLE \"or\"\"der\" (id INTEGER, price REAL, note TEXT); \
             INSERT INTO \"or\"\"der\" VALUES (1, 2.5, 'x'), (2, NULL, 'y'); \
             CREATE VIEW cheap AS SELECT id FROM \"or\"\"der\" WHERE price < 3;",
        ));
        let Content::Database { tables } = &sample.content else { panic!("{sample:?}") };
        let seen: Vec<_> =
            tables.iter().map(|one| (one.name.as_str(), one.table.rows, one.table.columns.len())).collect();
        assert_eq!(seen, [("or\"der", 2, 3), ("cheap", 1, 1)]);
        assert_eq!((tables[0].table.columns[1].kind, tables[0].table.columns[1].missing), (ColumnType::Float, 1));
    }

    #[test]
    fn a_view_without_end_is_left_out_and_the_other_tables_are_read() {
        let sample = sample_of(&database(
            "CREATE TABLE a (x); INSERT INTO a VALUES (1); \
             CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n;",
        ));
        let Content::Database { tables } = &sample.content else { panic!("{sample:?}") };
        assert_eq!(tables.len(), 1);
        assert!(
            sample.notes.iter().any(|note| note == "`endless` cannot be read: it takes too long"),
            "{:?}",
            sample.notes
        );
    }

    #[test]
    fn rows_beyond_the_sample_are_counted() {
        let sample = sample_of(&database(
            "CREATE TABLE a (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 25000) \
             INSERT INTO a SELECT i FROM n;",
        ));
        let Content::Database { tables } = &sample.content else { panic!("{sample:?}") };
        assert_eq!(tables[0].table.rows, 25_000);
    }

    #[test]
    fn a_database_cut_anywhere_is_read_in_part_or_named() {
        let whole = database("CREATE TABLE a (x TEXT); INSERT INTO a VALUES (hex(zeroblob(9000)));");
        for part in 1..10 {
            let sample = sample_of(&whole[..whole.len() * part / 10]);
            assert!(!sample.notes.is_empty(), "{part}: {sample:?}");
        }
    }
}
