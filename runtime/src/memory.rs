//! Linear memories that start as a private mapping of an image file.
//!
//! Compiled code and memory are separate: one compiled module serves the untouched image, the
//! warmed-up one and any session's. A memory is a reservation of address space whose start
//! is the image file, mapped copy-on-write: pages are shared by all instances of all processes
//! until they are written. A session's memory has layers over the image.
//! See `docs/decisions/0002-memory-images.md`.

use std::cell::RefCell;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use serde::{Deserialize, Serialize};
use wasmtime::{AsContextMut, LinearMemory, Memory, MemoryCreator, MemoryType};

use crate::interrupt::Words;
use crate::layer::{Found, Layer};
pub(crate) use crate::pages::WASM_PAGE;
use crate::pages::{self, FileMap, MAPPED, PAGE};

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
    /// The content, to compare a session's pages with.
    content: OnceLock<FileMap>,
    interrupt: OnceLock<Option<Words>>,
    hot: OnceLock<HotPages>,
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
    /// `hot`: pages that nearly every run touches, if they are known.
    pub(crate) fn open(path: &Path, declared_min: usize, hot: Option<HotPages>) -> std::io::Result<Arc<MemoryImage>> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?;
        if len < declared_min || len % WASM_PAGE != 0 {
            return Err(std::io::Error::other(format!("a memory image of {len} bytes is not whole")));
        }
        Ok(Arc::new(MemoryImage {
            file,
            len,
            declared_min,
            content: OnceLock::new(),
            interrupt: OnceLock::new(),
            hot: hot.map(OnceLock::from).unwrap_or_default(),
            spare: Mutex::default(),
        }))
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
            let start = Start { image: self.clone(), layers: Vec::new() };
            let next = MappedMemory::new(Some(&start), self.declared_min, capacity, guard).ok();
            self.spare().next = next;
        }
    }

    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a run touched that did next to nothing, unless that is known.
    pub(crate) fn learn(&self, memory: &[u8]) {
        self.hot.get_or_init(|| HotPages::of(memory));
    }

    /// Size that the module declares at least.
    pub(crate) fn declared_min(&self) -> usize {
        self.declared_min
    }

    /// What to write to interrupt its interpreter, looked for when it is wanted for the first time.
    pub(crate) fn interrupt(&self) -> Option<Words> {
        *self.interrupt.get_or_init(|| Words::find(self.content().ok()?))
    }

    /// Its bytes, mapped when they are asked for the first time.
    pub(crate) fn content(&self) -> std::io::Result<&[u8]> {
        match self.content.get() {
            Some(content) => Ok(content),
            None => {
                let content = FileMap::new(&self.file, self.len)?;
                Ok(self.content.get_or_init(|| content))
            }
        }
    }
}

/// What a memory starts as: an image, and a session's layers over it, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) image: Arc<MemoryImage>,
    pub(crate) layers: Vec<Arc<Layer>>,
}

/// Ranges of bytes, page-aligned and in order.
pub(crate) type Ranges = Vec<Range<usize>>;

impl Start {
    /// Bytes that a memory has from the start.
    pub(crate) fn len(&self) -> usize {
        self.layers.last().map_or(self.image.len, |layer| layer.memory_bytes().max(self.image.len))
    }

    /// What a page was before; `None` for zeros.
    fn page<'a>(&'a self, content: &'a [u8], at: usize) -> Option<&'a [u8]> {
        for layer in self.layers.iter().rev() {
            match layer.page(at) {
                Some(Found::Page(page)) => return Some(page),
                Some(Found::Zeros) => return None,
                None => {}
            }
        }
        content.get(at..at + PAGE)
    }

    /// The pages of `memory` that are not as they started, and those that have become zeros: ranges of bytes, in order.
    /// With `whole` they are compared with the image alone, as if there were no layers.
    ///
    /// # Errors
    ///
    /// The kernel does not tell which pages were written, or the image cannot be mapped.
    pub(crate) fn changes(&self, memory: &[u8], whole: bool) -> std::io::Result<(Ranges, Ranges)> {
        let content = self.image.content()?;
        let mut candidates = pages::copies(memory)?;
        if whole {
            for layer in &self.layers {
                candidates.extend(layer.extents().iter().map(|(range, _)| range.clone()));
                candidates.extend(layer.zeros());
            }
            candidates.sort_by_key(|range| range.start);
        }
        let image_only = Start { image: self.image.clone(), layers: Vec::new() };
        let before = if whole { &image_only } else { self };
        let (mut changed, mut zeros) = (Vec::new(), Vec::new());
        let mut done = 0;
        for range in candidates {
            for at in (range.start.max(done)..range.end).step_by(PAGE) {
                let page = &memory[at..at + PAGE];
                let list = match before.page(content, at) {
                    Some(old) if *old == *page => continue,
                    None if pages::is_zero(page) => continue,
                    Some(_) if pages::is_zero(page) => &mut zeros,
                    _ => &mut changed,
                };
                join(list, at);
            }
            done = done.max(range.end);
        }
        Ok((changed, zeros))
    }
}

/// Adds a page to ranges in order.
fn join(ranges: &mut Vec<Range<usize>>, at: usize) {
    match ranges.last_mut() {
        Some(last) if last.end == at => last.end += PAGE,
        _ => ranges.push(at..at + PAGE),
    }
}

