//! Sessions from the command line: each command a process of its own, with a server and without.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use glovebox_tests::{Server, command, here, image};
use serde_json::{Value, json};

/// A data directory and the commands that are given on it.
struct Data<'a>(&'a Path);

impl Data<'_> {
    fn command(&self, args: &[&str]) -> Command {
        image("python");
        let mut command = command();
        command.current_dir(self.0).arg("--data-dir").arg(self.0).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it starts")
    }

    /// What a command that succeeds prints.
    fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    fn document(&self, args: &[&str]) -> Value {
        let said = self.says(args);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Takes a turn that succeeds.
    fn turn(&self, session: &str, code: &str) -> String {
        self.says(&["session", "turn", session, code])
    }

    /// Starts a session and gives its id.
    fn session(&self) -> String {
        self.says(&["session", "new"]).trim().to_owned()
    }

    /// Gives these lines to a command that succeeds, and returns what it prints.
    fn piped(&self, args: &[&str], input: &str) -> Output {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().expect("kill is here");
    assert!(sent.success());
}

/// A table and two copies of its session, each changed in its own way; all of them asleep.
fn family(data: &Data) -> [String; 3] {
    let parent = data.session();
    data.turn(
        &parent,
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})\nopen('notes.txt', 'w').write('parent')",
    );
    let children = lines(&data.says(&["session", "fork", &parent, "-n", "2"]));
    assert_eq!(children.len(), 2);
    data.turn(&children[0], "df['a'] = df['a'] * 10\nopen('notes.txt', 'w').write('first')");
    data.turn(&children[1], "df = df[df['a'] > 1]\nopen('notes.txt', 'w').write('second')");
    let family = [parent, children[0].clone(), children[1].clone()];
    for session in &family {
        assert!(data.says(&["session", "hibernate", session]).starts_with("asleep"));
        assert_eq!(data.document(&["session", "show", session, "--json"])["state"], "asleep");
    }
    family
}

fn each_is_as_it_was_left(data: &Data, [parent, first, second]: &[String; 3]) {
    let asks = "print(df['a'].tolist(), open('notes.txt').read())";
    assert_eq!(data.turn(parent, asks), "[1, 2, 3] parent\n");
    assert_eq!(data.turn(first, asks), "[10, 20, 30] first\n");
    assert_eq!(data.turn(second, asks), "[2, 3] second\n");
}

#[test]
fn forks_differ_and_sleep_and_wake_without_a_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let family = family(&data);
    each_is_as_it_was_left(&data, &family);
    let shown = data.document(&["session", "show", &family[1], "--json"]);
    assert_eq!(shown["forked_from"]["session"], json!(family[0]), "{shown}");
}

#[test]
fn forks_survive_a_server_that_is_killed() {
    let server = Server::start(&[]);
    let path = server.data.path().to_owned();
    let data = Data(&path);
    let family = family(&data);
    // They were the server's: it knows them.
    assert_eq!(server.client().get(&format!("/api/v1/sessions/{}", family[2])).status, 200);
    let kept = server.kill();
    // Nobody serves the directory now, whatever the notice says that the server left behind.
    each_is_as_it_was_left(&data, &family);
    let server = Server::start_in(kept, &[]);
    each_is_as_it_was_left(&data, &family);
    assert_eq!(server.client().get(&format!("/api/v1/sessions/{}", family[0])).json(200)["turns"], 3);
}

#[test]
fn a_server_notes_its_address_for_its_user_alone_and_takes_the_note_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = command()
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(server.stdout.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it speaks");
    // It listens when it answers; then the note is there.
    let data = Data(dir.path());
    data.says(&["session", "ls"]);
    let path = dir.path().join("server.json");
    let note: Value = serde_json::from_slice(&std::fs::read(&path).expect("there")).expect("JSON");
    assert!(line.contains(note["url"].as_str().expect("a url")), "{line} {note}");
    assert_eq!(note["pid"], server.id());
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    signal(&server, "TERM");
    assert!(server.wait().expect("it ends").success());
    assert!(!path.exists());
}

