//! What the tests share: prepared images, runs of a program in this process, a real server and its client.

mod client;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use client::{Client, Reply, ServerEvent, form};
use glovebox_runtime::{Image, ImageStore, Job, Limits, Mode, Outcome, Program, run};

/// The repository's `tests` directory.
#[must_use]
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The product's binary, built beside this test.
///
/// # Panics
///
/// If it is not built; `cargo xtask test` builds it.
#[must_use]
pub fn glovebox() -> PathBuf {
    let this = std::env::current_exe().expect("this test has a path");
    let binary = this.ancestors().nth(2).expect("target directory").join("glovebox");
    assert!(binary.is_file(), "{} is missing; run cargo xtask test", binary.display());
    binary
}

/// Where prepared images are.
#[must_use]
pub fn cache() -> PathBuf {
    glovebox::images::default_cache()
}

/// An image, prepared and mapped once for all tests of this process.
///
/// # Panics
///
/// If it cannot be prepared.
pub fn image(name: &str) -> Arc<Image> {
    static STORE: OnceLock<ImageStore> = OnceLock::new();
    static LOADED: Mutex<BTreeMap<String, Arc<Image>>> = Mutex::new(BTreeMap::new());
    let store = STORE.get_or_init(|| glovebox::images::open(&cache(), None).expect("the image store opens"));
    let mut loaded = LOADED.lock().expect("no test panics while it loads an image");
    loaded
        .entry(name.to_owned())
        .or_insert_with(|| {
            store.prepare(name, &mut |_| {}).expect("the image prepares");
            store.load(name).expect("the image loads")
        })
        .clone()
}

/// A job with the defaults of a script.
#[must_use]
pub fn job(image: &str, source: &str, workspace: &Path) -> Job {
    Job {
        image: image.into(),
        program: Program { source: source.into(), ..Program::default() },
        workspace: workspace.into(),
        limits: Limits::default(),
        mode: Mode::Live,
        seed: None,
    }
}

/// Runs a job in this process.
///
/// # Panics
///
/// If our side fails.
pub fn run_here(job: &Job) -> Outcome {
    let image = image(&job.image);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts");
    runtime.block_on(run(&image, job, &mut |_| {}, &Default::default())).expect("the runtime does its part")
}

/// Runs a source text in a fresh workspace.
pub fn check(image: &str, source: &str) -> Outcome {
    let workspace = tempfile::tempdir().expect("a directory");
    run_here(&job(image, source, workspace.path()))
}

/// The product's command, without what this machine's environment would set.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(glovebox());
    for name in ["BASE_URL", "API_KEY", "MODEL"] {
        command.env_remove(format!("OPENAI_{name}")).env_remove(format!("ANTHROPIC_{name}"));
    }
    for name in ["GLOVEBOX_MODEL", "GLOVEBOX_RECORDED", "GLOVEBOX_MODELS_FILE"] {
        command.env_remove(name);
    }
    command.env("GLOVEBOX_CACHE_DIR", cache()).stdin(Stdio::null());
    command
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).expect("readable")).into_owned()
}

/// A real server on a free port with a data directory of its own.
pub struct Server {
    process: Child,
    log: tempfile::NamedTempFile,
    /// Such as `http://127.0.0.1:40000`.
    pub url: String,
    /// What it printed before it said where it is.
    pub said: String,
    /// Its data.
    pub data: tempfile::TempDir,
}

impl Server {
    /// Starts one; `env` is added to its environment.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(env: &[(&str, &str)]) -> Server {
        Server::start_in(tempfile::tempdir().expect("a directory"), env)
    }

    /// Starts one on data that is there already.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start_in(data: tempfile::TempDir, env: &[(&str, &str)]) -> Server {
        let mut server = command();
        server.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path()).envs(env.iter().copied());
        Server::spawn(server, data)
    }

    /// Starts one by a command of the test's own; where its data is, the command knows.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn of(command: Command) -> Server {
        Server::spawn(command, tempfile::tempdir().expect("a directory"))
    }

    fn spawn(mut server: Command, data: tempfile::TempDir) -> Server {
        for name in ["python", "rustpython", "javascript"] {
            image(name);
        }
        let log = tempfile::NamedTempFile::new().expect("a file");
        let mut process = server
            .stdout(Stdio::piped())
            .stderr(log.reopen().expect("the log opens"))
            .spawn()
            .expect("the server starts");
        let stdout = process.stdout.take().expect("piped");
        let mut said = String::new();
        let url = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .inspect(|line| said = format!("{said}{line}\n"))
            .find_map(|line| line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned))
            .unwrap_or_else(|| panic!("the server did not start: {}", read(log.path())));
        Server { process, log, url: url.trim_end_matches('/').to_owned(), said, data }
    }

    /// An address on it.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A client of it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// What it and its workers wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        read(self.log.path())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it does within this time.
    ///
    /// # Panics
    ///
    /// If this process may not wait for it.
    pub fn wait(&mut self, time: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        loop {
            let ended = self.process.try_wait().expect("our child");
            if ended.is_some() || began.elapsed() >= time {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Tells it to stop, waits until it has, and keeps its data.
    ///
    /// # Panics
    ///
    /// If it does not stop within a minute.
    #[must_use]
    pub fn kill_softly(mut self) -> tempfile::TempDir {
        let status = Command::new("kill").arg(self.pid().to_string()).status().expect("kill is there");
        assert!(status.success());
        for _ in 0..600 {
            if self.process.try_wait().is_ok_and(|status| status.is_some()) {
                return std::mem::replace(&mut self.data, tempfile::tempdir().expect("a directory"));
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("it did not stop: {}", self.log());
    }

    /// Kills it at once and keeps its data.
    #[must_use]
    pub fn kill(mut self) -> tempfile::TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        std::mem::replace(&mut self.data, tempfile::tempdir().expect("a directory"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
