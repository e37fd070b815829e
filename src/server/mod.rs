//! Accepts connections, spreads them over workers, parses HTTP/1.1 and drains.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `listener`, `admission`, `count` | bound sockets; who gets a connection; how many there are |
//! | `worker`, `pulse` | a thread with its connections; whether it moves |
//! | `drain` | how connections learn of the end |
//! | `connection`, `idle` | one of them; its time between requests |
//! | `socket`, `tls`, `handshakes` | a caller's socket; TLS on it |
//! | `stream`, `patience`, `pace` | its timeouts: for silence, and for a slow body |
//! | `framing`, `progress`, `fault` | where requests begin, and what is wrong with one |
//! | `handler`, `answer`, `pieces` | what serves requests; responses as bytes, and in pieces |
//! | `remote` | whom a request comes from |
//! | `tarpit`, `repeated` | whose responses are delayed; what the log tells at a bounded rate |
//! | `options`, `memory` | how connections are treated, and what they take at most |

mod admission;
mod answer;
mod connection;
mod count;
mod drain;
mod fault;
mod framing;
mod handler;
mod handshakes;
mod idle;
mod listener;
mod memory;
mod options;
mod pace;
mod patience;
mod pieces;
mod progress;
mod pulse;
mod remote;
mod repeated;
mod socket;
mod stream;
mod tarpit;
mod tls;
mod worker;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use self::admission::Admission;
pub use self::admission::Connections;
use self::count::Count;
use self::drain::Stage;
pub use self::fault::BodyFault;
pub use self::handler::{Handler, Peer, Refusal, Request, Response};
use self::listener::{Accepted, Accepting};
pub use self::listener::{BindError, Listener};
pub use self::memory::{TLS_MEMORY, most_held, most_memory};
pub use self::options::{Address, Options};
pub use self::pace::Pace;
pub use self::pulse::Pulse;
#[cfg(test)]
pub(crate) use self::pulse::Signs;
pub use self::remote::TrustedProxies;
pub use self::repeated::Repeated;
pub use self::tarpit::{Abuse, Tarpit};
pub use self::tls::{Identity, IdentityError, Tls};
use self::worker::{Assignment, End};

use crate::texts::text;

/// A running server. Dropping it cuts everything off; [`Server::drain`] is the friendly end.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<Address>,
    leaving: Arc<AtomicBool>,
    stage: watch::Sender<Stage>,
    before: Arc<Before>,
    ended: Vec<oneshot::Receiver<()>>,
    threads: Vec<JoinHandle<()>>,
    admission: Arc<Admission>,
    pulse: Pulse,
    drain_delay: Duration,
    drain_timeout: Duration,
}

/// Closed once nothing runs of what was there when the delay ended.
type Before = watch::Sender<()>;

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because they outlasted the drain timeout.
    pub cut_off: usize,
}

impl Server {
    /// Serves `listeners` with `workers` threads, each with a handler of its own made by
    /// `make_handler(worker)`.
    ///
    /// A connection stays with the worker that had the fewest when it came. Must be called within a
    /// tokio runtime, which runs the acceptor.
    ///
    /// # Errors
    /// If a thread can't be started, ends at once, or a listener can't be watched.
    pub fn start<H: Handler>(
        name: &str,
        listeners: Vec<Listener>,
        options: Options,
        workers: usize,
        make_handler: impl Fn(usize) -> H + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::launch(Arc::new(Before::new(())), name, listeners, options, workers, make_handler)
    }

    /// The same, for another server that is to end together with this one: the next process begins
    /// when both have ended, so until nothing of either is waited for, both serve the listeners
    /// that it goes on with.
    ///
    /// # Errors
    /// The same.
    pub fn start_beside<H: Handler>(
        &self,
        name: &str,
        listeners: Vec<Listener>,
        options: Options,
        workers: usize,
        make_handler: impl Fn(usize) -> H + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::launch(Arc::clone(&self.before), name, listeners, options, workers, make_handler)
    }

