//! What an operator relies on: quotas that races do not pass, configurations that are refused, secrets that stay secret.

use std::path::Path;

use glovebox_tests::{Client, Server, command};
use serde_json::json;

#[test]
fn of_two_hundred_requests_at_once_exactly_as_many_pass_as_the_quota_has_left() {
    let policies = tempfile::tempdir().expect("a directory");
    std::fs::write(policies.path().join("default.toml"), "[quota]\nruns_per_minute = 5\n").expect("written");
    let server = Server::start(&[
        ("GLOVEBOX_POLICIES_DIR", policies.path().to_str().expect("UTF-8")),
        ("GLOVEBOX_QUEUE_LIMIT", "1000"),
        ("GLOVEBOX_CONNECTIONS_PER_ADDRESS", "1000"),
    ]);
    let client = server.client();
    for _ in 0..4 {
        client.run("1");
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..200)
            .map(|_| {
                let client = &client;
                scope.spawn(move || {
                    let reply = client.post("/api/v1/runs", &json!({ "code": "1" }));
                    if reply.status == 429 {
                        assert!(reply.problem(429, "quota_exhausted").contains("runs_per_minute"));
                        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|s| s <= 60), "no Retry-After");
                    }
                    reply.status
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().expect("answered")).collect()
    });
    let passed = statuses.iter().filter(|status| **status == 201).count();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((passed, refused), (1, 199), "{statuses:?}");
    let metrics = client.get("/metrics").text();
    let counted = "glovebox_quota_refusals_total{quota=\"runs_per_minute\"} 199\n";
    assert!(metrics.contains(counted) && metrics.contains("glovebox_wait_seconds_count 5\n"), "{metrics}");
    let memory = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    assert!(memory.is_some_and(|bytes| bytes.parse::<u64>().is_ok_and(|bytes| bytes > 1 << 20)), "{metrics}");
}

#[test]
fn a_configuration_with_a_mistake_is_refused_by_the_name_of_its_setting() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("glovebox.toml");
    let wrong = [
        ("listen = '0.0.0.0:0'", "listen"),
        ("listen = '[::]:0'", "listen"),
        ("listen = 'here'", "not an address"),
        ("auth = 'maybe'", "auth"),
        ("auth = true", "auth"),
        ("hosts = 'https://a.example'", "hosts"),
        ("hosts = ['a']", "hosts"),
        ("cors_origins = '*'", "cors_origins"),
        ("cors_origins = 'null'", "cors_origins"),
        ("cors_origins = 'a.example'", "cors_origins"),
        ("artifacts_origin = 'ftp://a.example'", "artifacts_origin"),
        ("artifacts_listen = 'x'", "not an address"),
        ("workers = 0", "workers"),
        ("workers = -1", "workers"),
        ("workers = 1000000", "workers"),
        ("workers = 'many'", "workers"),
        ("queue_limit = -1", "queue_limit"),
        ("upload_limit_mib = 0", "upload_limit_mib"),
        ("upload_limit_mib = 99999999999999999999", "upload_limit_mib"),
        ("connections = 0", "connections"),
        ("connections_per_address = 0", "connections_per_address"),
        ("client_timeout_s = 0", "client_timeout_s"),
        ("session_idle_s = 0", "session_idle_s"),
        ("audit_days = 0", "audit_days"),
        ("ask_cost_cents = 0", "ask_cost_cents"),
        ("require_jail = 'perhaps'", "require_jail"),
        ("data_dir = ''", "data_dir"),
        ("worker = 2", "workers"),
        ("[server]\nlisten = '127.0.0.1:1'", "server"),
        ("api_key = 'sk-1'", "api_key"),
        ("workers = 2\nworkers = 3", "workers"),
        ("not toml at all", "glovebox.toml"),
    ];
    for (text, word) in wrong {
        std::fs::write(&file, text).expect("written");
        let mut process = command()
            .args(["serve", "--config"])
            .arg(&file)
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it starts");
        let began = std::time::Instant::now();
        while process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed().as_secs() > 20 {
                let _ = process.kill();
                panic!("{text} was accepted");
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let output = process.wait_with_output().expect("it ended");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains(word) || said.contains("99999999999999999999"), "{text}: {said}");
    }
    assert!(!dir.path().join("data").exists(), "something was begun");
}

/// Whether a file below `dir` has this text in it.
fn holds(dir: &Path, text: &str) -> Option<std::path::PathBuf> {
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else if std::fs::read(&entry)
                .is_ok_and(|content| content.windows(text.len()).any(|part| part == text.as_bytes()))
            {
                return Some(entry);
            }
        }
    }
    None
}

/// Processes below a process, itself not included.
pub(crate) fn descendants(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut next = 0;
    while let Some(process) = found.get(next).copied() {
        next += 1;
        for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().filter_map(Result::ok) {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    found.split_off(1)
}

#[test]
fn secrets_are_in_no_log_no_file_no_worker_and_no_program() {
    let model_key = "sk-canary-of-the-model-55d1c0";
    let server = Server::start(&[
        ("GLOVEBOX_AUTH", "keys"),
        ("GLOVEBOX_LOG", "debug"),
        ("OPENAI_API_KEY", model_key),
        // Nobody is there: the question fails, and says why.
        ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1"),
    ]);
    let first = server.said.lines().find(|line| line.starts_with("gbx_")).expect("the first key").to_owned();
    let client = Client::with_key(&server.url, &first);
    let made = client.post("/api/v1/admin/keys", &json!({ "tenant": "local", "scopes": ["run", "read"] })).json(201);
    let second = made["key"].as_str().expect("a key").to_owned();
    Client::with_key(&server.url, &second).run("1");
    let session = client.session(&[&client.upload("a.csv", b"a,b\n1,2\n")]);
    let look = "import os, sys\nprint(dict(os.environ), sys.argv)\nfor path in ['/proc/self/environ', '/proc/1/environ', '/proc/self/cmdline']:\n    try: print(open(path).read())\n    except OSError as error: print(error)";
    let run = client.post(&format!("/api/v1/sessions/{session}/runs"), &json!({ "code": look })).json(201);
    let crash = client.run("import os; os.abort()");
    let ask = client.post(&format!("/api/v1/sessions/{session}/asks"), &json!({ "question": "mean of a?" }));
    let _ = Client::with_key(&server.url, &format!("{first}x")).get("/api/v1/files").problem(401, "unauthorized");
    let told = format!("{run}{crash}{}{}", ask.text(), client.get("/api/v1/admin/audit").text());
    // The secret may have a `_` in it.
    let secret = |key: &str| key.splitn(3, '_').nth(2).expect("its secret").to_owned();
    let metrics = client.get("/metrics").text();
    for (what, canary) in
        [("the model's", model_key.to_owned()), ("the first", secret(&first)), ("the second", secret(&second))]
    {
        assert!(!told.contains(&canary), "{what} key is told");
        assert!(!server.log().contains(&canary), "{what} key is in the log");
        assert!(!metrics.contains(&canary), "{what} key is in the metrics");
        assert_eq!(holds(server.data.path(), &canary), None, "{what} key is in the data directory");
        let workers = descendants(server.pid());
        assert!(!workers.is_empty());
        for process in workers {
            for part in ["environ", "cmdline"] {
                let seen = std::fs::read(format!("/proc/{process}/{part}")).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&seen).contains(&canary), "{what} key is in {part} of a worker");
            }
        }
    }
}
