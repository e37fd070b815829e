//! Names and their addresses.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// How long an answer is waited for where there is an earlier one to go on with: a third of the
/// default connect timeout.
const PATIENCE: Duration = Duration::from_secs(1);
/// After an answer that didn't come the name is asked for again so much later.
const PAUSE: Duration = Duration::from_secs(5);

/// Asks for a name's addresses anew each time: whoever caches them is the system. Where it gives
/// none, the last ones are gone on with, however old: a dead DNS is no reason for an outage.
#[derive(Clone, Default)]
pub struct Resolver {
    /// In place of the system's.
    given: Option<Arc<LookUp>>,
    /// No more than the hosts of the configuration.
    known: Arc<Mutex<HashMap<(String, u16), Known>>>,
}

/// What a name led to when it was last asked for with success.
struct Known {
    addresses: Vec<SocketAddr>,
    /// It is not asked for before; none while answers come.
    ask_at: Option<Instant>,
}

impl Resolver {
    /// One that answers out of `look_up`, in place of the system's. It may block.
    pub fn of(look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self { given: Some(Arc::new(look_up)), ..Self::default() }
    }

    /// # Errors
    /// If the name has never had an address here, and has none now.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let name = (host.to_owned(), port);
        if let Some(addresses) = self.pausing(&name) {
            return Ok(addresses);
        }
        let Some(before) = self.known.lock().get(&name).map(|known| known.addresses.clone()) else {
            let addresses = self.ask(host, port).await?;
            self.known.lock().insert(name, Known { addresses: addresses.clone(), ask_at: None });
            return Ok(addresses);
        };
        let failure = match timeout(PATIENCE, self.ask(host, port)).await {
            Ok(Ok(addresses)) if !addresses.is_empty() => {
                let known = Known { addresses: addresses.clone(), ask_at: None };
                if self.known.lock().insert(name, known).is_some_and(|known| known.ask_at.is_some()) {
                    tracing::info!(host, "the host's name can be resolved again");
                }
                return Ok(addresses);
            }
            Ok(Ok(_)) => io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        if self.pause(&name) {
            tracing::warn!(
                host,
                error = &failure as &dyn std::error::Error,
                "cannot resolve the host's name: going on with the addresses that it had"
            );
        }
        Ok(before)
    }

    /// The last addresses, if it is too early to ask. Who finds that it is time has the next ones
    /// go on with them meanwhile: each question may take a thread for long.
    fn pausing(&self, name: &(String, u16)) -> Option<Vec<SocketAddr>> {
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
    fn pause(&self, name: &(String, u16)) -> bool {
        let mut all = self.known.lock();
        let Some(known) = all.get_mut(name) else { return false };
        known.ask_at.replace(Instant::now() + PAUSE).is_none()
    }

    async fn ask(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let Some(given) = &self.given else {
            return Ok(tokio::net::lookup_host((host, port)).await?.collect());
        };
        let (given, host) = (Arc::clone(given), host.to_owned());
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

    use super::{PAUSE, Resolver};

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
        assert!(resolver.look_up("wechat", 80).await.is_err(), "it never led anywhere");
        dns.leads(Some(HERE));
        assert_eq!(resolver.look_up("wechat", 80).await.expect("an address"), [HERE]);
        dns.asked();
        dns.leads(None);
        for _ in 0..3 {
            assert_eq!(resolver.look_up("wechat", 80).await.expect("the last address"), [HERE]);
        }
        assert_eq!(dns.asked(), 1, "then it is left alone for a while");
        assert!(resolver.look_up("other", 80).await.is_err());
        dns.asked();

        let there = SocketAddr::new(HERE.ip(), 81);
        dns.leads(Some(there));
        tokio::time::sleep(PAUSE + Duration::from_millis(1)).await;
        assert_eq!(resolver.look_up("wechat", 80).await.expect("the new address"), [there]);
        assert_eq!(resolver.look_up("wechat", 80).await.expect("the new address"), [there]);
        assert_eq!(dns.asked(), 2, "asked for each connection again");
    }

    #[tokio::test]
    async fn while_one_asks_a_dns_that_is_silent_nobody_else_waits_for_it() {
        let (speak, silence) = std::sync::mpsc::channel::<()>();
        let (silence, asked) = (Mutex::new(silence), AtomicUsize::new(0));
        let resolver = Resolver::of(move |_, _| {
            if asked.fetch_add(1, Ordering::Relaxed) > 0 {
                let _ = silence.lock().recv();
            }
            Ok(vec![HERE])
        });
        resolver.look_up("wechat", 80).await.expect("an address");
        assert_eq!(resolver.look_up("wechat", 80).await.expect("after a while"), [HERE]);
        assert_eq!(resolver.pausing(&("wechat".into(), 80)).expect("at once"), [HERE]);
        drop(speak);
    }
}
