//! Programs that want the machine for themselves, through the API and the jailed workers of a real server: each ends by the
//! limit that is for it, in time; the next program runs; nothing is left behind.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use glovebox_tests::{Server, command};
use serde_json::{Value, json};

/// Milliseconds of wall clock that a program has.
const WALL_MS: u64 = 1_500;
/// What it may take beyond: the machine that tests this is busy with other tests.
const LATE_MS: u64 = 1_500;

/// Its name, its image, its text, and how it may end: `exited` or the name of an exception or a limit.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

const TIME: &[&str] = &["out_of_time", "out_of_fuel"];
const MEMORY: &[&str] = &["out_of_memory", "MemoryError", "out_of_time", "out_of_fuel"];
const DISK: &[&str] = &["OSError", "out_of_disk"];

/// S-04: what never ends.
const SPINNERS: &[Case] = &[
    ("a loop", "python", "while True: pass", TIME),
    (
        "a loop that catches everything",
        "python",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        TIME,
    ),
    (
        "generators in generators",
        "python",
        "def g(n):\n    while True: yield from (x for x in range(n))\nfor x in g(10): sum(1 for _ in range(100))",
        TIME,
    ),
    ("a regular expression", "python", "import re; re.match(r'(a+)+$', 'a' * 64 + 'b')", TIME),
    (
        "a power",
        "python",
        "print(10 ** 10 ** 9)",
        &["out_of_time", "out_of_fuel", "out_of_memory", "MemoryError", "ValueError"],
    ),
    (
        "a sort that never agrees",
        "python",
        "class A:\n    def __lt__(self, other): return hash(self) % 3 == 0\nwhile True: sorted(A() for _ in range(100_000))",
        TIME,
    ),
    ("memory that is copied", "python", "a = bytearray(64 << 20)\nwhile True: a[:] = a", TIME),
    ("exceptions", "python", "while True:\n    try: raise ValueError\n    except ValueError: pass", TIME),
    (
        "recursion again and again",
        "python",
        "def f(): return f()\nwhile True:\n    try: f()\n    except RecursionError: pass",
        TIME,
    ),
    ("compression", "python", "import zlib\nwhile True: zlib.compress(b'x' * 10_000_000, 9)", TIME),
    ("matrices", "python", "import numpy as np\na = np.random.rand(800, 800)\nwhile True: a = a @ a % 1", TIME),
    (
        "a join of everything with everything",
        "python",
        "import pandas as pd\nd = pd.DataFrame({'a': [1] * 100_000})\nprint(len(d.merge(d, on='a')))",
        MEMORY,
    ),
    ("hashing", "python", "import hashlib\nwhile True: hashlib.sha256(b'x' * 50_000_000)", TIME),
    (
        "parsing",
        "python",
        "while True: compile('+'.join(['1'] * 5000), 'x', 'exec')",
        &["out_of_time", "out_of_fuel", "RecursionError", "MemoryError"],
    ),
    ("a loop in JavaScript", "javascript", "for (;;) {}", TIME),
    (
        "promises",
        "javascript",
        "const go = () => Promise.resolve().then(go); go(); await new Promise(() => {})",
        &["out_of_time", "out_of_fuel", "exited", "Error", "SyntaxError"],
    ),
    ("a regular expression in JavaScript", "javascript", "/^(a+)+$/.test('a'.repeat(64) + 'b')", TIME),
    ("a loop in RustPython", "rustpython", "while True: pass", TIME),
];

/// S-05 and S-06: what waits, swallows or pours.
const HOARDERS: &[Case] = &[
    ("sleep for ever", "python", "import time; time.sleep(1e9)", TIME),
    ("short sleeps for ever", "python", "import time\nwhile True: time.sleep(1e-9)", TIME),
    ("input from nobody", "python", "input()", &["EOFError"]),
    (
        "polling",
        "python",
        "import select, time\nwhile True: select.select([], [], [], 0.001)",
        &["out_of_time", "out_of_fuel", "OSError", "AttributeError", "ModuleNotFoundError"],
    ),
    ("blocks", "python", "kept = []\nwhile True: kept.append(bytearray(10 << 20))", MEMORY),
    ("little things", "python", "kept = []\nwhile True: kept.append(object())", MEMORY),
    ("one text", "python", "text = 'x'\nwhile True: text += text", MEMORY),
    ("an array", "python", "import numpy as np; np.ones((1 << 31,), dtype='u1').sum()", MEMORY),
    (
        "random bytes",
        "python",
        "import os; os.urandom(2 ** 31)",
        &["MemoryError", "OverflowError", "OSError", "out_of_memory", "ValueError"],
    ),
    (
        "an array in JavaScript",
        "javascript",
        "const kept = []; for (;;) kept.push(new Uint8Array(10 << 20).fill(1))",
        &["out_of_memory", "RangeError", "InternalError", "Error", "out_of_time", "out_of_fuel"],
    ),
    (
        "a gigabyte of output",
        "python",
        "import sys\nfor _ in range(1000): sys.stdout.write('x' * 1_000_000)",
        &["exited", "too_much_output"],
    ),
    (
        "a million small writes",
        "python",
        "import os\nfor _ in range(1_000_000): os.write(1, b'x')",
        &["exited", "out_of_time", "out_of_fuel", "too_much_output"],
    ),
    ("empty writes", "python", "import os\nwhile True: os.write(1, b'')", TIME),
    (
        "a flood of warnings",
        "python",
        "import sys\nwhile True: print('x' * 1000, file=sys.stderr)",
        &["out_of_time", "out_of_fuel", "too_much_output"],
    ),
    (
        "pictures",
        "python",
        "while True: display({'text/html': 'x' * 1_000_000}, raw=True)",
        &["out_of_time", "out_of_fuel", "too_much_output", "out_of_memory", "MemoryError"],
    ),
];

