//! First lines of a program: reads the table with its dialect, converts dates, keeps the rows that are wanted.

use super::super::columns::{is_time, opened};
use super::super::describe::filter_words;
use super::super::numerals::{Numerals, numerals};
use super::super::plan::{Filter, Source, Task};
use super::super::python::{in_fstring, plain, py_list, py_number, py_str};
use super::{Script, View};
use crate::engine::sample::{Column, ColumnType, Content, Sample, Table};

/// Writes the loading of the table, into `df`.
pub fn load(script: &mut Script, view: &View, samples: &[Sample]) {
    script.import("import pandas as pd");
    let source = &view.plan.source;
    read(script, "df", source, samples);
    let mut place = plain(&source.file);
    if let Some(sheet) = &source.sheet {
        place = format!("sheet {} of {place}", plain(sheet));
    }
    script.line(format!(
        "print(f'Read {{len(df):,}} rows and {{len(df.columns)}} columns from {}.')",
        in_fstring(&place)
    ));
    if let Some(join) = &view.plan.join {
        let other = join.source.sheet.as_ref().unwrap_or(&join.source.file);
        script.step(&format!("The other columns come from {}", plain(other)));
        read(script, "other", &join.source, samples);
        let on = if join.left == join.right {
            format!("on={}", py_str(&join.left))
        } else {
            format!("left_on={}, right_on={}", py_str(&join.left), py_str(&join.right))
        };
        script.line(format!("df = df.merge(other, {on}, how='left', suffixes=('', '_other'))"));
        script.line("print(f'{len(df):,} rows after joining.')");
    }
    numbers(script, view, samples);
    dates(script, view, samples);
    filters(script, view);
}

fn read(script: &mut Script, variable: &str, source: &Source, samples: &[Sample]) {
    let name = py_str(&source.file);
    let sample = samples.iter().find(|sample| sample.name == source.file);
    let lower = source.file.to_lowercase();
    if let (Some(table), Some(Content::Database { .. })) = (&source.sheet, sample.map(|sample| &sample.content)) {
        return database(script, variable, &source.file, table);
    }
    if let Some(sheet) = &source.sheet {
        return script.line(format!("{variable} = pd.read_excel({name}, sheet_name={})", py_str(sheet)));
    }
    let compression = sample.and_then(|sample| match &sample.content {
        Content::Archive(archive) => Some(match archive.format.as_str() {
            "zip" => "zip",
            "zstd" | "zst" => "zstd",
            _ => "gzip",
        }),
        _ => None,
    });
    let table = sample.map(opened).and_then(|sample| match &sample.content {
        Content::Table(table) => Some((sample, table)),
        _ => None,
    });
    let Some((sample, table)) = table else {
        return script.line(format!("{variable} = pd.read_csv({name})"));
    };
    if table.dialect.is_none() {
        if sample.media_type.contains("parquet") || lower.ends_with(".parquet") || lower.ends_with(".pq") {
            return script.line(format!("{variable} = pd.read_parquet({name})"));
        }
        let lines = ["ndjson", "jsonl", "json-lines", "jsonlines", "x-json-seq"]
            .iter()
            .any(|mark| sample.media_type.contains(mark))
            || lower.ends_with(".jsonl")
            || lower.ends_with(".ndjson");
        let nested = table.columns.iter().any(|column| column.name.contains('.')) && compression.is_none();
        let name = match compression {
            Some(compression) => format!("{name}, compression='{compression}'"),
            None => name,
        };
        return match (lines, nested) {
            (true, false) => script.line(format!("{variable} = pd.read_json({name}, lines=True)")),
            (false, false) => script.line(format!("{variable} = pd.read_json({name})")),
            (lines, true) => {
                script.import("import json");
                let records =
                    if lines { "[json.loads(line) for line in file if line.strip()]" } else { "json.load(file)" };
                script.line(format!("with open({name}, encoding='utf-8') as file:"));
                script.line(format!("    {variable} = pd.json_normalize({records}, max_level=1)"));
            }
        };
    }
    let mut arguments = csv_arguments(&name, table, sample);
    if let Some(compression) = compression {
        arguments += &format!(", compression='{compression}'");
    }
    script.line(format!("{variable} = pd.read_csv({arguments})"));
    if sample.notes.iter().any(|note| note.contains("takes the first value as the index")) {
        script.line(format!("{variable} = {variable}.reset_index(names={})", py_str(&table.columns[0].name)));
    }
}

