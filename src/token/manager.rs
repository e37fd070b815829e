//! Which apps are kept, and that their keepers never end unasked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::credential::Credential;
use super::events::{Event, Events};
use super::exchange::Exchanges;
use super::grant;
use super::handle::{Message, Settings, Shared};
use super::keeper::{Keeper, Tools};
use super::kept::{App, Keeping};
use super::status::expose;
use super::{AppOptions, Handle, Options, Status};
use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::store::{Change, Changes, Record, Store};
use crate::upstream::control::Control;
use crate::wechat::Issuer;

/// First fetches at once when many apps start.
const STARTS: usize = 20;
/// Credentials that are looked up or fetched on demand at once.
const TURNS: usize = 32;
/// Of so many looks at the whole store, one is at what is kept on demand too.
const THOROUGH: u32 = 10;
/// A keeper that failed is not started again sooner, so that a defect can't spin.
const RESTART: Duration = Duration::from_secs(1);

/// Keeps the tokens of all apps. Clones share them.
#[derive(Clone, Debug)]
pub struct Manager(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) tools: Tools,
    pub(super) runtime: runtime::Handle,
    pub(super) exchanges: Exchanges,
    /// In the order of the configuration. Locked for a look-up or a reload, never over an await.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) apps: Vec<App>,
    /// Keepers told to stop that may not have done so yet.
    stopping: Vec<JoinHandle<()>>,
    /// Tells keepers what others write to the store.
    follower: Option<JoinHandle<()>>,
    fetch_timeout: Duration,
}

