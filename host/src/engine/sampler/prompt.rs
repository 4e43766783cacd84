//! Samples as compact text for a language model.
//!
//! Everything that a file brings along (its name, its columns, its cells) stands between quotes, with control and
//! layout characters escaped and lengths cut, so that a hostile file cannot pass for another part of the prompt.

use std::fmt::Write as _;

use serde_json::Value;

use crate::engine::sample::{Column, ColumnType, Content, Role, Sample, Sheet, StreamFacts, Table};

/// Bytes of a prompt's part on files, if nobody asks for another size.
pub const DEFAULT_PROMPT_BYTES: usize = 16 * 1024;

const NAME: usize = 120;
const CELL: usize = 40;
const NOTE: usize = 300;
const ROWS: usize = 5;
const CUT: &str = "  … (cut)\n";

/// Describes `samples` in at most `budget_bytes` bytes. If that is not enough for all, each file gets the same share,
/// and what a small one leaves over goes to the others.
pub fn to_prompt(samples: &[Sample], budget_bytes: usize) -> String {
    let described: Vec<Vec<String>> = samples.iter().map(describe).collect();
    let sizes: Vec<usize> = described.iter().map(|lines| lines.iter().map(String::len).sum()).collect();
    let allowances = shares(&sizes, budget_bytes);
    let mut prompt = String::new();
    for (lines, allowance) in described.iter().zip(allowances) {
        append(&mut prompt, lines, allowance);
    }
    prompt
}

/// Divides `budget`: nobody gets more than they need, and the rest is shared evenly.
fn shares(sizes: &[usize], budget: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|i| sizes[*i]);
    let mut shares = vec![0; sizes.len()];
    let mut left = budget;
    for (done, i) in order.iter().enumerate() {
        shares[*i] = sizes[*i].min(left / (sizes.len() - done));
        left -= shares[*i];
    }
    shares
}

fn append(prompt: &mut String, lines: &[String], allowance: usize) {
    let total: usize = lines.iter().map(String::len).sum();
    if total <= allowance {
        prompt.extend(lines.iter().map(String::as_str));
        return;
    }
    let mut left = allowance.saturating_sub(CUT.len());
    for line in lines {
        if line.len() > left {
            break;
        }
        prompt.push_str(line);
        left -= line.len();
    }
    if allowance >= CUT.len() {
        prompt.push_str(CUT);
    }
}

fn describe(sample: &Sample) -> Vec<String> {
    let mut lines =
        vec![format!("file {} ({}, {})\n", quote(&sample.name, NAME), bytes(sample.size), sample.media_type)];
    lines.extend(sample.notes.iter().take(10).map(|note| format!("  note: {}\n", plain(note, NOTE))));
    match &sample.content {
        Content::Table(table) => describe_table(table, &mut lines),
        Content::Workbook { sheets } => {
            describe_tables("sheet", sheets, &mut lines);
        }
        Content::Database { tables } => {
            describe_tables("table", tables, &mut lines);
        }
        Content::Document(document) => {
            let title = document.title.as_deref().map(|title| format!(", title {}", quote(title, NAME)));
            lines.push(format!("  {}, {} pages{}\n", document.format, document.pages, title.unwrap_or_default()));
            describe_preview(&document.preview, &mut lines);
        }
        Content::Media(media) => {
            lines.push(format!("  {}, {} ms\n", media.format, media.duration_ms));
            lines.extend(media.streams.iter().map(|stream| format!("  {}\n", describe_stream(stream))));
        }
        Content::Archive(archive) => {
            let about = if archive.files_estimated { "about " } else { "" };
            lines.push(format!(
                "  {} with {about}{} files, {} unpacked\n",
                archive.format,
                archive.files,
                bytes(archive.unpacked_bytes)
            ));
            lines.extend(
                archive
                    .entries
                    .iter()
                    .map(|entry| format!("  contains {} ({})\n", quote(&entry.name, NAME), bytes(entry.size))),
            );
            if let Some(inner) = &archive.inner {
                lines.extend(describe(inner).into_iter().map(|line| format!("  {line}")));
            }
        }
        Content::Json { structure, preview } => {
            lines.push(format!("  structure: {}\n", plain(structure, 1_000)));
            describe_preview(preview, &mut lines);
        }
        Content::Text { lines: count, encoding, preview } => {
            lines.push(format!("  text, {count} lines, encoding {encoding}\n"));
            describe_preview(preview, &mut lines);
        }
        Content::Image(image) => {
            let motion = if image.frames == 1 {
                String::new()
            } else {
                format!(", {} frames, {} ms", image.frames, image.duration_ms)
            };
            lines.push(format!("  image, {} × {} pixels{motion}, {}\n", image.width, image.height, image.color));
        }
        Content::Binary { magic } => lines.push(format!("  binary, begins with {magic}\n")),
    }
    lines
}

