//! Who gets a connection: how many there may be in all, and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::count::Count;
use super::remote::network_of;
use super::{Options, Peer, Repeated, TrustedProxies};
use crate::observe::exposition::Exposition;
use crate::texts::text;

/// A server's connections; it may outlive the server.
#[derive(Clone, Debug)]
pub struct Connections(pub(super) Arc<Admission>);

impl Connections {
    /// No limit of an address counts against these from now on.
    pub fn trust(&self, proxies: TrustedProxies) {
        self.0.trusted.store(Arc::new(proxies));
    }

    /// Adds them, and those that were refused, to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        Count::expose(&self.0.workers, out);
        self.0.expose(out);
    }
}

/// Refused connections that get a response at the same time; the others are closed.
const ANSWERED_AT_ONCE: usize = 256;

/// Counts a server's connections, and says whether there is room for one more.
#[derive(Debug)]
pub(super) struct Admission {
    workers: Vec<Arc<Count>>,
    most: usize,
    most_of_address: usize,
    trusted: ArcSwap<TrustedProxies>,
    /// Of each address, if that is counted.
    held: Mutex<HashMap<IpAddr, usize>>,
    /// Places for those that are told so.
    answering: Arc<Semaphore>,
    refused: Mutex<[Repeated; REASONS.len()]>,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitReached {
    All,
    OfAddress,
}

const REASONS: [LimitReached; 2] = [LimitReached::All, LimitReached::OfAddress];

impl LimitReached {
    /// As in the metrics: the key of the configuration.
    fn as_str(self) -> &'static str {
        match self {
            Self::All => "max_connections",
            Self::OfAddress => "max_connections_per_address",
        }
    }
}

/// A place among a worker's connections, given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    worker: Arc<Count>,
    _of_address: Option<OfAddress>,
}

impl Place {
    pub(super) fn worker(&self) -> &Arc<Count> {
        &self.worker
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.remove();
    }
}

/// A place among those of one address, given back on drop.
#[derive(Debug)]
struct OfAddress {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.admission.held.lock().entry(self.address) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

impl Admission {
    pub(super) fn new(workers: Vec<Arc<Count>>, options: &Options) -> Self {
        Self {
            workers,
            most: options.max_connections,
            most_of_address: options.max_connections_per_address,
            trusted: ArcSwap::default(),
            held: Mutex::default(),
            answering: Arc::new(Semaphore::new(ANSWERED_AT_ONCE)),
            refused: Mutex::default(),
        }
    }

    pub(super) fn workers(&self) -> &[Arc<Count>] {
        &self.workers
    }

    /// Connections open now.
    pub(super) fn open(&self) -> usize {
        self.workers.iter().map(|worker| worker.get()).sum()
    }

    /// A place at `worker` for a connection of `peer`, unless there is none.
    pub(super) fn admit(self: &Arc<Self>, worker: usize, peer: Peer) -> Result<Place, LimitReached> {
        let of_address = match self.counted(peer) {
            Some(address) => Some(self.take(address).ok_or(LimitReached::OfAddress)?),
            None => None,
        };
        if self.open() >= self.most {
            return Err(LimitReached::All);
        }
        let worker = self.workers.get(worker).ok_or(LimitReached::All)?;
        worker.add();
        Ok(Place { worker: Arc::clone(worker), _of_address: of_address })
    }

    /// The address whose connections are limited, if they are.
    fn counted(&self, peer: Peer) -> Option<IpAddr> {
        let Peer::Tcp(address) = peer else { return None };
        let address = address.ip().to_canonical();
        if address.is_loopback() || self.trusted.load().contains(address) {
            return None;
        }
        Some(network_of(address))
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Option<OfAddress> {
        let mut all = self.held.lock();
        let held = all.entry(address).or_default();
        if *held >= self.most_of_address {
            return None;
        }
        *held += 1;
        Some(OfAddress { admission: Arc::clone(self), address })
    }

    /// Counts one that is refused, and tells it if that was not done just now.
    pub(super) fn refused(&self, reason: LimitReached, peer: Peer) {
        let told = self.refused.lock()[reason as usize].add(Instant::now());
        if let Some(connections) = told {
            tracing::warn!(
                remote = %peer.remote(),
                reason = reason.as_str(),
                connections,
                "{}",
                text!(
                    "refused connections: server.max_connections or max_connections_per_address is reached"
                )
            );
        }
    }

    /// Permission to respond to a refused one, given back on drop, if not too many are being
    /// responded to.
    pub(super) fn answer(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.answering).try_acquire_owned().ok()
    }