    fn launch<H: Handler>(
        before: Arc<Before>,
        name: &str,
        listeners: Vec<Listener>,
        options: Options,
        workers: usize,
        make_handler: impl Fn(usize) -> H + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let addresses = listeners.iter().map(|listener| listener.address().clone()).collect();
        let accepting = |listener: Listener| Ok((listener.is_held(), listener.into_accepting()?));
        let listeners = listeners.into_iter().map(accepting).collect::<io::Result<Vec<_>>>()?;
        let (stage, _) = watch::channel(Stage::Serving);
        let make_handler = Arc::new(make_handler);
        let counts: Vec<_> = (0..workers.max(1)).map(|_| Arc::new(Count::default())).collect();
        let admission = Arc::new(Admission::new(counts, &options));
        let mut server = Self {
            addresses,
            leaving: Arc::default(),
            stage,
            before: Arc::clone(&before),
            ended: Vec::new(),
            threads: Vec::new(),
            admission: Arc::clone(&admission),
            pulse: Pulse::new(),
            drain_delay: options.drain_delay,
            drain_timeout: options.drain_timeout,
        };
        let (mut routes, mut begun) = (Vec::new(), Vec::new());
        for index in 0..workers.max(1) {
            let (assignments, receiver) = mpsc::unbounded_channel();
            let (begins, has_begun) = std_mpsc::channel();
            let (ended, has_ended) = oneshot::channel();
            routes.push(assignments);
            begun.push(has_begun);
            server.ended.push(has_ended);
            let make_handler = Arc::clone(&make_handler);
            let options = options.clone();
            let end = End {
                leaving: Arc::clone(&server.leaving),
                stage: server.stage.subscribe(),
                before: before.subscribe(),
                ended,
            };
            let name = format!("{name}-{index}");
            let signs = server.pulse.add(&name);
            server.threads.push(std::thread::Builder::new().name(name).spawn(move || {
                worker::run(move || make_handler(index), options, receiver, begins, end, signs)
            })?);
        }
        for worker in begun {
            worker.recv().map_err(|_| io::Error::other(text!("a worker exited at once").to_string()))??;
        }
        let routes = Arc::new(routes);
        for (held, listener) in listeners {
            let acceptor = Acceptor {
                routes: Arc::clone(&routes),
                admission: Arc::clone(&admission),
                turn: 0,
                failed: Repeated::default(),
                before: held.then(|| Arc::clone(&before)),
            };
            #[expect(clippy::disallowed_methods, reason = "ends with the stage; the workers are joined")]
            tokio::spawn(acceptor.run(listener, server.stage.subscribe()));
        }
        Ok(server)
    }

    /// The bound addresses, in the order of the listeners.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.admission.open()
    }

    /// Those of them that have been idle for a moment, and hold little memory until more comes.
    pub fn parked(&self) -> usize {
        self.admission.workers().iter().map(|count| count.parked()).sum()
    }

    /// A handle to its connections.
    pub fn count(&self) -> Connections {
        Connections(Arc::clone(&self.admission))
    }

    /// Connections open now, worker by worker.
    pub fn connections_by_worker(&self) -> Vec<usize> {
        self.admission.workers().iter().map(|count| count.get()).collect()
    }

    /// Whether its workers move.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Responses say from now on that their connection ends; all else stays.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.stage.send_replace(Stage::Leaving);
    }

    /// Leaves, and after the drain delay accepts the connections that wait for it, and no others;
    /// what runs then finishes within the drain timeout, or is aborted. A listener that another
    /// process holds too is served while there is something to wait for, but for half of the
    /// timeout at most.
    pub async fn drain(self) -> Drained {
        self.drain_unless(std::future::pending()).await
    }

    /// The same, but what still runs when `hurry` resolves is cut off then.
    pub async fn drain_unless(mut self, hurry: impl Future<Output = ()>) -> Drained {
        let mut hurry = pin!(hurry);
        self.leave();
        if !self.drain_delay.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(self.drain_delay) => {}
                () = &mut hurry => return self.stop(false).await,
            }
        }
        self.stage.send_replace(Stage::Closing);
        let ended = std::mem::take(&mut self.ended);
        let all = async {
            for ended in ended {
                let _ = ended.await;
            }
        };
        let (stage, half) = (&self.stage, self.drain_timeout / 2);
        let out_of_time = async {
            tokio::time::sleep(half).await;
            stage.send_replace(Stage::Full);
            tokio::time::sleep(self.drain_timeout.saturating_sub(half)).await;
        };
        let in_time = tokio::select! {
            () = all => true,
            () = out_of_time => false,
            () = hurry => false,
        };
        self.stop(in_time).await
    }

    /// Cuts off what is left, if not all ended in time.
    async fn stop(mut self, in_time: bool) -> Drained {
        let cut_off = if in_time { 0 } else { self.connections() };
        self.stage.send_replace(Stage::Stopped);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                let _ = thread.join();
            }
        });
        let _ = joined.await;
        Drained { cut_off }
    }
}

