//! PNG, JPEG, WebP and GIF by their structure: sizes, frames, times and palettes are read from headers, and no pixel is ever
//! decoded, so that a picture that claims to be enormous costs nothing.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use super::sniff::{ImageKind, magic};
use super::{Finding, Input};
use crate::engine::sample::{Content, ImageFacts};

/// Frames that are counted.
const MAX_FRAMES: u32 = 100_000;
/// Above this many pixels (all frames together), opening the picture takes more memory than a sandbox has.
const MANY_PIXELS: u64 = 200_000_000;

/// Samples an image.
pub fn sample(input: &Input, kind: ImageKind) -> io::Result<Finding> {
    let mut notes = Vec::new();
    let mut reader = BufReader::with_capacity(64 * 1024, input.reader(0)?);
    let (media_type, read) = match kind {
        ImageKind::Png => ("image/png", png(&mut reader, &mut notes)),
        ImageKind::Jpeg => ("image/jpeg", jpeg(&mut reader)),
        ImageKind::Gif => ("image/gif", gif(&mut reader, &mut notes)),
        ImageKind::Webp => ("image/webp", webp(&mut reader, &mut notes)),
    };
    let facts = match read {
        Ok(Some(facts)) => facts,
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
        // Broken, or it ends before it says how large it is.
        Ok(None) | Err(_) => {
            notes.push(format!("begins like {media_type}, but its header is broken or cut off"));
            return Ok(Finding { media_type, content: Content::Binary { magic: magic(&input.start) }, notes });
        }
    };
    let pixels = u64::from(facts.width) * u64::from(facts.height) * u64::from(facts.frames.max(1));
    if pixels > MANY_PIXELS {
        notes.push(format!("{} million pixels: too many to be decoded at once", pixels / 1_000_000));
    }
    Ok(Finding { media_type, content: Content::Image(facts), notes })
}

fn skip(reader: &mut impl Read, bytes: u64) -> io::Result<()> {
    if io::copy(&mut reader.take(bytes), &mut io::sink())? < bytes {
        Err(ErrorKind::UnexpectedEof.into())
    } else {
        Ok(())
    }
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// WebP: https://developers.google.com/speed/webp/docs/riff_container
fn webp(reader: &mut impl BufRead, notes: &mut Vec<String>) -> io::Result<Option<ImageFacts>> {
    skip(reader, 12)?;
    let mut facts = ImageFacts {
        format: "webp".to_owned(),
        width: 0,
        height: 0,
        frames: 0,
        duration_ms: 0,
        color: "RGB".to_owned(),
    };
    let u24 = |bytes: &[u8]| u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16;
    let mut chunks = || -> io::Result<bool> {
        loop {
            let header: [u8; 8] = match array(reader) {
                Ok(header) => header,
                // The end, between two chunks.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && facts.width > 0 => return Ok(true),
                Err(error) => return Err(error),
            };
            let size = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
            let padded = size + size % 2;
            let read: u64 = match &header[..4] {
                b"VP8X" => {
                    let bytes: [u8; 10] = array(reader)?;
                    (facts.width, facts.height) = (u24(&bytes[4..]) + 1, u24(&bytes[7..]) + 1);
                    if bytes[0] & 0x10 != 0 {
                        facts.color = "RGBA".to_owned();
                    }
                    10
                }
                b"VP8 " => {
                    let bytes: [u8; 10] = array(reader)?;
                    facts.frames += 1;
                    if facts.width == 0 {
                        if bytes[3..6] != [0x9d, 0x01, 0x2a] {
                            return Ok(false);
                        }
                        facts.width = u32::from(u16::from_le_bytes([bytes[6], bytes[7]]) & 0x3fff);
                        facts.height = u32::from(u16::from_le_bytes([bytes[8], bytes[9]]) & 0x3fff);
                    }
                    10
                }
                b"VP8L" => {
                    let bytes: [u8; 5] = array(reader)?;
                    facts.frames += 1;
                    if facts.width == 0 {
                        let bits = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
                        (facts.width, facts.height) = ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
                        facts.color = if bits >> 28 & 1 == 1 { "RGBA" } else { "RGB" }.to_owned();
                    }
                    5
                }
                b"ANMF" => {
                    let bytes: [u8; 16] = array(reader)?;
                    facts.frames += 1;
                    facts.duration_ms += u64::from(u24(&bytes[12..]));
                    16
                }
                _ => 0,
            };
            if facts.frames >= MAX_FRAMES {
                return Ok(true);
            }
            skip(reader, padded.saturating_sub(read))?;
        }
    };
    match chunks() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && facts.width > 0 => {
            notes.push("the file is cut off: it ends before its last chunk".to_owned());
        }
        Err(error) => return Err(error),
    }
    Ok((facts.width > 0 && facts.height > 0).then_some(facts))
}

