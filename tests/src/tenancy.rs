//! A server with keys, as its administrator and two tenants use it.

use glovebox_tests::{Client, Server, command};
use serde_json::{Value, json};

/// What a command with this key printed, or said went wrong.
fn glovebox(server: &Server, key: &str, args: &[&str]) -> Result<String, String> {
    let mut command = command();
    command.args(args).arg("--data-dir").arg(server.data.path());
    if !key.is_empty() {
        command.env("GLOVEBOX_API_KEY", key);
    }
    let output = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn guarded() -> (Server, String) {
    let server = Server::start(&[("GLOVEBOX_AUTH", "keys")]);
    let first = server.said.lines().find(|line| line.starts_with("gbx_")).expect("the first key is shown").to_owned();
    (server, first)
}

#[test]
fn two_tenants_work_side_by_side_and_never_meet() {
    let (server, admin) = guarded();
    let key = |tenant: &str| {
        glovebox(&server, &admin, &["tenant", "add", tenant]).expect("added");
        glovebox(&server, &admin, &["key", "create", "--tenant", tenant]).expect("made").trim().to_owned()
    };
    let keys = [key("ours"), key("theirs")];
    let [ours, theirs] = keys.clone().map(|key| Client::with_key(&server.url, &key));
    let session = ours.session(&[&ours.upload("a.txt", b"the secret of ours")]);
    let path = format!("/api/v1/sessions/{session}");
    let turn = |code: &str| ours.post(&format!("{path}/runs"), &json!({ "code": code })).json(201);
    assert_eq!(turn("secret = open('a.txt').read(); print(len(secret))")["outcome"]["stdout"], "18\n");
    // Every way to it that another key has.
    for (method, path) in [("GET", path.clone()), ("DELETE", path.clone()), ("GET", format!("{path}/archive"))] {
        let answer = theirs.send(method, &path, |request| request);
        answer.problem(404, "not_found");
    }
    theirs.post(&format!("{path}/runs"), &json!({ "code": "print(secret)" })).problem(404, "not_found");
    assert_eq!(theirs.get("/api/v1/sessions").json(200)["sessions"], json!([]));
    // Runs of both at once, each in processes that hold this tenant's directory alone.
    std::thread::scope(|scope| {
        for (client, name) in [(&ours, "ours"), (&theirs, "theirs")] {
            scope.spawn(move || {
                for number in 0..20 {
                    let code = format!("open('mine.txt', 'w').write('{name}'); print('{name}', {number})");
                    assert_eq!(client.run(&code)["outcome"]["stdout"], format!("{name} {number}\n"));
                }
            });
        }
    });
    let compartments = workers(server.pid());
    // Without root nobody may look into a worker, which is as it should be.
    if !compartments.is_empty() {
        assert!(compartments.iter().any(|of| of.contains("work/ours")), "{compartments:?}");
        assert!(compartments.iter().any(|of| of.contains("work/theirs")), "{compartments:?}");
    }
    assert!(
        compartments.iter().all(|of| !(of.contains("work/ours") && of.contains("work/theirs"))),
        "{compartments:?}"
    );
    assert_eq!(turn("print(secret)")["outcome"]["stdout"], "the secret of ours\n", "the session went on");
    for (client, other) in [(&ours, "theirs"), (&theirs, "ours")] {
        let found = client.run(
            "import os\nfor place, _, names in os.walk('/'):\n    for name in names:\n        print(os.path.join(place, name))",
        );
        let found = found["outcome"]["stdout"].as_str().expect("text").to_owned();
        assert!(!found.contains(other) && !found.contains("a.txt"), "{found}");
    }
    // Nobody's secret is in the log.
    let log = server.log();
    assert!(keys.iter().chain([&admin]).all(|key| !log.contains(&key[17..])), "a key is in the log");
}

/// What is mounted in each worker of a server, as far as this user may know.
fn workers(server: u32) -> Vec<String> {
    let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap_or_default();
    let mut all: Vec<String> = children.split_whitespace().map(str::to_owned).collect();
    for task in std::fs::read_dir(format!("/proc/{server}/task")).expect("it runs") {
        let children = std::fs::read_to_string(task.expect("listed").path().join("children")).unwrap_or_default();
        all.extend(children.split_whitespace().map(str::to_owned));
    }
    all.sort();
    all.dedup();
    let mounts = |pid: &String| std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok();
    all.iter().filter_map(mounts).collect()
}

#[test]
fn quotas_refuse_by_name_and_what_was_used_is_told_by_day() {
    let policies = tempfile::tempdir().expect("a directory");
    let file = policies.path().join("tiny.toml");
    std::fs::write(&file, "[quota]\nruns_per_minute = 4\nstorage_mib = 1\n").expect("written");
    let server =
        Server::start(&[("GLOVEBOX_AUTH", "keys"), ("GLOVEBOX_POLICIES_DIR", policies.path().to_str().expect("text"))]);
    let admin = server.said.lines().find(|line| line.starts_with("gbx_")).expect("shown").to_owned();
    glovebox(&server, &admin, &["tenant", "add", "small", "--policy", "tiny"]).expect("added");
    let key = glovebox(&server, &admin, &["key", "create", "--tenant", "small"]).expect("made");
    let client = Client::with_key(&server.url, key.trim());
    for _ in 0..4 {
        assert_eq!(client.run("print(1)")["outcome"]["stdout"], "1\n");
    }
    let refusal = client.post("/api/v1/runs", &json!({ "code": "1" }));
    let wait: u64 = refusal.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refusal.problem(429, "quota_exhausted").contains("runs_per_minute"));
    client.upload("large.bin", &vec![7; 2 << 20]);
    let more = client.send("POST", "/api/v1/files", |request| request.json(&json!({})));
    assert_eq!(more.status, 415);
    let form = |request: reqwest::RequestBuilder| {
        let part = reqwest::multipart::Part::bytes(b"more".to_vec()).file_name("more.bin");
        request.multipart(reqwest::multipart::Form::new().part("file", part))
    };
    let refusal = client.send("POST", "/api/v1/files", form).problem(429, "quota_exhausted");
    assert!(refusal.contains("storage_mib"), "{refusal}");
    let report = client.get("/api/v1/usage/days").json(200);
    let day = &report["days"][0];
    assert_eq!((&day["runs"], &day["refused"], &report["quota"]["runs_per_minute"]), (&json!(4), &json!(2), &json!(4)));
    assert!(day["fuel"].as_u64() > Some(1_000_000), "{report}");
    let table = glovebox(&server, &admin, &["tenant", "usage"]).expect("told");
    assert!(table.lines().any(|line| line.contains(",small,4,0,")), "{table}");
    // What was used is not forgotten with the server.
    let server = Server::start_in(server.kill_softly(), &[("GLOVEBOX_AUTH", "keys")]);
    let table = glovebox(&server, &admin, &["tenant", "usage"]).expect("told");
    assert!(table.lines().any(|line| line.contains(",small,4,0,")), "{table}");
}