struct Acceptor {
    /// The ways to the workers.
    routes: Arc<Vec<mpsc::UnboundedSender<Assignment>>>,
    admission: Arc<Admission>,
    /// Connections so far, so that workers with as few take turns.
    turn: usize,
    failed: Repeated,
    /// Of a listener that another process holds too.
    before: Option<Arc<Before>>,
}

impl Acceptor {
    async fn run(mut self, listener: Accepting, mut stage: watch::Receiver<Stage>) {
        loop {
            let accepted = tokio::select! {
                // First: who goes on after the last response is the next process's.
                biased;
                () = self.is_over(&mut stage) => break,
                accepted = listener.accept() => accepted,
            };
            self.take(accepted).await;
        }
        if self.before.is_some() {
            return;
        }
        let queue = listener.into_queue();
        while *stage.borrow() == Stage::Closing {
            let Some(accepted) = queue.next().transpose() else { return };
            self.take(accepted).await;
        }
    }

    /// Waits until no connection is accepted any more. While a process ends that another one
    /// follows, who comes is served as long as there is something to wait for anyway, unless little
    /// time is left.
    async fn is_over(&self, stage: &mut watch::Receiver<Stage>) {
        if stage.wait_for(|stage| *stage >= Stage::Closing).await.is_err() {
            return;
        }
        if let Some(before) = &self.before {
            tokio::select! {
                () = before.closed() => {}
                _ = stage.wait_for(|stage| *stage >= Stage::Full) => {}
            }
        }
    }

    async fn take(&mut self, accepted: io::Result<Accepted>) {
        self.turn = self.turn.wrapping_add(1);
        match accepted {
            Ok(accepted) => self.assign(accepted, self.turn),
            // The caller has gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Most often no file descriptor is left; one may come free soon.
                if let Some(failures) = self.failed.add(tokio::time::Instant::now()) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, failures, "{}", text!("cannot accept a connection; will retry"));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Hands a connection to the worker that has the fewest. One over the limit is closed, or told
    /// so by the worker if it is plain.
    fn assign(&self, accepted: Accepted, turn: usize) {
        let workers = self.admission.workers();
        let count = workers.len();
        let open = |at: usize| {
            // One that has ended would always have the fewest.
            let route = self.routes.get(at).filter(|route| !route.is_closed())?;
            Some((at, route))
        };
        let turns = (0..count).filter_map(|step| open(turn.wrapping_add(step) % count));
        let Some((worker, route)) = turns.min_by_key(|(at, _)| workers[*at].get()) else { return };
        let peer = accepted.peer();
        let assignment = match self.admission.admit(worker, peer) {
            Ok(place) => Assignment::Served { accepted, place, held: self.before.is_some() },
            Err(reason) => {
                self.admission.refused(reason, peer);
                if matches!(accepted, Accepted::Tls(..)) {
                    return;
                }
                let Some(answered) = self.admission.answer() else { return };
                Assignment::Refused(accepted, answered)
            }
        };
        // A worker that is gone has ended its connections with it.
        let _ = route.send(assignment);
    }
}
