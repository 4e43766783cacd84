//! A session of the runtime library: what it keeps, what it shares, and what becomes of it when something goes wrong.

use std::path::{Path, PathBuf};

use glovebox_runtime::{Ending, Image, Job, Mode, Outcome, RunError, Session};
use glovebox_tests::{image, job};

/// Directories of one session and of its forks.
struct Place {
    dir: tempfile::TempDir,
    image: &'static str,
}

impl Place {
    fn new(image: &'static str) -> Place {
        Place { dir: tempfile::tempdir().expect("a directory"), image }
    }

    fn sub(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        path
    }

    fn job(&self, source: &str) -> Job {
        job(self.image, source, &self.sub("data"))
    }

    fn layer(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("{number}.layer"))
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts").block_on(work)
}

async fn open(image: &Image, place: &Place) -> Session {
    Session::open(image, &place.job(""), &place.sub("tmp")).await.expect("opened")
}

async fn take(session: &mut Session, job: &Job) -> Outcome {
    session.turn(job, &mut |_| {}, &Default::default()).await.expect("our side works")
}

/// Takes a turn that must go well and gives what it printed.
async fn says(session: &mut Session, place: &Place, source: &str) -> String {
    let outcome = take(session, &place.job(source)).await;
    assert!(outcome.ending.is_success(), "{source}: {:?} {}", outcome.ending, outcome.stderr);
    outcome.stdout
}

async fn wake(image: &Image, place: &Place, layers: &[PathBuf]) -> Result<Session, RunError> {
    Session::wake(image, &place.job(""), &place.sub("tmp"), layers).await
}

#[test]
fn a_fork_has_everything_of_its_parent_and_shares_no_change() {
    for (name, set, change, look) in [
        ("python", "x = [1]; import json", "x.append(2)", "print(x, json.dumps(1))"),
        ("rustpython", "x = [1]; import json", "x.append(2)", "print(x, json.dumps(1))"),
        ("javascript", "let x = [1]; const json = JSON", "x.push(2)", "console.log(JSON.stringify(x))"),
    ] {
        let (place, image) = (Place::new(name), image(name));
        block(async {
            let mut parent = open(&image, &place).await;
            says(&mut parent, &place, set).await;
            parent.save(&place.layer(0)).expect("saved");
            let mut children = Vec::new();
            for _ in 0..3 {
                children.push(parent.fork(&image, &place.job(""), &place.sub("tmp")).await.expect("forked"));
            }
            let before = says(&mut parent, &place, look).await;
            says(&mut children[0], &place, change).await;
            let after = says(&mut children[0], &place, look).await;
            assert_ne!(before, after, "{name}");
            says(&mut parent, &place, change).await;
            for child in &mut children[1..] {
                assert_eq!(says(child, &place, look).await, before, "{name}");
            }
            assert_eq!(says(&mut parent, &place, look).await, after, "{name}");
        });
    }
}

#[test]
fn a_session_is_the_same_after_many_saves_growth_and_memory_that_became_zeros() {
    let (place, image) = (Place::new("python"), image("python"));
    block(async {
        let mut session = open(&image, &place).await;
        says(&mut session, &place, "import numpy as np, hashlib; big = np.arange(3_000_000); keep = {}").await;
        let mut lengths = Vec::new();
        for number in 0..40 {
            let source = "n = len(keep); big[n * 70_000:(n + 1) * 70_000] = 0 if n % 3 else n; keep[n] = str(n) * 50";
            says(&mut session, &place, source).await;
            session.save(&place.layer(number)).expect("saved");
            lengths.push(session.layers().len());
        }
        assert!(lengths.windows(2).any(|pair| pair[1] == 1), "never started anew: {lengths:?}");
        assert!(lengths.iter().any(|&length| length > 8), "{lengths:?}");
        let look = "print(hashlib.sha256(big.tobytes()).hexdigest(), len(keep), keep[17])";
        let here = says(&mut session, &place, look).await;
        for compressed in [false, true] {
            let mut woken = wake(&image, &place, &session.layers()).await.expect("woken");
            assert_eq!(says(&mut woken, &place, look).await, here, "compressed: {compressed}");
            for layer in session.layers() {
                glovebox_runtime::compress_layer(&layer).expect("compressed");
            }
        }
    });
}

