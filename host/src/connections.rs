//! Connections: how many there may be, in all and of one address, and how long a client may dawdle with its body or
//! with reading ours. Without these limits a few hundred silent clients would be all that the server has.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, timeout};

/// Bytes a second that a body must bring on average while we wait for it.
const BYTES_PER_SECOND: f64 = 500.0;
/// Descriptors beside those of connections: database, workers, files under way.
const OTHER_DESCRIPTORS: u64 = 512;
/// Refusals that are said politely at once; beyond them a connection is just closed.
const POLITE: usize = 64;
/// What a client hears that is one too many.
const REFUSAL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\n\
    cache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'\r\nconnection: close\r\n";

/// The connections of this server.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_per_address: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
    refused: AtomicU64,
    polite: Semaphore,
}

/// A connection's place; gives it back when dropped.
#[derive(Debug)]
pub struct Place {
    of: Connections,
    address: IpAddr,
}

impl Connections {
    /// Room for `most` connections, `most_per_address` of them from one address (an IPv6 /64 counts as one).
    #[must_use]
    pub fn new(most: usize, most_per_address: usize) -> Connections {
        let (open, refused, polite) = (Mutex::default(), AtomicU64::new(0), Semaphore::new(POLITE));
        Connections(Arc::new(Inner { most, most_per_address, open, refused, polite }))
    }

    /// A place for a connection of this address, or `None`.
    #[must_use]
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = whose(address);
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let theirs = open.get(&address).copied().unwrap_or(0);
        if all >= self.0.most || theirs >= self.0.most_per_address {
            self.0.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        open.insert(address, theirs + 1);
        Some(Place { of: self.clone(), address })
    }

    /// Says that there is no place, if there is time for that, and closes.
    pub fn refuse(&self, mut stream: TcpStream) {
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(_permit) = this.0.polite.try_acquire() else { return };
            let detail = "too many connections; close some, or try again in a moment";
            let problem = crate::api::problem(crate::error::Code::Busy, detail);
            let body = serde_json::to_string(&problem).unwrap_or_default();
            let answer = format!("{REFUSAL}content-length: {}\r\n\r\n{body}", body.len());
            let _ = timeout(Duration::from_secs(1), async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                // Closed with bytes unread it would be reset, and the answer lost.
                let mut unread = [0; 4096];
                while stream.read(&mut unread).await? > 0 {}
                io::Result::Ok(())
            })
            .await;
        });
    }

    /// How many there are now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// How many were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = open.get_mut(&self.address) {
            *theirs -= 1;
            if *theirs == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// One customer has a whole /64 of IPv6 addresses.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// Makes room for the descriptors of so many connections, and gives how many fit.
#[must_use]
pub fn make_room(connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = connections as u64 + OTHER_DESCRIPTORS;
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let soft = limit.current.unwrap_or(u64::MAX).max(wanted.min(hard));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(soft), maximum: limit.maximum });
    let given = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fit = given.saturating_sub(OTHER_DESCRIPTORS).max(given / 2).max(1);
    connections.min(usize::try_from(fit).unwrap_or(usize::MAX))
}

/// A request's body that must arrive at a pace. Only the time counts in which we wait for the client.
pub struct Paced {
    body: Body,
    patience: Duration,
    /// How much longer it may keep us waiting; every piece earns some.
    credit: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    late: Arc<AtomicBool>,
}

impl Paced {
    /// `body`, no piece of which may take longer than `patience`. `late` becomes true if one does, or if all of them
    /// together are too slow.
    #[must_use]
    pub fn new(body: Body, patience: Duration, late: Arc<AtomicBool>) -> Paced {
        Paced { body, patience, credit: patience * 2, waiting: None, late }
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some((since, _)) = this.waiting.take() {
                this.credit = this.credit.saturating_sub(since.elapsed());
            }
            let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len)).unwrap_or(0);
            let earned = Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND);
            this.credit = (this.credit + earned).min(this.patience * 2);
            return Poll::Ready(frame);
        }
        let allowed = this.patience.min(this.credit);
        let (_, alarm) = this.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(allowed))));
        ready!(alarm.as_mut().poll(cx));
        this.late.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_no_more_than_its_share_and_gives_it_back() {
        let connections = Connections::new(3, 2);
        let (a, b): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "::ffff:127.0.0.1".parse().unwrap());
        let first = connections.enter(a).unwrap();
        let _second = connections.enter(b).unwrap();
        assert!(connections.enter(a).is_none(), "a mapped address is the same address");
        let other = connections.enter("10.0.0.1".parse().unwrap()).unwrap();
        assert!(connections.enter("10.0.0.2".parse().unwrap()).is_none(), "all places are taken");
        drop((first, other));
        assert_eq!((connections.open(), connections.refused()), (1, 2));
        assert!(connections.enter(a).is_some());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_address() {
        let connections = Connections::new(9, 1);
        let _place = connections.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(connections.enter("2001:db8::2:1".parse().unwrap()).is_none());
        assert!(connections.enter("2001:db8:0:1::1".parse().unwrap()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_late_and_a_steady_one_is_not() {
        for (bytes, pieces, fits) in [(1usize, 30, false), (6_000, 30, true)] {
            let stream = futures::stream::unfold(0, move |n| async move {
                tokio::time::sleep(Duration::from_secs(9)).await;
                (n < pieces).then(|| (io::Result::Ok(Bytes::from(vec![b'x'; bytes])), n + 1))
            });
            let late = Arc::new(AtomicBool::new(false));
            let body = Paced::new(Body::from_stream(stream), Duration::from_secs(10), Arc::clone(&late));
            let read = axum::body::to_bytes(Body::new(body), 1 << 20).await;
            assert_eq!((read.is_ok(), late.load(Ordering::Relaxed)), (fits, !fits), "{bytes} bytes every 9 s");
        }
    }
}
