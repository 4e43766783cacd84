//! The command line: what it prints where, and its exit codes.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use glovebox_tests::{command, here};
use serde_json::{Value, json};

/// Runs the command in a directory.
fn glovebox_in(dir: &Path, args: &[&str]) -> Output {
    command().current_dir(dir).args(args).output().expect("it starts")
}

fn glovebox(args: &[&str]) -> Output {
    glovebox_in(&std::env::temp_dir(), args)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output)
}

/// One JSON document and nothing else.
fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

/// Runs a script with these flags.
fn run(flags: &[&str], source: &str, args: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("script.py"), source).expect("written");
    let args: Vec<_> = ["run"].iter().chain(flags).chain(&["script.py"]).chain(args).copied().collect();
    glovebox_in(dir.path(), &args)
}

#[test]
fn a_script_gives_its_own_exit_code_and_its_own_output() {
    let output = run(&[], "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(7)", &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(7), "out\n".into()));
    assert!(stderr(&output).contains("err\n"));
    assert_eq!(succeeded(&run(&["--image", "rustpython"], "print(6 * 7)", &[])), "42\n");
    assert_eq!(succeeded(&run(&[], "1\n'last'", &[])), "'last'\n");
}

#[test]
fn an_exception_is_1_with_its_traceback_on_stderr() {
    let output = run(&[], "def f():\n    return {}['key']\nf()", &[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()));
    let said = stderr(&output);
    assert!(said.contains("Traceback") && said.contains("script.py\", line 2") && said.contains("KeyError"), "{said}");
    assert_eq!(run(&[], "def (", &[]).status.code(), Some(1));
}

#[test]
fn each_limit_has_its_exit_code_and_its_name() {
    let policies = tempfile::tempdir().expect("a directory");
    let toml = "description = \"Tight.\"\n[run]\nwall_time_ms = 400\nworkspace_mib = 1\n";
    std::fs::write(policies.path().join("tight.toml"), toml).expect("written");
    std::fs::write(policies.path().join("small.toml"), "description = \"Small.\"\n[run]\nmemory_mib = 200\n")
        .expect("written");
    for (policy, image, source, code, name) in [
        ("strict", "python", "while True: pass", 125, "fuel"),
        ("tight", "python", "import time\ntime.sleep(30)", 124, "wall_time_ms"),
        ("tight", "python", "open('big', 'wb').write(b'x' * 5_000_000)", 126, "workspace_mib"),
        ("small", "rustpython", "x = [0] * 8\nwhile True: x = x + x", 137, "memory_mib"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("script.py"), source).expect("written");
        let output = command()
            .env("GLOVEBOX_POLICIES_DIR", policies.path())
            .current_dir(dir.path())
            .args(["run", "--policy", policy, "--image", image, "script.py"])
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{source}: {}", stderr(&output));
        assert!(stderr(&output).contains(name), "{source}: {}", stderr(&output));
    }
}

