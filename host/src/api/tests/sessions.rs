//! Sessions over the API: checkpoints, undoing, going back, forks, sleep, and who may do what when.

use super::*;

struct Session<'a> {
    server: &'a Server,
    path: String,
}

impl<'a> Session<'a> {
    async fn open(server: &'a Server) -> Session<'a> {
        let (status, session) = server.call("POST", "/api/v1/sessions", json!({})).await;
        assert_eq!(status, StatusCode::CREATED, "{session}");
        Session::of(server, &session)
    }

    fn of(server: &'a Server, session: &Value) -> Session<'a> {
        Session { server, path: format!("/api/v1/sessions/{}", session["id"].as_str().unwrap()) }
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.server.call("POST", &format!("{}{path}", self.path), body).await
    }

    /// Takes a turn.
    async fn run(&self, code: &str) -> Value {
        let (status, run) = self.post("/runs", json!({ "code": code })).await;
        assert_eq!(status, StatusCode::CREATED, "{run}");
        run
    }

    /// The programs that its interpreter remembers, and the files that are there.
    async fn memory(&self) -> (String, String) {
        let run = self.run("recall").await;
        let text = |what: &str| run["outcome"][what].as_str().unwrap_or_else(|| panic!("{run}")).to_owned();
        (text("stdout"), text("stderr"))
    }

    async fn show(&self) -> Value {
        self.server.get(&self.path).await.1
    }

    fn workspace(&self) -> PathBuf {
        self.server.state.storage.workspace(&crate::tenants::Tenant::local(), self.path.rsplit('/').next().unwrap())
    }

    async fn begin(&self, code: &str) -> String {
        let (status, run) = self.post("/runs", json!({ "code": code, "wait": false })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{run}");
        let id = run["id"].as_str().unwrap().to_owned();
        // Until it has a worker.
        while self.server.state.live.all().iter().any(|live| live.id == id && live.journal.read(0).0.len() < 2) {
            tokio::task::yield_now().await;
        }
        id
    }

    async fn cancel(&self, run: &str) -> Value {
        let path = format!("/api/v1/runs/{run}");
        self.server.call("POST", &format!("{path}/cancel"), json!({})).await;
        self.server.stream(&format!("{path}/events"), None).await.pop().unwrap().2["run"].clone()
    }
}

fn refused(reply: &(StatusCode, Value), status: StatusCode, code: &str, named: &str) {
    let (given, problem) = reply;
    assert_eq!((*given, &problem["code"]), (status, &json!(code)), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
}

#[tokio::test]
async fn turns_follow_each_other_and_each_has_a_checkpoint() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    assert_eq!(
        (session.show().await["state"].clone(), session.show().await["head"].clone()),
        (json!("asleep"), json!(0))
    );
    let one = session.run("one").await;
    assert_eq!(
        (&one["checkpoint"], &one["undone"], &one["artifacts"][0]["checkpoint"]),
        (&json!(1), &json!(false), &json!(1))
    );
    session.run("raise").await;
    assert_eq!(session.memory().await, ("one,raise".into(), "echo.txt".into()));
    let (_, ask) = session.post("/asks", json!({ "question": "two" })).await;
    assert_eq!((&ask["checkpoint"], &ask["run"]["checkpoint"]), (&json!(4), &json!(4)), "{ask}");
    assert_eq!(session.memory().await.0, "one,raise,recall,two");
    let shown = session.show().await;
    assert_eq!((&shown["state"], &shown["head"], &shown["turns"]), (&json!("live"), &json!(5), &json!(5)), "{shown}");
    assert!(shown["bytes"].as_i64().unwrap() > 0);
    let (_, list) = server.get(&format!("{}/checkpoints", session.path)).await;
    let list = list["checkpoints"].as_array().unwrap().clone();
    assert_eq!(list.len(), 6);
    assert_eq!((&list[1]["run_id"], &list[1]["parent"], &list[5]["head"]), (&one["id"], &json!(0), &json!(true)));
}

#[tokio::test]
async fn a_turn_that_cannot_go_on_is_undone_with_its_files_and_says_so() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("one").await;
    let run = session.run("fuel").await;
    assert_eq!(
        (&run["undone"], &run["checkpoint"], &run["status"]),
        (&json!(true), &Value::Null, &json!("done")),
        "{run}"
    );
    let warning = run["outcome"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("undone") && warning.contains("checkpoint 1"), "{warning}");
    let left = run["artifacts"].as_array().unwrap();
    assert!(left.iter().any(|one| one["path"] == "half.txt"), "what it left can still be fetched: {run}");
    assert_eq!(session.memory().await, ("one".into(), "echo.txt".into()));
    // Cancelled, or failed by our fault: the same.
    let waiting = session.begin("wait").await;
    let cancelled = session.cancel(&waiting).await;
    assert_eq!((&cancelled["outcome"]["ending"]["kind"], &cancelled["undone"]), (&json!("cancelled"), &json!(true)));
    let broken = session.run("break").await;
    assert_eq!(broken["status"], "failed");
    assert_eq!(session.memory().await, ("one,recall".into(), "echo.txt".into()));
    assert_eq!(std::fs::read_to_string(session.workspace().join("echo.txt")).unwrap(), "one");
}

#[tokio::test]
async fn a_question_whose_program_is_repaired_leaves_the_last_ones_state_alone() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("one").await;
    let (_, ask) = session.post("/asks", json!({ "question": "twice" })).await;
    assert_eq!(ask["status"], "done", "{ask}");
    assert_eq!(session.memory().await.0, "one,twice");
    let (_, ask) = session.post("/asks", json!({ "question": "fuel" })).await;
    assert_eq!((&ask["run"]["undone"], &ask["checkpoint"]), (&json!(true), &Value::Null), "{ask}");
    let (_, ask) = session.post("/asks", json!({ "question": "break" })).await;
    assert_eq!(ask["status"], "failed", "{ask}");
    assert_eq!(session.memory().await, ("one,twice,recall".into(), "echo.txt".into()));
    // No layer is left over: each belongs to a checkpoint.
    let layers = std::fs::read_dir(server.state.storage.layers(&crate::tenants::Tenant::local())).unwrap().count();
    assert_eq!(layers, 4);
}

#[tokio::test]
async fn a_busy_session_says_with_what_and_is_not_waited_for() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    let run = session.begin("wait").await;
    assert_eq!(session.show().await["state"], "running");
    for (path, body) in [
        ("/runs", json!({ "code": "x" })),
        ("/asks", json!({ "question": "x" })),
        ("/checkpoints", json!({})),
        ("/checkpoints/0/restore", json!({})),
        ("/forks", json!({})),
        ("/hibernate", json!({})),
    ] {
        refused(&session.post(path, body).await, StatusCode::CONFLICT, "session_busy", &run);
    }
    refused(&server.call("DELETE", &session.path, json!({})).await, StatusCode::CONFLICT, "session_busy", &run);
    session.cancel(&run).await;
    assert_eq!(session.run("x").await["status"], "done");
}

