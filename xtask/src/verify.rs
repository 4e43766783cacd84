//! `cargo xtask test`: format, lints, docs, tests of every crate, the browser, clients of other products.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::machine::{FOR_RUNNING, FOR_TESTING};
use crate::{binary, call, cargo, conformance, images, machine, root, step, target_dir};

pub(crate) fn test() -> Result<()> {
    let started = Instant::now();
    machine::check(FOR_RUNNING)?;
    machine::check(FOR_TESTING)?;
    images::verify()?;
    images::bill_of_materials()?;
    images::build("rustpython")?;
    step("format");
    call(cargo().args(["fmt", "--all", "--check"]))?;
    step("build");
    call(cargo().args(["build", "--release", "--workspace", "--all-targets"]))?;
    step("lints");
    // The release profile's artifacts of the dependencies serve the lints as well.
    call(cargo().args(["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    step("docs");
    call(
        cargo()
            .args(["doc", "--release", "--workspace", "--no-deps", "--quiet"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    dependencies()?;
    step("tests");
    call(cargo().args(["test", "--release", "--workspace"]).env("GLOVEBOX_CACHE_DIR", cache_dir()))?;
    step("numbers of the Python image");
    conformance::sample(Some(&cache_dir()))?;
    step("clients of other products");
    harnesses()?;
    step("browser");
    browser()?;
    step(&format!("all passed in {} s", started.elapsed().as_secs()));
    Ok(())
}

/// Licences, sources and bans of the dependencies, where cargo-deny is installed: building it takes
/// longer than all other checks.
fn dependencies() -> Result<()> {
    let installed = cargo().args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        step("dependencies: skipped, cargo-deny is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    step("dependencies");
    call(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

/// Prepared images are kept with the build: a second run of the tests takes seconds less.
fn cache_dir() -> std::path::PathBuf {
    target_dir().join("glovebox-cache")
}

/// Lets Chromium use the page.
fn browser() -> Result<()> {
    let tests = root().join("tests/browser");
    call(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&tests))?;
    let (_server, url) = serve("browser-data")?;
    let mut test = Command::new("npm");
    test.args(["test"]).current_dir(&tests).env("GLOVEBOX_URL", url);
    // Some tests start a server of their own: with a model, or to kill it.
    call(test.env("GLOVEBOX_BINARY", binary()).env("GLOVEBOX_CACHE_DIR", cache_dir()))
}

/// Holds a service at four fifths of its load for some minutes, and looks whether what it holds stays flat.
pub(crate) fn soak(minutes: &str) -> Result<()> {
    if !minutes.parse::<f64>().is_ok_and(|minutes| minutes > 0.0) {
        bail!("`{minutes}` is not a number of minutes");
    }
    let filter = "soak::a_service_at_four_fifths_of_its_load_stays_flat";
    let mut test = cargo();
    test.args(["test", "--release", "--package", "glovebox-tests", "--test", "all", filter, "--", "--nocapture"]);
    call(test.env("GLOVEBOX_CACHE_DIR", cache_dir()).env("GLOVEBOX_TEST_SOAK_MINUTES", minutes))
}

/// Makes screenshots of every state of the page, into `dir`.
pub(crate) fn shots(dir: &Path) -> Result<()> {
    machine::check(FOR_TESTING)?;
    let tests = root().join("tests/browser");
    call(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&tests))?;
    call(cargo().args(["build", "--release", "--package", "glovebox"]))?;
    std::fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("failed to find {}", dir.display()))?;
    let (_server, url) = serve("shots-data")?;
    let mut run = Command::new("npm");
    run.args(["run", "shots"]).current_dir(&tests).env("GLOVEBOX_URL", url).env("GLOVEBOX_SHOTS", &dir);
    call(run.env("GLOVEBOX_BINARY", binary()).env("GLOVEBOX_CACHE_DIR", cache_dir()))?;
    step(&format!("screenshots are in {}", dir.display()));
    Ok(())
}

/// Lets clients that others wrote for other products use our server.
fn harnesses() -> Result<()> {
    let tests = root().join("tests/harnesses");
    let (pinned, site) = (tests.join("requirements.txt"), target_dir().join("harnesses"));
    let text = std::fs::read(&pinned).with_context(|| format!("failed to read {}", pinned.display()))?;
    let stamp = site.join("requirements.txt");
    if std::fs::read(&stamp).ok().as_ref() != Some(&text) {
        let _ = std::fs::remove_dir_all(&site);
        let pip = ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--require-hashes", "--target"];
        call(Command::new("python3").args(pip).arg(&site).arg("-r").arg(&pinned))?;
        std::fs::write(&stamp, text)?;
    }
    let (_server, url) = serve("harnesses-data")?;
    let mut sdk = Command::new("python3");
    call(sdk.arg(tests.join("sandbox_fusion_sdk.py")).env("PYTHONPATH", site).env("GLOVEBOX_URL", url))
}

/// Serves on a free port, with nothing in this directory of the build; gives the URL.
fn serve(data: &str) -> Result<(Stop, String)> {
    let data = target_dir().join(data);
    if data.exists() {
        std::fs::remove_dir_all(&data).with_context(|| format!("failed to remove {}", data.display()))?;
    }
    let server = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .env("GLOVEBOX_CACHE_DIR", cache_dir())
        .env_remove("OPENAI_BASE_URL")
        .env_remove("OPENAI_API_KEY")
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start glovebox serve")?;
    let mut server = Stop(server);
    let stdout = server.0.stdout.take().context("the server has no output")?;
    let url = BufReader::new(stdout)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned))
        .context("the server did not say where it listens")?;
    wait_until_ready(&url)?;
    Ok((server, url.trim_end_matches('/').to_owned()))
}

fn wait_until_ready(url: &str) -> Result<()> {
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let deadline = Instant::now() + Duration::from_secs(600);
    while Instant::now() < deadline {
        if ready(&address).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    bail!("the server at {url} was not ready within 10 minutes")
}

fn ready(address: &str) -> std::io::Result<bool> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply.starts_with("HTTP/1.1 200"))
}

/// Ends the server with the test.
struct Stop(Child);

impl Drop for Stop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
