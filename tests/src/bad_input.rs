//! What users, disks and other programs get wrong: each a clear error with the way out, nothing lost.

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use glovebox_runtime::ImageState;
use glovebox_tests::{Server, cache, command};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts a server that is expected to refuse, and gives its exit code and what it said.
fn refused(listen: &str, data: &Path) -> (Option<i32>, String) {
    let output = command().args(["serve", "--listen", listen, "--data-dir"]).arg(data).output().expect("it starts");
    (output.status.code(), stderr(&output))
}

#[test]
fn broken_tables_are_sampled_with_notes_and_can_be_asked_about() {
    let server = Server::start(&[]);
    let client = server.client();
    let mut binary = vec![0x7f, b'E', b'L', b'F', 0, 1, 2, 3];
    binary.extend((0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    for (name, content, noted) in [
        ("ragged.csv", b"a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n".to_vec(), true),
        ("latin.csv", b"stadt,wert\nM\xfcnchen,1\nK\xf6ln,2\nD\xfcsseldorf,3\n".to_vec(), true),
        ("empty.csv", Vec::new(), true),
        ("header.csv", b"a,b,c\n".to_vec(), false),
        ("binary.csv", binary, true),
        ("nul.csv", b"a,b\n1,\x002\n3,4\n".to_vec(), false),
        ("quote.csv", b"a,b\n\"never closed,1\n2,3\n".to_vec(), false),
        ("wide.csv", vec![b','; 1_000], false),
        ("broken.xlsx", b"PK\x03\x04 but no workbook".to_vec(), false),
        ("broken.gif", b"GIF89a\x10\x00".to_vec(), false),
        ("broken.json", b"{\"a\": [1, 2".to_vec(), false),
    ] {
        let file = client.upload(name, &content);
        let sample = client.get(&format!("/api/v1/files/{file}/sample")).json(200);
        assert_eq!(sample["size"], content.len() as u64, "{name}");
        if noted {
            assert!(sample["notes"].as_array().is_some_and(|notes| !notes.is_empty()), "{name}: {sample}");
        }
        let session = client.session(&[&file]);
        let body = json!({ "question": "what is in this file?" });
        let answer = client.post(&format!("/api/v1/sessions/{session}/asks"), &body).json(201);
        assert_eq!(answer["status"], "done", "{name}: {answer}");
        assert!(answer["explanation"].as_str().is_some_and(|text| !text.trim().is_empty()), "{name}: {answer}");
        let ending = &answer["run"]["outcome"]["ending"];
        assert!(ending.is_null() || *ending == json!({ "kind": "exited", "code": 0 }), "{name}: {answer}");
    }
    let latin = client.upload("latin.csv", b"stadt,wert\nM\xfcnchen,1\nK\xf6ln,2\n");
    let sample = client.get(&format!("/api/v1/files/{latin}/sample")).json(200);
    assert_eq!(sample["head"][0][0], "München");
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[test]
fn an_upload_over_the_limit_is_refused_and_leaves_nothing() {
    let server = Server::start(&[("GLOVEBOX_UPLOAD_LIMIT_MIB", "1")]);
    let client = server.client();
    let send = |form: Form| client.send("POST", "/api/v1/files", |request| request.multipart(form));
    let part = |name: &str, size: usize| Part::bytes(vec![b'x'; size]).file_name(name.to_owned());
    let both = Form::new().part("file", part("small.txt", 10)).part("file", part("large.txt", (1 << 20) + 1));
    let detail = send(both).problem(413, "file_too_large");
    assert!(detail.contains("large.txt") && detail.contains("upload_limit_mib"), "{detail}");
    // Who is still sending hears the reason too.
    send(Form::new().part("file", part("huge.txt", 60 << 20))).problem(413, "file_too_large");
    assert_eq!(client.get("/api/v1/files").json(200)["files"], json!([]));
    // What came is removed by another thread than the one that answers.
    let left = || std::fs::read_dir(server.data.path().join("tmp")).expect("listed").count();
    let began = std::time::Instant::now();
    while left() > 0 {
        assert!(began.elapsed() < std::time::Duration::from_secs(10), "something is left of the upload");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    send(Form::new().part("file", part("exact.txt", 1 << 20))).json(201);
}

#[test]
fn an_upload_that_is_none_is_refused_with_the_way_out() {
    let server = Server::start(&[]);
    let client = server.client();
    let detail = client.post("/api/v1/files", &json!({})).problem(415, "unsupported_media_type");
    assert!(detail.contains("multipart/form-data"), "{detail}");
    let send = |form: Form| client.send("POST", "/api/v1/files", |request| request.multipart(form));
    let named = |name: &str| Part::bytes(b"x".to_vec()).file_name(name.to_owned());
    for form in [Form::new(), Form::new().part("files", named("a.txt")), Form::new().text("file", "no name")] {
        send(form).problem(422, "invalid_request");
    }
    let cut = client.send("POST", "/api/v1/files", |request| {
        request.header("content-type", "multipart/form-data; boundary=b").body("--b\r\ncontent-disposition: form-da")
    });
    cut.problem(422, "invalid_request");
    // Names that would lead elsewhere lead nowhere.
    for name in ["../../etc/passwd", "/etc/passwd", "..", "a\\b", "-rf"] {
        let file = send(Form::new().part("file", named(name))).json(201)["files"][0].clone();
        let kept = file["name"].as_str().expect("a name");
        assert!(!kept.contains('/') && kept != ".." && !kept.contains('\0'), "{name:?} became {kept:?}");
        let run = json!({ "code": "import os; print(len(os.listdir('.')))", "files": [file["id"]] });
        assert_eq!(client.post("/api/v1/runs", &run).json(201)["outcome"]["stdout"], "1\n", "{name:?}");
    }
    assert_eq!(client.get("/api/v1/files").json(200)["files"].as_array().map(Vec::len), Some(5));
}

/// Copies a directory with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copied");
        }
    }
}

#[test]
fn damaged_code_is_never_loaded_and_is_prepared_again() {
    drop(glovebox_tests::image("rustpython"));
    let temporary = tempfile::tempdir().expect("a directory");
    let copied = temporary.path();
    let store = glovebox::images::open(copied, None).expect("the store opens");
    let others = store.info("python").expect("there").manifest.module.sha256.expect("stated")[..16].to_owned();
    for (dir, is_ours) in [("code", false), ("images", true)] {
        for entry in std::fs::read_dir(cache().join(dir)).expect("listed") {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            if name.starts_with("rustpython-") == is_ours && !name.starts_with(&others) && !name.starts_with('.') {
                copy(&cache().join(dir).join(&name), &copied.join(dir).join(&name));
            }
        }
    }
    // A whole copy has other inodes and times, and is hashed and accepted.
    store.prepare("rustpython", &mut |step| panic!("the copy was not accepted: {step:?}")).expect("nothing to do");
    drop(store.load("rustpython").expect("it loads"));

    let damage = |file: &str, how: &dyn Fn(&mut Vec<u8>)| {
        for entry in std::fs::read_dir(copied.join(file.split('/').next().expect("a directory"))).expect("listed") {
            let path = entry.expect("an entry").path().join(file.split('/').nth(1).expect("a name"));
            if let Ok(mut bytes) = std::fs::read(&path) {
                how(&mut bytes);
                std::fs::write(&path, bytes).expect("written");
            }
        }
    };
    let refused = |what: &str| {
        let error = store.load("rustpython").err().expect("damaged").to_string();
        assert!(error.contains(what) && error.contains("glovebox image prepare rustpython"), "{error}");
        assert_eq!(store.info("rustpython").expect("listed").state, ImageState::Unprepared);
    };
    damage("code/code.cwasm", &|bytes| bytes[5000] ^= 1);
    refused("code.cwasm");
    damage("code/code.cwasm", &|bytes| bytes[5000] ^= 1);
    drop(store.load("rustpython").expect("mended"));
    damage("images/stamp.json", &|bytes| bytes.truncate(9));
    refused("stamp");
    damage("code/code.cwasm", &|bytes| bytes.truncate(bytes.len() / 2));
    refused("code.cwasm");

    let mut steps = Vec::new();
    store.prepare("rustpython", &mut |step| steps.push(step.step)).expect("it is prepared again");
    assert_eq!(steps, [1, 2, 3, 4]);
    drop(store.load("rustpython").expect("it loads"));
}

#[test]
fn a_cache_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let open = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o777)).expect("set");
    let output = command().env("GLOVEBOX_CACHE_DIR", open.path()).args(["image", "ls"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(70));
    assert!(stderr(&output).contains("GLOVEBOX_CACHE_DIR"), "{}", stderr(&output));
}

