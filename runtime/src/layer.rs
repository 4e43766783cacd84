//! Layer: the pages that a session changed, in a file.
//!
//! A session's memory is its image with layers over it, oldest first. A layer is written once and never changed, so that
//! forks share it. File format, version 1 (little-endian):
//!
//! ```text
//! 16 bytes  "glovebox layer\n\0"
//!  4 bytes  version
//!  4 bytes  length of the header
//! 16 bytes  XXH3-128 of the header
//!           header: JSON, see `Header`
//!           zeros up to a multiple of 4096
//!           the pages in the order of the header's extents, as they are or compressed with zstd
//! ```
//!
//! Uncompressed pages can be mapped. A layer is a cache of our own making, private to its user; it is checked against
//! damage, and a damaged or hostile one is an error, never a crash.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use crate::pages::{FileMap, MAPPED, PAGE, WASM_PAGE};

const MAGIC: &[u8; 16] = b"glovebox layer\n\0";
const VERSION: u32 = 1;
/// Bytes before the header.
const FIXED: usize = 40;
/// Longest header that is read: extents for a gibibyte of single pages fit.
const MAX_HEADER: u32 = 16 << 20;
/// Bytes that are read or written at once.
const BUFFER: usize = 1 << 20;
/// Largest memory: what 32 bits address.
const MAX_MEMORY: u64 = 1 << 32;
/// Level at which sleeping layers are compressed: most of what zstd can do, at a tenth of its time.
const ZSTD_LEVEL: i32 = 3;

/// Why a layer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It is not a layer, or not a whole one.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It was written by a newer version.
    #[error("it has format version {0}, and this glovebox reads version 1; use the glovebox that wrote it")]
    Newer(u32),
    /// It belongs to another image or to another layer below it.
    #[error("it does not fit: {0}")]
    Foreign(String),
}

fn damaged(what: impl Into<String>) -> LayerError {
    LayerError::Damaged(what.into())
}

/// What a session is besides its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// Turns taken.
    pub(crate) turns: u64,
    /// The guest's monotonic clock in nanoseconds.
    pub(crate) clock_ns: u64,
    /// Files that the guest has open.
    pub(crate) files: Vec<OpenFile>,
}

/// An open file or directory of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenFile {
    pub(crate) fd: u32,
    /// In the guest.
    pub(crate) path: String,
    pub(crate) directory: bool,
    /// Bits of WASI's `rights` and `fdflags`.
    pub(crate) rights: u64,
    pub(crate) flags: u16,
    pub(crate) offset: u64,
    /// Its path leads to another file by now, or nowhere.
    pub(crate) lost: bool,
}

/// A run of pages: first page and count.
type Extent = (u32, u32);

/// What identifies a layer, whether it is compressed or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// Digest of the image that it lies over.
    image: String,
    /// Who wrote it: version of Glovebox and of its engine.
    engine: String,
    /// Id of the layer below.
    below: Option<String>,
    /// Size of the memory in bytes.
    memory_bytes: u64,
    /// Pages that it holds, in order.
    pages: Vec<Extent>,
    /// Pages that are zeros and were not below.
    zeros: Vec<Extent>,
    /// XXH3-128 of the pages.
    checksum: String,
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    content: Content,
    /// Length of the pages in the file if they are compressed.
    zstd_bytes: Option<u64>,
}

/// A layer that can be laid over a memory.
#[derive(Debug)]
pub(crate) struct Layer {
    id: String,
    content: Content,
    path: PathBuf,
    /// The pages, uncompressed: the layer's file, or one without a name.
    file: File,
    /// Where in it they start.
    start: u64,
    map: FileMap,
    /// The ranges of memory that it holds, each with its place in `file`.
    extents: Vec<(Range<usize>, u64)>,
}

/// What a layer has for a page.
pub(crate) enum Found<'a> {
    Page(&'a [u8]),
    Zeros,
}