/// S-07 and S-08: what fills the disk and holds on to files.
const FILLERS: &[Case] = &[
    ("one file", "python", "with open('full', 'wb') as f:\n    while True: f.write(b'x' * 1_000_000)", DISK),
    ("a file that cannot be that long", "python", "open('long', 'wb').truncate(1 << 40)", DISK),
    ("a hole and a byte", "python", "with open('hole', 'wb') as f:\n    f.seek(1 << 40); f.write(b'x')", DISK),
    ("a million files", "python", "for n in range(1_000_000): open(f'f{n}', 'w').close()", DISK),
    (
        "directories in directories",
        "python",
        "import os\nfor n in range(2_000):\n    os.mkdir('d'); os.chdir('d')",
        DISK,
    ),
    (
        "links",
        "python",
        "import os\nfor n in range(1_000_000): os.symlink('x', f'l{n}')",
        &["OSError", "out_of_disk", "PermissionError"],
    ),
    (
        "renames",
        "python",
        "import os\nopen('a', 'w').close()\nwhile True:\n    os.rename('a', 'b'); os.rename('b', 'a')",
        TIME,
    ),
    ("files that stay open", "python", "kept = []\nwhile True: kept.append(open('same', 'w'))", &["OSError"]),
    (
        "a directory that is read for ever",
        "python",
        "import os\nfor n in range(200): open(f'f{n}', 'w').close()\nwhile True: os.listdir('.')",
        TIME,
    ),
    (
        "temporary files",
        "python",
        "import tempfile\nkept = []\nwhile True:\n    f = tempfile.TemporaryFile(); f.write(b'x' * 1_000_000); kept.append(f)",
        DISK,
    ),
    (
        "files in JavaScript",
        "javascript",
        "import * as std from 'std';\nfor (let n = 0; n < 100000; n++) { const f = std.open('f' + n, 'w'); if (!f) throw new Error('full'); f.puts('x'.repeat(1000)); f.close(); }",
        &["Error", "SyntaxError", "ReferenceError", "out_of_disk", "out_of_time", "out_of_fuel", "TypeError"],
    ),
];

/// A server whose default policy is a small one.
fn small() -> (Server, tempfile::TempDir) {
    let policies = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[run]\nfuel = 1_000_000_000_000\nwall_time_ms = {WALL_MS}\ncpu_time_ms = {WALL_MS}\nmemory_mib = 512\noutput_kib = 256\n\
         display_kib = 4_096\nworkspace_mib = 32\nworkspace_files = 500\nfile_mib = 32\nopen_handles = 64\nartifacts = 20\nartifact_mib = 32\n"
    );
    std::fs::write(policies.path().join("default.toml"), text).expect("writable");
    let dir = policies.path().display().to_string();
    (Server::start(&[("GLOVEBOX_POLICIES_DIR", &dir), ("GLOVEBOX_QUEUE_LIMIT", "1000")]), policies)
}

/// How a run ended: the exception for one that raised, else the ending's name.
fn ending(run: &Value) -> String {
    let ending = &run["outcome"]["ending"];
    let of = |name: &str| ending[name].as_str().unwrap_or_default().to_owned();
    if of("kind") == "raised" { of("exception") } else { of("kind") }
}

fn left_behind(data: &Path) -> Vec<String> {
    let entries = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).into_iter().flatten().map_while(Result::ok);
        entries.map(|entry| entry.path().display().to_string()).collect()
    };
    let mut found = entries(&data.join("tmp"));
    for tenant in entries(&data.join("work")) {
        for part in ["workspaces", "scratch", "tmp"] {
            found.extend(entries(&Path::new(&tenant).join(part)));
        }
    }
    found
}

