//! Evaluations, batches and other products' doors over the API of a real server.

use std::time::{Duration, Instant};

use glovebox_tests::{Client, Server, command, here};
use serde_json::{Value, json};

/// What `glovebox eval` writes for our own problems.
fn by_command(limit: usize) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let (problems, completions) = (here().join("data/humaneval-shaped.jsonl"), dir.path().join("completions.jsonl"));
    std::fs::write(&completions, completions_text(limit)).expect("written");
    let mut judging = command();
    judging.args(["eval", "--deterministic", "--timeout-s", "1", "-o", "verdicts.jsonl", "--problems"]).arg(problems);
    let output = judging.arg("--completions").arg(completions).current_dir(dir.path()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(dir.path().join("verdicts.jsonl")).expect("readable")
}

/// Our own completions, again and again.
fn completions_text(count: usize) -> String {
    let text = std::fs::read_to_string(here().join("data/humaneval-completions.jsonl")).expect("readable");
    let lines: Vec<_> = text.lines().collect();
    lines.iter().cycle().take(count).map(|line| format!("{line}\n")).collect()
}

fn begin(client: &Client, count: usize) -> String {
    let problems = client.upload_data("humaneval-shaped.jsonl");
    let completions = client.upload("completions.jsonl", completions_text(count).as_bytes());
    let body = json!({ "problems": problems, "completions": completions, "deterministic": true, "timeout_s": 1 });
    let eval = client.post("/api/v1/evals", &body).json(202);
    eval["id"].as_str().expect("an id").to_owned()
}

/// Looks at an evaluation until it is as wanted.
fn wait_for(client: &Client, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let eval = client.get(&format!("/api/v1/evals/{id}")).json(200);
        if wanted(&eval) {
            return eval;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "still {eval}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn verdicts(client: &Client, id: &str) -> Vec<u8> {
    client.get(&format!("/api/v1/evals/{id}/verdicts")).body
}

#[test]
fn an_evaluation_streams_the_verdicts_that_the_command_writes() {
    let server = Server::start(&[]);
    let client = server.client();
    let id = begin(&client, 57);
    let path = format!("/api/v1/evals/{id}/events");
    let events = client.events(&path, None, |_| false);
    let (last, told) = events.split_last().expect("events");
    assert_eq!((last.kind.as_str(), last.data["eval"]["status"].as_str()), ("done", Some("done")), "{last:?}");
    assert!(told.iter().enumerate().all(|(n, event)| event.kind == "verdict" && event.id == n as u64 + 1));
    let wanted = by_command(57);
    let text = String::from_utf8(wanted.clone()).expect("text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told.iter().map(|event| event.data.clone()).collect::<Vec<_>>(), lines);
    assert_eq!(verdicts(&client, &id), wanted, "byte for byte");
    let rest = client.events(&path, Some(50), |_| false);
    assert_eq!(rest, events[50..], "a reader that comes back misses nothing");
    let eval = client.get(&format!("/api/v1/evals/{id}")).json(200);
    assert_eq!((&eval["judged"], &eval["total"], &eval["bad_lines"]), (&json!(57), &json!(57), &json!(0)));
    assert_eq!(eval["summary"]["verdicts"]["passed"], 32);
    assert_eq!(client.get("/api/v1/evals").json(200)["evals"][0]["id"], json!(id));
    assert_eq!(client.send("DELETE", &format!("/api/v1/evals/{id}"), |request| request).status, 204);
    client.get(&format!("/api/v1/evals/{id}")).problem(404, "not_found");
}

#[test]
fn an_evaluation_goes_on_after_a_cancellation_and_after_a_kill_of_the_server() {
    let server = Server::start(&[]);
    let client = server.client();
    let id = begin(&client, 171);
    wait_for(&client, &id, |eval| eval["judged"].as_u64() > Some(10));
    let cancelled = client.post(&format!("/api/v1/evals/{id}/cancel"), &json!({})).json(202);
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["judged"].as_u64() < Some(171), "{cancelled}");
    client.post(&format!("/api/v1/evals/{id}/resume"), &json!({})).json(202);
    client.post(&format!("/api/v1/evals/{id}/resume"), &json!({})).problem(409, "conflict");
    let before = cancelled["judged"].as_u64().expect("a number");
    wait_for(&client, &id, |eval| eval["judged"].as_u64() > Some(before + 10));
    let data = server.kill();
    let server = Server::start_in(data, &[]);
    let client = server.client();
    let found = wait_for(&client, &id, |_| true);
    assert_eq!(found["status"], "interrupted", "{found}");
    client.post(&format!("/api/v1/evals/{id}/resume"), &json!({})).json(202);
    wait_for(&client, &id, |eval| eval["status"] == "done");
    assert_eq!(verdicts(&client, &id), by_command(171), "as if nothing had happened");
    client.post(&format!("/api/v1/evals/{id}/resume"), &json!({})).problem(409, "conflict");
}

#[test]
fn what_cannot_be_judged_is_said() {
    let server = Server::start(&[]);
    let client = server.client();
    let problem = json!({ "id": "a", "tests": "from solution import f\nassert f(2) == 4" });
    let good = json!({ "id": "a", "code": "def f(x):\n    return x * x" });
    let body = json!({ "problems": [problem, problem, 7], "completions": [good, { "id": "b", "code": "" }, {}], "wait": true });
    let eval = client.post("/api/v1/evals", &body).json(201);
    assert_eq!(
        (&eval["status"], &eval["judged"], &eval["bad_lines"]),
        (&json!("done"), &json!(1), &json!(4)),
        "{eval}"
    );
    let bad = eval["bad"].to_string();
    assert!(bad.contains("problems, line 2") && bad.contains("completions, line 3"), "{bad}");
    assert_eq!(eval["summary"]["verdicts"], json!({ "passed": 1 }));
    for (change, code) in [
        (json!({ "problems": "file_none" }), (404, "not_found")),
        (json!({ "problems": 1 }), (422, "invalid_request")),
        (json!({ "image": "cobol" }), (422, "unknown_image")),
        (json!({ "policy": "none" }), (422, "unknown_policy")),
        (json!({ "fuel": 1, "timeout_s": 1 }), (422, "invalid_request")),
        (json!({ "timeout_s": -1 }), (422, "invalid_request")),
        (json!({ "memory_mib": 1_000_000 }), (422, "invalid_request")),
        (json!({ "pass_at": [0] }), (422, "invalid_request")),
        (json!({ "typo": 1 }), (422, "invalid_request")),
    ] {
        let mut body = json!({ "problems": [problem], "completions": [good] });
        body.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        client.post("/api/v1/evals", &body).problem(code.0, code.1);
    }
    client.get("/api/v1/evals/eval_none").problem(404, "not_found");
    client.get("/api/v1/evals/eval_none/verdicts").problem(404, "not_found");
    client.get("/api/v1/evals/..%2f..%2fglovebox.db/verdicts").problem(404, "not_found");
}

#[test]
fn a_batch_gives_each_program_its_own_result_in_order() {
    let server = Server::start(&[]);
    let client = server.client();
    let requests: Vec<_> =
        (0..40).map(|n| json!({ "custom_id": format!("p{n}"), "code": format!("print({n})") })).collect();
    let mut requests = requests;
    requests[7] = json!({ "custom_id": "bad", "code": 7 });
    requests[8] = json!({ "custom_id": "raises", "code": "1/0" });
    requests[9] = json!({ "custom_id": "unknown", "code": "1", "image": "cobol" });
    let batch = client.post("/api/v1/batches", &json!({ "requests": requests })).json(200);
    let results = batch["results"].as_array().expect("a list");
    assert_eq!(results.len(), 40);
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result["index"], n);
        match n {
            7 => assert_eq!(result["error"]["code"], "invalid_request"),
            8 => assert_eq!(result["run"]["outcome"]["ending"]["kind"], "raised"),
            9 => assert_eq!(result["error"]["code"], "unknown_image"),
            _ => {
                assert_eq!(result["run"]["outcome"]["stdout"], format!("{n}\n"));
                assert_eq!(result["custom_id"], format!("p{n}"));
            }
        }
    }
    let streamed = client.send("POST", "/api/v1/batches", |request| {
        request.header("accept", "application/x-ndjson").json(&json!({ "requests": requests[..5] }))
    });
    assert_eq!(streamed.text().lines().count(), 5);
    let many = vec![json!({ "code": "" }); 10_001];
    client.post("/api/v1/batches", &json!({ "requests": many })).problem(422, "invalid_request");
}