/// Prepares an image of which `module` is the module, described with `hash`.
fn prepare(module: &[u8], hash: Option<&str>) -> (Option<i32>, String) {
    let (images, cache) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let dir = images.path().join("odd");
    std::fs::create_dir(&dir).expect("made");
    let hash = hash.map(|hash| format!("sha256 = \"{hash}\"\n")).unwrap_or_default();
    let toml = format!(
        "name = \"odd\"\nversion = \"1\"\nlanguage = \"python\"\nkind = \"reactor\"\nsummary = \"Odd.\"\n\
         licence = \"MIT\"\nfilename = \"main.py\"\nmin_memory_mib = 64\n[module]\nfile = \"odd.wasm.zst\"\n{hash}"
    );
    std::fs::write(dir.join("image.toml"), toml).expect("written");
    std::fs::write(dir.join("odd.wasm.zst"), module).expect("written");
    let output = command()
        .env("GLOVEBOX_IMAGES_DIR", images.path())
        .env("GLOVEBOX_CACHE_DIR", cache.path())
        .args(["image", "prepare", "odd"])
        .output()
        .expect("it starts");
    (output.status.code(), stderr(&output))
}

#[test]
fn a_module_with_another_hash_is_refused_by_file_and_hashes() {
    let wrong = "0".repeat(64);
    let (code, said) = prepare(b"not what it was", Some(&wrong));
    assert_eq!(code, Some(70), "{said}");
    // sha256 of the bytes above
    let found = "sha256 ";
    assert!(said.contains("odd.wasm.zst") && said.contains(&wrong) && said.contains(found), "{said}");
}