#[test]
fn a_tenant_with_a_long_line_does_not_hold_up_anothers_single_run() {
    let server =
        Server::start(&[("GLOVEBOX_AUTH", "keys"), ("GLOVEBOX_WORKERS", "1"), ("GLOVEBOX_QUEUE_LIMIT", "500")]);
    let admin = server.said.lines().find(|line| line.starts_with("gbx_")).expect("shown").to_owned();
    let client = |tenant: &str| {
        glovebox(&server, &admin, &["tenant", "add", tenant]).expect("added");
        let key = glovebox(&server, &admin, &["key", "create", "--tenant", tenant]).expect("made");
        Client::with_key(&server.url, key.trim())
    };
    let (many, one) = (client("many"), client("one"));
    let spin = json!({ "code": "for _ in range(2_000_000): pass", "wait": false });
    let queued: Vec<_> = (0..100)
        .map(|_| many.post("/api/v1/runs", &spin).json(202)["id"].as_str().expect("an id").to_owned())
        .collect();
    for _ in 0..3 {
        assert_eq!(one.run("print('done')")["outcome"]["stdout"], "done\n");
    }
    let over = queued.iter().filter(|id| many.get(&format!("/api/v1/runs/{id}")).json(200)["status"] == "done").count();
    // Those that were over before the first came, and one before each of the three.
    assert!(over < 60, "{over} of 100 went before three runs of another tenant");
    for id in queued {
        many.post(&format!("/api/v1/runs/{id}/cancel"), &json!({})).json(202);
    }
}

