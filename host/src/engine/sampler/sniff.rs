//! Formats by their first bytes, and text told from binary data.

use super::{Finding, Input, encoding};
use crate::engine::sample::Content;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An image that `image.rs` knows.
    Image(ImageKind),
    /// A ZIP archive: perhaps a workbook.
    Zip,
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
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "application/x-ole-storage",
        "an old Office document (such as .xls) or an encrypted workbook; save it as .xlsx without a password to have it read",
    ),
    kind(0, b"PAR1", "application/vnd.apache.parquet", "a Parquet table"),
    kind(0, b"ARROW1", "application/vnd.apache.arrow.file", "an Arrow table"),
    kind(0, b"SQLite format 3\0", "application/vnd.sqlite3", "a SQLite database"),
    kind(0, b"\x89HDF", "application/x-hdf5", "an HDF5 file"),
    kind(0, b"\x93NUMPY", "application/x-npy", "a NumPy array"),
    kind(0, b"%PDF-", "application/pdf", "a PDF document"),
    kind(0, b"\x1f\x8b", "application/gzip", "compressed with gzip"),
    kind(0, b"BZh", "application/x-bzip2", "compressed with bzip2"),
    kind(0, b"\xfd7zXZ\0", "application/x-xz", "compressed with xz"),
    kind(0, b"\x28\xb5\x2f\xfd", "application/zstd", "compressed with Zstandard"),
    kind(0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "a 7-Zip archive"),
    kind(0, b"Rar!", "application/vnd.rar", "a RAR archive"),
    kind(257, b"ustar", "application/x-tar", "a tar archive"),
    kind(8, b"WEBP", "image/webp", "a WebP image"),
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
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Format::Zip;
    }
    let textual = looks_like_text(start);
    let known = KINDS.iter().find(|k| start.get(k.offset..).is_some_and(|rest| rest.starts_with(k.magic)));
    match known {
        // A few marks are plain letters: `ID3` and `BZh` may begin a text, and `ftyp` may be a word in it.
        Some(k) if !textual || k.words.contains("UTF-32") || k.media_type == "application/pdf" => {
            Format::Binary(Some(k))
        }
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

/// Describes a file that is not looked into.
pub fn binary(input: &Input, kind: Option<&Kind>) -> Finding {
    let mut notes = Vec::new();
    let what = kind.map_or("binary data of an unknown format", |k| k.words);
    if input.is_named(&["csv", "tsv", "txt", "json", "jsonl", "md", "log", "xlsx", "ods", "png", "jpg", "jpeg", "gif"])
    {
        notes.push(format!("the name says .{}, the content says: {what}", input.extension().unwrap_or_default()));
    } else {
        notes.push(what.to_owned());
    }
    Finding {
        media_type: kind.map_or("application/octet-stream", |k| k.media_type),
        content: Content::Binary { magic: magic(&input.start) },
        notes,
    }
}

/// The first 16 bytes as hex.
pub fn magic(start: &[u8]) -> String {
    let bytes: Vec<String> = start.iter().take(16).map(|b| format!("{b:02x}")).collect();
    bytes.join(" ")
}
