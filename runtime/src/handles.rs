//! What a guest has open: kept by path, flags and offset, so that a session that slept finds it open again.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime_wasi::p1::types::{self, Errno, Error};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as Wasi;
use wiggle::{GuestMemory, GuestPtr};

use crate::layer::OpenFile;
use crate::mount::FIRST_PREOPEN;
use crate::wasi::GuestWasi;

/// Descriptors above this are not opened again: no program of ours comes near.
const MAX_FD: u32 = 4096;

/// Longest path that is opened again, in bytes.
const MAX_PATH: usize = 4096;

/// What a file operation gives: with `allow_blocking_current_thread` it never waits.
fn at_once<T>(work: impl Future<Output = T>) -> Option<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Is `path` at or beneath `dir`?
fn inside(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || dir.ends_with('/'))
}

impl GuestWasi {
    /// What the guest has open now.
    pub(crate) fn open_files(&mut self) -> Vec<OpenFile> {
        let mut nothing = [];
        let mut files: Vec<_> = self.open.values().cloned().collect();
        for file in &mut files {
            let position = Wasi::fd_tell(&mut self.inner, &mut GuestMemory::Unshared(&mut nothing), file.fd.into());
            file.offset = position.unwrap_or(0);
            // Opening its path again would give another file if this one was replaced or deleted.
            file.lost = !self.null.contains(&file.fd) && at_once(self.is_elsewhere(file)).unwrap_or(true);
        }
        files
    }

    /// Whether the path of an open file leads to another one, or nowhere.
    async fn is_elsewhere(&mut self, file: &OpenFile) -> bool {
        let Some((preopen, below)) = self.place_of(&file.path) else { return true };
        let mut bytes = below.into_bytes();
        let Ok(length) = u32::try_from(bytes.len()) else { return true };
        self.set_hostcall_fuel(MAX_PATH);
        let memory = &mut GuestMemory::Unshared(&mut bytes);
        let follow = types::Lookupflags::SYMLINK_FOLLOW;
        let path = GuestPtr::<str>::new((0, length));
        let there = Wasi::path_filestat_get(&mut self.inner, memory, preopen.into(), follow, path).await;
        let open = Wasi::fd_filestat_get(&mut self.inner, memory, file.fd.into()).await;
        !matches!((there, open), (Ok(there), Ok(open)) if (there.dev, there.ino) == (open.dev, open.ino))
    }

    /// A path's preopened directory, by descriptor, and the rest of it.
    fn place_of(&self, path: &str) -> Option<(u32, String)> {
        let preopens = self.preopens.iter().zip(FIRST_PREOPEN..);
        let (preopen, fd) =
            preopens.filter(|(preopen, _)| inside(path, preopen)).max_by_key(|(preopen, _)| preopen.len())?;
        let below = path[preopen.len()..].trim_start_matches('/');
        Some((fd, if below.is_empty() { "." } else { below }.to_owned()))
    }

    /// Files that were opened by a path go on under the name that it has now.
    pub(crate) fn renamed(&mut self, from: &str, to: &str) {
        for file in self.open.values_mut().filter(|file| inside(&file.path, from)) {
            file.path = format!("{to}{}", &file.path[from.len()..]);
        }
    }

    /// Opens what a session had open, under the same descriptors. Returns the paths of those that cannot be opened;
    /// the guest finds their descriptors closed.
    pub(crate) async fn reopen(&mut self, files: &[OpenFile]) -> Vec<String> {
        let mut lost = Vec::new();
        // The library chooses descriptors itself and moves one only to where another is: the places are made first.
        let mut places = Vec::new();
        let last = files.iter().map(|file| file.fd).max().unwrap_or(0).min(MAX_FD);
        while !files.is_empty() && places.last().is_none_or(|&place| place < last) {
            let Some((dev, _)) = self.place_of("/dev") else { break };
            match self.open_path(dev, ".", true, 0, 0).await {
                Ok(place) => {
                    // Not the guest's.
                    self.forget(place);
                    places.push(place);
                }
                Err(_) => break,
            }
        }
        for file in files {
            let opened = self.reopen_one(file, &places).await;
            if opened.is_err() {
                lost.push(file.path.clone());
            }
        }
        let mut nothing = [];
        for place in places.into_iter().filter(|place| !self.open.contains_key(place)) {
            let _ = Wasi::fd_close(&mut self.inner, &mut GuestMemory::Unshared(&mut nothing), place.into()).await;
        }
        lost
    }

    async fn reopen_one(&mut self, file: &OpenFile, places: &[u32]) -> Result<(), Error> {
        if file.lost {
            return Err(Errno::Noent.into());
        }
        let (preopen, below) = self.place_of(&file.path).ok_or(Errno::Noent)?;
        let fd = self.open_path(preopen, &below, file.directory, file.rights, file.flags).await?;
        let mut nothing = [];
        let memory = &mut GuestMemory::Unshared(&mut nothing);
        if !file.directory {
            let offset = i64::try_from(file.offset).map_err(|_| Errno::Overflow)?;
            // A pipe or the null device has no offset, and needs none.
            let _ = Wasi::fd_seek(&mut self.inner, memory, fd.into(), offset, types::Whence::Set).await;
        }
        if fd != file.fd {
            if !places.contains(&file.fd) {
                return Err(Errno::Badf.into());
            }
            Wasi::fd_renumber(self, memory, fd.into(), file.fd.into()).await?;
        }
        Ok(())
    }

    /// Opens a path beneath a preopened directory, as the guest would.
    async fn open_path(&mut self, preopen: u32, path: &str, dir: bool, rights: u64, flags: u16) -> Result<u32, Error> {
        let mut bytes = path.as_bytes().to_vec();
        let length = u32::try_from(bytes.len()).map_err(|_| Errno::Nametoolong)?;
        let memory = &mut GuestMemory::Unshared(&mut bytes);
        // What a call may copy: Wasmtime sets it before each call of a guest, and this is none.
        self.set_hostcall_fuel(MAX_PATH);
        let opened = Wasi::path_open(
            self,
            memory,
            preopen.into(),
            types::Lookupflags::SYMLINK_FOLLOW,
            GuestPtr::<str>::new((0, length)),
            if dir { types::Oflags::DIRECTORY } else { types::Oflags::empty() },
            types::Rights::from_bits_truncate(rights),
            types::Rights::from_bits_truncate(rights),
            types::Fdflags::from_bits_truncate(flags),
        );
        opened.await.map(u32::from)
    }

    /// What must be known of a file to open it again.
    pub(crate) fn record(
        &self,
        memory: &GuestMemory<'_>,
        dir: types::Fd,
        path: GuestPtr<str>,
        open: types::Oflags,
        rights: types::Rights,
        flags: types::Fdflags,
    ) -> Result<OpenFile, Error> {
        let path = memory.as_cow_str(path)?;
        let dir = u32::from(dir);
        let preopen = dir.checked_sub(FIRST_PREOPEN).and_then(|index| self.preopens.get(index as usize));
        let base = self.open.get(&dir).map(|file| &file.path).or(preopen).map_or("", String::as_str);
        Ok(OpenFile {
            fd: 0,
            path: format!("{}/{path}", base.trim_end_matches('/')),
            directory: open.contains(types::Oflags::DIRECTORY),
            rights: rights.bits(),
            flags: flags.bits(),
            offset: 0,
            lost: false,
        })
    }

    pub(crate) fn remember(&mut self, fd: types::Fd, record: OpenFile) {
        let fd = fd.into();
        self.open.insert(fd, OpenFile { fd, ..record });
    }
}