#[tokio::test]
async fn going_back_brings_variables_and_files_and_keeps_later_uploads() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("write a.txt first").await;
    session.run("write a.txt second").await;
    session.run("write b.txt third").await;
    server.upload(&format!("{}/files", session.path), &[("late.csv", b"1"), ("b.txt", b"2")]).await;
    let (status, restored) = session.post("/checkpoints/1/restore", json!({})).await;
    assert_eq!((status, &restored["head"]), (StatusCode::OK, &json!(1)), "{restored}");
    assert_eq!(std::fs::read_to_string(session.workspace().join("a.txt")).unwrap(), "first");
    let files = "a.txt,b-2.txt,late.csv";
    assert_eq!(session.memory().await, ("write a.txt first".into(), files.into()));
    // The history is a tree, and every branch can be gone back to, by number or id.
    let (_, list) = server.get(&format!("{}/checkpoints", session.path)).await;
    let parents: Vec<_> = list["checkpoints"].as_array().unwrap().iter().map(|one| one["parent"].clone()).collect();
    assert_eq!(parents, [Value::Null, json!(0), json!(1), json!(2), json!(1)]);
    let third = list["checkpoints"][3]["id"].as_str().unwrap();
    session.post(&format!("/checkpoints/{third}/restore"), json!({})).await;
    assert_eq!(session.memory().await.1, "a.txt,b-2.txt,b.txt,late.csv");
    // Variables of branches that were left are not told to the model.
    let (_, ask) = session.post("/asks", json!({ "question": "x" })).await;
    assert_eq!(ask["explanation"], "after 4 questions");
    let gone = session.post("/checkpoints/99/restore", json!({})).await;
    refused(&gone, StatusCode::NOT_FOUND, "not_found", "99");
}

