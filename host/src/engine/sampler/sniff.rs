//! Formats by their first bytes, and text told from binary data.

use super::archive::Packing;
use super::{Finding, Input, encoding};
use crate::engine::sample::Content;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An image that `image.rs` knows.
    Image(ImageKind),
    /// A ZIP archive: perhaps a workbook.
    Zip,
    /// Parquet.
    Parquet,
    /// Arrow: a file, or a stream.
    Arrow {
        /// True for a file.
        framed: bool,
    },
    /// A compound file of old Office: a workbook, perhaps.
    Ole,
    /// SQLite.
    Sqlite,
    /// PDF.
    Pdf,
    /// A tar archive, or a compressed file.
    Packed(Packing),
    /// Not text, with what is known of it.
    Binary(Option<&'static Kind>),
    /// Text of some kind; an empty file, too.
    Text,
}

/// Formats of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF, perhaps animated.
    Gif,
    /// WebP, perhaps animated.
    Webp,
}

/// A format that is recognised, but not looked into.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    offset: usize,
    magic: &'static [u8],
    media_type: &'static str,
    words: &'static str,
}

const fn kind(offset: usize, magic: &'static [u8], media_type: &'static str, words: &'static str) -> Kind {
    Kind { offset, magic, media_type, words }
}

static KINDS: &[Kind] = &[
    kind(
        0,
        b"FEA1",
        "application/vnd.apache.arrow.file",
        "a Feather file of version 1; save it as version 2 or as Parquet",
    ),
    kind(0, b"\x89HDF", "application/x-hdf5", "an HDF5 file"),
    kind(0, b"\x93NUMPY", "application/x-npy", "a NumPy array"),
    kind(0, b"BZh", "application/x-bzip2", "compressed with bzip2"),
    kind(0, b"\xfd7zXZ\0", "application/x-xz", "compressed with xz"),
    kind(0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "a 7-Zip archive"),
    kind(0, b"Rar!", "application/vnd.rar", "a RAR archive"),
    kind(8, b"WAVE", "audio/wav", "a WAV recording"),
    kind(8, b"AVI ", "video/x-msvideo", "an AVI video"),
    kind(4, b"ftyp", "video/mp4", "an MP4 or QuickTime video"),
    kind(0, b"\x1a\x45\xdf\xa3", "video/x-matroska", "a Matroska or WebM video"),
    kind(0, b"OggS", "application/ogg", "an Ogg recording"),
    kind(0, b"ID3", "audio/mpeg", "an MP3 recording"),
    kind(0, b"II*\0", "image/tiff", "a TIFF image"),
    kind(0, b"MM\0*", "image/tiff", "a TIFF image"),
    kind(0, b"\x7fELF", "application/x-elf", "a program"),
    kind(0, b"\0asm", "application/wasm", "a WebAssembly module"),
    kind(0, b"MZ\x90", "application/vnd.microsoft.portable-executable", "a program"),
    kind(0, b"\xff\xfe\0\0", "text/plain", "text in UTF-32; save it as UTF-8 to have it read"),
];

/// Judges a file by its first bytes.
pub fn format(start: &[u8]) -> Format {
    if start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Format::Image(ImageKind::Png);
    }
    if start.starts_with(b"\xff\xd8\xff") {
        return Format::Image(ImageKind::Jpeg);
    }
    if start.starts_with(b"GIF87a") || start.starts_with(b"GIF89a") {
        return Format::Image(ImageKind::Gif);
    }
    if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
        return Format::Image(ImageKind::Webp);
    }
    let at = |offset: usize, mark: &[u8]| start.get(offset..).is_some_and(|rest| rest.starts_with(mark));
    let marks: [(usize, &[u8], Format); 7] = [
        (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::Ole),
        (0, b"PAR1", Format::Parquet),
        (0, b"ARROW1\0\0", Format::Arrow { framed: true }),
        (0, b"SQLite format 3\0", Format::Sqlite),
        (0, b"\x1f\x8b", Format::Packed(Packing::Gzip)),
        (0, b"\x28\xb5\x2f\xfd", Format::Packed(Packing::Zstd)),
        (257, b"ustar", Format::Packed(Packing::Tar)),
    ];
    if let Some((.., format)) = marks.into_iter().find(|(offset, mark, _)| at(*offset, mark)) {
        return format;
    }
    // A continuation mark and the length of a schema, which is a multiple of eight.
    if let [0xff, 0xff, 0xff, 0xff, a, b, c, 0, ..] = start
        && let length = u32::from_le_bytes([*a, *b, *c, 0])
        && length > 0
        && length % 8 == 0
    {
        return Format::Arrow { framed: false };
    }
    // Readers of PDF accept some bytes before the mark.
    if start[..start.len().min(1024)].windows(5).any(|five| five == b"%PDF-") && !start.starts_with(b"{") {
        return Format::Pdf;
    }
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Format::Zip;
    }
    let textual = looks_like_text(start);
    let known = KINDS.iter().find(|k| start.get(k.offset..).is_some_and(|rest| rest.starts_with(k.magic)));
    match known {
        // A few marks are plain letters: `ID3` and `BZh` may begin a text, and `ftyp` may be a word in it.
        Some(k) if !textual || k.words.contains("UTF-32") => Format::Binary(Some(k)),
        _ if textual => Format::Text,
        _ => Format::Binary(None),
    }
}

