//! Names and their addresses.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use crate::texts::text;

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
/// A host and a port.
type Name = (String, u16);

/// How long an answer is waited for where there is an earlier one to go on with: a third of the
/// default connect timeout.
const PATIENCE: Duration = Duration::from_secs(1);
/// After an answer that didn't come in time the name is asked for again so much later.
const PAUSE: Duration = Duration::from_secs(5);

/// How long an answer is waited for where a connection may take `connect_timeout` in all: some of
/// it must be left to go to the earlier addresses.
pub(super) fn patience(connect_timeout: Duration) -> Duration {
    PATIENCE.min(connect_timeout / 3)
}

/// Asks for a name's addresses each time: caching is the system's job. Where it gives none in time,
/// the last known ones are used, however old: a dead DNS must not cause an outage. What it says
/// late is learned all the same.
#[derive(Clone, Default)]
pub struct Resolver {
    /// In place of the system's.
    given: Option<Arc<LookUp>>,
    /// No more than the hosts of the configuration.
    known: Arc<Mutex<HashMap<Name, Known>>>,
}

/// The resolver knows the name, but no address of it.
#[derive(Debug, thiserror::Error)]
#[error("{}", text!("the name has no address"))]
pub(super) struct NoAddress;

/// What a name led to when it was last answered.
struct Known {
    addresses: Vec<SocketAddr>,
    /// When that was asked: an answer to an earlier question is older.
    asked_at: Instant,
    /// It is not asked for before; none while answers come in time.
    ask_at: Option<Instant>,
}

impl Resolver {
    /// One that answers out of `look_up`, in place of the system's. It may block.
    pub fn of(look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self { given: Some(Arc::new(look_up)), ..Self::default() }
    }

    /// Waits no longer than `patience` if there are earlier addresses.
    ///
    /// # Errors
    /// If the name has never had an address here, and has none now.
    pub(super) async fn look_up(
        &self,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> io::Result<Vec<SocketAddr>> {
        let name = (host.to_owned(), port);
        if let Some(addresses) = self.pausing(&name) {
            return Ok(addresses);
        }
        let before = self.known.lock().get(&name).map(|known| known.addresses.clone());
        let answer = self.ask(name.clone());
        let Some(before) = before else { return answer.await };
        let failure = match timeout(patience, answer).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => {
                if self.resume(&name) {
                    tracing::info!(host, "{}", text!("the host name resolves again"));
                }
                return Ok(addresses);
            }
            Ok(Ok(_)) => io::Error::new(io::ErrorKind::NotFound, NoAddress),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        if self.pause(&name) {
            tracing::warn!(
                host,
                error = &failure as &dyn std::error::Error,
                "{}",
                text!("cannot resolve the host name; using its last known addresses")
            );
        }
        // Another question may have been answered meanwhile.
        Ok(self.known.lock().get(&name).map_or(before, |known| known.addresses.clone()))
    }

    /// The last addresses, if it is too early to ask. Who finds that it is time has the next ones
    /// go on with them meanwhile: each question may take a thread for long.
    fn pausing(&self, name: &Name) -> Option<Vec<SocketAddr>> {
        let mut all = self.known.lock();
        let known = all.get_mut(name)?;
        let ask_at = known.ask_at.as_mut()?;
        let now = Instant::now();
        if now < *ask_at {
            return Some(known.addresses.clone());
        }
        *ask_at = now + PAUSE;
        None
    }

    /// Has the name left alone for a while; whether that is news.
    fn pause(&self, name: &Name) -> bool {
        let mut all = self.known.lock();
        let Some(known) = all.get_mut(name) else { return false };
        known.ask_at.replace(Instant::now() + PAUSE).is_none()
    }

    /// Has the name asked for each time again; whether that is news.
    fn resume(&self, name: &Name) -> bool {
        self.known.lock().get_mut(name).is_some_and(|known| known.ask_at.take().is_some())
    }

    /// Asks, and learns the answer whether or not a caller still waits for it.
    #[expect(clippy::disallowed_methods, reason = "a question to the system can't be taken back anyway")]
    fn ask(&self, name: Name) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + use<> {
        let (resolver, asked_at) = (self.clone(), Instant::now());
        let answer = tokio::spawn(async move {
            let addresses = resolver.answer(&name).await?;
            resolver.learn(name, &addresses, asked_at);
            Ok(addresses)
        });
        async move { answer.await.map_err(io::Error::other)? }
    }

    fn learn(&self, name: Name, addresses: &[SocketAddr], asked_at: Instant) {
        if addresses.is_empty() {
            return;
        }
        let mut all = self.known.lock();
        let known =
            all.entry(name).or_insert_with(|| Known { addresses: Vec::new(), asked_at, ask_at: None });
        if asked_at >= known.asked_at {
            (known.addresses, known.asked_at) = (addresses.to_vec(), asked_at);
        }
    }

    async fn answer(&self, (host, port): &Name) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = (host.clone(), *port);
        let Some(given) = self.given.clone() else {
            return Ok(tokio::net::lookup_host((host, port)).await?.collect());
        };
        tokio::task::spawn_blocking(move || given(&host, port)).await.map_err(io::Error::other)?
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.given.is_some() { "Resolver(given)" } else { "Resolver(system)" })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::time::Instant;

    use super::{PATIENCE, PAUSE, Resolver, patience};