impl Manager {
    /// Starts a keeper for each app, with the client for its calls, on the runtime that this is called in, which must have
    /// its timers and I/O enabled. Apps whose token the store doesn't hold fetch one at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(apps: Vec<(AppOptions, Control)>, options: Options, store: Store, clock: Clock) -> Self {
        let tools = Tools {
            store,
            clock,
            starts: Arc::new(Semaphore::new(STARTS)),
            turns: Arc::new(Semaphore::new(TURNS)),
            look_ups: Arc::new(Semaphore::new(TURNS)),
            events: Events::default(),
            owner: format!("{:032x}", fastrand::u128(..)).into(),
            #[cfg(test)]
            looks_again: true,
        };
        Self::with(tools, apps, options)
    }

    fn with(tools: Tools, apps: Vec<(AppOptions, Control)>, options: Options) -> Self {
        let manager = Self(Arc::new(Inner {
            tools,
            runtime: runtime::Handle::current(),
            exchanges: Exchanges::default(),
            kept: Mutex::default(),
        }));
        // Before the keepers look at the store for the first time, so that nothing falls between.
        let changes = manager.0.tools.store.changes();
        manager.reconfigure(apps, options);
        let follower = manager.0.runtime.spawn(follow(changes, Arc::downgrade(&manager.0)));
        manager.kept().follower = Some(follower);
        manager
    }

    /// One app, in a simulation.
    #[cfg(test)]
    pub(super) fn simulated(
        app: (AppOptions, Control),
        options: Options,
        store: Store,
        clock: Clock,
        looks_again: bool,
    ) -> Self {
        let owner = format!("{:032x}", fastrand::u128(..)).into();
        let [starts, turns, look_ups] = [STARTS, TURNS, TURNS].map(|most| Arc::new(Semaphore::new(most)));
        let events = Events::default();
        let tools = Tools { store, clock, starts, turns, look_ups, events, owner, looks_again };
        Self::with(tools, vec![app], options)
    }

    /// Ends as a killed process does.
    #[cfg(test)]
    pub(super) fn crash(&self) {
        let mut kept = self.kept();
        kept.follower.take().iter().for_each(JoinHandle::abort);
        kept.apps.drain(..).flat_map(App::into_all).for_each(|keeping| keeping.supervisor.abort());
    }

    /// Takes over a reloaded configuration. Keepers of unchanged apps go on untouched; a changed secret closes
    /// the circuit and keeps the token; so does another client for its calls; keepers of apps that are gone stop.
    pub fn reconfigure(&self, apps: Vec<(AppOptions, Control)>, options: Options) {
        let mut kept = self.kept();
        kept.fetch_timeout = options.fetch_timeout;
        let mut before = std::mem::take(&mut kept.apps);
        let mut gone = Vec::new();
        for (app, control) in apps {
            let same = before.iter().position(|old| old.main.goes_on_for(&app));
            let app = match same {
                Some(index) => self.go_on(before.remove(index), app, control, &options, &mut gone),
                None => self.begin(app, control, &options),
            };
            kept.apps.push(app);
        }
        gone.extend(before.into_iter().flat_map(App::into_all));
        for keeping in gone {
            keeping.shared.tell(Message::Stop);
            kept.stopping.push(keeping.supervisor);
        }
        kept.stopping.retain(|supervisor| !supervisor.is_finished());
    }

    fn begin(&self, app: AppOptions, control: Control, options: &Options) -> App {
        let settings = |credential| Settings { app: app.clone(), credential, options: options.clone() };
        let main = self.keep(settings(Credential::main(&app)), control.clone());
        let further = Credential::further(&app, &main.handle());
        let keep = |credential| self.keep(settings(credential), control.clone());
        let further = further.into_iter().map(keep).collect();
        App { main, further, authorizers: HashMap::new(), control }
    }

    fn go_on(
        &self,
        before: App,
        app: AppOptions,
        control: Control,
        options: &Options,
        gone: &mut Vec<Keeping>,
    ) -> App {
        let App { main, further: mut former, authorizers, .. } = before;
        let settings = |credential| Settings { app: app.clone(), credential, options: options.clone() };
        let reconfigured = |keeping: Keeping| {
            let credential = keeping.shared.settings.load().credential.clone();
            keeping.reconfigured(settings(credential), control.clone())
        };
        let main = reconfigured(main);
        let mut further = Vec::new();
        for credential in Credential::further(&app, &main.handle()) {
            let same = |old: &Keeping| old.shared.settings.load().credential.is_same(&credential);
            further.push(match former.iter().position(same) {
                Some(index) => reconfigured(former.remove(index)),
                None => self.keep(settings(credential), control.clone()),
            });
        }
        gone.append(&mut former);
        let authorizers =
            authorizers.into_iter().map(|(appid, keeping)| (appid, reconfigured(keeping))).collect();
        App { main, further, authorizers, control }
    }

    /// A handle to the token of the app of that name. To be asked for once, not for each request.
    pub fn handle(&self, app: &str) -> Option<Handle> {
        self.kept().app(app).map(|app| app.main.handle())
    }

    /// Handles to all credentials of the app of that name but those of accounts that it acts for; the token comes first.
    pub fn credentials(&self, app: &str) -> Option<Vec<(Issuer, Handle)>> {
        let kept = self.kept();
        let app = kept.app(app)?;
        let issuer = |keeping: &Keeping| keeping.shared.settings.load().credential.issuer;
        let all = std::iter::once(&app.main).chain(&app.further);
        Some(all.map(|keeping| (issuer(keeping), keeping.handle())).collect())
    }

    /// How each app's credential is doing, in the order of the configuration.
    pub fn statuses(&self) -> Vec<Status> {
        self.kept().apps.iter().map(App::status).collect()
    }

    /// What happened to tokens lately, the latest first.
    pub fn events(&self) -> Vec<Event> {
        self.0.tools.events.all()
    }

    /// What happens to tokens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.0.tools.events.listen()
    }

    /// Adds the token metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        let now = self.0.tools.clock.now();
        let samples: Vec<_> = self.kept().apps.iter().flat_map(|app| app.samples(now)).collect();
        expose(&samples, out);
    }

    /// Stops all keepers. A fetch in progress is waited for, since in classic mode its answer may be the only
    /// live token; what takes longer than the timeouts allow is cut off.
    pub async fn stop(&self) {
        let (supervisors, patience) = {
            let mut kept = self.kept();
            if let Some(follower) = kept.follower.take() {
                follower.abort();
            }
            let apps = std::mem::take(&mut kept.apps);
            let mut supervisors = std::mem::take(&mut kept.stopping);
            for keeping in apps.into_iter().flat_map(App::into_all) {
                keeping.shared.tell(Message::Stop);
                supervisors.push(keeping.supervisor);
            }
            (supervisors, kept.fetch_timeout * 4)
        };
        let aborts: Vec<_> = supervisors.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for supervisor in supervisors {
                let _ = supervisor.await;
            }
        };
        if timeout(patience, all).await.is_err() {
            tracing::warn!("a token call did not end in time and was cut off");
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    pub(super) fn keep(&self, settings: Settings, control: Control) -> Keeping {
        let (key, grant) =
            (settings.credential.key(&settings.app), grant::key(&settings.app, &settings.credential));
        let (shared, inbox) = Shared::new(settings, self.0.tools.clock.clone());
        let shared = Arc::new(shared);
        let keeper = Keeper::new(Arc::clone(&shared), inbox, control, self.0.tools.clone());
        Keeping { shared, key, grant, supervisor: self.0.runtime.spawn(supervise(keeper)) }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept()
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has keepers look at what the store holds now, where it isn't what they published. What is kept on demand is
    /// looked at only if it is named, or `thorough`ly: there may be thousands.
    async fn compare(&self, change: &Change, thorough: bool) {
        let concerned: Vec<_> = {
            let kept = self.kept();
            let all = kept.apps.iter().flat_map(App::all);
            let concerned = all.filter(|keeping| match change {
                Change::Key(changed) => **changed == *keeping.key,
                Change::Any if keeping.shared.on_demand => thorough && keeping.holds(),
                Change::Any => true,
            });
            concerned.map(|keeping| (keeping.key.clone(), Arc::clone(&keeping.shared))).collect()
        };
        let keys: Vec<_> = concerned.iter().map(|(key, _)| key.as_str()).collect();
        if keys.is_empty() {
            return;
        }
        let Ok(records) = self.tools.store.load_all(&keys).await else { return };
        for ((_, shared), record) in concerned.iter().zip(records) {
            // What can't be read is told by the keeper when it saves.
            let Ok(record) = record else { continue };
            if differs(record.as_ref(), shared) {
                shared.tell(Message::Stored(record));
            }
        }
    }

    /// Hands a ticket or refresh token that another replica took in to the keeper that fetches with it; where none is
    /// named, to each that can't fetch now.
    async fn hand_over(&self, change: &Change) {
        let concerned: Vec<_> = {
            let kept = self.kept();
            let granted = kept.apps.iter().flat_map(App::all).filter_map(|keeping| {
                let key = keeping.grant.as_ref()?;
                let concerned = match change {
                    Change::Key(changed) => **changed == **key,
                    Change::Any => keeping.shared.journal().obstacle.is_some(),
                };
                concerned.then(|| (key.clone(), Arc::clone(&keeping.shared)))
            });
            granted.collect()
        };
        let keys: Vec<_> = concerned.iter().map(|(key, _)| key.as_str()).collect();
        if keys.is_empty() {
            return;
        }
        let Ok(records) = self.tools.store.load_all(&keys).await else { return };
        for ((_, shared), record) in concerned.iter().zip(records) {
            if let Ok(Some(record)) = record {
                shared.tell(Message::Granted(record));
            }
        }
    }
}

fn differs(record: Option<&Record>, shared: &Shared) -> bool {
    match (record, &shared.view.load().token) {
        (Some(record), Some(token)) => {
            record.generation != token.generation || !record.value.matches(&token.value)
        }
        (record, token) => record.is_some() || token.is_some(),
    }
}

/// Listens to the store for as long as both live.
async fn follow(mut changes: Changes, manager: Weak<Inner>) {
    let mut looks = 0_u32;
    while let Some(change) = changes.next().await {
        let Some(manager) = manager.upgrade() else { return };
        looks = looks.wrapping_add(u32::from(change == Change::Any));
        manager.compare(&change, looks.is_multiple_of(THOROUGH)).await;
        manager.hand_over(&change).await;
    }
}

impl Kept {
    pub(super) fn app(&self, name: &str) -> Option<&App> {
        self.apps.iter().find(|app| *app.main.shared.settings.load().app.name == *name)
    }

    pub(super) fn app_mut(&mut self, name: &str) -> Option<&mut App> {
        self.apps.iter_mut().find(|app| *app.main.shared.settings.load().app.name == *name)
    }
}

/// Runs a keeper until it is told to stop. A panic costs the question that caused it, not the app: what the
/// keeper knew and what it published stay, and it goes on with the next question.
async fn supervise(keeper: Keeper) {
    let app = keeper.settings().app.name.clone();
    let keeper = Arc::new(tokio::sync::Mutex::new(keeper));
    loop {
        let keeper = Arc::clone(&keeper);
        // A set, so that the keeper ends with its supervisor.
        let mut run = JoinSet::new();
        run.spawn(async move { keeper.lock().await.run().await });
        match run.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::error!(%app, "the token keeper failed and is started again");
                sleep(RESTART).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Manager;
    use crate::observe::clock::Clock;
    use crate::secret::Secret;
    use crate::store::{Record, Store};
    use crate::token::handle::Message;
    use crate::token::{AppOptions, Options};
    use crate::upstream::control::Control;
    use crate::wechat::{AppKind, TokenMode};

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
    async fn a_keeper_that_panics_goes_on_with_the_token_it_held() {
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
        handle.shared.tell(Message::Panic);
        assert_eq!(handle.read(|token| token.generation), Some(7), "published all the while");
        let (reply, answer) = tokio::sync::oneshot::channel();
        handle.shared.tell(Message::Obtain(reply));
        assert_eq!(answer.await.expect("answered by the next run").expect("held").generation, 7);
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
