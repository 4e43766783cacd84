//! How a delimited text is written: separator, header, decimal mark, lines before the table.

use super::Input;
use super::cell;
use super::date;
use super::encoding::{self, TextEncoding};
use crate::engine::sample::Dialect;

/// Characters of a file that are looked at.
const LOOKED_AT: usize = 64 * 1024;
/// Records that are looked at.
const RECORDS: usize = 200;
/// Rows above the table that are skipped at most.
const MAX_PREAMBLE: usize = 20;

/// What was found out.
#[derive(Clone, Debug)]
pub struct Found {
    /// Field separator.
    pub delimiter: u8,
    /// True if the first row holds names.
    pub header: bool,
    /// `b'.'` or `b','`.
    pub decimal: u8,
    /// Records above the table, such as a title.
    pub preamble_records: usize,
    /// The lines that these fill, for `skiprows`.
    pub preamble_lines: u64,
}

impl Found {
    /// As shown to users.
    pub fn dialect(&self, encoding: TextEncoding) -> Dialect {
        Dialect {
            delimiter: (self.delimiter as char).to_string(),
            header: self.header,
            encoding: encoding.python(),
            decimal: (self.decimal as char).to_string(),
        }
    }
}

/// Finds out how `input` is written; `None` if it is no table.
pub fn sniff(input: &Input, how: TextEncoding) -> Option<Found> {
    let named_table = input.is_named(&["csv", "tsv", "tab", "psv"]);
    let prose = [
        "md", "markdown", "rst", "log", "py", "rs", "js", "ts", "mjs", "css", "html", "htm", "xml", "svg", "yaml",
        "yml", "toml", "ini", "cfg", "conf", "sql", "sh", "r", "jl", "java", "c", "h", "cpp", "go", "rb", "php", "tex",
        "ipynb", "lock", "srt", "vtt", "env",
    ];
    if input.is_named(&prose) {
        return None;
    }
    let limit = input.start.len().min(LOOKED_AT * 2);
    let mut text = encoding::decode(&input.start[..limit], how);
    if limit < input.start.len() || !input.complete() {
        // The last line may be cut: judge by whole lines.
        text.truncate(text.rfind(['\n', '\r']).map_or(text.len(), |at| at + 1));
    }
    let default = if input.is_named(&["tsv", "tab"]) { b'\t' } else { b',' };
    let best = best_delimiter(&text);
    let (delimiter, rows) = match best {
        Some(candidate) if named_table || candidate.convinces() => (candidate.delimiter, candidate.rows),
        _ if named_table => (default, parse(&text, default)),
        _ => return None,
    };
    Some(describe(delimiter, &rows))
}

/// A record of the file and the line it begins on.
type Row = (u64, Vec<String>);

struct Candidate {
    delimiter: u8,
    rows: Vec<Row>,
    /// Fields of most records.
    width: usize,
    /// Share of the records with that many.
    consistency: f64,
    score: f64,
}

impl Candidate {
    /// Enough of a table to take a file for one whose name doesn't say so.
    fn convinces(&self) -> bool {
        self.width > 1 && self.rows.len() >= 3 && self.consistency >= 0.95
    }
}

fn best_delimiter(text: &str) -> Option<Candidate> {
    // On a tie the first wins: a comma occurs in prose, a tab does not.
    let candidates = [b'\t', b';', b'|', b','].into_iter().filter_map(|d| candidate(text, d));
    candidates.reduce(|best, next| if next.score > best.score + 0.02 { next } else { best })
}

fn candidate(text: &str, delimiter: u8) -> Option<Candidate> {
    let rows = parse(text, delimiter);
    let width = common_width(rows.iter().map(|(_, r)| r.len()))?;
    if width < 2 {
        return None;
    }
    let regular = rows.iter().filter(|(_, r)| r.len() == width).count();
    let consistency = regular as f64 / rows.len() as f64;
    let (mut cells, mut typed) = (0_usize, 0_usize);
    for cell in rows.iter().skip(1).flat_map(|(_, r)| r) {
        cells += 1;
        typed += usize::from(is_typed(cell, b'.') || (delimiter != b',' && is_typed(cell, b',')));
    }
    let score = consistency + 0.3 * typed as f64 / cells.max(1) as f64 + 0.02 * width.min(10) as f64 / 10.0;
    Some(Candidate { delimiter, rows, width, consistency, score })
}