#[test]
fn open_files_go_on_where_they_were_and_a_lost_one_is_named() {
    let (place, image) = (Place::new("python"), image("python"));
    block(async {
        let mut session = open(&image, &place).await;
        let source = "
import os, stat
open('in.txt', 'w').write('one\\ntwo\\nthree\\n')
reader = open('in.txt'); first = reader.readline()
log = open('log.txt', 'a'); log.write('a\\n'); log.flush()
directory = os.open('.', os.O_RDONLY | os.O_DIRECTORY)
gone = open('/tmp/gone.txt', 'w+'); gone.write('x'); gone.flush(); os.remove('/tmp/gone.txt')
moved = open('old.txt', 'w+'); moved.write('moved'); moved.flush(); os.rename('old.txt', 'new.txt'); open('old.txt', 'w').write('other')
replaced = open('r.txt', 'w+'); replaced.write('mine'); replaced.flush(); os.remove('r.txt'); open('r.txt', 'w').write('theirs')
raw = os.open('raw.bin', os.O_RDWR | os.O_CREAT); os.write(raw, b'0123456789'); os.lseek(raw, 4, 0)";
        says(&mut session, &place, source).await;
        session.save(&place.layer(0)).expect("saved");
        drop(session);
        let mut woken = wake(&image, &place, &[place.layer(0)]).await.expect("woken");
        let source = "
log.write('b\\n'); log.flush()
print(os.read(raw, 2), open('log.txt').read().split(), stat.S_ISDIR(os.fstat(directory).st_mode), reader.read().split())
moved.seek(0); print(moved.read(), open('r.txt').read())
for file in (gone, replaced):
    try: file.write('y'); file.flush()
    except OSError as error: print('lost', open('r.txt').read())";
        let outcome = take(&mut woken, &place.job(source)).await;
        assert_eq!(
            outcome.stdout, "b'45' ['a', 'b'] True ['two', 'three']\nmoved theirs\nlost theirs\nlost theirs\n",
            "{}",
            outcome.stderr
        );
        assert!(
            outcome.stderr.contains("/tmp/gone.txt") && outcome.warnings[0].contains("/tmp/gone.txt"),
            "{outcome:?}"
        );
    });
}

#[test]
fn the_monotonic_clock_never_goes_back_and_each_turn_has_its_own_input() {
    let (place, image) = (Place::new("python"), image("python"));
    block(async {
        let mut session = open(&image, &place).await;
        says(&mut session, &place, "import time, sys; time.sleep(0.05); t = time.monotonic()").await;
        session.save(&place.layer(0)).expect("saved");
        let mut woken = wake(&image, &place, &[place.layer(0)]).await.expect("woken");
        for session in [&mut woken, &mut session] {
            assert_eq!(says(session, &place, "print(time.monotonic() >= t)").await, "True\n");
            for input in ["first\n", "second\n"] {
                let mut job = place.job("print(sys.stdin.readline(), end='')");
                job.program.stdin = input.into();
                assert_eq!(take(session, &job).await.stdout, input);
            }
        }
    });
}

#[test]
fn a_turn_that_is_stopped_leaves_no_session_but_its_layers_are_as_good_as_before() {
    let (place, image) = (Place::new("python"), image("python"));
    block(async {
        let mut session = open(&image, &place).await;
        says(&mut session, &place, "x = 'kept'").await;
        session.save(&place.layer(0)).expect("saved");
        let spin = "x = 'lost'\nwhile True: pass";
        for source in [spin, "x = 'lost'\nimport os\nos._exit(3)", "x = 'lost'\nimport os\nos.abort()"] {
            for clock in [false, true] {
                let mut woken = wake(&image, &place, &[place.layer(0)]).await.expect("woken");
                let mut job = place.job(source);
                job.limits.fuel = if clock { 1 << 50 } else { 500_000_000 };
                job.limits.wall_time_ms = 300;
                let outcome = take(&mut woken, &job).await;
                assert!(!woken.is_intact(), "{source}: {:?}", outcome.ending);
                assert!(woken.save(&place.layer(9)).is_err() && !place.layer(9).exists());
                if source == spin {
                    assert_eq!(matches!(outcome.ending, Ending::OutOfTime { .. }), clock, "{:?}", outcome.ending);
                }
            }
        }
        // What the program itself can end keeps the session.
        for (source, ending) in
            [("1 / 0", "raised"), ("import sys; sys.exit(3)", "exited"), ("b = bytearray(4 << 30)", "raised")]
        {
            let outcome = take(&mut session, &place.job(source)).await;
            assert_eq!(outcome.ending.name(), ending, "{outcome:?}");
        }
        let mut job = place.job("import numpy as np\nl = []\nwhile True: l.append(np.ones(1 << 20))");
        job.limits.memory_mib = 256;
        assert_eq!(take(&mut session, &job).await.ending, Ending::OutOfMemory);
        assert_eq!(says(&mut session, &place, "l = None; print(x)").await, "kept\n");
        let mut woken = wake(&image, &place, &[place.layer(0)]).await.expect("woken");
        assert_eq!(says(&mut woken, &place, "print(x)").await, "kept\n");
    });
}

