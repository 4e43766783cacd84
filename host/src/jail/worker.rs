//! The jail of the processes that run guests: what a worker can still do once it has mapped its images.
//!
//! Should a guest ever break out of WebAssembly, it finds itself in a process whose file system holds one compartment
//! and the images, and nothing else. It has no network, starts no program, makes no memory executable, and cannot signal
//! any other process. Each layer is there in case another one has a hole: namespaces, Landlock, the list of system calls. The order is that of Cloudflare's Workers (start, load,
//! lock, then receive work): code of images is mapped before, since executable mappings are refused afterwards.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
};
use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree, unmount,
};
use rustix::process::Resource;
use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{SeccompAction, SeccompCondition, SeccompRule};

use super::{JailError, Locked, enforced, filter, seal, set_ceiling};

/// Longest file that a worker writes, in bytes: the memory of a guest is the largest.
const FILE: u64 = 16 << 30;
/// Descriptors of a worker: its live sessions hold files open.
const DESCRIPTORS: u64 = 16_384;

/// Locks this process into one compartment, for good. It must have one thread, and has mapped whatever code it needs.
/// `read`: directories that it reads besides. All paths are absolute, and mean the same afterwards.
///
/// # Errors
///
/// If system calls cannot be filtered *and* Landlock is missing: then nothing would keep it from opening files.
pub fn lock(compartment: &Path, read: &[&Path]) -> Result<Locked, JailError> {
    let namespaces = namespaces(compartment, read);
    // After a change of rights, which would undo it.
    seal();
    let landlock = restrict(compartment, read);
    let limits = ceilings();
    let seccomp = seccomp();
    match (&landlock[..], &seccomp) {
        ("none", Err(reason)) => Err(JailError(reason.clone())),
        _ => Ok(Locked { landlock, seccomp: seccomp.is_ok(), limits, namespaces: Some(namespaces) }),
    }
}

/// Rights for directories that guests write in: no devices, sockets or pipes, and nothing is executed.
fn writing() -> BitFlags<AccessFs> {
    let special =
        AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::MakeFifo;
    AccessFs::from_all(ABI::V5) & !(special | AccessFs::IoctlDev)
}

/// Handles every right, and allows some beneath these directories.
fn restrict(work: &Path, read: &[&Path]) -> String {
    let beneath = |paths: &[&Path], rights: BitFlags<AccessFs>| {
        let open = |path: &&Path| PathFd::new(path).ok().map(|dir| Ok(PathBeneath::new(dir, rights)));
        // What is not there cannot be read either.
        paths.iter().filter_map(open).collect::<Vec<Result<_, landlock::RulesetError>>>()
    };
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    enforced(
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))
            .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V5)))
            .and_then(|rules| rules.scope(Scope::from_all(ABI::V6)))
            .and_then(Ruleset::create)
            .and_then(|rules| rules.add_rules(beneath(&[work], writing())))
            .and_then(|rules| rules.add_rules(beneath(read, reading)))
            .and_then(landlock::RulesetCreated::restrict_self),
    )
}

/// Moves into namespaces of its own: a network without interfaces, no shared memory, no host name, and a file system that
/// holds the given directories and is otherwise empty. Then gives every capability away. Whether all of this was possible.
fn namespaces(compartment: &Path, read: &[&Path]) -> bool {
    let none = CapabilitySet::empty();
    let moved = apart(compartment, read).inspect_err(|error| tracing::debug!(%error, "no namespaces"));
    let dropped =
        rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none });
    moved.is_ok() && dropped.is_ok()
}

