//! What a guest may ask of the host: WASI preview 1 by wasmtime-wasi, with checks of ours in front.
//!
//! In front of the library stand: the [`Ledger`] (workspace bytes, files, handles), the virtual
//! clock, sorted and cached directory listings (the library lists a directory again for every
//! page), a null device, sleeping that the wall clock can interrupt, and no hard links (a file with
//! two names escapes the ledger). Everything else goes through unchanged.
//! See `docs/decisions/0003-wasi.md`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::types::{self, Errno, Error};
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as Wasi;
use wiggle::{GuestMemory, GuestPtr};

use crate::Mode;
use crate::clock::GuestClock;
use crate::layer::OpenFile;
use crate::ledger::{FileId, Ledger, Refused};

/// A guest's WASI state.
pub(crate) struct GuestWasi {
    pub(crate) inner: WasiP1Ctx,
    pub(crate) ledger: Ledger,
    pub(crate) clock: GuestClock,
    mode: Mode,
    /// Fuel used when the guest last read a clock.
    pub(crate) fuel_seen: u64,
    /// The preopened `/dev`, in which `null` is the null device.
    dev: u32,
    /// Open handles of the null device.
    pub(crate) null: HashSet<u32>,
    /// Handles opened for appending.
    append: HashSet<u32>,
    /// Directory listings in use, by handle.
    listings: HashMap<u32, Vec<Entry>>,
    /// Inode numbers by first sight in a turn: the machine's own would differ between replays.
    inodes: HashMap<u64, u64>,
    /// Guest paths of the preopened directories, in the order of their descriptors.
    pub(crate) preopens: Vec<String>,
    /// What is open, so that a session that sleeps can open it again.
    pub(crate) open: BTreeMap<u32, OpenFile>,
    /// Where random bytes come from; `None`: the system.
    random: Option<StdRng>,
}

/// Most random bytes that a guest gets at once.
const MAX_RANDOM: u32 = 1 << 20;

struct Entry {
    inode: u64,
    kind: u8,
    name: Vec<u8>,
}

/// Time stamp of every file in deterministic mode.
const FILE_TIME_NS: u64 = 1_704_067_200_000_000_000;

impl GuestWasi {
    /// `dev` is the descriptor of the preopened `/dev`.
    pub(crate) fn new(
        inner: WasiP1Ctx,
        ledger: Ledger,
        clock: GuestClock,
        mode: Mode,
        dev: u32,
        preopens: Vec<String>,
    ) -> GuestWasi {
        GuestWasi {
            inner,
            ledger,
            clock,
            mode,
            fuel_seen: 0,
            dev,
            null: HashSet::new(),
            append: HashSet::new(),
            listings: HashMap::new(),
            inodes: HashMap::new(),
            preopens,
            open: BTreeMap::new(),
            random: None,
        }
    }

    /// Begins a turn; `fuel_used` was spent in the last one.
    pub(crate) fn begin(&mut self, mode: Mode, random_seed: Option<u64>, fuel_used: u64) {
        self.clock.begin(mode, fuel_used);
        self.mode = mode;
        self.fuel_seen = 0;
        self.inodes.clear();
        self.listings.clear();
        self.random = random_seed.map(StdRng::seed_from_u64);
    }

    /// What a guest sees of a file's facts.
    fn shown(&mut self, mut stat: types::Filestat) -> types::Filestat {
        if self.mode == Mode::Deterministic {
            stat.ino = self.stable_inode(stat.ino);
            stat.dev = 1;
            (stat.atim, stat.mtim, stat.ctim) = (FILE_TIME_NS, FILE_TIME_NS, FILE_TIME_NS);
        }
        stat
    }

    fn stable_inode(&mut self, inode: u64) -> u64 {
        let next = self.inodes.len() as u64 + 1;
        *self.inodes.entry(inode).or_insert(next)
    }

    async fn stat(
        &mut self,
        memory: &mut GuestMemory<'_>,
        dir: types::Fd,
        flags: types::Lookupflags,
        path: GuestPtr<str>,
    ) -> Option<types::Filestat> {
        Wasi::path_filestat_get(&mut self.inner, memory, dir, flags, path).await.ok()
    }

