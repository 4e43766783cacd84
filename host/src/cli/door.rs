//! Door: speaks our REST API, to the server that uses this data directory or, if none does, to the app in this process.
//!
//! The lock of the data directory decides which: who gets it is alone with the data, and who does not talks to its holder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use futures::{StreamExt, stream};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_util::io::ReaderStream;
use tower::ServiceExt;

use super::out::{self, Progress};
use super::{Failure, INFRASTRUCTURE, USAGE};
use crate::api::wire::Problem;
use crate::app::{App, AppState, ImageState};
use crate::backend::{Crew, Images, Local};
use crate::config::Config;
use crate::files::safe_name;
use crate::keys::{Auth, Keys};
use crate::notice::Notice;
use crate::storage::{OpenError, Storage};

/// How long another command is waited for: it has the data directory only while it works.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time for the last records when the door is closed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Bytes that an answer may have which is read as a whole.
const ANSWER_LIMIT: usize = 1 << 30;
/// Bytes that one event may have: an outcome at its limits, encoded.
const EVENT_LIMIT: usize = 512 << 20;

/// Where commands find the key for a server that wants one.
const KEY_VARIABLE: &str = "GLOVEBOX_API_KEY";

/// The one way from a command to sessions and runs.
pub(super) struct Door(Way);

enum Way {
    /// Another process has the data directory and listens there.
    Server(SocketAddr),
    /// The app in this process, with one worker.
    Here(Box<Here>),
}

struct Here {
    router: Router,
    app: AppState,
    images: Arc<Images>,
    backend: Arc<Local>,
}

/// Server-sent events, as they come.
pub(super) struct Events {
    body: axum::body::BodyDataStream,
    unread: Vec<u8>,
    searched: usize,
}

impl Door {
    /// Finds the server of the data directory, or opens the directory in this process.
    ///
    /// # Errors
    ///
    /// The directory cannot be used, or another command has had it for too long.
    pub(super) async fn open(config: &Config) -> Result<Door, Failure> {
        let (mut progress, began) = (None, std::time::Instant::now());
        loop {
            match config.open_storage().await {
                Ok(storage) => return Door::here(config, storage).await,
                Err(OpenError::Locked { path }) => {
                    if let Some(address) = Notice::read(&path).and_then(|notice| notice.address())
                        && TcpStream::connect(address).await.is_ok()
                    {
                        return Ok(Door(Way::Server(address)));
                    }
                    if began.elapsed() > PATIENCE {
                        return Err(Failure::ours(format!(
                            "{} is in use by another glovebox command; wait for its end, or start `glovebox serve`: \
                             with a server running, any number of commands work side by side",
                            path.display()
                        )));
                    }
                    if began.elapsed() > Duration::from_secs(1) {
                        let progress = progress.get_or_insert_with(Progress::new);
                        progress.say("waiting for another glovebox command that uses the same data directory");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(Failure::ours(error)),
            }
        }
    }

    async fn here(config: &Config, storage: Storage) -> Result<Door, Failure> {
        Notice::clear(&config.data_dir);
        // Whoever can open the data directory needs no key to it.
        let config = Config { workers: 1, auth: Auth::None, ..config.clone() };
        let policies = out::policies(&config)?;
        let images = Images::open(&config).map_err(Failure::ours)?;
        let crew = Crew { root: storage.work(), ..Crew::alone() };
        let backend = Local::start(&config, images.clone(), crew).await?;
        if policies.iter().any(|policy| !policy.jail.is_empty()) {
            backend.locked(&storage.aside(&crate::tenants::Tenant::local())).await.map_err(Failure::ours)?;
        }
        let keys = Keys::load(&storage).await.map_err(out::failed)?;
        let app = App::new(config, storage, policies, keys, backend.clone());
        let router = crate::api::app(app.clone());
        Ok(Door(Way::Here(Box::new(Here { router, app, images, backend }))))
    }

    /// Leaves the data directory in good order. A server goes on.
    pub(super) async fn close(self) {
        if let Way::Here(here) = self.0 {
            here.app.cancel_all(LAST_WORDS).await;
            here.app.audit.flush(&here.app.storage).await;
            here.app.meter.flush(&here.app.storage).await;
            here.app.storage.close().await;
        }
    }

    /// Sees to it that the image can be used, if that is for this process to do.
    ///
    /// # Errors
    ///
    /// The image cannot be prepared.
    pub(super) async fn prepare(&self, image: &str) -> Result<(), Failure> {
        let Way::Here(here) = &self.0 else { return Ok(()) };
        // An unknown image is the API's to refuse: it lists those that there are.
        let ready = |info: &crate::app::ImageInfo| info.name != image || info.state == ImageState::Ready;
        if here.images.list().iter().all(ready) {
            return Ok(());
        }
        let mut progress = Progress::new();
        let prepared = tokio::task::block_in_place(|| here.images.prepare(image, &mut |step| progress.step(&step)));
        prepared.map_err(Failure::ours)?;
        here.backend.preload(image);
        Ok(())
    }

    /// Puts a session to sleep that nobody will use for a while. A server sees to that by itself. Nothing is lost if it
    /// fails, so that is not told.
    pub(super) async fn rest(&self, session: &str) {
        if let Way::Here(_) = &self.0 {
            let _ = self.post(&format!("/api/v1/sessions/{session}/hibernate"), &serde_json::json!({})).await;
        }
    }

    /// `GET`.
    ///
    /// # Errors
    ///
    /// The API's refusal in its own words, or the server is gone.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        whole(self.send(Method::GET, path, None, Body::empty()).await?).await
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        whole(self.send(Method::POST, path, Some("application/json"), Body::from(body.to_string())).await?).await
    }

    /// `PATCH` with a JSON body.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        whole(self.send(Method::PATCH, path, Some("application/json"), Body::from(body.to_string())).await?).await
    }