/// Runs the programs, two at a time as on a real service.
fn endure(cases: &'static [Case]) {
    let (server, _policies) = small();
    let data = server.data.path().to_owned();
    let work = |mine: usize| {
        let client = server.client();
        for (name, image, code, endings) in cases.iter().skip(mine).step_by(2) {
            let began = Instant::now();
            let run = client.post("/api/v1/runs", &json!({ "code": code, "image": image })).json(201);
            let took = run["outcome"]["timing"]["wall_ms"].as_f64().map_or(u64::MAX, |ms| ms as u64);
            assert!(endings.contains(&ending(&run).as_str()), "{name} ended as {}: {run}", ending(&run));
            assert!(took <= WALL_MS + LATE_MS, "{name} took {took} ms");
            assert!(began.elapsed() < Duration::from_secs(20), "{name} was answered after {:?}", began.elapsed());
            let said = run["outcome"]["stdout"].as_str().map_or(0, str::len);
            assert!(said <= 300 * 1024, "{name} said {said} bytes");
            assert_eq!(client.run("print(6 * 7)")["outcome"]["stdout"], "42\n", "after {name}");
        }
    };
    std::thread::scope(|scope| {
        for mine in 0..2 {
            scope.spawn(move || work(mine));
        }
    });
    // A workspace is removed after its answer was sent.
    let began = Instant::now();
    while !left_behind(&data).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(5), "left behind: {:?}", left_behind(&data));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_never_ends_is_ended() {
    endure(SPINNERS);
}

#[test]
fn what_waits_swallows_or_pours_comes_to_its_limit() {
    endure(HOARDERS);
}

#[test]
fn what_fills_the_disk_or_holds_files_comes_to_its_limit() {
    endure(FILLERS);
}

/// S-09: what a program leaves in the place of a file.
#[test]
fn only_files_of_the_program_itself_are_collected() {
    let (server, _policies) = small();
    let client = server.client();
    let canary = client.upload("canary.txt", b"the canary of another run");
    let secret = server.data.path().join("secret.txt");
    std::fs::write(&secret, "the canary outside").expect("writable");
    let code = format!(
        r"
import os
def attempt(*works):
    for work in works:
        try: work()
        except Exception as error: print(type(error).__name__)
open('plain.txt', 'w').write('mine')
long = 'n' * 200
attempt(
    lambda: os.symlink('/etc/passwd', 'passwd'), lambda: os.symlink('../../../../../etc/passwd', 'up'),
    lambda: os.symlink('{secret}', 'outside'), lambda: os.symlink('/proc/self/environ', 'environ'),
    lambda: os.symlink('..', 'parent'), lambda: os.symlink('.', 'self'), lambda: os.symlink('nowhere', 'dangling'),
    lambda: os.symlink('loop', 'loop'), lambda: os.symlink('plain.txt', 'fine-link'), lambda: os.symlink('canary.txt', 'input-link'),
    lambda: os.link('plain.txt', 'hard.txt'), lambda: os.link('/etc/passwd', 'hard-out'), lambda: os.mkfifo('fifo'),
    lambda: open('a\nb.txt', 'w').write('line'), lambda: open('CON', 'w').write('con'), lambda: open('-rf', 'w').write('dash'),
    lambda: open(long, 'w').write('long'), lambda: open('n' * 256, 'w').write('too long'), lambda: open('../x', 'w').write('up'),
    lambda: open('/etc/passwd').read(), lambda: open('/x', 'w').write('root'), lambda: open('\x1b[2J', 'w').write('clear'),
    lambda: open('\u202egnp.exe', 'w').write('rtl'), lambda: open('nul\0.txt', 'w').write('nul'), lambda: open('.hidden', 'w').write('dot'),
    lambda: os.mkdir('dir'), lambda: os.symlink('/etc', 'dir/etc'), lambda: open('dir/etc/hosts').read(),
)
",
        secret = secret.display()
    );
    let run = client.post("/api/v1/runs", &json!({ "code": code, "files": [canary] })).json(201);
    assert_eq!(ending(&run), "exited", "{run}");
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    let mut found = Vec::new();
    for artifact in artifacts {
        let content = client.get(artifact["url"].as_str().expect("a url")).text();
        let foreign = ["root:", "canary", "PATH=", "localhost"].iter().any(|part| content.contains(part));
        assert!(!foreign && content.len() <= 8, "{} holds {content:?}", artifact["path"]);
        found.push(artifact["path"].as_str().expect("a path").to_owned());
    }
    assert!(found.iter().any(|path| path == "plain.txt"), "{found:?}");
    for never in [
        "passwd",
        "up",
        "outside",
        "environ",
        "dangling",
        "loop",
        "hard-out",
        "fifo",
        "input-link",
        "dir/etc",
        "canary.txt",
    ] {
        assert!(!found.iter().any(|path| path == never), "{never} was collected: {found:?}");
    }
    assert!(
        !server.data.path().join("x").exists()
            && std::fs::read_to_string(&secret).expect("readable") == "the canary outside"
    );
}