#[test]
fn a_turn_keeps_variables_and_gives_the_exit_code_of_its_program() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let id = data.session();
    assert_eq!(data.turn(&id, "x = 40\nx"), "40\n");
    let raised = data.run(&["session", "turn", &id, "x += 2\n{}['key']"]);
    assert_eq!(raised.status.code(), Some(1));
    assert!(stderr(&raised).contains("KeyError") && !stderr(&raised).contains("undone"), "{}", stderr(&raised));
    assert_eq!(data.run(&["session", "turn", &id, "import sys; sys.exit(7)"]).status.code(), Some(7));
    std::fs::write(dir.path().join("show.py"), "print(x)").expect("written");
    assert_eq!(data.says(&["session", "turn", &id, "--script", "show.py"]), "42\n");
    assert_eq!(stdout(&data.piped(&["session", "turn", &id, "-"], "print(x + 1)")), "43\n");
    let run = data.document(&["session", "turn", &id, "--json", "print('noise'); x"]);
    assert_eq!((&run["outcome"]["stdout"], &run["undone"]), (&json!("noise\n"), &json!(false)), "{run}");
    assert!(run["checkpoint"].is_u64(), "{run}");
    assert_eq!(data.document(&["session", "history", &id, "--json"])["turns"].as_array().map(Vec::len), Some(6));
    let history = data.says(&["session", "history", &id]);
    assert!(history.contains("KeyError") && history.contains("run_") && history.contains("print(x + 1)"), "{history}");
    let full = data.says(&["session", "history", "--full", &id]);
    assert!(full.contains("    {}['key']\n") && full.contains("Traceback"), "{full}");
}

#[test]
fn a_turn_that_meets_a_hard_limit_is_undone_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let id = data.says(&["session", "new", "--policy", "strict"]).trim().to_owned();
    data.turn(&id, "x = 1\nopen('kept', 'w').close()");
    let output = data.run(&["session", "turn", &id, "x = 2\nopen('lost', 'w').close()\nwhile True: pass"]);
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert_eq!(stderr(&output).matches("undone").count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("fuel"), "{}", stderr(&output));
    assert_eq!(data.turn(&id, "import os\nprint(x, os.listdir())"), "1 ['kept']\n");
    assert!(data.says(&["session", "history", &id]).contains("out of fuel, undone"));
}

#[test]
fn ctrl_c_interrupts_the_turn_and_the_session_goes_on() {
    // CPython raises KeyboardInterrupt and keeps what was done; where nothing can be raised, the turn is undone.
    for (name, kept) in [("python", true), ("rustpython", false)] {
        image(name);
        let dir = tempfile::tempdir().expect("a directory");
        let data = Data(dir.path());
        let id = data.says(&["session", "new", "--image", name]).trim().to_owned();
        data.turn(&id, "x = 1");
        let code = "x = 2\nprint('begun', flush=True)\nimport time\nwhile True: time.sleep(0.1)";
        let mut child = data
            .command(&["session", "turn", &id, code])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it speaks");
        assert_eq!(line, "begun\n");
        signal(&child, "INT");
        let output = child.wait_with_output().expect("it ends");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("interrupting") && said.contains("undone") != kept, "{name}: {said}");
        assert_eq!(data.turn(&id, "x"), if kept { "2\n" } else { "1\n" });
    }
}

#[test]
fn files_go_in_and_pictures_and_artifacts_come_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let csv = here().join("data/penguins.csv");
    let odd = dir.path().join("Größe \"x\".csv");
    std::fs::write(&odd, "a\n1\n").expect("written");
    let files = ["--file", csv.to_str().expect("text"), "--file", odd.to_str().expect("text")];
    let id = data.says(&[&["session", "new", "--title", "birds"], &files[..]].concat()).trim().to_owned();
    let shown = data.says(&["session", "show", "birds"]);
    assert!(shown.contains(&id) && shown.contains("penguins.csv") && shown.contains("Größe"), "{shown}");
    let code = "import pandas as pd, os\ndf = pd.read_csv('penguins.csv')\nos.makedirs('deep', exist_ok=True)\n\
                df.describe().to_csv('deep/summary.csv')\ndf['body_mass_g'].plot.hist()\nimport matplotlib.pyplot as plt\nplt.show()";
    let output = data.run(&["session", "turn", "birds", "--out", "results", code]);
    assert!(output.status.success(), "{}", stderr(&output));
    let summary = std::fs::read_to_string(dir.path().join("results/deep/summary.csv")).expect("written");
    assert!(summary.starts_with(",bill_length_mm"), "{summary}");
    assert!(std::fs::read(dir.path().join("results/display-1.png")).expect("written").starts_with(b"\x89PNG"));
    assert!(stderr(&output).contains("wrote results/display-1.png"), "{}", stderr(&output));
}

