//! A native program, as hostile as we can make it, that locks itself as `glovebox worker` does and then tries one thing
//! after the other. `hostile.rs` beside it starts it and looks at what it says.

use std::ffi::CString;
use std::io::{Error, Result};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use libc::c_long;

/// What the hostile program knows of its surroundings, as a spy in our own team would.
struct Scene {
    /// Holds everything.
    data: PathBuf,
    /// Where it works.
    own: PathBuf,
    /// Another tenant's.
    other: PathBuf,
    cache: PathBuf,
    tcp: String,
    parent: i32,
}

impl Scene {
    fn new() -> Scene {
        let mut words = std::env::args().skip(1);
        let mut next = || words.next().expect("usage: hostile DATA ADDRESS PID");
        let (data, tcp, parent) = (PathBuf::from(next()), next(), next().parse().expect("a number"));
        let work = data.join("work");
        Scene { own: work.join("mine"), other: work.join("theirs"), cache: data.join("cache"), data, tcp, parent }
    }
}

/// What a closed door says: forbidden, not there, not known, too large.
const REFUSALS: [i32; 6] = [libc::EPERM, libc::EACCES, libc::ENOENT, libc::ENOSYS, libc::EXDEV, libc::EFBIG];

type Attempt = (&'static str, fn(&Scene) -> Result<()>);

fn done(result: c_long) -> Result<()> {
    if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// A system call with numbers; what it points to lives long enough.
macro_rules! call {
    ($number:expr $(, $argument:expr)*) => {
        // SAFETY: the kernel checks what it is given, and nothing here depends on what an attack leaves.
        done(unsafe { libc::syscall($number $(, $argument)*) })
    };
}

fn text(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().to_str().expect("text")).expect("no zero")
}

fn read(path: impl AsRef<Path>) -> Result<()> {
    std::fs::read(path).map(drop)
}

fn write(path: impl AsRef<Path>) -> Result<()> {
    std::fs::write(path, "was here")
}

/// Reads through a path from a descriptor of its own directory.
fn from_own(scene: &Scene, path: &str) -> Result<()> {
    let dir = std::fs::File::open(&scene.own)?;
    let path = text(path);
    call!(libc::SYS_openat, dir.as_raw_fd(), path.as_ptr(), libc::O_RDONLY)
}

fn memory(protection: i32) -> Result<*mut libc::c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED { Err(Error::last_os_error()) } else { Ok(at) }
}

