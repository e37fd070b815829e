//! One worker's connections to WeChat.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use tokio::time::Instant;

use super::connection::{Connection, Gauges, Payload};
use super::error::SendError;
use crate::upstream::Options;
use crate::upstream::hosts::Hosts;

/// Dead connections that one request clears away before it takes a fresh one. Each look costs a
/// unit of the task's budget; with none left tokio would call a dead connection pending, that is
/// alive.
const MOST_DISCARDED: usize = 16;

/// A worker's way to WeChat: last used, first reused, so that what isn't needed falls idle and is
/// closed.
pub struct Pool<B: Payload> {
    pub(super) hosts: Arc<Hosts>,
    lanes: Vec<Lane<B>>,
    reaping: Cell<bool>,
    gauges: Arc<Gauges>,
}

/// The connections to one host.
struct Lane<B: Payload> {
    /// The `Host` header. The worker's own: counting the references of a shared one would be a
    /// write to shared memory.
    authority: HeaderValue,
    #[expect(
        clippy::vec_box,
        reason = "a connection is large and moves between pool and request: by pointer"
    )]
    parked: RefCell<Vec<Box<Connection<B>>>>,
}

impl<B: Payload> std::fmt::Debug for Pool<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl<B: Payload> Pool<B> {
    /// An empty pool; `gauges` is told how many connections it has.
    pub fn new(hosts: Arc<Hosts>, gauges: Arc<Gauges>) -> Rc<Self> {
        let lane = |authority: String| Lane {
            // The configuration lets no host through that isn't a header.
            authority: HeaderValue::try_from(authority).unwrap_or(HeaderValue::from_static("-")),
            parked: RefCell::default(),
        };
        let lanes = hosts.origins().map(|origin| lane(origin.authority())).collect();
        Rc::new(Self { hosts, lanes, reaping: Cell::new(false), gauges })
    }

    /// How this pool's connections are used.
    pub fn options(&self) -> &Options {
        self.hosts.options()
    }

    pub(super) fn authority(&self, host: usize) -> &HeaderValue {
        &self.lanes[host].authority
    }

    /// A connection that a request can be sent on, a new one if `fresh`.
    pub async fn ready(self: &Rc<Self>, fresh: bool) -> Result<Ready<B>, SendError> {
        let host = self.hosts.choose();
        let parked = if fresh { None } else { self.reuse(host) };
        let connection = match parked {
            Some(connection) => connection,
            // Boxed where it is rare: a future is as large as its largest step, and is copied when
            // it is made.
            None => Box::pin(self.connect(host)).await?,
        };
        Ok(Ready { connection, pool: Rc::clone(self) })
    }

    /// A parked connection that is still good.
    fn reuse(&self, host: usize) -> Option<Box<Connection<B>>> {
        let (options, now) = (self.options(), Instant::now());
        for _ in 0..MOST_DISCARDED {
            let mut connection = self.lanes[host].parked.borrow_mut().pop()?;
            self.gauges.parked(|idle| idle - 1);
            let idle = connection.parked_at.take().map_or(options.pool_idle, |at| now.duration_since(at));
            if idle >= options.pool_idle || now.duration_since(connection.made_at) >= options.pool_age {
                continue;
            }
            // Nobody polls a parked connection: one poll notices that WeChat has closed it
            // meanwhile.
            if connection.advance().is_pending() && connection.sender.is_ready() {
                connection.reused = true;
                connection.meter.written.set(false);
                connection.meter.read.set(false);
                return Some(connection);
            }
        }
        None
    }

    /// A new connection to `host`; one to another host where that one takes none.
    async fn connect(&self, mut host: usize) -> Result<Box<Connection<B>>, SendError> {
        loop {
            let error = match self.hosts.connect(host).await {
                Ok(socket) => {
                    let connection = Connection::new(host, socket, &self.gauges).await;
                    return connection.map_err(|source| SendError::broken(source, false, false));
                }
                Err(error) => error,
            };
            match self.hosts.after(host, &error) {
                None => return Err(SendError::Connect(error)),
                Some(next) => host = next,
            }
            if let Some(connection) = self.reuse(host) {
                return Ok(connection);
            }
        }
    }

    /// Takes back a connection whose exchange is over, unless it has served long enough.
    pub(super) fn park(self: &Rc<Self>, mut connection: Box<Connection<B>>) {
        let now = Instant::now();
        if now.duration_since(connection.made_at) >= self.options().pool_age {
            return;
        }
        connection.parked_at = Some(now);
        self.lanes[connection.host].parked.borrow_mut().push(connection);
        self.gauges.parked(|idle| idle + 1);
        if !self.reaping.replace(true) {
            let pool = Rc::clone(self);
            tokio::task::spawn_local(async move { pool.reap().await });
        }
    }

    /// Closes what has been idle too long; ends with the last parked connection, so an idle worker
    /// sleeps and a pool that nobody else holds is gone.
    async fn reap(&self) {
        let limit = self.options().pool_idle;
        while self.lanes.iter().any(|lane| !lane.parked.borrow().is_empty()) {
            tokio::time::sleep(limit / 2).await;
            for lane in &self.lanes {
                let mut parked = lane.parked.borrow_mut();
                let before = parked.len();
                parked.retain(|parked| parked.parked_at.is_some_and(|at| at.elapsed() < limit));
                self.gauges.parked(|idle| idle - (before - parked.len()) as u64);
            }
        }
        self.reaping.set(false);
    }
}

/// A connection that a request can be sent on.
pub struct Ready<B: Payload> {
    pub(super) connection: Box<Connection<B>>,
    pub(super) pool: Rc<Pool<B>>,
}

impl<B: Payload> std::fmt::Debug for Ready<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("authority", self.authority()).finish_non_exhaustive()
    }
}

impl<B: Payload> Ready<B> {
    /// The `Host` header for it.
    pub fn authority(&self) -> &HeaderValue {
        self.pool.authority(self.connection.host)
    }
}
