//! One worker's connections to WeChat.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;

use super::connection::{Connection, Gauges};
use super::error::SendError;
use crate::upstream::Options;
use crate::upstream::hosts::Hosts;

/// Dead connections that one request clears away before it takes a fresh one. Each look costs a
/// unit of the task's budget; with none left tokio would call a dead connection pending, that is
/// alive.
const MOST_DISCARDED: usize = 16;

/// Which connections will do for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Any that seems good: where it closes under the request, that is sent again.
    Any,
    /// For what can't be sent again: a fresh one, if the host has closed another under a request
    /// lately; else any.
    Once,
    /// A fresh one.
    Fresh,
}

/// A worker's way to WeChat: last used, first reused, so that what isn't needed falls idle and is
/// closed.
pub struct Pool {
    pub(super) hosts: Arc<Hosts>,
    lanes: Vec<Lane>,
    reaping: Cell<bool>,
    gauges: Arc<Gauges>,
}

/// The connections to one host.
struct Lane {
    /// The `Host` header. The worker's own: counting the references of a shared one would be a
    /// write to shared memory.
    authority: HeaderValue,
    #[expect(
        clippy::vec_box,
        reason = "a connection is large and moves between pool and request: by pointer"
    )]
    parked: RefCell<Vec<Box<Connection>>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Pool {
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

    /// A connection that a request can be sent on, wanted `now`.
    pub async fn ready(self: &Rc<Self>, need: Need, now: Instant) -> Result<PooledConnection, SendError> {
        let host = self.hosts.choose();
        let fresh = self.is_to_be_fresh(host, need);
        let parked = if fresh { None } else { self.reuse(host, now) };
        let (connection, since) = match parked {
            Some(connection) => (connection, now),
            // Boxed where it is rare: a future is as large as its largest step, and is copied when
            // it is made.
            None => (Box::pin(self.connect(host, need, fresh)).await?, Instant::now()),
        };
        Ok(PooledConnection { connection, pool: Rc::clone(self), since, to_head: false })
    }

    fn is_to_be_fresh(&self, host: usize, need: Need) -> bool {
        match need {
            Need::Any => false,
            Need::Once => self.hosts.asks_for_a_fresh_one(host),
            Need::Fresh => true,
        }
    }

    /// A parked connection that is still good.
    fn reuse(&self, host: usize, now: Instant) -> Option<Box<Connection>> {
        let options = self.options();
        for _ in 0..MOST_DISCARDED {
            let mut connection = self.lanes[host].parked.borrow_mut().pop()?;
            self.gauges.parked(|idle| idle - 1);
            let idle = connection.parked_at.take().map_or(options.pool_idle, |at| now.duration_since(at));
            if idle >= options.pool_idle || now >= connection.retires_at {
                continue;
            }
            if connection.is_quiet() {
                connection.reused = true;
                return Some(connection);
            }
        }
        None
    }

    /// A new connection to `host`; one to another host where that one takes none.
    async fn connect(
        &self,
        mut host: usize,
        need: Need,
        mut fresh: bool,
    ) -> Result<Box<Connection>, SendError> {
        loop {
            let error = match self.hosts.connect(host).await {
                Ok(socket) => {
                    // What was made for a single request isn't kept: the next such request makes
                    // its own, and they would heap up.
                    let single = fresh && need == Need::Once;
                    let age = if single { Duration::ZERO } else { self.options().pool_age };
                    return Ok(Connection::new(host, socket, age, &self.gauges));
                }
                Err(error) => error,
            };
            match self.hosts.after(host, &error) {
                None => return Err(SendError::Connect(error)),
                Some(next) => host = next,
            }
            fresh = self.is_to_be_fresh(host, need);
            if !fresh && let Some(connection) = self.reuse(host, Instant::now()) {
                return Ok(connection);
            }
        }
    }

    /// Takes back a connection whose exchange is over, unless it has served long enough or takes no
    /// more.
    pub(super) fn park(self: &Rc<Self>, mut connection: Box<Connection>) {
        let now = Instant::now();
        let ends = now >= connection.retires_at || !connection.goes_on();
        if ends || !self.gauges.has_room() {
            return;
        }
        connection.rest();
        connection.parked_at = Some(now);
        self.lanes[connection.host].parked.borrow_mut().push(connection);
        self.gauges.parked(|idle| idle + 1);
        if !self.reaping.replace(true) {
            let pool = Rc::clone(self);
            tokio::task::spawn_local(async move { pool.reap().await });
        }
    }

    /// Closes what has been idle too long; ends with the last parked connection, so an idle worker
    /// sleeps and a pool without other owners is gone.
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
pub struct PooledConnection {
    pub(super) connection: Box<Connection>,
    pub(super) pool: Rc<Pool>,
    /// Since when it is there.
    pub(super) since: Instant,
    /// The request is HEAD.
    pub(super) to_head: bool,
}

impl std::fmt::Debug for PooledConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let authority = self.pool.authority(self.connection.host);
        f.debug_struct("PooledConnection").field("authority", authority).finish_non_exhaustive()
    }
}
