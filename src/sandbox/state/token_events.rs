//! What happens to a token behind its holder's back.

use serde::{Deserialize, Serialize};

use super::accounts::App;
use super::companies::Company;
use super::tokens::{Family, Kind};
use super::world::State;

/// Whose tokens something happens to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// The app or authorizer, or a suite's company as `CORPID.SUITE_ID`; None: all.
    pub appid: Option<String>,
    /// The kind of token; None: all that were issued.
    pub kind: Option<Kind>,
    /// For `rotate`: how long the previous token stays valid, in milliseconds of the sandbox's
    /// clock.
    pub grace_ms: i64,
}

impl From<&str> for Target {
    fn from(appid: &str) -> Self {
        Self { appid: Some(appid.to_owned()), ..Self::default() }
    }
}

impl From<&String> for Target {
    fn from(appid: &String) -> Self {
        Self::from(appid.as_str())
    }
}

/// A token that a sandbox issued which isn't there any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Given {
    /// The app or authorizer.
    pub appid: String,
    pub kind: Kind,
    pub value: String,
}

/// What can happen to the current token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) enum TokenEvent {
    /// Another program fetched a token.
    Rotate,
    /// Still current, taken nowhere.
    Poison,
    /// At its end.
    Expire,
}

impl State {
    /// It is current from now on.
    pub(in crate::sandbox) fn give(&mut self, Given { appid, kind, value }: Given, now: i64) {
        let rules = self.settings.rules();
        self.tokens.with(&appid, kind, |family| family.put(value, now, &rules));
    }

    /// Does it to every current token of the target; gives how many there were.
    pub(in crate::sandbox) fn happen(&mut self, event: TokenEvent, target: &Target, now: i64) -> usize {
        let apps = self.accounts.apps().iter().map(App::identity);
        let authorizers = self.accounts.authorizers().iter().map(|known| known.authorizer_appid.clone());
        let companies = self.companies.list().iter().map(Company::identity);
        let mut appids: Vec<String> = apps.chain(authorizers).chain(companies).collect();
        appids.sort();
        appids.dedup();
        appids.retain(|appid| target.appid.as_ref().is_none_or(|wanted| wanted == appid));
        let rules = self.settings.rules();
        let act = |family: &mut Family| match event {
            TokenEvent::Rotate => family.rotate_behind(now, &rules, target.grace_ms),
            TokenEvent::Poison => family.poison(),
            TokenEvent::Expire => family.expire(now),
        };
        let mut changed = 0;
        for appid in &appids {
            for kind in Kind::ALL.into_iter().filter(|kind| target.kind.is_none_or(|wanted| wanted == *kind))
            {
                if self.tokens.family(appid, kind).is_some() {
                    changed += usize::from(self.tokens.with(appid, kind, act));
                }
            }
        }
        changed
    }
}
