//! A connection to WeChat, and the counts of a worker's.

use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep};

use super::transport::{Meter, Transport};
use crate::message::body::Broken;
use crate::upstream::socket::Socket;
use crate::upstream::tls::BUFFER as TLS_BUFFER;

/// Of each connection, either way; the longest head of an answer too. hyper's default would let each
/// slow reader of a download hold 400 KiB.
const BUFFER: usize = 16 * 1024;
/// The longest piece of a body that a connection is to be given: it copies each behind what isn't
/// written yet.
pub const LONGEST_PIECE: usize = 16 * 1024;
/// The most that a connection takes: the head of the answer, the piece of its body that nobody has
/// taken yet, what is being read, and what is being written, each in an allocation that may be
/// twice as long; TLS, with what isn't written yet and a record each way; and its own structures.
pub const MOST_MEMORY: u64 = (2 * (4 * BUFFER + LONGEST_PIECE) + TLS + STRUCTURES) as u64;
const TLS: usize = TLS_BUFFER + 2 * 20 * 1024;
const STRUCTURES: usize = 16 * 1024;

/// The body of a request on its way to WeChat.
pub trait Payload: Body<Data = Bytes, Error = Broken> + 'static {}

impl<B: Body<Data = Bytes, Error = Broken> + 'static> Payload for B {}

/// Connection counts of one worker, read when scraped.
#[derive(Debug)]
#[repr(align(128))]
pub struct Gauges {
    open: AtomicU64,
    idle: AtomicU64,
    most_idle: u64,
}

impl Gauges {
    /// For a worker that keeps up to `most_idle` connections for the next requests.
    pub fn new(most_idle: u64) -> Self {
        Self { open: AtomicU64::new(0), idle: AtomicU64::new(0), most_idle }
    }

    /// Whether another one may be kept.
    pub(super) fn has_room(&self) -> bool {
        self.idle() < self.most_idle
    }

    /// Connections with an exchange in progress.
    pub fn active(&self) -> u64 {
        self.open.load(Ordering::Relaxed).saturating_sub(self.idle())
    }

    /// Connections waiting for the next request.
    pub fn idle(&self) -> u64 {
        self.idle.load(Ordering::Relaxed)
    }

    /// Only the worker's own thread writes, so a load and a store do.
    pub(super) fn parked(&self, change: impl FnOnce(u64) -> u64) {
        self.idle.store(change(self.idle.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

/// A connection and the future that drives it, which whoever holds it must poll.
pub(super) struct Connection<B: Payload> {
    pub(super) sender: SendRequest<B>,
    driver: http1::Connection<TokioIo<Transport>, B>,
    pub(super) meter: Rc<Meter>,
    /// Which of the pool's hosts it leads to.
    pub(super) host: usize,
    pub(super) reused: bool,
    /// Kept from exchange to exchange, since setting a timer costs more than looking at one that is
    /// set already.
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    /// From then on it takes no further request.
    pub(super) retires_at: Instant,
    pub(super) parked_at: Option<Instant>,
    gauges: Arc<Gauges>,
}

impl<B: Payload> Connection<B> {
    /// On a fresh socket to `host`, to be used for as long as `age`.
    pub(super) async fn new(
        host: usize,
        socket: Socket,
        age: Duration,
        gauges: &Arc<Gauges>,
    ) -> hyper::Result<Box<Self>> {
        let transport = Transport { socket, meter: Rc::new(Meter::default()) };
        let meter = Rc::clone(&transport.meter);
        let (sender, driver) = http1::Builder::new()
            .writev(false)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(transport))
            .await?;
        gauges.open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Self {
            sender,
            driver,
            meter,
            host,
            reused: false,
            timer: None,
            retires_at: Instant::now() + age,
            parked_at: None,
            gauges: Arc::clone(gauges),
        }))
    }

    /// Drives the connection without asking to be woken; ready when it has ended.
    ///
    /// hyper's halves wake each other: a request that is sent wakes the driver, a body that is read
    /// wakes it again. Where one task is both halves it would wake itself, and be polled twice more
    /// for each request.
    pub(super) fn advance(&mut self) -> Poll<hyper::Result<()>> {
        self.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Drives the connection; ready when it has ended.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Pin::new(&mut self.driver).poll(context)
    }
}

impl<B: Payload> Drop for Connection<B> {
    fn drop(&mut self) {
        self.gauges.open.fetch_sub(1, Ordering::Relaxed);
    }
}