const FILES: &[Attempt] = &[
    ("read /etc/passwd", |_| read("/etc/passwd")),
    ("read /etc/shadow", |_| read("/etc/shadow")),
    ("list /", |_| match std::fs::read_dir("/")?.count() {
        0 => Err(Error::other("empty")),
        _ => Ok(()),
    }),
    ("list /home", |_| std::fs::read_dir("/home").map(drop)),
    ("read our own program", |_| read(std::env::current_exe()?)),
    ("read /proc/self/environ", |_| read("/proc/self/environ")),
    ("read /proc/self/maps", |_| read("/proc/self/maps")),
    ("write /proc/self/mem", |_| std::fs::OpenOptions::new().write(true).open("/proc/self/mem").map(drop)),
    ("read /proc/1/environ", |_| read("/proc/1/environ")),
    ("read the server's environment", |scene| read(format!("/proc/{}/environ", scene.parent))),
    ("read the server's memory", |scene| read(format!("/proc/{}/mem", scene.parent))),
    ("list the server's descriptors", |scene| std::fs::read_dir(format!("/proc/{}/fd", scene.parent)).map(drop)),
    ("open /dev/mem", |_| read("/dev/mem")),
    ("open /dev/kvm", |_| read("/dev/kvm")),
    ("open /dev/fuse", |_| read("/dev/fuse")),
    ("open /dev/tty", |_| read("/dev/tty")),
    ("read the database", |scene| read(scene.data.join("glovebox.db"))),
    ("write the database", |scene| write(scene.data.join("glovebox.db"))),
    ("list the data directory", |scene| match std::fs::read_dir(&scene.data)?.count() {
        // The way to its own directory, and to the cache.
        0..=2 => std::fs::File::open(scene.data.join("glovebox.db")).map(drop),
        _ => Ok(()),
    }),
    ("read another tenant's file", |scene| read(scene.other.join("secret"))),
    ("list another tenant's directory", |scene| std::fs::read_dir(&scene.other).map(drop)),
    ("write into another tenant's directory", |scene| write(scene.other.join("planted"))),
    ("remove another tenant's file", |scene| std::fs::remove_file(scene.other.join("secret"))),
    ("look up another tenant's file", |scene| scene.other.join("secret").symlink_metadata().map(drop)),
    ("change another tenant's times", |scene| {
        let path = text(scene.other.join("secret"));
        call!(libc::SYS_utimensat, libc::AT_FDCWD, path.as_ptr(), 0, 0)
    }),
    ("change another tenant's rights", |scene| {
        let path = text(scene.other.join("secret"));
        call!(libc::SYS_fchmodat, libc::AT_FDCWD, path.as_ptr(), 0o777)
    }),
    ("truncate another tenant's file", |scene| {
        let path = text(scene.other.join("secret"));
        call!(libc::SYS_truncate, path.as_ptr(), 0)
    }),
    ("climb with ..", |scene| from_own(scene, "../theirs/secret")),
    ("climb to the root with ..", |scene| from_own(scene, "../../../../../../../../../../etc/passwd")),
    ("follow a link to another tenant", |scene| {
        let link = scene.own.join("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(scene.other.join("secret"), &link)?;
        read(link)
    }),
    ("follow a link to /proc", |scene| {
        let link = scene.own.join("proc");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink("/proc/self/root/etc/passwd", &link)?;
        read(link)
    }),
    ("link another tenant's file", |scene| std::fs::hard_link(scene.other.join("secret"), scene.own.join("hard"))),
    ("move another tenant's file here", |scene| std::fs::rename(scene.other.join("secret"), scene.own.join("moved"))),
    ("move a file to another tenant", |scene| {
        write(scene.own.join("gift"))?;
        std::fs::rename(scene.own.join("gift"), scene.other.join("gift"))
    }),
    ("write an image's file", |scene| write(scene.cache.join("memory.img"))),
    ("add a file to the cache", |scene| write(scene.cache.join("planted"))),
    ("remove an image's file", |scene| std::fs::remove_file(scene.cache.join("memory.img"))),
    ("write to /tmp", |_| write("/tmp/planted-by-a-worker")),
    ("write to /", |_| write("/planted")),
    ("write to /dev/shm", |_| write("/dev/shm/planted")),
    ("make a device", |scene| {
        let path = text(scene.own.join("device"));
        call!(libc::SYS_mknodat, libc::AT_FDCWD, path.as_ptr(), libc::S_IFCHR | 0o666, 0x0101)
    }),
    ("make a pipe in the workspace", |scene| {
        let path = text(scene.own.join("fifo"));
        call!(libc::SYS_mknodat, libc::AT_FDCWD, path.as_ptr(), libc::S_IFIFO | 0o666, 0)
    }),
    ("make a program in the workspace run", |scene| {
        let path = scene.own.join("program");
        std::fs::write(&path, "#!/bin/sh\n")?;
        let (path, none) = (text(path), [std::ptr::null::<libc::c_char>()]);
        call!(libc::SYS_execve, path.as_ptr(), none.as_ptr(), none.as_ptr())
    }),
    ("lock a shared file", |scene| {
        let file = std::fs::File::open(scene.cache.join("memory.img"))?;
        call!(libc::SYS_flock, file.as_raw_fd(), libc::LOCK_SH)
    }),
    ("watch files", |_| call!(libc::SYS_inotify_init1, 0)),
    ("watch the file system", |_| call!(libc::SYS_fanotify_init, 0, 0)),
    ("open by handle", |_| call!(libc::SYS_open_by_handle_at, libc::AT_FDCWD, 0, 0)),
    ("write a file without end", |scene| {
        let file = std::fs::File::create(scene.own.join("large"))?;
        // The signal would end us, as it ends a worker.
        // SAFETY: nobody else cares for this signal here.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let set = file.set_len(64 << 30);
        let _ = std::fs::remove_file(scene.own.join("large"));
        set
    }),
];

const NETWORK: &[Attempt] = &[
    ("connect to the server", |scene| TcpStream::connect(&scene.tcp).map(drop)),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("send a datagram", |_| UdpSocket::bind("0.0.0.0:0").map(drop)),
    ("connect to a metadata service", |_| {
        let address = "169.254.169.254:80".parse().expect("an address");
        TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200)).map(drop)
    }),
    ("connect to a broker's socket", |scene| UnixStream::connect(scene.own.join("broker.sock")).map(drop)),
    ("bind a socket in the workspace", |scene| UnixListener::bind(scene.own.join("mine.sock")).map(drop)),
    ("connect to an abstract socket", |_| {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name("glovebox-test-broker")?;
        UnixStream::connect_addr(&address).map(drop)
    }),
    ("make a pair of sockets", |_| UnixStream::pair().map(drop)),
    ("open a raw socket", |_| call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_RAW, 1)),
    ("open a netlink socket", |_| call!(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0)),
    ("open a vsock", |_| call!(libc::SYS_socket, libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    ("resolve a name", |_| std::net::ToSocketAddrs::to_socket_addrs("example.com:80").map(drop)),
];

const PROCESSES: &[Attempt] = &[
    ("start a shell", |_| Command::new("/bin/sh").arg("-c").arg("true").status().map(drop)),
    ("fork", |_| {
        // SAFETY: the child, if there is one, ends at once.
        match unsafe { libc::fork() } {
            0 => unsafe { libc::_exit(0) },
            child => done(c_long::from(child)),
        }
    }),
    ("vfork by clone", |_| call!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0)),
    ("clone3", |_| call!(libc::SYS_clone3, 0, 0)),
    ("execveat", |_| {
        let (path, none) = (text("/bin/true"), [std::ptr::null::<libc::c_char>()]);
        call!(libc::SYS_execveat, libc::AT_FDCWD, path.as_ptr(), none.as_ptr(), none.as_ptr(), 0)
    }),
    ("kill the server", |scene| call!(libc::SYS_kill, scene.parent, libc::SIGKILL)),
    ("kill everybody", |_| call!(libc::SYS_kill, -1, libc::SIGKILL)),
    ("signal the server's thread", |scene| call!(libc::SYS_tgkill, scene.parent, scene.parent, libc::SIGKILL)),
    ("queue a signal", |scene| call!(libc::SYS_rt_sigqueueinfo, scene.parent, libc::SIGUSR1, 0)),
    ("signal by a descriptor", |scene| call!(libc::SYS_pidfd_open, scene.parent, 0)),
    ("trace the server", |scene| call!(libc::SYS_ptrace, libc::PTRACE_ATTACH, scene.parent, 0, 0)),
    ("be traced", |_| call!(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0)),
    ("read the server's memory by call", |scene| call!(libc::SYS_process_vm_readv, scene.parent, 0, 0, 0, 0, 0)),
    ("write the server's memory by call", |scene| call!(libc::SYS_process_vm_writev, scene.parent, 0, 0, 0, 0, 0)),
    ("compare kernel objects", |scene| call!(libc::SYS_kcmp, scene.parent, scene.parent, 0, 0, 0)),
    ("raise its priority", |_| call!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, -20)),
    ("take the processor", |_| call!(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, 0)),
    ("raise a ceiling", |_| {
        let wide = libc::rlimit { rlim_cur: u64::MAX, rlim_max: u64::MAX };
        call!(libc::SYS_prlimit64, 0, libc::RLIMIT_FSIZE, &raw const wide, 0)
    }),
    ("outlive the server", |_| call!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)),
    ("become dumpable", |_| call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0)),
];

