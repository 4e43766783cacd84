//! Sessions of a real server: what they remember, what is undone, forks, sleep, and what a kill -9 leaves.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use glovebox_tests::{Client, Server};
use serde_json::{Value, json};

/// A session of a server.
struct Session<'a> {
    client: &'a Client,
    id: String,
}

impl<'a> Session<'a> {
    fn open(client: &'a Client, body: &Value) -> Session<'a> {
        let session = client.post("/api/v1/sessions", body).json(201);
        Session::of(client, &session)
    }

    fn of(client: &'a Client, session: &Value) -> Session<'a> {
        Session { client, id: session["id"].as_str().expect("an id").to_owned() }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/sessions/{}{rest}", self.id)
    }

    fn run(&self, code: &str) -> Value {
        self.client.post(&self.path("/runs"), &json!({ "code": code })).json(201)
    }

    /// What a program prints; it has to succeed.
    fn print(&self, code: &str) -> String {
        let run = self.run(code);
        assert_eq!(run["outcome"]["ending"], json!({ "kind": "exited", "code": 0 }), "{run}");
        run["outcome"]["stdout"].as_str().expect("text").trim_end().to_owned()
    }

    fn show(&self) -> Value {
        self.client.get(&self.path("")).json(200)
    }

    fn post(&self, rest: &str, body: &Value) -> Value {
        let reply = self.client.post(&self.path(rest), body);
        let status = reply.status;
        assert!(status < 300, "{}", reply.text());
        reply.json(status)
    }

    fn fork(&self, body: &Value) -> Vec<Session<'a>> {
        let forks = self.post("/forks", body);
        forks["sessions"].as_array().expect("sessions").iter().map(|one| Session::of(self.client, one)).collect()
    }

    /// Starts a program that prints `begun` and does not end, and waits for that.
    fn occupy(&self) -> String {
        let code = "import time\nprint('begun', flush=True)\ntime.sleep(50)";
        self.begin(code)
    }

    fn begin(&self, code: &str) -> String {
        let run = self.client.post(&self.path("/runs"), &json!({ "code": code, "wait": false })).json(202);
        let id = run["id"].as_str().expect("an id").to_owned();
        let events = format!("/api/v1/runs/{id}/events");
        self.client.events(&events, None, |events| events.iter().any(|event| event.kind == "stdout"));
        id
    }

    fn layers(&self, server: &Server) -> Vec<PathBuf> {
        let layers = std::fs::read_dir(server.data.path().join("work/local/layers")).expect("there");
        let mut layers: Vec<_> = layers.map(|layer| layer.expect("listed").path()).collect();
        layers.sort();
        layers
    }
}

fn wait_for(client: &Client, run: &str) -> Value {
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

fn cancel(client: &Client, run: &str) -> Value {
    assert_eq!(client.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).status, 202);
    wait_for(client, run)
}

#[test]
fn variables_imports_functions_and_files_are_still_there_in_the_next_turn() {
    let server = Server::start(&[]);
    let client = server.client();
    for image in ["python", "rustpython"] {
        let session = Session::open(&client, &json!({ "image": image }));
        session.run("import json\nx = [1, 2]\ndef double(n): return 2 * n\nopen('a.txt', 'w').write('kept')\nopen('/tmp/b.txt', 'w').write('b')");
        session.run("x.append(double(x[-1]))\n1/0");
        let seen = "print(json.dumps(x), double(21), open('a.txt').read(), open('/tmp/b.txt').read())";
        assert_eq!(session.print(seen), "[1, 2, 4] 42 kept b", "{image}");
        let shown = session.show();
        assert_eq!(
            (&shown["state"], &shown["head"], &shown["turns"]),
            (&json!("live"), &json!(3), &json!(3)),
            "{shown}"
        );
    }
}

#[test]
fn a_frame_is_forked_twice_all_sleep_the_server_is_killed_and_all_three_answer() {
    let server = Server::start(&[]);
    let client = server.client();
    let parent = Session::open(&client, &json!({ "files": [client.upload_data("penguins.csv")] }));
    parent.print("import pandas as pd\ndf = pd.read_csv('penguins.csv')\ndf.to_csv('out.csv')\nprint(len(df))");
    let forks = parent.fork(&json!({ "count": 2 }));
    let [one, two] = forks.as_slice() else { panic!("two") };
    one.print("df = df[df.species == 'Adelie']\nopen('out.csv', 'w').write('one')");
    two.print("df['double'] = df.body_mass_g * 2\nimport os\nos.remove('out.csv')");
    let check = |parent: &Session<'_>, one: &Session<'_>, two: &Session<'_>| {
        let seen =
            "import os\nprint(len(df), 'double' in df, os.path.exists('out.csv') and os.path.getsize('out.csv') > 10)";
        assert_eq!(parent.print(seen), "344 False True");
        assert_eq!(one.print(seen), "152 False False");
        assert_eq!(two.print(seen), "344 True False");
    };
    check(&parent, one, two);
    for session in [&parent, one, two] {
        let slept = session.post("/hibernate", &json!({}));
        assert_eq!(slept["state"], "asleep");
    }
    let ids = [&parent, one, two].map(|session| session.id.clone());
    let server = Server::start_in(server.kill(), &[]);
    let client = server.client();
    let [parent, one, two] = ids.map(|id| Session { client: &client, id });
    check(&parent, &one, &two);
    let from = one.show()["forked_from"].clone();
    assert_eq!(from, json!({ "session": parent.id, "checkpoint": 1 }));
    // What every turn left is still there, under the checkpoint that it led to.
    let artifacts = client.get(&parent.path("/artifacts")).json(200);
    assert_eq!(artifacts["artifacts"][0]["checkpoint"], 1, "{artifacts}");
}

