//! A server of our own with a data directory that is gone afterwards, and its REST calls.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::place;

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    data: tempfile::TempDir,
    base: String,
    client: reqwest::Client,
}

/// The release binary: `GLOVEBOX_BINARY`, else where cargo puts it beside this bench.
#[must_use]
pub fn binary() -> Option<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("glovebox"));
    std::env::var_os("GLOVEBOX_BINARY").map(PathBuf::from).or_else(beside).filter(|path| path.is_file())
}

impl Server {
    /// Starts one and waits until it is ready. `settings`: as in its configuration.
    ///
    /// # Errors
    ///
    /// There is no binary, or it is not ready in time.
    pub async fn start(settings: &[(&str, String)]) -> Result<Server> {
        let binary = binary().context("there is no glovebox binary; build it with `cargo build --release`")?;
        let data = tempfile::Builder::new().prefix("glovebox-bench-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(data.path());
        command.env("GLOVEBOX_CACHE_DIR", place::cache()).env("GLOVEBOX_LOG", "error");
        for (name, value) in settings {
            command.env(format!("GLOVEBOX_{}", name.to_uppercase()), value);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut server = Server { child, data, base: format!("http://127.0.0.1:{port}"), client };
        for _ in 0..6000 {
            if server
                .client
                .get(format!("{}/readyz", server.base))
                .send()
                .await
                .is_ok_and(|reply| reply.status() == 200)
            {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server was not ready after two minutes")
    }

    /// Where it keeps everything.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The server's process and its workers'.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let mut all: Vec<u32> = children.split_whitespace().filter_map(|id| id.parse().ok()).collect();
        // A worker is started by any of the server's threads.
        for thread in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        all.push(id);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Posts to `/api/v1`, and refuses every answer but a success.
    ///
    /// # Errors
    ///
    /// No connection, or what the server says.
    pub async fn post(&self, path: &str, body: Option<Value>) -> Result<Value> {
        let request = self.client.post(format!("{}/api/v1{path}", self.base));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let reply = request.send().await?;
        let status = reply.status();
        let text = reply.text().await?;
        if !status.is_success() {
            bail!("{path}: {status} {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Gets from `/api/v1`.
    ///
    /// # Errors
    ///
    /// As [`Server::post`].
    pub async fn get(&self, path: &str) -> Result<Value> {
        let reply = self.client.get(format!("{}/api/v1{path}", self.base)).send().await?.error_for_status()?;
        Ok(serde_json::from_str(&reply.text().await?)?)
    }

    /// A new session's id.
    ///
    /// # Errors
    ///
    /// As [`Server::post`].
    pub async fn session(&self) -> Result<String> {
        let session = self.post("/sessions", Some(json!({}))).await?;
        Ok(session["id"].as_str().context("a session without an id")?.to_owned())
    }

    /// Takes a turn that must succeed; what it printed.
    ///
    /// # Errors
    ///
    /// As [`Server::post`], or the program failed.
    pub async fn turn(&self, session: &str, code: &str) -> Result<String> {
        let run = self.post(&format!("/sessions/{session}/runs"), Some(json!({"code": code}))).await?;
        let outcome = &run["outcome"];
        if outcome["ending"]["kind"] != "exited" || outcome["ending"]["code"] != 0 {
            bail!("`{code}` in {session}: {run}");
        }
        Ok(outcome["stdout"].as_str().unwrap_or_default().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