/// What is to be written as a layer.
pub(crate) struct Draft<'a> {
    pub(crate) image: &'a str,
    pub(crate) below: Option<&'a Layer>,
    pub(crate) memory: &'a [u8],
    /// Ranges of bytes, page-aligned, in order.
    pub(crate) pages: Vec<Range<usize>>,
    pub(crate) zeros: Vec<Range<usize>>,
    pub(crate) rest: Rest,
}

/// Facts about a layer file, for people and tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerInfo {
    /// The layer's own id.
    pub id: String,
    /// Id of the layer below.
    pub below: Option<String>,
    /// Digest of the image.
    pub image: String,
    /// Who wrote it.
    pub engine: String,
    /// Bytes of pages that it holds, uncompressed.
    pub page_bytes: u64,
    /// Size of the session's memory in bytes.
    pub memory_bytes: u64,
    /// Whether its pages are compressed.
    pub compressed: bool,
}

impl Layer {
    /// Writes a layer and opens it. An existing file is not touched; a half-written one is removed.
    pub(crate) fn write(path: &Path, draft: Draft<'_>) -> Result<Layer, LayerError> {
        let extents = |ranges: &[Range<usize>]| -> Vec<Extent> {
            ranges.iter().map(|range| ((range.start / PAGE) as u32, (range.len() / PAGE) as u32)).collect()
        };
        let mut hasher = XxHash3_128::new();
        for range in &draft.pages {
            hasher.write(&draft.memory[range.clone()]);
        }
        let content = Content {
            image: draft.image.to_owned(),
            engine: engine_name(),
            below: draft.below.map(|layer| layer.id.clone()),
            memory_bytes: draft.memory.len() as u64,
            pages: extents(&draft.pages),
            zeros: extents(&draft.zeros),
            checksum: hex128(hasher.finish_128()),
            rest: draft.rest,
        };
        let id = id(&content)?;
        let head = head(&Header { content: content.clone(), zstd_bytes: None })?;
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(path)?;
        let offset = head.len() as u64 + page_bytes(&content);
        // A small session has hundreds of short runs: one call for many of them.
        let mut writer = BufWriter::with_capacity(BUFFER, &file);
        let written = writer
            .write_all(&head)
            .and_then(|()| draft.pages.iter().try_for_each(|range| writer.write_all(&draft.memory[range.clone()])))
            .and_then(|()| writer.flush());
        drop(writer);
        let map = written.and_then(|()| FileMap::new(&file, usize::try_from(offset).unwrap_or(usize::MAX)));
        match map {
            Ok(map) => Ok(Layer::new(id, content, path, file, head.len() as u64, map)),
            Err(error) => {
                let _ = std::fs::remove_file(path);
                Err(error.into())
            }
        }
    }

    /// Opens and checks a layer.
    pub(crate) fn open(path: &Path) -> Result<Layer, LayerError> {
        let file = File::open(path)?;
        let (header, start, length) = read_header(&file)?;
        let page_bytes = page_bytes(&header.content);
        let (file, start) = match header.zstd_bytes {
            None if length - start == page_bytes => (file, start),
            None => return Err(damaged("its length is not what its header says")),
            Some(packed) if length - start == packed => (unpack(&file, start, packed, page_bytes)?, 0),
            Some(_) => return Err(damaged("its length is not what its header says")),
        };
        let whole = usize::try_from(start + page_bytes).map_err(|_| damaged("it is too large"))?;
        let map = FileMap::new(&file, whole)?;
        if hex128(XxHash3_128::oneshot(&map[whole - page_bytes as usize..])) != header.content.checksum {
            return Err(damaged("its pages do not match their checksum"));
        }
        Ok(Layer::new(id(&header.content)?, header.content, path, file, start, map))
    }

