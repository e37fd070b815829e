//! Which apps have tokens: starts, reloads and stops their refresh tasks.
//!
//! | file | holds |
//! | --- | --- |
//! | `registry` | the apps |
//! | `app_tokens` | the tasks of one app |
//! | `supervisor` | restarts tasks that panic |
//! | `follow` | what reaches tasks from the store |
//! | `platform` | tickets and accounts of third-party platforms |
//! | `authorization_code` | codes of accounts that authorise a platform |
//! | `suite` | companies that authorise a suite |
//! | `suite_exchange` | the exchange of a company's code, until it is settled |
//! | `suite_held` | a company's code on its way, as the store has it |
//! | `suite_codes` | which codes are being exchanged, and which were lost |

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::app_tokens::{AppTokens, TaskHandle};
use self::follow::follow;
use self::registry::Registry;
use super::credential::Credential;
use super::handle::{Configured, Handle, TaskMessage};
use super::options::{AppOptions, Options};
use super::status::{Event, Events, Status, expose};
use super::task::Deps;
use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::store::Store;
use crate::texts::text;
use crate::upstream::control::Control;
use crate::wechat::Issuer;

mod app_tokens;
mod authorization_code;
mod follow;
mod platform;
mod registry;
mod suite;
mod suite_codes;
mod suite_exchange;
mod suite_held;
mod supervisor;

pub use authorization_code::Authorized;

/// First fetches at once when many apps start.
const STARTS: usize = 20;
/// Credentials of one app that are fetched on demand at once, and accounts that are looked up.
const TURNS: usize = 32;

/// Keeps the tokens of all apps fresh. Clones share them.
#[derive(Clone, Debug)]
pub struct Manager(Arc<Registry>);