    fn expose(&self, out: &mut Exposition) {
        let all = *self.refused.lock();
        out.counter(
            "wxgate_connections_refused_total",
            "Connections of callers for which there was no room, by the limit.",
        );
        for (reason, refused) in REASONS.iter().zip(all).filter(|(_, refused)| refused.count() > 0) {
            out.sample(&[("reason", reason.as_str())], refused.count() as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ANSWERED_AT_ONCE, Admission, Connections, LimitReached};
    use crate::server::count::Count;
    use crate::server::{Options, Peer};

    fn admission(most: usize, most_of_address: usize) -> Arc<Admission> {
        let workers = (0..2).map(|_| Arc::new(Count::default())).collect();
        let options = Options {
            max_connections: most,
            max_connections_per_address: most_of_address,
            ..Options::default()
        };
        let admission = Arc::new(Admission::new(workers, &options));
        let proxies = ["192.0.2.0/24".parse().expect("a network")].into_iter().collect();
        Connections(Arc::clone(&admission)).trust(proxies);
        admission
    }

    fn peer(address: &str) -> Peer {
        Peer::Tcp((address.parse::<std::net::IpAddr>().expect("an address"), 1).into())
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let admission = admission(100, 2);
        for addresses in [
            ["198.51.100.1", "198.51.100.1", "::ffff:198.51.100.1", "198.51.100.2"],
            ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:0:ffff::", "2001:db8:0:1::1"],
        ] {
            let [one, same, beyond, other] = addresses.map(peer);
            let first = admission.admit(0, one).expect("a place");
            let _second = admission.admit(1, same).expect("a place");
            for _ in 0..3 {
                assert_eq!(admission.admit(0, beyond).err(), Some(LimitReached::OfAddress));
            }
            let _other = admission.admit(0, other).expect("of another address");
            drop(first);
            assert!(admission.admit(0, beyond).is_ok(), "{addresses:?}");
        }
        assert_eq!((admission.open(), admission.held.lock().len()), (0, 0));
    }

    #[test]
    fn this_machine_and_trusted_proxies_have_no_share() {
        let admission = admission(100, 1);
        for peer in [peer("127.0.0.2"), peer("::1"), peer("192.0.2.9"), Peer::Unix(Some(0))] {
            let places: Vec<_> = (0..5).map(|_| admission.admit(0, peer)).collect();
            assert!(places.iter().all(Result::is_ok), "{peer:?}");
        }
        assert!(admission.held.lock().is_empty());
    }

    #[test]
    fn there_are_no_more_than_the_most_whoever_comes() {
        let admission = admission(2, 10);
        let places = ["198.51.100.1", "127.0.0.1"].map(|address| admission.admit(0, peer(address)));
        for address in ["198.51.100.1", "198.51.100.3", "127.0.0.1"] {
            assert_eq!(admission.admit(0, peer(address)).err(), Some(LimitReached::All), "{address}");
        }
        assert_eq!(admission.held.lock().len(), 1, "who was refused holds nothing");
        drop(places);
        assert_eq!(admission.open(), 0);
    }

    #[test]
    fn so_many_are_answered_at_once_and_no_more() {
        let admission = admission(1, 1);
        let mut answered: Vec<_> = (0..ANSWERED_AT_ONCE).map(|_| admission.answer()).collect();
        assert!(answered.iter().all(Option::is_some) && admission.answer().is_none());
        answered.pop();
        assert!(admission.answer().is_some());
    }
}
