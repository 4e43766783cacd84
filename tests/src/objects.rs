//! Contents in a bucket: a real server of the S3 protocol, which checks signatures and checksums.

use std::net::TcpListener;
use std::path::Path;

use glovebox_tests::{Server, command};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde_json::json;

/// A server of S3 with one bucket; it is gone when this is dropped.
struct S3 {
    url: String,
    /// What is in the bucket, as files.
    root: tempfile::TempDir,
    runtime: Option<tokio::runtime::Runtime>,
}

impl S3 {
    fn start() -> S3 {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("contents")).expect("a bucket");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut s3 = S3 { url, root, runtime: None };
        s3.serve(listener);
        s3
    }

    fn serve(&mut self, listener: TcpListener) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let mut service = S3ServiceBuilder::new(FileSystem::new(self.root.path()).expect("a file system"));
        service.set_auth(SimpleAuth::from_single("the-id", "the-secret"));
        let service = service.build();
        listener.set_nonblocking(true).expect("a listener");
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((connection, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(connection), service).await
                });
            }
        });
        self.runtime = Some(runtime);
    }

    /// Nobody answers any more.
    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// At the same address as before.
    fn go_on(&mut self) {
        let address = self.url.trim_start_matches("http://");
        let listener = (0..100).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            TcpListener::bind(address).ok()
        });
        self.serve(listener.expect("the port is free again"));
    }

    fn env(&self) -> Vec<(&str, &str)> {
        vec![
            ("GLOVEBOX_OBJECTS", "s3://contents/glovebox"),
            ("AWS_ACCESS_KEY_ID", "the-id"),
            ("AWS_SECRET_ACCESS_KEY", "the-secret"),
            ("AWS_REGION", "here-1"),
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_ALLOW_HTTP", "true"),
        ]
    }

    fn count(&self) -> usize {
        fn files(dir: &Path) -> usize {
            let entries = std::fs::read_dir(dir).into_iter().flatten().map_while(Result::ok);
            entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
        }
        files(&self.root.path().join("contents/glovebox/blobs"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_machine_that_lost_its_contents_gets_them_from_the_bucket() {
    let s3 = S3::start();
    let server = Server::start(&s3.env());
    let client = server.client();
    // Sent in parts.
    let large: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = client.upload("large.bin", &large);
    let session = client.session(&[&file]);
    let turns = format!("/api/v1/sessions/{session}/runs");
    let turn = client.post(&turns, &json!({ "code": "open('made.txt', 'w').write('by a program')\nx = 41" })).json(201);
    let artifact = turn["artifacts"][0]["url"].as_str().expect("a url").to_owned();
    let gone = client.upload("gone.txt", b"deleted again");
    assert_eq!(s3.count(), 3);
    assert_eq!(client.send("DELETE", &format!("/api/v1/files/{gone}"), |request| request).status, 204);
    assert_eq!(s3.count(), 2, "what is deleted here is deleted there");
    let backup = tempfile::tempdir().expect("a directory");
    let to = backup.path().join("backup");
    let saved = command().arg("backup").arg(&to).arg("--data-dir").arg(server.data.path()).output().expect("it starts");
    let said = String::from_utf8_lossy(&saved.stdout).into_owned();
    assert!(saved.status.success() && said.contains("s3://contents/glovebox"), "{said}");
    assert!(!to.join("blobs").exists(), "the contents are in the bucket");
    drop(server);

    // Another machine.
    let data = tempfile::tempdir().expect("a directory");
    let restored = command().arg("restore").arg(&to).arg("--data-dir").arg(data.path()).output().expect("it starts");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let server = Server::start_in(data, &s3.env());
    let client = server.client();
    assert!(client.get(&format!("/api/v1/files/{file}/content")).body == large, "the upload is another one");
    assert_eq!(client.get(&artifact).text(), "by a program");
    let turn = client
        .post(
            &turns,
            &json!({ "code": "import os\nprint(x + 1, open('made.txt').read(), os.path.getsize('large.bin'))" }),
        )
        .json(201);
    assert_eq!(turn["outcome"]["stdout"], "42 by a program 20000000\n", "{turn}");
}

#[test]
fn what_the_bucket_does_not_take_is_not_accepted_and_nothing_of_it_stays() {
    let mut s3 = S3::start();
    let server = Server::start(&s3.env());
    let client = server.client();
    client.upload("before.txt", b"before");
    s3.stop();
    let form = reqwest::multipart::Part::bytes(b"while it is away".to_vec()).file_name("away.txt");
    let form = reqwest::multipart::Form::new().part("file", form);
    let refused = client.send("POST", "/api/v1/files", |request| request.multipart(form));
    assert!(refused.status >= 500, "{}", refused.text());
    assert!(!refused.text().contains("the-secret") && !server.log().contains("the-secret"));
    let listed = client.get("/api/v1/files").json(200);
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(1), "{listed}");
    // What is on this machine is there all the same.
    assert_eq!(client.run("print(6 * 7)")["outcome"]["stdout"], "42\n");
    s3.go_on();
    client.upload("away.txt", b"while it is away");
    assert_eq!(s3.count(), 2);
}

#[test]
fn a_store_that_cannot_be_used_is_named_at_the_start_and_by_the_doctor() {
    let s3 = S3::start();
    let dir = tempfile::tempdir().expect("a directory");
    let start = |change: (&str, &str)| {
        let mut env = s3.env();
        env.push(change);
        let output = command()
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path())
            .envs(env)
            .output()
            .expect("it starts");
        assert!(!output.status.success(), "{change:?} was taken");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (change, word) in [
        (("AWS_SECRET_ACCESS_KEY", "another"), "s3://contents/glovebox"),
        (("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), "s3://contents/glovebox"),
        (("GLOVEBOX_OBJECTS", "ftp://contents"), "neither `s3://BUCKET/PREFIX` nor `file:///DIRECTORY`"),
    ] {
        let said = start(change);
        assert!(said.contains("objects") && said.contains(word), "{change:?}: {said}");
        assert!(!said.contains("the-secret") && !said.contains("another"), "{said}");
    }
    let doctor = |env: Vec<(&str, &str)>| {
        let output = command().args(["doctor", "--data-dir"]).arg(dir.path()).envs(env).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(doctor(s3.env()).contains("OK     store of objects"), "{}", doctor(s3.env()));
    let mut wrong = s3.env();
    wrong.push(("AWS_SECRET_ACCESS_KEY", "another"));
    assert!(doctor(wrong.clone()).contains("WRONG  store of objects"), "{}", doctor(wrong));
}
