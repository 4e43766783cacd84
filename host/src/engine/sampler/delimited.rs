//! CSV and its relatives: read once, from beginning to end, in constant memory.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::ByteRecord;

use super::dialect::Found;
use super::encoding::{TextEncoding, Utf8Reader, Verdict};
use super::table::TableBuilder;
use super::{Finding, Input};
use crate::engine::sample::Content;

/// Bytes of one record. A longer one, mostly a quote that is never closed, ends the reading.
const MAX_RECORD: u64 = 8 * 1024 * 1024;

/// Samples a delimited text.
pub fn sample(input: &Input, how: TextEncoding, found: &Found) -> io::Result<Finding> {
    let mut how = how;
    // The beginning passed for UTF-8 but a later part is not: at most two new beginnings.
    for _ in 0..2 {
        let (result, verdict) = attempt(input, how, found);
        match verdict.instead.get() {
            Some(instead) => how = TextEncoding { bom: how.bom, ..instead },
            None => return result,
        }
    }
    attempt(input, TextEncoding { damaged: true, ..how }, found).0
}

fn attempt(input: &Input, how: TextEncoding, found: &Found) -> (io::Result<Finding>, Rc<Verdict>) {
    let file = match input.whole(how.bom as u64) {
        Ok(file) => file,
        Err(e) => return (Err(e), Rc::default()),
    };
    let utf8 = Utf8Reader::new(file, how);
    let verdict = utf8.verdict();
    let guard = Guard { inner: utf8, since_record: Rc::default() };
    let pass = Pass::new();
    (pass.run(guard, input, how, found), verdict)
}

/// Ends the reading of a record that is too long. Without it, one record could fill the memory.
struct Guard<R> {
    inner: R,
    since_record: Rc<Cell<u64>>,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.since_record.get() > MAX_RECORD {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a record is too long"));
        }
        let n = self.inner.read(out)?;
        self.since_record.set(self.since_record.get() + n as u64);
        Ok(n)
    }
}

/// What one pass counts besides the table.
struct Pass {
    width: usize,
    index_column: bool,
    short: Odd,
    long: Odd,
    nul_bytes: bool,
    stopped: Option<String>,
}

/// Records that are not as wide as the header.
#[derive(Default)]
struct Odd {
    count: u64,
    first_line: u64,
}

impl Odd {
    fn note(&mut self, record: &ByteRecord) {
        if self.count == 0 {
            self.first_line = record.position().map_or(0, csv::Position::line);
        }
        self.count += 1;
    }
}

impl Pass {
    fn new() -> Self {
        Pass {
            width: 0,
            index_column: false,
            short: Odd::default(),
            long: Odd::default(),
            nul_bytes: false,
            stopped: None,
        }
    }

    fn run<R: Read>(mut self, guard: Guard<R>, input: &Input, how: TextEncoding, found: &Found) -> io::Result<Finding> {
        let since_record = Rc::clone(&guard.since_record);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(found.delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(64 * 1024)
            .from_reader(guard);
        let mut record = ByteRecord::new();
        let mut table: Option<TableBuilder> = None;
        let mut header: Option<ByteRecord> = None;
        let mut skip = found.preamble_records;
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.stop(error, reader.position().line())?;
                    break;
                }
            }
            since_record.set(0);
            if skip > 0 {
                skip -= 1;
            } else if let Some(table) = &mut table {
                self.row(table, &record);
            } else if found.header && header.is_none() {
                header = Some(record.clone());
            } else {
                // The first row of data decides whether there is an index column without a name.
                let mut begun = self.begin(header.as_ref(), &record, found);
                self.row(&mut begun, &record);
                table = Some(begun);
            }
        }
        let table = match table {
            Some(table) => table,
            None => self.begin(header.as_ref(), header.as_ref().unwrap_or(&ByteRecord::new()), found),
        };
        let mut notes = self.notes(found, how, input.size);
        let estimated = self.stopped.is_some();
        let (table, table_notes) = table.finish(estimated, (input.size > 0).then(|| found.dialect(how)));
        notes.extend(table_notes);
        let media_type = if found.delimiter == b'\t' { "text/tab-separated-values" } else { "text/csv" };
        Ok(Finding { media_type, content: Content::Table(table), notes })
    }

    /// Takes an error that ends the reading for a fact of the file, unless it is the system's.
    fn stop(&mut self, error: csv::Error, line: u64) -> io::Result<()> {
        let csv::ErrorKind::Io(error) = error.into_kind() else {
            self.stopped = Some(format!("reading stopped at line {line}"));
            return Ok(());
        };
        if error.kind() != io::ErrorKind::FileTooLarge {
            return Err(error);
        }
        self.stopped = Some(format!(
            "the record at line {line} is longer than 8 MiB (a quote that is never closed?): reading stopped there"
        ));
        Ok(())
    }

    /// The table with its column names, as pandas would have them.
    fn begin(&mut self, header: Option<&ByteRecord>, first: &ByteRecord, found: &Found) -> TableBuilder {
        let name = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(1_000)]).into_owned();
        let names: Vec<String> = match header {
            Some(header) if header.len() + 1 == first.len() => {
                self.index_column = true;
                std::iter::once("(index)".to_owned()).chain(header.iter().map(name)).collect()
            }
            Some(header) => header.iter().map(name).collect(),
            None => (0..first.len()).map(|i| i.to_string()).collect(),
        };
        self.width = names.len();
        TableBuilder::new(names, found.decimal)
    }

    fn row(&mut self, table: &mut TableBuilder, record: &ByteRecord) {
        if record.len() < self.width {
            self.short.note(record);
        } else if record.len() > self.width && !trailing_blank(record, self.width) {
            self.long.note(record);
        }
        // Cheap: the record is one slice, and zeros are searched for only until one is found.
        self.nul_bytes = self.nul_bytes || (table.rows < 10_000 && record.as_slice().contains(&0));
        table.push(|i| record.get(i));
    }

    fn notes(&self, found: &Found, how: TextEncoding, size: u64) -> Vec<String> {
        let mut notes = Vec::new();
        if size == 0 {
            notes.push("the file is empty".to_owned());
            return notes;
        }
        if how.guessed() {
            notes.push(format!("the encoding {} is guessed", how.python()));
        }
        if how.damaged {
            notes.push("a few bytes do not fit the encoding: read it with encoding_errors=\"replace\"".to_owned());
        }
        if found.preamble_records > 0 {
            notes.push(format!("the table begins below a preamble: read it with skiprows={}", found.preamble_lines));
        }
        if !found.header {
            notes.push("no header row: read it with header=None; columns are numbered from 0".to_owned());
        }
        if self.index_column {
            notes.push(
                "the header has one name less than the rows have values: pandas takes the first value as the index"
                    .to_owned(),
            );
        }
        for (odd, what, advice) in [
            (&self.short, "fewer", "the rest is missing"),
            (&self.long, "more", "pandas fails there unless told on_bad_lines=\"skip\""),
        ] {
            if odd.count > 0 {
                let rows = if odd.count == 1 { "row has" } else { "rows have" };
                notes.push(format!(
                    "ragged: {} {rows} {what} values than there are columns, first at line {}; {advice}",
                    odd.count, odd.first_line
                ));
            }
        }
        if self.nul_bytes {
            notes.push("contains NUL bytes".to_owned());
        }
        notes.extend(self.stopped.clone());
        notes
    }
}

/// A separator at the end of a row adds an empty value that pandas ignores.
fn trailing_blank(record: &ByteRecord, width: usize) -> bool {
    record.len() == width + 1 && record.get(width).is_some_and(<[u8]>::is_empty)
}
