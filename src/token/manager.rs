//! Which apps are kept, and that their keepers never end unasked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::handle::{Message, Settings, Shared};
use super::keeper::{Keeper, Tools};
use super::sharing::record_key;
use super::status::{Sample, expose};
use super::{AppOptions, Handle, Options, Status};
use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::store::{Change, Changes, Record, Store};
use crate::upstream::control::Control;

/// First fetches at once when many apps start.
const STARTS: usize = 20;
/// A keeper that failed is not started again sooner, so that a defect can't spin.
const RESTART: Duration = Duration::from_secs(1);

/// Keeps the tokens of all apps. Clones share them.
#[derive(Clone, Debug)]
pub struct Manager(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tools: Tools,
    runtime: runtime::Handle,
    /// In the order of the configuration. Locked for a look-up or a reload, never over an await.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    apps: Vec<App>,
    /// Keepers told to stop that may not have done so yet.
    stopping: Vec<JoinHandle<()>>,
    /// Tells keepers what others write to the store.
    follower: Option<JoinHandle<()>>,
    fetch_timeout: Duration,
}

#[derive(Debug)]
struct App {
    shared: Arc<Shared>,
    supervisor: JoinHandle<()>,
}

impl Manager {
    /// Starts a keeper for each app on the runtime that this is called in, which must have its timers and I/O
    /// enabled. Apps whose token the store doesn't hold fetch one at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(
        apps: Vec<AppOptions>,
        options: Options,
        store: Store,
        control: Control,
        clock: Clock,
    ) -> Self {
        let tools = Tools {
            store,
            control,
            clock,
            starts: Arc::new(Semaphore::new(STARTS)),
            owner: format!("{:032x}", fastrand::u128(..)).into(),
            #[cfg(test)]
            looks_again: true,
        };
        Self::with(tools, apps, options)
    }

    fn with(tools: Tools, apps: Vec<AppOptions>, options: Options) -> Self {
        let manager =
            Self(Arc::new(Inner { tools, runtime: runtime::Handle::current(), kept: Mutex::default() }));
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
        app: AppOptions,
        options: Options,
        store: Store,
        control: Control,
        clock: Clock,
        looks_again: bool,
    ) -> Self {
        let owner = format!("{:032x}", fastrand::u128(..)).into();
        let starts = Arc::new(Semaphore::new(STARTS));
        Self::with(Tools { store, control, clock, starts, owner, looks_again }, vec![app], options)
    }

    /// Ends as a killed process does.
    #[cfg(test)]
    pub(super) fn crash(&self) {
        let mut kept = self.kept();
        kept.follower.take().iter().for_each(JoinHandle::abort);
        kept.apps.drain(..).for_each(|app| app.supervisor.abort());
    }

    /// Takes over a reloaded configuration. Keepers of unchanged apps go on untouched; a changed secret closes
    /// the circuit and keeps the token; keepers of apps that are gone stop.
    pub fn reconfigure(&self, apps: Vec<AppOptions>, options: Options) {
        let mut kept = self.kept();
        kept.fetch_timeout = options.fetch_timeout;
        let mut before = std::mem::take(&mut kept.apps);
        for app in apps {
            let settings = Settings { app, options: options.clone() };
            let same = before.iter().position(|old| same_credential(&old.shared, &settings.app));
            let app = match same {
                Some(index) => before.remove(index).reconfigured(settings),
                None => self.keep(settings),
            };
            kept.apps.push(app);
        }
        for gone in before {
            gone.shared.tell(Message::Stop);
            kept.stopping.push(gone.supervisor);
        }
        kept.stopping.retain(|supervisor| !supervisor.is_finished());
    }

    /// A handle to the app of that name. To be asked for once, not for each request.
    pub fn handle(&self, app: &str) -> Option<Handle> {
        self.kept()
            .apps
            .iter()
            .map(App::handle)
            .find(|handle| *handle.shared.settings.load().app.name == *app)
    }

    /// How each app's credential is doing, in the order of the configuration.
    pub fn statuses(&self) -> Vec<Status> {
        self.kept().apps.iter().map(|app| app.handle().status()).collect()
    }

    /// Adds the token metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        let now = self.0.tools.clock.now();
        let sample = |app: &App| {
            let token = app.shared.view.load().token.clone();
            let token = token.map(|token| (token.generation, token.expires_at.since(now)));
            Sample::new(app.shared.settings.load().app.clone(), token, &app.shared.journal())
        };
        let samples: Vec<_> = self.kept().apps.iter().map(sample).collect();
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
            for app in &apps {
                app.shared.tell(Message::Stop);
            }
            let mut supervisors = std::mem::take(&mut kept.stopping);
            supervisors.extend(apps.into_iter().map(|app| app.supervisor));
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

    fn keep(&self, settings: Settings) -> App {
        let (shared, inbox) = Shared::new(settings, self.0.tools.clock.clone());
        let shared = Arc::new(shared);
        let keeper = Keeper::new(Arc::clone(&shared), inbox, self.0.tools.clone());
        App { shared, supervisor: self.0.runtime.spawn(supervise(keeper)) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept()
    }
}

impl Inner {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has keepers look at what the store holds now, where it isn't what they published.
    async fn compare(&self, change: &Change) {
        let apps: Vec<_> = {
            let kept = self.kept();
            let keyed =
                kept.apps.iter().map(|app| (record_key(&app.shared.settings.load().app), &app.shared));
            let concerned = keyed.filter(|(key, _)| match change {
                Change::Key(changed) => **changed == **key,
                Change::Any => true,
            });
            concerned.map(|(key, shared)| (key, Arc::clone(shared))).collect()
        };
        let keys: Vec<_> = apps.iter().map(|(key, _)| key.as_str()).collect();
        if keys.is_empty() {
            return;
        }
        let Ok(records) = self.tools.store.load_all(&keys).await else { return };
        for ((_, shared), record) in apps.iter().zip(records) {
            // What can't be read is told by the keeper when it saves.
            let Ok(record) = record else { continue };
            if differs(record.as_ref(), shared) {
                shared.tell(Message::Stored(record));
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
    while let Some(change) = changes.next().await {
        let Some(manager) = manager.upgrade() else { return };
        manager.compare(&change).await;
    }
}

impl App {
    fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    fn reconfigured(self, settings: Settings) -> Self {
        let secret_changed = !self.shared.settings.load().app.secret.matches(&settings.app.secret);
        self.shared.settings.store(Arc::new(settings));
        if secret_changed {
            self.shared.tell(Message::SecretChanged);
        }
        self
    }
}

/// Whether a keeper can go on for `app`: its token is that of the same account and family, under the same name.
fn same_credential(kept: &Shared, app: &AppOptions) -> bool {
    let kept = &kept.settings.load().app;
    kept.name == app.name && kept.appid == app.appid && kept.mode == app.mode
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
        let manager = Manager::start(vec![app()], options, store, Control::nowhere(), clock);
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
        let manager = Manager::start(vec![app()], options, store.clone(), Control::nowhere(), clock);
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
