//! A zip archive, stored without compression: charts and most data are compressed already, and it costs no dependency.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// General purpose flag 11: names are UTF-8.
const UTF8_NAMES: u16 = 1 << 11;
/// 1980-01-01, the first date that the format knows.
const DATE: u16 = (1 << 5) | 1;

/// Writes entries one after another, then the directory. Up to 4 GiB and 65 535 entries.
#[derive(Debug)]
pub struct ZipWriter<W> {
    out: W,
    at: u64,
    directory: Vec<u8>,
    entries: u16,
}

impl<W: Write + Seek> ZipWriter<W> {
    /// An empty archive.
    pub fn new(out: W) -> ZipWriter<W> {
        ZipWriter { out, at: 0, directory: Vec::new(), entries: 0 }
    }

    /// Adds an entry with everything that `content` gives.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` if the archive would exceed the format; the disk failed.
    pub fn add(&mut self, name: &str, mut content: impl Read) -> io::Result<()> {
        let start = fits(self.at)?;
        let length = u16::try_from(name.len()).map_err(|_| too_large())?;
        self.entries = self.entries.checked_add(1).ok_or_else(too_large)?;
        // Checksum and size are known afterwards and written over these zeros.
        self.out.write_all(b"PK\x03\x04")?;
        self.out.write_all(&facts(0, 0))?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&0u16.to_le_bytes())?;
        self.out.write_all(name.as_bytes())?;

        let (mut crc, mut size) = (!0u32, 0u64);
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = content.read(&mut piece)?;
            if read == 0 {
                break;
            }
            size += read as u64;
            fits(self.at + size)?;
            crc = piece[..read].iter().fold(crc, |crc, byte| (crc >> 8) ^ CRC[usize::from(crc as u8 ^ byte)]);
            self.out.write_all(&piece[..read])?;
        }
        let facts = facts(!crc, fits(size)?);
        self.out.seek(SeekFrom::Start(self.at + 4))?;
        self.out.write_all(&facts)?;
        self.out.seek(SeekFrom::End(0))?;
        self.at += 30 + name.len() as u64 + size;

        self.directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        self.directory.extend_from_slice(&facts);
        self.directory.extend_from_slice(&length.to_le_bytes());
        self.directory.extend_from_slice(&[0; 8]); // extra field, comment, disk, internal attributes
        self.directory.extend_from_slice(&(0o100_644u32 << 16).to_le_bytes());
        self.directory.extend_from_slice(&start.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        Ok(())
    }

    /// Writes the directory and rewinds.
    ///
    /// # Errors
    ///
    /// As [`ZipWriter::add`].
    pub fn finish(mut self) -> io::Result<W> {
        let (start, size) = (fits(self.at)?, fits(self.directory.len() as u64)?);
        self.out.write_all(&self.directory)?;
        self.out.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.out.write_all(&self.entries.to_le_bytes())?;
        self.out.write_all(&self.entries.to_le_bytes())?;
        self.out.write_all(&size.to_le_bytes())?;
        self.out.write_all(&start.to_le_bytes())?;
        self.out.write_all(&[0, 0])?;
        self.out.flush()?;
        self.out.rewind()?;
        Ok(self.out)
    }
}

/// The fields that a local header and the directory share: version, flags, method, time, date, checksum, sizes.
fn facts(crc: u32, size: u32) -> [u8; 22] {
    let mut facts = [0; 22];
    facts[0..2].copy_from_slice(&20u16.to_le_bytes());
    facts[2..4].copy_from_slice(&UTF8_NAMES.to_le_bytes());
    facts[8..10].copy_from_slice(&DATE.to_le_bytes());
    facts[10..14].copy_from_slice(&crc.to_le_bytes());
    facts[14..18].copy_from_slice(&size.to_le_bytes());
    facts[18..22].copy_from_slice(&size.to_le_bytes());
    facts
}

fn fits(size: u64) -> io::Result<u32> {
    u32::try_from(size).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "too large for a zip archive")
}

const CRC: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_has_the_names_contents_and_checksums_at_the_places_its_directory_says() {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.add("ä.txt", &b"123456789"[..]).unwrap();
        zip.add("empty", &b""[..]).unwrap();
        let bytes = zip.finish().unwrap().into_inner();
        // The checksum of this text is the published check value of CRC-32.
        assert_eq!(bytes[14..18], 0xcbf4_3926u32.to_le_bytes());
        assert_eq!(&bytes[30..36], "ä.txt".as_bytes());
        assert_eq!(&bytes[36..45], b"123456789");
        let end = bytes.len() - 22;
        assert_eq!(bytes[end..end + 4], *b"PK\x05\x06");
        assert_eq!(bytes[end + 10..end + 12], 2u16.to_le_bytes());
        let directory = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap()) as usize;
        assert_eq!(bytes[directory..directory + 4], *b"PK\x01\x02");
        assert_eq!(bytes[directory + 46..directory + 52], *"ä.txt".as_bytes());
    }
}
