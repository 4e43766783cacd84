//! Linear memories that start as a private mapping of an image file.
//!
//! Compiled code and memory are separate: one compiled module serves the untouched image, the
//! warmed-up one and (later) any session's. A memory is a reservation of address space whose start
//! is the image file, mapped copy-on-write: pages are shared by all instances of all processes
//! until they are written. See `docs/decisions/0002-memory-images.md`.

use std::cell::RefCell;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use serde::{Deserialize, Serialize};
use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// A memory's content in a file. Nobody may truncate the file while it is in use: the cache that
/// holds it is private to the user and its files are replaced by rename only.
#[derive(Debug)]
pub(crate) struct MemoryImage {
    file: File,
    /// Length of the file and of the memory at its start: a multiple of the wasm page size.
    len: usize,
    /// Minimum size that the module declares for its memory, by which it is told apart from the
    /// exception heap, which Wasmtime asks of the same creator.
    declared_min: usize,
    hot: HotPages,
    /// A memory mapped ahead of its run, and those of finished runs; used once [`Self::map_ahead`] was called.
    spare: Mutex<Spare>,
}

#[derive(Debug, Default)]
struct Spare {
    kept: bool,
    next: Option<MappedMemory>,
    finished: Vec<Mapping>,
}

impl MemoryImage {
    pub(crate) fn open(path: &Path, declared_min: usize, hot: HotPages) -> std::io::Result<Arc<MemoryImage>> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
        if len < declared_min || len % WASM_PAGE != 0 {
            return Err(std::io::Error::other(format!("a memory image of {len} bytes is not whole")));
        }
        Ok(Arc::new(MemoryImage { file, len, declared_min, hot, spare: Mutex::default() }))
    }

    /// Maps the memory of the next run and unmaps those of finished ones: for a caller that is idle now
    /// and wants its next run to start sooner. The size of a reservation is that of the last run.
    pub(crate) fn map_ahead(self: &Arc<Self>) {
        let (finished, wanted) = {
            let mut spare = self.spare();
            spare.kept = true;
            (std::mem::take(&mut spare.finished), spare.next.is_none())
        };
        let reservation = finished.last().map(|mapping| (mapping.capacity, mapping.total - mapping.capacity));
        if let Some((capacity, guard)) = reservation.filter(|_| wanted) {
            // Without the lock: a memory that is dropped takes it. If mapping fails now, it will be
            // tried and reported when it is needed.
            let next = MappedMemory::new(Some(self), self.declared_min, capacity, guard).ok();
            self.spare().next = next;
        }
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of memory that an instance of this image has from the start.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Size of a page of the machine.
const PAGE: usize = 4096;

/// Pages that nearly every run touches, as ranges of bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct HotPages {
    /// Written: each is a copy of the image's page.
    written: Vec<Range<usize>>,
    /// Read at least: mapped, not copied.
    read: Vec<Range<usize>>,
}

impl HotPages {
    /// The pages of a private file mapping that were touched since it was made; none where the kernel does
    /// not tell. From its documentation of `/proc/PID/pagemap`: bit 63 is "present", bit 61 "page of a file".
    pub(crate) fn of(memory: &[u8]) -> HotPages {
        let mut entries = vec![0u8; memory.len() / PAGE * 8];
        let place = (memory.as_ptr() as usize / PAGE * 8) as u64;
        let mut hot = HotPages::default();
        if File::open("/proc/self/pagemap").and_then(|pagemap| pagemap.read_exact_at(&mut entries, place)).is_err() {
            return hot;
        }
        for (index, entry) in entries.chunks_exact(8).enumerate() {
            // A page too many is cheaper than a call more: small gaps are bridged.
            let (ranges, gap) = match entry[7] & 0xa0 {
                0x80 => (&mut hot.written, 1),
                0xa0 => (&mut hot.read, 8),
                _ => continue,
            };
            let start = index * PAGE;
            match ranges.last_mut() {
                Some(last) if start - last.end <= gap * PAGE => last.end = start + PAGE,
                _ => ranges.push(start..start + PAGE),
            }
        }
        hot
    }

    /// Maps the pages of a memory at `base` in a few calls: a fault for each is what a short run would
    /// spend most of its time with. This is advice: a kernel before 5.14 refuses it.
    fn populate(&self, base: usize, len: usize) {
        for (ranges, advice) in [(&self.read, Advice::LinuxPopulateRead), (&self.written, Advice::LinuxPopulateWrite)] {
            for range in ranges.iter().filter(|range| range.start < range.end && range.end <= len) {
                // SAFETY: the range lies inside the caller's mapping of `len` bytes, whose content stays the image's.
                let _ = unsafe { rustix::mm::madvise((base + range.start) as *mut _, range.len(), advice) };
            }
        }
    }
}

/// Size of a WebAssembly page.
pub(crate) const WASM_PAGE: usize = 64 * 1024;

thread_local! {
    /// The image for the next memory made on this thread. Wasmtime offers no argument for it;
    /// an instance's memories are made on the thread that polls the instantiation first.
    static NEXT: RefCell<Option<Arc<MemoryImage>>> = const { RefCell::new(None) };
}

/// While it lives, the next memory of matching size made on this thread starts as `image`.
pub(crate) struct UseImage;