#[test]
fn a_server_killed_in_the_middle_of_a_turn_has_every_session_at_its_last_acknowledged_one() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print("x = 1\nopen('a.txt', 'w').write('one')");
    let half = "x = 2\nopen('a.txt', 'w').write('two')\nopen('half.txt', 'w').write('h')\nprint('begun', flush=True)\nimport time; time.sleep(50)";
    let run = session.begin(half);
    let id = session.id.clone();
    let server = Server::start_in(server.kill(), &[]);
    let client = server.client();
    let cut = client.get(&format!("/api/v1/runs/{run}")).json(200);
    assert_eq!((&cut["status"], &cut["error"]["code"]), (&json!("failed"), &json!("interrupted")), "{cut}");
    let session = Session { client: &client, id };
    let shown = session.show();
    assert_eq!((&shown["state"], &shown["head"]), (&json!("asleep"), &json!(1)), "{shown}");
    assert_eq!(session.print("import os\nprint(x, open('a.txt').read(), os.listdir('.'))"), "1 one ['a.txt']");
}

#[test]
fn a_busy_session_refuses_by_name_and_is_free_when_its_turn_is_cancelled() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print("x = 1");
    let run = session.occupy();
    assert_eq!(session.show()["state"], "running");
    for (rest, body) in [
        ("/runs", json!({ "code": "1" })),
        ("/asks", json!({ "question": "?" })),
        ("/forks", json!({})),
        ("/checkpoints", json!({})),
        ("/checkpoints/0/restore", json!({})),
        ("/hibernate", json!({})),
    ] {
        let detail = client.post(&session.path(rest), &body).problem(409, "session_busy");
        assert!(detail.contains(&run) && detail.contains("cancel"), "{detail}");
    }
    let cancelled = cancel(&client, &run);
    assert_eq!(cancelled["status"], "done", "{cancelled}");
    assert_eq!(session.print("print(x)"), "1");
}

