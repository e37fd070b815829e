//! Holds responses back from those who try keys, so that guessing is slow, and from SDKs that ask
//! again and again with a token that is dead.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::TrustedProxies;
use super::remote::network_of;
use crate::observe::clock::{Clock, Timestamp};
use crate::observe::remote::Remote;
use crate::texts::text;

/// How long a response is held back.
const DELAY: Duration = Duration::from_secs(1);
/// So many at once; what comes beyond is sent at once, so that connections don't pile up.
const MOST_HELD: usize = 100;
/// Addresses that are remembered.
const MOST_ADDRESSES: usize = 8192;
/// Between two lines of the log about the same address.
const QUIET: Duration = Duration::from_secs(60);

/// What is slowed down where it is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abuse {
    /// An unknown API key or admin token.
    WrongKey,
    /// A placeholder token that no longer holds.
    DeadPlaceholder,
}

impl Abuse {
    /// From which refusal within how long on they are held back.
    fn threshold(self) -> (usize, Duration) {
        match self {
            Self::WrongKey => (10, Duration::from_secs(60)),
            // Some SDKs fetch and retry without end.
            Self::DeadPlaceholder => (3, Duration::from_secs(10)),
        }
    }

    /// The address that such refusals to `remote` count for. None where they don't count: many
    /// callers may stand behind a proxy.
    fn address(self, remote: Remote, trusted: &TrustedProxies) -> Option<IpAddr> {
        let Remote::Address(address) = remote else { return None };
        if trusted.contains(address) || (self == Self::WrongKey && address.is_loopback()) {
            return None;
        }
        Some(network_of(address))
    }
}

/// What all workers and the admin address share.
#[derive(Debug)]
pub struct Tarpit {
    clock: Clock,
    /// Places for responses that are held back; who hangs up gives his back.
    places: Semaphore,
    wrong_keys: Mutex<Table>,
    dead_placeholders: Mutex<Table>,
}

impl Tarpit {
    /// Empty.
    pub fn new(clock: Clock) -> Self {
        let (wrong_keys, dead_placeholders) = Default::default();
        Self { clock, places: Semaphore::new(MOST_HELD), wrong_keys, dead_placeholders }
    }

    /// Counts a refusal to `remote`, and waits if its response is to be held back.
    pub async fn hold(&self, abuse: Abuse, remote: Remote, trusted: &TrustedProxies) {
        let Some(address) = abuse.address(remote, trusted) else { return };
        let table = match abuse {
            Abuse::WrongKey => &self.wrong_keys,
            Abuse::DeadPlaceholder => &self.dead_placeholders,
        };
        let Some(untold) = table.lock().add(address, abuse.threshold(), self.clock.now()) else { return };
        if let (Abuse::WrongKey, Some(count)) = (abuse, untold) {
            let text = text!("repeated wrong API keys or admin tokens");
            tracing::warn!(%remote, wrong_keys = count, "{text}");
        }
        if let Ok(_place) = self.places.try_acquire() {
            self.clock.sleep(DELAY).await;
        }
    }
}

/// The refusals of late, by address. Of more addresses than it has room for, those that were seen
/// last are kept.
#[derive(Debug, Default)]
struct Table {
    recent: HashMap<IpAddr, Refusals>,
    /// Takes the place of `recent` when that has half of all.
    older: HashMap<IpAddr, Refusals>,
}

/// The refusals to one address.
#[derive(Debug, Default)]
struct Refusals {
    /// When the last ones were, the oldest first.
    times: Vec<Timestamp>,
    /// What the log doesn't know of.
    untold: u64,
    told_at: Option<Timestamp>,
}

impl Table {
    /// Counts a refusal. If it is to be held back: how many the log is to be told of, if it is now.
    fn add(
        &mut self,
        address: IpAddr,
        (from, within): (usize, Duration),
        now: Timestamp,
    ) -> Option<Option<u64>> {
        let refusals = self.of(address);
        refusals.untold += 1;
        refusals.times.retain(|time| now.since(*time) <= within);
        refusals.times.push(now);
        if refusals.times.len() < from {
            return None;
        }
        refusals.times.remove(0);
        if refusals.told_at.is_some_and(|at| now.since(at) < QUIET) {
            return Some(None);
        }
        refusals.told_at = Some(now);
        Some(Some(std::mem::take(&mut refusals.untold)))
    }

    fn of(&mut self, address: IpAddr) -> &mut Refusals {
        let Self { recent, older } = self;
        if recent.len() >= MOST_ADDRESSES / 2 && !recent.contains_key(&address) {
            *older = std::mem::take(recent);
        }
        recent.entry(address).or_insert_with(|| older.remove(&address).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Abuse, DELAY, MOST_ADDRESSES, MOST_HELD, Table, Tarpit};
    use crate::observe::clock::{Clock, Timestamp};
    use crate::observe::remote::Remote;
    use crate::server::TrustedProxies;

    fn address(text: &str) -> Remote {
        Remote::Address(text.parse().expect("an address"))
    }

    fn proxies(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|text| text.parse().expect("a network")).collect()
    }