#[test]
fn checkpoints_are_a_tree_to_go_about_in() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let id = data.session();
    data.turn(&id, "x = 1");
    assert_eq!(data.says(&["session", "checkpoint", &id, "--name", "clean"]), "1\n");
    data.turn(&id, "x = 2");
    assert_eq!(data.says(&["session", "restore", &id, "clean"]), "at checkpoint 1\n");
    data.turn(&id, "x += 10");
    let drawn = lines(&data.says(&["session", "checkpoints", &id]));
    let begins = ["@    3  ", "| *  2  ", "|/", "*    1  ", "*    0  "];
    assert!(drawn.len() == 5 && drawn.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{drawn:#?}");
    assert!(drawn[0].ends_with("x += 10") && drawn[3].ends_with("[clean] x = 1"), "{drawn:#?}");
    assert_eq!(data.turn(&id, "x"), "11\n");
    assert_eq!(data.says(&["session", "restore", &id, "2"]), "at checkpoint 2\n");
    assert_eq!(data.turn(&id, "x"), "2\n");
    let child = data.says(&["session", "fork", &id, "--at", "clean", "--title", "other"]).trim().to_owned();
    assert_eq!(data.turn("other", "x"), "1\n");
    assert_eq!(data.document(&["session", "show", &child, "--json"])["forked_from"]["checkpoint"], 1);
}

#[test]
fn a_mistake_is_2_and_says_the_way_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    assert!(stderr(&data.run(&["session", "ls"])).contains("glovebox session new"));
    let (first, second) = (data.session(), data.session());
    data.turn(&first, "x = 1");
    for (args, says) in [
        (vec!["session", "turn", "nothing", "1"], "there is no session `nothing`"),
        (vec!["session", "turn", "ses_", "1"], "could be 2 sessions"),
        (vec!["session", "turn", &first], "no code; write it after the session"),
        (vec!["session", "turn", &first, "--script", "/no/such.py"], "cannot read /no/such.py"),
        (vec!["session", "restore", &first, "99"], "99"),
        (vec!["session", "restore", &first, "elsewhere"], "there is no checkpoint `elsewhere`"),
        (vec!["session", "fork", &first, "-n", "1000"], "between 1 and 64"),
        (vec!["session", "new", "--image", "pyton"], "there are: "),
        (vec!["session", "new", "--file", "/no/such.csv"], "cannot read /no/such.csv"),
        (vec!["replay", "ses_1"], "not the id of a run"),
        (vec!["replay", "run_00000000000000000000000000000000"], "there is no run"),
        (vec!["repl", "--session", "nothing"], "there is no session `nothing`"),
    ] {
        let output = data.run(&args);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), String::new()), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{args:?}: {}", stderr(&output));
    }
    // The end of an id is enough.
    assert_eq!(data.turn(&first[first.len() - 8..], "x"), "1\n");
    let output = data.run(&["session", "rm", &first, &second]);
    assert!(output.status.success() && stderr(&output).contains(&format!("deleted {second}")), "{}", stderr(&output));
    assert_eq!(data.document(&["session", "ls", "--json"]), json!({ "sessions": [] }));
}