impl Manager {
    /// Starts a refresh task for each app, with the client for its calls, on the runtime that this
    /// is called in, which must have its timers and I/O enabled. Apps whose token the store doesn't
    /// hold fetch one at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(apps: Vec<(AppOptions, Control)>, options: Options, store: Store, clock: Clock) -> Self {
        let deps = Deps {
            store,
            clock,
            starts: Arc::new(Semaphore::new(STARTS)),
            look_ups: Arc::new(Semaphore::new(TURNS)),
            events: Events::default(),
            #[cfg(test)]
            looks_again: true,
        };
        Self::with(deps, apps, options)
    }

    fn with(deps: Deps, apps: Vec<(AppOptions, Control)>, options: Options) -> Self {
        let manager = Self(Arc::new(Registry::new(deps)));
        // Before the tasks look at the store for the first time, so that nothing falls between.
        let changes = manager.0.deps.store.changes();
        manager.reconfigure(apps, options);
        let follower = manager.0.runtime.spawn(follow(changes, Arc::downgrade(&manager.0)));
        let taking_up = manager.take_up_codes();
        let mut apps = manager.0.apps();
        (apps.follower, apps.taking_up) = (Some(follower), Some(taking_up));
        drop(apps);
        manager
    }

    /// One app, in a simulation.
    #[cfg(test)]
    pub(in crate::token) fn simulated(
        app: (AppOptions, Control),
        options: Options,
        store: Store,
        clock: Clock,
        looks_again: bool,
    ) -> Self {
        let [starts, look_ups] = [STARTS, TURNS].map(|most| Arc::new(Semaphore::new(most)));
        let events = Events::default();
        let deps = Deps { store, clock, starts, look_ups, events, looks_again };
        Self::with(deps, vec![app], options)
    }

    /// Ends as a killed process does.
    #[cfg(test)]
    pub(in crate::token) fn crash(&self) {
        let mut apps = self.0.apps();
        apps.follower.take().iter().chain(&apps.taking_up.take()).for_each(JoinHandle::abort);
        apps.take().into_iter().flat_map(AppTokens::into_all).for_each(|task| task.supervisor.abort());
    }

    /// Takes over a reloaded configuration. Tasks of unchanged apps go on untouched; a changed
    /// secret closes the circuit and keeps the token; so does another client for its calls; tasks
    /// of apps that are gone stop.
    pub fn reconfigure(&self, apps: Vec<(AppOptions, Control)>, options: Options) {
        let mut registered = self.0.apps();
        registered.fetch_timeout = options.fetch_timeout;
        let before = registered.take().into_iter();
        let mut before: HashMap<_, _> = before.map(|app| (app.main.name(), app)).collect();
        let mut gone = Vec::new();
        for (app, control) in apps {
            let name = Arc::clone(&app.name);
            let app = match before.remove(&name) {
                Some(old) if old.main.goes_on_for(&app) => self.go_on(old, app, control, &options, &mut gone),
                other => {
                    gone.extend(other.into_iter().flat_map(AppTokens::into_all));
                    self.begin(app, control, &options)
                }
            };
            registered.push(name, app);
        }
        gone.extend(before.into_values().flat_map(AppTokens::into_all));
        for task in gone {
            task.shared.tell(TaskMessage::Stop);
            registered.stopping.push(task.supervisor);
        }
        registered.stopping.retain(|supervisor| !supervisor.is_finished());
    }

    fn begin(&self, app: AppOptions, control: Control, options: &Options) -> AppTokens {
        let configured = Configured { app, options: options.clone() };
        let turns = Arc::new(Semaphore::new(TURNS));
        let spawn = |credential| self.spawn(configured.clone(), credential, control.clone(), &turns);
        let main = spawn(Credential::main(&configured.app));
        let further = Credential::further(&configured.app, &main.handle()).into_iter().map(spawn).collect();
        AppTokens { main, further, authorizers: HashMap::new(), tickets: HashMap::new(), control, turns }
    }

    fn go_on(
        &self,
        before: AppTokens,
        app: AppOptions,
        control: Control,
        options: &Options,
        gone: &mut Vec<TaskHandle>,
    ) -> AppTokens {
        let AppTokens { main, further: mut former, authorizers, tickets, turns, .. } = before;
        let configured = Configured { app, options: options.clone() };
        let reconfigured = |task: TaskHandle| task.reconfigured(configured.clone(), control.clone());
        let main = reconfigured(main);
        let mut further = Vec::new();
        for credential in Credential::further(&configured.app, &main.handle()) {
            let same = |old: &TaskHandle| old.credential.is_same(&credential);
            further.push(match former.iter().position(same) {
                Some(index) => reconfigured(former.remove(index)),
                None => self.spawn(configured.clone(), credential, control.clone(), &turns),
            });
        }
        gone.append(&mut former);
        let same_suite = |task: &TaskHandle| match &task.credential.by {
            Some(by) if task.credential.issuer == Issuer::Corporation => {
                further.iter().any(|own: &TaskHandle| own.handle().is_same(by))
            }
            _ => true,
        };
        let (authorizers, others): (HashMap<_, _>, HashMap<_, _>) =
            authorizers.into_iter().partition(|(_, task)| same_suite(task));
        gone.extend(others.into_values());
        let authorizers = authorizers.into_iter().map(|(appid, task)| (appid, reconfigured(task))).collect();
        let tickets = tickets.into_iter().map(|(of, task)| (of, reconfigured(task))).collect();
        AppTokens { main, further, authorizers, tickets, control, turns }
    }

    /// A handle to the token of the app of that name. To be asked for once, not for each request.
    pub fn handle(&self, app: &str) -> Option<Handle> {
        self.0.apps().app(app).map(|app| app.main.handle())
    }

    /// Handles to all credentials of the app of that name but those of accounts that it acts for;
    /// the token comes first.
    pub fn credentials(&self, app: &str) -> Option<Vec<(Issuer, Handle)>> {
        let apps = self.0.apps();
        let own = apps.app(app)?.own();
        Some(own.map(|task| (task.credential.issuer, task.handle())).collect())
    }

    /// How each app's credential is doing, in the order of the configuration.
    pub fn statuses(&self) -> Vec<Status> {
        let lost = self.0.codes.lost();
        let status = |app: &AppTokens| {
            let mut status = app.status();
            let own = lost.iter().filter(|lost| lost.app == status.name);
            status.lost_authorizations.extend(own.cloned());
            status
        };
        self.0.apps().all().map(status).collect()
    }

    /// What happened to tokens lately, the latest first.
    pub fn events(&self) -> Vec<Event> {
        self.0.deps.events.all()
    }

    /// What happens to tokens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.deps.events.listen()
    }

    /// Adds the token metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        let now = self.0.deps.clock.now();
        let samples: Vec<_> = self.0.apps().all().flat_map(|app| app.samples(now)).collect();
        expose(&samples, out);
    }

    /// Stops all tasks. Waits for fetches in progress, since in classic mode their responses may
    /// hold the only valid token; those that take longer than the timeouts allow are aborted.
    pub async fn stop(&self) {
        let (supervisors, patience) = {
            let mut apps = self.0.apps();
            apps.follower.take().iter().chain(&apps.taking_up.take()).for_each(JoinHandle::abort);
            let mut supervisors = std::mem::take(&mut apps.stopping);
            for task in apps.take().into_iter().flat_map(AppTokens::into_all) {
                task.shared.tell(TaskMessage::Stop);
                supervisors.push(task.supervisor);
            }
            (supervisors, apps.fetch_timeout * 4)
        };
        let aborts: Vec<_> = supervisors.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for supervisor in supervisors {
                let _ = supervisor.await;
            }
        };
        if timeout(patience, all).await.is_err() {
            tracing::warn!("{}", text!("shutdown: aborted a token request that was still in progress"));
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
        self.0.codes.finish(patience).await;
    }

    fn spawn(
        &self,
        configured: Configured,
        credential: Credential,
        control: Control,
        turns: &Arc<Semaphore>,
    ) -> TaskHandle {
        let (deps, turns) = (self.0.deps.clone(), Arc::clone(turns));
        TaskHandle::spawn(&self.0.runtime, deps, turns, configured, credential, control)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::{Manager, TURNS};
    use crate::observe::clock::{Clock, Timestamp};
    use crate::secret::Secret;
    use crate::store::simulated::Server;
    use crate::store::{Record, Store};
    use crate::token::grant;
    use crate::token::handle::TaskMessage;
    use crate::token::options::{AppOptions, Options};
    use crate::upstream::control::{Answer, Control};
    use crate::wechat::{AppKind, Issuer, TokenMode};

    fn app() -> AppOptions {
        AppOptions {
            name: "shop".into(),
            appid: "wx1".into(),
            secret: Arc::new(Secret::new("s")),
            kind: AppKind::MiniProgram,
            mode: TokenMode::Stable,
            probe: "/probe".into(),
            agent: None,
            suite: None,
            provider_secret: None,
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_goes_on_with_the_token_it_held() {
        let clock = Clock::default();
        let store = Store::memory();
        let now = clock.now();
        let record = Record {
            value: Arc::new(Secret::new("t")),
            generation: 7,
            fetched_at: now,
            expires_at: now.plus(Duration::from_secs(7200)),
        };
        store.save("access_token:stable:wx1", &record).await.expect("memory never fails");
        let second = Duration::from_secs(10);
        let options = Options { fetch_timeout: second, refresh_wait: second };
        let manager = Manager::start(vec![(app(), Control::nowhere())], options, store, clock);
        let handle = manager.handle("shop").expect("configured");
        assert_eq!(handle.obtain().await.expect("stored").generation, 7);
        handle.shared.tell(TaskMessage::Panic);
        assert_eq!(handle.read(|token| token.generation), Some(7), "published all the while");
        let (reply, answer) = tokio::sync::oneshot::channel();
        handle.shared.tell(TaskMessage::Obtain(reply));
        assert_eq!(answer.await.expect("answered by the next run").expect("held").generation, 7);
        manager.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_whose_fetches_hang_hold_up_no_other_app() {
        let (clock, store) = (Clock::simulated(), Store::memory());
        let record = |value: &str| Record {
            value: Arc::new(Secret::new(value)),
            generation: 1,
            fetched_at: clock.now(),
            expires_at: Timestamp::NEVER,
        };
        store.save("component_verify_ticket:wxc", &record("ticket")).await.expect("memory never fails");
        let accounts: Vec<_> = (0..TURNS * 2).map(|number| format!("wxa{number}")).collect();
        for account in &accounts {
            let key = grant::refresh_token_key("wxc", account);
            store.save(&key, &record(account)).await.expect("memory never fails");
        }
        let hanging = Arc::new(AtomicUsize::new(0));
        let hangs = Arc::clone(&hanging);
        let control = Control::scripted(Arc::new(move |call| {
            let hangs = Arc::clone(&hangs);
            Box::pin(async move {
                let body = match &call.path {
                    path if path.contains("api_authorizer_token") => {
                        hangs.fetch_add(1, Ordering::Relaxed);
                        std::future::pending().await
                    }
                    path if path.contains("api_component_token") => {
                        r#"{"component_access_token":"c","expires_in":7200}"#
                    }
                    path if path.contains("getticket") => r#"{"errcode":0,"ticket":"t","expires_in":7200}"#,
                    _ => r#"{"access_token":"a","expires_in":7200}"#,
                };
                Ok(Answer {
                    status: http::StatusCode::OK,
                    headers: http::HeaderMap::new(),
                    body: body.into(),
                })
            })
        }));
        let platform =
            AppOptions { name: "platform".into(), appid: "wxc".into(), kind: AppKind::Component, ..app() };
        let shop = AppOptions { kind: AppKind::OfficialAccount, ..app() };
        let second = Duration::from_secs(10);
        let options = Options { fetch_timeout: second, refresh_wait: second };
        let apps = [platform, shop].map(|app| (app, control.clone()));
        let manager = Manager::start(apps.into(), options, store, clock);
        let mut asking = tokio::task::JoinSet::new();
        for account in accounts {
            let manager = manager.clone();
            asking.spawn(async move {
                let handle = manager.authorizer("platform", &account).await;
                handle.expect("asked").expect("authorised").obtain().await.map(drop)
            });
        }
        while hanging.load(Ordering::Relaxed) < TURNS {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let credentials = manager.credentials("shop").expect("configured");
        let ticket = credentials.iter().find(|(issuer, _)| matches!(issuer, Issuer::Ticket(_)));
        ticket.expect("it has one").1.obtain().await.expect("its turn is its own app's");
        assert_eq!(hanging.load(Ordering::Relaxed), TURNS, "of one app no more at once");
        asking.abort_all();
    }

    #[tokio::test(start_paused = true)]
    async fn refresh_tokens_that_wechat_shows_are_saved_side_by_side() {
        let (clock, server) = (Clock::simulated(), Server::new());
        let platform =
            AppOptions { name: "platform".into(), appid: "wxc".into(), kind: AppKind::Component, ..app() };
        let second = Duration::from_secs(1);
        let options = Options { fetch_timeout: second, refresh_wait: second };
        let apps = vec![(platform, Control::nowhere())];
        let manager = Manager::start(apps, options, server.store(0), clock.clone());
        let accounts: Vec<_> = (0..160).map(|number| format!("wxa{number}")).collect();
        let shown =
            accounts.iter().map(|account| (account.as_str(), Secret::new(account.as_str()))).collect();
        server.slow(Duration::from_millis(100));
        let began = tokio::time::Instant::now();
        manager.take_in("platform", shown, clock.now()).await.expect("the store takes them");
        // Each is looked for and written; one after another that is half a minute.
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        for account in &accounts {
            let kept = server.store(1).load(&grant::refresh_token_key("wxc", account)).await;
            assert!(kept.expect("asked").is_some_and(|record| record.value.expose() == account), "{account}");
        }
        manager.stop().await;
    }

    #[tokio::test]
    async fn a_token_that_others_number_higher_takes_over_their_number() {
        let clock = Clock::default();
        let store = Store::memory();
        let now = clock.now();
        let record = |generation| Record {
            value: Arc::new(Secret::new("t")),
            generation,
            fetched_at: now,
            expires_at: now.plus(Duration::from_secs(7200)),
        };
        store.save("access_token:stable:wx1", &record(7)).await.expect("memory never fails");
        let second = Duration::from_secs(10);
        let options = Options { fetch_timeout: second, refresh_wait: second };
        let manager = Manager::start(vec![(app(), Control::nowhere())], options, store.clone(), clock);
        let handle = manager.handle("shop").expect("configured");
        assert_eq!(handle.obtain().await.expect("stored").generation, 7);
        let mut changes = handle.changes();
        store.save("access_token:stable:wx1", &record(9)).await.expect("memory never fails");
        while handle.read(|token| token.generation) != Some(9) {
            tokio::time::timeout(second, changes.changed()).await.expect("in time").expect("kept");
        }
        manager.stop().await;
    }
}
