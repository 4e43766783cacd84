//! The API of a real server, from an upload to the end of its process.

use std::time::{Duration, Instant};

use glovebox_tests::{Client, Server, ServerEvent};
use serde_json::{Value, json};

const NEVER: fn(&[ServerEvent]) -> bool = |_| false;

fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap_or_else(|| panic!("no id in {thing}"))
}

/// Asks for a run until it has this status.
fn wait_for(client: &Client, run: &str, status: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        let run = client.get(&format!("/api/v1/runs/{run}")).json(200);
        if status.iter().any(|status| run["status"] == *status) {
            return run;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "still {run}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_upload_is_sampled_run_on_and_its_artifacts_come_back() {
    let server = Server::start(&[]);
    let client = server.client();
    let file = client.upload_data("penguins.csv");
    let sample = client.get(&format!("/api/v1/files/{file}/sample")).json(200);
    assert_eq!((&sample["kind"], &sample["rows"]), (&json!("table"), &json!(344)));
    assert_eq!(sample["columns"].as_array().map(Vec::len), Some(8));
    let code = "import pandas as pd, matplotlib.pyplot as plt\n\
                df = pd.read_csv('penguins.csv')\nprint(len(df))\n\
                df.groupby('species').body_mass_g.mean().plot.bar()\nplt.savefig('chart.png')\nplt.close()\n\
                df.shape";
    let run = client.post("/api/v1/runs", &json!({ "code": code, "files": [file] })).json(201);
    assert_eq!((&run["status"], &run["outcome"]["ending"]), (&json!("done"), &json!({ "kind": "exited", "code": 0 })));
    assert_eq!(run["outcome"]["stdout"], "344\n");
    let shown = &run["outcome"]["displays"][0];
    assert_eq!((&shown["main"], &shown["data"]["text/plain"]), (&json!(true), &json!("(344, 8)")));

    let listed = client.get(&format!("/api/v1/runs/{}/artifacts", id(&run))).json(200);
    assert_eq!(listed["artifacts"], run["artifacts"]);
    let artifact = &run["artifacts"][0];
    assert_eq!((&artifact["path"], &artifact["media_type"]), (&json!("chart.png"), &json!("image/png")));
    let content = client.get(artifact["url"].as_str().expect("a url"));
    assert_eq!((content.status, content.body.len() as u64), (200, artifact["size"].as_u64().expect("a size")));
    assert!(content.body.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(content.header("content-type"), "image/png");
    assert_eq!(content.header("x-content-type-options"), "nosniff");
    let policy = content.header("content-security-policy");
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
}

#[test]
fn a_page_that_a_program_left_is_an_attachment_that_cannot_run() {
    let server = Server::start(&[]);
    let client = server.client();
    let run = client.run("open('page.html', 'w').write('<script>alert(1)</script>')");
    let content = client.get(run["artifacts"][0]["url"].as_str().expect("a url"));
    assert!(content.header("content-disposition").starts_with("attachment"));
    assert!(content.header("content-security-policy").contains("sandbox"));
}

#[test]
fn events_come_in_order_and_a_reader_that_comes_back_misses_nothing() {
    let server = Server::start(&[]);
    let client = server.client();
    let code = "import time\nfor n in range(6):\n    print('line', n, flush=True)\n    time.sleep(0.2)\n42";
    let run = client.post("/api/v1/runs", &json!({ "code": code, "wait": false })).json(202);
    let path = format!("/api/v1/runs/{}/events", id(&run));
    let mut events = client.events(&path, None, |events| events.len() >= 3);
    let seen = events.last().expect("some came").id;
    assert!(events.last().is_some_and(|event| event.kind != "done"), "{events:?}");
    events.extend(client.events(&path, Some(seen), NEVER));

    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    let first = ids[0];
    assert_eq!(ids, (first..first + ids.len() as u64).collect::<Vec<_>>(), "{events:?}");
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!((kinds[0], kinds[1], kinds[kinds.len() - 1]), ("accepted", "started", "done"), "{kinds:?}");
    assert!(kinds.contains(&"display"), "{kinds:?}");
    let printed: String = events
        .iter()
        .filter(|event| event.kind == "stdout")
        .map(|event| event.data["text"].as_str().expect("text"))
        .collect();
    assert_eq!(printed, (0..6).map(|n| format!("line {n}\n")).collect::<String>());
    assert_eq!(events.last().expect("some").data["run"]["outcome"]["stdout"], printed.as_str());

    let over = events.last().expect("some").id;
    let again = client
        .send("GET", &path, |request| request.header("accept", "text/event-stream").header("last-event-id", over));
    assert_eq!(again.status, 204, "{}", again.text());
    // Long after its end, the record tells the same.
    let later = client.events(&path, None, NEVER);
    assert_eq!(later.last().map(|event| event.kind.as_str()), Some("done"));
}

#[test]
fn a_run_that_nobody_waits_for_gets_done() {
    let server = Server::start(&[]);
    let client = server.client();
    let reply = client.post("/api/v1/runs", &json!({ "code": "print(1)", "wait": false }));
    let run = reply.json(202);
    assert_eq!(reply.header("location"), format!("/api/v1/runs/{}", id(&run)));
    assert_eq!(wait_for(&client, id(&run), &["done", "failed"])["outcome"]["stdout"], "1\n");
}

#[test]
fn a_cancelled_run_ends_at_once_and_says_so() {
    let server = Server::start(&[]);
    let client = server.client();
    let code = "import time\nprint('begun', flush=True)\ntime.sleep(50)";
    let run = client.post("/api/v1/runs", &json!({ "code": code, "wait": false })).json(202);
    client.events(&format!("/api/v1/runs/{}/events", id(&run)), None, |events| {
        events.iter().any(|event| event.kind == "stdout")
    });
    let began = Instant::now();
    assert_eq!(client.post(&format!("/api/v1/runs/{}/cancel", id(&run)), &json!({})).status, 202);
    let run = wait_for(&client, id(&run), &["done", "failed"]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((&run["status"], &run["outcome"]["ending"]["kind"]), (&json!("done"), &json!("cancelled")));
    assert_eq!(run["outcome"]["stdout"], "begun\n");
    // Cancelling once more changes nothing.
    assert_eq!(client.post(&format!("/api/v1/runs/{}/cancel", id(&run)), &json!({})).status, 202);
    assert_eq!(client.get(&format!("/api/v1/runs/{}", id(&run))).json(200), run);
}

#[test]
fn a_program_that_meets_a_limit_is_done_with_a_named_ending() {
    let server = Server::start(&[]);
    let client = server.client();
    for (code, policy, ending) in [
        ("while True: pass", "strict", "out_of_fuel"),
        ("1/0", "default", "raised"),
        ("import sys; sys.exit(3)", "default", "exited"),
        ("import time; time.sleep(20)", "strict", "out_of_time"),
    ] {
        let run = client.post("/api/v1/runs", &json!({ "code": code, "policy": policy })).json(201);
        assert_eq!((&run["status"], &run["outcome"]["ending"]["kind"]), (&json!("done"), &json!(ending)), "{run}");
    }
}

#[test]
fn runs_of_a_session_share_its_files_and_sessions_share_nothing() {
    let server = Server::start(&[]);
    let client = server.client();
    let (one, two) = (client.session(&[]), client.session(&[]));
    let run = |session: &str, code: &str| {
        client.post(&format!("/api/v1/sessions/{session}/runs"), &json!({ "code": code })).json(201)
    };
    run(&one, "open('notes.txt', 'w').write('of session one')");
    assert_eq!(run(&one, "print(open('notes.txt').read())")["outcome"]["stdout"], "of session one\n");
    assert_eq!(run(&two, "import os; print(os.listdir('.'))")["outcome"]["stdout"], "[]\n");
    assert_eq!(run(&two, "open('notes.txt')")["outcome"]["ending"]["exception"], "FileNotFoundError");

    let history = client.get(&format!("/api/v1/sessions/{one}/history")).json(200);
    let turns = history["turns"].as_array().expect("turns");
    assert_eq!(turns.len(), 2);
    assert!(turns.iter().all(|turn| turn["kind"] == "run" && turn["run"]["session_id"] == one.as_str()));
    assert_eq!(turns[1]["run"]["code"], "print(open('notes.txt').read())");

    let archive = client.get(&format!("/api/v1/sessions/{one}/archive"));
    assert_eq!((archive.status, archive.header("content-type")), (200, "application/zip"));
    assert!(archive.body.starts_with(b"PK\x03\x04"));
    assert!(archive.text().contains("notes.txt"));

    let deleted = client.send("DELETE", &format!("/api/v1/sessions/{one}"), |request| request);
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    for path in ["", "/history", "/artifacts", "/archive"] {
        client.get(&format!("/api/v1/sessions/{one}{path}")).problem(404, "not_found");
    }
    client.get(&format!("/api/v1/runs/{}", id(&turns[0]["run"]))).problem(404, "not_found");
    assert_eq!(client.get("/api/v1/sessions").json(200)["sessions"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_deleted_file_is_gone_from_sessions_too() {
    let server = Server::start(&[]);
    let client = server.client();
    let file = client.upload("a.txt", b"content");
    let session = client.session(&[&file]);
    let list = json!({ "code": "import os; print(os.listdir('.'))" });
    let runs = format!("/api/v1/sessions/{session}/runs");
    assert_eq!(client.post(&runs, &list).json(201)["outcome"]["stdout"], "['a.txt']\n");
    let path = format!("/api/v1/files/{file}");
    let content = client.get(&format!("{path}/content"));
    assert_eq!((content.body.as_slice(), content.status), (b"content".as_slice(), 200));
    assert!(content.header("content-disposition").starts_with("attachment"));
    let part = |range: &str| client.send("GET", &format!("{path}/content"), |request| request.header("range", range));
    let middle = part("bytes=1-3");
    assert_eq!((middle.body.as_slice(), middle.status), (b"ont".as_slice(), 206));
    assert_eq!(middle.header("content-range"), "bytes 1-3/7");
    assert!(middle.header("content-security-policy").starts_with("sandbox"));
    assert_eq!(part("bytes=7-").status, 416);
    assert_eq!(client.send("DELETE", &path, |request| request).status, 204);
    client.get(&path).problem(404, "not_found");
    client.get(&format!("{path}/content")).problem(404, "not_found");
    assert_eq!(client.post(&runs, &list).json(201)["outcome"]["stdout"], "[]\n");
}

#[test]
fn a_killed_server_has_lost_nothing_that_it_answered() {
    let server = Server::start(&[]);
    let client = server.client();
    let file = client.upload_data("penguins.csv");
    let session = client.session(&[&file]);
    let runs = format!("/api/v1/sessions/{session}/runs");
    let done = client.post(&runs, &json!({ "code": "open('kept.txt', 'w').write('kept')\nprint('one')" })).json(201);
    let sleeper =
        client.post("/api/v1/runs", &json!({ "code": "import time; time.sleep(50)", "wait": false })).json(202);
    wait_for(&client, id(&sleeper), &["running"]);

    let server = Server::start_in(server.kill(), &[]);
    let client = server.client();
    assert_eq!(client.get(&format!("/api/v1/runs/{}", id(&done))).json(200), done);
    assert_eq!(client.get(done["artifacts"][0]["url"].as_str().expect("a url")).text(), "kept");
    let kept = client.post(&runs, &json!({ "code": "import os; print(sorted(os.listdir('.')))" })).json(201);
    assert_eq!(kept["outcome"]["stdout"], "['kept.txt', 'penguins.csv']\n");
    // What was accepted to be done later is begun anew.
    wait_for(&client, id(&sleeper), &["running"]);
    client.post(&format!("/api/v1/runs/{}/cancel", id(&sleeper)), &json!({})).json(202);
    assert_eq!(wait_for(&client, id(&sleeper), &["done"])["outcome"]["ending"]["kind"], "cancelled");
}

/// The worker processes of a server that have used processor time.
fn workers(server: &Server) -> Vec<String> {
    let children = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs").flat_map(|task| {
        let children = std::fs::read_to_string(task.expect("listed").path().join("children")).unwrap_or_default();
        children.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    children.collect()
}

#[test]
fn a_killed_worker_fails_its_run_and_the_next_one_works() {
    let server = Server::start(&[("GLOVEBOX_WORKERS", "1")]);
    let client = server.client();
    let code = "import time\nprint('begun', flush=True)\ntime.sleep(50)";
    let run = client.post("/api/v1/runs", &json!({ "code": code, "wait": false })).json(202);
    client.events(&format!("/api/v1/runs/{}/events", id(&run)), None, |events| {
        events.iter().any(|event| event.kind == "stdout")
    });
    let killed = workers(&server);
    assert!(!killed.is_empty());
    for pid in killed {
        let status = std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill is here");
        assert!(status.success());
    }
    let run = wait_for(&client, id(&run), &["done", "failed"]);
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("infrastructure")), "{run}");
    assert!(run["error"]["detail"].as_str().is_some_and(|detail| detail.contains("try again")), "{run}");
    for _ in 0..3 {
        assert_eq!(client.run("print('alive')")["outcome"]["stdout"], "alive\n");
    }
}

#[test]
fn eight_clients_at_once_each_get_their_own_result() {
    let server = Server::start(&[]);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let client = server.client();
            scope.spawn(move || {
                for round in 0..4 {
                    let code = format!("open('n', 'w').write('x')\nprint({number} * 1000 + {round})");
                    let run = client.run(&code);
                    assert_eq!(run["outcome"]["stdout"], format!("{}\n", number * 1000 + round));
                }
            });
        }
    });
}

#[test]
fn every_mistake_gets_its_status_its_code_and_a_request_id() {
    let server = Server::start(&[]);
    let client = server.client();
    for path in ["files/file_x", "runs/run_x", "sessions/ses_x", "asks/ask_x", "artifacts/art_x", "runs/..%2f..%2fetc"]
    {
        client.get(&format!("/api/v1/{path}")).problem(404, "not_found");
    }
    client.get("/api/v1/nothing").problem(404, "not_found");
    client.send("PUT", "/api/v1/runs", |request| request).problem(405, "method_not_allowed");
    let run = |body: Value| client.post("/api/v1/runs", &body);
    let detail = run(json!({ "code": "1", "image": "pyton" })).problem(422, "unknown_image");
    assert!(detail.contains("python") && detail.contains("rustpython"), "{detail}");
    let detail = run(json!({ "code": "1", "policy": "lax" })).problem(422, "unknown_policy");
    assert!(detail.contains("strict"), "{detail}");
    let detail = run(json!({ "code": "1", "imag": "python" })).problem(422, "invalid_request");
    assert!(detail.contains("imag"), "{detail}");
    run(json!({})).problem(422, "invalid_request");
    run(json!({ "code": 5 })).problem(422, "invalid_request");
    run(json!({ "code": "1", "files": ["file_x"] })).problem(404, "not_found");
    let with = |kind: &'static str, body: &'static str| {
        client.send("POST", "/api/v1/runs", move |request| request.header("content-type", kind).body(body))
    };
    with("application/json", "{\"code\"").problem(400, "invalid_json");
    with("text/plain", "print(1)").problem(415, "unsupported_media_type");
    run(json!({ "code": "x".repeat(5 << 20) })).problem(413, "body_too_large");
    let session = client.session(&[]);
    let asks = format!("/api/v1/sessions/{session}/asks");
    let detail = client.post(&asks, &json!({ "question": "what?", "model": "gpt-9" })).problem(422, "unknown_model");
    assert!(detail.contains("builtin"), "{detail}");
    client.post(&asks, &json!({ "question": "x".repeat(30_000) })).problem(422, "invalid_request");
    client.post(&asks, &json!({ "question": "  " })).problem(422, "invalid_request");
}

#[test]
fn pages_of_other_sites_change_nothing_and_other_names_see_nothing() {
    let server = Server::start(&[]);
    let client = server.client();
    let with = |name: &'static str, value: &str| {
        let value = value.to_owned();
        client.send("POST", "/api/v1/runs", move |request| request.header(name, value).json(&json!({ "code": "1" })))
    };
    with("origin", "https://evil.example").problem(403, "forbidden_origin");
    with("origin", "null").problem(403, "forbidden_origin");
    with("sec-fetch-site", "cross-site").problem(403, "forbidden_origin");
    with("origin", &server.url).json(201);
    with("host", "evil.example").problem(403, "forbidden_host");
    let read = client.send("GET", "/api/v1/files", |request| request.header("host", "evil.example"));
    read.problem(403, "forbidden_host");
}