    fn new(id: String, content: Content, path: &Path, file: File, start: u64, map: FileMap) -> Layer {
        let mut place = start;
        let extents = content.pages.iter().map(|&extent| {
            let range = bytes(extent);
            let at = place;
            place += range.len() as u64;
            (range, at)
        });
        Layer { id, extents: extents.collect(), content, path: path.into(), file, start, map }
    }

    /// Opens a chain of layers, oldest first, and checks that each lies over the one before and the first over `image`.
    pub(crate) fn open_chain(paths: &[PathBuf], image: &str) -> Result<Vec<Arc<Layer>>, (PathBuf, LayerError)> {
        let mut chain: Vec<Arc<Layer>> = Vec::with_capacity(paths.len());
        for path in paths {
            let layer = Layer::open(path).and_then(|layer| layer.fits(image, chain.last()).map(|()| layer));
            chain.push(Arc::new(layer.map_err(|error| (path.clone(), error))?));
        }
        Ok(chain)
    }

    fn fits(&self, image: &str, below: Option<&Arc<Layer>>) -> Result<(), LayerError> {
        if self.content.image != image {
            return Err(LayerError::Foreign(format!(
                "it was written by {} over another version of the image; this is {}",
                self.content.engine,
                engine_name()
            )));
        }
        if self.content.below != below.map(|layer| layer.id.clone()) {
            return Err(LayerError::Foreign("the layer below is not the one that it was written over".into()));
        }
        if below.is_some_and(|below| below.content.memory_bytes > self.content.memory_bytes) {
            return Err(damaged("its memory is smaller than that of the layer below"));
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the memory in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        usize::try_from(self.content.memory_bytes).unwrap_or(usize::MAX)
    }

    pub(crate) fn rest(&self) -> &Rest {
        &self.content.rest
    }

    /// Bytes of pages that it holds.
    pub(crate) fn page_bytes(&self) -> u64 {
        page_bytes(&self.content)
    }

    /// The ranges of memory that it holds, each with its place in [`Self::file`].
    pub(crate) fn extents(&self) -> &[(Range<usize>, u64)] {
        &self.extents
    }

    /// How many of its ranges are mapped rather than copied.
    pub(crate) fn long_runs(&self) -> usize {
        let zeros = self.zeros().filter(|range| range.len() >= MAPPED).count();
        self.extents.iter().filter(|(range, _)| range.len() >= MAPPED).count() + zeros
    }

    /// What it has for the page at `at`, if anything.
    pub(crate) fn page(&self, at: usize) -> Option<Found<'_>> {
        let after = self.extents.partition_point(|(range, _)| range.start <= at);
        if let Some((range, place)) = after.checked_sub(1).map(|index| &self.extents[index])
            && range.contains(&at)
        {
            return Some(Found::Page(self.bytes(place + (at - range.start) as u64, PAGE)));
        }
        let page = (at / PAGE) as u32;
        let after = self.content.zeros.partition_point(|&(first, _)| first <= page);
        let (first, count) = *self.content.zeros.get(after.checked_sub(1)?)?;
        (page - first < count).then_some(Found::Zeros)
    }

