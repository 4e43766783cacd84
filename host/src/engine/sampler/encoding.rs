//! Character encodings: found out from the bytes, named as Python names them, decoded while streaming.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How the bytes of a text become characters.
#[derive(Clone, Copy, Debug)]
pub struct TextEncoding {
    /// The encoding.
    pub encoding: &'static Encoding,
    /// Bytes of the byte order mark.
    pub bom: usize,
    /// True if a few bytes do not fit the encoding.
    pub damaged: bool,
}

impl TextEncoding {
    /// Name of the codec in Python.
    pub fn python(self) -> String {
        let name = self.encoding.name();
        match name {
            "UTF-8" if self.bom > 0 => "utf-8-sig",
            "UTF-8" => "utf-8",
            "UTF-16LE" | "UTF-16BE" if self.bom > 0 => "utf-16",
            "UTF-16LE" => "utf-16-le",
            "UTF-16BE" => "utf-16-be",
            "windows-874" => "cp874",
            "Shift_JIS" => "cp932",
            "EUC-KR" => "cp949",
            "EUC-JP" => "euc_jp",
            "ISO-2022-JP" => "iso2022_jp",
            "GBK" | "gb18030" => "gb18030",
            "Big5" => "big5hkscs",
            "IBM866" => "cp866",
            "KOI8-U" | "KOI8-R" => "koi8-u",
            "macintosh" => "mac-roman",
            "x-mac-cyrillic" => "mac-cyrillic",
            "ISO-8859-8-I" => "iso8859-8",
            _ => {
                return match (name.strip_prefix("windows-"), name.strip_prefix("ISO-8859-")) {
                    (Some(page), _) => format!("cp{page}"),
                    (_, Some(part)) => format!("iso8859-{part}"),
                    _ => name.to_lowercase(),
                };
            }
        }
        .to_owned()
    }

    /// True if it was neither declared by a mark nor proved by its structure.
    pub fn guessed(self) -> bool {
        self.bom == 0 && self.encoding != UTF_8
    }
}

/// The encoding of a text that begins with `start`; `complete` if that is all of it.
pub fn detect(start: &[u8], complete: bool) -> TextEncoding {
    let plain = |encoding| TextEncoding { encoding, bom: 0, damaged: false };
    if let Some((encoding, bom)) = Encoding::for_bom(start) {
        return TextEncoding { encoding, bom, damaged: false };
    }
    if let Some(encoding) = utf16_without_mark(start) {
        return plain(encoding);
    }
    match std::str::from_utf8(start) {
        Ok(_) => plain(UTF_8),
        // A character cut in two by the end of the sample.
        Err(e) if e.error_len().is_none() && !complete => plain(UTF_8),
        Err(_) if mostly_utf8(start) => TextEncoding { damaged: true, ..plain(UTF_8) },
        Err(_) => plain(guess(start, complete)),
    }
}

fn guess(bytes: &[u8], complete: bool) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, complete);
    detector.guess(None, Utf8Detection::Deny)
}

/// UTF-8 with a few bad bytes, rather than another encoding that now and then looks like UTF-8.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= 4 && good > 10 * bad
}

/// Text in Latin letters has a zero in every other byte.
fn utf16_without_mark(start: &[u8]) -> Option<&'static Encoding> {
    let pairs = start.len().min(4096) / 2;
    if pairs < 4 {
        return None;
    }
    let zeros = |offset: usize| start[..pairs * 2].iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    if second * 10 > pairs * 6 && first * 20 < pairs {
        Some(UTF_16LE)
    } else if first * 10 > pairs * 6 && second * 20 < pairs {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Decodes a whole text; broken bytes become U+FFFD.
pub fn decode(bytes: &[u8], how: TextEncoding) -> String {
    let body = bytes.get(how.bom..).unwrap_or_default();
    how.encoding.decode_without_bom_handling(body).0.into_owned()
}

/// What the reader found out about UTF-8 on the way.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Set if the file is not UTF-8 after all: how to read it instead.
    pub instead: Cell<Option<TextEncoding>>,
}

/// A reader of UTF-8 from a text in any encoding. The byte order mark must have been skipped.
///
/// Text that passed for UTF-8 by its beginning is checked on the way; if it turns out not to be, reading ends with an
/// error and the verdict says how to begin again.
pub struct Utf8Reader<R> {
    inner: R,
    mode: Mode,
    verdict: Rc<Verdict>,
}

enum Mode {
    Check(Utf8Check),
    Pass,
    Decode { decoder: Box<Decoder>, input: Vec<u8>, at: usize, end: usize, finished: bool },
}

#[derive(Default)]
struct Utf8Check {
    /// The beginning of a character that the last chunk cut in two.
    carry: Vec<u8>,
    wide_seen: bool,
}

impl<R: Read> Utf8Reader<R> {
    /// Reads `inner` in the encoding `how`.
    pub fn new(inner: R, how: TextEncoding) -> Self {
        let mode = if how.encoding != UTF_8 {
            let decoder = Box::new(how.encoding.new_decoder_without_bom_handling());
            Mode::Decode { decoder, input: vec![0; 64 * 1024], at: 0, end: 0, finished: false }
        } else if how.damaged {
            Mode::Pass
        } else {
            Mode::Check(Utf8Check::default())
        };
        Utf8Reader { inner, mode, verdict: Rc::default() }
    }

