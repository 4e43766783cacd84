//! A backup that is taken while the server works, and what comes back from it.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_tests::{Client, Server, command};
use serde_json::{Value, json};

fn call(what: &str, argument: &Path, data: &Path) -> Output {
    command().arg(what).arg(argument).arg("--data-dir").arg(data).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_backup_under_load_restores_everything_that_was_acknowledged_before() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = client.session(&[&client.upload("data.csv", b"a,b\n1,2\n")]);
    let turn = |client: &Client, code: &str| {
        client.post(&format!("/api/v1/sessions/{session}/runs"), &json!({ "code": code })).json(201)
    };
    turn(&client, "x = 41");
    let runs: Vec<Value> =
        (0..8).map(|n| client.run(&format!("open('a.txt', 'w').write('number {n}' * 9999)"))).collect();
    let contents: Vec<_> =
        runs.iter().map(|run| client.get(run["artifacts"][0]["url"].as_str().expect("a url")).body).collect();

    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (stop, client) = (Arc::clone(&stop), server.client());
        std::thread::spawn(move || {
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                client.run(&format!("open('load.txt', 'w').write('{done}' * 5000)"));
                // Deleted again while the backup may be about to copy it.
                let file = client.upload("x.txt", format!("{done}").as_bytes());
                assert_eq!(client.send("DELETE", &format!("/api/v1/files/{file}"), |request| request).status, 204);
                done += 1;
            }
            done
        })
    };
    let dir = tempfile::tempdir().expect("a directory");
    for n in 0..5 {
        let done = call("backup", &dir.path().join(n.to_string()), server.data.path());
        assert!(done.status.success(), "{}", said(&done));
    }
    stop.store(true, Ordering::Relaxed);
    assert!(load.join().expect("no call failed") > 0, "there was no load");

    let (backup, data) = (dir.path().join("4"), tempfile::tempdir().expect("a directory"));
    let done = call("restore", &backup, data.path());
    assert!(done.status.success(), "{}", said(&done));
    let again = call("restore", &backup, data.path());
    assert!(!again.status.success() && said(&again).contains("is not empty"), "{}", said(&again));
    let again = call("backup", &backup, server.data.path());
    assert!(!again.status.success() && said(&again).contains("is not empty"), "{}", said(&again));

    let restored = Server::start_in(data, &[]);
    let client = restored.client();
    for (run, content) in runs.iter().zip(&contents) {
        let known = client.get(&format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"))).json(200);
        assert_eq!(&known, run);
        assert_eq!(&client.get(known["artifacts"][0]["url"].as_str().expect("a url")).body, content);
    }
    let turn = turn(&client, "print(x + 1, open('data.csv').read().strip())");
    assert_eq!(turn["outcome"]["stdout"], "42 a,b\n1,2\n", "{turn}");
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let server = Server::start(&[]);
    let client = server.client();
    client.upload("data.csv", b"the content of a file");
    let dir = tempfile::tempdir().expect("a directory");
    let backup = dir.path().join("backup");
    let done = call("backup", &backup, server.data.path());
    assert!(done.status.success(), "{}", said(&done));
    let list: Value =
        serde_json::from_slice(&std::fs::read(backup.join("backup.json")).expect("a list")).expect("JSON");
    let blob =
        list["files"].as_object().expect("files").keys().find(|path| path.starts_with("blobs/")).expect("a blob");
    let content = std::fs::read(backup.join(blob)).expect("read");
    let mut flipped = content.clone();
    flipped[3] ^= 1;
    std::fs::write(backup.join(blob), flipped).expect("written");
    let done = call("restore", &backup, &dir.path().join("flipped"));
    assert!(!done.status.success() && said(&done).contains(blob.as_str()), "{}", said(&done));
    assert!(!dir.path().join("flipped/glovebox.db").exists(), "half of it could be started");
    std::fs::write(backup.join(blob), content).expect("written");
    std::fs::rename(backup.join("backup.json"), dir.path().join("list")).expect("moved");
    let done = call("restore", &backup, &dir.path().join("unfinished"));
    assert!(!done.status.success() && said(&done).contains("not a finished backup"), "{}", said(&done));

    // A content that rotted on the server is not backed up as if it were whole.
    std::fs::write(server.data.path().join(blob), b"the content of a fire").expect("written");
    let done = call("backup", &dir.path().join("rotten"), server.data.path());
    assert!(!done.status.success() && said(&done).contains("is damaged"), "{}", said(&done));
    let done = call("backup", &dir.path().join("nothing"), dir.path());
    assert!(!done.status.success() && said(&done).contains("holds no data"), "{}", said(&done));
}
