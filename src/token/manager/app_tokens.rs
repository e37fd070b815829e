//! The refresh tasks of an app, and their status and metrics together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::supervisor::supervise;
use crate::observe::clock::{Clock, Timestamp};
use crate::token::credential::Credential;
use crate::token::grant;
use crate::token::handle::{Configured, Handle, Shared, TaskMessage};
use crate::token::options::{AppOptions, Options};
use crate::token::status::{Authorizers, Further, Sample, State, Status};
use crate::token::task::{Deps, RefreshTask};
use crate::upstream::control::Control;
use crate::wechat::{Issuer, TicketKind};

/// An app's refresh tasks.
#[derive(Debug)]
pub(super) struct AppTokens {
    /// Of the token that its requests carry.
    pub(super) main: TaskHandle,
    /// Of what else it has.
    pub(super) further: Vec<TaskHandle>,
    /// Of the accounts that a third-party platform acts for, by appid, or of the companies that a
    /// suite does, by corpid, once they have been asked for.
    pub(super) authorizers: HashMap<Arc<str>, TaskHandle>,
    /// Of tickets of those accounts, once they have been asked for.
    pub(super) tickets: HashMap<(Arc<str>, TicketKind), TaskHandle>,
    /// Makes the calls of all of them.
    pub(super) control: Control,
    /// Bounds its concurrent fetches on demand: another app must not wait for an account whose
    /// fetch hangs.
    pub(super) turns: Arc<Semaphore>,
}

/// A running refresh task.
#[derive(Debug)]
pub(super) struct TaskHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) credential: Credential,
    /// Under which the store has the credential.
    pub(super) key: String,
    /// Under which it has what that is fetched with.
    pub(super) grant: Option<String>,
    pub(super) supervisor: JoinHandle<()>,
}

impl AppTokens {
    pub(super) fn all(&self) -> impl Iterator<Item = &TaskHandle> {
        self.own().chain(self.authorizers.values()).chain(self.tickets.values())
    }

    /// All but those of accounts that a platform acts for; the token's comes first.
    pub(super) fn own(&self) -> impl Iterator<Item = &TaskHandle> {
        std::iter::once(&self.main).chain(&self.further)
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = TaskHandle> {
        let own = std::iter::once(self.main).chain(self.further);
        own.chain(self.authorizers.into_values()).chain(self.tickets.into_values())
    }

    /// The task of its suite's token.
    pub(super) fn suite(&self) -> Option<&TaskHandle> {
        self.further.iter().find(|task| task.credential.issuer == Issuer::Suite)
    }

    /// The token by which it acts for `account`, with the store's key for what that is fetched
    /// with; none if it acts for nobody.
    pub(super) fn acting_for(&self, account: &Arc<str>) -> Option<(String, Credential)> {
        let credential = match self.suite() {
            Some(suite) => Credential::corporation(Arc::clone(account), suite.handle()),
            None if self.main.is_component() => {
                Credential::authorizer(Arc::clone(account), self.main.handle())
            }
            None => return None,
        };
        let key = grant::key(&self.main.shared.configured.load().app, &credential)?;
        Some((key, credential))
    }

    pub(super) fn status(&self) -> Status {
        let used = self.further.iter().filter(|task| task.is_used());
        let authorizers = (self.main.is_component() || self.suite().is_some()).then(|| Authorizers {
            in_use: self.authorizers.values().filter(|task| task.holds()).count(),
            failing: self.authorizers.values().filter(|task| task.shared.stats().failing.is_some()).count(),
        });
        Status {
            further: used.map(TaskHandle::further).collect(),
            authorizers,
            ..self.main.handle().status()
        }
    }

    /// Accounts that authorised a platform have no series of their own.
    pub(super) fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let own = self.own().map(|task| task.sample(now));
        let mut of_accounts: BTreeMap<&str, Sample> = BTreeMap::new();
        for task in self.authorizers.values().chain(self.tickets.values()) {
            let sample = task.sample(now);
            let credential = task.credential.issuer.credential();
            let together = match of_accounts.remove(credential) {
                Some(others) => others.and(sample),
                None => sample,
            };
            of_accounts.insert(credential, together);
        }
        own.chain(of_accounts.into_values()).collect()
    }
}

impl TaskHandle {
    /// Starts a refresh task.
    pub(super) fn spawn(
        runtime: &runtime::Handle,
        deps: Deps,
        turns: Arc<Semaphore>,
        configured: Configured,
        credential: Credential,
        control: Control,
    ) -> Self {
        let key = credential.key(&configured.app);
        let grant = grant::key(&configured.app, &credential);
        let (shared, inbox) = Shared::new(configured, credential.is_on_demand(), deps.clock.clone());
        let shared = Arc::new(shared);
        let task = RefreshTask::new(Arc::clone(&shared), inbox, credential.clone(), control, deps, turns);
        Self { shared, credential, key, grant, supervisor: runtime.spawn(supervise(task)) }
    }

    pub(super) fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    pub(super) fn reconfigured(self, configured: Configured, control: Control) -> Self {
        let secret_changed = !self.shared.configured.load().app.same_secrets(&configured.app);
        self.shared.configured.store(Arc::new(configured));
        if secret_changed {
            self.shared.tell(TaskMessage::SecretChanged);
        }
        self.shared.tell(TaskMessage::Control(control));
        self
    }

    /// The app's name.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.shared.configured.load().app.name)
    }

    /// Whether it can continue for `app`, which has the same name: its token is that of the same
    /// account and family.
    pub(super) fn goes_on_for(&self, app: &AppOptions) -> bool {
        let before = self.shared.configured.load();
        before.app.agent == app.agent && self.credential.is_same(&Credential::main(app))
    }

    pub(super) fn holds(&self) -> bool {
        self.shared.view.load().token.is_some()
    }

    fn is_used(&self) -> bool {
        self.holds() || self.shared.stats().last_failure.is_some()
    }

    fn is_component(&self) -> bool {
        self.credential.issuer == Issuer::Component
    }

    fn further(&self) -> Further {
        let Status { state, generation, expires_at, last_failure, .. } = self.handle().status();
        let credential = self.credential.issuer.credential();
        Further { credential, state, generation, expires_at, last_failure }
    }

    fn sample(&self, now: Timestamp) -> Sample {
        let token = self.shared.view.load().token.clone();
        let token = token.map(|token| (token.generation, token.expires_at.since(now)));
        let Status { state, next_refresh_at, .. } = self.handle().status();
        // One that is no longer in use may expire.
        let wanted = next_refresh_at.is_some();
        let usable = wanted.then_some(state == State::Ready);
        let credential = self.credential.issuer.credential();
        Sample::new(self.shared.app_name(), credential, token, usable, &self.shared.stats())
    }
}

impl Handle {
    /// Handles as [`Manager::credentials`](super::Manager::credentials) gives them, but with no
    /// refresh task behind: there is never a token. For saying what would be done.
    pub fn without_task(app: &AppOptions, options: &Options, clock: &Clock) -> Vec<(Issuer, Self)> {
        let handle = |credential: Credential| {
            let issuer = credential.issuer;
            let configured = Configured { app: app.clone(), options: options.clone() };
            let (shared, _) = Shared::new(configured, credential.is_on_demand(), clock.clone());
            (issuer, Self { shared: Arc::new(shared) })
        };
        let main = handle(Credential::main(app));
        let further: Vec<_> = Credential::further(app, &main.1).into_iter().map(handle).collect();
        std::iter::once(main).chain(further).collect()
    }
}
