//! Archives, and files that the image's Python cannot open: what the sampler learned of them.

use serde_json::Value;

use super::super::python::{plain, py_list, py_str};
use super::Script;
use crate::engine::sample::{Content, Sample, Table};

/// Most columns, rows and characters of text that a program repeats from a sample.
const MAX_COLUMNS: usize = 60;
const MAX_TEXT: usize = 3000;

/// Lists an archive.
pub fn archive(script: &mut Script, file: &str, format: &str) {
    script.import("import pandas as pd");
    let name = py_str(file);
    if format == "zip" {
        script.import("import zipfile");
        script.line(format!("with zipfile.ZipFile({name}) as archive:"));
        script.line(
            "    rows = [(entry.filename, entry.file_size) for entry in archive.infolist() if not entry.is_dir()]",
        );
    } else {
        script.import("import tarfile");
        script.line(format!("with tarfile.open({name}) as archive:"));
        script.line("    rows = [(entry.name, entry.size) for entry in archive if entry.isfile()]");
    }
    script.lines(
        "result = pd.DataFrame(rows, columns=['file', 'bytes'])
result.to_csv('archive-contents.csv', index=False)
print(f\"{len(result):,} files with {result['bytes'].sum():,} bytes once unpacked.\")
result",
    );
}

/// Tells what the sampler knows of a file, for the image's Python cannot open it.
pub fn known(script: &mut Script, file: &str, what: &str, lacks: &str, samples: &[Sample]) {
    let say = format!("{} is {what}; {lacks}. What follows was learned when the file was sampled.", plain(file));
    script.line(format!("print({})", py_str(&say)));
    let Some(sample) = samples.iter().find(|sample| sample.name == file) else { return };
    match &sample.content {
        Content::Table(one) => table(script, "", one),
        Content::Workbook { sheets: tables } | Content::Database { tables } => {
            for one in tables.iter().take(8) {
                table(script, &one.name, &one.table);
            }
        }
        Content::Document(document) => {
            script.line(format!("print('It has {} pages.')", document.pages));
            script.line(format!("text = {}", py_str(&clip(&document.preview))));
            script.line("print(text if text else 'No text was found on its first pages; it may be a scan.')");
        }
        Content::Archive(archive) => {
            let names: Vec<&str> = archive.entries.iter().take(MAX_COLUMNS).map(|entry| entry.name.as_str()).collect();
            script.line(format!(
                "print('It holds {} files, {} bytes once unpacked.')",
                archive.files, archive.unpacked_bytes
            ));
            script.line(format!("names = {}", py_list(&names)));
            script.line("names");
        }
        _ => {}
    }
}

fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

fn table(script: &mut Script, name: &str, table: &Table) {
    script.import("import pandas as pd");
    let of = if name.is_empty() { String::new() } else { format!("Table {}: ", plain(name)) };
    script.step(&format!("{of}columns as the sampler found them"));
    let about = if table.rows_estimated { "about " } else { "" };
    let say = format!("{of}{about}{} rows and {} columns.", table.rows, table.columns.len());
    script.line(format!("print({})", py_str(&say)));
    script.line("columns = pd.DataFrame(");
    script.line("    [");
    for column in table.columns.iter().take(MAX_COLUMNS) {
        let kind = format!("{:?}", column.kind).to_lowercase();
        script.line(format!(
            "        ({}, '{kind}', {}, {}, {}, {}),",
            py_str(&column.name),
            column.missing,
            column.distinct,
            literal(column.min.as_ref()),
            literal(column.max.as_ref()),
        ));
    }
    script.line("    ],");
    script.line("    columns=['column', 'type', 'missing', 'distinct', 'smallest', 'largest'],");
    script.line(")");
    script.line("display(columns)");
}

fn literal(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => py_str(&text.chars().take(60).collect::<String>()),
        _ => "None".into(),
    }
}
