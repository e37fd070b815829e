//! A running sandbox, and what a test in the same process does with it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::sandbox::handler::Wechat;
use crate::sandbox::push::{self, Receipt};
use crate::sandbox::state::accounts::{App, AppKind, Authorizer};
use crate::sandbox::state::callbacks::{BadCallback, Callback, Receiver};
use crate::sandbox::state::companies::Company;
use crate::sandbox::state::faults::Fault;
use crate::sandbox::state::journal::{Counts, Entry};
use crate::sandbox::state::platform_events::{Impossible, PlatformEvent, Told};
use crate::sandbox::state::quota::Rate;
use crate::sandbox::state::settings::Settings;
use crate::sandbox::state::signing::{BadKey, Demand, Signing};
use crate::sandbox::state::stale_node::Lag;
use crate::sandbox::state::token_events::{Given, Target, TokenEvent};
use crate::sandbox::state::tokens::Kind;
use crate::sandbox::state::world::{State, World};
use crate::server::{self, Address, Listener, Server};

/// The official account that is there by default; its secret is [`SECRET`].
pub const OFFICIAL_ACCOUNT: &str = "wx0000000000sandbox";
/// The mini program that is there by default; its secret is [`SECRET`].
pub const MINI_PROGRAM: &str = "wx0000000000minipro";
/// The secret of the default apps.
pub const SECRET: &str = "secret";

/// What a sandbox starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: Address,
    /// The accounts that exist.
    pub apps: Vec<App>,
    /// The accounts that authorised a component.
    pub authorizers: Vec<Authorizer>,
    /// The companies that installed a suite.
    pub companies: Vec<Company>,
    /// What is set at first.
    pub settings: Settings,
    /// Threads.
    pub workers: usize,
    /// How long a connection may be idle before it is closed; WeChat's own value is unknown.
    pub idle_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: Address::Tcp("127.0.0.1:0".to_owned()),
            apps: vec![
                App::new(OFFICIAL_ACCOUNT, SECRET, AppKind::OfficialAccount),
                App::new(MINI_PROGRAM, SECRET, AppKind::MiniProgram),
            ],
            authorizers: Vec::new(),
            companies: Vec::new(),
            settings: Settings::default(),
            workers: 1,
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// A running sandbox; clones are handles to the same one. It ends with [`Sandbox::stop`] or its
/// last handle.
#[derive(Clone, Debug)]
pub struct Sandbox {
    world: Arc<World>,
    address: Address,
    server: Arc<Mutex<Option<Server>>>,
}

impl Sandbox {
    /// Starts a sandbox. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the address can't be bound or a thread can't be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let mut state = State { settings: options.settings, ..State::default() };
        options.apps.into_iter().for_each(|app| state.accounts.put(app));
        options.authorizers.into_iter().for_each(|known| state.accounts.authorize(known));
        options.companies.into_iter().for_each(|known| state.companies.put(known));
        let world = World::new(state);