#[test]
fn piston_is_answered_in_its_own_words() {
    let server = Server::start(&[]);
    let client = server.client();
    let execute = |body: &Value| client.post("/api/v2/execute", body);
    let run = |code: &str| {
        let body =
            json!({ "language": "py", "version": "3.10.0", "files": [{ "content": code }], "run_timeout": 500.0 });
        execute(&body).json(200)["run"].take()
    };
    let listed = client.get("/api/v2/runtimes").json(200);
    assert!(
        listed.as_array().expect("a list").iter().any(|one| one["language"] == "python" && one["aliases"][0] == "py")
    );
    let body = json!({
        "language": "python", "version": "*", "args": ["x"], "stdin": "y",
        "files": [{ "name": "a.py", "content": "import sys, b\nprint(sys.argv, input(), b.c)" },
            { "name": "b.py", "content": "Yz0x", "encoding": "base64" }, { "name": "d", "content": "00ff", "encoding": "hex" }],
    });
    let done = execute(&body).json(200);
    assert_eq!(done["run"]["stdout"], "['a.py', 'x'] y 1\n", "{done}");
    assert_eq!(
        (&done["run"]["code"], &done["run"]["signal"], &done["run"]["status"]),
        (&json!(0), &json!(null), &json!(null))
    );
    let failed = run("import sys\nprint('a')\nprint('b', file=sys.stderr)\nsys.exit(3)");
    assert_eq!((&failed["code"], &failed["status"], &failed["output"]), (&json!(3), &json!("RE"), &json!("a\nb\n")));
    let late = run("while True: pass");
    assert_eq!((&late["code"], &late["signal"], &late["status"]), (&json!(null), &json!("SIGKILL"), &json!("TO")));
    for (body, status) in [
        (json!({ "language": "cobol", "version": "*", "files": [{ "content": "" }] }), 400),
        (json!({ "language": "py", "version": "*", "files": [] }), 400),
        (json!({ "language": "py", "version": "*", "files": [{ "content": "zz", "encoding": "hex" }] }), 400),
        (json!({ "language": "py", "version": "*", "files": [{ "content": "1", "name": "../x" }] }), 400),
        (json!({ "language": "py", "version": "*", "files": [{ "content": "1" }], "run_timeout": -1 }), 400),
        (json!({ "language": "py" }), 400),
    ] {
        let refused = execute(&body).json(status);
        assert!(refused["message"].as_str().is_some_and(|message| !message.is_empty()), "{refused}");
    }
    let text = client.send("POST", "/api/v2/execute", |request| request.body("x"));
    assert_eq!((text.status, text.json(415)["message"].is_string()), (415, true));
}
