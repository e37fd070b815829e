//! One worker's connections to WeChat.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsConnector;

use super::Options;
use super::connect::{ConnectError, Connector};
use super::exchange::SendError;
use super::transport::{Meter, Transport};
use crate::message::body::Broken;

/// The body of a request on its way to WeChat.
pub trait Payload: Body<Data = Bytes, Error = Broken> + 'static {}
impl<B: Body<Data = Bytes, Error = Broken> + 'static> Payload for B {}

/// Connection counts of one worker, read when scraped.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Gauges {
    open: AtomicU64,
    idle: AtomicU64,
}

impl Gauges {
    /// Connections with an exchange in progress.
    pub fn active(&self) -> u64 {
        self.open.load(Ordering::Relaxed).saturating_sub(self.idle())
    }

    /// Connections waiting for the next request.
    pub fn idle(&self) -> u64 {
        self.idle.load(Ordering::Relaxed)
    }
}

/// A connection and the future that drives it, which whoever holds it must poll.
pub(super) struct Connection<B: Payload> {
    pub(super) sender: SendRequest<B>,
    driver: http1::Connection<TokioIo<Transport>, B>,
    pub(super) meter: Rc<Meter>,
    pub(super) reused: bool,
    /// Kept from exchange to exchange, since setting a timer costs more than looking at one that is set already.
    pub(super) timer: Option<Pin<Box<Sleep>>>,
    parked_at: Option<Instant>,
    gauges: Arc<Gauges>,
}

impl<B: Payload> Connection<B> {
    /// Drives the connection without asking to be woken; ready when it has ended.
    ///
    /// hyper's halves wake each other: a request that is sent wakes the driver, a body that is read wakes it again. Where
    /// one task is both halves it would wake itself, and be polled twice more for each request.
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

/// Dead connections that one request clears away before it takes a fresh one. Each look costs a unit of the task's budget;
/// with none left tokio would call a dead connection pending, that is alive.
const MOST_DISCARDED: usize = 16;
/// hyper's default would let each slow reader of a download hold 400 KiB.
const READ_BUFFER: usize = 128 * 1024;

/// A worker's way to WeChat: last used, first reused, so that what isn't needed falls idle and is closed.
pub struct Pool<B: Payload> {
    connector: Connector,
    #[expect(
        clippy::vec_box,
        reason = "a connection is large and moves between pool and request: by pointer"
    )]
    parked: RefCell<Vec<Box<Connection<B>>>>,
    reaping: Cell<bool>,
    gauges: Arc<Gauges>,
}

impl<B: Payload> std::fmt::Debug for Pool<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("parked", &self.parked.borrow().len()).finish_non_exhaustive()
    }
}

impl<B: Payload> Pool<B> {
    /// An empty pool; `gauges` is told how many connections it has.
    pub fn new(options: Arc<Options>, tls: Arc<rustls::ClientConfig>, gauges: Arc<Gauges>) -> Rc<Self> {
        Rc::new(Self {
            connector: Connector { options, tls: TlsConnector::from(tls) },
            parked: RefCell::default(),
            reaping: Cell::new(false),
            gauges,
        })
    }

    /// Where this pool's connections go.
    pub fn options(&self) -> &Options {
        &self.connector.options
    }

    /// A parked connection that is still good.
    pub(super) fn reuse(&self) -> Option<Box<Connection<B>>> {
        let idle_limit = self.options().pool_idle;
        for _ in 0..MOST_DISCARDED {
            let mut connection = self.parked.borrow_mut().pop()?;
            self.count_idle();
            if connection.parked_at.take().is_none_or(|at| at.elapsed() >= idle_limit) {
                continue;
            }
            // Nobody polls a parked connection: one poll notices that WeChat has closed it meanwhile.
            if connection.advance().is_pending() && connection.sender.is_ready() {
                connection.reused = true;
                connection.meter.written.set(false);
                connection.meter.read.set(false);
                return Some(connection);
            }
        }
        None
    }

    pub(super) async fn fresh(&self) -> Result<Box<Connection<B>>, SendError> {
        let transport = self.connector.connect().await.map_err(SendError::Connect)?;
        let meter = Rc::clone(&transport.meter);
        let (sender, driver) = http1::Builder::new()
            .writev(false)
            .max_buf_size(READ_BUFFER)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(|source| SendError::broken(source, false, false))?;
        self.gauges.open.fetch_add(1, Ordering::Relaxed);
        let gauges = Arc::clone(&self.gauges);
        Ok(Box::new(Connection {
            sender,
            driver,
            meter,
            reused: false,
            timer: None,
            parked_at: None,
            gauges,
        }))
    }

    /// Takes back a connection whose exchange is over.
    pub(super) fn park(self: &Rc<Self>, mut connection: Box<Connection<B>>) {
        connection.parked_at = Some(Instant::now());
        self.parked.borrow_mut().push(connection);
        self.count_idle();
        if !self.reaping.replace(true) {
            let pool = Rc::clone(self);
            tokio::task::spawn_local(async move { pool.reap().await });
        }
    }

    /// Closes what has been idle too long; ends with the last parked connection, so an idle worker sleeps.
    async fn reap(&self) {
        let limit = self.options().pool_idle;
        while !self.parked.borrow().is_empty() {
            tokio::time::sleep(limit / 2).await;
            self.parked.borrow_mut().retain(|parked| parked.parked_at.is_some_and(|at| at.elapsed() < limit));
            self.count_idle();
        }
        self.reaping.set(false);
    }

    fn count_idle(&self) {
        self.gauges.idle.store(self.parked.borrow().len() as u64, Ordering::Relaxed);
    }
}

impl From<ConnectError> for SendError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}