/// S-09: a link that changes places with a file while artifacts are collected. The program is over by then, so that it
/// changes them until its last moment.
#[test]
fn a_file_that_changes_places_with_a_link_gives_nothing_foreign() {
    let (server, _policies) = small();
    let client = server.client();
    let secret = server.data.path().join("secret.txt");
    std::fs::write(&secret, "the canary outside").expect("writable");
    let code = format!(
        "import os\nopen('file', 'w').write('mine')\nos.symlink('{}', 'link')\nwhile True:\n    os.rename('file', 'x'); os.rename('link', 'file'); os.rename('x', 'link')",
        secret.display()
    );
    for _ in 0..3 {
        let run = client.run(&code);
        for artifact in run["artifacts"].as_array().expect("artifacts") {
            assert_eq!(client.get(artifact["url"].as_str().expect("a url")).text(), "mine", "{artifact}");
        }
    }
}

/// L-03.
#[test]
fn a_thousand_runs_in_the_queue_are_all_done() {
    let (server, _policies) = small();
    let client = server.client();
    let began = Instant::now();
    let runs: Vec<_> = (0..1000)
        .map(|n| {
            let run = client.post("/api/v1/runs", &json!({ "code": format!("print({n})"), "wait": false })).json(202);
            run["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    for (n, run) in runs.iter().enumerate() {
        let done = loop {
            let run = client.get(&format!("/api/v1/runs/{run}")).json(200);
            if run["status"] == "done" {
                break run;
            }
            assert!(began.elapsed() < Duration::from_secs(100), "run {n} is {}", run["status"]);
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(done["outcome"]["stdout"], format!("{n}\n"));
    }
    println!("1,000 runs in {:.1} s", began.elapsed().as_secs_f64());
}

/// D-06: the data directory on a disk of 40 MiB that fills up.
#[test]
fn a_full_disk_refuses_loses_nothing_and_is_used_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mount = format!("mount -t tmpfs -o size=40m none '{0}' && exec \"$@\"", dir.path().display());
    let apart = |args: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "sh", "-c", &mount, "sh"]).args(args);
        unshare
    };
    if !apart(&["true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: this machine lets nobody mount a small disk");
        return;
    }
    let mut server = apart(&[]);
    let glovebox = command();
    server.arg(glovebox.get_program()).args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path());
    server.envs(glovebox.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let server = Server::of(server);
    let client = server.client();
    let content = |n: usize| -> Vec<u8> { format!("file {n} ").bytes().cycle().take(400_000).collect() };
    let upload = |n: usize| {
        client.send("POST", "/api/v1/files", |request| request.multipart(glovebox_tests::form("a.txt", &content(n))))
    };
    let mut kept = Vec::new();
    let refused = loop {
        let reply = upload(kept.len());
        if reply.status != 201 {
            break reply;
        }
        kept.push(reply.json(201)["files"][0]["id"].as_str().expect("an id").to_owned());
        assert!(kept.len() < 200, "40 MiB hold more than 200 files");
    };
    assert!(kept.len() > 20, "{}", kept.len());
    refused.problem(507, "disk_full");
    // What writes is refused or ends; what does not is answered; nobody falls over.
    for n in 0..5 {
        let reply =
            client.post("/api/v1/runs", &json!({ "code": format!("open('big{n}', 'w').write('x' * 3_000_000)") }));
        assert!(matches!(reply.status, 201 | 503 | 507), "{} {}", reply.status, reply.text());
        if reply.status == 201 {
            assert_ne!(ending(&reply.json(201)), "trapped");
        }
        assert!(upload(1000 + n).status == 507);
    }
    assert_eq!(client.get("/healthz").status, 200);
    let listed = client.get("/api/v1/files").json(200);
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(kept.len()), "half of an upload is visible");
    for (n, id) in kept.iter().enumerate() {
        assert!(client.get(&format!("/api/v1/files/{id}/content")).body == content(n), "file {n} is another one");
    }
    for id in kept.drain(..10) {
        assert_eq!(client.send("DELETE", &format!("/api/v1/files/{id}"), |request| request).status, 204);
    }
    let began = Instant::now();
    while upload(1).status != 201 {
        assert!(began.elapsed() < Duration::from_secs(30), "the space is not used again");
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = client.run("open('small', 'w').write('x'); print('again')");
    assert_eq!(
        (&run["outcome"]["stdout"], run["artifacts"].as_array().map(Vec::len)),
        (&json!("again\n"), Some(1)),
        "{run}"
    );
}
