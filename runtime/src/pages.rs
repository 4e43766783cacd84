//! Pages of a linear memory: which were written, and putting a file's pages in their place.
//!
//! In a private mapping of a file a page is the file's until it is written; then the kernel gives the process a copy.
//! So the copies are what differs from the file, and the kernel tells which pages are copies: with one `PAGEMAP_SCAN`
//! call since Linux 6.7 (Documentation/admin-guide/mm/pagemap.rst), else through `/proc/self/pagemap`.

use std::fs::File;
use std::ops::{Deref, Range};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, opcode};
use rustix::mm::{MapFlags, ProtFlags};

/// Size of a page of the machine.
pub(crate) const PAGE: usize = 4096;

/// Size of a WebAssembly page.
pub(crate) const WASM_PAGE: usize = 64 * 1024;

/// Longer runs of a layer's pages are mapped from its file; shorter ones are copied, since a process can have some
/// 65,000 mappings and a small session has hundreds of short runs.
pub(crate) const MAPPED: usize = 16 * PAGE;

/// Is every byte zero?
pub(crate) fn is_zero(page: &[u8]) -> bool {
    // Chunks of a cache line are compared by vector instructions.
    let (lines, rest) = page.as_chunks::<64>();
    lines.iter().all(|line| *line == [0; 64]) && rest.iter().all(|&byte| byte == 0)
}

/// Ranges of bytes, page-aligned and in order, that hold every page of `memory` that is a private copy or anonymous.
/// Others are as their file has them, or were never touched.
///
/// # Errors
///
/// The kernel does not tell.
pub(crate) fn copies(memory: &[u8]) -> std::io::Result<Vec<Range<usize>>> {
    let pagemap = pagemap().ok_or_else(|| std::io::Error::other("/proc/self/pagemap cannot be read"))?;
    match scan(pagemap, memory) {
        // An older kernel.
        Err(Errno::NOTTY | Errno::INVAL | Errno::NOSYS) => read_pagemap(pagemap, memory),
        ranges => Ok(ranges?),
    }
}

/// Opens what tells which pages of this process were written. For a process that is about to give up its right to open
/// files: any other does so when it first saves a session.
pub fn open_pagemap() {
    let _ = pagemap();
}

fn pagemap() -> Option<&'static File> {
    static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();
    PAGEMAP.get_or_init(|| File::open("/proc/self/pagemap").ok()).as_ref()
}

/// `struct page_region` of linux/fs.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

const IS_FILE: u64 = 1 << 2;
const IS_PRESENT: u64 = 1 << 3;
const IS_SWAPPED: u64 = 1 << 4;
const IS_ZERO: u64 = 1 << 5;

// SAFETY: PAGEMAP_SCAN reads the struct, writes `walk_end` and at most `vec_len` regions to `vec`, and returns their number.
unsafe impl Ioctl for &mut Scan {
    type Output = usize;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut rustix::ffi::c_void {
        std::ptr::from_mut::<Scan>(self).cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut rustix::ffi::c_void) -> rustix::io::Result<usize> {
        usize::try_from(output).map_err(|_| Errno::OVERFLOW)
    }
}

fn scan(pagemap: &File, memory: &[u8]) -> rustix::io::Result<Vec<Range<usize>>> {
    let mut found = vec![Region::default(); 1024];
    let mut ranges = Vec::new();
    let base = memory.as_ptr() as u64;
    let end = base + memory.len() as u64;
    let mut at = base;
    while at < end {
        let mut request = Scan {
            size: size_of::<Scan>() as u64,
            start: at,
            end,
            vec: found.as_mut_ptr() as u64,
            vec_len: found.len() as u64,
            category_inverted: IS_FILE | IS_ZERO,
            category_mask: IS_FILE | IS_ZERO,
            category_anyof_mask: IS_PRESENT | IS_SWAPPED,
            return_mask: IS_PRESENT,
            ..Scan::default()
        };
        // SAFETY: the request points to `found`, which outlives the call, and gives its length.
        let count = unsafe { rustix::ioctl::ioctl(pagemap, &mut request)? };
        let found = &found[..count.min(found.len())];
        ranges.extend(found.iter().map(|region| (region.start - base) as usize..(region.end - base) as usize));
        if request.walk_end <= at || count < 1024 {
            break;
        }
        at = request.walk_end;
    }
    Ok(ranges)
}