#[test]
fn limits_hold_over_all_turns_of_a_session() {
    let (place, image) = (Place::new("python"), image("python"));
    block(async {
        let mut session = open(&image, &place).await;
        let mut job = place.job("n = globals().get('n', 0) + 1; open(f'/tmp/{n}', 'wb').write(bytes(1 << 20))");
        job.limits.workspace_mib = 3;
        let endings = [0; 4].map(|_| ());
        let mut names = Vec::new();
        for () in endings {
            names.push(take(&mut session, &job).await.ending.name());
        }
        assert_eq!(names, ["exited", "exited", "exited", "out_of_disk"]);
        let mut job = place.job("files = globals().get('files', []) + [open('/tmp/1') for _ in range(8)]");
        job.limits.open_handles = 20;
        let mut names = Vec::new();
        for () in endings {
            names.push(take(&mut session, &job).await.ending.name());
        }
        assert_eq!(names, ["exited", "exited", "raised", "raised"]);
        let mut job = place.job("print('x' * 2000)");
        job.limits.output_kib = 1;
        for () in endings {
            let outcome = take(&mut session, &job).await;
            assert!(outcome.output_truncated && outcome.stdout.matches('x').count() == 1024);
        }
    });
}

#[test]
fn a_deterministic_session_goes_the_same_way_from_every_checkpoint() {
    let turns = [
        "import random, numpy as np, time; a = random.random(); print(a, np.random.rand(), time.time())",
        "import uuid, os; print(random.random(), uuid.uuid4(), os.urandom(3), time.monotonic())",
        "import pandas as pd; df = pd.DataFrame({'v': np.random.rand(3)}); df.to_csv('out.csv'); df",
        "print(random.random(), {'a', 'b', 'c'}, time.time())",
    ];
    let image = image("python");
    let all = |from: Option<usize>, place: &Place| {
        block(async {
            let mut session = open(&image, place).await;
            let mut outcomes = Vec::new();
            for (number, source) in turns.iter().enumerate() {
                if from == Some(number) {
                    let layers = session.layers();
                    session = wake(&image, place, &layers).await.expect("woken");
                }
                let mut job = place.job(source);
                job.mode = Mode::Deterministic;
                outcomes.push(take(&mut session, &job).await);
                session.save(&place.layer(number)).expect("saved");
            }
            outcomes
        })
    };
    let first = all(None, &Place::new("python"));
    assert!(first.iter().all(|outcome| outcome.ending.is_success()), "{first:?}");
    for from in [None, Some(1), Some(2), Some(3)] {
        assert_eq!(all(from, &Place::new("python")), first, "woken before turn {from:?}");
    }
}

#[test]
fn a_layer_that_cannot_be_used_is_named_and_a_failed_save_costs_nothing() {
    let (place, image) = (Place::new("python"), image("python"));
    block(async {
        let mut session = open(&image, &place).await;
        says(&mut session, &place, "x = 1").await;
        assert!(session.save(Path::new("/nowhere/at/all.layer")).is_err());
        assert_eq!(says(&mut session, &place, "print(x)").await, "1\n");
        for number in 0..2 {
            session.save(&place.layer(number)).expect("saved");
            says(&mut session, &place, "x += 1").await;
        }
        let (first, second) = (place.layer(0), place.layer(1));
        let good = std::fs::read(&second).expect("read");
        let mut flipped = good.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        let mut newer = good.clone();
        newer[16] = 7;
        let half = good[..good.len() / 2].to_vec();
        for (content, word) in [
            (flipped, "checksum"),
            (newer, "version 7"),
            (half, "damaged"),
            (Vec::new(), "short"),
            (b"PK\x03\x04".repeat(50), "not a layer"),
        ] {
            std::fs::write(&second, content).expect("write");
            let error =
                wake(&image, &place, &[first.clone(), second.clone()]).await.err().expect("refused").to_string();
            assert!(error.contains("1.layer") && error.contains(word), "{error}");
        }
        std::fs::remove_file(&second).expect("removed");
        let missing = wake(&image, &place, &[first.clone(), second.clone()]).await.err().expect("refused");
        assert!(missing.to_string().contains("1.layer"), "{missing}");
        std::fs::write(&second, &good).expect("write");
        assert!(wake(&image, &place, std::slice::from_ref(&second)).await.is_err(), "without the layer below");
        let other = glovebox_tests::image("rustpython");
        let error = wake(&other, &place, &[first.clone(), second.clone()]).await.err().expect("refused").to_string();
        assert!(error.contains("another version of the image"), "{error}");
        let layers = [first, second];
        let both = [wake(&image, &place, &layers).await, wake(&image, &place, &layers).await];
        for woken in both {
            assert_eq!(says(&mut woken.expect("woken"), &place, "print(x)").await, "2\n");
        }
    });
}