#[test]
fn a_module_that_is_none_is_refused_by_name() {
    let (code, said) = prepare(b"not even compressed", None);
    assert_eq!(code, Some(70), "{said}");
    assert!(said.contains("odd.wasm.zst"), "{said}");
}

#[test]
fn a_server_goes_on_beside_an_image_that_cannot_be_prepared() {
    let images = tempfile::tempdir().expect("a directory");
    let dir = images.path().join("odd");
    std::fs::create_dir(&dir).expect("made");
    let toml = "name = \"odd\"\nversion = \"1\"\nlanguage = \"python\"\nkind = \"reactor\"\nsummary = \"Odd.\"\n\
                licence = \"MIT\"\nfilename = \"main.py\"\nmin_memory_mib = 64\n[module]\nfile = \"odd.wasm.zst\"\n";
    std::fs::write(dir.join("image.toml"), toml).expect("written");
    let server = Server::start(&[("GLOVEBOX_IMAGES_DIR", images.path().to_str().expect("text"))]);
    let client = server.client();
    assert_eq!(client.run("print(1)")["outcome"]["stdout"], "1\n");
    let reply = client.post("/api/v1/runs", &json!({ "code": "1", "image": "odd" }));
    let detail = reply.problem(503, "image_not_ready");
    assert!(detail.contains("odd"), "{detail}");
    assert!(!reply.header("retry-after").is_empty());
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let data = tempfile::tempdir().expect("a directory");
    let (code, said) = refused(&address.to_string(), data.path());
    assert_eq!(code, Some(70));
    assert!(said.contains(&format!("port {} on", address.port())) && said.contains("--listen"), "{said}");
}