/// One stream of audio or video in words.
pub fn describe_stream(stream: &StreamFacts) -> String {
    let codec = plain(&stream.codec, 40);
    match stream.kind.as_str() {
        "video" => format!(
            "video {codec}, {} × {} pixels, {:.2} pictures a second, {} in all",
            stream.width, stream.height, stream.frames_per_second, stream.frames
        ),
        "audio" => format!("audio {codec}, {} channels, {} Hz", stream.channels, stream.sample_rate),
        kind => format!("{} {codec}", plain(kind, 40)),
    }
}

/// Several tables of one file: what they are, of all, before the rows of any.
fn describe_tables(word: &str, tables: &[Sheet], lines: &mut Vec<String>) {
    for sheet in tables {
        lines.push(format!("  {word} {}\n", quote(&sheet.name, NAME)));
        describe_schema(&sheet.table, lines);
    }
    for sheet in tables.iter().filter(|sheet| sheet.table.rows > 0) {
        lines.push(format!("  rows of {word} {}\n", quote(&sheet.name, NAME)));
        describe_rows(&sheet.table, lines);
    }
}

fn describe_table(table: &Table, lines: &mut Vec<String>) {
    describe_schema(table, lines);
    describe_rows(table, lines);
}

fn describe_schema(table: &Table, lines: &mut Vec<String>) {
    let about = if table.rows_estimated { "about " } else { "" };
    let mut line = format!("  table, {about}{} rows, {} columns", table.rows, table.columns.len());
    if let Some(dialect) = &table.dialect {
        let header = if dialect.header { "" } else { ", no header" };
        let decimal = if dialect.decimal == "." { "" } else { ", decimal comma" };
        let _ = write!(
            line,
            "; separator {}, encoding {}{header}{decimal}",
            quote(&dialect.delimiter, 4),
            dialect.encoding
        );
    }
    lines.push(line + "\n");
    lines.extend(table.columns.iter().map(describe_column));
}

fn describe_rows(table: &Table, lines: &mut Vec<String>) {
    for (i, row) in table.head.iter().take(ROWS.min(table.rows as usize)).enumerate() {
        let cells: Vec<String> =
            row.iter().take(30).map(|c| c.as_ref().map_or("null".to_owned(), |c| quote(c, CELL))).collect();
        let more = if row.len() > 30 { ", …" } else { "" };
        lines.push(format!("    row {}: {}{more}\n", i + 1, cells.join(", ")));
    }
}