    /// How long the response is held back.
    async fn held(tarpit: &Tarpit, abuse: Abuse, remote: &str) -> Duration {
        let began = Instant::now();
        tarpit.hold(abuse, address(remote), &proxies(&["10.0.0.0/8"])).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_keys_are_held_back_from_the_tenth_within_a_minute_on() {
        let tarpit = Tarpit::new(Clock::simulated());
        let key = async |remote| held(&tarpit, Abuse::WrongKey, remote).await;
        for _ in 0..9 {
            assert_eq!(key("192.0.2.1").await, Duration::ZERO);
        }
        assert_eq!(key("192.0.2.1").await, DELAY);
        assert_eq!(key("192.0.2.1").await, DELAY);
        assert_eq!(key("192.0.2.2").await, Duration::ZERO);
        // The first nine, and what came since, are over a minute old.
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(key("192.0.2.1").await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_guesser_is_never_held_back() {
        let tarpit = Tarpit::new(Clock::simulated());
        for _ in 0..30 {
            assert_eq!(held(&tarpit, Abuse::WrongKey, "192.0.2.1").await, Duration::ZERO);
            tokio::time::advance(Duration::from_secs(7)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dead_placeholders_are_held_back_from_the_third_within_ten_seconds_on() {
        let tarpit = Tarpit::new(Clock::simulated());
        for (remote, expected) in [("127.0.0.1", DELAY), ("192.0.2.1", DELAY), ("10.0.0.1", Duration::ZERO)] {
            for expected in [Duration::ZERO, Duration::ZERO, expected, expected] {
                assert_eq!(held(&tarpit, Abuse::DeadPlaceholder, remote).await, expected, "{remote}");
            }
        }
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(held(&tarpit, Abuse::DeadPlaceholder, "127.0.0.1").await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn loopback_unix_and_trusted_proxies_are_exempt_from_guessing() {
        let tarpit = Tarpit::new(Clock::simulated());
        let began = Instant::now();
        for _ in 0..20 {
            for remote in ["127.0.0.1", "127.8.8.8", "::1", "10.0.0.1"] {
                assert_eq!(held(&tarpit, Abuse::WrongKey, remote).await, Duration::ZERO, "{remote}");
            }
            tarpit.hold(Abuse::WrongKey, Remote::Unix(Some(7)), &proxies(&[])).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv6_network_counts_as_one_address() {
        let tarpit = Tarpit::new(Clock::simulated());
        for host in 1..10 {
            let remote = format!("2001:db8:1:2::{host}");
            assert_eq!(held(&tarpit, Abuse::WrongKey, &remote).await, Duration::ZERO);
        }
        assert_eq!(held(&tarpit, Abuse::WrongKey, "2001:db8:1:3::1").await, Duration::ZERO);
        assert_eq!(held(&tarpit, Abuse::WrongKey, "2001:db8:1:2:ffff::1").await, DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_at_once_are_held_back_and_the_rest_is_answered_at_once() {
        let tarpit = Tarpit::new(Clock::simulated());
        for _ in 0..9 {
            held(&tarpit, Abuse::WrongKey, "192.0.2.1").await;
        }
        let mut waiting: Vec<_> =
            (0..MOST_HELD + 20).map(|_| Box::pin(held(&tarpit, Abuse::WrongKey, "192.0.2.1"))).collect();
        let mut at_once = 0;
        let mut pending = Vec::new();
        for mut one in waiting.drain(..) {
            match is_ready(&mut one) {
                true => at_once += 1,
                false => pending.push(one),
            }
        }
        assert_eq!((at_once, pending.len()), (20, MOST_HELD));
        // Who hangs up makes room.
        pending.truncate(1);
        assert_eq!(tarpit.places.available_permits(), MOST_HELD - 1);
        assert_eq!(held(&tarpit, Abuse::WrongKey, "192.0.2.1").await, DELAY);
    }

    fn is_ready(future: &mut (impl Future<Output = Duration> + Unpin)) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::Pin::new(future).poll(&mut context).is_ready()
    }

    #[test]
    fn an_address_is_told_once_a_minute_with_how_many_there_were() {
        let (mut table, one): (_, IpAddr) = (Table::default(), [192, 0, 2, 1].into());
        let mut at = |seconds: i64| table.add(one, Abuse::WrongKey.threshold(), Timestamp(seconds * 1000));
        for _ in 0..9 {
            assert_eq!(at(0), None);
        }
        assert_eq!(at(1), Some(Some(10)));
        for _ in 0..10 {
            assert_eq!(at(50), Some(None));
        }
        assert_eq!((at(61), at(62)), (Some(Some(11)), Some(None)));
    }

    #[test]
    fn the_addresses_that_were_seen_last_are_remembered() {
        let (mut table, one): (_, IpAddr) = (Table::default(), [192, 0, 2, 1].into());
        let mut add = |address| table.add(address, Abuse::WrongKey.threshold(), Timestamp(0)).is_some();
        for _ in 0..9 {
            assert!(!add(one));
        }
        let others = |from: u32, count: usize| (from..).take(count).map(|n| IpAddr::from(n.to_be_bytes()));
        for other in others(1 << 30, MOST_ADDRESSES / 2) {
            add(other);
        }
        assert!(add(one), "it still counts");
        for other in others(2 << 30, 2 * MOST_ADDRESSES) {
            add(other);
        }
        assert!(!add(one), "it counts anew");
        assert!(table.recent.len() + table.older.len() <= MOST_ADDRESSES);
    }
}
