//! Hundreds of runs and turns, each of which leaves a secret everywhere it can and looks for those of others.

use glovebox_tests::Server;
use serde_json::{Value, json};

/// Looks for secrets that are not its own, says what it found, and leaves its own everywhere. The word that secrets
/// begin with is put together, so that the program itself is none.
const PYTHON: &str = r#"
import builtins, gc, os, random, re, sys
MINE = 'OWNER'
WORD = ''.join(['CAN', 'ARY', '-'])
PATTERN = re.compile((WORD + r'\w+').encode())
found, where, place = set(), set(), ''
def look(value):
    if isinstance(value, str): value = value.encode('utf-8', 'replace')
    if isinstance(value, (bytes, bytearray)):
        secrets = {match.decode() for match in PATTERN.findall(value)} - {WORD + MINE}
        found.update(secrets)
        if secrets: where.add(place)
def look_into(value):
    if isinstance(value, dict):
        for k, v in list(value.items()): look(k); look(v)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for v in list(value): look(v)
place = 'globals'
for value in list(globals().values()): look(value); look_into(value)
place = 'builtins'
for value in list(vars(builtins).values()) + list(sys.modules): look(value); look_into(value)
place = 'environment'
look_into(dict(os.environ)); look_into(sys.argv)
place = 'modules'
look_into(os.canary if hasattr(os, 'canary') else []); look_into(vars(os)); look_into(vars(random))
place = 'objects'
for value in (gc.get_objects() if hasattr(gc, 'get_objects') else []): look_into(value)
place = 'files'
for top in ('/mnt/data', '/tmp', '/dev', '.', '/'):
    for root, dirs, files in os.walk(top):
        for name in dirs + files: look(name)
        for name in files:
            try: look(open(os.path.join(root, name), 'rb').read())
            except OSError: pass
place = 'descriptors'
for fd in range(3, 40):
    try: look(os.read(fd, 1000))
    except OSError: pass
place = 'fresh memory'
if 'numpy' in sys.modules:
    import numpy as np
    for size in (16, 64, 200, 1000, 5000, 70_000, 1 << 20, 8 << 20): look(np.empty(size, np.uint8).tobytes())
print(sorted(found))
if found: print(sorted(where))
secret = WORD + MINE
builtins.canary = secret
os.environ['CANARY'] = secret
os.canary = random.canary = [secret]
sys.modules['canary'] = sys
keep = [secret + str(n) for n in range(500)] + [bytearray((secret + ' ').encode() * 3000)]
if 'numpy' in sys.modules:
    for size in (5000, 70_000, 1 << 20): junk = np.frombuffer((secret + ' ').encode() * (size // 10), np.uint8)[:size].copy()
    del junk
random.seed(secret)
for path in ('c.txt', '/tmp/c.txt', '/mnt/data/.hidden', '/tmp/' + secret):
    with open(path, 'w') as file: file.write(secret)
handle = open('/tmp/c.txt')
del keep[::2]
"#;

const JAVASCRIPT: &str = r#"
import fs from 'fs';
const WORD = ['CAN', 'ARY', '-'].join('');
const found = new Set();
const look = (text) => { for (const match of String(text).match(new RegExp(WORD + '\\w+', 'g')) ?? []) found.add(match); };
for (const name of Object.getOwnPropertyNames(globalThis)) { look(name); const value = globalThis[name]; if (typeof value !== 'function' && typeof value !== 'object') look(value); else if (Array.isArray(value)) value.forEach(look); }
for (const value of Object.values(process.env)) look(value);
for (const value of Object.values(Math).concat(Object.values(JSON))) look(value);
for (const top of ['/mnt/data', '/tmp']) for (const name of fs.readdirSync(top)) { look(name); try { look(fs.readFileSync(top + '/' + name, 'utf8')); } catch {} }
console.log('[' + [...found].filter((secret) => secret !== WORD + 'OWNER').map((s) => `'${s}'`).join(', ') + ']');
globalThis.canary = WORD + 'OWNER';
globalThis.list = Array.from({ length: 500 }, (_, n) => WORD + 'OWNER' + n);
Math.canary = JSON.canary = WORD + 'OWNER';
process.env.CANARY = WORD + 'OWNER';
for (const path of ['c.txt', '/tmp/c.txt', '/mnt/data/.hidden']) fs.writeFileSync(path, WORD + 'OWNER');
"#;

fn program(image: &str, owner: usize) -> String {
    let source = if image == "javascript" { JAVASCRIPT } else { PYTHON };
    source.replace("OWNER", &format!("owner{owner}"))
}

fn stdout(run: &Value) -> &str {
    assert_eq!(run["outcome"]["ending"]["kind"], "exited", "{run}");
    run["outcome"]["stdout"].as_str().unwrap_or_default()
}

#[test]
fn nothing_of_five_hundred_mixed_runs_and_turns_is_seen_by_another() {
    // One worker, so that all of it happens in one process.
    let server = Server::start(&[("GLOVEBOX_WORKERS", "1")]);
    let client = server.client();
    let images = ["python", "javascript", "rustpython", "javascript", "python", "rustpython", "javascript"];
    let mut sessions: Vec<(String, &str)> = Vec::new();
    for owner in 0..500 {
        let image = images[owner % images.len()];
        let body = json!({ "code": program(image, owner), "image": image });
        let run = if owner % 3 == 0 {
            let session = client.post("/api/v1/sessions", &json!({ "image": image })).json(201);
            let id = session["id"].as_str().expect("an id").to_owned();
            let run = client.post(&format!("/api/v1/sessions/{id}/runs"), &json!({ "code": program(image, owner) }));
            sessions.push((id, image));
            run.json(201)
        } else {
            client.post("/api/v1/runs", &body).json(201)
        };
        assert_eq!(stdout(&run), "[]\n", "run {owner} in {image}");
        // Now and then the worker is idle for long enough to make an instance ahead.
        if owner % 4 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    }
    // The same program finds what another left where it is meant to be kept, in every place: it can fail.
    for (session, image) in sessions.iter().rev().take(9) {
        let path = format!("/api/v1/sessions/{session}/runs");
        let run = client.post(&path, &json!({ "code": program(image, 1000) })).json(201);
        let found = stdout(&run);
        assert!(found.contains("-owner"), "{image}: {run}");
        let places: &[&str] = match *image {
            "python" => {
                &["builtins", "descriptors", "environment", "files", "fresh memory", "globals", "modules", "objects"]
            }
            "rustpython" => &["builtins", "environment", "files", "globals", "modules"],
            _ => &[],
        };
        for place in places {
            assert!(found.contains(place), "{image}: nothing in {place}: {found}");
        }
    }
}