fn describe_column(column: &Column) -> String {
    let mut line = format!("    {}: {}, {}", quote(&column.name, NAME), kind(column.kind), role(column.role));
    if let Some(format) = &column.date_format {
        let _ = write!(line, ", format {format}");
    }
    if column.missing > 0 {
        let _ = write!(line, ", {} missing", column.missing);
    }
    let _ = write!(line, ", {}{} distinct", if column.distinct_capped { "at least " } else { "" }, column.distinct);
    let by_values = matches!(column.kind, ColumnType::Text | ColumnType::Boolean) || column.role == Role::Category;
    if by_values && !column.top.is_empty() {
        let top: Vec<String> =
            column.top.iter().map(|(value, count)| format!("{} ×{count}", quote(value, CELL))).collect();
        let _ = write!(line, ": {}", top.join(", "));
    } else if let (Some(min), Some(max)) = (&column.min, &column.max) {
        let _ = write!(line, ", {} .. {}", value(min), value(max));
        if let Some([first, median, third]) = column.quartiles {
            let _ = write!(line, ", quartiles {} {} {}", number(first), number(median), number(third));
        }
        if let Some(mean) = column.mean {
            let _ = write!(line, ", mean {}", number(mean));
        }
    }
    line + "\n"
}

fn describe_preview(preview: &str, lines: &mut Vec<String>) {
    lines.extend(preview.lines().take(60).map(|line| format!("    | {}\n", plain(line, 160))));
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text, CELL),
        number => number.to_string(),
    }
}

/// Four digits that matter, also of what is very small or very large.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e15).contains(&size) {
        format!("{value:.3e}")
    } else {
        format!("{}", (value * 1e4).round() / 1e4)
    }
}

fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "integer",
        ColumnType::Float => "float",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Datetime => "datetime",
        ColumnType::Text => "text",
        ColumnType::Empty => "empty",
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Id => "id",
        Role::Category => "category",
        Role::Measure => "measure",
        Role::Time => "time",
        Role::Geo => "place",
        Role::Text => "free text",
    }
}

fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", size as f64 / 1024.0),
        _ => format!("{:.1} MiB", size as f64 / 1_048_576.0),
    }
}

/// `text` between quotes: at most `most` characters, quotes escaped.
fn quote(text: &str, most: usize) -> String {
    format!("\"{}\"", escape(text, most, true))
}

/// `text` as part of one line: at most `most` characters.
fn plain(text: &str, most: usize) -> String {
    escape(text, most, false)
}

fn escape(text: &str, most: usize, quotes: bool) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == most {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' if quotes => out.push_str("\\\""),
            '\\' if quotes => out.push_str("\\\\"),
            // Would end a fenced block around the prompt.
            '`' if text.contains("```") => out.push_str("\\u{60}"),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that change the order or the lines of a text without being seen.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_need_leaves_its_rest_to_the_others() {
        assert_eq!(shares(&[10, 1000, 1000], 510), [10, 250, 250]);
        assert_eq!(shares(&[10, 20], 100), [10, 20]);
        assert_eq!(shares(&[], 100), [0; 0]);
    }

    #[test]
    fn the_tables_of_a_database_are_all_named_before_the_rows_of_any() {
        let table = Table { rows: 1, head: vec![vec![Some("x".repeat(30))]; 1], ..Table::default() };
        let tables = ["first", "second"].map(|name| Sheet { name: name.to_owned(), table: table.clone() });
        let sample = Sample {
            name: "a.sqlite".to_owned(),
            size: 1,
            media_type: "application/vnd.sqlite3".to_owned(),
            content: Content::Database { tables: tables.into() },
            notes: Vec::new(),
        };
        let prompt = to_prompt(&[sample], 4_096);
        let at = |words: &str| prompt.find(words).unwrap_or_else(|| panic!("no `{words}` in {prompt}"));
        assert!(at("table \"second\"") < at("rows of table \"first\""), "{prompt}");
    }

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        assert_eq!([0.0, 12.5, 0.123_456, 1e-7, 2e20].map(number), ["0", "12.5", "0.1235", "1.000e-7", "2.000e20"]);
    }

    #[test]
    fn hostile_characters_are_escaped() {
        assert_eq!(quote("a\"\nfile \u{202e}x```", 50), "\"a\\\"\\nfile \\u{202e}x\\u{60}\\u{60}\\u{60}\"");
        assert_eq!(quote("abcdef", 3), "\"abc…\"");
    }
}
