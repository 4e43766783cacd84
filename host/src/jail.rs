//! The jail: what a process that reads hostile bytes gives up before it reads them.
//!
//! A process that parses files calls [`lock`] on itself, as its first act; one that runs guests has a [`worker`] jail. Afterwards it can use the descriptors that it has, its memory
//! and the clock; it can open nothing, connect to nothing and start nothing, until it ends. What a kernel does not offer
//! is reported, not hidden: `glovebox doctor` shows it.

use std::collections::BTreeMap;

use glovebox_runtime::JAIL;
use landlock::{ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule};
use serde::{Deserialize, Serialize};

pub mod worker;

/// What a jailed process may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Address space in MiB, mapped libraries included.
    pub memory_mib: u64,
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// Longest file that it may write, in MiB; 0: it writes to pipes and sockets alone.
    pub file_mib: u64,
    /// Descriptors that it may have open, those handed to it included.
    pub descriptors: u64,
}

/// What was achieved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// Landlock: `full`, `partial` (an older kernel lacks some rights) or `none`.
    pub landlock: String,
    /// Whether the list of allowed system calls holds.
    pub seccomp: bool,
    /// Whether all ceilings (memory, processor time, files, descriptors, processes) are set.
    pub limits: bool,
    /// Whether it has namespaces of its own (user, network, IPC, host name) and no capability; `None`: not tried, by
    /// processes that live for one file.
    pub namespaces: Option<bool>,
}

impl Locked {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lacks(JAIL).is_empty()
    }

    /// Those of the layers (by their names in policies) that are missing.
    #[must_use]
    pub fn lacks<'a>(&self, layers: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let held = |layer: &&str| match *layer {
            "landlock" => self.landlock == "full",
            "seccomp" => self.seccomp,
            "limits" => self.limits,
            "namespaces" => self.namespaces != Some(false),
            _ => false,
        };
        layers.into_iter().filter(|layer| !held(layer)).collect()
    }
}

impl std::fmt::Display for Locked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = |held: bool| if held { "yes" } else { "no" };
        write!(
            formatter,
            "Landlock {}, system calls filtered: {}, ceilings: {}",
            self.landlock,
            held(self.seccomp),
            held(self.limits)
        )?;
        self.namespaces.map_or(Ok(()), |apart| write!(formatter, ", own namespaces: {}", held(apart)))
    }
}

/// The process could not be locked far enough to be trusted with hostile bytes.
#[derive(Debug, thiserror::Error)]
#[error("this process cannot be locked: {0}; Linux 5.13 or newer on x86_64 or aarch64 is needed")]
pub struct JailError(String);

/// Locks this process, for good. It must have one thread.
///
/// # Errors
///
/// If system calls cannot be filtered *and* Landlock is missing: then nothing would keep it from opening files.
pub fn lock(profile: Profile) -> Result<Locked, JailError> {
    seal();
    let landlock = landlock();
    let limits = ceilings(profile);
    let seccomp = seccomp();
    match (&landlock[..], &seccomp) {
        ("none", Err(reason)) => Err(JailError(reason.clone())),
        _ => Ok(Locked { landlock, seccomp: seccomp.is_ok(), limits, namespaces: None }),
    }
}

/// It dies with the process that started it, and no other process of the same user reads its memory.
fn seal() {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Handles every right and allows none: no path can be opened, nothing bound or connected.
fn landlock() -> String {
    enforced(
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))
            .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V5)))
            .and_then(|rules| rules.scope(Scope::from_all(ABI::V6)))
            .and_then(Ruleset::create)
            .and_then(landlock::RulesetCreated::restrict_self),
    )
}

/// How much of a restriction holds.
fn enforced(restricted: Result<RestrictionStatus, landlock::RulesetError>) -> String {
    match restricted.map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => "full",
        Ok(RulesetStatus::PartiallyEnforced) => "partial",
        Ok(RulesetStatus::NotEnforced) | Err(_) => "none",
    }
    .into()
}

fn ceilings(profile: Profile) -> bool {
    [
        set_ceiling(Resource::As, profile.memory_mib << 20),
        set_ceiling(Resource::Cpu, profile.cpu_seconds),
        set_ceiling(Resource::Fsize, profile.file_mib << 20),
        set_ceiling(Resource::Core, 0),
        set_ceiling(Resource::Nofile, profile.descriptors),
        set_ceiling(Resource::Nproc, 0),
    ]
    .iter()
    .all(|set| *set)
}

fn set_ceiling(resource: Resource, value: u64) -> bool {
    rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).is_ok()
}

/// Calls that work on memory, the clock, this process itself, and descriptors that are open already.
const ALLOWED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fstat,
    // By path, too: it tells a size and opens nothing.
    libc::SYS_statx,
    // Memory that reads like a file, for what is unpacked.
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_ppoll,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getrusage,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

fn seccomp() -> Result<(), String> {
    let rules = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    // What is not on the list fails with EPERM: libraries that ask for more than they need go on without it.
    filter(rules, SeccompAction::Errno(libc::EPERM.cast_unsigned()), SeccompAction::Allow)
}

/// Answers calls that match a rule with `matching`, all others with `other`, from now on.
fn filter(rules: BTreeMap<i64, Vec<SeccompRule>>, other: SeccompAction, matching: SeccompAction) -> Result<(), String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| format!("no filter for {}", std::env::consts::ARCH))?;
    let filter = SeccompFilter::new(rules, other, matching, arch).map_err(|error| error.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::process::Command;

    use super::*;

    /// Set in the process that locks itself: a lock is for good, so that the tests' own process must not have it.
    const INSIDE: &str = "GLOVEBOX_TEST_INSIDE_JAIL";

    #[test]
    fn a_locked_process_opens_connects_and_starts_nothing() {
        if std::env::var_os(INSIDE).is_some() {
            return inside();
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let name = "jail::tests::a_locked_process_opens_connects_and_starts_nothing";
        let output = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(INSIDE, listener.local_addr().unwrap().to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("all refused"), "{said}{output:?}");
    }

    fn inside() {
        let address = std::env::var(INSIDE).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("there");
        std::fs::write(&file, "secret").unwrap();
        let kept = dir.keep();
        let locked = lock(Profile { memory_mib: 4096, cpu_seconds: 10, file_mib: 1, descriptors: 64 }).unwrap();
        let refused = |what: &str, error: Option<ErrorKind>| {
            assert_eq!(error, Some(ErrorKind::PermissionDenied), "{what} was not refused: {locked}");
        };
        refused("reading", std::fs::read(&file).err().map(|error| error.kind()));
        refused("writing", std::fs::write(kept.join("new"), "x").err().map(|error| error.kind()));
        refused("listing", std::fs::read_dir("/").err().map(|error| error.kind()));
        refused("removing", std::fs::remove_file(&file).err().map(|error| error.kind()));
        refused("connecting", std::net::TcpStream::connect(&address).err().map(|error| error.kind()));
        refused("listening", std::net::UdpSocket::bind("127.0.0.1:0").err().map(|error| error.kind()));
        refused("starting", Command::new("/bin/true").spawn().err().map(|error| error.kind()));
        println!("all refused");
    }
}
