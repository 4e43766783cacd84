//! Ledger: what a guest's files take up, kept while it writes.
//!
//! Guests reach files only through the functions in [`crate::wasi`], one at a time, so the ledger
//! can be exact without asking the file system again: it knows every file that the guest has open
//! and what each call adds or frees. A file that is deleted while open takes up its space until it
//! is closed.

use std::collections::HashMap;

use crate::{Limits, Room};

/// Identity of a file: device and inode.
pub(crate) type FileId = (u64, u64);

/// Which limit refused something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `workspace_mib`.
    Bytes,
    /// `workspace_files`.
    Files,
    /// `file_mib`.
    FileSize,
    /// `open_handles`.
    Handles,
}

/// Sizes and counts of a guest's files.
#[derive(Debug)]
pub(crate) struct Ledger {
    max_bytes: u64,
    max_files: u64,
    max_file_bytes: u64,
    max_handles: u64,
    bytes: u64,
    files: u64,
    /// Files open for writing.
    open: HashMap<FileId, OpenFile>,
    /// Guest descriptors of everything that the guest opened.
    handles: HashMap<u32, Option<FileId>>,
    /// True once a workspace limit refused something: tells a full disk from another OSError.
    pub(crate) refused: bool,
}

#[derive(Debug)]
struct OpenFile {
    size: u64,
    handles: u32,
    /// False once its last name is gone.
    named: bool,
}

impl Ledger {
    /// Starts from what is in the workspace already.
    pub(crate) fn new(limits: &Limits, bytes: u64, files: u64) -> Ledger {
        Ledger {
            max_bytes: limits.workspace_mib.saturating_mul(1 << 20),
            max_files: limits.workspace_files,
            max_file_bytes: limits.file_mib.saturating_mul(1 << 20),
            max_handles: limits.open_handles,
            bytes,
            files,
            open: HashMap::new(),
            handles: HashMap::new(),
            refused: false,
        }
    }

    /// Begins a turn of a session: its limits, and what is in the workspace now.
    pub(crate) fn begin(&mut self, limits: &Limits, bytes: u64, files: u64) {
        let fresh = Ledger::new(limits, bytes, files);
        let (open, handles) = (std::mem::take(&mut self.open), std::mem::take(&mut self.handles));
        *self = Ledger { open, handles, ..fresh };
    }

    /// May the guest open one more handle?
    pub(crate) fn check_handle(&self) -> Result<(), Refused> {
        if self.handles.len() as u64 >= self.max_handles { Err(Refused::Handles) } else { Ok(()) }
    }

    /// May the guest make one more file, directory or link?
    pub(crate) fn check_new_file(&mut self) -> Result<(), Refused> {
        if self.files >= self.max_files {
            self.refused = true;
            return Err(Refused::Files);
        }
        Ok(())
    }

    pub(crate) fn file_made(&mut self) {
        self.files += 1;
    }

    /// A handle was opened; `file` with its size if it can be written.
    pub(crate) fn opened(&mut self, handle: u32, file: Option<(FileId, u64)>) {
        if let Some((id, size)) = file {
            let open = self.open.entry(id).or_insert(OpenFile { size, handles: 0, named: true });
            open.handles += 1;
        }
        self.handles.insert(handle, file.map(|(id, _)| id));
    }

    /// An existing file was cut to nothing as it was opened.
    pub(crate) fn truncated(&mut self, id: FileId, size_before: u64) {
        self.bytes = self.bytes.saturating_sub(size_before);
        if let Some(open) = self.open.get_mut(&id) {
            open.size = 0;
        }
    }

    pub(crate) fn closed(&mut self, handle: u32) {
        let Some(Some(id)) = self.handles.remove(&handle) else { return };
        let Some(open) = self.open.get_mut(&id) else { return };
        open.handles = open.handles.saturating_sub(1);
        if open.handles == 0 {
            if !open.named {
                self.bytes = self.bytes.saturating_sub(open.size);
            }
            self.open.remove(&id);
        }
    }

    /// `from` takes the place of `to`, which is closed.
    pub(crate) fn renumbered(&mut self, from: u32, to: u32) {
        self.closed(to);
        if let Some(file) = self.handles.remove(&from) {
            self.handles.insert(to, file);
        }
    }