/// Text holds hardly any control characters; random bytes hold one in ten.
fn looks_like_text(start: &[u8]) -> bool {
    let start = &start[..start.len().min(64 * 1024)];
    let how = encoding::detect(start, false);
    if how.encoding.name().starts_with("UTF-16") {
        // Rows of small numbers have a zero in every other byte, too: see whether the characters make sense.
        let text = encoding::decode(&start[..start.len().min(8 * 1024) & !1], how);
        let odd = text
            .chars()
            .filter(|c| (c.is_control() && !c.is_ascii_whitespace()) || *c == char::REPLACEMENT_CHARACTER)
            .count();
        return odd * 50 <= text.chars().count();
    }
    let control = |b: &&u8| matches!(b, 0..=8 | 14..=26 | 28..=31 | 127);
    let controls = start.iter().filter(control).count();
    let utf8 = std::str::from_utf8(start).map_or_else(|e| e.error_len().is_none(), |_| true);
    if utf8 { controls * 20 <= start.len() } else { controls * 100 <= start.len() }
}

/// Names that promise text.
const TEXTUAL: &[&str] = &["csv", "tsv", "txt", "json", "jsonl", "ndjson", "geojson", "md", "log", "xml", "html"];
/// Names that promise something else, with the beginnings of the media types that keep the promise.
const PROMISES: &[(&str, &[&str])] = &[
    ("xlsx", &["application/vnd.openxmlformats"]),
    ("xls", &["application/vnd.ms-excel", "application/vnd.openxmlformats"]),
    ("ods", &["application/vnd.oasis"]),
    ("parquet", &["application/vnd.apache.parquet"]),
    ("feather", &["application/vnd.apache.arrow"]),
    ("arrow", &["application/vnd.apache.arrow"]),
    ("sqlite", &["application/vnd.sqlite3"]),
    ("sqlite3", &["application/vnd.sqlite3"]),
    ("pdf", &["application/pdf"]),
    ("png", &["image/png"]),
    ("jpg", &["image/jpeg"]),
    ("jpeg", &["image/jpeg"]),
    ("gif", &["image/gif"]),
    ("webp", &["image/webp"]),
    ("mp4", &["video/"]),
    ("mov", &["video/"]),
    ("webm", &["video/"]),
    ("mkv", &["video/"]),
    ("mp3", &["audio/"]),
    ("wav", &["audio/"]),
    ("zip", &["application/zip", "application/vnd."]),
    ("gz", &["application/gzip"]),
    ("tar", &["application/x-tar"]),
];

/// What a name promises and the content does not keep, in words.
pub fn contradiction(input: &Input, format: Format, media_type: &str) -> Option<String> {
    let extension = input.extension()?;
    let promised = PROMISES.iter().find(|(name, _)| *name == extension).map(|(_, kinds)| *kinds);
    let kept = match promised {
        Some(kinds) => kinds.iter().any(|kind| media_type.starts_with(kind)),
        None => format == Format::Text || !TEXTUAL.contains(&extension.as_str()),
    };
    let content = if format == Format::Text { "text" } else { media_type };
    (!kept && input.size > 0).then(|| format!("the name says .{extension}, the content is {content}"))
}

/// Describes a file that is not looked into.
pub fn binary(input: &Input, kind: Option<&Kind>) -> Finding {
    Finding {
        media_type: kind.map_or("application/octet-stream", |k| k.media_type),
        content: Content::Binary { magic: magic(&input.start) },
        notes: vec![kind.map_or("binary data of an unknown format", |k| k.words).to_owned()],
    }
}

/// The first 16 bytes as hex.
pub fn magic(start: &[u8]) -> String {
    let bytes: Vec<String> = start.iter().take(16).map(|b| format!("{b:02x}")).collect();
    bytes.join(" ")
}
