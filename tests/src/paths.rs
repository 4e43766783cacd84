//! Paths that lead out of the workspace: every operation with every such path, by Python and by calls of WASI itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use glovebox_runtime::{Image, ImageSource, ImageStore, Limits, Outcome, run};
use glovebox_tests::{cache, here, job, run_here};

const CANARY: &str = "the-secret-of-somebody-else-4f1c";
const SIZE: usize = 12_347;

const OPS: [&str; 20] = [
    "read",
    "read-nofollow",
    "list",
    "create",
    "create-new",
    "truncate",
    "stat",
    "stat-nofollow",
    "mkdir",
    "rmdir",
    "unlink",
    "readlink",
    "utimes",
    "symlink-to",
    "symlink-at",
    "rename-from",
    "rename-to",
    "link-from",
    "link-to",
    "link-follow",
];

/// A workspace beside somebody else's things, with links in it that lead there: as if an earlier turn, or a bug, had
/// left them.
struct Place {
    _root: tempfile::TempDir,
    workspace: PathBuf,
    outside: PathBuf,
}

impl Place {
    fn new() -> Place {
        let root = tempfile::tempdir().expect("a directory");
        let (workspace, outside) = (root.path().join("workspace"), root.path().join("outside"));
        fs::create_dir_all(workspace.join("sub/deep")).expect("made");
        fs::create_dir_all(outside.join("dir")).expect("made");
        fs::create_dir_all(outside.join("empty")).expect("made");
        let mut secret = CANARY.repeat(SIZE / CANARY.len() + 1);
        secret.truncate(SIZE);
        for file in ["secret.txt", "dir/inner.txt"] {
            fs::write(outside.join(file), &secret).expect("written");
        }
        fs::write(workspace.join("in.txt"), "mine").expect("written");
        let links = [
            ("abs", outside.clone()),
            ("abs_file", outside.join("secret.txt")),
            ("up", "..".into()),
            ("up_file", "../outside/secret.txt".into()),
            ("sub/up2", "../..".into()),
            ("loop", "loop".into()),
            ("dangling", "../outside/new.txt".into()),
            ("empty", "../outside/empty".into()),
            ("etc", "/etc/passwd".into()),
            ("root", "/".into()),
            ("self", "/proc/self/root".into()),
            ("cwd", "/proc/self/cwd".into()),
            ("chain", "up".into()),
        ];
        for (name, target) in links {
            symlink(target, workspace.join(name)).expect("linked");
        }
        Place { workspace, outside, _root: root }
    }