        let listener = Listener::bind(&options.listen).map_err(io::Error::other)?;
        let address = listener.address().clone();
        let patient = Duration::from_secs(60);
        let limits = server::Options {
            // As long as anything that wxgate sends on.
            max_head: 128 * 1024,
            head_timeout: patient,
            idle_timeout: options.idle_timeout,
            body_timeout: patient,
            write_timeout: patient,
            // Requests answered with silence would hold up a longer drain.
            drain_timeout: Duration::from_millis(200),
            drain_idle: Duration::ZERO,
            ..server::Options::default()
        };
        let shared = Arc::clone(&world);
        let server = Server::start("sandbox", vec![listener], limits, options.workers, move |_| {
            Wechat::new(Arc::clone(&shared))
        })?;
        Ok(Self { world, address, server: Arc::new(Mutex::new(Some(server))) })
    }

    /// The bound address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// `http://host:port`, as a base URL for clients; for a unix socket `unix:/path`.
    pub fn url(&self) -> String {
        match &self.address {
            Address::Tcp(authority) => format!("http://{authority}"),
            Address::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Stops accepting and cuts off what isn't done in a moment.
    pub async fn stop(&self) {
        let server = self.server.lock().take();
        if let Some(server) = server {
            server.drain().await;
        }
    }

    /// Adds an app, or replaces the one with its appid; its tokens stay.
    pub fn put(&self, app: App) {
        self.world.state().accounts.put(app);
    }

    /// Lets an account authorise a component.
    pub fn authorize(&self, authorizer: Authorizer) {
        self.world.state().accounts.authorize(authorizer);
    }

    /// A company has installed a suite; its temporary codes stay.
    pub fn install(&self, company: Company) {
        self.world.state().companies.put(company);
    }

    /// The permanent code that a company has with a suite now.
    pub fn permanent_code(&self, suite: &str, corpid: &str) -> Option<String> {
        self.world.state().companies.get(suite, corpid)?.permanent_code.clone()
    }

    /// Sets where a platform's or a suite's events are pushed to.
    ///
    /// # Errors
    /// If nothing can be pushed there.
    pub fn set_callback(&self, callback: Callback) -> Result<(), BadCallback> {
        let receiver = Receiver::new(callback)?;
        self.world.state().callbacks.put(receiver);
        Ok(())
    }

    /// Lets an event happen to a platform or suite, as if its push had been lost.
    ///
    /// # Errors
    /// If it can't happen.
    pub fn occur(&self, appid: &str, event: PlatformEvent) -> Result<Told, Impossible> {
        self.world.state().occur(appid, event, self.world.clock.now())
    }

    /// Pushes what [`Sandbox::occur`] told, as often as asked; None without a callback.
    ///
    /// # Errors
    /// If the receiver can't be reached, or answers no HTTP.
    pub async fn push(&self, appid: &str, told: &Told) -> io::Result<Option<Receipt>> {
        let receiver = self.world.state().callbacks.get(appid).cloned();
        let Some(receiver) = receiver else { return Ok(None) };
        push::push(&receiver, told, self.world.clock.now()).await.map(Some)
    }

    /// An app demands signed and encrypted calls from now on; the nonces that it used stay known.
    ///
    /// # Errors
    /// If a key can't be used.
    pub fn demand_signing(&self, signing: Signing) -> Result<(), BadKey> {
        let demand = Demand::new(signing)?;
        self.world.state().signing.put(demand);
        Ok(())
    }

    /// An app takes calls in clear again; `false` if it demanded no others.
    pub fn end_signing(&self, appid: &str) -> bool {
        self.world.state().signing.end(appid)
    }

    /// How many of an app's signed requests had a nonce that it had used before.
    pub fn repeated_nonces(&self, appid: &str) -> u64 {
        self.world.state().signing.get(appid).map_or(0, |demand| demand.repeated_nonces())
    }

    /// Changes settings.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.world.state().settings);
    }

    /// A token that another sandbox issued, as a store may hold it, is current from now on.
    pub fn give(&self, appid: impl Into<String>, kind: Kind, value: impl Into<String>) {
        let given = Given { appid: appid.into(), kind, value: value.into() };
        self.world.state().give(given, self.world.clock.now());
    }

    /// Another program fetched a token. Returns how many tokens that replaced.
    pub fn rotate(&self, target: impl Into<Target>) -> usize {
        self.happen(TokenEvent::Rotate, &target.into())
    }

    /// WeChat goes on giving the token out and takes it nowhere.
    pub fn poison(&self, target: impl Into<Target>) -> usize {
        self.happen(TokenEvent::Poison, &target.into())
    }

    /// The token's life ends now: 42001.
    pub fn expire(&self, target: impl Into<Target>) -> usize {
        self.happen(TokenEvent::Expire, &target.into())
    }

    fn happen(&self, event: TokenEvent, target: &Target) -> usize {
        self.world.state().happen(event, target, self.world.clock.now())
    }

    /// Some nodes reject good tokens from now on.
    pub fn lag(&self, lag: Lag) {
        self.world.state().lags.add(lag, self.world.clock.now());
    }

    /// No node lags any more.
    pub fn end_lag(&self) {
        self.world.state().lags.clear();
    }

    /// Sets a fault; the number ends it.
    pub fn fault(&self, fault: Fault) -> u64 {
        self.world.state().faults.add(fault)
    }

    /// Ends one fault; `false` if there was none with this number.
    pub fn end_fault(&self, id: u64) -> bool {
        self.world.state().faults.remove(id)
    }

    /// Ends all faults.
    pub fn end_faults(&self) {
        self.world.state().faults.clear();
    }

    /// Sets how many calls a day a path takes, for all apps.
    pub fn daily_limit(&self, path: &str, limit: u64) {
        self.world.state().quota.set_limit(path, limit);
    }

    /// Sets how many calls in how many seconds a path takes, for all apps.
    pub fn rate_limit(&self, path: &str, rate: Rate) {
        self.world.state().quota.set_rate(path, rate);
    }

    /// Moves the sandbox's clock.
    pub fn advance(&self, milliseconds: i64) {
        self.world.clock.advance(milliseconds);
    }

    /// The sandbox's time, milliseconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.world.clock.now()
    }

    /// The current token, whether or not it is taken.
    pub fn token(&self, appid: &str, kind: Kind) -> Option<String> {
        let state = self.world.state();
        state.tokens.family(appid, kind).and_then(|family| family.current()).map(|token| token.value.clone())
    }

    /// What was seen, oldest first; `path` exact, or a prefix with a trailing `*`.
    pub fn journal(&self, path: Option<&str>) -> Vec<Entry> {
        self.world.journal().select(path).cloned().collect()
    }

    /// The same, of what came after the entry with this number; 0 for all.
    pub fn journal_after(&self, seq: u64) -> Vec<Entry> {
        self.world.journal().select(None).filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// How many fetches, forces and probes there were.
    pub fn counts(&self) -> Counts {
        self.world.journal().counts()
    }

    /// The same for one app.
    pub fn counts_of(&self, appid: &str) -> Counts {
        self.world.journal().counts_of(appid)
    }

    /// Waits until the journal has so many requests for a path, answered or not.
    pub async fn arrived(&self, path: &str, requests: usize) {
        let mut arrivals = self.world.arrivals();
        while self.world.journal().select(Some(path)).count() < requests {
            if arrivals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Forgets journal, counts, faults and lag.
    pub fn reset(&self) {
        self.world.forget(false);
    }
}