    /// `GET` of something that is not JSON.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let body = self.send(Method::GET, path, None, Body::empty()).await?.into_body();
        let body = axum::body::to_bytes(body, ANSWER_LIMIT).await.map_err(|error| broken(&error))?;
        String::from_utf8(body.into()).map_err(|error| broken(&error))
    }

    /// `DELETE`.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, path, None, Body::empty()).await.map(drop)
    }

    /// `POST` with a JSON body whose answer is a stream of events.
    ///
    /// # Errors
    ///
    /// As [`Self::get`].
    pub(super) async fn stream(&self, path: &str, body: &Value) -> Result<Events, Failure> {
        let request = Request::builder().header(header::ACCEPT, "text/event-stream");
        let request = request.header(header::CONTENT_TYPE, "application/json").method(Method::POST).uri(path);
        let request = request.body(Body::from(body.to_string())).map_err(Failure::ours)?;
        let body = self.exchange(request).await?.into_body().into_data_stream();
        Ok(Events { body, unread: Vec::new(), searched: 0 })
    }

    /// Uploads files and gives their ids.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or as [`Self::get`].
    pub(super) async fn upload(&self, files: &[PathBuf]) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::with_capacity(files.len());
        for path in files {
            let (kind, body) = form(path).await?;
            let answer = whole(self.send(Method::POST, "/api/v1/files", Some(&kind), body).await?).await?;
            ids.push(answer["files"][0]["id"].as_str().unwrap_or_default().to_owned());
        }
        Ok(ids)
    }

    /// Writes the bytes at `path` into a file of the user's directory `out`, as `name`.
    ///
    /// # Errors
    ///
    /// The directory cannot be written, or as [`Self::get`].
    pub(super) async fn save(&self, path: &str, out: &Path, name: &str) -> Result<String, Failure> {
        use std::io::{Seek, Write};
        let mut body = self.send(Method::GET, path, None, Body::empty()).await?.into_body().into_data_stream();
        let mut file = tempfile::tempfile().map_err(Failure::ours)?;
        while let Some(piece) = body.next().await {
            file.write_all(&piece.map_err(|error| broken(&error))?).map_err(Failure::ours)?;
        }
        file.rewind().map_err(Failure::ours)?;
        out::write_one(&mut file, &out::out_dir(out)?, name, out)?;
        Ok(out.join(name).display().to_string())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Body,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        self.exchange(request.body(body).map_err(Failure::ours)?).await
    }

    /// One request and the head of its answer; a refusal becomes a failure.
    async fn exchange(&self, mut request: Request<Body>) -> Result<Response<Body>, Failure> {
        let response = match &self.0 {
            Way::Here(here) => match here.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Way::Server(address) => {
                let gone = |error: &dyn std::fmt::Display| {
                    Failure::ours(format!(
                        "the server at {address} does not answer ({error}); what it acknowledged is kept: \
                         start `glovebox serve` again, or repeat the command without it"
                    ))
                };
                let host = header::HeaderValue::from_str(&address.to_string()).map_err(Failure::ours)?;
                request.headers_mut().insert(header::HOST, host);
                if let Ok(key) = std::env::var(KEY_VARIABLE) {
                    let wrong =
                        |_| Failure::usage(format!("{KEY_VARIABLE} is not a key: it has a line break or the like"));
                    let mut value = header::HeaderValue::from_str(&format!("Bearer {}", key.trim())).map_err(wrong)?;
                    value.set_sensitive(true);
                    request.headers_mut().insert(header::AUTHORIZATION, value);
                }
                let stream = TcpStream::connect(address).await.map_err(|error| gone(&error))?;
                let _ = stream.set_nodelay(true);
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| gone(&error))?;
                tokio::spawn(connection);
                sender.send_request(request).await.map_err(|error| gone(&error))?.map(Body::new)
            }
        };
        if response.status().is_success() { Ok(response) } else { Err(refused(response).await) }
    }
}