#[tokio::test]
async fn forks_go_their_own_ways_and_outlive_their_parent() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("write a.txt parent").await;
    server.upload(&format!("{}/files", session.path), &[("late.csv", b"1")]).await;
    let (status, forks) = session.post("/forks", json!({ "count": 2, "title": "try" })).await;
    assert_eq!(status, StatusCode::CREATED, "{forks}");
    let forks: Vec<_> = forks["sessions"].as_array().unwrap().clone();
    let from = json!({ "session": session.show().await["id"], "checkpoint": 1 });
    assert!(
        forks.iter().all(|fork| fork["forked_from"] == from && fork["title"] == "try" && fork["state"] == "asleep")
    );
    let (one, two) = (Session::of(&server, &forks[0]), Session::of(&server, &forks[1]));
    one.run("write a.txt one").await;
    two.run("remove a.txt").await;
    session.run("more").await;
    assert_eq!(one.memory().await, ("write a.txt parent,write a.txt one".into(), "a.txt,late.csv".into()));
    assert_eq!(two.memory().await, ("write a.txt parent,remove a.txt".into(), "late.csv".into()));
    assert_eq!(std::fs::read_to_string(session.workspace().join("a.txt")).unwrap(), "parent");
    assert_eq!(server.call("DELETE", &session.path, json!({})).await.0, StatusCode::NO_CONTENT);
    one.post("/checkpoints/0/restore", json!({})).await;
    assert_eq!(one.memory().await, ("write a.txt parent".into(), "a.txt,late.csv".into()));
    // A fork's questions know what led to it as long as its parent is there.
    let (_, grandchild) = one.post("/forks", json!({ "checkpoint": 0 })).await;
    let grandchild = Session::of(&server, &grandchild["sessions"][0]);
    assert_eq!(grandchild.memory().await, ("write a.txt parent".into(), "a.txt,late.csv".into()));
    refused(&session.post("/forks", json!({})).await, StatusCode::NOT_FOUND, "not_found", "session");
    refused(
        &one.post("/forks", json!({ "count": 65 })).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_request",
        "64",
    );
}

#[tokio::test]
async fn a_sleeping_session_wakes_by_its_next_turn_and_a_full_disk_keeps_one_awake() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("one").await;
    // Without a body and without a type: nothing in it is needed.
    let request = Request::post(format!("{}/hibernate", session.path)).body(Body::empty()).unwrap();
    let (status, shown) = read(server.send(request).await).await;
    assert_eq!((status, &shown["state"], &shown["bytes"]), (StatusCode::OK, &json!("asleep"), &json!(1)), "{shown}");
    assert_eq!(session.memory().await.0, "one");
    session.run("huge").await;
    let full = session.post("/hibernate", json!({})).await;
    refused(&full, StatusCode::INSUFFICIENT_STORAGE, "disk_full", "stays awake");
    assert_eq!(session.show().await["state"], "live");
    assert_eq!(session.memory().await.0, "one,recall,huge");
}