#[test]
fn a_replay_is_equal_or_names_the_first_difference() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let id = data.session();
    data.turn(&id, "x = 20");
    let take = |flags: &[&str], code: &str| {
        let run = data.document(&[&["session", "turn", &id, "--json"], flags, &[code]].concat());
        run["id"].as_str().expect("an id").to_owned()
    };
    let steady = take(
        &["--deterministic", "--seed", "5"],
        "import random, time\nx += 1\nprint(x, random.random(), time.time())",
    );
    let fleeting = take(&[], "import os\nprint(os.urandom(8).hex())");
    assert_eq!(data.says(&["replay", &steady]), "equal\n");
    assert_eq!(data.document(&["replay", &steady, "--json"])["equal"], true);
    let output = data.run(&["replay", &fleeting]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stdout(&output).starts_with("different: ") && stdout(&output).contains("recorded: "),
        "{}",
        stdout(&output)
    );
    assert!(stderr(&output).contains("not deterministic"), "{}", stderr(&output));
    // What was replayed was a copy.
    assert_eq!(data.turn(&id, "x"), "21\n");
}

#[test]
fn a_conversation_from_a_pipe_is_one_turn_per_statement() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let input = "x = 1\ndef f(y):\n    z = y\n\n    return z + x\nf(1)\nprint('''two\nlines''')\n1 / 0\nx = 5\n:undo\nx\n:save program.py\n";
    let output = data.piped(&["repl"], input);
    assert_eq!(output.status.code(), Some(1), "the statement that failed gives its code: {}", stderr(&output));
    let said = lines(&stdout(&output));
    assert_eq!(said[..3], ["2", "two", "lines"], "{said:?}");
    assert!(said[3].starts_with("at checkpoint ") && said[4] == "1", "{said:?}");
    assert!(stderr(&output).contains("ZeroDivisionError"), "{}", stderr(&output));
    let program = std::fs::read_to_string(dir.path().join("program.py")).expect("written");
    assert!(program.contains("    return z + x\nf(1)\n") && !program.contains("x = 5"), "{program}");
    // It says how to come back, and that works.
    let told = stderr(&output);
    let id = told.rsplit("--session ").next().expect("an id").trim();
    let output = data.piped(&["repl", "--session", id], "f(41)\n:checkpoint here\n:fork\n:nonsense\n");
    assert!(stdout(&output).starts_with("42\n") && stdout(&output).contains("is named here"), "{}", stdout(&output));
    assert!(stderr(&output).contains("there is no command :nonsense"), "{}", stderr(&output));
    assert_eq!(data.document(&["session", "ls", "--json"])["sessions"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_conversation_in_which_nothing_was_said_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let output = data.piped(&["repl"], ":help\n:files\n\n:quit\nx = 1\n");
    assert!(output.status.success() && stdout(&output).contains(":checkpoint NAME"), "{}", stderr(&output));
    assert_eq!(data.document(&["session", "ls", "--json"]), json!({ "sessions": [] }));
}

#[test]
fn a_conversation_saves_pictures_and_tells_of_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let csv = here().join("data/penguins.csv");
    let input = "import pandas as pd, matplotlib.pyplot as plt\ndf = pd.read_csv('penguins.csv')\ndf.head(2)\n\
                 df['body_mass_g'].plot.hist(); plt.show()\ndf.head().to_csv('few.csv')\n:files\n:get few.csv\n:get penguins.csv\n";
    let output = data.piped(&["repl", "--file", csv.to_str().expect("text"), "--out", "pictures"], input);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("bill_length_mm") && stdout(&output).contains("few.csv"), "{}", stdout(&output));
    assert!(stderr(&output).contains("wrote pictures/display-1.png"), "{}", stderr(&output));
    assert!(std::fs::read(dir.path().join("pictures/display-1.png")).expect("written").starts_with(b"\x89PNG"));
    assert!(std::fs::read_to_string(dir.path().join("pictures/few.csv")).expect("written").contains("Adelie"));
    assert_eq!(
        std::fs::read(dir.path().join("pictures/penguins.csv")).expect("copied"),
        std::fs::read(csv).expect("here")
    );
}

#[test]
fn commands_work_side_by_side_with_a_server_and_one_after_another_without() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = Data(dir.path());
    let id = data.session();
    // They wait for each other's lock; nobody is told to come back.
    let children: Vec<_> = (0..4)
        .map(|_| data.command(&["session", "ls", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn())
        .collect();
    for child in children {
        let output = child.expect("it starts").wait_with_output().expect("it ends");
        assert!(output.status.success() && stdout(&output).contains(&id));
    }
}
