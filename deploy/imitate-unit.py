#!/usr/bin/python3
"""Runs a command under the hardening of glovebox.service where systemd is not the first process, such as in a test machine.

    deploy/imitate-unit.py glovebox --config /etc/glovebox/glovebox.toml doctor

Needs root, `systemd-analyze` for the names of groups of system calls, and Debian's python3-seccomp. It does what the unit's
settings mean for files, user, capabilities and system calls; not what they mean for devices, time, host name and memory, which
the filter of system calls and the empty bounding set take away anyway. systemd is the measure, this is an imitation.
"""

import ctypes
import errno
import os
import pathlib
import pwd
import re
import socket
import subprocess
import sys

import seccomp

UNIT = pathlib.Path(__file__).with_name("glovebox.service").read_text()
NAMESPACES = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000,
              "net": 0x40000000}
PR_CAPBSET_DROP = 24
LAST_CAPABILITY = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
libc = ctypes.CDLL(None, use_errno=True)


def setting(name):
    """The words of all lines of a setting, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def expand(names):
    """The system calls of these names and groups."""
    calls = set()
    for name in names:
        if name.startswith("@"):
            text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
            lines = [line.strip() for line in text.splitlines()[1:]]
            calls |= expand(line for line in lines if line and not line.startswith("#"))
        else:
            calls.add(name)
    return calls


def allowed():
    """What is left of the lines of SystemCallFilter, taken one after another as systemd does."""
    calls = expand(["@default"])
    for line in setting("SystemCallFilter"):
        calls = calls - expand(line[1:].split()) if line.startswith("~") else calls | expand(line.split())
    return calls


def unshare(flag):
    if libc.unshare(flag):
        raise OSError(ctypes.get_errno(), "unshare")


def files():
    """ProtectSystem=strict with two directories of its own, PrivateTmp, ProtectProc, ProtectKernelTunables."""
    unshare(NAMESPACES["mnt"])
    own = [f"/var/lib/{name}" for name in setting("StateDirectory")] + [f"/var/cache/{name}" for name in setting("CacheDirectory")]
    steps = ["mount --make-rprivate /", "mount -t tmpfs -o mode=1777 tmpfs /tmp"]
    steps += [f"mount --bind {path} {path}" for path in own]
    steps += ["mount -o remount,bind,ro /", "mount -t proc -o hidepid=2 proc /proc", "mount -o bind,ro /proc/sys /proc/sys"]
    for step in steps:
        subprocess.run(step, shell=True, check=True)


def users(user):
    """PrivateUsers: root and the user are who they are, all others are nobody. Only a process outside may say so."""
    (told, tell), (heard, hear), this = os.pipe(), os.pipe(), os.getpid()
    if os.fork() == 0:
        os.read(told, 1)
        for what, own in (("uid", user.pw_uid), ("gid", user.pw_gid)):
            pathlib.Path(f"/proc/{this}/{what}_map").write_text(f"0 0 1\n{own} {own} 1\n")
        os.write(hear, b"x")
        os._exit(0)
    unshare(NAMESPACES["user"])
    os.write(tell, b"x")
    os.read(heard, 1)
    os.wait()
    for descriptor in (told, tell, heard, hear):
        os.close(descriptor)


def become(user):
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.umask(0o077)


def load(rules, other=seccomp.ALLOW):
    """A filter of system calls; it sets no_new_privs, too."""
    made = seccomp.SyscallFilter(other)
    for action, call, *arguments in rules:
        made.add_rule(action, call, *arguments)
    made.load()


def filters(calls):
    refused = seccomp.ERRNO(errno.EPERM)
    kept = setting("RestrictNamespaces")[-1].split()
    rules = [(seccomp.ERRNO(errno.ENOSYS), "clone3")]
    for flag in (flag for name, flag in NAMESPACES.items() if name not in kept):
        rules += [(refused, call, seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag)) for call in ("unshare", "clone")]
    load(rules)
    families = {int(getattr(socket, name)) for name in setting("RestrictAddressFamilies")[-1].split()}
    others = [family for family in range(46) if family not in families]
    load([(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, family)) for family in others])
    here = [call for call in sorted(calls) if seccomp.resolve_syscall(seccomp.Arch(), call) >= 0]
    load([(seccomp.ALLOW, call) for call in here], refused)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    calls, user = allowed(), pwd.getpwnam(setting("User")[-1])
    files()
    users(user)
    become(user)
    filters(calls)
    keep = {name: value for name, value in os.environ.items() if name.startswith("GLOVEBOX_")}
    os.chdir("/")
    os.execvpe(sys.argv[1], sys.argv[1:], {"PATH": "/usr/local/bin:/usr/bin:/bin", **keep})


main()
