//! Calls WASI itself, without a library that would tidy the paths up: one operation (`OP`) with every path of `PATHS`
//! (hex, comma-separated) on every descriptor that may be a directory. Says how often it tried and succeeded, and `LEAK`
//! wherever it sees something that is not its own: `CANARY` in a content, a size of `SIZE`, a name `secret.txt`.

type Errno = u16;

#[repr(C)]
struct Piece<P>(P, usize);

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn path_open(
        fd: u32,
        follow: u32,
        path: *const u8,
        length: usize,
        oflags: u32,
        rights: u64,
        inheriting: u64,
        fdflags: u32,
        opened: *mut u32,
    ) -> Errno;
    fn fd_read(fd: u32, pieces: *const Piece<*mut u8>, count: usize, read: *mut usize) -> Errno;
    fn fd_write(fd: u32, pieces: *const Piece<*const u8>, count: usize, written: *mut usize) -> Errno;
    fn fd_readdir(fd: u32, buffer: *mut u8, length: usize, cookie: u64, used: *mut usize) -> Errno;
    fn fd_close(fd: u32) -> Errno;
    fn path_create_directory(fd: u32, path: *const u8, length: usize) -> Errno;
    fn path_remove_directory(fd: u32, path: *const u8, length: usize) -> Errno;
    fn path_unlink_file(fd: u32, path: *const u8, length: usize) -> Errno;
    fn path_readlink(fd: u32, path: *const u8, length: usize, buffer: *mut u8, size: usize, used: *mut usize) -> Errno;
    fn path_filestat_get(fd: u32, follow: u32, path: *const u8, length: usize, stat: *mut [u64; 8]) -> Errno;
    fn path_filestat_set_times(
        fd: u32,
        follow: u32,
        path: *const u8,
        length: usize,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Errno;
    fn path_rename(fd: u32, old: *const u8, length: usize, new_fd: u32, new: *const u8, new_length: usize) -> Errno;
    fn path_link(
        fd: u32,
        follow: u32,
        old: *const u8,
        length: usize,
        new_fd: u32,
        new: *const u8,
        new_length: usize,
    ) -> Errno;
    fn path_symlink(target: *const u8, length: usize, fd: u32, path: *const u8, path_length: usize) -> Errno;
}

/// Preopens begin at 3; beyond them is what else might be open.
const DESCRIPTORS: std::ops::Range<u32> = 3..12;
const CREATE: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;
const READ: u64 = 1 << 1 | 1 << 14;
const WRITE: u64 = 1 << 6 | 1 << 8;

struct Attack {
    canary: Vec<u8>,
    size: u64,
    tried: u64,
    done: u64,
}

impl Attack {
    fn count(&mut self, errno: Errno) -> bool {
        self.tried += 1;
        self.done += u64::from(errno == 0);
        errno == 0
    }

    fn leak(&self, what: &str, fd: u32, path: &[u8]) {
        println!("LEAK {what} {fd} {}", String::from_utf8_lossy(path));
    }

    fn open(&mut self, fd: u32, path: &[u8], follow: u32, oflags: u32, rights: u64) {
        unsafe {
            let mut opened = 0;
            let done = path_open(fd, follow, path.as_ptr(), path.len(), oflags, rights, rights, 0, &mut opened);
            if !self.count(done) {
                return;
            }
            let mut buffer = vec![0; 1 << 16];
            let mut used = 0;
            if fd_read(opened, &Piece(buffer.as_mut_ptr(), buffer.len()), 1, &mut used) == 0 {
                self.look(&buffer[..used], "content", fd, path);
            }
            if fd_readdir(opened, buffer.as_mut_ptr(), buffer.len(), 0, &mut used) == 0 {
                self.look(&buffer[..used], "names", fd, path);
            }
            if rights & WRITE != 0 {
                let _ = fd_write(opened, &Piece(b"overwritten".as_ptr(), 11), 1, &mut used);
            }
            // What is below an opened directory is asked for through it, too.
            for below in [&b"../outside/secret.txt"[..], b"secret.txt", b"..", b"../.."] {
                let mut inner = 0;
                if path_open(opened, follow, below.as_ptr(), below.len(), 0, READ, READ, 0, &mut inner) == 0 {
                    if fd_read(inner, &Piece(buffer.as_mut_ptr(), buffer.len()), 1, &mut used) == 0 {
                        self.look(&buffer[..used], "content below", fd, path);
                    }
                    if fd_readdir(inner, buffer.as_mut_ptr(), buffer.len(), 0, &mut used) == 0 {
                        self.look(&buffer[..used], "names below", fd, path);
                    }
                    let _ = fd_close(inner);
                }
            }
            let _ = fd_close(opened);
        }
    }

