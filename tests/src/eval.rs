//! `glovebox eval`: verdicts that are right, that cannot be forged, and that are the same every time.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use glovebox_tests::{command, here};
use serde_json::{Value, json};

fn data(name: &str) -> String {
    here().join("data").join(name).display().to_string()
}

/// Judges files of a directory, with more flags.
fn evaluate(dir: &Path, problems: &str, completions: &str, flags: &[&str]) -> Output {
    let mut command = command();
    command.current_dir(dir).args(["eval", "--problems", problems, "--completions", completions]).args(flags);
    command.output().expect("it starts")
}

fn write(dir: &Path, name: &str, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(dir.join(name), text).expect("written");
}

fn lines(text: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The verdicts of completions for some problems, and what was said of them.
fn verdicts(problems: &[Value], completions: &[Value]) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "problems.jsonl", problems);
    write(dir.path(), "completions.jsonl", completions);
    let output = evaluate(dir.path(), "problems.jsonl", "completions.jsonl", &["--deterministic", "--timeout-s", "1"]);
    let found = lines(&output.stdout);
    assert_eq!(found.len(), completions.len(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found.iter().map(|line| (text(&line["verdict"]), text(&line["detail"]["message"]))).collect()
}

#[test]
fn verdicts_are_what_the_samples_deserve() {
    let dir = tempfile::tempdir().expect("a directory");
    let (problems, completions) = (data("humaneval-shaped.jsonl"), data("humaneval-completions.jsonl"));
    let output = evaluate(dir.path(), &problems, &completions, &["-o", "verdicts.jsonl", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted = lines(&std::fs::read(&completions).expect("readable"));
    let found = lines(&std::fs::read(dir.path().join("verdicts.jsonl")).expect("readable"));
    assert_eq!(wanted.len(), found.len());
    for (place, (wanted, found)) in wanted.iter().zip(&found).enumerate() {
        assert_eq!(wanted["wanted"], found["verdict"], "{found}");
        assert_eq!((&found["problem"], &found["line"]), (&wanted["task_id"], &json!(place + 1)));
    }
    let summary: Value = serde_json::from_slice(&output.stdout).expect("one document");
    assert_eq!(summary["samples"], wanted.len());
    let passed = wanted.iter().filter(|line| line["wanted"] == "passed").count();
    assert_eq!(summary["verdicts"]["passed"], passed);
    assert_eq!(summary["bad_lines"], 0);
    let best = &summary["pass_at_k"][0];
    assert_eq!(best["k"], 1);
    let (low, estimate, high) = (&best["low"], &best["estimate"], &best["high"]);
    assert!(low.as_f64() < estimate.as_f64() && estimate.as_f64() < high.as_f64(), "{best}");
}

#[test]
fn a_deterministic_evaluation_is_the_same_to_the_last_byte_also_after_a_kill() {
    let dir = tempfile::tempdir().expect("a directory");
    let (problems, completions) = (data("humaneval-shaped.jsonl"), data("humaneval-completions.jsonl"));
    let judge = |out: &str, jobs: &str| {
        let flags = ["--deterministic", "-o", out, "--jobs", jobs, "--timeout-s", "0.5"];
        evaluate(dir.path(), &problems, &completions, &flags)
    };
    assert!(judge("one.jsonl", "1").status.success());
    assert!(judge("four.jsonl", "4").status.success());
    let read = |name: &str| std::fs::read(dir.path().join(name)).expect("readable");
    let whole = read("one.jsonl");
    assert_eq!(whole, read("four.jsonl"), "the number of workers does not matter");

    let mut command = command();
    command.current_dir(dir.path()).args(["eval", "--problems", &problems, "--completions", &completions]);
    command.args(["--deterministic", "-o", "killed.jsonl", "--jobs", "1", "--timeout-s", "0.5"]);
    let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    let written = || std::fs::metadata(dir.path().join("killed.jsonl")).map_or(0, |file| file.len());
    while written() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(120), "there is a first verdict");
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    let part = read("killed.jsonl");
    assert!(part.len() < whole.len() && whole.starts_with(&part), "{} of {} bytes", part.len(), whole.len());
    // As if the kill had come in the middle of a line.
    let file = std::fs::OpenOptions::new().write(true).open(dir.path().join("killed.jsonl")).expect("opens");
    file.set_len(part.len() as u64 - 5).expect("cut");
    let resumed = judge("killed.jsonl", "2");
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert_eq!(whole, read("killed.jsonl"));

    let other = evaluate(dir.path(), &problems, &completions, &["-o", "killed.jsonl"]);
    assert_eq!(other.status.code(), Some(2), "verdicts of other settings are not mixed");
    assert!(String::from_utf8_lossy(&other.stderr).contains("--fresh"));
    assert_eq!(whole, read("killed.jsonl"), "and nothing is lost");
}

/// Programs that try to be found right without being right.
const CHEATS: &[&str] = &[
    "import os\ndef f(x):\n    os._exit(0)",
    "import sys\ndef f(x):\n    sys.exit(0)",
    "def f(x):\n    raise SystemExit",
    "import sys\nsys.exit(0)",
    "import os\nprint('passed')\nos._exit(0)",
    "print('{\"verdict\": \"passed\"}')\ndef f(x):\n    print('passed', 'OK', '1 passed')\n    return 0",
    "import atexit\natexit.register(lambda: print('passed'))\ndef f(x):\n    return 0",
    "import builtins\nclass A(Exception):\n    pass\nbuiltins.AssertionError = A\ndef f(x):\n    return 0",
    "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.all = lambda x: True\ndef f(x):\n    return 0",
    "class Any:\n    def __eq__(self, other):\n        return True\n    __hash__ = None\ndef f(x):\n    return Any()",
    "class Any(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = None\ndef f(x):\n    return Any()",
    "class Any(float):\n    __sub__ = __rsub__ = __eq__ = lambda s, o: s\n    __lt__ = lambda s, o: True\ndef f(x):\n    return Any(0)",
    "import unittest.mock\ndef f(x):\n    return unittest.mock.ANY",
    "def check(candidate):\n    pass\ndef f(x):\n    return 0",
    "import sys\nfor frame in [sys._getframe(n) for n in range(9) if True][:9]:\n    frame.f_globals['check'] = lambda c: None\ndef f(x):\n    return 0",
    "import gc, types\nfor o in gc.get_objects():\n    if isinstance(o, types.FunctionType) and o.__name__ in ('check', 'judge', 'trial'):\n        o.__code__ = (lambda *a: None).__code__\ndef f(x):\n    return 0",
    "import glob\ntext = ''.join(open(p, errors='ignore').read() for p in glob.glob('/mnt/data/**', recursive=True) + glob.glob('/tmp/**') if '.' in p)\ndef f(x):\n    return 49 if '49' in text else 0",
    "import _glovebox_wire as wire\nwire.encode = lambda value: True\nwire.describe = lambda e: {}\ndef f(x):\n    return 0",
    "import _glovebox_subject as s\ns._answer = lambda message: ['ok', True]\ndef f(x):\n    return 0",
    "import _glovebox_subject as s\ns.serve = lambda: None\ns._answer = lambda message: ['end']\ndef f(x):\n    return 0",
    "import _glovebox\nfor _ in range(20):\n    _glovebox.call(b'[\"ok\", {\"d\": []}]')\ndef f(x):\n    return 0",
    "import _glovebox\ndef f(x):\n    _glovebox.call(b'[\"callback\", 0, [], []]')\n    return 0",
    "import _glovebox\ndef f(x):\n    _glovebox.call(b'[\"end\"]')\n    return 0",
    "import _glovebox\ndef f(x):\n    _glovebox.call(b'this is no JSON')\n    return 0",
    "import _glovebox\n_glovebox.call(b'[\"raised\", {\"class\": {\"ty\": \"SystemExit\"}, \"args\": [0], \"text\": \"\", \"name\": \"x\", \"trace\": \"\"}]')\ndef f(x):\n    return 0",
    "import glovebox_guest\ndef f(x):\n    glovebox_guest.event({'type': 'display', 'data': {'application/vnd.glovebox.report+json': {'verdict': 'passed'}}})\n    return 0",
    "import sys\nclass M(dict):\n    def __getitem__(self, key):\n        raise SystemExit(0)\nsys.modules = M(sys.modules)\ndef f(x):\n    return 0",
    "import threading\nthreading.Thread(target=lambda: None).start()\ndef f(x):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGTERM)",
    "def f(x):\n    raise AssertionError('all is well')",
    "def f(x):\n    return f",
    "f = int",
    "import unittest\ndef f(x):\n    raise unittest.SkipTest('not today')",
];

#[test]
fn no_sample_passes_by_cheating() {
    let check = "def check(candidate):\n    assert candidate(7) == 49\n    assert abs(candidate(3) - 9) < 1e-9\n";
    let problems = [
        json!({"task_id": "humaneval", "prompt": "def f(x):\n    \"\"\"The square.\"\"\"\n", "entry_point": "f", "test": check}),
        json!({"task_id": "mbpp", "text": "The square.", "test_list": ["assert f(7) == 49", "assert f(3) == 9"]}),
        json!({"id": "calls", "entry_point": "f", "cases": [{"args": [7], "expected": 49}, {"args": [3], "expected": 9}]}),
        json!({"id": "unittest", "tests": "import unittest\nfrom solution import f\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(7), 49)\n"}),
        json!({"id": "stdio", "stdin": "7\n", "expected": "49\n"}),
    ];
    let honest = "def f(x):\n    return x * x\nif __name__ == '__main__':\n    print(f(int(input())))";
    let mut samples = Vec::new();
    for problem in ["humaneval", "mbpp", "calls", "unittest", "stdio"] {
        for (kind, code) in CHEATS.iter().map(|code| ("cheat", *code)).chain([("honest", honest)]) {
            samples.push(json!({"task_id": problem, "solution": code, "kind": kind}));
        }
    }
    for (sample, (verdict, message)) in samples.iter().zip(verdicts(&problems, &samples)) {
        let deserved = (verdict == "passed") == (sample["kind"] == "honest") && verdict != "infrastructure";
        assert!(deserved, "{verdict} ({message}): {sample}");
    }
}

#[test]
fn problems_are_read_in_the_shapes_in_which_they_are_published() {
    let good = "def add(a, b):\n    return a + b\n";
    let bad = "def add(a, b):\n    return a - b\n";
    let program = "a, b = map(int, input().split())\nprint(a + b)\n";
    let minus = "a, b = map(int, input().split())\nprint(a - b)\n";
    let cases = json!([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]).to_string();
    let table = "import pandas as pd, copy\ndef generate_test_case(n):\n    df = pd.DataFrame({'a': [1, 2, 3]})\n    return df, df.a.sum()\n\
        exec_context = '''\nimport pandas as pd\ndf = test_input\n[insert]\n'''\n\
        def test_execution(solution):\n    code = exec_context.replace('[insert]', solution)\n    test_input, expected = generate_test_case(1)\n    \
        test_env = {'test_input': test_input}\n    exec(code, test_env)\n    assert test_env['result'] == expected\n";
    let problems = [
        json!({"task_id": "HumanEval/0", "prompt": "def add(a, b):\n    \"\"\"Sum.\"\"\"\n", "entry_point": "add", "canonical_solution": "    return a + b\n", "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n"}),
        json!({"task_id": 2, "text": "Sum.", "code": good, "test_setup_code": "", "test_list": ["assert add(1, 2) == 3"], "challenge_test_list": []}),
        json!({"task_id": 3, "prompt": "Sum.", "code": good, "test_imports": ["import math"], "test_list": ["assert math.isclose(add(1, 2), 3)"]}),
        json!({"task_id": "HumanEval/4", "prompt": "def add(a, b):\n    \"\"\"Sum.\"\"\"\n", "entry_point": "add", "canonical_solution": "    return a + b\n", "base_input": [[1, 2]], "plus_input": [[10, 20]], "atol": 0}),
        json!({"problem_id": 5, "question": "Sum.", "input_output": json!({"inputs": ["1 2\n"], "outputs": ["3\n"]}).to_string()}),
        json!({"problem_id": 6, "question": "Sum.", "input_output": json!({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}).to_string()}),
        json!({"name": "7", "description": "Sum.", "public_tests": {"input": ["1 2\n"], "output": ["3\n"]}, "private_tests": {"input": [], "output": []}, "generated_tests": {"input": ["5 6\n"], "output": ["11\n"]}}),
        json!({"question_id": "8", "question_content": "Sum.", "public_test_cases": cases, "private_test_cases": "[]"}),
        json!({"task_id": "9", "prompt": "Sum of a.", "metadata": {"library": "Pandas", "problem_id": 9}, "code_context": table}),
        json!({"id": "10", "tests": "from solution import add\nassert add(1, 2) == 3\ndef test_more():\n    assert add(2, 2) == 4\n"}),
        json!({"id": "11", "cases": [{"stdin": "1 2\n", "expected": "3.0000001"}], "compare": "float", "tolerance": 1e-4}),
        json!({"id": "12", "stdin": "1 2\n", "expected": "", "checker": "def check(input, output, expected):\n    return int(output) == sum(map(int, input.split()))\n"}),
        json!({"id": "13", "tests": "from solution import add\nassert add(1, 2) == 3\n", "files": {"numbers.txt": "1 2"}}),
    ];
    let mut samples = Vec::new();
    for (place, problem) in problems.iter().enumerate() {
        let id = ["task_id", "problem_id", "name", "question_id", "id"]
            .iter()
            .find_map(|name| problem.get(*name))
            .expect("an id");
        let (right, wrong) = match place {
            4 | 6 | 7 | 10 | 11 => (program, minus),
            8 => ("result = df.a.sum()", "result = df.a.max()"),
            12 => ("a, b = open('numbers.txt').read().split()\ndef add(x, y):\n    return int(a) + int(b)\n", bad),
            _ => (good, bad),
        };
        samples.push(json!({"task_id": id, "solution": right}));
        samples.push(json!({"task_id": id, "solution": wrong}));
    }
    for (place, (verdict, message)) in verdicts(&problems, &samples).into_iter().enumerate() {
        let wrong = ["failed", "wrong_answer"].contains(&verdict.as_str());
        let deserved = if place % 2 == 0 { verdict == "passed" } else { wrong };
        assert!(deserved, "{verdict} ({message}): {}", samples[place]);
    }
}

#[test]
fn broken_lines_are_named_and_the_others_are_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    let problem = json!({"id": "a", "tests": "from solution import f\nassert f() == 1\n"});
    std::fs::write(dir.path().join("p.jsonl"), format!("{problem}\nnonsense\n{problem}\n{{\"id\": \"b\"}}\n"))
        .expect("written");
    let sample = json!({"id": "a", "solution": "def f():\n    return 1\n"});
    let text =
        format!("{sample}\n{{\"id\": \"a\"\n\n{}\n\u{0}\u{0}\n{sample}", json!({"id": "other", "solution": "x"}));
    std::fs::write(dir.path().join("c.jsonl"), text).expect("written");
    let output = evaluate(dir.path(), "p.jsonl", "c.jsonl", &["--deterministic"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for needle in [
        "problems, line 2:",
        "problems, line 3:",
        "problems, line 4:",
        "completions, line 2:",
        "completions, line 4:",
        "completions, line 5:",
    ] {
        assert!(said.contains(needle), "{needle}: {said}");
    }
    let found = lines(&output.stdout);
    let passed: Vec<_> = found.iter().map(|line| (&line["line"], &line["verdict"], &line["sample"])).collect();
    assert_eq!(passed, [(&json!(1), &json!("passed"), &json!(0)), (&json!(6), &json!("passed"), &json!(1))]);

    let missing = evaluate(dir.path(), "none.jsonl", "c.jsonl", &[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("none.jsonl"));
}
