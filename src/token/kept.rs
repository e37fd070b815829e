//! The keepers of an app, and what is told of them together.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::credential::Credential;
use super::handle::{Message, Settings, Shared};
use super::status::{Authorizers, Further, Sample, State};
use super::{AppOptions, Handle, Status};
use crate::observe::clock::Timestamp;
use crate::upstream::control::Control;
use crate::wechat::Issuer;

/// An app's keepers.
#[derive(Debug)]
pub(super) struct App {
    /// Of the token that its requests carry.
    pub(super) main: Keeping,
    /// Of what else it has.
    pub(super) further: Vec<Keeping>,
    /// Of the accounts that a third-party platform acts for, by their appids, as far as somebody has asked for them.
    pub(super) authorizers: HashMap<Arc<str>, Keeping>,
    /// Makes the calls of all of them.
    pub(super) control: Control,
}

/// A keeper at work.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) shared: Arc<Shared>,
    /// Under which the store has the credential.
    pub(super) key: String,
    /// Under which it has what that is fetched with.
    pub(super) grant: Option<String>,
    pub(super) supervisor: JoinHandle<()>,
}

impl App {
    pub(super) fn all(&self) -> impl Iterator<Item = &Keeping> {
        std::iter::once(&self.main).chain(&self.further).chain(self.authorizers.values())
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = Keeping> {
        std::iter::once(self.main).chain(self.further).chain(self.authorizers.into_values())
    }

    pub(super) fn status(&self) -> Status {
        let used = self.further.iter().filter(|keeping| keeping.is_used());
        let authorizers = self.main.is_component().then(|| Authorizers {
            in_use: self.authorizers.values().filter(|keeping| keeping.holds()).count(),
            failing: self
                .authorizers
                .values()
                .filter(|keeping| keeping.shared.journal().obstacle.is_some())
                .count(),
        });
        Status { further: used.map(Keeping::further).collect(), authorizers, ..self.main.handle().status() }
    }

    /// Accounts that authorised a platform have no series of their own.
    pub(super) fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let own = std::iter::once(&self.main).chain(&self.further).map(|keeping| keeping.sample(now));
        let authorizers = self.authorizers.values().map(|keeping| keeping.sample(now)).reduce(Sample::and);
        own.chain(authorizers).collect()
    }
}

impl Keeping {
    pub(super) fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    pub(super) fn reconfigured(self, settings: Settings, control: Control) -> Self {
        let secret_changed = !self.shared.settings.load().app.same_secrets(&settings.app);
        self.shared.settings.store(Arc::new(settings));
        if secret_changed {
            self.shared.tell(Message::SecretChanged);
        }
        self.shared.tell(Message::Control(control));
        self
    }

    /// Whether it can go on for `app`: its token is that of the same account and family, under the same name.
    pub(super) fn goes_on_for(&self, app: &AppOptions) -> bool {
        let kept = self.shared.settings.load();
        kept.app.name == app.name
            && kept.app.agent == app.agent
            && kept.credential.is_same(&Credential::main(app))
    }

    pub(super) fn holds(&self) -> bool {
        self.shared.view.load().token.is_some()
    }

    fn is_used(&self) -> bool {
        self.holds() || self.shared.journal().last_failure.is_some()
    }

    fn is_component(&self) -> bool {
        self.shared.settings.load().credential.issuer == Issuer::Component
    }

    fn further(&self) -> Further {
        let Status { state, generation, expires_at, last_failure, .. } = self.handle().status();
        let credential = self.shared.settings.load().credential.issuer.credential();
        Further { credential, state, generation, expires_at, last_failure }
    }

    fn sample(&self, now: Timestamp) -> Sample {
        let token = self.shared.view.load().token.clone();
        let token = token.map(|token| (token.generation, token.expires_at.since(now)));
        let Status { state, next_refresh_at, .. } = self.handle().status();
        // One that nobody asks for any more may expire.
        let wanted = next_refresh_at.is_some();
        let usable = wanted.then_some(state == State::Ready);
        Sample::new(&self.shared.settings.load(), token, usable, &self.shared.journal())
    }
}