/// Reads a table of a SQLite database. `immutable` also opens one in write-ahead mode, which would want to make files.
fn database(script: &mut Script, variable: &str, file: &str, table: &str) {
    script.import("import sqlite3");
    script.import("from contextlib import closing");
    let uri = file.bytes().fold("file:".to_owned(), |uri, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' => uri + &char::from(byte).to_string(),
        _ => format!("{uri}%{byte:02X}"),
    });
    let query = format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""));
    script.line(format!("with closing(sqlite3.connect({}, uri=True)) as database:", py_str(&(uri + "?immutable=1"))));
    script.line(format!("    {variable} = pd.read_sql_query({}, database)", py_str(&query)));
}

fn csv_arguments(name: &str, table: &Table, sample: &Sample) -> String {
    let mut arguments = vec![name.to_owned()];
    if let Some(dialect) = &table.dialect {
        if dialect.delimiter != "," {
            arguments.push(format!("sep={}", py_str(&dialect.delimiter)));
        }
        if !matches!(dialect.encoding.to_lowercase().as_str(), "utf-8" | "utf8" | "ascii" | "us-ascii") {
            arguments.push(format!("encoding={}", py_str(&dialect.encoding)));
        }
        if dialect.decimal == "," {
            arguments.push("decimal=','".into());
        }
        if !dialect.header {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            arguments.push(format!("header=None, names={}", py_list(&names)));
        }
    }
    for note in &sample.notes {
        if note.contains("on_bad_lines=") {
            // Longer rows would end the reading.
            arguments.push("on_bad_lines='skip'".into());
        } else if note.contains("encoding_errors=") {
            arguments.push("encoding_errors='replace'".into());
        } else if let Some((_, lines)) = note.split_once("read it with skiprows=") {
            arguments.extend(lines.trim().parse::<u32>().ok().map(|lines| format!("skiprows={lines}")));
        }
    }
    let mut marks: Vec<&str> = sample.notes.iter().filter_map(|note| missing_mark(note)).collect();
    marks.dedup();
    if !marks.is_empty() {
        arguments.push(format!("na_values={}", py_list(&marks)));
    }
    arguments.join(", ")
}

/// The word for missing values that a note tells of.
fn missing_mark(note: &str) -> Option<&str> {
    let rest = note.strip_suffix("`: pass it as na_values")?;
    rest.split_once("` marks missing values with `").map(|(_, mark)| mark)
}

/// Numbers that are written as text become numbers.
fn numbers(script: &mut Script, view: &View, samples: &[Sample]) {
    let Some(sample) = samples.iter().find(|sample| sample.name == view.plan.source.file).map(opened) else { return };
    let comma = view.table.dialect.as_ref().is_some_and(|dialect| dialect.decimal == ",");
    for column in view.table.columns.iter().take(300) {
        let name = py_str(&column.name);
        let text = match numerals(sample, &column.name) {
            Some(Numerals::Dressed) if comma => {
                format!("df[{name}].astype(str).str.replace(r'[^0-9,-]', '', regex=True).str.replace(',', '.')")
            }
            Some(Numerals::Dressed) => format!("df[{name}].astype(str).str.replace(r'[^0-9.-]', '', regex=True)"),
            Some(Numerals::Mixed) => format!("df[{name}]"),
            None => continue,
        };
        script.line("# Written as text; what is no number counts as missing");
        script.line(format!("df[{name}] = pd.to_numeric({text}, errors='coerce')"));
    }
}