    /// The whole directory, sorted by name, `.` and `..` first.
    async fn list(&mut self, fd: types::Fd) -> Result<Vec<Entry>, Error> {
        const HEADER: usize = 24;
        let mut page = vec![0u8; 1 << 20];
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let size = page.len();
            let used = Wasi::fd_readdir(
                &mut self.inner,
                &mut GuestMemory::Unshared(&mut page),
                fd,
                GuestPtr::new(0),
                u32::try_from(size).unwrap_or(u32::MAX),
                entries.len() as u64,
            )
            .await? as usize;
            let mut at = 0;
            while at + HEADER <= used {
                let word = |from: usize, to: usize| {
                    page[at + from..at + to].iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte))
                };
                let (inode, length, kind) = (word(8, 16), word(16, 20) as usize, page[at + 20]);
                let Some(name) = page.get(at + HEADER..at + HEADER + length).filter(|_| at + HEADER + length <= used)
                else {
                    break;
                };
                entries.push(Entry { inode, kind, name: name.to_vec() });
                at += HEADER + length;
            }
            if used < size || at == 0 {
                break;
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.sort_by_key(|entry| !matches!(entry.name.as_slice(), b"." | b".."));
        if self.mode == Mode::Deterministic {
            for entry in &mut entries {
                entry.inode = self.stable_inode(entry.inode);
            }
        }
        Ok(entries)
    }

    /// Ends the bookkeeping of a closed handle.
    pub(crate) fn forget(&mut self, fd: u32) {
        self.ledger.closed(fd);
        self.open.remove(&fd);
        self.null.remove(&fd);
        self.append.remove(&fd);
        self.listings.remove(&fd);
    }

    /// Checks that `fd` may be written up to `end`, given the length of the write.
    fn check_write(&mut self, fd: u32, offset: Option<u64>, length: u64) -> Result<u64, Error> {
        let size = self.ledger.size(fd).unwrap_or(0);
        let start = if self.append.contains(&fd) { size } else { offset.unwrap_or(size) };
        let end = start.checked_add(length).ok_or(Errno::Fbig)?;
        self.ledger.check_growth(fd, end).map_err(errno)?;
        Ok(start)
    }
}

fn errno(refused: Refused) -> Errno {
    match refused {
        Refused::Bytes | Refused::Files => Errno::Nospc,
        Refused::FileSize => Errno::Fbig,
        Refused::Handles => Errno::Mfile,
    }
}

fn id(stat: &types::Filestat) -> FileId {
    (stat.dev, stat.ino)
}

/// Identity and size of a regular file that has no other name.
fn only_name(stat: &types::Filestat) -> Option<(FileId, u64)> {
    (stat.filetype == types::Filetype::RegularFile && stat.nlink <= 1).then(|| (id(stat), stat.size))
}

/// Length of the first buffer with content: the one that wasmtime-wasi writes.
fn first_length(memory: &GuestMemory<'_>, buffers: types::CiovecArray) -> Result<u64, Error> {
    for buffer in buffers.iter() {
        let buffer = memory.read(buffer?)?;
        if buffer.buf_len > 0 {
            return Ok(u64::from(buffer.buf_len));
        }
    }
    Ok(0)
}

fn total_length(memory: &GuestMemory<'_>, buffers: types::CiovecArray) -> Result<u32, Error> {
    let mut total = 0u32;
    for buffer in buffers.iter() {
        total = total.saturating_add(memory.read(buffer?)?.buf_len);
    }
    Ok(total)
}

/// Functions that go through unchanged.
macro_rules! pass {
    ($( async $name:ident($($arg:ident: $ty:ty),*) -> $ok:ty; )* ; $( $sync:ident($($sarg:ident: $sty:ty),*) -> $sok:ty; )*) => {
        $(async fn $name(&mut self, memory: &mut GuestMemory<'_>, $($arg: $ty),*) -> Result<$ok, Error> {
            Wasi::$name(&mut self.inner, memory, $($arg),*).await
        })*
        $(fn $sync(&mut self, memory: &mut GuestMemory<'_>, $($sarg: $sty),*) -> Result<$sok, Error> {
            Wasi::$sync(&mut self.inner, memory, $($sarg),*)
        })*
    };
}

