//! `glovebox sample`: what is in files; for people, as JSON, or as a model would be told.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Done, Failure, out};
use crate::engine::sample::{Content, Sample, Sheet, Table};
use crate::engine::sampler::{DEFAULT_PROMPT_BYTES, describe_stream, to_prompt};
use crate::sampling::sample_file;

#[derive(Args)]
pub(crate) struct SampleArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the samples as one JSON document
    #[arg(long)]
    json: bool,
    /// Print them as a model is told
    #[arg(long, conflicts_with = "json")]
    prompt: bool,
}

pub(super) fn sample(args: &SampleArgs) -> Done {
    let mut samples = Vec::new();
    for file in &args.files {
        let (dir, name) = out::beside(file)?;
        samples.push(sample_file(&dir, &name).map_err(Failure::usage)?);
    }
    if args.json {
        out::print_json(&samples)?;
    } else if args.prompt {
        out::print(&to_prompt(&samples, DEFAULT_PROMPT_BYTES));
    } else {
        out::print(&samples.iter().map(describe).collect::<Vec<_>>().join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(sample: &Sample) -> String {
    let mut text = format!("{} · {} · {}\n", cell(&sample.name, 120), sample.media_type, size(sample.size));
    match &sample.content {
        Content::Table(table) => text.push_str(&describe_table(table)),
        Content::Workbook { sheets } => describe_tables("sheet", sheets, &mut text),
        Content::Database { tables } => describe_tables("table", tables, &mut text),
        Content::Document(document) => {
            let title = document.title.as_ref().map(|title| format!(", {}", cell(title, 120))).unwrap_or_default();
            text.push_str(&format!("  {} pages{title}\n{}", document.pages, indented(&document.preview)));
        }
        Content::Media(media) => {
            text.push_str(&format!("  {}, {} s\n", cell(&media.format, 40), media.duration_ms as f64 / 1_000.0));
            for stream in &media.streams {
                text.push_str(&format!("  {}\n", describe_stream(stream)));
            }
        }
        Content::Archive(archive) => {
            let about = if archive.files_estimated { "at least " } else { "" };
            let unpacked = size(archive.unpacked_bytes);
            text.push_str(&format!("  {} with {about}{} files, {unpacked} unpacked\n", archive.format, archive.files));
            let rows: Vec<_> = archive.entries.iter().map(|entry| [cell(&entry.name, 80), size(entry.size)]).collect();
            text.push_str(&grid(&rows));
            if let Some(inner) = &archive.inner {
                text.push_str(&indented(&describe(inner)));
            }
        }
        Content::Json { structure, preview } => {
            text.push_str(&format!("  {}\n{}", cell(structure, 400), indented(preview)));
        }
        Content::Text { lines, encoding, preview } => {
            text.push_str(&format!("  {lines} lines, {encoding}\n{}", indented(preview)));
        }
        Content::Image(image) => {
            let motion = if image.frames > 1 {
                format!(", {} frames, {} s", image.frames, image.duration_ms as f64 / 1_000.0)
            } else {
                String::new()
            };
            let (format, width, height) = (&image.format, image.width, image.height);
            text.push_str(&format!("  {format}, {width} × {height} pixels{motion}, {}\n", image.color));
        }
        Content::Binary { magic } if magic.is_empty() => {}
        Content::Binary { magic } => text.push_str(&format!("  binary, begins with {magic}\n")),
    }
    for note in &sample.notes {
        text.push_str(&format!("  note: {}\n", cell(note, 400)));
    }
    text
}

fn describe_tables(word: &str, tables: &[Sheet], text: &mut String) {
    for sheet in tables {
        text.push_str(&format!("  {word} {}\n{}", cell(&sheet.name, 80), describe_table(&sheet.table)));
    }
}

/// The first lines of a text, set off from what we say ourselves.
fn indented(preview: &str) -> String {
    let lines = preview.lines().take(20);
    lines.map(|line| format!("    {}\n", crate::error::shorten(&out::tame(line).replace('\n', " "), 110))).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn describe_table(table: &Table) -> String {
    let about = if table.rows_estimated { "about " } else { "" };
    let mut rows =
        vec![["column", "type", "used as", "missing", "distinct", "from", "median", "to"].map(str::to_owned)];
    for column in &table.columns {
        let value = |value: &Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => cell(text, 30),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let more = if column.distinct_capped { "+" } else { "" };
        rows.push([
            cell(&column.name, 40),
            word(serde_json::to_value(column.kind)),
            word(serde_json::to_value(column.role)),
            column.missing.to_string(),
            format!("{}{more}", column.distinct),
            value(&column.min),
            column.quartiles.map(|[_, median, _]| median.to_string()).unwrap_or_default(),
            value(&column.max),
        ]);
    }
    format!("  {about}{} rows, {} columns\n{}", table.rows, table.columns.len(), grid(&rows))
}

/// Columns of text, each as wide as its widest cell.
pub(super) fn grid<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> =
            row.iter().enumerate().map(|(at, cell)| format!("{cell:<width$}", width = width(at))).collect();
        text.push_str(&format!("  {}\n", cells.join("  ").trim_end()));
    }
    text
}

fn cell(text: &str, most: usize) -> String {
    crate::error::shorten(&out::tame(text).replace(['\n', '\t'], " "), most)
}