#[test]
fn an_address_that_others_can_reach_is_refused() {
    let data = tempfile::tempdir().expect("a directory");
    let (code, said) = refused("0.0.0.0:0", data.path());
    assert_eq!(code, Some(2));
    assert!(said.contains("127.0.0.1"), "{said}");
}

#[test]
fn a_data_directory_has_one_server_at_a_time() {
    let server = Server::start(&[]);
    let (code, said) = refused("127.0.0.1:0", server.data.path());
    assert_eq!(code, Some(70));
    assert!(said.contains("in use by another glovebox") && said.contains("--data-dir"), "{said}");
    assert_eq!(server.client().run("print(1)")["outcome"]["stdout"], "1\n");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let (code, said) = refused("127.0.0.1:0", &file.path().join("data"));
    assert_eq!(code, Some(70));
    assert!(said.contains("cannot be written") && said.contains("--data-dir"), "{said}");
}

#[test]
fn a_data_directory_of_another_version_is_refused_and_stays_whole() {
    let server = Server::start(&[]);
    let file = server.client().upload("kept.txt", b"kept");
    let data = server.kill();
    let set = |version: &str| {
        let url = format!("sqlite://{}", data.path().join("glovebox.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio starts");
        runtime.block_on(async {
            use sqlx::Connection;
            let mut database = sqlx::SqliteConnection::connect(&url).await.expect("it opens");
            let update = sqlx::query("UPDATE meta SET value = ? WHERE key = 'data_version'").bind(version.to_owned());
            assert_eq!(update.execute(&mut database).await.expect("updated").rows_affected(), 1);
            database.close().await.expect("it closes");
        });
    };
    set("99");
    let (code, said) = refused("127.0.0.1:0", data.path());
    assert_eq!(code, Some(70));
    assert!(said.contains("layout 99") && said.contains("reads layout 9") && said.contains("--data-dir"), "{said}");
    set("2");
    let server = Server::start_in(data, &[]);
    assert_eq!(server.client().get(&format!("/api/v1/files/{file}/content")).text(), "kept");
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let data = tempfile::tempdir().expect("a directory");
    let path = data.path().join("glovebox.db");
    std::fs::write(&path, b"this was a database once ".repeat(400)).expect("written");
    let (code, said) = refused("127.0.0.1:0", data.path());
    assert_eq!(code, Some(70));
    assert!(said.contains("glovebox.db") && said.contains("backup"), "{said}");
    assert!(std::fs::read(&path).expect("there").starts_with(b"this was"));
}

#[test]
fn a_typo_in_the_configuration_is_answered_with_the_nearest_name() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "upload_limit_mb = 3\n").expect("written");
    let output = command().arg("serve").arg("--config").arg(file.path()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean upload_limit_mib?"), "{}", stderr(&output));
    let output = command().env("GLOVEBOX_WORKER", "1").args(["image", "ls"]).output().expect("it starts");
    assert!(stderr(&output).contains("did you mean GLOVEBOX_WORKERS?"), "{}", stderr(&output));
}

#[test]
fn hostile_numbers_and_texts_in_a_request_are_refused_or_harmless() {
    let server = Server::start(&[]);
    let client = server.client();
    let run = |body: Value| client.post("/api/v1/runs", &body);
    for body in [json!({ "code": "1", "seed": -1 }), json!({ "code": "1", "seed": 1e30 }), json!([]), json!("print(1)")]
    {
        run(body).problem(422, "invalid_request");
    }
    let env = json!({ "code": "1", "env": { "A=B": "x" } });
    let args = json!({ "code": "1", "args": ["a\u{0}b"] });
    for body in [env, args, json!({ "code": "print('\u{0}')" })] {
        let reply = run(body);
        assert!(matches!(reply.status, 201 | 422), "{}", reply.text());
        if reply.status == 201 {
            assert_eq!(reply.json(201)["status"], "done", "{}", reply.text());
        }
    }
    assert_eq!(client.run("print('fine')")["outcome"]["stdout"], "fine\n");
}