#[test]
fn a_mistake_in_the_command_is_2_and_lists_what_there_is() {
    for (args, says) in [
        (["run", "--image", "pyton", "-"], "there are: javascript, python, rustpython"),
        (["run", "--policy", "lax", "-"], "there are: default, generous, strict"),
        (["run", "--file", "/no/such.csv", "-"], "/no/such.csv"),
    ] {
        let output = glovebox(&args);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()), "{args:?}");
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
    let output = glovebox(&["run", "/no/such.py"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot read /no/such.py"), "{}", stderr(&output));
    assert_eq!(glovebox(&["frobnicate"]).status.code(), Some(2));
}

#[test]
fn an_image_without_its_module_is_a_failure_of_ours() {
    let images = tempfile::tempdir().expect("a directory");
    let dir = images.path().join("hollow");
    std::fs::create_dir(&dir).expect("made");
    let toml = "name = \"hollow\"\nversion = \"1\"\nlanguage = \"python\"\nkind = \"reactor\"\nsummary = \"No module.\"\n\
                licence = \"MIT\"\nfilename = \"main.py\"\nmin_memory_mib = 64\n[module]\nfile = \"hollow.wasm.zst\"\n";
    std::fs::write(dir.join("image.toml"), toml).expect("written");
    let with =
        |args: &[&str]| command().env("GLOVEBOX_IMAGES_DIR", images.path()).args(args).output().expect("it starts");
    let output = with(&["run", "--image", "hollow", "-"]);
    assert_eq!(output.status.code(), Some(70), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("hollow.wasm.zst is missing") && said.contains("image build hollow"), "{said}");
    // The others go on.
    let list = document(&with(&["image", "ls", "--json"]));
    let states: Vec<_> = list.as_array().expect("a list").iter().map(|one| (&one["name"], &one["state"])).collect();
    let expected = [("hollow", "missing"), ("javascript", "ready"), ("python", "ready"), ("rustpython", "ready")]
        .map(|(n, s)| (json!(n), json!(s)));
    assert_eq!(states, expected.iter().map(|(name, state)| (name, state)).collect::<Vec<_>>());
}

#[test]
fn json_is_one_document_whatever_the_script_prints() {
    let output = run(&["--json"], "print('noise')\n41 + 1", &[]);
    let outcome = document(&output);
    assert_eq!(outcome["ending"], json!({ "kind": "exited", "code": 0 }));
    assert_eq!((&outcome["stdout"], &outcome["displays"][0]["data"]["text/plain"]), (&json!("noise\n"), &json!("42")));
    let output = run(&["--json"], "raise ValueError('no')", &[]);
    assert_eq!((output.status.code(), &document(&output)["ending"]["exception"]), (Some(1), &json!("ValueError")));
}

#[test]
fn a_dash_reads_the_script_from_standard_input() {
    let mut child = command()
        .args(["run", "-", "a", "--b"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"import sys\nprint(sys.argv[1:])").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(succeeded(&output), "['a', '--b']\n");
}

#[test]
fn arguments_after_the_script_are_the_scripts() {
    let output = run(&[], "import sys\nprint(sys.argv[1:])", &["--json", "-x", "two words", "ä"]);
    assert_eq!(succeeded(&output), "['--json', '-x', 'two words', 'ä']\n");
}

#[test]
fn files_go_in_and_artifacts_and_pictures_come_out() {
    let out = tempfile::tempdir().expect("a directory");
    let csv = here().join("data/penguins.csv");
    let source = "import pandas as pd, matplotlib.pyplot as plt, os, seaborn as sns\n\
                  df = pd.read_csv('penguins.csv')\n\
                  os.mkdir('deep')\ndf.describe().to_csv('deep/summary.csv')\n\
                  sns.histplot(df, x='body_mass_g', hue='species')\nplt.show()";
    let flags = ["--file", csv.to_str().expect("text"), "--out", out.path().to_str().expect("text")];
    let output = run(&flags, source, &[]);
    succeeded(&output);
    let summary = std::fs::read_to_string(out.path().join("deep/summary.csv")).expect("written");
    assert!(summary.starts_with(",bill_length_mm"), "{summary}");
    assert!(std::fs::read(out.path().join("display-1.png")).expect("written").starts_with(b"\x89PNG"));
    assert!(!out.path().join("penguins.csv").exists(), "an input came out again");
    assert!(stderr(&output).contains("summary.csv"), "{}", stderr(&output));
}

#[test]
fn a_seeded_deterministic_run_prints_the_same_twice() {
    let source = "import random, time\nprint(random.random(), time.time())";
    let once = || succeeded(&run(&["--deterministic", "--seed", "5"], source, &[]));
    assert_eq!(once(), once());
}

#[test]
fn a_question_on_the_command_line_leaves_a_chart_and_its_program() {
    let out = tempfile::tempdir().expect("a directory");
    let csv = here().join("data/penguins.csv");
    let question = "average body mass by species and sex as a bar chart";
    let args = ["ask", csv.to_str().expect("text"), question, "--out", out.path().to_str().expect("text")];
    let output = glovebox(&args);
    assert!(!succeeded(&output).trim().is_empty());
    let names: Vec<_> = std::fs::read_dir(out.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().any(|name| name.ends_with(".png")) && names.contains(&"program.py".to_owned()), "{names:?}");
    // The program that it leaves can be run as it is.
    let program = out.path().join("program.py");
    let again = glovebox(&["run", "--file", csv.to_str().expect("text"), program.to_str().expect("text")]);
    succeeded(&again);

    let output = glovebox(&[&args[..], &["--json"]].concat());
    assert_eq!(document(&output)["model"], "builtin");
    let output = glovebox(&["ask", csv.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no question"), "{}", stderr(&output));
}

#[test]
fn a_model_that_cannot_be_reached_is_70_with_the_way_out() {
    let output = command()
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        .args(["ask", "how many?", "--out", "/nonexistent"])
        .output()
        .expect("it starts");
    assert_eq!((output.status.code(), stdout(&output)), (Some(70), String::new()));
    assert!(stderr(&output).contains("OPENAI_BASE_URL"), "{}", stderr(&output));
}

#[test]
fn a_sample_tells_what_is_in_a_file() {
    let csv = here().join("data/penguins.csv");
    let csv = csv.to_str().expect("text");
    let said = succeeded(&glovebox(&["sample", csv]));
    assert!(said.contains("344 rows, 8 columns") && said.contains("body_mass_g"), "{said}");
    let samples = document(&glovebox(&["sample", "--json", csv]));
    assert_eq!((&samples[0]["rows"], &samples[0]["kind"]), (&json!(344), &json!("table")));
    assert_eq!(glovebox(&["sample", "/no/such.csv"]).status.code(), Some(2));
}

#[test]
fn a_typo_in_a_policy_is_answered_with_the_nearest_name() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("acme.toml"), "description = \"x\"\n[run]\nmemory_mb = 5\n").expect("written");
    std::fs::write(dir.path().join("fine.toml"), "description = \"x\"\n[run]\nmemory_mib = 500\n").expect("written");
    let output = glovebox_in(dir.path(), &["policy", "check", "acme.toml", "fine.toml"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), "fine.toml: OK\n".into()));
    assert_eq!(stderr(&output), "acme.toml: unknown setting run.memory_mb (did you mean run.memory_mib?)\n");
    // Such a directory keeps nothing from being said, and a server from starting.
    let output = command()
        .env("GLOVEBOX_POLICIES_DIR", dir.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path().join("data"))
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("did you mean run.memory_mib?"), "{}", stderr(&output));
}

