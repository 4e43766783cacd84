//! Archives: listed, not unpacked; a single compressed table is looked into. Sizes that an archive claims are shown as
//! claims and never believed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::sniff::magic;
use super::{Finding, Input, clip, read};
use crate::engine::sample::{ArchiveEntry, ArchiveFacts, Content, Sample};

/// Entries that are listed; more are counted.
const LISTED: usize = 50;
/// Entries that are counted.
const MAX_ENTRIES: u64 = 100_000;
/// Bytes that are unpacked in search of entries (tar in gzip) or to look into a table.
const MAX_UNPACKED: u64 = 256 * 1024 * 1024;
/// Bytes of a ZIP archive's directory: some 50 for each entry.
const MAX_DIRECTORY: u64 = 64 * 1024 * 1024;
/// How often as large as the archive its content may be to be looked into: text seldom shrinks to less than a hundredth.
const MAX_RATIO: u64 = 200;
/// Bytes of an entry's name that are shown.
const NAME: usize = 200;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Entries after one another.
    Tar,
    /// One stream of gzip: of a tar archive, or of a file.
    Gzip,
    /// One stream of Zstandard: of a tar archive, or of a file.
    Zstd,
}

/// Samples a ZIP archive that is no workbook.
pub fn zip(input: &Input) -> io::Result<Finding> {
    let file = BoundedDirectory { file: &input.file, left: MAX_DIRECTORY + super::START as u64 };
    let mut archive = match zip::ZipArchive::new(file) {
        Ok(archive) => archive,
        Err(error) => {
            return Ok(unread(input, "application/zip", &format!("a ZIP archive that cannot be read: {error}")));
        }
    };
    let mut notes = Vec::new();
    let mut facts = ArchiveFacts {
        format: "zip".to_owned(),
        files: 0,
        files_estimated: false,
        unpacked_bytes: 0,
        entries: Vec::new(),
        inner: None,
    };
    let mut only = None;
    for at in 0..archive.len() {
        // Raw: nothing is unpacked, and an encrypted entry can be listed.
        let Ok(entry) = archive.by_index_raw(at) else { continue };
        if entry.is_dir() {
            continue;
        }
        let name = entry
            .name()
            .map_or_else(|_| String::from_utf8_lossy(entry.name_raw()).into_owned(), |name| name.into_owned());
        if entry.encrypted() && notes.is_empty() {
            notes.push("entries are encrypted: unpack it with its password first".to_owned());
        }
        facts.add(&name, entry.size());
        only = (facts.files == 1 && !entry.encrypted()).then_some((at, name));
    }
    if let Some((at, name)) = only.filter(|_| facts.files == 1) {
        match archive.by_index(at) {
            Ok(entry) => facts.inner = look_into(input, &name, entry, &mut notes)?,
            Err(error) => notes.push(format!("its only file cannot be unpacked: {error}")),
        }
    }
    Ok(Finding { media_type: "application/zip", content: Content::Archive(facts), notes })
}

/// Samples a tar archive, or a compressed file.
pub fn packed(input: &Input, packing: Packing) -> io::Result<Finding> {
    let (media_type, name) = match packing {
        Packing::Tar => return tar(input, input.reader(0)?, "application/x-tar", "tar"),
        Packing::Gzip => ("application/gzip", "gzip"),
        Packing::Zstd => ("application/zstd", "zstd"),
    };
    let open = || -> io::Result<Box<dyn Read + '_>> {
        let reader = io::BufReader::new(input.reader(0)?);
        Ok(match packing {
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(reader)?;
                // 2^27 bytes, what the format's own tool accepts: a stream may ask for gigabytes.
                decoder.window_log_max(27)?;
                Box::new(decoder)
            }
            _ => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        })
    };
    let mut start = Vec::new();
    if let Err(error) = open()?.take(512).read_to_end(&mut start) {
        return Ok(unread(input, media_type, &format!("compressed with {name}, and cannot be unpacked: {error}")));
    }
    if start.get(257..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return tar(input, open()?, media_type, &format!("tar.{}", if name == "gzip" { "gz" } else { "zst" }));
    }
    let mut notes = Vec::new();
    let inside = inner_name(&input.name);
    let mut facts = ArchiveFacts {
        format: name.to_owned(),
        files: 0,
        files_estimated: false,
        unpacked_bytes: 0,
        entries: Vec::new(),
        inner: look_into(input, &inside, open()?, &mut notes)?,
    };
    // A compressed stream does not say its size: it is known if it was unpacked.
    facts.add(&inside, facts.inner.as_ref().map_or(0, |inner| inner.size));
    Ok(Finding { media_type, content: Content::Archive(facts), notes })
}

fn tar(input: &Input, reader: impl Read, media_type: &'static str, format: &str) -> io::Result<Finding> {
    let mut facts = ArchiveFacts {
        format: format.to_owned(),
        files: 0,
        files_estimated: false,
        unpacked_bytes: 0,
        entries: Vec::new(),
        inner: None,
    };
    let mut notes = Vec::new();
    let limit = MAX_UNPACKED.max(if format == "tar" { input.size } else { 0 });
    let mut archive = tar::Archive::new(reader.take(limit));
    let mut position = 0;
    match archive.entries() {
        Ok(entries) => {
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        facts.files_estimated = true;
                        notes.push(if position >= limit {
                            "larger than 256 MiB unpacked: listed up to there".to_owned()
                        } else {
                            format!("it is damaged or cut off: {error}")
                        });
                        break;
                    }
                };
                position = entry.raw_file_position().saturating_add(entry.size());
                if !entry.header().entry_type().is_file() {
                    continue;
                }
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                facts.add(&name, entry.size());
                if facts.files >= MAX_ENTRIES {
                    facts.files_estimated = true;
                    break;
                }
            }
        }
        Err(error) => return Ok(unread(input, media_type, &format!("a tar archive that cannot be read: {error}"))),
    }
    Ok(Finding { media_type, content: Content::Archive(facts), notes })
}

