//! Sandbox and proxy, set up for the tour.

use std::net::TcpListener;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use super::caller::CallError;
use super::screen::Screen;
use crate::app::{self, Resolver, Running, Sockets, StartError, Surroundings};
use crate::config::{Config, Problems};
use crate::observe::access_log::AccessLog;
use crate::observe::clock::Clock;
use crate::observe::hex::hex;
use crate::sandbox::{self, Entry, Sandbox};
use crate::server::Address;
use crate::texts::text;

/// The account of the tour.
pub(super) const APPID: &str = "wx00000000demoshop";

/// Services that are told apart by their keys; all others are anonymous.
const CALLERS: [&str; 2] = ["orders", "campaign"];
/// Where wxgate asks how much of a quota is left.
const QUOTA: &str = "/cgi-bin/openapi/quota/get";
/// The ports of the proxy, its status page and the fake WeChat while the demo serves, if they are
/// free.
const PORTS: [u16; 3] = [8080, 9090, 9080];

/// Why the tour could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The fake WeChat did not start.
    #[error("{}", text!("could not start the fake WeChat"))]
    Sandbox(#[source] std::io::Error),
    /// The demo's own configuration is wrong.
    #[error("{}", text!("the demo's configuration: {problems}", problems = .0))]
    Config(Problems),
    /// The proxy did not start.
    #[error("{}", text!("could not start the proxy"))]
    Proxy(#[from] StartError),
}

/// What the tour plays on.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    proxy: Running,
    /// `host:port` of the proxy.
    pub(super) address: String,
    /// What each of `CALLERS` shows.
    keys: [String; 2],
    once: bool,
}