/// The steps that need the rights of a new user namespace. Until the last one, every path is where it was.
fn apart(compartment: &Path, read: &[&Path]) -> std::io::Result<()> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let all: Vec<&Path> = std::iter::once(compartment).chain(read.iter().copied()).collect();
    // Outside of the first namespace root is a user like any other, and needs files that it owns.
    if user.is_root() && all.iter().any(|path| path.metadata().is_ok_and(|found| found.uid() != 0)) {
        return Err(std::io::Error::other("root does not own the directories"));
    }
    nix::sched::unshare(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS,
    )?;
    // It stays who it is: files that it makes belong to the user who started it.
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let trees = all.iter().map(|path| open_tree(CWD, *path, clone)).collect::<Result<Vec<_>, _>>()?;
    let made = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(made.as_fd(), "mode", "0555")?;
    fsconfig_create(made.as_fd())?;
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = fsmount(made.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    // A mount can be filled and become the root once it is somewhere; anywhere.
    move_mount(root.as_fd(), "", CWD, compartment, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    let filled = all.iter().zip(&trees).try_for_each(|(path, tree)| {
        let below = path.strip_prefix("/").map_err(std::io::Error::other)?;
        make_directories(&root, below)?;
        Ok::<_, std::io::Error>(move_mount(tree, "", &root, below, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
    });
    let turned = filled.and_then(|()| {
        rustix::process::fchdir(&root)?;
        rustix::process::pivot_root(".", ".")?;
        Ok(())
    });
    if let Err(error) = turned {
        rustix::process::chdir("/")?;
        unmount(compartment, UnmountFlags::DETACH)?;
        return Err(error);
    }
    // The old root lies over the new one.
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

fn make_directories(root: &OwnedFd, path: &Path) -> std::io::Result<()> {
    let mut all: Vec<_> = path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
    all.reverse();
    for dir in all {
        match rustix::fs::mkdirat(root, dir, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// There is none for memory: a guest's four gibibytes of addresses are mapped ahead. Its limits are the runtime's.
fn ceilings() -> bool {
    let descriptors = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    [
        set_ceiling(Resource::Fsize, FILE),
        set_ceiling(Resource::Core, 0),
        set_ceiling(Resource::Memlock, 0),
        set_ceiling(Resource::Msgqueue, 0),
        set_ceiling(Resource::Nofile, descriptors),
    ]
    .iter()
    .all(|set| *set)
}

/// Calls on files beneath the directories that Landlock leaves, beside those of [`super::ALLOWED`].
const FILES: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_newfstatat,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_readlinkat,
    libc::SYS_utimensat,
    libc::SYS_fchmod,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_dup3,
    libc::SYS_mincore,
    // Answered with ENOSYS by a filter of its own: the C library then uses clone, whose flags can be looked at.
    libc::SYS_clone3,
];

/// The same by the older names that x86-64 still has.
#[cfg(target_arch = "x86_64")]
const OLDER_FILES: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_readlink,
    libc::SYS_poll,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_FILES: &[i64] = &[];

/// `_IOWR('f', 16, struct pm_scan_arg)` of linux/fs.h: asks which pages of our own memory were written.
const PAGEMAP_SCAN: u64 = 0xc060_6610;

/// Calls that are allowed with some arguments alone.
fn conditional() -> Result<Vec<(i64, Vec<SeccompRule>)>, seccompiler::BackendError> {
    let is = |index, value: u64| SeccompCondition::new(index, Dword, Eq, value);
    let bits = |index, mask: u64, value: u64| SeccompCondition::new(index, Qword, MaskedEq(mask), value);
    let one_of = |index, values: &[u64]| -> Result<Vec<_>, _> {
        values.iter().map(|value| SeccompRule::new(vec![is(index, *value)?])).collect()
    };
    let wide = |number: libc::c_int| u64::from(number.unsigned_abs());
    let thread = wide(libc::CLONE_THREAD | libc::CLONE_VM);
    let apart = wide(
        libc::CLONE_NEWNS
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP,
    );
    // Memory is written or executed, and after the images are mapped none becomes executable.
    let not_executable = || -> Result<_, seccompiler::BackendError> {
        Ok(vec![SeccompRule::new(vec![bits(2, wide(libc::PROT_EXEC), 0)?])?])
    };
    let fcntl = [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL];
    let prctl = [libc::PR_SET_NAME, libc::PR_SET_VMA];
    let own = wide(rustix::process::getpid().as_raw_nonzero().get());
    Ok(vec![
        (libc::SYS_mmap, not_executable()?),
        (libc::SYS_mprotect, not_executable()?),
        // A thread, never a process.
        (libc::SYS_clone, vec![SeccompRule::new(vec![bits(0, thread | apart, thread)?])?]),
        (libc::SYS_fcntl, one_of(1, &fcntl.map(wide))?),
        (libc::SYS_ioctl, one_of(1, &[PAGEMAP_SCAN, libc::FIONREAD])?),
        (libc::SYS_prctl, one_of(0, &prctl.map(wide))?),
        (libc::SYS_tgkill, one_of(0, &[own])?),
        // Reading a ceiling of its own.
        (libc::SYS_prlimit64, vec![SeccompRule::new(vec![is(0, 0)?, bits(2, u64::MAX, 0)?])?]),
    ])
}

fn seccomp() -> Result<(), String> {
    let absent = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    filter([(libc::SYS_clone3, Vec::new())].into(), SeccompAction::Allow, absent)?;
    let conditional = conditional().map_err(|error| error.to_string())?;
    let unneeded = [libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_sendto, libc::SYS_shutdown];
    let plain = super::ALLOWED.iter().chain(FILES).chain(OLDER_FILES).filter(|call| !unneeded.contains(call));
    let rules = plain.map(|&call| (call, Vec::new())).chain(conditional).collect();
    filter(rules, SeccompAction::Errno(libc::EPERM.cast_unsigned()), SeccompAction::Allow)
}
