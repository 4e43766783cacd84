"""Tries to leave the workspace: every operation on every shape of path. Prints what worked."""
import os

SECRET = "canary"
shapes = [
    "..", "../", "../canary.txt", "../../canary.txt", "a/../../canary.txt", "./../canary.txt", "a/../../../etc/passwd",
    "/etc/passwd", "/etc", "//etc/passwd", "/proc/self/environ", "/proc/self/root/etc/passwd", "/proc/1/environ", "/root",
    "/mnt", "/mnt/canary.txt", "/mnt/../etc/passwd", "/mnt/data/../canary.txt", "/mnt/data/../../etc/passwd",
    "/tmp/../etc/passwd", "/dev/../etc/passwd", "/dev/zero", "/dev/mem", "/sys/kernel", "up/canary.txt", "up", "up/", "up/.",
    "abs", "abs/passwd", "loop", "loop/x", "chain/canary.txt", "dangling", "a/up2/../canary.txt", "x" * 255, "x" * 4096,
    "a\\..\\..\\canary.txt", "..\\canary.txt", "%2e%2e/canary.txt", ". ./canary.txt", "../canary.txt/", "../canary.txt/.",
]
os.makedirs("a", exist_ok=True)
for target, name in [("..", "up"), ("../..", "a/up2"), ("/etc", "abs"), ("loop", "loop"), ("up", "chain"), ("nowhere", "dangling")]:
    try:
        os.symlink(target, name)
    except OSError:
        pass
with open("mine.txt", "w") as f:
    f.write("mine")

def read(p):
    with open(p) as f:
        return f.read()

def write(p):
    with open(p, "w") as f:
        f.write("changed")

def append(p):
    with open(p, "a") as f:
        f.write("changed")

def truncate(p):
    os.truncate(p, 0)

operations = {
    "read": read, "write": write, "append": append, "truncate": truncate, "list": os.listdir, "mkdir": os.mkdir,
    "rmdir": os.rmdir, "unlink": os.unlink, "rename from": lambda p: os.rename(p, "stolen"),
    "rename to": lambda p: os.rename("mine.txt", p), "link from": lambda p: os.link(p, "hard"),
    "link to": lambda p: os.link("mine.txt", p), "utime": lambda p: os.utime(p, (0, 0)), "chdir": os.chdir,
}
tried = 0
leaks = []
for shape in shapes:
    for name, operation in operations.items():
        tried += 1
        os.chdir("/mnt/data")
        if not os.path.exists("mine.txt"):
            with open("mine.txt", "w") as f:
                f.write("mine")
        try:
            result = operation(shape)
        except (OSError, ValueError, UnicodeError):
            continue
        if isinstance(result, str) and (SECRET in result or "root:" in result):
            leaks.append((name, shape))
        if isinstance(result, list) and ("canary.txt" in result or "passwd" in result):
            leaks.append((name, shape))
os.chdir("/mnt/data")
print("tried", tried)
print("leaks", leaks)