    const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80);

    /// Gives what is set, and counts how often it was asked.
    #[derive(Clone, Default)]
    struct Dns(Arc<(Mutex<Option<SocketAddr>>, AtomicUsize)>);

    impl Dns {
        fn resolver(&self) -> Resolver {
            let dns = self.clone();
            Resolver::of(move |_, _| {
                dns.0.1.fetch_add(1, Ordering::Relaxed);
                dns.0.0.lock().map(|address| vec![address]).ok_or_else(|| io::ErrorKind::NotFound.into())
            })
        }

        fn leads(&self, to: Option<SocketAddr>) {
            *self.0.0.lock() = to;
        }

        fn asked(&self) -> usize {
            self.0.1.swap(0, Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_leads_nowhere_any_more_leads_where_it_led() {
        let dns = Dns::default();
        let resolver = dns.resolver();
        assert!(resolver.look_up("wechat", 80, PATIENCE).await.is_err(), "it never led anywhere");
        dns.leads(Some(HERE));
        assert_eq!(resolver.look_up("wechat", 80, PATIENCE).await.expect("an address"), [HERE]);
        dns.asked();
        dns.leads(None);
        for _ in 0..3 {
            assert_eq!(resolver.look_up("wechat", 80, PATIENCE).await.expect("the last address"), [HERE]);
        }
        assert_eq!(dns.asked(), 1, "then it is left alone for a while");
        assert!(resolver.look_up("other", 80, PATIENCE).await.is_err());
        dns.asked();

        let there = SocketAddr::new(HERE.ip(), 81);
        dns.leads(Some(there));
        tokio::time::sleep(PAUSE + Duration::from_millis(1)).await;
        assert_eq!(resolver.look_up("wechat", 80, PATIENCE).await.expect("the new address"), [there]);
        assert_eq!(resolver.look_up("wechat", 80, PATIENCE).await.expect("the new address"), [there]);
        assert_eq!(dns.asked(), 2, "asked for each connection again");
    }

    /// Short: these wait for real.
    const SHORT: Duration = Duration::from_millis(20);

    /// Gives the first of `answers` at once, and each other one once the peer speaks or hangs up;
    /// then none.
    fn slow(answers: &[SocketAddr]) -> (std::sync::mpsc::Sender<()>, Resolver) {
        let (speak, silence) = std::sync::mpsc::channel::<()>();
        let (silence, asked, answers) = (Mutex::new(silence), AtomicUsize::new(0), answers.to_vec());
        let resolver = Resolver::of(move |_, _| {
            let number = asked.fetch_add(1, Ordering::Relaxed);
            if number > 0 {
                let _ = silence.lock().recv();
            }
            answers.get(number).map(|address| vec![*address]).ok_or_else(|| io::ErrorKind::NotFound.into())
        });
        (speak, resolver)
    }

    /// Waits until it leads there.
    async fn leads(resolver: &Resolver, there: SocketAddr) {
        let leads = async {
            while resolver.look_up("wechat", 80, SHORT).await.ok() != Some(vec![there]) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), leads).await.expect("the answer was learned");
    }

    #[tokio::test]
    async fn while_one_asks_a_dns_that_is_silent_nobody_else_waits_for_it() {
        let (speak, resolver) = slow(&[HERE, HERE]);
        resolver.look_up("wechat", 80, SHORT).await.expect("an address");
        assert_eq!(resolver.look_up("wechat", 80, SHORT).await.expect("after a while"), [HERE]);
        assert_eq!(resolver.pausing(&("wechat".into(), 80)).expect("at once"), [HERE]);
        drop(speak);
    }

    #[tokio::test]
    async fn what_comes_late_is_learned_although_nobody_waits_for_it_any_more() {
        let there = SocketAddr::new(HERE.ip(), 81);
        let (speak, resolver) = slow(&[HERE, there]);
        resolver.look_up("wechat", 80, SHORT).await.expect("an address");
        assert_eq!(resolver.look_up("wechat", 80, SHORT).await.expect("the last address"), [HERE]);
        drop(speak);
        leads(&resolver, there).await;
    }

    #[tokio::test]
    async fn the_first_answer_is_learned_although_the_connection_that_asked_is_given_up() {
        let (speak, silence) = std::sync::mpsc::channel::<()>();
        let first = Mutex::new(Some(silence));
        let resolver = Resolver::of(move |_, _| {
            let silence = first.lock().take().ok_or(io::ErrorKind::NotFound)?;
            let _ = silence.recv();
            Ok(vec![HERE])
        });
        let gave_up = tokio::time::timeout(SHORT, resolver.look_up("wechat", 80, SHORT)).await;
        assert!(gave_up.is_err(), "{gave_up:?}");
        drop(speak);
        leads(&resolver, HERE).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_an_earlier_question_takes_no_later_ones_place() {
        let dns = Dns::default();
        let (resolver, earlier) = (dns.resolver(), Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;
        dns.leads(Some(HERE));
        resolver.look_up("wechat", 80, PATIENCE).await.expect("an address");
        resolver.learn(("wechat".into(), 80), &[SocketAddr::new(HERE.ip(), 81)], earlier);
        dns.leads(None);
        assert_eq!(resolver.look_up("wechat", 80, PATIENCE).await.expect("the last address"), [HERE]);
    }

    #[test]
    fn whoever_waits_for_an_answer_has_time_left_to_connect() {
        for (connect_timeout, waits) in [(60_000, 1_000), (3_000, 1_000), (1_000, 333), (300, 100)] {
            let waited = patience(Duration::from_millis(connect_timeout));
            assert_eq!(waited.as_millis(), waits, "{connect_timeout}");
        }
    }
}