impl ArchiveFacts {
    fn add(&mut self, name: &str, size: u64) {
        self.files += 1;
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(size);
        if self.entries.len() < LISTED {
            self.entries.push(ArchiveEntry { name: clip(name.as_bytes(), NAME, name.len() > NAME), size });
        }
    }
}

/// Unpacks the only file of an archive, within bounds, and samples it if it is a table.
fn look_into(
    input: &Input,
    name: &str,
    mut content: impl Read,
    notes: &mut Vec<String>,
) -> io::Result<Option<Box<Sample>>> {
    let limit = MAX_UNPACKED.min(input.size.saturating_mul(MAX_RATIO).max(1 << 20));
    let mut file = unpacked()?;
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => {
                notes.push(format!("its file is damaged: {error}"));
                return Ok(None);
            }
        };
        size += count as u64;
        if size > limit {
            notes.push(format!("unpacked it is larger than {} MiB: not looked into", limit >> 20));
            return Ok(None);
        }
        file.write_all(&buffer[..count])?;
    }
    file.seek(SeekFrom::Start(0))?;
    let sample = read(name, file, size)?;
    Ok(matches!(sample.content, Content::Table(_)).then(|| Box::new(sample)))
}

/// Memory that reads like a file: the process that samples may have no place to write to.
fn unpacked() -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create("glovebox-unpacked", rustix::fs::MemfdFlags::CLOEXEC)?))
}

/// The name of what is in `data.csv.gz`.
fn inner_name(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.rsplit_once('.') {
        Some((stem, "gz" | "gzip" | "zst" | "zstd")) if !stem.is_empty() => stem.to_owned(),
        Some((stem, "tgz")) => format!("{stem}.tar"),
        _ => file.to_owned(),
    }
}

fn unread(input: &Input, media_type: &'static str, why: &str) -> Finding {
    let content = Content::Binary { magic: magic(&input.start) };
    Finding { media_type, content, notes: vec![why.to_owned()] }
}

/// A file of which a bounded number of bytes is read: a directory may claim to be as long as the archive.
struct BoundedDirectory<'a> {
    file: &'a File,
    left: u64,
}

impl Read for BoundedDirectory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(io::Error::other("its directory is too long"));
        }
        let count = self.file.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Seek for BoundedDirectory<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sample_of(name: &str, bytes: &[u8]) -> Sample {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        read(name, file, bytes.len() as u64).unwrap()
    }

    fn archive(sample: &Sample) -> &ArchiveFacts {
        let Content::Archive(facts) = &sample.content else { panic!("{sample:?}") };
        facts
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            // Set by hand: the builder refuses hostile names.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    const CSV: &[u8] = b"city,people\nBern,134794\nBasel,173863\n";

    #[test]
    fn archives_are_listed_with_the_names_that_they_have() {
        let files: [(&str, &[u8]); 2] = [("a.csv", CSV), ("../../etc/passwd", b"root")];
        let plain = tar_of(&files);
        for (name, bytes) in [("a.tar", plain.clone()), ("a.tar.gz", gzip(&plain)), ("a.zip", zip_of(&files))] {
            let sample = sample_of(name, &bytes);
            let facts = archive(&sample);
            assert_eq!((facts.files, facts.unpacked_bytes), (2, CSV.len() as u64 + 4), "{name}");
            assert_eq!(facts.entries[1].name, "../../etc/passwd");
            assert_eq!(facts.inner, None);
        }
    }

    #[test]
    fn a_single_compressed_table_is_looked_into() {
        for (name, bytes) in [
            ("people.csv.gz", gzip(CSV)),
            ("people.csv.zst", zstd::encode_all(CSV, 1).unwrap()),
            ("people.zip", zip_of(&[("people.csv", CSV)])),
        ] {
            let sample = sample_of(name, &bytes);
            let inner = archive(&sample).inner.as_ref().unwrap_or_else(|| panic!("{name}: {sample:?}"));
            let Content::Table(table) = &inner.content else { panic!("{inner:?}") };
            assert_eq!((inner.name.as_str(), table.rows), ("people.csv", 2));
        }
    }

    #[test]
    fn a_bomb_is_named_and_not_unpacked() {
        let bomb = gzip(&vec![b'1'; 64 << 20]);
        let sample = sample_of("bomb.csv.gz", &bomb);
        assert_eq!(archive(&sample).inner, None);
        assert!(sample.notes[0].contains("not looked into"), "{:?}", sample.notes);
    }

    #[test]
    fn what_is_cut_off_says_so() {
        let rows: String = (0..20_000).map(|n| format!("{},{}\n", n * n, n % 97)).collect();
        let whole = gzip(rows.as_bytes());
        let sample = sample_of("cut.csv.gz", &whole[..whole.len() / 2]);
        assert!(sample.notes[0].contains("damaged"), "{:?}", sample.notes);
        let whole = zip_of(&[("a.csv", CSV)]);
        let sample = sample_of("cut.zip", &whole[..whole.len() / 2]);
        assert!(sample.notes[0].contains("cannot be read"), "{:?}", sample.notes);
        let plain = tar_of(&[("a.csv", &CSV.repeat(50)), ("b.csv", CSV)]);
        let sample = sample_of("cut.tar", &plain[..900]);
        assert!(archive(&sample).files_estimated, "{sample:?}");
    }
}