impl Stage {
    /// Starts both, on ports that are easy to remember unless it exits after the tour (`once`).
    pub(super) async fn set(once: bool) -> Result<Self, StageError> {
        let [proxy, admin, wechat] = PORTS.map(|port| if once { 0 } else { free(port) });
        // A new one each time, so that it is never mistaken for one to keep.
        let secret = format!("{:032x}", fastrand::u128(..));
        let keys = CALLERS.map(|_| format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..)));
        let callers: String = CALLERS
            .iter()
            .zip(&keys)
            .map(|(name, key)| {
                let digest = hex(digest(&SHA256, key.as_bytes()));
                format!("[[caller]]\nname = \"{name}\"\nkey_sha256 = \"{digest}\"\napps = [\"shop\"]\n")
            })
            .collect();
        let sandbox = Sandbox::start(sandbox::Options {
            listen: Address::Tcp(format!("127.0.0.1:{wechat}")),
            apps: vec![sandbox::App::new(APPID, secret.as_str(), sandbox::AppKind::OfficialAccount)],
            ..sandbox::Options::default()
        })
        .map_err(StageError::Sandbox)?;
        let text = format!(
            "[server]\nlisten = [\"127.0.0.1:{proxy}\"]\nworkers = 2\nanonymous = true\ndrain_timeout = \"2s\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
             [upstream]\nbase_urls = [\"{}\"]\n\
             [[app]]\nname = \"shop\"\nappid = \"{APPID}\"\nsecret = {{ env = \"SHOP_SECRET\" }}\ndefault = true\n\
             {callers}[[caller]]\nname = \"anonymous\"\napps = [\"shop\"]\nallow = [\"/**\"]\n\
             [[limit]]\ncaller = \"anonymous\"\nrate = \"20/s\"\nmode = \"observe\"\n",
            sandbox.url()
        );
        let read =
            move || Config::parse(&text, "demo", &|name| (name == "SHOP_SECRET").then(|| secret.clone()));
        let config = read().map_err(StageError::Config)?;
        let source: app::Source = Arc::new(move |_| read());
        let log = AccessLog::start(true, config.log.access, config.server.workers, Box::new(std::io::sink()));
        let log = log.map_err(StartError::Thread)?;
        let surroundings = Surroundings {
            clock: Clock::default(),
            log: Arc::new(log),
            source,
            resolver: Resolver::default(),
            sockets: Sockets::default(),
        };
        let proxy = app::start(&config, surroundings).await?;
        let address = proxy.addresses().first().map(ToString::to_string).unwrap_or_default();
        Ok(Self { sandbox, proxy, address, keys, once })
    }

    /// The key of one of the callers that have one.
    pub(super) fn key(&self, caller: &str) -> &str {
        let found = CALLERS.iter().position(|name| *name == caller).and_then(|at| self.keys.get(at));
        found.map(String::as_str).unwrap_or_default()
    }

    /// `host:port` of the status page and the admin API.
    pub(super) fn admin_address(&self) -> String {
        self.proxy.admin_address().map(ToString::to_string).unwrap_or_default()
    }

    /// The URLs of wxgate's status page and of the fake WeChat's page, if they outlast the tour.
    pub(super) fn pages(&self) -> Option<[String; 2]> {
        let pages = [format!("http://{}/", self.admin_address()), format!("{}/sandbox/", self.sandbox.url())];
        (!self.once).then_some(pages)
    }

    /// Introduces what was started.
    pub(super) fn introduce(&self, screen: &mut Screen) {
        screen.bold(text!("wxgate, a reverse proxy for WeChat's API that holds the credentials"));
        screen.line("");
        screen.say(text!("Two servers were started on this machine; nothing leaves it:"));
        let (wechat, wxgate) = (self.sandbox.url(), &self.address);
        screen.show(text!("WeChat"), text!("{url} (a fake one that can be broken on purpose)", url = wechat));
        screen.show(
            "wxgate",
            text!("http://{address} (only it knows the secret and the token)", address = wxgate),
        );
    }

    /// What to do now that the tour is over.
    pub(super) fn invite(&self, screen: &mut Screen) {
        let admin = self.admin_address();
        let (proxy, wechat) = (&self.address, self.sandbox.url());
        // As it was started: it needn't be in the PATH.
        let program = std::env::args().next().unwrap_or_else(|| "wxgate".into());
        screen.line("");
        screen.bold(text!("Your turn: paste these into another terminal"));
        for (what, command) in [
            (
                text!("A call without credentials:"),
                format!("curl 'http://{proxy}/cgi-bin/user/info?openid=you'"),
            ),
            (
                text!("Invalidate the token, then call again:"),
                format!("curl {wechat}/sandbox/rotate -d '{{}}'"),
            ),
            (
                text!("How often was it replayed? See X-Wxgate-Replays:"),
                format!("curl -i -H 'X-Wxgate-Explain: 1' http://{proxy}/cgi-bin/menu/get"),
            ),
            (text!("What reached WeChat:"), format!("curl '{wechat}/sandbox/journal?limit=5'")),
            (text!("The state of the tokens:"), format!("{program} status --admin http://{admin}")),
            (text!("Who uses up which quota:"), format!("{program} quota --admin http://{admin}")),
        ] {
            screen.line("");
            screen.say(what);
            screen.line(&format!("   {command}"));
        }
        screen.line("");
        screen.say(text!("Status page: http://{admin}/", admin));
        screen.say(text!("The fake WeChat's page: {url}/sandbox/", url = wechat));
        screen.say(text!("Press Ctrl-C to stop."));
    }

    /// Stops both, the proxy first: it may still be calling WeChat.
    pub(super) async fn strike(self) {
        self.proxy.drain().await;
        self.sandbox.stop().await;
    }

    /// The number of the latest request that WeChat saw.
    pub(super) fn seen(&self) -> u64 {
        self.sandbox.journal(None).last().map_or(0, |entry| entry.seq)
    }

    /// What WeChat saw since, except quota queries: wxgate sends these by itself, at any time.
    pub(super) fn since(&self, seen: u64) -> Vec<Entry> {
        let mut entries = self.all_since(seen);
        entries.retain(|entry| entry.path != QUOTA);
        entries
    }

    fn all_since(&self, seen: u64) -> Vec<Entry> {
        let mut entries = self.sandbox.journal(None);
        entries.retain(|entry| entry.seq > seen);
        entries
    }

    /// Makes WeChat issue another token, as if another program had fetched one with the same
    /// secret, so that the one in use is dead at once; then makes `calls`. Returns their outcome,
    /// and what WeChat saw.
    ///
    /// A quota query may meet the dead token first and have it replaced. Then everything is
    /// repeated.
    pub(super) async fn with_a_dead_token<T>(
        &self,
        calls: impl AsyncFn() -> Result<T, CallError>,
    ) -> Result<(T, Vec<Entry>), CallError> {
        let mut tries = 5;
        loop {
            let seen = self.seen();
            self.sandbox.rotate(APPID);
            let outcome = calls().await?;
            tries -= 1;
            let met = |entry: &Entry| entry.path == QUOTA && entry.errcode == Some(40001);
            if tries == 0 || !self.all_since(seen).iter().any(met) {
                return Ok((outcome, self.since(seen)));
            }
        }
    }
}

/// The port if it is free, else 0, which takes any free one.
fn free(port: u16) -> u16 {
    TcpListener::bind(("127.0.0.1", port)).map_or(0, |_| port)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bytes::Bytes;

    use super::super::caller;
    use super::{QUOTA, Stage};

    #[tokio::test]
    async fn a_question_about_quotas_that_meets_the_dead_token_first_spoils_no_step() {
        let stage = Stage::set(true).await.expect("a stage");
        let address = stage.address.as_str();
        caller::get(address, "/cgi-bin/user/info?openid=first").await.expect("a token is there");
        let tries = Cell::new(0);
        let calls = async || {
            tries.set(tries.get() + 1);
            if tries.get() == 1 {
                let question = Bytes::from_static(b"{\"cgi_path\":\"/cgi-bin/user/info\"}");
                caller::post(address, QUOTA, "application/json", question).await?;
            }
            caller::get(address, "/cgi-bin/user/info?openid=alice").await.map(|_| ())
        };
        let ((), entries) = stage.with_a_dead_token(calls).await.expect("answers");
        assert!(tries.get() > 1, "the first try has shown nothing");
        let seen: Vec<_> = entries.iter().map(|entry| (&*entry.path, entry.errcode)).collect();
        let call = "/cgi-bin/user/info";
        assert_eq!(seen, [(call, Some(40001)), ("/cgi-bin/stable_token", Some(0)), (call, Some(0))]);
        stage.strike().await;
    }
}