const KERNEL: &[Attempt] = &[
    ("make memory executable", |_| memory(libc::PROT_READ | libc::PROT_EXEC).map(drop)),
    ("make written memory executable", |_| {
        let at = memory(libc::PROT_READ | libc::PROT_WRITE)?;
        call!(libc::SYS_mprotect, at, 4096, libc::PROT_READ | libc::PROT_EXEC)
    }),
    ("make memory executable by key", |_| {
        let at = memory(libc::PROT_READ | libc::PROT_WRITE)?;
        call!(libc::SYS_pkey_mprotect, at, 4096, libc::PROT_EXEC, -1)
    }),
    ("make executable memory in a file", |_| {
        let name = c"code";
        // SAFETY: the name ends with a zero.
        let file = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
        done(c_long::from(file))?;
        call!(libc::SYS_mmap, 0, 4096, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE, file, 0)
    }),
    ("attach shared memory", |_| call!(libc::SYS_shmget, 0, 4096, libc::IPC_CREAT | 0o600)),
    ("open a queue", |_| call!(libc::SYS_msgget, 0, libc::IPC_CREAT | 0o600)),
    ("new namespaces", |_| call!(libc::SYS_unshare, libc::CLONE_NEWUSER)),
    ("join namespaces", |_| call!(libc::SYS_setns, 0, 0)),
    ("mount", |_| {
        let (kind, to) = (c"tmpfs", c"/");
        call!(libc::SYS_mount, kind.as_ptr(), to.as_ptr(), kind.as_ptr(), 0, 0)
    }),
    ("unmount", |_| {
        let path = c"/";
        call!(libc::SYS_umount2, path.as_ptr(), libc::MNT_DETACH)
    }),
    ("clone a mount", |_| {
        let path = c"/";
        call!(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), 1)
    }),
    ("change the root", |scene| {
        let path = text(&scene.own);
        call!(libc::SYS_chroot, path.as_ptr())
    }),
    ("become root", |_| call!(libc::SYS_setuid, 0)),
    ("take capabilities", |_| {
        let header: [u32; 2] = [0x2008_0522, 0];
        let all = [u32::MAX; 6];
        call!(libc::SYS_capset, header.as_ptr(), all.as_ptr())
    }),
    ("io_uring", |_| call!(libc::SYS_io_uring_setup, 1, 0)),
    ("bpf", |_| call!(libc::SYS_bpf, 0, 0, 0)),
    ("perf events", |_| call!(libc::SYS_perf_event_open, 0, 0, -1, -1, 0)),
    ("userfaultfd", |_| call!(libc::SYS_userfaultfd, 0)),
    ("keyrings", |_| call!(libc::SYS_keyctl, 0, 0)),
    ("add a key", |_| call!(libc::SYS_add_key, 0, 0, 0, 0, 0)),
    ("set the clock", |_| call!(libc::SYS_clock_settime, 0, 0)),
    ("set the host name", |_| call!(libc::SYS_sethostname, 0, 0)),
    ("load a module", |_| call!(libc::SYS_finit_module, 0, 0, 0)),
    ("reboot", |_| call!(libc::SYS_reboot, 0, 0, 0, 0)),
    ("read the kernel's log", |_| call!(libc::SYS_syslog, 2, 0, 0)),
    ("type into a terminal", |_| call!(libc::SYS_ioctl, 0, libc::TIOCSTI, 0)),
    ("loosen its own filter", |_| call!(libc::SYS_seccomp, 1, 0, 0)),
    ("quotas", |_| call!(libc::SYS_quotactl, 0, 0, 0, 0)),
    ("memory without a place", |_| call!(libc::SYS_memfd_secret, 0)),
];