impl Wasi for GuestWasi {
    pass! {
        async fd_advise(fd: types::Fd, offset: types::Filesize, len: types::Filesize, advice: types::Advice) -> ();
        async fd_datasync(fd: types::Fd) -> ();
        async fd_fdstat_get(fd: types::Fd) -> types::Fdstat;
        async fd_filestat_set_times(fd: types::Fd, atim: types::Timestamp, mtim: types::Timestamp, flags: types::Fstflags) -> ();
        async fd_read(fd: types::Fd, iovs: types::IovecArray) -> types::Size;
        async fd_pread(fd: types::Fd, iovs: types::IovecArray, offset: types::Filesize) -> types::Size;
        async fd_seek(fd: types::Fd, offset: types::Filedelta, whence: types::Whence) -> types::Filesize;
        async fd_sync(fd: types::Fd) -> ();
        async path_filestat_set_times(dir: types::Fd, flags: types::Lookupflags, path: GuestPtr<str>, atim: types::Timestamp, mtim: types::Timestamp, set: types::Fstflags) -> ();
        async path_readlink(dir: types::Fd, path: GuestPtr<str>, buf: GuestPtr<u8>, len: types::Size) -> types::Size;
        ;
        args_get(argv: GuestPtr<GuestPtr<u8>>, buf: GuestPtr<u8>) -> ();
        args_sizes_get() -> (types::Size, types::Size);
        environ_get(environ: GuestPtr<GuestPtr<u8>>, buf: GuestPtr<u8>) -> ();
        environ_sizes_get() -> (types::Size, types::Size);
        clock_res_get(clock: types::Clockid) -> types::Timestamp;
        fd_allocate(fd: types::Fd, offset: types::Filesize, len: types::Filesize) -> ();
        fd_fdstat_set_rights(fd: types::Fd, base: types::Rights, inheriting: types::Rights) -> ();
        fd_prestat_get(fd: types::Fd) -> types::Prestat;
        fd_prestat_dir_name(fd: types::Fd, path: GuestPtr<u8>, len: types::Size) -> ();
        fd_tell(fd: types::Fd) -> types::Filesize;
        proc_raise(signal: types::Signal) -> ();
        sched_yield() -> ();
        sock_accept(fd: types::Fd, flags: types::Fdflags) -> types::Fd;
        sock_recv(fd: types::Fd, data: types::IovecArray, flags: types::Riflags) -> (types::Size, types::Roflags);
        sock_send(fd: types::Fd, data: types::CiovecArray, flags: types::Siflags) -> types::Size;
        sock_shutdown(fd: types::Fd, how: types::Sdflags) -> ();
    }

    fn set_hostcall_fuel(&mut self, fuel: usize) {
        self.inner.set_hostcall_fuel(fuel);
    }

    /// With any code: the library makes a crash of those from 126 on, which interpreters do use.
    fn proc_exit(&mut self, _memory: &mut GuestMemory<'_>, status: types::Exitcode) -> wasmtime::Error {
        I32Exit(status.cast_signed()).into()
    }

    fn clock_time_get(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        clock: types::Clockid,
        _precision: types::Timestamp,
    ) -> Result<types::Timestamp, Error> {
        match clock {
            types::Clockid::Realtime => Ok(self.clock.realtime_ns(self.fuel_seen)),
            types::Clockid::Monotonic => Ok(self.clock.monotonic_ns(self.fuel_seen)),
            _ => Err(Errno::Badf.into()),
        }
    }

    fn random_get(&mut self, memory: &mut GuestMemory<'_>, buf: GuestPtr<u8>, len: types::Size) -> Result<(), Error> {
        if len > MAX_RANDOM {
            return Err(Errno::Inval.into());
        }
        let mut bytes = vec![0; len as usize];
        match &mut self.random {
            Some(random) => random.fill_bytes(&mut bytes),
            None => rand::rng().fill_bytes(&mut bytes),
        }
        memory.copy_from_slice(&bytes, buf.as_array(len))?;
        Ok(())
    }

    fn fd_fdstat_set_flags(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: types::Fd,
        flags: types::Fdflags,
    ) -> Result<(), Error> {
        Wasi::fd_fdstat_set_flags(&mut self.inner, memory, fd, flags)?;
        if let Some(file) = self.open.get_mut(&fd.into()) {
            file.flags = flags.bits();
        }
        if flags.contains(types::Fdflags::APPEND) {
            self.append.insert(fd.into());
        } else {
            self.append.remove(&fd.into());
        }
        Ok(())
    }

