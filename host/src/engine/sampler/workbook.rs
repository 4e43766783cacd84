//! Workbooks: every sheet, after the archive proved to be no bomb.
//!
//! XLSX is read cell by cell. Readers of XLS and ODS lay out a whole sheet in memory by what the file claims of its size,
//! so that a file of a kilobyte can ask for gigabytes: the process that samples has a ceiling, and its death is told.

use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader, Xls, Xlsx};

use super::sniff::magic;
use super::table::{MAX_COLUMNS, TableBuilder};
use super::{Finding, Input, archive, dialect};
use crate::engine::sample::{Content, Sheet, Table};

/// Bytes of a workbook that is looked into.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Bytes of all its parts when unpacked.
const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// Cells of all sheets together. Rows beyond are not counted.
const MAX_CELLS: u64 = 20_000_000;
const MAX_SHEETS: usize = 50;
/// Rows that the header is looked for in.
const HEADER_ROWS: usize = 30;
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Samples a ZIP archive: a workbook if it is one.
pub fn sample(input: &Input) -> io::Result<Finding> {
    let other = |media_type, note: String| {
        Ok(Finding { media_type, content: Content::Binary { magic: magic(&input.start) }, notes: vec![note] })
    };
    if input.start.get(30..).is_some_and(|s| s.starts_with(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")) {
        return foreign(input, Older::Ods);
    }
    if input.size > MAX_FILE {
        return archive::zip(input);
    }
    let bytes = input.read_all(MAX_FILE)?;
    match unpacked_size(&bytes) {
        Err(why) => other("application/zip", format!("{}: {why}", named_as(input))),
        Ok(Archive::Other) => archive::zip(input),
        Ok(Archive::Workbook) => {
            // The reader is foreign code facing anybody's file: a panic in it must not take the server along.
            match catch_unwind(AssertUnwindSafe(|| sheets(bytes))) {
                Ok(Ok(finding)) => Ok(finding),
                Ok(Err(why)) => other(XLSX, format!("a workbook that cannot be read: {why}")),
                Err(_) => other(XLSX, "a workbook that cannot be read: it is malformed".to_owned()),
            }
        }
    }
}

/// Workbooks of other formats.
#[derive(Clone, Copy)]
pub enum Older {
    /// Of Excel before 2007.
    Xls,
    /// OpenDocument.
    Ods,
}

/// Samples a workbook that is no XLSX.
pub fn foreign(input: &Input, kind: Older) -> io::Result<Finding> {
    let (media_type, words) = match kind {
        Older::Xls => ("application/vnd.ms-excel", "an old Office document, or an encrypted workbook"),
        Older::Ods => ("application/vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet"),
    };
    let unread = |why: &str| {
        let content = Content::Binary { magic: magic(&input.start) };
        let way_out = "save it as .xlsx without a password to have it read";
        Ok(Finding { media_type, content, notes: vec![format!("{words} that cannot be read ({why}): {way_out}")] })
    };
    if input.size > MAX_FILE {
        return unread("it is larger than 64 MiB");
    }
    let bytes = input.read_all(MAX_FILE)?;
    if matches!(kind, Older::Ods)
        && let Err(why) = unpacked_size(&bytes)
    {
        return unread(&why);
    }
    let read = catch_unwind(AssertUnwindSafe(|| match kind {
        Older::Xls => Xls::new(Cursor::new(bytes)).map_err(|e| e.to_string()).map(|mut book| ranges(&mut book)),
        Older::Ods => Ods::new(Cursor::new(bytes)).map_err(|e| e.to_string()).map(|mut book| ranges(&mut book)),
    }));
    match read {
        Ok(Ok((sheets, notes))) => Ok(Finding { media_type, content: Content::Workbook { sheets }, notes }),
        Ok(Err(why)) => unread(&why),
        Err(_) => unread("it is malformed"),
    }
}

fn ranges<R: Reader<Cursor<Vec<u8>>>>(workbook: &mut R) -> (Vec<Sheet>, Vec<String>) {
    let names = workbook.sheet_names();
    let mut notes = Vec::new();
    if names.len() > MAX_SHEETS {
        notes.push(format!("{} sheets; the first {MAX_SHEETS} are described", names.len()));
    }
    let mut cells_left = MAX_CELLS;
    let mut sheets = Vec::new();
    for name in names.into_iter().take(MAX_SHEETS) {
        let Ok(range) = workbook.worksheet_range(&name) else {
            notes.push(format!("sheet `{name}` cannot be read"));
            continue;
        };
        let first = range.start().unwrap_or_default();
        let (mut rows, mut cut) = (Rows::default(), false);
        for (line, cells) in range.rows().enumerate() {
            if cells_left < cells.len() as u64 {
                cut = true;
                break;
            }
            cells_left -= cells.len() as u64;
            rows.too_wide |= cells.len() + first.1 as usize > MAX_COLUMNS;
            let before = std::iter::repeat_n(None, (first.1 as usize).min(MAX_COLUMNS));
            let row: Row = before.chain(cells.iter().map(data_text)).take(MAX_COLUMNS).collect();
            rows.push(first.0.saturating_add(u32::try_from(line).unwrap_or(u32::MAX)), row);
        }
        let (table, sheet_notes) = rows.finish(cut);
        notes.extend(sheet_notes.into_iter().map(|note| format!("sheet `{name}`: {note}")));
        sheets.push(Sheet { name, table });
    }
    (sheets, notes)
}

fn named_as(input: &Input) -> &'static str {
    if input.is_named(&["xlsx", "xlsm"]) {
        "a workbook that cannot be read"
    } else {
        "a ZIP archive that cannot be read"
    }
}