/// A guest's memory, for writing while the guest is suspended at one of its own instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    base: usize,
    len: usize,
}

impl Window {
    pub(crate) fn new(memory: &Memory, store: impl wasmtime::AsContext) -> Window {
        Window { base: memory.data_ptr(&store) as usize, len: memory.data_size(&store) }
    }

    /// Writes what interrupts the interpreter.
    ///
    /// # Safety
    ///
    /// The instance lives, and is suspended on this thread outside of any host call: nobody holds a reference into its
    /// memory, and generated code expects its memory to change at such a place no less than after a call.
    pub(crate) unsafe fn write(&self, words: Words) {
        // SAFETY: the memory has had this length since the turn's start (it only grows and does not move), and nobody
        // else refers to it now, by the caller's promise.
        words.write(unsafe { std::slice::from_raw_parts_mut(self.base as *mut u8, self.len) });
    }
}

/// Puts long runs of a layer that was just written from this memory in the place of the memory's own copies: they are
/// shared with forks from now on, and are not looked at again until they are written again.
pub(crate) fn settle(memory: &Memory, mut store: impl AsContextMut, layer: &Layer) -> std::io::Result<()> {
    let memory = memory.data_mut(&mut store);
    for (range, place) in layer.extents().iter().filter(|(range, _)| range.len() >= MAPPED) {
        let at = memory[range.clone()].as_mut_ptr() as usize;
        // SAFETY: the range lies inside a linear memory, which `ImageMemoryCreator` made, as it makes all of them; we
        // hold it exclusively; the file holds these very bytes. Layers are never truncated.
        unsafe { pages::put_file(at, range.len(), layer.file(), *place)? };
    }
    Ok(())
}

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

thread_local! {
    /// What the next memory made on this thread starts as. Wasmtime offers no argument for it;
    /// an instance's memories are made on the thread that polls the instantiation first.
    static NEXT: RefCell<Option<Start>> = const { RefCell::new(None) };
}

/// While it lives, the next memory of matching size made on this thread starts as `start` says.
pub(crate) struct UseImage;

impl UseImage {
    pub(crate) fn new(start: &Start) -> UseImage {
        NEXT.with(|next| *next.borrow_mut() = Some(start.clone()));
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
        let start = NEXT.with(|next| {
            let mut next = next.borrow_mut();
            if next.as_ref().is_some_and(|start| start.image.declared_min == minimum) { next.take() } else { None }
        });
        let reserved = reserved.ok_or("linear memories need a fixed reservation")?;
        let fresh = start.as_ref().filter(|start| start.layers.is_empty());
        let ahead = fresh.and_then(|start| start.image.spare().next.take());
        if let Some(memory) =
            ahead.filter(|memory| (memory.mapping.capacity, memory.mapping.total) == (reserved, reserved + guard))
        {
            return Ok(Box::new(memory));
        }
        let memory = MappedMemory::new(start.as_ref(), minimum, reserved, guard)
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
    fn new(start: Option<&Start>, minimum: usize, capacity: usize, guard: usize) -> std::io::Result<MappedMemory> {
        let size = start.map_or(minimum, Start::len);
        if size > capacity {
            return Err(std::io::Error::other("the image is larger than a memory may be"));
        }
        let mapping = Mapping::new(capacity, guard)?;
        let image = start.map_or_else(Weak::new, |start| Arc::downgrade(&start.image));
        let mut memory = MappedMemory { mapping, size: 0, image };
        let Some(start) = start else {
            memory.make_accessible(size)?;
            return Ok(memory);
        };
        let (base, image) = (memory.mapping.base, &start.image);
        // SAFETY: the range lies inside the reservation made above, which nobody else knows;
        // `image.len` is the file's length, so that no access goes past its end.
        unsafe { pages::put_file(base, image.len, &image.file, 0)? };
        memory.size = image.len;
        memory.make_accessible(size)?;
        if let Some(hot) = image.hot.get() {
            hot.populate(base, image.len);
        }
        start.layers.iter().try_for_each(|layer| memory.lay(layer))?;
        Ok(memory)
    }

    /// Lays a session's pages over what is there.
    fn lay(&mut self, layer: &Layer) -> std::io::Result<()> {
        let base = self.mapping.base;
        for (range, place) in layer.extents() {
            if range.end > self.size {
                return Err(std::io::Error::other("a layer is larger than its memory"));
            }
            if range.len() >= MAPPED {
                // SAFETY: the range was just compared with the accessible size; layers are never truncated.
                unsafe { pages::put_file(base + range.start, range.len(), layer.file(), *place)? };
            } else {
                let bytes = layer.bytes(*place, range.len());
                // SAFETY: as above; nobody else knows this memory yet.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (base + range.start) as *mut u8, bytes.len()) };
            }
        }
        for range in layer.zeros() {
            if range.end > self.size {
                return Err(std::io::Error::other("a layer is larger than its memory"));
            }
            // SAFETY: as above.
            unsafe {
                if range.len() >= MAPPED {
                    pages::put_zeros(base + range.start, range.len())?;
                } else {
                    std::ptr::write_bytes((base + range.start) as *mut u8, 0, range.len());
                }
            }
        }
        Ok(())
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
