//! Accepted work: kept through kills of the server, done once, and known again by its key.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glovebox_tests::{Client, Reply, Server, command};
use serde_json::{Value, json};

fn keyed(client: &Client, path: &str, key: &str, body: &Value) -> Reply {
    client.send("POST", path, |request| request.header("idempotency-key", key).json(body))
}

fn id(run: &Value) -> String {
    run["id"].as_str().expect("an id").to_owned()
}

/// Waits until a run is over.
fn end(client: &Client, run: &str) -> Value {
    let began = Instant::now();
    loop {
        let run = client.get(&format!("/api/v1/runs/{run}")).json(200);
        if run["status"] == "done" || run["status"] == "failed" {
            return run;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "still {run}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kills() -> u64 {
    std::env::var("GLOVEBOX_TEST_KILLS").map_or(12, |kills| kills.parse().expect("a number"))
}

/// What callers were told, by number of the program that they sent.
#[derive(Default)]
struct Told {
    /// 201: the whole record.
    done: BTreeMap<u64, Value>,
    /// 202: the id.
    accepted: BTreeMap<u64, String>,
}

fn program(number: u64) -> String {
    format!("open('n.txt', 'w').write('{number}' * 3000)\nsum(range(200000))\nprint({number})")
}

/// Sends programs until it is told to stop: some are waited for, some are only accepted, all with a key of their own.
fn load(client: &Client, told: &Mutex<Told>, stop: &AtomicBool, first: u64) {
    let mut number = first;
    while !stop.load(Ordering::Relaxed) {
        let wait = (number / 2).is_multiple_of(2);
        let body = json!({ "code": program(number), "wait": wait });
        let key = format!("number {number}");
        let reply =
            client.try_send("POST", "/api/v1/runs", |request| request.header("idempotency-key", &key).json(&body));
        match reply {
            Some(reply) if reply.status == 201 => {
                told.lock().expect("whole").done.insert(number, reply.json(201));
            }
            Some(reply) if reply.status == 202 => {
                told.lock().expect("whole").accepted.insert(number, id(&reply.json(202)));
            }
            // Stopped, or full: nothing was promised.
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
        number += 2;
    }
}

#[test]
fn a_server_killed_again_and_again_under_load_loses_nothing_that_it_accepted() {
    let told = Arc::new(Mutex::new(Told::default()));
    let mut data = None;
    let (kills, mut longest) = (kills(), Duration::ZERO);
    for round in 0..kills {
        let began = Instant::now();
        let server = match data.take() {
            None => Server::start(&[]),
            Some(data) => Server::start_in(data, &[]),
        };
        assert_eq!(server.client().get("/healthz").status, 200);
        longest = longest.max(began.elapsed());
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..2)
            .map(|caller| {
                let (told, stop, client) = (Arc::clone(&told), Arc::clone(&stop), server.client());
                std::thread::spawn(move || load(&client, &told, &stop, round * 100_000 + caller))
            })
            .collect();
        // Spread over what a run takes and over what several take.
        std::thread::sleep(Duration::from_millis(100 + (round * 7919) % 700));
        // On a machine that is busy otherwise, a server may not have answered anything yet.
        let told_by_now = || {
            let told = told.lock().expect("whole");
            told.done.len() + told.accepted.len()
        };
        while told_by_now() <= round as usize && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        data = Some(server.kill());
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.join().expect("no answer was wrong");
        }
    }
    let server = Server::start_in(data.expect("killed at least once"), &[]);
    let client = server.client();
    let told = told.lock().expect("whole");
    assert!(told.done.len() + told.accepted.len() > 10, "there was no load");
    for (number, run) in &told.done {
        assert_eq!(&client.get(&format!("/api/v1/runs/{}", id(run))).json(200), run, "{number}");
    }
    for (number, run) in &told.accepted {
        let run = end(&client, run);
        // A run that was cut off more often than servers may take it says so.
        if run["status"] == "failed" {
            assert_eq!(run["error"]["code"], "interrupted", "{run}");
            continue;
        }
        assert_eq!(run["outcome"]["stdout"], format!("{number}\n"), "{run}");
        let artifacts = run["artifacts"].as_array().expect("a list");
        assert_eq!(artifacts.len(), 1, "{run}");
        let content = client.get(artifacts[0]["url"].as_str().expect("a url")).text();
        assert_eq!(content, number.to_string().repeat(3000));
        // The same request again is the same run.
        let body = json!({ "code": program(*number), "wait": false });
        let again = keyed(&client, "/api/v1/runs", &format!("number {number}"), &body);
        assert_eq!(again.json(202), run);
    }
    // A backup looks at the whole database and at the hash of every content.
    let place = tempfile::tempdir().expect("a directory");
    let backup =
        command().arg("backup").arg(place.path().join("all")).arg("--data-dir").arg(server.data.path()).output();
    let backup = backup.expect("it starts");
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    println!(
        "{kills} kills: {} results and {} promises kept; a start took {longest:?} at most",
        told.done.len(),
        told.accepted.len()
    );
}

#[test]
fn a_request_that_is_sent_a_hundred_times_is_done_once() {
    let server = Server::start(&[]);
    let body = json!({ "code": "print(open('/dev/urandom', 'rb').read(8).hex())", "wait": false });
    let ids: Vec<String> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (client, body) = (server.client(), &body);
                scope.spawn(move || id(&keyed(&client, "/api/v1/runs", "the key", body).json(202)))
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("answered")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let client = server.client();
    let run = end(&client, &ids[0]);
    let server = Server::start_in(server.kill(), &[]);
    let client = server.client();
    let again = keyed(&client, "/api/v1/runs", "the key", &body);
    assert_eq!((again.header("idempotency-replayed"), again.json(202)), ("true", run.clone()));
    // A caller who wants to wait sent another request.
    let other = json!({ "code": "print(2)", "wait": false });
    keyed(&client, "/api/v1/runs", "the key", &other).problem(422, "idempotency_key_reused");
    let session = client.session(&[]);
    keyed(&client, &format!("/api/v1/sessions/{session}/runs"), "the key", &body)
        .problem(422, "idempotency_key_reused");
    for wrong in ["", &"k".repeat(256)] {
        keyed(&client, "/api/v1/runs", wrong, &body).problem(422, "invalid_request");
    }
    // While the first goes on, the second is told so; when it is over, both have the same result.
    let slow = json!({ "code": "import time; time.sleep(1.5); print('slow')" });
    std::thread::scope(|scope| {
        let first = scope.spawn(|| keyed(&server.client(), "/api/v1/runs", "slow", &slow).json(201));
        std::thread::sleep(Duration::from_millis(500));
        let refusal = keyed(&client, "/api/v1/runs", "slow", &slow);
        assert!(refusal.problem(409, "conflict").contains("under way"));
        assert_eq!(refusal.header("retry-after"), "1");
        let first = first.join().expect("answered");
        assert_eq!(keyed(&client, "/api/v1/runs", "slow", &slow).json(201), first);
    });
    // A turn of a session and a question are done once, too.
    let turn = json!({ "code": "n = globals().get('n', 0) + 1; print(n)" });
    let path = format!("/api/v1/sessions/{session}/runs");
    let first = keyed(&client, &path, "turn", &turn).json(201);
    assert_eq!(keyed(&client, &path, "turn", &turn).json(201), first);
    assert_eq!(client.post(&path, &turn).json(201)["outcome"]["stdout"], "2\n");
}

#[test]
fn a_server_that_is_told_to_stop_leaves_what_it_did_not_begin_to_the_next() {
    let settings = [("GLOVEBOX_WORKERS", "1"), ("GLOVEBOX_SHUTDOWN_GRACE_S", "1")];
    let server = Server::start(&settings);
    let client = server.client();
    let post = |code: &str| id(&client.post("/api/v1/runs", &json!({ "code": code, "wait": false })).json(202));
    let runs: Vec<_> =
        (0..4).map(|number| (number, post(&format!("import time; time.sleep(0.8); print({number})")))).collect();
    let began = Instant::now();
    let data = server.kill_softly();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let server = Server::start_in(data, &settings);
    let client = server.client();
    for (number, run) in &runs {
        let run = end(&client, run);
        assert_eq!(run["outcome"]["stdout"], format!("{number}\n"), "{run}");
    }
}

#[test]
fn a_program_that_ends_its_server_each_time_is_given_up() {
    let server = Server::start(&[("GLOVEBOX_WORKERS", "1")]);
    let slow = json!({ "code": "import time; time.sleep(50)", "wait": false });
    let run = id(&server.client().post("/api/v1/runs", &slow).json(202));
    let mut data = server.kill();
    for _ in 0..3 {
        let server = Server::start_in(data, &[]);
        let status = server.client().get(&format!("/api/v1/runs/{run}")).json(200)["status"].clone();
        assert!(status == "queued" || status == "running", "{status}");
        data = server.kill();
    }
    let server = Server::start_in(data, &[]);
    let given_up = server.client().get(&format!("/api/v1/runs/{run}")).json(200);
    assert_eq!((&given_up["status"], &given_up["error"]["code"]), (&json!("failed"), &json!("interrupted")));
}