#[tokio::test]
async fn an_idle_session_is_put_to_sleep_by_itself() {
    let server = Server::with(Config { session_idle_s: 0, ..Config::default() }).await;
    let session = Session::open(&server).await;
    session.run("one").await;
    assert_eq!(session.show().await["state"], "live");
    crate::checkpoints::sweep(&server.state).await;
    assert_eq!(session.show().await["state"], "asleep");
    assert_eq!(session.memory().await.0, "one");
}

#[tokio::test]
async fn what_half_a_turn_left_before_a_crash_is_gone_at_the_next_turn() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("one").await;
    server.upload(&format!("{}/files", session.path), &[("late.csv", b"1")]).await;
    // As after a restart: nothing is live, nothing is known, and half a turn's files lie there.
    server.state.known.forget(session.path.rsplit('/').next().unwrap());
    server.state.backend.forget(session.path.rsplit('/').next().unwrap()).await;
    std::fs::write(session.workspace().join("echo.txt"), "two").unwrap();
    std::fs::write(session.workspace().join("half.txt"), "half").unwrap();
    assert_eq!(session.memory().await, ("one".into(), "echo.txt,late.csv".into()));
    assert_eq!(std::fs::read_to_string(session.workspace().join("echo.txt")).unwrap(), "one");
}

#[tokio::test]
async fn a_damaged_checkpoint_is_named_and_an_earlier_one_can_be_gone_back_to() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    session.run("one").await;
    session.run("two").await;
    let id = session.path.rsplit('/').next().unwrap();
    let head = server.state.storage.checkpoint(&crate::tenants::Tenant::local(), id, 2).await.unwrap();
    let layers = server.state.storage.layers_of(&crate::tenants::Tenant::local(), &head).await.unwrap();
    std::fs::write(layers.last().unwrap(), "garbage").unwrap();
    server.state.backend.forget(id).await;
    let run = session.run("three").await;
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("checkpoint_damaged")), "{run}");
    assert!(run["error"]["detail"].as_str().unwrap().contains("checkpoint 2: restore an earlier one"), "{run}");
    session.post("/checkpoints/1/restore", json!({})).await;
    assert_eq!(session.memory().await, ("one".into(), "echo.txt".into()));
}