/// Converts the time columns that the plan works with.
fn dates(script: &mut Script, view: &View, samples: &[Sample]) {
    let notes =
        samples.iter().find(|sample| sample.name == view.plan.source.file).map_or(&[][..], |s| &opened(s).notes[..]);
    let wanted = |column: &&Column| {
        let name = &column.name;
        let in_task = match &view.plan.task {
            Task::Trend { time, .. } => time == name,
            Task::Rows { sort: Some((sort, _)), .. } => sort == name,
            Task::Relationship { x, y, .. } => x == name || y == name,
            Task::Overview { .. } => true,
            _ => false,
        };
        let in_filter = view.plan.filters.iter().any(
            |filter| matches!(filter, Filter::Date { column, .. } | Filter::Month { column, .. } if column == name),
        );
        is_time(column) && (in_task || in_filter)
    };
    for column in view.table.columns.iter().filter(wanted).take(10) {
        let name = py_str(&column.name);
        let delimited = view.table.dialect.is_some();
        let mut arguments = String::new();
        if let Some(format) = column.date_format.as_ref().filter(|_| delimited) {
            arguments = format!("format={}, ", py_str(format));
            if format.contains("%z") || format.ends_with('Z') {
                arguments.push_str("utc=True, ");
            }
        }
        let mixed = format!("column `{}` writes its dates in several ways", column.name);
        if delimited && notes.iter().any(|note| note.starts_with(&mixed)) {
            arguments = "format='mixed', ".into();
        }
        let end = if arguments.contains("utc") { ".dt.tz_localize(None)" } else { "" };
        script.line(format!("df[{name}] = pd.to_datetime(df[{name}], {arguments}errors='coerce'){end}"));
    }
}

fn filters(script: &mut Script, view: &View) {
    let filters = &view.plan.filters;
    if filters.is_empty() {
        return;
    }
    script.step(&format!("Only the rows where {}", filter_words(filters)));
    script.line("total = len(df)");
    for filter in filters {
        script.line(format!("df = df[{}]", condition(filter, view)));
    }
    let words = in_fstring(&filter_words(filters));
    script.line(format!("print(f'{{len(df):,}} of {{total:,}} rows remain where {words}.')"));
    script.line("if df.empty:");
    script.line("    print('No row fulfils the conditions, so there is nothing to show.')");
    script.line("    raise SystemExit");
}

fn condition(filter: &Filter, view: &View) -> String {
    let col = |name: &str| format!("df[{}]", py_str(name));
    match filter {
        Filter::OneOf { column, values, not } => match (&values[..], not) {
            ([one], false) => format!("{} == {}", text_column(column, view), py_str(one)),
            ([one], true) => format!("{} != {}", text_column(column, view), py_str(one)),
            (all, false) => format!("{}.isin({})", text_column(column, view), py_list(all)),
            (all, true) => format!("~{}.isin({})", text_column(column, view), py_list(all)),
        },
        Filter::Text { column, text, part, not } => {
            let sign = if *not { "~" } else { "" };
            let folded = format!("df[{}].astype(str).str.lower()", py_str(column));
            let text = py_str(&text.to_lowercase());
            if *part {
                format!("{sign}{folded}.str.contains({text}, regex=False)")
            } else {
                format!("{sign}{folded}.str.strip().eq({text})")
            }
        }
        Filter::Compare { column, operator, value } => format!("{} {operator} {}", col(column), py_number(*value)),
        Filter::Date { column, operator, date } => format!("{} {operator} {}", col(column), py_str(date)),
        Filter::Month { column, month } => format!("{}.dt.month == {month}", col(column)),
        Filter::Flag { column, value } => {
            let yes = format!(
                "df[{}].astype(str).str.lower().isin(['true', 'yes', 'y', 't', '1', '1.0', 'on'])",
                py_str(column)
            );
            if *value { yes } else { format!("~{yes} & {}.notna()", col(column)) }
        }
        Filter::Missing { column } => format!("{}.isna()", col(column)),
    }
}

fn text_column(name: &str, view: &View) -> String {
    let spaced = view.column(name).is_some_and(|column| column.kind != ColumnType::Text);
    if spaced { format!("df[{}].astype(str)", py_str(name)) } else { format!("df[{}]", py_str(name)) }
}
