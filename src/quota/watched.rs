//! The apps whose quotas are watched. There may be thousands, each looked after every few seconds.

use std::collections::HashMap;
use std::sync::Arc;

use super::App;
use super::clears::Clears;
use super::usage::figures::Notes;
use super::usage::pace::Pace;
use crate::observe::clock::Timestamp;

/// An app, and what is known of its quotas.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) app: App,
    pub(super) label: u16,
    pub(super) notes: Notes,
    pub(super) clears: Clears,
    /// Of what follows.
    pub(super) day: i64,
    /// When each endpoint was first called today.
    pub(super) since: HashMap<&'static str, Timestamp>,
    /// How often WeChat said today that an endpoint's quota is used up, and when that last grew.
    pub(super) refused: HashMap<&'static str, (u64, Timestamp)>,
    /// How fast each is spent whose figures are known.
    pub(super) paces: HashMap<&'static str, Pace>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct WatchedApps {
    /// In the order of the configuration.
    all: Vec<Watched>,
    by_identity: HashMap<Arc<str>, usize>,
    by_name: HashMap<Arc<str>, usize>,
}

impl Watched {
    fn new(app: App, label: u16) -> Self {
        Self {
            app,
            label,
            notes: Notes::default(),
            day: 0,
            clears: Clears::default(),
            since: HashMap::new(),
            refused: HashMap::new(),
            paces: HashMap::new(),
        }
    }
}

impl WatchedApps {
    /// Takes over a reloaded configuration. What is known of apps that stay is kept.
    pub(super) fn configure(&mut self, apps: Vec<App>, label: impl Fn(&Arc<str>) -> u16) {
        let Self { all, .. } = std::mem::take(self);
        let mut former: HashMap<_, _> =
            all.into_iter().map(|watched| (Arc::clone(&watched.app.identity), watched)).collect();
        for (place, app) in apps.into_iter().enumerate() {
            let label = label(&app.name);
            self.by_identity.insert(Arc::clone(&app.identity), place);
            self.by_name.insert(Arc::clone(&app.name), place);
            self.all.push(match former.remove(&app.identity) {
                Some(known) => Watched { app, label, ..known },
                None => Watched::new(app, label),
            });
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Watched> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Watched> {
        self.all.iter_mut()
    }

    /// The app that is this account.
    pub(super) fn of_mut(&mut self, identity: &str) -> Option<&mut Watched> {
        self.by_identity.get(identity).and_then(|place| self.all.get_mut(*place))
    }

    pub(super) fn named(&self, name: &str) -> Option<&Watched> {
        self.by_name.get(name).and_then(|place| self.all.get(*place))
    }
}

#[cfg(test)]
mod tests {
    use super::{App, WatchedApps};
    use crate::wechat::AppKind;

    fn app(name: &str, identity: &str) -> App {
        App {
            name: name.into(),
            identity: identity.into(),
            appid: identity.into(),
            kind: AppKind::MiniProgram,
        }
    }

    #[test]
    fn what_is_known_of_an_account_stays_its_own_under_whichever_name_and_place() {
        let mut watched = WatchedApps::default();
        let label = |name: &std::sync::Arc<str>| u16::from(name.as_bytes()[0]);
        watched.configure(vec![app("a", "wx1"), app("b", "wx2"), app("c", "wx3")], label);
        for (identity, day) in [("wx1", 1), ("wx2", 2), ("wx3", 3)] {
            watched.of_mut(identity).expect("configured").day = day;
        }
        watched.configure(vec![app("c", "wx3"), app("d", "wx4"), app("new", "wx1")], label);
        let known: Vec<_> = watched.iter().map(|one| (&*one.app.name, one.label, one.day)).collect();
        assert_eq!(
            known,
            [("c", u16::from(b'c'), 3), ("d", u16::from(b'd'), 0), ("new", u16::from(b'n'), 1)]
        );
        assert_eq!(watched.named("new").map(|one| one.day), Some(1));
        assert!(watched.named("a").is_none() && watched.of_mut("wx2").is_none());
    }
}
