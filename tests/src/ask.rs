//! Questions to a real server: the builtin model, a scripted server of chat completions, a recording, and models that fail.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use glovebox_tests::{Client, Server};
use serde_json::{Value, json};

use crate::script::{KEY, Say, Script};

pub(crate) fn ask(client: &Client, session: &str, question: &str) -> Value {
    client.post(&format!("/api/v1/sessions/{session}/asks"), &json!({ "question": question })).json(201)
}

pub(crate) fn succeeded(ask: &Value) -> bool {
    ask["status"] == "done" && ask["run"]["outcome"]["ending"] == json!({ "kind": "exited", "code": 0 })
}

#[test]
fn a_question_about_a_table_becomes_a_chart_a_program_and_an_explanation() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    let began = Instant::now();
    let answer = ask(&client, &session, "average body mass by species and sex as a bar chart");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(succeeded(&answer), "{answer}");
    assert_eq!(answer["model"], "builtin");
    let program = answer["program"].as_str().expect("a program");
    assert!(program.contains("groupby") || program.contains("pivot"), "{program}");
    assert!(!answer["explanation"].as_str().expect("a text").trim().is_empty());
    let displays = answer["run"]["outcome"]["displays"].as_array().expect("displays");
    assert!(displays.iter().any(|display| display["data"]["image/png"].is_string()), "no picture was shown");
    let png =
        answer["run"]["artifacts"].as_array().expect("artifacts").iter().find(|one| one["media_type"] == "image/png");
    let content = client.get(png.expect("a PNG")["url"].as_str().expect("a url"));
    assert!(content.body.starts_with(b"\x89PNG"));
    // The title of a session is its first question.
    let title = client.get(&format!("/api/v1/sessions/{session}")).json(200)["title"].clone();
    assert_eq!(title, "average body mass by species and sex as a bar chart");
}

#[test]
fn every_suggestion_can_be_asked() {
    let server = Server::start(&[]);
    let client = server.client();
    for (file, question) in [
        ("penguins.csv", "average body mass by species"),
        ("seattle-weather.csv", "what is in this file?"),
        ("regions.xlsx", "what is in this file?"),
        ("orbit.gif", "how many frames are there?"),
    ] {
        let session = client.session(&[&client.upload_data(file)]);
        let first = ask(&client, &session, question);
        assert!(succeeded(&first), "{file}: {first}");
        let suggestions = first["suggestions"].as_array().expect("suggestions");
        assert!(!suggestions.is_empty(), "{file}");
        for suggestion in suggestions {
            let answer = ask(&client, &session, suggestion.as_str().expect("a text"));
            assert!(succeeded(&answer), "{file}: {suggestion}: {answer}");
        }
    }
}

#[test]
fn a_question_about_an_animation_gives_an_animation() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = client.session(&[&client.upload_data("orbit.gif")]);
    let answer = ask(&client, &session, "make it half the size");
    assert!(succeeded(&answer), "{answer}");
    let gif =
        answer["run"]["artifacts"].as_array().expect("artifacts").iter().find(|one| one["media_type"] == "image/gif");
    let content = client.get(gif.expect("a GIF")["url"].as_str().expect("a url")).body;
    let original = std::fs::read(glovebox_tests::here().join("data/orbit.gif")).expect("there");
    let width = |gif: &[u8]| u16::from_le_bytes([gif[6], gif[7]]);
    assert!(content.starts_with(b"GIF8"));
    assert_eq!(width(&content), width(&original) / 2);
}

/// Every file below a directory.
pub(crate) fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_failing_program_of_a_model_is_repaired_and_the_key_stays_hidden() {
    let script = Script::start(vec![
        Say::text(
            "Here:\n```python\nimport pandas as pd\ndf = pd.read_csv('penguins.csv')\nprint(df['mass'].mean())\n```\n",
        ),
        Say::text(
            "```python\nimport pandas as pd\ndf = pd.read_csv('penguins.csv')\nprint(round(df['body_mass_g'].mean()))\n```\n",
        ),
        Say::text("A penguin weighs **4202 g** on average."),
    ]);
    let server = script.server();
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    let answer = ask(&client, &session, "how heavy is a penguin?");
    assert!(succeeded(&answer), "{answer}");
    assert_eq!((&answer["model"], &answer["run"]["outcome"]["stdout"]), (&json!("scripted"), &json!("4202\n")));
    assert_eq!(answer["explanation"], "A penguin weighs **4202 g** on average.");
    let attempts = answer["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 2, "{answer}");
    assert_eq!((&attempts[0]["ending"], &attempts[1]["ending"]), (&json!("raised"), &json!("exited")));
    assert!(attempts[0]["error"].as_str().is_some_and(|error| error.contains("KeyError")), "{answer}");
    assert_eq!(answer["usage"], json!({ "input_tokens": 300, "output_tokens": 30, "calls": 3, "cost_micro_usd": 0 }));

    let requests = script.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].starts_with("POST /v1/chat/completions HTTP/1.1"), "{}", requests[0]);
    assert!(requests[0].contains("body_mass_g") && requests[0].contains("how heavy is a penguin?"));
    assert!(requests[1].contains("Traceback") && requests[1].contains("KeyError: 'mass'"), "{}", requests[1]);
    assert!(requests[2].contains("4202"), "the explanation is asked without the result: {}", requests[2]);
    for request in &requests {
        assert!(request.to_lowercase().contains(&format!("authorization: bearer {KEY}")), "{request}");
    }

    let told = client.get(&format!("/api/v1/asks/{}", answer["id"].as_str().expect("an id"))).text();
    let history = client.get(&format!("/api/v1/sessions/{session}/history")).text();
    for text in [answer.to_string(), told, history, client.get("/api/v1/models").text(), server.log()] {
        assert!(!text.contains(KEY), "the key shows: {text}");
    }
    for file in files(server.data.path()) {
        let bytes = std::fs::read(&file).expect("readable");
        assert!(!bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()), "the key is in {}", file.display());
    }
}