#[test]
fn a_turn_out_of_fuel_or_time_is_undone_with_its_files() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({ "policy": "strict" }));
    session.print("x = 1\nopen('a.txt', 'w').write('one')\nopen('/tmp/t', 'w').write('one')");
    let spoil =
        "x = 2\nopen('a.txt', 'w').write('two')\nopen('new.txt', 'w').write('n')\nimport os; os.remove('/tmp/t')\n";
    for (end, ending) in
        [("while True: pass", "out_of_fuel"), ("import time; time.sleep(20)", "out_of_time"), ("os._exit(3)", "exited")]
    {
        let run = session.run(&format!("{spoil}{end}"));
        assert_eq!((&run["outcome"]["ending"]["kind"], &run["undone"]), (&json!(ending), &json!(true)), "{run}");
        assert_eq!(run["checkpoint"], Value::Null);
        let warnings = run["outcome"]["warnings"].to_string();
        assert!(warnings.contains("undone") && warnings.contains("checkpoint"), "{warnings}");
        // What it left until then can be fetched all the same.
        let left = run["artifacts"].as_array().expect("artifacts");
        let new = left.iter().find(|one| one["path"] == "new.txt").unwrap_or_else(|| panic!("{run}"));
        assert_eq!(client.get(new["url"].as_str().expect("a url")).text(), "n");
        let seen = "print(x, open('a.txt').read(), open('/tmp/t').read(), sorted(__import__('os').listdir('.')))";
        assert_eq!(session.print(seen), "1 one one ['a.txt']");
    }
}

#[test]
fn an_uncaught_memory_error_and_an_exit_keep_the_session() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({ "policy": "strict" }));
    session.print("x = 1");
    let run = session.run("x = 2\nbig = bytearray(1 << 30)");
    assert_eq!((&run["outcome"]["ending"]["kind"], &run["undone"]), (&json!("out_of_memory"), &json!(false)), "{run}");
    let run = session.run("x = 3\nimport sys; sys.exit(4)");
    assert_eq!((&run["outcome"]["ending"], &run["undone"]), (&json!({ "kind": "exited", "code": 4 }), &json!(false)));
    assert_eq!(session.print("print(x)"), "3");
}

#[test]
fn any_checkpoint_can_be_gone_back_to_with_its_files() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print(
        "x = [1]\nopen('a.txt', 'w').write('one')\nimport os; os.mkdir('sub'); open('sub/s.txt', 'w').write('s')",
    );
    session.print("x.append(2)\nopen('a.txt', 'w').write('two')\nimport shutil; shutil.rmtree('sub')");
    let named = session.post("/checkpoints", &json!({ "name": "before three" }));
    session.print("x = 3\nos.remove('a.txt')");
    let attached = client.upload("late.csv", b"1");
    session.post("/files", &json!({ "files": [attached] }));
    let seen = "print(x, sorted(os.listdir('.')), os.path.exists('a.txt') and open('a.txt').read())";
    for (key, expected) in [
        (json!(1), "[1] ['a.txt', 'late.csv', 'sub'] one"),
        (named["id"].clone(), "[1, 2] ['a.txt', 'late.csv'] two"),
        (json!(3), "3 ['late.csv'] False"),
    ] {
        let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        session.post(&format!("/checkpoints/{key}/restore"), &json!({}));
        assert_eq!(session.print(seen), expected);
    }
    let fresh = session.post("/checkpoints/0/restore", &json!({}));
    assert_eq!(fresh["head"], 0);
    assert_eq!(session.run("x")["outcome"]["ending"]["exception"], "NameError");
    let list = client.get(&session.path("/checkpoints")).json(200);
    let list = list["checkpoints"].as_array().expect("a list");
    assert_eq!(list.iter().filter(|one| one["head"] == true).count(), 1);
    assert_eq!(
        (&list[2]["name"], &list[2]["parent"], &list[2]["number"]),
        (&json!("before three"), &json!(1), &json!(2))
    );
}