    /// The ranges of memory that are zeros.
    pub(crate) fn zeros(&self) -> impl Iterator<Item = Range<usize>> {
        self.content.zeros.iter().copied().map(bytes)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Bytes of [`Self::file`].
    pub(crate) fn bytes(&self, place: u64, len: usize) -> &[u8] {
        let start = usize::try_from(place).unwrap_or(usize::MAX);
        self.map.get(start..start.saturating_add(len)).unwrap_or_default()
    }
}

/// Reads a layer's header and says what it holds; the pages are not looked at.
///
/// # Errors
///
/// It is not a layer that this version reads.
pub fn inspect_layer(path: &Path) -> Result<LayerInfo, LayerError> {
    let (header, ..) = read_header(&File::open(path)?)?;
    Ok(LayerInfo {
        id: id(&header.content)?,
        page_bytes: page_bytes(&header.content),
        memory_bytes: header.content.memory_bytes,
        compressed: header.zstd_bytes.is_some(),
        below: header.content.below,
        image: header.content.image,
        engine: header.content.engine,
    })
}

/// Reads a whole layer and checks everything that can be checked without its session.
///
/// # Errors
///
/// As [`inspect_layer`], and pages that are not what they were.
pub fn check_layer(path: &Path) -> Result<(), LayerError> {
    Layer::open(path).map(drop)
}

/// Compresses a layer file in place, for a session that sleeps, and makes it durable. Instances that have it mapped
/// keep the old content. Returns its size in bytes.
///
/// # Errors
///
/// It is damaged, or the disk is full; the file is as it was.
pub fn compress_layer(path: &Path) -> Result<u64, LayerError> {
    let file = File::open(path)?;
    let (mut header, ..) = read_header(&file)?;
    if header.zstd_bytes.is_some() {
        return Ok(file.metadata()?.len());
    }
    let layer = Layer::open(path)?;
    let start = usize::try_from(layer.start).unwrap_or(usize::MAX);
    let packed = zstd::bulk::compress(layer.map.get(start..).unwrap_or_default(), ZSTD_LEVEL)?;
    header.zstd_bytes = Some(packed.len() as u64);
    let head = head(&header)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(dir)?;
    draft.write_all(&head)?;
    draft.write_all(&packed)?;
    draft.as_file().sync_data()?;
    draft.persist(path).map_err(|error| error.error)?;
    Ok((head.len() + packed.len()) as u64)
}

fn engine_name() -> String {
    concat!("glovebox ", env!("CARGO_PKG_VERSION"), ", wasmtime 48").to_owned()
}

fn hex128(value: u128) -> String {
    format!("{value:032x}")
}

fn bytes((first, count): Extent) -> Range<usize> {
    let start = first as usize * PAGE;
    start..start + count as usize * PAGE
}

fn page_bytes(content: &Content) -> u64 {
    content.pages.iter().map(|&(_, count)| u64::from(count) * PAGE as u64).sum()
}

fn id(content: &Content) -> Result<String, LayerError> {
    let text = serde_json::to_vec(content).map_err(|error| damaged(error.to_string()))?;
    Ok(hex128(XxHash3_128::oneshot(&text)))
}

/// Everything before the pages.
fn head(header: &Header) -> Result<Vec<u8>, LayerError> {
    let text = serde_json::to_vec(header).map_err(|error| damaged(error.to_string()))?;
    let length = u32::try_from(text.len()).ok().filter(|&length| length <= MAX_HEADER);
    let length = length.ok_or_else(|| std::io::Error::other("the session's memory is too scattered to be saved"))?;
    let mut head = Vec::with_capacity((FIXED + text.len()).next_multiple_of(PAGE));
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&XxHash3_128::oneshot(&text).to_le_bytes());
    head.extend_from_slice(&text);
    head.resize(head.len().next_multiple_of(PAGE), 0);
    Ok(head)
}