fn png(reader: &mut impl BufRead, notes: &mut Vec<String>) -> io::Result<Option<ImageFacts>> {
    skip(reader, 8)?;
    let header: [u8; 25] = array(reader)?;
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (width, height, depth) = (number(8), number(12), header[16]);
    if &header[4..8] != b"IHDR" || width == 0 || height == 0 || width > i32::MAX as u32 || height > i32::MAX as u32 {
        return Ok(None);
    }
    let layout = match header[17] {
        0 => "grayscale",
        2 => "RGB",
        3 => "palette",
        4 => "grayscale with alpha",
        6 => "RGBA",
        _ => return Ok(None),
    };
    let mut facts = ImageFacts {
        format: "png".to_owned(),
        width,
        height,
        frames: 1,
        duration_ms: 0,
        color: format!("{layout}, {depth} bits"),
    };
    if png_chunks(reader, &mut facts).is_err() {
        notes.push("the file is cut off: it ends before its last chunk".to_owned());
    }
    Ok(Some(facts))
}

/// Reads what follows the header, up to the end of the image.
fn png_chunks(reader: &mut impl BufRead, facts: &mut ImageFacts) -> io::Result<()> {
    loop {
        let head: [u8; 8] = array(reader)?;
        let mut length = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        match &head[4..8] {
            b"IEND" => return Ok(()),
            b"PLTE" => facts.color = format!("palette of {} colours", length / 3),
            b"acTL" if length >= 4 => {
                facts.frames = u32::from_be_bytes(array(reader)?).min(MAX_FRAMES);
                length -= 4;
            }
            b"fcTL" if length >= 26 => {
                let control: [u8; 26] = array(reader)?;
                let pair = |at: usize| u64::from(u16::from_be_bytes([control[at], control[at + 1]]));
                // A denominator of zero stands for hundredths.
                facts.duration_ms += pair(20) * 1_000 / if pair(22) == 0 { 100 } else { pair(22) };
                length -= 26;
            }
            _ => {}
        }
        skip(reader, length + 4)?;
    }
}

fn jpeg(reader: &mut impl BufRead) -> io::Result<Option<ImageFacts>> {
    skip(reader, 2)?;
    loop {
        if array::<1>(reader)? != [0xff] {
            return Ok(None);
        }
        let mut marker = 0xff;
        while marker == 0xff {
            [marker] = array(reader)?;
        }
        match marker {
            0x01 | 0xd0..=0xd8 => continue,
            // The pixels begin, or the image ends, without a frame header.
            0x00 | 0xd9 | 0xda => return Ok(None),
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(array(reader)?));
        if length < 2 {
            return Ok(None);
        }
        let frame_header = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        if !frame_header {
            skip(reader, length - 2)?;
            continue;
        }
        let frame: [u8; 6] = array(reader)?;
        let side = |at: usize| u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
        let (height, width) = (side(1), side(3));
        let color = match frame[5] {
            1 => "grayscale",
            3 => "RGB",
            4 => "CMYK",
            _ => return Ok(None),
        };
        if width == 0 || height == 0 {
            return Ok(None);
        }
        return Ok(Some(ImageFacts {
            format: "jpeg".to_owned(),
            width,
            height,
            frames: 1,
            duration_ms: 0,
            color: color.to_owned(),
        }));
    }
}

fn gif(reader: &mut impl BufRead, notes: &mut Vec<String>) -> io::Result<Option<ImageFacts>> {
    skip(reader, 6)?;
    let screen: [u8; 7] = array(reader)?;
    let side = |at: usize| u32::from(u16::from_le_bytes([screen[at], screen[at + 1]]));
    let mut facts = ImageFacts {
        format: "gif".to_owned(),
        width: side(0),
        height: side(2),
        frames: 0,
        duration_ms: 0,
        color: "palettes of the frames".to_owned(),
    };
    if screen[4] & 0x80 != 0 {
        let colours = palette(screen[4]);
        facts.color = format!("palette of {colours} colours");
        skip(reader, 3 * colours)?;
    }
    if gif_blocks(reader, &mut facts).is_err() {
        notes.push(format!("the file is cut off or broken after {} frames", facts.frames));
    }
    match facts.frames {
        0 => notes.push("holds no frame".to_owned()),
        1 => facts.duration_ms = 0,
        MAX_FRAMES => notes.push(format!("{MAX_FRAMES} frames or more")),
        _ => {}
    }
    Ok(Some(facts))
}

fn palette(flags: u8) -> u64 {
    2 << (flags & 7)
}

/// Walks over extensions and frames without decoding any.
fn gif_blocks(reader: &mut impl BufRead, facts: &mut ImageFacts) -> io::Result<()> {
    while facts.frames < MAX_FRAMES {
        match array::<1>(reader)? {
            [0x3b] => return Ok(()),
            [0x21] => {
                if array::<1>(reader)? == [0xf9] {
                    let control: [u8; 5] = array(reader)?;
                    facts.duration_ms += 10 * u64::from(u16::from_le_bytes([control[2], control[3]]));
                }
                sub_blocks(reader)?;
            }
            [0x2c] => {
                let frame: [u8; 9] = array(reader)?;
                if frame[8] & 0x80 != 0 {
                    skip(reader, 3 * palette(frame[8]))?;
                }
                skip(reader, 1)?;
                sub_blocks(reader)?;
                facts.frames += 1;
            }
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
    Ok(())
}

fn sub_blocks(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        match array::<1>(reader)? {
            [0] => return Ok(()),
            [length] => skip(reader, u64::from(length))?,
        }
    }
}
