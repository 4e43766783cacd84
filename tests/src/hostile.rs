//! Assume the breach: what a guest that escaped from WebAssembly could do, a native program does in the jail of the workers.
//! It must find nothing and reach nobody (bar S-12).

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

const SECRET: &str = "the secret of another tenant";

#[test]
fn a_hostile_native_program_in_the_jail_of_a_worker_finds_nothing_and_reaches_nobody() {
    let data = tempfile::tempdir().expect("a directory");
    let path = |name: &str| data.path().join(name);
    for dir in ["work/mine", "work/theirs", "cache"] {
        std::fs::create_dir_all(path(dir)).expect("made");
    }
    for file in ["glovebox.db", "work/theirs/secret", "cache/memory.img"] {
        std::fs::write(path(file), SECRET).expect("written");
    }
    let _broker = UnixListener::bind(path("work/mine/broker.sock")).expect("bound");
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("set");
    let address = listener.local_addr().expect("bound");
    let output = Command::new(env!("CARGO_BIN_EXE_hostile"))
        .arg(data.path())
        .args([address.to_string(), std::process::id().to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("started");
    let said: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let lines = |prefix: &str| said.iter().filter(|line| line.starts_with(prefix)).cloned().collect::<Vec<_>>();
    assert_eq!(lines("SUCCEEDED"), [""; 0], "the jail has holes");
    let tried = lines("refused").len();
    assert!(output.status.success() && tried >= 100, "{tried} attempts: {output:?}");
    println!("{tried} attempts of a hostile native program, 0 succeeded");
    assert!(listener.accept().is_err(), "nobody came");
    for file in ["glovebox.db", "work/theirs/secret", "cache/memory.img"] {
        assert_eq!(std::fs::read_to_string(path(file)).expect("there"), SECRET, "{file}");
    }
    let names = |dir: &str| std::fs::read_dir(path(dir)).expect("there").count();
    assert_eq!((names("work/theirs"), names("cache"), names("work")), (1, 1, 2), "nothing was planted");
}
