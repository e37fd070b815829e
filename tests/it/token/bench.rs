//! A token manager at a scripted WeChat.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wxgate::observe::clock::Clock;
use wxgate::secret::Secret;
use wxgate::store::Store;
use wxgate::token::{AppOptions, Handle, Manager, Options, Rejection, Status, Token, Verdict};
use wxgate::upstream::control::Control;
use wxgate::upstream::{self, Origin};
use wxgate::wechat::{AppKind, TokenMode};

use super::fake::{Fake, counts};
use crate::until::until;

pub(crate) struct Bench {
    pub fake: Fake,
    pub clock: Clock,
    pub store: Store,
    pub options: Options,
    pub manager: Manager,
    pub handle: Handle,
    control: Control,
}

pub(crate) fn app(name: &str, mode: TokenMode, secret: &str) -> AppOptions {
    AppOptions {
        name: name.into(),
        appid: format!("wx-{name}").into(),
        secret: Arc::new(Secret::new(secret)),
        kind: AppKind::OfficialAccount,
        mode,
        probe: "/probe".into(),
        agent: None,
        suite: None,
        provider_secret: None,
    }
}

pub(crate) fn control(fake: &Fake) -> Control {
    let second = Duration::from_secs(1);
    let options = upstream::Options {
        origins: vec![Origin { tls: false, host: fake.address.ip().to_string(), port: fake.address.port() }],
        all_sites: true,
        connect_timeout: second,
        response_timeout: second,
        slow_response_timeout: second,
        body_timeout: second,
        pool_idle: second,
        pool_age: second,
        egress: None,
        ca_file: None,
        resolve: HashMap::new(),
    };
    let upstreams = upstream::Upstreams::new(upstream::Resolver::default(), Vec::new());
    let options = [options];
    let trusted = upstream::Trusted::read(&options).expect("no certificates to be read");
    upstreams.configure(&options, trusted).expect("TLS")[0].control(upstream::Site::Api)
}

pub(crate) fn patient() -> Options {
    Options { fetch_timeout: Duration::from_secs(10), refresh_wait: Duration::from_secs(20) }
}

/// For tests in which something hangs.
pub(crate) fn hasty() -> Options {
    Options { fetch_timeout: Duration::from_millis(200), refresh_wait: Duration::from_secs(20) }
}

impl Bench {
    /// Nothing has been fetched yet that a test has not asked for.
    pub(crate) async fn start(mode: TokenMode, options: Options, fake: Fake) -> Self {
        let (clock, store, control) = (Clock::default(), Store::memory(), control(&fake));
        let manager = Manager::start(
            vec![(app("shop", mode, "s3cret"), control.clone())],
            options.clone(),
            store.clone(),
            clock.clone(),
        );
        let handle = manager.handle("shop").expect("configured");
        Self { fake, clock, store, options, manager, handle, control }
    }

    /// Puts other apps in force.
    pub(crate) fn reconfigure(&self, apps: Vec<AppOptions>) {
        let apps = apps.into_iter().map(|app| (app, self.control.clone())).collect();
        self.manager.reconfigure(apps, self.options.clone());
    }

    /// Holds a token; the counts are at zero.
    pub(crate) async fn ready(mode: TokenMode) -> Self {
        Self::ready_with(mode, patient()).await
    }

    pub(crate) async fn ready_with(mode: TokenMode, options: Options) -> Self {
        let bench = Self::start(mode, options, Fake::start().await).await;
        bench.handle.obtain().await.expect("WeChat hands out tokens");
        assert_eq!(bench.fake.counts(), counts(1, 0, 0));
        bench.fake.forget();
        bench
    }

    pub(crate) fn token(&self) -> Arc<Token> {
        self.handle.current().expect("a usable token")
    }

    pub(crate) fn status(&self) -> Status {
        self.handle.status()
    }

    /// That many callers, rejected at once with the token now held.
    pub(crate) async fn rejected_at_once(&self, callers: usize) -> Vec<Verdict> {
        self.rejected_with(&self.token(), callers).await
    }

    /// That many callers, rejected at once with `token`.
    pub(crate) async fn rejected_with(&self, token: &Token, callers: usize) -> Vec<Verdict> {
        let rejection = rejection(token, 1);
        let asked: Vec<_> = (0..callers)
            .map(|_| {
                let (handle, rejection) = (self.handle.clone(), rejection.clone());
                tokio::spawn(async move { handle.rejected(rejection).await })
            })
            .collect();
        let mut verdicts = Vec::new();
        for asked in asked {
            verdicts.push(asked.await.expect("no panic"));
        }
        verdicts
    }

    /// Another process on the same store.
    pub(crate) fn replica(&self, mode: TokenMode) -> Manager {
        Manager::start(
            vec![(app("shop", mode, "s3cret"), control(&self.fake))],
            self.options.clone(),
            self.store.clone(),
            self.clock.clone(),
        )
    }

    /// Moves the clock, and waits until the keeper has seen it.
    pub(crate) async fn pass(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
        settle().await;
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        until(|| format!("{what}; {:?}", self.status()), async || condition(self)).await;
    }
}

/// Lets keepers do what they were woken for, where a test asserts that they do nothing.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

pub(crate) fn rejection(token: &Token, endpoint: u16) -> Rejection {
    let now = Instant::now();
    Rejection {
        generation: token.generation,
        endpoint: endpoint.into(),
        endpoint_path: "/cgi-bin/user/info",
        errcode: 40001,
        sent_at: now,
        received_at: now,
        replayed_alive: false,
    }
}

/// A rejection of the replay that followed "alive".
pub(crate) fn rejected_again(token: &Token, endpoint: u16) -> Rejection {
    Rejection { replayed_alive: true, ..rejection(token, endpoint) }
}
