//! The server: accepts connections, answers with the app, and leaves in good order when it is told to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::AppState;
use crate::notice::Notice;

/// Header fields of a request.
const MAX_HEADERS: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;
/// How often a client's patience it may leave our answer unread.
const UNREAD: u32 = 6;
/// Time for the last records and answers after everything was cancelled.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Longest time that a closing connection goes on reading.
const LINGER: Duration = Duration::from_secs(10);
/// How often expired things are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(3600);

/// Takes the address.
///
/// # Errors
///
/// A sentence: the port is in use, or the address is not this machine's.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} on {} is in use; stop what uses it or choose another with --listen {}:{}",
            address.port(),
            address.ip(),
            address.ip(),
            address.port().checked_add(1).unwrap_or(8081)
        ),
        io::ErrorKind::PermissionDenied => {
            format!("port {} is not allowed for this user; choose one above 1023 with --listen", address.port())
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

/// Serves until SIGTERM or SIGINT. Then: no new connections, programs get their time to finish, and
/// what still goes on is ended and written down. A second signal ends the process at once.
///
/// # Errors
///
/// The system gives no signals.
pub async fn serve(listener: TcpListener, router: Router, state: AppState) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let connections = GracefulShutdown::new();
    let patience = Duration::from_secs(state.config.client_timeout_s);
    // Without it commands cannot find this server; everybody else can.
    let posted = listener.local_addr().and_then(|address| Notice::post(&state.config.data_dir, address));
    if let Err(error) = &posted {
        tracing::warn!(%error, "failed to note the address of this server in its data directory");
    }
    let expiry = tokio::spawn(expire(state.clone()));
    let sweeper = tokio::spawn(sweep(state.clone()));
    let reload = tokio::spawn(crate::reload::watch(state.clone()));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match state.connections.enter(peer.ip()) {
                    Some(place) => {
                        let connection = connections.watch(connection(stream, router.clone(), patience));
                        tokio::spawn(async move {
                            if let Err(error) = connection.await {
                                tracing::debug!(%error, "a connection broke");
                            }
                            drop(place);
                        });
                    }
                    None => state.connections.refuse(stream),
                },
                // Out of descriptors, mostly: some become free when others end.
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop((posted, listener));
    expiry.abort();
    sweeper.abort();
    reload.abort();
    let grace = Duration::from_secs(state.config.shutdown_grace_s);
    tracing::info!(
        under_way = state.live.all().len(),
        grace_s = grace.as_secs(),
        "stopping; a second signal stops at once"
    );
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("stopped at once; what was under way is marked as interrupted at the next start");
        std::process::exit(130);
    });
    // From now on each connection closes after the answer it is waiting for.
    let mut closing = tokio::spawn(connections.shutdown());
    let _ = tokio::time::timeout(grace, state.live.idle()).await;
    state.cancel_all(LAST_WORDS).await;
    state.evals.interrupt(LAST_WORDS).await;
    let _ = tokio::time::timeout(LAST_WORDS, &mut closing).await;
    state.audit.flush(&state.storage).await;
    state.meter.flush(&state.storage).await;
    state.storage.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Serves artifacts through links until it is dropped; within the same limits as everything else.
pub async fn serve_artifacts(listener: TcpListener, router: Router, state: AppState) {
    let patience = Duration::from_secs(state.config.client_timeout_s);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match state.connections.enter(peer.ip()) {
                Some(place) => {
                    let connection = connection(stream, router.clone(), patience);
                    tokio::spawn(async move {
                        let _place = place;
                        let _ = connection.await;
                    });
                }
                None => state.connections.refuse(stream),
            },
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A connection that answers with `router`. The time for headers also ends one that says nothing at all.
fn connection(
    stream: TcpStream,
    router: Router,
    patience: Duration,
) -> http1::Connection<TokioIo<Gentle>, TowerToHyperService<Router>> {
    // An event is one small packet and is waited for.
    let _ = stream.set_nodelay(true);
    let stream = Gentle { stream, closing: None, unread: None, patience: patience * UNREAD };
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_headers(MAX_HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

async fn expire(state: AppState) {
    let days = state.config.retention_days;
    let mut clock = tokio::time::interval(EXPIRY_EVERY);
    loop {
        clock.tick().await;
        for tenant in state.keys.tenants() {
            if days > 0
                && let Err(error) = crate::sessions::expire(&state, &tenant, days).await
            {
                tracing::error!(%tenant, detail = error.detail, cause = ?error.cause, "failed to delete what has expired");
            }
        }
        if let Err(error) = state.storage.forget_audit(state.config.audit_days).await {
            tracing::error!(detail = error.detail, cause = ?error.cause, "failed to shorten the audit log");
        }
        if let Err(error) = state.storage.forget_keys().await {
            tracing::error!(detail = error.detail, cause = ?error.cause, "failed to forget keys of old requests");
        }
    }
}

/// Puts idle sessions to sleep.
async fn sweep(state: AppState) {
    let every = Duration::from_secs((state.config.session_idle_s / 4).clamp(1, 30));
    let mut clock = tokio::time::interval(every);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        crate::checkpoints::sweep(&state).await;
    }
}

/// A connection that says that it ends, and then throws away what still comes until the client ends
/// too. Closed with bytes unread it would be reset, and who is sending a file that is too large
/// would see a broken pipe in place of the answer that says so.
struct Gentle {
    stream: TcpStream,
    /// When it gives up; set once our side has ended.
    closing: Option<Pin<Box<tokio::time::Sleep>>>,
    /// When it gives up on a client that reads nothing; set while there is something to read.
    unread: Option<Pin<Box<tokio::time::Sleep>>>,
    patience: Duration,
}

impl Gentle {
    /// What became of a write, with an end to waiting for a client that does not read.
    fn written(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.unread = None;
            return wrote;
        }
        let patience = self.patience;
        let alarm = self.unread.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(alarm.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Gentle {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Gentle {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Gentle { stream, closing, .. } = &mut *self;
        let closing = match closing {
            Some(closing) => closing,
            None => {
                ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                closing.insert(Box::pin(tokio::time::sleep(LINGER)))
            }
        };
        // The clock first: a client that never stops sending must not keep it from being read.
        if closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut unread = [0; 16 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut unread);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