/// The header, where the pages start, and the length of the file.
fn read_header(file: &File) -> Result<(Header, u64, u64), LayerError> {
    let length = file.metadata()?.len();
    let mut fixed = [0; FIXED];
    file.read_exact_at(&mut fixed, 0).map_err(|_| damaged("it is too short"))?;
    let (magic, fixed) = fixed.split_at(16);
    if magic != MAGIC {
        return Err(damaged("it is not a layer"));
    }
    let word = |at: usize| fixed[at..at + 4].iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte));
    let (version, header_length) = (word(0), word(4));
    if version > VERSION {
        return Err(LayerError::Newer(version));
    }
    if version != VERSION {
        return Err(damaged(format!("it has format version {version}")));
    }
    let start = (FIXED as u64 + u64::from(header_length)).next_multiple_of(PAGE as u64);
    if header_length > MAX_HEADER || start > length {
        return Err(damaged("it is too short for its header"));
    }
    let mut text = vec![0; header_length as usize];
    file.read_exact_at(&mut text, FIXED as u64)?;
    if fixed[8..24] != XxHash3_128::oneshot(&text).to_le_bytes() {
        return Err(damaged("its header does not match its checksum"));
    }
    let header: Header = serde_json::from_slice(&text).map_err(|error| damaged(format!("its header: {error}")))?;
    let memory = header.content.memory_bytes;
    if memory > MAX_MEMORY || !memory.is_multiple_of(WASM_PAGE as u64) {
        return Err(damaged(format!("a memory of {memory} bytes")));
    }
    for extents in [&header.content.pages, &header.content.zeros] {
        let mut end = 0u64;
        for &(first, count) in extents {
            if u64::from(first) < end || count == 0 {
                return Err(damaged("its pages are not in order"));
            }
            end = u64::from(first) + u64::from(count);
        }
        if end * PAGE as u64 > memory {
            return Err(damaged("a page lies outside of its memory"));
        }
    }
    let pages = &header.content.pages;
    let both = header.content.zeros.iter().any(|&(first, count)| {
        let after = pages.partition_point(|&(page, length)| page + length <= first);
        pages.get(after).is_some_and(|&(page, _)| page < first + count)
    });
    if both {
        return Err(damaged("a page is held and zero at once"));
    }
    Ok((header, start, length))
}