#[test]
fn a_program_cannot_see_the_key() {
    let script = Script::start(vec![
        Say::text("```python\nimport os\nprint(dict(os.environ))\nprint(os.path.exists('/proc/self/environ'))\n```\n"),
        Say::text("That is the environment."),
    ]);
    let server = script.server();
    let client = server.client();
    let answer = ask(&client, &client.session(&[]), "what is in the environment?");
    assert!(succeeded(&answer), "{answer}");
    let stdout = answer["run"]["outcome"]["stdout"].as_str().expect("text");
    assert!(stdout.ends_with("False\n") && !stdout.contains("OPENAI"), "{stdout}");
}

#[test]
fn a_reply_without_a_program_is_an_answer_without_a_run() {
    let script = Script::start(vec![Say::text("A penguin is a bird.")]);
    let server = script.server();
    let client = server.client();
    let answer = ask(&client, &client.session(&[]), "what is a penguin?");
    assert_eq!((&answer["status"], &answer["explanation"]), (&json!("done"), &json!("A penguin is a bird.")));
    assert!(answer["run"].is_null() && answer["attempts"] == json!([]), "{answer}");
}

#[test]
fn a_model_that_replies_a_web_page_is_an_error_that_names_the_setting() {
    let script = Script::start(vec![Say::Page]);
    let server = script.server();
    let client = server.client();
    let answer = ask(&client, &client.session(&[]), "what is a penguin?");
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("failed"), &json!("model_unavailable")));
    let detail = answer["error"]["detail"].as_str().expect("a detail");
    assert!(detail.contains("web page") && detail.contains("OPENAI_BASE_URL"), "{detail}");
}

#[test]
fn a_model_that_cannot_be_reached_is_an_error_that_names_the_way_out() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let url = format!("http://127.0.0.1:{port}/v1");
    let server = Server::start(&[("OPENAI_BASE_URL", &url), ("OPENAI_API_KEY", KEY)]);
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    let answer = ask(&client, &session, "how many penguins are there?");
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!("failed"), &json!("model_unavailable")));
    let detail = answer["error"]["detail"].as_str().expect("a detail");
    assert!(detail.contains(&url) && detail.contains("OPENAI_BASE_URL") && detail.contains("builtin"), "{detail}");
    assert!(!answer.to_string().contains(KEY));
    // The session is unharmed, and the builtin model answers in it.
    let body = json!({ "question": "how many penguins are there?", "model": "builtin" });
    let answer = client.post(&format!("/api/v1/sessions/{session}/asks"), &body).json(201);
    assert!(succeeded(&answer), "{answer}");
    let history = client.get(&format!("/api/v1/sessions/{session}/history")).json(200);
    assert_eq!(history["turns"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_recording_answers_without_a_network() {
    let recording = tempfile::NamedTempFile::new().expect("a file");
    let replies = json!([
        { "purpose": "generate", "text": "```python\nraise KeyError('mass')\n```" },
        { "purpose": "repair", "text": "```python\nprint(6 * 7)\n```" },
        { "purpose": "explain", "text": "It is 42." },
    ]);
    std::fs::write(recording.path(), replies.to_string()).expect("written");
    let path = recording.path().to_str().expect("a text");
    let server = Server::start(&[("GLOVEBOX_RECORDED", path), ("GLOVEBOX_MODEL", "recorded")]);
    let client = server.client();
    let session = client.session(&[]);
    let answer = ask(&client, &session, "what is it?");
    assert!(succeeded(&answer), "{answer}");
    assert_eq!((&answer["explanation"], &answer["run"]["outcome"]["stdout"]), (&json!("It is 42."), &json!("42\n")));
    assert_eq!(answer["attempts"].as_array().map(Vec::len), Some(2));
    // A second question finds nothing recorded, and says so.
    let answer = ask(&client, &session, "and now?");
    assert_eq!(answer["status"], "failed");
    assert!(answer["error"]["detail"].as_str().is_some_and(|detail| detail.contains("recording")), "{answer}");
}

#[test]
fn events_of_a_question_tell_its_stages_in_order() {
    let server = Server::start(&[]);
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    let body = json!({ "question": "average body mass by species", "wait": false });
    let question = client.post(&format!("/api/v1/sessions/{session}/asks"), &body).json(202);
    let id = question["id"].as_str().expect("an id");
    let events = client.events(&format!("/api/v1/asks/{id}/events"), None, |_| false);
    assert_eq!(events.first().map(|event| event.kind.as_str()), Some("accepted"));
    let stages: Vec<_> = events.iter().filter_map(|event| event.data["stage"].as_str()).collect();
    assert_eq!(stages, ["sampling", "generating", "running", "explaining"]);
    assert!(events.iter().any(|event| event.kind == "program"));
    let last = events.last().expect("some");
    assert_eq!(last.kind, "done");
    assert_eq!(last.data["ask"], client.get(&format!("/api/v1/asks/{id}")).json(200));
}