enum Archive {
    Workbook,
    Other,
}

/// Unpacks every part into nothing, to learn its true size: the directory of an archive may lie.
fn unpacked_size(bytes: &[u8]) -> Result<Archive, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    if archive.index_for_name("xl/workbook.xml").is_none() {
        return Ok(Archive::Other);
    }
    let mut left = MAX_UNPACKED;
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(|e| e.to_string())?;
        let strings = part.name().map_err(|e| e.to_string())?.to_lowercase().ends_with("sharedstrings.xml");
        let mut part = part.take(left + 1);
        let mut head = Vec::new();
        part.by_ref().take(if strings { 4096 } else { 0 }).read_to_end(&mut head).map_err(|e| e.to_string())?;
        let unpacked = head.len() as u64 + io::copy(&mut part, &mut io::sink()).map_err(|e| e.to_string())?;
        if unpacked > left {
            return Err("it unpacks to more than 512 MiB".to_owned());
        }
        // The reader reserves memory for as many strings as the file claims to have; each takes `<si/>` at least.
        if strings && claimed_count(&head).is_none_or(|n| n > unpacked / 5) {
            return Err("its table of strings claims an impossible length".to_owned());
        }
        left -= unpacked;
    }
    Ok(Archive::Workbook)
}

/// The largest number among the attributes of a table of strings; `None` if the text does not begin with its tag.
fn claimed_count(head: &[u8]) -> Option<u64> {
    let text =
        std::str::from_utf8(head.trim_ascii_start()).or_else(|e| std::str::from_utf8(&head[..e.valid_up_to()])).ok()?;
    let mut text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("<?xml") {
        text = text.split_once("?>")?.1.trim_start();
    }
    let tag = text.strip_prefix('<')?;
    let name = tag.split(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/').next()?;
    if name.rsplit(':').next()? != "sst" {
        return None;
    }
    // The tag ends at the first `>` that is not inside of a quoted value.
    let mut quote = None;
    let end = tag.find(|c| {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        c == '>' && quote.is_none()
    })?;
    let numbers = tag[..end].split(['"', '\'']).filter(|s| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()));
    Some(numbers.map(|s| s.parse().unwrap_or(u64::MAX)).max().unwrap_or(0))
}

fn sheets(bytes: Vec<u8>) -> Result<Finding, String> {
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let names = workbook.sheet_names();
    let mut notes = Vec::new();
    if names.len() > MAX_SHEETS {
        notes.push(format!("{} sheets; the first {MAX_SHEETS} are described", names.len()));
    }
    let mut cells_left = MAX_CELLS;
    let mut sheets = Vec::new();
    for name in names.into_iter().take(MAX_SHEETS) {
        match sheet(&mut workbook, &name, &mut cells_left) {
            Ok((table, sheet_notes)) => {
                notes.extend(sheet_notes.into_iter().map(|note| format!("sheet `{name}`: {note}")));
                sheets.push(Sheet { name, table });
            }
            Err(why) => notes.push(format!("sheet `{name}` cannot be read: {why}")),
        }
    }
    Ok(Finding { media_type: XLSX, content: Content::Workbook { sheets }, notes })
}

/// Cells of a row as text; empty ones at the end are left out.
type Row = Vec<Option<String>>;

fn sheet(
    workbook: &mut Xlsx<Cursor<Vec<u8>>>,
    name: &str,
    cells_left: &mut u64,
) -> Result<(Table, Vec<String>), String> {
    let mut reader = workbook.worksheet_cells_reader(name).map_err(|e| e.to_string())?;
    let mut rows = Rows::default();
    let (mut at, mut row) = (0_u32, Row::new());
    let mut cut = false;
    while let Some(cell) = reader.next_cell().map_err(|e| e.to_string())? {
        if *cells_left == 0 {
            cut = true;
            break;
        }
        *cells_left -= 1;
        let (line, column) = cell.get_position();
        if line != at {
            rows.push(at, std::mem::take(&mut row));
            at = line;
        }
        let column = column as usize;
        let Some(text) = cell_text(cell.get_value()) else { continue };
        if column < MAX_COLUMNS {
            if row.len() <= column {
                row.resize(column + 1, None);
            }
            row[column] = Some(text);
        } else {
            rows.too_wide = true;
        }
    }
    rows.push(at, row);
    Ok(rows.finish(cut))
}