#[test]
fn of_two_restores_at_once_each_is_done_or_refused_and_the_session_is_at_one_of_them() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    for number in 1..=4 {
        session.print(&format!("x = {number}\nfor n in range(200): open(f'{{n}}.txt', 'w').write('{number}')"));
    }
    for _ in 0..5 {
        let statuses: Vec<_> = std::thread::scope(|scope| {
            let restores = [1, 2, 3].map(|number| {
                let (client, path) = (server.client(), session.path(&format!("/checkpoints/{number}/restore")));
                scope.spawn(move || client.post(&path, &json!({})).status)
            });
            restores.into_iter().map(|restore| restore.join().expect("no panic")).collect()
        });
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        assert!(statuses.contains(&200), "{statuses:?}");
        let seen = session.print("print(x, {open(f'{n}.txt').read() for n in range(200)} == {str(x)})");
        assert!(["1 True", "2 True", "3 True"].contains(&seen.as_str()), "{seen}");
    }
}

#[test]
fn a_damaged_truncated_or_foreign_layer_is_named_and_an_earlier_checkpoint_works() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print("x = 1");
    let before = session.layers(&server);
    session.print("y = 2");
    let after = session.layers(&server);
    let layer = after.iter().find(|layer| !before.contains(layer)).expect("a new layer");
    let good = std::fs::read(layer).expect("readable");
    let flipped = {
        let mut bytes = good.clone();
        let middle = bytes.len() - 100;
        bytes[middle] ^= 0x55;
        bytes
    };
    for (what, bytes) in [
        ("flipped", flipped),
        ("cut", good[..good.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("foreign", b"GIF89a and something else".repeat(100)),
    ] {
        session.post("/hibernate", &json!({})).is_object().then_some(()).expect("asleep");
        std::fs::write(layer, bytes).expect("writable");
        let run = session.run("x");
        assert_eq!(
            (&run["status"], &run["error"]["code"]),
            (&json!("failed"), &json!("checkpoint_damaged")),
            "{what}: {run}"
        );
        let detail = run["error"]["detail"].as_str().expect("text");
        assert!(detail.contains("checkpoint 2") && detail.contains("restore"), "{what}: {detail}");
        session.post("/checkpoints/1/restore", &json!({}));
        assert_eq!(session.run("print(x); y")["outcome"]["ending"]["exception"], "NameError", "{what}");
        std::fs::write(layer, &good).expect("writable");
        session.post("/checkpoints/2/restore", &json!({}));
        assert_eq!(session.print("print(x, y)"), "1 2", "{what}");
        session.post("/checkpoints/2/restore", &json!({}));
    }
}

#[test]
fn a_deleted_session_cannot_be_forked_and_its_forks_go_on() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print("x = 1\nopen('a.txt', 'w').write('a')");
    let fork = session.fork(&json!({})).remove(0);
    assert_eq!(client.send("DELETE", &session.path(""), |request| request).status, 204);
    for (method, rest) in [
        ("POST", "/forks"),
        ("POST", "/checkpoints"),
        ("GET", "/checkpoints"),
        ("POST", "/checkpoints/0/restore"),
        ("POST", "/hibernate"),
        ("GET", ""),
    ] {
        client.send(method, &session.path(rest), |request| request).problem(404, "not_found");
    }
    assert_eq!(fork.print("print(x, open('a.txt').read())"), "1 a");
    client.post(&fork.path("/checkpoints/77/restore"), &json!({})).problem(404, "not_found");
    client.post(&fork.path("/checkpoints/chk_x/restore"), &json!({})).problem(404, "not_found");
    client.post(&fork.path("/forks"), &json!({ "count": 0 })).problem(422, "invalid_request");
    client.post(&fork.path("/forks"), &json!({ "cuont": 1 })).problem(422, "invalid_request");
    client.post("/api/v1/runs/run_x/replay", &json!({})).problem(404, "not_found");
}