fn parse(text: &str, delimiter: u8) -> Vec<Row> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.byte_records().take(RECORDS) {
        let Ok(record) = record else { break };
        let line = record.position().map_or(1, csv::Position::line);
        // Of a row wider than anybody's table, the beginning will do.
        let cells = record
            .iter()
            .take(5_000)
            .map(|cell| String::from_utf8_lossy(&cell[..cell.len().min(200)]).trim().to_owned());
        rows.push((line, cells.collect()));
    }
    rows
}

/// The most common width; of equally common ones the largest.
fn common_width(widths: impl Iterator<Item = usize>) -> Option<usize> {
    let mut counts = std::collections::BTreeMap::new();
    for width in widths {
        *counts.entry(width).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map(|(width, _)| width)
}

fn describe(delimiter: u8, rows: &[Row]) -> Found {
    let cells: Vec<&[String]> = rows.iter().map(|(_, r)| r.as_slice()).collect();
    let width = common_width(cells.iter().map(|row| row.len())).unwrap_or(0);
    // A header may begin with the sign of a comment, too, but it is as wide as the table.
    let comment = |row: &&&[String]| row.len() < width && row.first().is_some_and(|cell| cell.starts_with('#'));
    let comments = cells.iter().take(MAX_PREAMBLE).take_while(comment).count();
    let preamble = comments + preamble(&cells[comments..]);
    let table = &cells[preamble..];
    let decimal = if delimiter != b',' && decimal_comma(table) { b',' } else { b'.' };
    let preamble_lines = if preamble == 0 { 0 } else { rows.get(preamble).map_or(0, |(line, _)| line - 1) };
    Found { delimiter, header: has_header(table, decimal), decimal, preamble_records: preamble, preamble_lines }
}

/// Rows above the table: few cells each, where the table has many.
pub fn preamble(rows: &[&[String]]) -> usize {
    let filled = |row: &[String]| row.iter().filter(|c| !c.is_empty()).count();
    let Some(width) = common_width(rows.iter().map(|r| r.len())) else { return 0 };
    if width < 3 {
        return 0;
    }
    let short = rows.iter().take(MAX_PREAMBLE).take_while(|r| filled(r) * 2 < width.min(20)).count();
    // A table of mostly empty rows has no preamble.
    if short == rows.len() || short == MAX_PREAMBLE { 0 } else { short }
}

fn decimal_comma(rows: &[&[String]]) -> bool {
    let (mut commas, mut points) = (0_usize, 0_usize);
    for cell in rows.iter().flat_map(|r| r.iter()) {
        if cell.contains(',') {
            commas += usize::from(cell::number(cell.as_bytes(), b',').is_some());
        } else if cell.contains('.') {
            points += usize::from(cell::number(cell.as_bytes(), b'.').is_some());
        }
    }
    commas > points
}

fn is_typed(cell: &str, decimal: u8) -> bool {
    let bytes = cell.as_bytes();
    cell::number(bytes, decimal).is_some() || date::date(bytes).is_some()
}

/// Whether the first row names the columns: votes of the columns, each by how the first cell differs from the rest.
pub fn has_header(rows: &[&[String]], decimal: u8) -> bool {
    let Some((first, rest)) = rows.split_first() else { return true };
    let mut votes = 0_i32;
    for (i, name) in first.iter().enumerate() {
        let values = || rest.iter().filter_map(|r| r.get(i)).filter(|c| cell::missing(c.as_bytes()).is_none());
        let count = values().count();
        if count == 0 {
            continue;
        }
        let typed = values().filter(|c| is_typed(c, decimal) || cell::boolean(c.as_bytes()).is_some()).count();
        let name_typed = is_typed(name, decimal);
        if typed * 10 >= count * 8 {
            // Years as names of columns, above values that are no years.
            let year = |c: &str| c.len() == 4 && c.parse::<u16>().is_ok_and(|y| (1900..=2100).contains(&y));
            if name_typed {
                votes += if year(name) && !values().any(|c| year(c)) { 1 } else { -1 };
            } else if cell::missing(name.as_bytes()).is_none() {
                votes += 1;
            }
        } else if name_typed || (!name.is_empty() && values().any(|c| c == name)) {
            votes -= 1;
        }
    }
    if votes != 0 {
        return votes > 0;
    }
    // Nothing but text: names are there, short and different.
    let mut names: Vec<&String> = first.iter().filter(|n| !n.is_empty()).collect();
    let (filled, all) = (names.len(), first.len());
    let short = names.iter().all(|n| n.len() <= 60 && !is_typed(n, decimal));
    names.sort_unstable();
    names.dedup();
    filled > 0 && filled + 1 >= all && names.len() == filled && short
}