/// Locks this process as a worker does, sees that work is possible, and tries everything else.
fn main() {
    let scene = &Scene::new();
    let locked = glovebox::jail::worker::lock(&scene.own, &[&scene.cache]).expect("locked");
    println!("locked: {locked}");
    // What a worker needs.
    std::fs::write(scene.own.join("result"), "x").expect("its own directory can be written");
    std::fs::create_dir_all(scene.own.join("a/b")).expect("and has directories");
    std::fs::rename(scene.own.join("result"), scene.own.join("a/b/result")).expect("files move in it");
    read(scene.cache.join("memory.img")).expect("images can be read");
    let thread = std::thread::spawn(|| memory(libc::PROT_READ | libc::PROT_WRITE).map(drop));
    thread.join().expect("threads run").expect("and map memory");
    for (name, attempt) in FILES.iter().chain(NETWORK).chain(PROCESSES).chain(KERNEL) {
        match attempt(scene) {
            Ok(()) => println!("SUCCEEDED: {name}"),
            // Refused for what it is, not for how it was asked.
            Err(error) if error.raw_os_error().is_none_or(|number| REFUSALS.contains(&number)) => {
                println!("refused: {name}: {error}");
            }
            Err(error) => println!("SUCCEEDED in being heard: {name}: {error}"),
        }
    }
}