    /// All that is outside: type, size, times, links and content of each.
    fn outside(&self) -> BTreeMap<PathBuf, (fs::FileType, [i64; 3], u64, Vec<u8>)> {
        let parent = self.workspace.parent().expect("it has one");
        let mut found = BTreeMap::new();
        let mut waiting = vec![parent.to_owned()];
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(dir).expect("listed").map(|entry| entry.expect("listed").path()) {
                if entry == self.workspace {
                    continue;
                }
                let facts = entry.symlink_metadata().expect("there");
                let content = if facts.is_file() { fs::read(&entry).expect("read") } else { Vec::new() };
                if facts.is_dir() {
                    waiting.push(entry.clone());
                }
                let numbers = [facts.mtime(), facts.mtime_nsec(), i64::from(facts.mode())];
                found.insert(entry, (facts.file_type(), numbers, facts.nlink(), content));
            }
        }
        found
    }

    /// Whether a file in the workspace has what was outside.
    fn stolen(&self) -> Option<PathBuf> {
        let mut waiting = vec![self.workspace.clone()];
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(dir).expect("listed").map(|entry| entry.expect("listed").path()) {
                let facts = entry.symlink_metadata().expect("there");
                if facts.is_dir() {
                    waiting.push(entry);
                } else if facts.is_file()
                    && fs::read(&entry).expect("read").windows(CANARY.len()).any(|part| part == CANARY.as_bytes())
                {
                    return Some(entry);
                }
            }
        }
        None
    }

    fn paths(&self) -> Vec<Vec<u8>> {
        let absolute = self.outside.join("secret.txt").display().to_string();
        let mut paths: Vec<Vec<u8>> = [
            "in.txt",
            "sub/new",
            "sub/deep",
            "",
            ".",
            "./",
            "..",
            "../",
            "../.",
            "../..",
            "../outside",
            "../outside/",
            "../outside/secret.txt",
            "../outside/dir/inner.txt",
            "../outside/new.txt",
            "../outside/empty",
            "../new",
            "..//outside//secret.txt",
            ".//..//outside/secret.txt",
            "./../outside/secret.txt",
            "sub/../../outside/secret.txt",
            "sub/deep/../../../outside/secret.txt",
            "sub/./../../outside/secret.txt",
            "sub/..",
            "sub/../..",
            "SUB/../../outside/secret.txt",
            "in.txt/../../outside/secret.txt",
            "in.txt/..",
            "in.txt/",
            "nothing/../../outside/secret.txt",
            "/",
            "//",
            "/..",
            "/etc/passwd",
            "//etc/passwd",
            "/../etc/passwd",
            "/./etc/passwd",
            "/etc/",
            "/new",
            "/tmp/../etc/passwd",
            "/proc/self/root/etc/passwd",
            "/proc/self/environ",
            "/proc/self/fd/0",
            "/dev/mem",
            "proc/self/root",
            "abs",
            "abs/",
            "abs/.",
            "abs/..",
            "abs/secret.txt",
            "abs/dir/inner.txt",
            "abs/new.txt",
            "abs/dir/../secret.txt",
            "abs_file",
            "abs_file/",
            "abs_file/..",
            "abs/../workspace/in.txt",
            "up",
            "up/",
            "up/.",
            "up/..",
            "up/outside",
            "up/outside/secret.txt",
            "up/outside/new.txt",
            "up/outside/dir/../secret.txt",
            "up_file",
            "up_file/",
            "up_file/.",
            "sub/up2",
            "sub/up2/outside/secret.txt",
            "sub/up2/new",
            "chain/outside/secret.txt",
            "chain/../outside/secret.txt",
            "dangling",
            "dangling/",
            "loop",
            "loop/",
            "loop/x",
            "empty",
            "empty/",
            "empty/new",
            "etc",
            "etc/",
            "root",
            "root/",
            "root/etc/passwd",
            "self/etc/passwd",
            "cwd/Cargo.toml",
            "..\\outside\\secret.txt",
            "%2e%2e/outside/secret.txt",
            "..%2foutside",
            "....//outside/secret.txt",
            "．．/outside/secret.txt",
            ".. /outside/secret.txt",
            "..\0/outside/secret.txt",
            "up\0",
            "\0",
            "C:\\windows",
            "con",
            "~/x",
            "$HOME",
        ]
        .iter()
        .map(|path| path.as_bytes().to_vec())
        .collect();
        paths.extend([
            absolute.clone().into_bytes(),
            format!("./{absolute}").into_bytes(),
            format!("{}etc/passwd", "../".repeat(60)).into_bytes(),
            vec![b'a'; 255],
            vec![b'a'; 256],
            b"a/".repeat(2048),
            b"\xff\xfe/../../outside/secret.txt".to_vec(),
            b"\xff\xfe".to_vec(),
        ]);
        paths
    }
}

/// `tests/commands/paths.rs`, compiled for WASI, as an image.
fn raw() -> Arc<Image> {
    static LOADED: OnceLock<Arc<Image>> = OnceLock::new();
    let load = || {
        let dir = tempfile::tempdir().expect("a directory");
        let built = Command::new("rustc")
            .args(["--target", "wasm32-wasip1", "--edition", "2024", "-C", "strip=symbols", "-o"])
            .arg(dir.path().join("paths.wasm"))
            .arg("commands/paths.rs")
            .current_dir(here())
            .status();
        assert!(built.expect("rustc starts").success());
        let toml = "name = \"paths\"\nversion = \"1\"\nlanguage = \"paths\"\nkind = \"command\"\nsummary = \"Attacks.\"\n\
            licence = \"Apache-2.0\"\nfilename = \"main\"\nmin_memory_mib = 8\n[module]\nfile = \"paths.wasm\"\n\
            [command]\nargv = [\"paths\", \"{script}\"]\n";
        fs::write(dir.path().join("image.toml"), toml).expect("written");
        let store = ImageStore::new(vec![ImageSource::Dir(dir.path().into())], &cache()).expect("the store opens");
        store.prepare("paths", &mut |_| {}).expect("it prepares");
        store.load("paths").expect("it loads")
    };
    LOADED.get_or_init(load).clone()
}

fn by_wasi(place: &Place, op: &str) -> Outcome {
    let mut job = job("paths", "", &place.workspace);
    let hex = |path: &Vec<u8>| path.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let paths = place.paths().iter().map(hex).collect::<Vec<_>>().join(",");
    let env = [("OP", op.to_owned()), ("CANARY", CANARY.into()), ("SIZE", SIZE.to_string()), ("PATHS", paths)];
    job.program.env.extend(env.map(|(name, value)| (name.to_owned(), value)));
    job.limits = Limits { fuel: 20_000_000_000, ..job.limits };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts");
    runtime.block_on(run(&raw(), &job, &mut |_| {}, &Default::default())).expect("the runtime does its part")
}