#[test]
fn what_can_be_chosen_is_listed() {
    let said = succeeded(&glovebox(&["policy", "explain", "strict"]));
    assert!(said.starts_with("strict: ") && said.contains("memory_mib") && said.contains("1000000000"), "{said}");
    let output = glovebox(&["policy", "explain", "lax"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there are: default, generous, strict"));
    assert_eq!(document(&glovebox(&["policy", "explain", "--json"])).as_array().map(Vec::len), Some(3));

    let images = document(&glovebox(&["image", "ls", "--json"]));
    assert_eq!((&images[0]["name"], &images[0]["state"]), (&json!("javascript"), &json!("ready")));
    assert!(succeeded(&glovebox(&["image", "inspect", "python"])).contains("pandas"));
    assert_eq!(glovebox(&["image", "inspect", "perl"]).status.code(), Some(2));

    assert!(succeeded(&glovebox(&["models"])).contains("builtin"));
    let models = command()
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        .env("OPENAI_MODEL", "qwen")
        .args(["models", "--json"])
        .output()
        .expect("it starts");
    let server = "http://127.0.0.1:9/v1";
    let expected =
        json!({ "name": "qwen", "provider": "openai-chat", "default": true, "model": "qwen", "server": server });
    assert_eq!(document(&models)[0], expected);
}