#[test]
fn an_idle_session_sleeps_by_itself_and_wakes_unnoticed() {
    let server = Server::start(&[("GLOVEBOX_SESSION_IDLE_S", "1")]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print("x = list(range(1000))");
    let began = Instant::now();
    while session.show()["state"] != "asleep" {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", session.show());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(session.print("print(sum(x))"), "499500");
    assert_eq!(session.show()["state"], "live");
}

#[test]
fn a_question_uses_variables_of_earlier_turns_and_leaves_its_own() {
    let replies = json!([
        { "purpose": "generate", "text": "I use it.\n```python\nbroken = 1\nx.append('lost')\nopen('lost.txt', 'w').write('l')\nraise ValueError('no')\n```" },
        { "purpose": "repair", "text": "```python\nassert 'broken' not in globals()\nx.append('asked')\nanswer = len(x)\nprint(answer)\n```" },
        { "purpose": "explain", "text": "Two." },
    ]);
    let recording = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(recording.path(), replies.to_string()).expect("written");
    let path = recording.path().to_str().expect("text");
    let server = Server::start(&[("GLOVEBOX_RECORDED", path), ("GLOVEBOX_MODEL", "recorded")]);
    let client = server.client();
    let session = Session::open(&client, &json!({}));
    session.print("x = ['turn']");
    let ask = client.post(&session.path("/asks"), &json!({ "question": "how many?" })).json(201);
    assert_eq!((&ask["status"], &ask["checkpoint"]), (&json!("done"), &json!(2)), "{ask}");
    assert_eq!((&ask["run"]["outcome"]["stdout"], ask["attempts"].as_array().map(Vec::len)), (&json!("2\n"), Some(2)));
    assert_eq!(session.print("import os\nprint(x, answer, os.listdir('.'))"), "['turn', 'asked'] 2 []");
    session.post("/checkpoints/1/restore", &json!({}));
    assert_eq!(session.print("print(x, 'answer' in globals())"), "['turn'] False");
}

#[test]
fn deterministic_turns_and_runs_are_replayed_as_equal_and_others_tell_the_first_difference() {
    let server = Server::start(&[]);
    let client = server.client();
    let file = client.upload("a.csv", b"a\n1\n2\n");
    let code = "import random, time, pandas as pd\nprint(random.random(), time.time())\npd.read_csv('a.csv').a.sum()\npd.read_csv('a.csv').to_csv('b.csv')";
    let run = client.post("/api/v1/runs", &json!({ "code": code, "files": [file], "deterministic": true })).json(201);
    let replay =
        |run: &Value| client.post(&format!("/api/v1/runs/{}/replay", run["id"].as_str().expect("an id")), &json!({}));
    assert_eq!(replay(&run).json(200), json!({ "equal": true, "deterministic": true, "differences": [] }));

    let session = Session::open(&client, &json!({ "files": [file] }));
    session.print("import random, pandas as pd\ndf = pd.read_csv('a.csv')");
    let turn = json!({ "code": "print(df.a.sum(), random.random())\ndf.to_csv('b.csv')\nopen('a.csv', 'w').write('x')", "deterministic": true });
    let turn = client.post(&session.path("/runs"), &turn).json(201);
    session.print("df = None");
    assert_eq!(replay(&turn).json(200), json!({ "equal": true, "deterministic": true, "differences": [] }));
    // The session itself is not touched by it.
    assert_eq!(session.print("print(df)"), "None");

    let live = client.run("import time\nprint('same')\nprint(time.time_ns())");
    let told = replay(&live).json(200);
    assert_eq!((&told["equal"], &told["deterministic"]), (&json!(false), &json!(false)), "{told}");
    assert_eq!(told["differences"][0]["what"], "stdout line 2", "{told}");

    assert_eq!(client.send("DELETE", &format!("/api/v1/files/{file}"), |request| request).status, 204);
    let detail = replay(&run).problem(409, "conflict");
    assert!(detail.contains("a.csv"), "{detail}");
}