impl Events {
    /// The next event: its kind and its data. `None` if the stream ended.
    ///
    /// # Errors
    ///
    /// The server is gone, or what it says is no event.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Value)>, Failure> {
        loop {
            // Our server ends lines with \n alone, and an event with an empty one.
            let end = self.unread[self.searched..].windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end.map(|end| self.searched + end) {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                self.searched = 0;
                if let Some(event) = decode(&event)? {
                    return Ok(Some(event));
                }
                continue;
            }
            self.searched = self.unread.len().saturating_sub(1);
            match self.body.next().await {
                Some(piece) => self.unread.extend_from_slice(&piece.map_err(|error| broken(&error))?),
                None => return Ok(None),
            }
            if self.unread.len() > EVENT_LIMIT {
                return Err(Failure::ours("the server sent an event that is too large to be one"));
            }
        }
    }
}

/// An event of lines `field: value`; `None` for a comment that keeps the connection alive.
fn decode(event: &[u8]) -> Result<Option<(String, Value)>, Failure> {
    let (mut kind, mut data) = (String::new(), None);
    for line in String::from_utf8_lossy(event).lines() {
        match line.split_once(": ") {
            Some(("event", value)) => value.clone_into(&mut kind),
            Some(("data", value)) => {
                data = Some(serde_json::from_str(value).map_err(|error| broken(&error))?);
            }
            _ => {}
        }
    }
    Ok(data.map(|data| (kind, data)))
}

fn broken(error: &dyn std::fmt::Display) -> Failure {
    Failure::ours(format!(
        "the server broke off its answer ({error}); what it acknowledged is kept, so look and repeat"
    ))
}

async fn whole(response: Response<Body>) -> Result<Value, Failure> {
    let body = axum::body::to_bytes(response.into_body(), ANSWER_LIMIT).await.map_err(|error| broken(&error))?;
    serde_json::from_slice(&body).map_err(|error| broken(&error))
}

/// The API's problem as a failure. What the caller can mend is a mistake in the command, everything else is ours.
async fn refused(response: Response<Body>) -> Failure {
    let status = response.status();
    let code = if status.is_client_error() { USAGE } else { INFRASTRUCTURE };
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap_or_default();
    let detail = serde_json::from_slice::<Problem>(&body).map(|problem| problem.detail);
    let detail = match (status, detail) {
        (StatusCode::UNAUTHORIZED, Ok(_)) => {
            Ok(format!("this server wants a key that is valid; put it into the variable {KEY_VARIABLE}"))
        }
        (_, detail) => detail,
    };
    let detail = detail.unwrap_or_else(|_| {
        let what = if status == StatusCode::NOT_FOUND { "; is it another version of glovebox?" } else { "" };
        format!("the server answered {status}{what}")
    });
    Failure::new(code, out::tame(&detail))
}

/// A file as `multipart/form-data`, read while it is sent.
async fn form(path: &Path) -> Result<(String, Body), Failure> {
    let readable = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(readable)?;
    if !file.metadata().await.map_err(readable)?.is_file() {
        return Err(Failure::usage(format!("{} is not a file", path.display())));
    }
    let name = path.file_name().and_then(|name| name.to_str()).map_or_else(|| "file".to_owned(), safe_name);
    let boundary = uuid::Uuid::new_v4().simple().to_string();
    // A safe name has neither quotes nor line breaks.
    let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    let piece = |text: String| stream::iter([Ok::<_, std::io::Error>(Bytes::from(text))]);
    let body = piece(head).chain(ReaderStream::new(file)).chain(piece(format!("\r\n--{boundary}--\r\n")));
    Ok((format!("multipart/form-data; boundary={boundary}"), Body::from_stream(body)))
}