impl UseImage {
    pub(crate) fn new(image: &Arc<MemoryImage>) -> UseImage {
        NEXT.with(|next| *next.borrow_mut() = Some(image.clone()));
        UseImage
    }
}

impl Drop for UseImage {
    fn drop(&mut self) {
        NEXT.with(|next| *next.borrow_mut() = None);
    }
}

/// Makes memories from images; plain zeroed ones where no image is waiting.
pub(crate) struct ImageMemoryCreator;

// SAFETY: `new_memory` returns memories that own their mapping alone, are zero-filled outside the
// image, stay in place, and keep `reserved + guard` bytes of address space that is inaccessible
// beyond `byte_size`, as the trait demands.
unsafe impl MemoryCreator for ImageMemoryCreator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let image = NEXT.with(|next| {
            let mut next = next.borrow_mut();
            if next.as_ref().is_some_and(|image| image.declared_min == minimum) { next.take() } else { None }
        });
        let reserved = reserved.ok_or("linear memories need a fixed reservation")?;
        let ahead = image.as_ref().and_then(|image| image.spare().next.take());
        if let Some(memory) =
            ahead.filter(|memory| (memory.mapping.capacity, memory.mapping.total) == (reserved, reserved + guard))
        {
            return Ok(Box::new(memory));
        }
        let memory = MappedMemory::new(image.as_ref(), minimum, reserved, guard)
            .map_err(|error| format!("failed to map a linear memory: {error}"))?;
        Ok(Box::new(memory))
    }
}

/// A reservation of address space, unmapped when it is dropped.
#[derive(Debug)]
struct Mapping {
    base: usize,
    /// Bytes of address space, guard included.
    total: usize,
    /// Bytes that the memory may grow to.
    capacity: usize,
}

impl Mapping {
    fn new(capacity: usize, guard: usize) -> std::io::Result<Mapping> {
        let total = capacity.checked_add(guard).ok_or_else(|| std::io::Error::other("reservation too large"))?;
        let (none, private) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing else.
        let base = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), total, none, private)? } as usize;
        Ok(Mapping { base, total, capacity })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.total > 0 {
            // SAFETY: the mapping is ours alone, and Wasmtime drops a memory after its last use.
            // A failure leaves address space behind, which is no reason to abort.
            let _ = unsafe { rustix::mm::munmap(self.base as *mut _, self.total) };
        }
    }
}

/// A linear memory: a mapping with an accessible start.
#[derive(Debug)]
struct MappedMemory {
    mapping: Mapping,
    /// Accessible bytes.
    size: usize,
    /// Whose content it started with.
    image: Weak<MemoryImage>,
}

impl MappedMemory {
    fn new(
        image: Option<&Arc<MemoryImage>>,
        minimum: usize,
        capacity: usize,
        guard: usize,
    ) -> std::io::Result<MappedMemory> {
        let size = image.map_or(minimum, |image| image.len);
        if size > capacity {
            return Err(std::io::Error::other("the image is larger than a memory may be"));
        }
        let mapping = Mapping::new(capacity, guard)?;
        let mut memory = MappedMemory { mapping, size: 0, image: image.map_or_else(Weak::new, Arc::downgrade) };
        if let Some(image) = image {
            let base = memory.mapping.base;
            // SAFETY: the range lies inside the reservation made above, which nobody else knows;
            // `image.len` is at most the file's length, so that no access goes past its end.
            unsafe {
                rustix::mm::mmap(
                    base as *mut _,
                    image.len,
                    ProtFlags::READ | ProtFlags::WRITE,
                    MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
                    image.file.as_fd(),
                    0,
                )?;
            }
            memory.size = image.len;
            image.hot.populate(base, image.len);
        }
        memory.make_accessible(size)?;
        Ok(memory)
    }

    fn make_accessible(&mut self, size: usize) -> std::io::Result<()> {
        if size > self.size {
            // SAFETY: the range lies inside our own reservation and is not accessible yet.
            unsafe {
                rustix::mm::mprotect(
                    (self.mapping.base + self.size) as *mut _,
                    size - self.size,
                    MprotectFlags::READ | MprotectFlags::WRITE,
                )?;
            }
            self.size = size;
        }
        Ok(())
    }
}

// SAFETY: base and capacity never change; bytes up to `byte_size` are readable and writable, the
// rest of the reservation is inaccessible.
unsafe impl LinearMemory for MappedMemory {
    fn byte_size(&self) -> usize {
        self.size
    }

    fn byte_capacity(&self) -> usize {
        self.mapping.capacity
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > self.mapping.capacity {
            wasmtime::bail!("a memory of {new_size} bytes is larger than its reservation");
        }
        Ok(self.make_accessible(new_size)?)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.mapping.base as *mut u8
    }
}

impl Drop for MappedMemory {
    fn drop(&mut self) {
        let Some(image) = self.image.upgrade() else { return };
        let mut spare = image.spare();
        if spare.kept {
            // Unmapping takes as long as half a short run: that can wait until the caller is idle.
            let nothing = Mapping { base: 0, total: 0, capacity: 0 };
            spare.finished.push(std::mem::replace(&mut self.mapping, nothing));
        }
    }
}
