//! Answers with a scripted model: repairs, budgets, candidates, follow-ups, and replies that are none.

use glovebox_tests::{Client, command, here, image};
use serde_json::{Value, json};

use crate::ask::{ask, succeeded};
use crate::script::{Say, Script, piece};

const WRONG: &str = "import pandas as pd\ndf = pd.read_csv('penguins.csv')\nprint(df['mass'].mean())";
const RIGHT: &str = "import pandas as pd\ndf = pd.read_csv('penguins.csv')\nprint(round(df['body_mass_g'].mean()))";

fn ask_with(client: &Client, session: &str, body: Value) -> Value {
    client.post(&format!("/api/v1/sessions/{session}/asks"), &body).json(201)
}

#[test]
fn the_command_line_shows_both_attempts_and_writes_the_program_that_worked() {
    image("python");
    let script = Script::start(vec![Say::program(WRONG), Say::program(RIGHT), Say::text("It is **4202 g**.")]);
    let out = tempfile::tempdir().expect("a directory");
    let penguins = here().join("data/penguins.csv");
    let output = command()
        .envs(script.env())
        .arg("ask")
        .arg(&penguins)
        .args(["how heavy is a penguin?", "--max-repairs", "2", "--out"])
        .arg(out.path())
        .output()
        .expect("it starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.starts_with("It is **4202 g**.") && stdout.contains("4202\n"), "{stdout}");
    for line in [
        "reading penguins.csv\n",
        "asking scripted for a program\n",
        "repair 1 of 2: KeyError: 'mass'\n",
        "attempt 1 failed: KeyError: 'mass'\n",
        "attempt 2 worked\n",
    ] {
        assert!(stderr.contains(line), "{line} is missing in {stderr}");
    }
    assert!(std::fs::read_to_string(out.path().join("program.py")).expect("written").contains("body_mass_g"));
    let repair = &script.requests()[1];
    assert!(repair.contains(r#"the nearest are \"body_mass_g\""#), "{repair}");
    assert!(repair.contains(r">    3 | print(df['mass'].mean())"), "{repair}");
}

#[test]
fn an_error_that_comes_again_ends_the_repairs() {
    let again = "import pandas as pd\nprint(pd.read_csv('penguins.csv')['mass'].sum())";
    let script = Script::start(vec![Say::program(WRONG), Say::program(again), Say::program(RIGHT)]);
    let server = script.server();
    let client = server.client();
    let answer = ask(&client, &client.session(&[&client.upload_data("penguins.csv")]), "how heavy is a penguin?");
    assert_eq!((script.requests().len(), answer["attempts"].as_array().map(Vec::len)), (2, Some(2)), "{answer}");
    let explanation = answer["explanation"].as_str().expect("a text");
    assert!(explanation.contains("ended with the same error (KeyError: 'mass')"), "{explanation}");
}

#[test]
fn budgets_can_only_be_made_smaller_and_end_the_answer_with_what_exists() {
    let script = Script::start(vec![Say::program(WRONG), Say::program(RIGHT)]);
    let server = script.server();
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    let asks = format!("/api/v1/sessions/{session}/asks");
    for (field, value) in [
        ("max_tokens", json!(1_000_000)),
        ("max_seconds", json!(0)),
        ("max_cost_usd", json!(50)),
        ("candidates", json!(9)),
        ("max_repairs", json!(11)),
    ] {
        let detail = client.post(&asks, &json!({ "question": "what?", field: value })).problem(422, "invalid_request");
        assert!(detail.contains(field), "{detail}");
    }
    // A reply uses 110 tokens.
    let answer = ask_with(&client, &session, json!({ "question": "how heavy is a penguin?", "max_tokens": 100 }));
    assert_eq!((script.requests().len(), &answer["effort"]["max_tokens"]), (1, &json!(100)), "{answer}");
    assert_eq!(answer["run"]["outcome"]["ending"]["kind"], "raised");
    let explanation = answer["explanation"].as_str().expect("a text");
    assert!(explanation.contains("has used 110 tokens, and it may use 100"), "{explanation}");
    assert_eq!(answer["prompt_version"], "generate 2, repair 2, explain 2");
}

#[test]
fn the_best_of_several_candidates_is_run_in_the_live_session_and_the_others_are_kept() {
    // Whoever asks first gets the failing program; what a request says is no part of it.
    let mut programs = vec![
        Say::program("print('seen', sum(range(3_000_000)))\nopen('slow.txt', 'w').write('slow')\nbest = 'slow'"),
        Say::program("raise ValueError('no')"),
        Say::program("print('seen')\nopen('quick.txt', 'w').write('quick')\nbest = 'quick'"),
    ];
    let script = Script::of(move |messages| {
        if messages.contains("The program that was run") {
            return Some(Say::text("It was quick: `quick.txt`."));
        }
        programs.pop()
    });
    let server = script.server();
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    let runs = format!("/api/v1/sessions/{session}/runs");
    client.post(&runs, &json!({ "code": "kept = 41" })).json(201);
    let answer = ask_with(&client, &session, json!({ "question": "write a txt", "candidates": 3 }));
    assert!(succeeded(&answer), "{answer}");
    let candidates = answer["candidates"].as_array().expect("candidates");
    let kept: Vec<_> = candidates.iter().filter(|one| one["kept"] == true).collect();
    assert_eq!((candidates.len(), kept.len()), (3, 1), "{answer}");
    assert_eq!((&kept[0]["artifacts"], &kept[0]["error"]), (&json!(["quick.txt"]), &Value::Null));
    assert_eq!(candidates.iter().filter(|one| one["ending"] == "raised").count(), 1);
    assert_eq!(answer["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["checked"], json!({ "named": 1, "missing": [], "corrected": false }));
    // The session goes on with its variables and the winner's, and only the winner's files are there.
    let code = "import os\nprint(kept + 1, best, sorted(os.listdir('.')))";
    let run = client.post(&runs, &json!({ "code": code })).json(201);
    assert_eq!(run["outcome"]["stdout"], "42 quick ['penguins.csv', 'quick.txt']\n", "{run}");
    // Nothing is left beside the session's directory.
    let id = answer["id"].as_str().expect("an id");
    let events = client.events(&format!("/api/v1/asks/{id}/events"), None, |_| false);
    assert_eq!(events.iter().filter(|event| event.kind == "candidate").count(), 3);
    let left = crate::ask::files(server.data.path());
    assert!(!left.iter().any(|path| path.to_string_lossy().contains("candidate-")), "{left:?}");
}

#[test]
fn a_program_that_shows_nothing_is_sent_back() {
    let script = Script::start(vec![Say::program("x = 6 * 7"), Say::program("print(6 * 7)"), Say::text("It is 42.")]);
    let server = script.server();
    let client = server.client();
    let answer = ask(&client, &client.session(&[]), "what is it?");
    assert!(succeeded(&answer), "{answer}");
    let attempts = answer["attempts"].as_array().expect("attempts");
    assert!(attempts[0]["error"].as_str().is_some_and(|error| error.contains("showed nothing")), "{answer}");
    assert_eq!((attempts.len(), &answer["run"]["outcome"]["stdout"]), (2, &json!("42\n")));
}

#[test]
fn replies_that_are_none_end_in_words_and_leave_the_session_usable() {
    let mut invalid = piece("```python\nprint('a").into_bytes();
    invalid.extend_from_slice(b"data: {\"choices\": [{\"delta\": {\"content\": \"\xff\xfe\"}}]}\n\n");
    invalid.extend_from_slice(piece("')\n```\n").as_bytes());
    invalid.extend_from_slice(b"data: [DONE]\n\n");
    let large = piece(&"no end ".repeat(1000)).repeat(10 << 20 >> 13).into_bytes();
    let r = "```r\nlibrary(dplyr)\nprint(1)\n```";
    let cases: Vec<(&str, Vec<Say>, &str)> = vec![
        ("empty", vec![Say::text("")], ""),
        ("10 MB", vec![Say::Raw(large)], ""),
        ("no UTF-8", vec![Say::Raw(invalid), Say::text("It is printed.")], ""),
        ("wrong JSON", vec![Say::Raw(b"data: {\"choices\": [{]}\n\ndata: [DONE]\n\n".to_vec())], "scripted"),
        ("a letter a second", vec![Say::Trickle], "2 seconds"),
        ("a refusal", vec![Say::text("I cannot help with that.")], "I cannot help"),
        ("another language", vec![Say::text(r), Say::text(r)], "R code"),
    ];
    let (names, replies): (Vec<_>, Vec<_>) = cases.into_iter().map(|(name, say, words)| ((name, words), say)).unzip();
    let count: Vec<usize> = replies.iter().map(Vec::len).collect();
    let mut replies: Vec<_> = replies.into_iter().map(|say| say.into_iter()).collect();
    let turn = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let now = std::sync::Arc::clone(&turn);
    // A server that retries asks the same case again, and gets nothing new.
    let script = Script::of(move |_| {
        let case = now.load(std::sync::atomic::Ordering::SeqCst);
        Some(replies[case].next().unwrap_or_else(|| Say::text("")))
    });
    let server = script.server();
    let client = server.client();
    let session = client.session(&[&client.upload_data("penguins.csv")]);
    for (case, (name, words)) in names.iter().enumerate() {
        turn.store(case, std::sync::atomic::Ordering::SeqCst);
        let answer = ask_with(&client, &session, json!({ "question": "how heavy is a penguin?", "max_seconds": 2 }));
        let said = format!("{} {}", answer["explanation"], answer["error"]["detail"]);
        assert!(said.len() > 20 && said.contains(words), "{name}: {answer}");
        assert!(count[case] > 0 && !said.contains("panic"), "{name}: {answer}");
    }
    let body = json!({ "question": "how many penguins are there?", "model": "builtin" });
    assert!(succeeded(&ask_with(&client, &session, body)));
}

#[test]
fn a_follow_up_on_the_command_line_sees_the_earlier_question_its_program_and_its_result() {
    image("python");
    let script = Script::start(vec![
        Say::program("answer = 6 * 7\nprint('the answer is', answer)"),
        Say::text("It is 42."),
        Say::program("print(answer + 1)"),
        Say::text("It is 43."),
    ]);
    let data = tempfile::tempdir().expect("a directory");
    let say = |args: &[&str]| {
        let mut command = command();
        command.envs(script.env()).current_dir(data.path()).arg("--data-dir").arg(data.path()).args(args);
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let session = say(&["session", "new"]).trim().to_owned();
    assert!(say(&["session", "ask", &session, "what is six times seven?"]).starts_with("It is 42.\n"));
    let second = say(&["session", "ask", &session, "and one more?"]);
    assert!(second.starts_with("It is 43.\n") && second.contains("\n43\n"), "{second}");
    let follow_up = &script.requests()[2];
    for part in ["what is six times seven?", "answer = 6 * 7", "the answer is 42", "and one more?"] {
        assert!(follow_up.contains(part), "{part} is missing in {follow_up}");
    }
}