/// Unpacks pages into a file without a name. Their length is known, so a bomb is found before it is large.
fn unpack(file: &File, start: u64, packed: u64, page_bytes: u64) -> Result<File, LayerError> {
    // zstd makes nothing larger than this; a file of holes may claim to be.
    if packed > page_bytes + page_bytes / 128 + (1 << 16) {
        return Err(damaged("its compressed pages are larger than they can be"));
    }
    let whole = usize::try_from(start + packed).map_err(|_| damaged("it is too large"))?;
    let source = FileMap::new(file, whole)?;
    let target = rustix::fs::memfd_create("glovebox-layer", rustix::fs::MemfdFlags::CLOEXEC);
    let mut target = File::from(target.map_err(std::io::Error::from)?);
    let broken = |error: std::io::Error| damaged(format!("its pages cannot be unpacked: {error}"));
    let mut reader = zstd::Decoder::new(&source[whole - packed as usize..]).map_err(broken)?.take(page_bytes + 1);
    let mut writer = BufWriter::with_capacity(BUFFER, &mut target);
    let mut buffer = vec![0; 1 << 17];
    let mut total = 0;
    loop {
        let read = reader.read(&mut buffer).map_err(broken)?;
        if read == 0 {
            break;
        }
        writer.write_all(&buffer[..read])?;
        total += read as u64;
    }
    writer.flush()?;
    drop(writer);
    if total != page_bytes {
        return Err(damaged("it does not hold as many pages as its header says"));
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Vec<u8> {
        (0..16 * 65536).map(|n| (n / 4096 % 251) as u8).collect()
    }

    fn draft(memory: &[u8]) -> Draft<'_> {
        let rest = Rest { turns: 3, clock_ns: 17, files: Vec::new() };
        let pages = vec![PAGE..3 * PAGE, 100 * PAGE..101 * PAGE];
        Draft { image: "img", below: None, memory, pages, zeros: vec![8 * PAGE..9 * PAGE, 20 * PAGE..30 * PAGE], rest }
    }

    #[test]
    fn a_layer_is_read_as_it_was_written_compressed_or_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.layer");
        let memory = memory();
        let id = Layer::write(&path, draft(&memory)).expect("written").id;
        let raw = std::fs::metadata(&path).expect("there").len();
        for compressed in [false, true] {
            let layer = Layer::open(&path).expect("opened");
            assert_eq!(layer.id, id);
            assert_eq!(layer.rest().turns, 3);
            assert_eq!(layer.extents().len(), 2);
            for (range, place) in layer.extents() {
                assert_eq!(layer.bytes(*place, range.len()), &memory[range.clone()]);
            }
            let page = |number: usize| layer.page(number * PAGE);
            assert!(matches!(page(2), Some(Found::Page(bytes)) if *bytes == memory[2 * PAGE..3 * PAGE]));
            assert!(matches!(page(8), Some(Found::Zeros)));
            assert!(page(0).is_none() && page(3).is_none() && page(9).is_none() && page(101).is_none());
            assert_eq!(inspect_layer(&path).expect("read").compressed, compressed);
            assert!(compress_layer(&path).expect("compressed") < raw);
        }
    }

    #[test]
    fn any_damage_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.layer");
        Layer::write(&path, draft(&memory())).expect("written");
        for compressed in [false, true] {
            let good = std::fs::read(&path).expect("read");
            for place in (0..good.len()).step_by(509).chain(0..FIXED) {
                let mut bad = good.clone();
                bad[place] ^= 0x20;
                std::fs::write(&path, &bad).expect("write");
                let padding = bad.len() > place && place < PAGE && good[place] == 0 && place > FIXED;
                assert!(padding || Layer::open(&path).is_err(), "byte {place} of {} ({compressed})", good.len());
            }
            for length in [0, 10, FIXED, 300, PAGE, good.len() - 1] {
                std::fs::write(&path, &good[..length]).expect("write");
                assert!(Layer::open(&path).is_err(), "cut to {length}");
            }
            std::fs::write(&path, [&good[..], b"x"].concat()).expect("write");
            assert!(Layer::open(&path).is_err(), "longer");
            std::fs::write(&path, &good).expect("write");
            compress_layer(&path).expect("compressed");
        }
    }

    #[test]
    fn a_page_that_is_held_and_zero_at_once_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let memory = memory();
        for (number, zeros) in [0..2 * PAGE, 2 * PAGE..4 * PAGE, 90 * PAGE..110 * PAGE].into_iter().enumerate() {
            let path = dir.path().join(number.to_string());
            Layer::write(&path, Draft { zeros: std::iter::once(zeros).collect(), ..draft(&memory) }).expect("written");
            let error = Layer::open(&path).expect_err("refused").to_string();
            assert!(error.contains("held and zero at once"), "{error}");
        }
    }

    #[test]
    fn a_file_of_holes_that_claims_to_be_compressed_is_refused_before_it_takes_memory() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.layer");
        let content = Layer::write(&path, draft(&memory())).expect("written").content;
        let claimed = 1 << 40;
        let head = head(&Header { content, zstd_bytes: Some(claimed) }).expect("a header");
        let file = File::create(&path).expect("created");
        file.write_all_at(&head, 0).expect("written");
        file.set_len(head.len() as u64 + claimed).expect("holes");
        let error = Layer::open(&path).expect_err("refused").to_string();
        assert!(error.contains("larger than they can be"), "{error}");
    }

    #[test]
    fn a_layer_of_another_image_a_newer_version_or_another_chain_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let memory = memory();
        let first = Layer::write(&a, draft(&memory)).expect("written");
        Layer::write(&b, Draft { below: Some(&first), ..draft(&memory) }).expect("written");
        assert_eq!(Layer::open_chain(&[a.clone(), b.clone()], "img").expect("fits").len(), 2);
        for (chain, image) in
            [(vec![a.clone()], "other"), (vec![b.clone()], "img"), (vec![a.clone(), a.clone()], "img")]
        {
            let (_, error) = Layer::open_chain(&chain, image).expect_err("refused");
            assert!(matches!(error, LayerError::Foreign(_)), "{error}");
        }
        let mut newer = std::fs::read(&a).expect("read");
        newer[16] = 9;
        std::fs::write(&a, newer).expect("write");
        assert!(matches!(Layer::open(&a), Err(LayerError::Newer(9))));
    }
}
