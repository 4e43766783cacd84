//! Models of one file: each protocol from the question to the answer, what they cost, whether they answer, and their keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use glovebox_tests::{Client, Server, command};
use serde_json::{Value, json};

use crate::ask::files;
use crate::script::{KEY, Say, Script};

const FILE_KEY: &str = "sk-from-a-file-9876543210";

/// A file with a model of each protocol at this server, and one that nobody serves.
fn models(dir: &Path, script: &Script) -> PathBuf {
    let key = dir.join("key");
    std::fs::write(&key, FILE_KEY).expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("its mode is set");
    let entry = |name: &str, provider: &str, url: &str, key: &str| {
        format!(
            "[[model]]\nname = \"{name}\"\nprovider = \"{provider}\"\nmodel = \"remote-{name}\"\nbase_url = \"{url}\"\n{key}\n\
             price_input_usd_per_mtok = 1.0\nprice_output_usd_per_mtok = 10.0\nretries = 0\n"
        )
    };
    let env = "key_env = \"SOME_KEY\"";
    let text = entry("chat", "openai-chat", &script.url, env)
        + &entry("responses", "openai-responses", &script.url, env)
        + &entry("messages", "anthropic", &script.url, "key_file = \"key\"")
        + &entry("nobody", "openai-chat", "http://127.0.0.1:9/v1", env);
    let path = dir.join("models.toml");
    std::fs::write(&path, text).expect("written");
    path
}

/// Replies with a program, and to its result with an explanation.
fn helpful() -> Script {
    Script::of(|messages| {
        let explains = messages.contains("The program that was run");
        Some(if explains { Say::text("It is 42.") } else { Say::program("print(6 * 7)") })
    })
}

fn usage_of(client: &Client, list: &str, model: &str) -> Value {
    let usage = client.get("/api/v1/usage").json(200);
    let of_model = usage[list].as_array().and_then(|list| list.iter().find(|one| one["model"] == model));
    of_model.cloned().unwrap_or_default()
}

#[test]
fn every_protocol_answers_counts_its_tokens_and_keeps_its_key() {
    let (dir, script) = (tempfile::tempdir().expect("a directory"), helpful());
    let file = models(dir.path(), &script);
    let server = Server::start(&[("GLOVEBOX_MODELS_FILE", file.to_str().expect("a text")), ("SOME_KEY", KEY)]);
    let client = server.client();
    let mut told = String::new();
    for (name, head) in [
        ("chat", format!("authorization: Bearer {KEY}")),
        ("responses", format!("authorization: Bearer {KEY}")),
        ("messages", format!("x-api-key: {FILE_KEY}")),
    ] {
        let session = client.session(&[]);
        let ask = json!({ "question": "what is 6 * 7?", "model": name });
        let answer = client.post(&format!("/api/v1/sessions/{session}/asks"), &ask).json(201);
        assert_eq!((&answer["status"], &answer["model"]), (&json!("done"), &json!(name)), "{answer}");
        assert_eq!(answer["run"]["outcome"]["stdout"], "42\n", "{answer}");
        // Two calls of 100 tokens for a millionth of a dollar each and 10 for ten.
        let used = json!({ "input_tokens": 200, "output_tokens": 20, "calls": 2, "cost_micro_usd": 400 });
        assert_eq!(answer["usage"], used, "{name}");
        assert!(!answer.to_string().contains("a thought"), "{answer}");
        let request = script.requests().pop().expect("a request");
        assert!(request.contains(&head) && request.contains(&format!("\"remote-{name}\"")), "{request}");
        for list in ["days", "total"] {
            let usage = usage_of(&client, list, name);
            assert_eq!((&usage["calls"], &usage["cost_usd"]), (&json!(2), &json!(0.0004)), "{usage}");
        }
        let id = answer["id"].as_str().expect("an id");
        let events = client.events(&format!("/api/v1/asks/{id}/events"), None, |_| false);
        told.extend(events.iter().map(|event| event.data.to_string()));
        told += &answer.to_string();
    }
    told += &(client.get("/api/v1/models").text() + &client.get("/metrics").text() + &server.log());
    let stored = files(server.data.path()).into_iter().map(|file| std::fs::read(file).expect("readable"));
    let environments = children(server.pid()).into_iter().map(|pid| std::fs::read(format!("/proc/{pid}/environ")));
    let environments: Vec<Vec<u8>> = environments.filter_map(Result::ok).collect();
    assert!(!environments.is_empty(), "no worker was looked at");
    for text in stored.chain(environments).chain([told.into_bytes()]) {
        let text = String::from_utf8_lossy(&text);
        assert!(![KEY, FILE_KEY].iter().any(|key| text.contains(key)), "a key shows: {text}");
    }
}

/// The processes that a process started.
fn children(parent: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("readable").filter_map(Result::ok);
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let is_child = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name, which may hold anything, come the state and the parent.
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&parent.to_string())
    };
    names.filter(is_child).collect()
}

#[test]
fn pinging_tells_who_answers_and_who_does_not() {
    let (dir, script) = (tempfile::tempdir().expect("a directory"), helpful());
    let file = models(dir.path(), &script);
    let ping = |more: &[&str]| {
        let mut glovebox = command();
        glovebox.env("GLOVEBOX_MODELS_FILE", &file).env("SOME_KEY", KEY).arg("models").args(more);
        let output = glovebox.output().expect("it runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!text.contains(KEY) && !text.contains(FILE_KEY), "a key shows: {text}");
        (output.status.code(), text)
    };
    let (code, text) = ping(&["--ping", "--json"]);
    let rows: Value = serde_json::from_str(&text).expect("one document");
    let answered = |name: &str| {
        let row = rows.as_array().and_then(|rows| rows.iter().find(|row| row["name"] == name));
        row.map(|row| row["ping"]["ok"].clone()).unwrap_or_default()
    };
    let all = ["chat", "responses", "messages", "nobody", "builtin"].map(answered);
    assert_eq!(all, [json!(true), json!(true), json!(true), json!(false), Value::Null], "{text}");
    assert_eq!(code, Some(1));
    assert!(text.contains("model nobody: cannot reach http://127.0.0.1:9/v1"), "{text}");
    assert!(text.contains("SOME_KEY"), "{text}");

    let (code, text) = ping(&["--ping", "messages"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("(100 + 10 tokens)"), "{text}");
    // A key that others can read is not used.
    std::fs::set_permissions(dir.path().join("key"), std::fs::Permissions::from_mode(0o644)).expect("its mode is set");
    let (code, text) = ping(&[]);
    assert_ne!(code, Some(0));
    assert!(text.contains("chmod 600"), "{text}");
}