    /// What is found out while reading.
    pub fn verdict(&self) -> Rc<Verdict> {
        Rc::clone(&self.verdict)
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.mode {
            Mode::Pass => self.inner.read(out),
            Mode::Check(check) => {
                let n = self.inner.read(out)?;
                let chunk = &out[..n];
                if check.accepts(chunk) {
                    return Ok(n);
                }
                let instead = if check.wide_seen {
                    TextEncoding { encoding: UTF_8, bom: 0, damaged: true }
                } else {
                    TextEncoding { encoding: guess(chunk, n == 0), bom: 0, damaged: false }
                };
                self.verdict.instead.set(Some(instead));
                Err(io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
            }
            // A decoder needs room for a whole character.
            Mode::Decode { .. } if out.len() < 16 => {
                let mut small = [0; 16];
                let n = self.read(&mut small[..])?;
                // Callers of this module read into large buffers; never lose what does not fit.
                if n > out.len() {
                    return Err(io::Error::other("buffer too small to decode into"));
                }
                out[..n].copy_from_slice(&small[..n]);
                Ok(n)
            }
            Mode::Decode { decoder, input, at, end, finished } => loop {
                if *at == *end && !*finished {
                    (*at, *end) = (0, self.inner.read(input)?);
                    *finished = *end == 0;
                } else if *finished && *at == usize::MAX {
                    return Ok(0);
                }
                let (_, read, written, _) = decoder.decode_to_utf8(&input[*at..*end], out, *finished);
                *at += read;
                if *finished {
                    // A decoder must not be used after its last call.
                    (*at, *end) = (usize::MAX, usize::MAX);
                    return Ok(written);
                }
                if written > 0 {
                    return Ok(written);
                }
            },
        }
    }
}

impl Utf8Check {
    /// False if `chunk` (empty at the end of the file) shows that the text is not UTF-8.
    fn accepts(&mut self, mut chunk: &[u8]) -> bool {
        if chunk.is_empty() {
            return self.carry.is_empty();
        }
        while !self.carry.is_empty() {
            let Some((first, rest)) = chunk.split_first() else { return true };
            self.carry.push(*first);
            chunk = rest;
            match std::str::from_utf8(&self.carry) {
                Ok(_) => {
                    self.wide_seen = true;
                    self.carry.clear();
                }
                Err(e) if e.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        let ascii = Encoding::ascii_valid_up_to(chunk);
        let wide = &chunk[ascii..];
        let valid = Encoding::utf8_valid_up_to(wide);
        self.wide_seen |= valid > 0;
        let rest = &wide[valid..];
        match std::str::from_utf8(rest) {
            Ok(_) => true,
            Err(e) if e.error_len().is_none() && rest.len() < 4 => {
                self.carry.extend_from_slice(rest);
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], how: TextEncoding) -> (io::Result<String>, Rc<Verdict>) {
        let mut reader = Utf8Reader::new(&bytes[how.bom..], how);
        let verdict = reader.verdict();
        let (mut all, mut buffer) = (Vec::new(), [0; 37]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (Ok(String::from_utf8(all).unwrap()), verdict),
                Ok(n) => all.extend_from_slice(&buffer[..n]),
                Err(e) => return (Err(e), verdict),
            }
        }
    }

    #[test]
    fn encodings_are_found_and_named_as_python_names_them() {
        let german = "Straße;Köln;schön;Größe;Müller;fährt über die Brücke\n".repeat(5);
        let (cp1252, _, _) = encoding_rs::WINDOWS_1252.encode(&german);
        let utf16: Vec<u8> = german.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16.iter().copied()).collect();
        let signed = [&[0xef, 0xbb, 0xbf][..], german.as_bytes()].concat();
        let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("これは日本語のテキストです。表の列の名前。");
        for (bytes, name) in [
            (german.as_bytes(), "utf-8"),
            (&cp1252, "cp1252"),
            (&utf16, "utf-16-le"),
            (&marked, "utf-16"),
            (&signed, "utf-8-sig"),
        ] {
            let how = detect(bytes, true);
            assert_eq!(how.python(), name);
            assert_eq!(decode(bytes, how), german, "{name}");
            assert_eq!(read(bytes, how).0.unwrap(), german, "{name}");
        }
        assert_eq!(detect(&japanese, true).python(), "cp932");
    }

    #[test]
    fn a_late_byte_that_is_not_utf8_gives_another_verdict() {
        let mut bytes = "plain text, ".repeat(1000).into_bytes();
        bytes.extend_from_slice(b"caf\xe9 na\xefve, d\xe9j\xe0 vu");
        let how = detect(&bytes[..5000], false);
        assert_eq!(how.python(), "utf-8");
        let (result, verdict) = read(&bytes, how);
        assert!(result.is_err());
        assert_eq!(verdict.instead.get().map(TextEncoding::python).as_deref(), Some("cp1252"));
    }

    #[test]
    fn characters_cut_by_chunks_are_whole_again() {
        let text = "a€漢😀é".repeat(500);
        assert_eq!(read(text.as_bytes(), detect(text.as_bytes(), true)).0.unwrap(), text);
    }
}