/// The same by the older interface: an entry of 8 bytes per page; bit 63 is "present", 62 "swapped", 61 "page of a file".
fn read_pagemap(pagemap: &File, memory: &[u8]) -> std::io::Result<Vec<Range<usize>>> {
    let mut entries = vec![0u8; memory.len() / PAGE * 8];
    pagemap.read_exact_at(&mut entries, (memory.as_ptr() as usize / PAGE * 8) as u64)?;
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, entry) in entries.chunks_exact(8).enumerate() {
        if entry[7] & 0xc0 == 0 || entry[7] & 0x20 != 0 {
            continue;
        }
        let start = index * PAGE;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end += PAGE,
            _ => ranges.push(start..start + PAGE),
        }
    }
    Ok(ranges)
}

/// A file, mapped for reading. Nobody may truncate it while it is mapped.
#[derive(Debug)]
pub(crate) struct FileMap {
    base: usize,
    len: usize,
}

impl FileMap {
    pub(crate) fn new(file: &File, len: usize) -> std::io::Result<FileMap> {
        if len == 0 {
            return Ok(FileMap { base: 0, len });
        }
        if file.metadata()?.len() < len as u64 {
            return Err(std::io::Error::other("the file is shorter than it should be"));
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing else.
        let base =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, file.as_fd(), 0)? };
        Ok(FileMap { base: base as usize, len })
    }
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the mapping has this length and lives as long as `self`. Its files are never written once they are
        // mapped: images and layers are immutable.
        unsafe { std::slice::from_raw_parts(self.base as *const u8, self.len) }
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the mapping is ours, and nobody can hold a slice of it any more.
            let _ = unsafe { rustix::mm::munmap(self.base as *mut _, self.len) };
        }
    }
}

/// Puts a private mapping of a file's pages in the place of a part of a linear memory.
///
/// # Safety
///
/// `at..at + len` lies inside a linear memory of ours, whose content may change now; `file` has `offset + len` bytes
/// and is never truncated. All three are multiples of [`PAGE`].
pub(crate) unsafe fn put_file(at: usize, len: usize, file: &File, offset: u64) -> std::io::Result<()> {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    // SAFETY: the caller's promise.
    unsafe { rustix::mm::mmap(at as *mut _, len, ProtFlags::READ | ProtFlags::WRITE, flags, file.as_fd(), offset)? };
    Ok(())
}

/// Puts fresh zeros in the place of a part of a linear memory.
///
/// # Safety
///
/// As for [`put_file`].
pub(crate) unsafe fn put_zeros(at: usize, len: usize) -> std::io::Result<()> {
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    // SAFETY: the caller's promise.
    unsafe { rustix::mm::mmap_anonymous(at as *mut _, len, ProtFlags::READ | ProtFlags::WRITE, flags)? };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_zeros_is_zero() {
        let mut page = vec![0u8; PAGE];
        assert!(is_zero(&page));
        for place in [0, 63, 64, 2000, PAGE - 1] {
            page[place] = 1;
            assert!(!is_zero(&page), "{place}");
            page[place] = 0;
        }
    }

    #[test]
    fn written_pages_of_a_private_mapping_are_found_both_ways_and_others_are_not() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(64 * PAGE as u64).expect("sized");
        let map = FileMap::new(&file, 64 * PAGE).expect("mapped");
        // SAFETY: the mapping is of this length, and nobody else knows of it.
        let memory = unsafe {
            put_file(map.base, 64 * PAGE, &file, 0).expect("put");
            std::slice::from_raw_parts_mut(map.base as *mut u8, 64 * PAGE)
        };
        let read: u64 = memory.iter().step_by(PAGE).map(|&byte| u64::from(byte)).sum();
        assert_eq!(read, 0);
        for page in [3, 4, 5, 40] {
            memory[page * PAGE + 7] = 1;
        }
        let expected = [3 * PAGE..6 * PAGE, 40 * PAGE..41 * PAGE];
        assert_eq!(copies(memory).expect("told"), expected);
        let pagemap = File::open("/proc/self/pagemap").expect("open");
        assert_eq!(read_pagemap(&pagemap, memory).expect("told"), expected);
    }
}
