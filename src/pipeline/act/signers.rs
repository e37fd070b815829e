//! Where requests are signed and their responses verified: on threads of their own, since a
//! signature takes a worker's time of twenty requests and more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::available_parallelism;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::memory::Memory;
use crate::observe::clock::Clock;
use crate::pipeline::error::Error;
use crate::texts::marked;

/// How a signed request's response was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SignedOutcome {
    /// Verified and decrypted.
    Verified,
    /// It came in clear, as errors and pictures may.
    Clear,
    /// Not believed.
    Unverified,
}

impl SignedOutcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Clear => "clear",
            Self::Unverified => "unverified",
        }
    }
}

/// What signs, all workers together.
#[derive(Debug)]
pub(crate) struct Signers {
    /// One for each thread that may be at it: the workers keep a core.
    places: Arc<Semaphore>,
    /// Certificates that WeChat signs by and that aren't configured, by AppID: the configured ones
    /// are about to be replaced.
    announced: Mutex<BTreeMap<Arc<str>, String>>,
    pub(super) memory: Arc<Memory>,
    pub(super) clock: Clock,
}

impl Signers {
    /// What they read whole takes of `memory`.
    pub(crate) fn new(memory: Arc<Memory>, clock: Clock) -> Arc<Self> {
        let threads = available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        Arc::new(Self {
            places: Arc::new(Semaphore::new(threads)),
            announced: Mutex::default(),
            memory,
            clock,
        })
    }

    /// Does `work`, once it is its turn.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let gone = marked!("the threads that sign requests have stopped");
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Overloaded(gone))?;
        let done = spawn_blocking(move || {
            // Who waits for it may be gone, and the thread is at it all the same.
            let _place = place;
            work()
        });
        done.await.map_err(|_| Error::Overloaded(gone))
    }

    /// WeChat signs for this account by another certificate as well.
    pub(super) fn announce(&self, appid: &Arc<str>, serial: String) {
        self.announced.lock().insert(Arc::clone(appid), serial);
    }

    /// The certificate that WeChat has begun to sign by for this account, if it has.
    pub(crate) fn announced(&self, appid: &str) -> Option<String> {
        self.announced.lock().get(appid).cloned()
    }
}