#[tokio::test]
async fn limits_of_sessions_are_named() {
    let config = Config { session_turns: 2, session_max: 2, checkpoint_mib: 1, ..Config::default() };
    let server = Server::with(config).await;
    let session = Session::open(&server).await;
    session.run("one").await;
    session.run("two").await;
    let conflict = StatusCode::CONFLICT;
    refused(&session.post("/runs", json!({ "code": "x" })).await, conflict, "quota", "session_turns");
    let (_, fork) = session.post("/forks", json!({})).await;
    let fork = Session::of(&server, &fork["sessions"][0]);
    refused(&session.post("/forks", json!({})).await, conflict, "quota", "session_max");
    refused(&server.call("POST", "/api/v1/sessions", json!({})).await, conflict, "quota", "session_max");
    fork.run(&format!("write big.txt {}", "x".repeat(1 << 20))).await;
    refused(&fork.post("/runs", json!({ "code": "x" })).await, conflict, "quota", "checkpoint_mib");
    refused(&fork.post("/asks", json!({ "question": "x" })).await, conflict, "quota", "checkpoint_mib");
    server.call("DELETE", &session.path, json!({})).await;
    assert_eq!(fork.post("/checkpoints/0/restore", json!({})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_ended_session_can_be_read_and_nothing_else() {
    let server = Server::with(Config { session_life_days: 1, ..Config::default() }).await;
    let session = Session::open(&server).await;
    session.run("one").await;
    server.state.storage.age_sessions(2).await;
    assert_eq!(session.show().await["state"], "ended");
    for (path, body) in [
        ("/runs", json!({ "code": "x" })),
        ("/asks", json!({ "question": "x" })),
        ("/forks", json!({})),
        ("/checkpoints", json!({})),
        ("/checkpoints/0/restore", json!({})),
    ] {
        refused(&session.post(path, body).await, StatusCode::CONFLICT, "session_ended", "session_life_days");
    }
    assert_eq!(server.get(&format!("{}/history", session.path)).await.1["turns"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_named_checkpoint_is_the_present_state_with_its_uploads() {
    let server = Server::with(Config { checkpoints_kept: 1, ..Config::default() }).await;
    let session = Session::open(&server).await;
    session.run("one").await;
    let (status, named) = session.post("/checkpoints", json!({ "name": "good" })).await;
    assert_eq!((status, &named["number"], &named["name"]), (StatusCode::CREATED, &json!(1), &json!("good")), "{named}");
    server.upload(&format!("{}/files", session.path), &[("late.csv", b"1")]).await;
    let (_, another) = session.post("/checkpoints", json!({})).await;
    assert_eq!((&another["number"], &another["parent"], &another["head"]), (&json!(2), &json!(1), &json!(true)));
    for _ in 0..3 {
        session.run("more").await;
    }
    let (_, list) = server.get(&format!("{}/checkpoints", session.path)).await;
    let numbers: Vec<_> = list["checkpoints"].as_array().unwrap().iter().map(|one| one["number"].clone()).collect();
    assert_eq!(numbers, [json!(0), json!(1), json!(2), json!(5)]);
    session.post("/checkpoints/2/restore", json!({})).await;
    assert_eq!(session.memory().await, ("one".into(), "echo.txt,late.csv".into()));
}

#[tokio::test]
async fn a_run_is_replayed_from_its_record_and_says_what_is_gone() {
    let server = Server::new().await;
    let (_, files) = server.upload("/api/v1/files", &[("a.csv", b"1")]).await;
    let file = files["files"][0]["id"].as_str().unwrap();
    let (_, run) = server.call("POST", "/api/v1/runs", json!({ "code": "x", "files": [file] })).await;
    let path = format!("/api/v1/runs/{}/replay", run["id"].as_str().unwrap());
    let (status, replay) = server.call("POST", &path, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{replay}");
    // This backend tells no hash of what it left.
    assert_eq!(replay["differences"].as_array().unwrap().len(), 1, "{replay}");
    assert_eq!((&replay["equal"], &replay["differences"][0]["what"]), (&json!(false), &json!("artifact echo.txt")));
    server.call("DELETE", &format!("/api/v1/files/{file}"), json!({})).await;
    refused(&server.call("POST", &path, json!({})).await, StatusCode::CONFLICT, "conflict", "a.csv");

    let session = Session::open(&server).await;
    session.run("write a.txt first").await;
    let recall = session.run("recall").await;
    session.run("remove a.txt").await;
    let path = format!("/api/v1/runs/{}/replay", recall["id"].as_str().unwrap());
    let (_, replay) = server.call("POST", &path, json!({})).await;
    assert_eq!(replay, json!({ "equal": true, "deterministic": false, "differences": [] }));
    // Once its checkpoint is gone, that is said.
    let tenant = crate::tenants::Tenant::local();
    let in_dir = |path: PathBuf| std::fs::read_dir(path).unwrap().count();
    let workspaces = in_dir(server.state.storage.workspace(&tenant, ""));
    server.state.storage.forget_checkpoints().await;
    refused(&server.call("POST", &path, json!({})).await, StatusCode::CONFLICT, "conflict", "checkpoint 1");
    assert_eq!((workspaces, in_dir(server.state.storage.aside(&tenant))), (1, 0));
}

#[tokio::test]
async fn a_session_of_layout_1_takes_turns_on_its_files() {
    let server = Server::new().await;
    let session = Session::open(&server).await;
    std::fs::write(session.workspace().join("old.txt"), "old").unwrap();
    server.state.storage.forget_checkpoints().await;
    assert_eq!(session.show().await["head"], Value::Null);
    session.run("one").await;
    session.post("/checkpoints/0/restore", json!({})).await;
    assert_eq!(session.memory().await, (String::new(), "old.txt".into()));
}