    async fn fd_close(&mut self, memory: &mut GuestMemory<'_>, fd: types::Fd) -> Result<(), Error> {
        Wasi::fd_close(&mut self.inner, memory, fd).await?;
        self.forget(fd.into());
        Ok(())
    }

    async fn fd_renumber(&mut self, memory: &mut GuestMemory<'_>, from: types::Fd, to: types::Fd) -> Result<(), Error> {
        Wasi::fd_renumber(&mut self.inner, memory, from, to).await?;
        let (from, to) = (u32::from(from), u32::from(to));
        if from == to {
            return Ok(());
        }
        if to == self.dev {
            self.dev = u32::MAX;
        } else if from == self.dev {
            self.dev = to;
        }
        let (null, append) = (self.null.remove(&from), self.append.remove(&from));
        self.ledger.renumbered(from, to);
        match self.open.remove(&from) {
            Some(mut file) => {
                file.fd = to;
                self.open.insert(to, file);
            }
            None => drop(self.open.remove(&to)),
        }
        for (set, there) in [(&mut self.null, null), (&mut self.append, append)] {
            if there {
                set.insert(to);
            } else {
                set.remove(&to);
            }
        }
        self.listings.remove(&from);
        self.listings.remove(&to);
        Ok(())
    }

    async fn fd_filestat_get(&mut self, memory: &mut GuestMemory<'_>, fd: types::Fd) -> Result<types::Filestat, Error> {
        let mut stat = Wasi::fd_filestat_get(&mut self.inner, memory, fd).await?;
        if self.null.contains(&fd.into()) {
            stat.filetype = types::Filetype::CharacterDevice;
        }
        Ok(self.shown(stat))
    }