const PYTHON: &str = r#"
import os
tried = done = 0
BEGIN = [b"", b"/mnt/data/", b"/tmp/", b"/tmp/../mnt/data/", b"/lib/"]

def look(seen, path):
    if CANARY in seen or b"root:x:0" in seen or b"secret.txt" in seen:
        print("LEAK", path)

def content(path, flags):
    fd = os.open(path, flags, 0o600)
    try:
        if flags & os.O_ACCMODE == os.O_RDWR:
            os.write(fd, b"overwritten")
            os.lseek(fd, 0, 0)
        look(os.read(fd, 1 << 16), path)
    finally:
        os.close(fd)

def size(stat, path):
    if stat.st_size == SIZE:
        print("LEAK", path)

def link_to(path, made):
    os.symlink(path, made)
    content(made, os.O_RDONLY)

OPS = {
    "read": lambda path, made: content(path, os.O_RDONLY),
    "read-nofollow": lambda path, made: content(path, os.O_RDONLY | os.O_NOFOLLOW),
    "list": lambda path, made: look(b" ".join(os.listdir(path)), path),
    "create": lambda path, made: content(path, os.O_RDWR | os.O_CREAT),
    "create-new": lambda path, made: content(path, os.O_RDWR | os.O_CREAT | os.O_EXCL),
    "truncate": lambda path, made: os.truncate(path, 0),
    "stat": lambda path, made: size(os.stat(path), path),
    "stat-nofollow": lambda path, made: size(os.lstat(path), path),
    "mkdir": lambda path, made: os.mkdir(path),
    "rmdir": lambda path, made: os.rmdir(path),
    "unlink": lambda path, made: os.unlink(path),
    "readlink": lambda path, made: os.readlink(path),
    "utimes": lambda path, made: os.utime(path, (1, 1)),
    "symlink-to": link_to,
    "symlink-at": lambda path, made: os.symlink(b"in.txt", path),
    "rename-from": lambda path, made: os.rename(path, made),
    "rename-to": lambda path, made: os.replace(b"in.txt", path),
    "link-from": lambda path, made: os.link(path, made, follow_symlinks=False),
    "link-to": lambda path, made: os.link(b"in.txt", path),
    "link-follow": lambda path, made: os.link(path, made),
}
for begin in BEGIN:
    for number, path in enumerate(PATHS):
        tried += 1
        try:
            OPS[OP](begin + path, b"made-%d" % tried)
            done += 1
        except (OSError, ValueError, NotImplementedError):
            pass
print("tried", tried, "done", done)
"#;

fn by_python(place: &Place, op: &str) -> Outcome {
    let bytes = |path: &Vec<u8>| {
        format!("bytes.fromhex('{}')", path.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    let paths = place.paths().iter().map(bytes).collect::<Vec<_>>().join(", ");
    let source = format!("OP = '{op}'\nCANARY = b'{CANARY}'\nSIZE = {SIZE}\nPATHS = [{paths}]\n{PYTHON}");
    run_here(&job("python", &source, &place.workspace))
}

fn attack(by: fn(&Place, &str) -> Outcome) {
    let (mut tried, mut done) = (0, 0);
    for op in OPS {
        let place = Place::new();
        let before = place.outside();
        let outcome = by(&place, op);
        assert!(outcome.ending.is_success(), "{op}: {outcome:?}");
        assert!(!outcome.stdout.contains("LEAK"), "{op}: {}", outcome.stdout);
        assert_eq!(place.outside(), before, "{op} changed what is outside");
        assert_eq!(place.stolen(), None, "{op} brought it in");
        for artifact in &outcome.artifacts {
            let inside = artifact.path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
            assert!(inside, "{op}: {artifact:?}");
        }
        let numbers: Vec<u64> = outcome.stdout.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [of_op, of_those] = numbers[..] else { panic!("{op}: {}", outcome.stdout) };
        // An operation that never succeeds would be one that was never tried.
        assert!(of_op > 300, "{op}: {of_op}");
        assert!(
            of_those > 0 || matches!(op, "rmdir" | "link-from" | "link-to" | "link-follow"),
            "{op} never succeeded: {}",
            outcome.stdout
        );
        tried += of_op;
        done += of_those;
    }
    println!("{tried} calls, {done} of them inside and allowed");
    assert!(tried > 5_000, "{tried}");
}

#[test]
fn no_path_leads_out_of_the_workspace_by_python() {
    attack(by_python);
}

#[test]
fn no_path_leads_out_of_the_workspace_by_wasi_itself() {
    attack(by_wasi);
}
