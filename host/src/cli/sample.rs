//! `glovebox sample`: what is in files, as a model would be told.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Done, Failure, out};
use crate::engine::sample::{Content, Sample, Table};
use crate::engine::sampler::sample_file;

#[derive(Args)]
pub(crate) struct SampleArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the samples as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn sample(args: &SampleArgs) -> Done {
    let mut samples = Vec::new();
    for file in &args.files {
        let (dir, name) = out::beside(file)?;
        samples.push(sample_file(&dir, &name).map_err(Failure::usage)?);
    }
    if args.json {
        out::print_json(&samples)?;
    } else {
        out::print(&samples.iter().map(describe).collect::<Vec<_>>().join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(sample: &Sample) -> String {
    let mut text = format!("{} · {} · {} bytes\n", out::tame(&sample.name), sample.media_type, sample.size);
    match &sample.content {
        Content::Table(table) => text.push_str(&describe_table(table)),
        Content::Workbook { sheets } => {
            for sheet in sheets {
                text.push_str(&format!("sheet {}\n{}", out::tame(&sheet.name), describe_table(&sheet.table)));
            }
        }
        Content::Json { structure, .. } => text.push_str(&format!("{}\n", out::tame(structure))),
        Content::Text { lines, encoding, preview } => {
            text.push_str(&format!("{lines} lines, {encoding}\n{}\n", out::tame(preview)));
        }
        Content::Image(image) => text.push_str(&format!(
            "{} {}×{}, {} frames, {} ms, {}\n",
            image.format, image.width, image.height, image.frames, image.duration_ms, image.color
        )),
        Content::Binary { magic } => text.push_str(&format!("binary, begins with {magic}\n")),
    }
    for note in &sample.notes {
        text.push_str(&format!("note: {}\n", out::tame(note)));
    }
    text
}

fn describe_table(table: &Table) -> String {
    let about = if table.rows_estimated { "about " } else { "" };
    let mut rows = vec![["column", "type", "missing", "distinct", "from", "to"].map(str::to_owned)];
    for column in &table.columns {
        let value = |value: &Option<serde_json::Value>| match value {
            Some(serde_json::Value::String(text)) => cell(text),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let kind = serde_json::to_value(column.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned));
        let more = if column.distinct_capped { "+" } else { "" };
        rows.push([
            cell(&column.name),
            kind.unwrap_or_default(),
            column.missing.to_string(),
            format!("{}{more}", column.distinct),
            value(&column.min),
            value(&column.max),
        ]);
    }
    format!("{about}{} rows, {} columns\n{}", table.rows, table.columns.len(), grid(&rows))
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

fn cell(text: &str) -> String {
    crate::error::shorten(&out::tame(text).replace(['\n', '\t'], " "), 40)
}