/// Rows on their way into a table: the first are held back until the header is found.
#[derive(Default)]
struct Rows {
    held: Vec<Row>,
    table: Option<TableBuilder>,
    /// The line of the sheet that comes next.
    next_line: u32,
    notes: Vec<String>,
    too_wide: bool,
}

impl Rows {
    fn push(&mut self, line: u32, row: Row) {
        let blank = row.iter().all(Option::is_none);
        if blank {
            return;
        }
        // Blank rows between others are rows without values, as pandas has them.
        let gap = line.saturating_sub(self.next_line);
        self.next_line = line.saturating_add(1);
        match &mut self.table {
            Some(table) => {
                table.push_blank(u64::from(gap));
                table.push(|i| row.get(i).and_then(|c| c.as_deref()).map(str::as_bytes));
            }
            None => {
                self.held.extend(std::iter::repeat_n(Row::new(), (gap as usize).min(HEADER_ROWS * 2)));
                self.held.push(row);
                if self.held.len() >= HEADER_ROWS {
                    self.begin();
                }
            }
        }
    }

    /// Finds the header in the rows held back and begins the table.
    fn begin(&mut self) {
        let width = self.held.iter().map(Vec::len).max().unwrap_or(0);
        let text = |row: &Row| -> Vec<String> {
            (0..width).map(|i| row.get(i).cloned().flatten().unwrap_or_default()).collect()
        };
        let texts: Vec<Vec<String>> = self.held.iter().map(text).collect();
        let views: Vec<&[String]> = texts.iter().map(Vec::as_slice).collect();
        let blank = views.iter().take_while(|r| r.iter().all(String::is_empty)).count();
        let above = blank + dialect::preamble(&views[blank..]);
        let header = dialect::has_header(&views[above..], b'.');
        if above > 0 {
            self.notes.push(format!("the header is in row {}: read it with skiprows={above}", above + 1));
        }
        let names = match texts.get(above) {
            Some(names) if header => names.clone(),
            _ => {
                if width > 0 {
                    self.notes.push("no header row: read it with header=None; columns are numbered from 0".to_owned());
                }
                (0..width).map(|i| i.to_string()).collect()
            }
        };
        let mut table = TableBuilder::new(names, b'.');
        for row in self.held.iter().skip(above + usize::from(header)) {
            table.push(|i| row.get(i).and_then(|c| c.as_deref()).map(str::as_bytes));
        }
        self.held = Vec::new();
        self.table = Some(table);
    }

    fn finish(mut self, cut: bool) -> (Table, Vec<String>) {
        if self.table.is_none() {
            self.begin();
        }
        if self.too_wide {
            self.notes.push(format!("more than {MAX_COLUMNS} columns; the first {MAX_COLUMNS} are described"));
        }
        if cut {
            self.notes.push("more than 20 million cells: the rest was not read".to_owned());
        }
        let (table, notes) = self.table.map(|t| t.finish(cut, None)).unwrap_or_default();
        self.notes.extend(notes);
        (table, self.notes)
    }
}

/// A cell as text that reads like the same cell of a CSV; `None` if it is empty.
fn cell_text(value: &DataRef<'_>) -> Option<String> {
    match value {
        DataRef::Empty => None,
        DataRef::Int(i) => Some(i.to_string()),
        DataRef::Float(f) => Some(f.to_string()),
        DataRef::String(s) | DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => Some(s.clone()),
        DataRef::SharedString(s) => Some((*s).to_owned()),
        DataRef::Bool(b) => Some(if *b { "True" } else { "False" }.to_owned()),
        DataRef::DateTime(at) => Some(date_text(at)),
        DataRef::Error(e) => Some(e.to_string()),
    }
}

/// The same for a cell that was laid out in memory.
fn data_text(value: &Data) -> Option<String> {
    match value {
        Data::Empty => None,
        Data::Int(i) => Some(i.to_string()),
        Data::Float(f) => Some(f.to_string()),
        Data::String(s) | Data::DateTimeIso(s) | Data::DurationIso(s) => Some(s.clone()).filter(|s| !s.is_empty()),
        Data::Bool(b) => Some(if *b { "True" } else { "False" }.to_owned()),
        Data::DateTime(at) => Some(date_text(at)),
        Data::Error(e) => Some(e.to_string()),
    }
}

fn date_text(at: &ExcelDateTime) -> String {
    if !at.is_datetime() {
        return at.as_f64().to_string();
    }
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let midnight = (hour, minute, second) == (0, 0, 0);
    if midnight { date } else { format!("{date} {hour:02}:{minute:02}:{second:02}") }
}