    async fn path_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        dir: types::Fd,
        flags: types::Lookupflags,
        path: GuestPtr<str>,
    ) -> Result<types::Filestat, Error> {
        let stat = Wasi::path_filestat_get(&mut self.inner, memory, dir, flags, path).await?;
        Ok(self.shown(stat))
    }

    async fn fd_filestat_set_size(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: types::Fd,
        size: types::Filesize,
    ) -> Result<(), Error> {
        if self.null.contains(&fd.into()) {
            return Ok(());
        }
        self.ledger.check_growth(fd.into(), size).map_err(errno)?;
        Wasi::fd_filestat_set_size(&mut self.inner, memory, fd, size).await?;
        self.ledger.resized(fd.into(), size);
        Ok(())
    }

    async fn fd_write(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: types::Fd,
        buffers: types::CiovecArray,
    ) -> Result<types::Size, Error> {
        let handle = u32::from(fd);
        if self.null.contains(&handle) {
            return total_length(memory, buffers);
        }
        if self.ledger.size(handle).is_none() {
            return Wasi::fd_write(&mut self.inner, memory, fd, buffers).await;
        }
        let position = Wasi::fd_tell(&mut self.inner, memory, fd)?;
        let length = first_length(memory, buffers)?;
        let start = self.check_write(handle, Some(position), length)?;
        let written = Wasi::fd_write(&mut self.inner, memory, fd, buffers).await?;
        self.ledger.written(handle, start + u64::from(written));
        Ok(written)
    }

    async fn fd_pwrite(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: types::Fd,
        buffers: types::CiovecArray,
        offset: types::Filesize,
    ) -> Result<types::Size, Error> {
        let handle = u32::from(fd);
        if self.null.contains(&handle) {
            return total_length(memory, buffers);
        }
        let length = first_length(memory, buffers)?;
        let start = self.check_write(handle, Some(offset), length)?;
        let written = Wasi::fd_pwrite(&mut self.inner, memory, fd, buffers, offset).await?;
        self.ledger.written(handle, start + u64::from(written));
        Ok(written)
    }

    async fn fd_readdir(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: types::Fd,
        buf: GuestPtr<u8>,
        len: types::Size,
        cookie: types::Dircookie,
    ) -> Result<types::Size, Error> {
        let handle = u32::from(fd);
        if cookie == 0 || !self.listings.contains_key(&handle) {
            let entries = self.list(fd).await?;
            self.listings.insert(handle, entries);
        }
        let entries = self.listings.get(&handle).map_or(&[][..], Vec::as_slice);
        let capacity = len as usize;
        let mut page = Vec::new();
        for (index, entry) in entries.iter().enumerate().skip(usize::try_from(cookie).unwrap_or(usize::MAX)) {
            if page.len() >= capacity {
                break;
            }
            page.extend_from_slice(&(index as u64 + 1).to_le_bytes());
            page.extend_from_slice(&entry.inode.to_le_bytes());
            page.extend_from_slice(&u32::try_from(entry.name.len()).unwrap_or(u32::MAX).to_le_bytes());
            page.extend_from_slice(&[entry.kind, 0, 0, 0]);
            page.extend_from_slice(&entry.name);
        }
        // A page that is full to the last byte says that there is more; its last entry may be cut.
        page.truncate(capacity);
        let used = u32::try_from(page.len()).map_err(|_| Errno::Overflow)?;
        memory.copy_from_slice(&page, buf.as_array(used))?;
        Ok(used)
    }

    async fn path_create_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        dir: types::Fd,
        path: GuestPtr<str>,
    ) -> Result<(), Error> {
        self.ledger.check_new_file().map_err(errno)?;
        Wasi::path_create_directory(&mut self.inner, memory, dir, path).await?;
        self.ledger.file_made();
        Ok(())
    }

    async fn path_link(
        &mut self,
        _memory: &mut GuestMemory<'_>,
        _from: types::Fd,
        _flags: types::Lookupflags,
        _from_path: GuestPtr<str>,
        _to: types::Fd,
        _to_path: GuestPtr<str>,
    ) -> Result<(), Error> {
        Err(Errno::Notsup.into())
    }

    async fn path_symlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        target: GuestPtr<str>,
        dir: types::Fd,
        path: GuestPtr<str>,
    ) -> Result<(), Error> {
        self.ledger.check_new_file().map_err(errno)?;
        Wasi::path_symlink(&mut self.inner, memory, target, dir, path).await?;
        self.ledger.file_made();
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the signature is WASI's")]
    async fn path_open(
        &mut self,
        memory: &mut GuestMemory<'_>,
        dir: types::Fd,
        lookup: types::Lookupflags,
        path: GuestPtr<str>,
        open: types::Oflags,
        rights: types::Rights,
        inheriting: types::Rights,
        flags: types::Fdflags,
    ) -> Result<types::Fd, Error> {
        self.ledger.check_handle().map_err(errno)?;
        let record = self.record(memory, dir, path, open, rights, flags)?;
        if u32::from(dir) == self.dev && memory.as_cow_str(path)?.as_ref() == "null" {
            let none = types::Fdflags::empty();
            let read = types::Rights::FD_READ;
            let fd =
                Wasi::path_open(&mut self.inner, memory, dir, lookup, path, types::Oflags::empty(), read, read, none)
                    .await?;
            self.null.insert(fd.into());
            self.ledger.opened(fd.into(), None);
            self.remember(fd, record);
            return Ok(fd);
        }
        let creates = open.contains(types::Oflags::CREAT);
        let truncates = open.contains(types::Oflags::TRUNC);
        let before = if creates || truncates { self.stat(memory, dir, lookup, path).await } else { None };
        if creates && before.is_none() {
            self.ledger.check_new_file().map_err(errno)?;
        }
        let fd = Wasi::path_open(&mut self.inner, memory, dir, lookup, path, open, rights, inheriting, flags).await?;
        if creates && before.is_none() {
            self.ledger.file_made();
        }
        if let Some(before) = before.filter(|_| truncates) {
            self.ledger.truncated(id(&before), before.size);
        }
        let mut file = None;
        if rights.contains(types::Rights::FD_WRITE) {
            let stat = Wasi::fd_filestat_get(&mut self.inner, memory, fd).await?;
            if stat.filetype == types::Filetype::RegularFile {
                file = Some((id(&stat), stat.size));
            }
        }
        self.ledger.opened(fd.into(), file);
        self.remember(fd, record);
        if flags.contains(types::Fdflags::APPEND) {
            self.append.insert(fd.into());
        }
        Ok(fd)
    }

    async fn path_remove_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        dir: types::Fd,
        path: GuestPtr<str>,
    ) -> Result<(), Error> {
        Wasi::path_remove_directory(&mut self.inner, memory, dir, path).await?;
        self.ledger.unlinked(None);
        Ok(())
    }

    async fn path_rename(
        &mut self,
        memory: &mut GuestMemory<'_>,
        from: types::Fd,
        from_path: GuestPtr<str>,
        to: types::Fd,
        to_path: GuestPtr<str>,
    ) -> Result<(), Error> {
        let source = self.stat(memory, from, types::Lookupflags::empty(), from_path).await;
        let replaced = self.stat(memory, to, types::Lookupflags::empty(), to_path).await;
        let none = types::Rights::empty();
        let name = |wasi: &Self, dir, path| {
            wasi.record(memory, dir, path, types::Oflags::empty(), none, types::Fdflags::empty()).map(|file| file.path)
        };
        let names = (name(self, from, from_path)?, name(self, to, to_path)?);
        Wasi::path_rename(&mut self.inner, memory, from, from_path, to, to_path).await?;
        self.renamed(&names.0, &names.1);
        if let Some(replaced) = replaced.filter(|replaced| source.is_none_or(|source| id(&source) != id(replaced))) {
            self.ledger.unlinked(only_name(&replaced));
        }
        Ok(())
    }

    async fn path_unlink_file(
        &mut self,
        memory: &mut GuestMemory<'_>,
        dir: types::Fd,
        path: GuestPtr<str>,
    ) -> Result<(), Error> {
        let stat = self.stat(memory, dir, types::Lookupflags::empty(), path).await;
        Wasi::path_unlink_file(&mut self.inner, memory, dir, path).await?;
        self.ledger.unlinked(stat.as_ref().and_then(only_name));
        Ok(())
    }

    /// Files and streams are always ready; with timers alone the guest sleeps until the first.
    async fn poll_oneoff(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions: GuestPtr<types::Subscription>,
        events: GuestPtr<types::Event>,
        count: types::Size,
    ) -> Result<types::Size, Error> {
        /// No program of ours waits for more; the host's work is bounded.
        const MOST: u32 = 4096;
        if count == 0 || count > MOST {
            return Err(Errno::Inval.into());
        }
        let mut ready = Vec::new();
        let mut first: Option<(u64, types::Event)> = None;
        for subscription in subscriptions.as_array(count).iter() {
            let subscription = memory.read(subscription?)?;
            let mut event = types::Event {
                userdata: subscription.userdata,
                error: Errno::Success,
                type_: types::Eventtype::Clock,
                fd_readwrite: types::EventFdReadwrite { nbytes: 0, flags: types::Eventrwflags::empty() },
            };
            match subscription.u {
                types::SubscriptionU::Clock(timer) => {
                    let now = match timer.id {
                        types::Clockid::Realtime => self.clock.realtime_ns(self.fuel_seen),
                        types::Clockid::Monotonic => self.clock.monotonic_ns(self.fuel_seen),
                        _ => return Err(Errno::Inval.into()),
                    };
                    let absolute = timer.flags.contains(types::Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME);
                    let wait = if absolute { timer.timeout.saturating_sub(now) } else { timer.timeout };
                    if first.as_ref().is_none_or(|(shortest, _)| wait < *shortest) {
                        first = Some((wait, event));
                    }
                }
                types::SubscriptionU::FdRead(_) => {
                    event.type_ = types::Eventtype::FdRead;
                    ready.push(event);
                }
                types::SubscriptionU::FdWrite(_) => {
                    event.type_ = types::Eventtype::FdWrite;
                    ready.push(event);
                }
            }
        }
        if ready.is_empty() {
            let Some((wait, event)) = first else { return Err(Errno::Inval.into()) };
            self.clock.sleep(Duration::from_nanos(wait)).await;
            if let (Some(words), GuestMemory::Unshared(bytes)) = (self.clock.wish.take(), &mut *memory) {
                words.write(bytes);
            }
            ready.push(event);
        }
        let places = events.as_array(count);
        for (place, event) in places.iter().zip(&ready) {
            memory.write(place?, event.clone())?;
        }
        u32::try_from(ready.len()).map_err(|_| Errno::Overflow.into())
    }
}