    /// Size of the file behind a handle that can be written.
    pub(crate) fn size(&self, handle: u32) -> Option<u64> {
        let id = (*self.handles.get(&handle)?)?;
        self.open.get(&id).map(|open| open.size)
    }

    /// May the file behind `handle` grow to `end` bytes?
    pub(crate) fn check_growth(&mut self, handle: u32, end: u64) -> Result<(), Refused> {
        let Some(size) = self.size(handle) else { return Ok(()) };
        if end > self.max_file_bytes && end > size {
            self.refused = true;
            return Err(Refused::FileSize);
        }
        if self.bytes.saturating_add(end.saturating_sub(size)) > self.max_bytes && end > size {
            self.refused = true;
            return Err(Refused::Bytes);
        }
        Ok(())
    }

    /// The file behind `handle` has `end` bytes at least now.
    pub(crate) fn written(&mut self, handle: u32, end: u64) {
        if self.size(handle).is_some_and(|size| end > size) {
            self.resized(handle, end);
        }
    }

    /// The file behind `handle` has `size` bytes now.
    pub(crate) fn resized(&mut self, handle: u32, size: u64) {
        let Some(Some(id)) = self.handles.get(&handle) else { return };
        let Some(open) = self.open.get_mut(id) else { return };
        self.bytes = self.bytes.saturating_sub(open.size).saturating_add(size);
        open.size = size;
    }

    /// What is left for files that others make on the guest's behalf.
    pub(crate) fn room(&self) -> Room {
        Room {
            bytes: self.max_bytes.saturating_sub(self.bytes),
            file_bytes: self.max_file_bytes,
            files: self.max_files.saturating_sub(self.files),
        }
    }

    /// Others made files on the guest's behalf, or put them in the place of its own.
    pub(crate) fn changed(&mut self, bytes: i64, files: u64) {
        self.bytes = self.bytes.saturating_add_signed(bytes);
        self.files = self.files.saturating_add(files);
    }

    /// A name is gone. `file`: identity and size if it was a regular file's only name.
    pub(crate) fn unlinked(&mut self, file: Option<(FileId, u64)>) {
        self.files = self.files.saturating_sub(1);
        let Some((id, size)) = file else { return };
        match self.open.get_mut(&id) {
            Some(open) => open.named = false,
            None => self.bytes = self.bytes.saturating_sub(size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = (1, 7);

    fn ledger() -> Ledger {
        let limits = Limits { workspace_mib: 1, workspace_files: 2, file_mib: 1, open_handles: 2, ..Limits::default() };
        Ledger::new(&limits, 0, 0)
    }

    #[test]
    fn growth_beyond_the_workspace_is_refused_and_remembered() {
        let mut ledger = ledger();
        ledger.opened(5, Some((FILE, 0)));
        assert_eq!(ledger.check_growth(5, 1 << 20), Ok(()));
        ledger.written(5, 1 << 20);
        ledger.opened(6, Some(((1, 8), 0)));
        assert_eq!(ledger.check_growth(6, 1), Err(Refused::Bytes));
        assert!(ledger.refused);
    }

    #[test]
    fn a_deleted_file_takes_space_until_it_is_closed() {
        let mut ledger = ledger();
        ledger.opened(5, Some((FILE, 0)));
        ledger.written(5, 1 << 20);
        ledger.unlinked(Some((FILE, 1 << 20)));
        ledger.opened(6, Some(((1, 8), 0)));
        assert_eq!(ledger.check_growth(6, 1), Err(Refused::Bytes));
        ledger.closed(5);
        assert_eq!(ledger.check_growth(6, 1), Ok(()));
    }

    #[test]
    fn overwriting_takes_no_space() {
        let mut ledger = ledger();
        ledger.opened(5, Some((FILE, 0)));
        ledger.written(5, 1 << 20);
        assert_eq!(ledger.check_growth(5, 1 << 20), Ok(()));
    }

    #[test]
    fn handles_and_files_are_counted() {
        let mut ledger = ledger();
        ledger.opened(5, None);
        ledger.opened(6, None);
        assert_eq!(ledger.check_handle(), Err(Refused::Handles));
        ledger.renumbered(6, 5);
        assert_eq!(ledger.check_handle(), Ok(()));
        ledger.file_made();
        ledger.file_made();
        assert_eq!(ledger.check_new_file(), Err(Refused::Files));
        ledger.unlinked(None);
        assert_eq!(ledger.check_new_file(), Ok(()));
    }
}