    fn look(&self, seen: &[u8], what: &str, fd: u32, path: &[u8]) {
        let has = |part: &[u8]| seen.windows(part.len()).any(|window| window == part);
        if has(&self.canary) || has(b"root:x:0") || has(b"secret.txt") {
            self.leak(what, fd, path);
        }
    }

    fn stat(&mut self, fd: u32, path: &[u8], follow: u32) {
        let mut stat = [0; 8];
        let done = unsafe { path_filestat_get(fd, follow, path.as_ptr(), path.len(), &mut stat) };
        // The size is at byte 32.
        if self.count(done) && stat[4] == self.size {
            self.leak("size", fd, path);
        }
    }

    fn one(&mut self, op: &str, number: usize, fd: u32, path: &[u8]) {
        let (at, length) = (path.as_ptr(), path.len());
        let made = format!("made-{fd}-{number}");
        let (new, new_length) = (made.as_ptr(), made.len());
        unsafe {
            match op {
                "read" => self.open(fd, path, 1, 0, READ),
                "read-nofollow" => self.open(fd, path, 0, 0, READ),
                "list" => self.open(fd, path, 1, DIRECTORY, READ),
                "create" => self.open(fd, path, 1, CREATE, READ | WRITE),
                "create-new" => self.open(fd, path, 0, CREATE | EXCLUSIVE, READ | WRITE),
                "truncate" => self.open(fd, path, 1, TRUNCATE, READ | WRITE),
                "stat" => self.stat(fd, path, 1),
                "stat-nofollow" => self.stat(fd, path, 0),
                "mkdir" => drop(self.count(path_create_directory(fd, at, length))),
                "rmdir" => drop(self.count(path_remove_directory(fd, at, length))),
                "unlink" => drop(self.count(path_unlink_file(fd, at, length))),
                "readlink" => {
                    let (mut buffer, mut used) = ([0; 4096], 0);
                    let done = path_readlink(fd, at, length, buffer.as_mut_ptr(), buffer.len(), &mut used);
                    self.count(done);
                }
                "utimes" => drop(self.count(path_filestat_set_times(fd, 1, at, length, 1, 1, 1 | 4))),
                "symlink-to" => {
                    let done = path_symlink(at, length, fd, new, new_length);
                    self.count(done);
                    self.open(fd, made.as_bytes(), 1, 0, READ);
                    self.open(fd, format!("{made}/secret.txt").as_bytes(), 1, 0, READ);
                    let below = format!("{made}/new");
                    self.open(fd, below.as_bytes(), 1, CREATE, READ | WRITE);
                }
                "symlink-at" => drop(self.count(path_symlink(b"in.txt".as_ptr(), 6, fd, at, length))),
                "rename-from" | "rename-to" | "link-from" | "link-to" | "link-follow" => {
                    for other in DESCRIPTORS {
                        let done = match op {
                            "rename-from" => path_rename(fd, at, length, other, new, new_length),
                            "rename-to" => path_rename(other, b"in.txt".as_ptr(), 6, fd, at, length),
                            "link-from" => path_link(fd, 0, at, length, other, new, new_length),
                            "link-follow" => path_link(fd, 1, at, length, other, new, new_length),
                            _ => path_link(other, 0, b"in.txt".as_ptr(), 6, fd, at, length),
                        };
                        if self.count(done) {
                            self.open(other, made.as_bytes(), 0, 0, READ);
                        }
                    }
                }
                unknown => panic!("no operation {unknown}"),
            }
        }
    }
}

fn main() {
    let var = |name: &str| std::env::var(name).expect("given");
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex")).collect()
    };
    let size = var("SIZE").parse().expect("a number");
    let mut attack = Attack { canary: var("CANARY").into_bytes(), size, tried: 0, done: 0 };
    let paths: Vec<_> = var("PATHS").split(',').map(bytes).collect();
    for fd in DESCRIPTORS {
        for (number, path) in paths.iter().enumerate() {
            attack.one(&var("OP"), number, fd, path);
        }
    }
    println!("tried {} done {}", attack.tried, attack.done);
}