#[test]
fn a_server_tells_how_it_is_and_what_it_offers() {
    let server = Server::start(&[]);
    let client = server.client();
    assert_eq!(client.get("/healthz").status, 200);
    assert_eq!(client.get("/readyz").json(200)["status"], "ready");
    client.run("1");
    let metrics = client.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().lines().any(|line| line.starts_with("glovebox_")), "{}", metrics.text());
    let docs = client.get("/docs");
    assert_eq!((docs.status, docs.header("content-type")), (200, "text/html; charset=utf-8"));
    let description = client.get("/openapi.json").json(200);
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    for line in include_str!("../../docs/wire.md").lines().filter(|line| line.starts_with("| `")) {
        let Some(call) = line.split('`').nth(1) else { continue };
        let Some((method, path)) = call.split_once(' ') else { continue };
        if !path.starts_with('/') {
            continue;
        }
        let path = path.split('?').next().unwrap_or_default();
        let operation = &description["paths"][format!("/api/v1{path}")][method.to_lowercase()];
        assert!(operation.is_object(), "{call} is not described");
    }
    let names = |path: &str, of: &str| {
        let list = client.get(path).json(200)[of].clone();
        list.as_array().expect("a list").iter().map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("/api/v1/policies", "policies"), ["default", "generous", "strict"]);
    assert_eq!(names("/api/v1/images", "images"), ["javascript", "python", "rustpython"]);
    assert_eq!(names("/api/v1/models", "models"), ["builtin"]);
}