#[test]
fn an_administrator_manages_a_server_from_the_command_line() {
    let (server, admin) = guarded();
    let refusal = glovebox(&server, "", &["tenant", "list"]).expect_err("no key");
    assert!(refusal.contains("GLOVEBOX_API_KEY"), "{refusal}");
    let run = |args: &[&str]| glovebox(&server, &admin, args);
    assert!(run(&["tenant", "add", "acme", "--policy", "strict"]).expect("added").contains("key create"));
    assert!(run(&["tenant", "add", "acme"]).expect_err("twice").contains("already"));
    assert!(run(&["tenant", "add", "Acme Inc."]).expect_err("no name").contains("lower-case"));
    let made = run(&["key", "create", "--tenant", "acme", "--scopes", "read", "--label", "dashboard"]).expect("made");
    let key = made.trim();
    assert!(key.starts_with("gbx_") && made.lines().count() == 1, "{made}");
    let client = Client::with_key(&server.url, key);
    assert_eq!(client.get("/api/v1/policies").json(200)["policies"].as_array().map(Vec::len), Some(1));
    let refusal = client.post("/api/v1/runs", &json!({ "code": "1" })).problem(403, "forbidden");
    assert!(refusal.contains("`run`"), "{refusal}");
    let list = run(&["key", "list", "--tenant", "acme"]).expect("listed");
    assert!(list.contains("dashboard") && list.contains("read") && !list.contains(&key[17..]), "{list}");
    run(&["tenant", "disable", "acme"]).expect("disabled");
    client.get("/api/v1/files").problem(401, "unauthorized");
    run(&["tenant", "enable", "acme"]).expect("enabled");
    client.get("/api/v1/files").json(200);
    run(&["key", "revoke", key]).expect("revoked");
    client.get("/api/v1/files").problem(401, "unauthorized");
    let log = run(&["audit", "export"]).expect("exported");
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(entries.iter().any(|entry| entry["tenant"] == "acme" && entry["status"] == 403), "{log}");
    assert!(entries.windows(2).all(|pair| pair[0]["number"].as_i64() < pair[1]["number"].as_i64()));
    // It is shown at the first start alone, and the data opens without a key to whoever may read it.
    let data = server.kill();
    let again = Server::start_in(data, &[("GLOVEBOX_AUTH", "keys")]);
    assert!(!again.said.contains("gbx_"), "{}", again.said);
    Client::with_key(&again.url, &admin).get("/api/v1/admin/tenants").json(200);
}

#[test]
fn a_policy_that_changes_holds_at_once_and_one_with_an_error_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("house.toml");
    let write = |seconds: &str| {
        std::fs::write(&file, format!("[run]\nwall_time_ms = {seconds}\n")).expect("written");
    };
    write("4000");
    let server = Server::start(&[("GLOVEBOX_POLICIES_DIR", dir.path().to_str().expect("UTF-8"))]);
    let client = server.client();
    let limit = || {
        let policies = client.get("/api/v1/policies").json(200)["policies"].clone();
        let house = policies.as_array().expect("a list").iter().find(|policy| policy["name"] == "house").cloned();
        house.map(|house| house["limits"]["wall_time_ms"].clone())
    };
    let wait = |wanted: Option<Value>| {
        for _ in 0..300 {
            if limit() == wanted {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("still {:?}: {}", limit(), server.log());
    };
    wait(Some(json!(4000)));
    write("3000");
    wait(Some(json!(3000)));
    write("-1");
    for _ in 0..300 {
        if server.log().contains("the policies stay as they were") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(server.log().contains("house.toml"), "{}", server.log());
    assert_eq!(limit(), Some(json!(3000)));
    let spin = json!({ "code": "print(1)", "policy": "house" });
    assert_eq!(client.post("/api/v1/runs", &spin).json(201)["policy"], "house");
    std::fs::remove_file(&file).expect("removed");
    wait(None);
    client.post("/api/v1/runs", &spin).problem(422, "unknown_policy");
}
