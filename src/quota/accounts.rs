//! The accounts that platforms act for: who is called most today, and what WeChat says of their
//! quotas.
//!
//! Of this process alone. Replicas that shared it would write to the store for each of thousands of
//! accounts.

use std::collections::HashMap;
use std::sync::Arc;

use super::usage::figures::{Called, Notes};
use super::usage::pace::Pace;
use crate::observe::clock::Timestamp;
use crate::wechat::catalogue;

/// Those that WeChat is asked about, of all platforms together, and that have labels of their own.
pub(super) const BUSIEST: usize = 50;
/// Those that are counted apart; calls of the others count for their platform alone.
const MOST: usize = 10_000;
/// Endpoints of an account that are counted apart.
const MOST_PATHS: usize = 64;
/// The path of the others, and of what isn't catalogued.
const OTHER_PATH: &str = "other";

/// An account of the platform with this label.
pub(super) type Account = (u16, Arc<str>);

/// What a worker counted since it was last asked.
#[derive(Debug, Default)]
pub(super) struct AccountCalls(HashMap<(Account, u16), u64>);

impl AccountCalls {
    /// A call for an account begins.
    pub(super) fn begin(&mut self, platform: u16, appid: &Arc<str>, endpoint: u16) {
        let key = ((platform, Arc::clone(appid)), endpoint);
        if self.0.len() < MOST || self.0.contains_key(&key) {
            *self.0.entry(key).or_default() += 1;
        }
    }
}

/// What is known of an account.
#[derive(Debug, Default)]
pub(super) struct KnownAccount {
    /// Today's calls.
    pub(super) calls: HashMap<&'static str, Called>,
    pub(super) notes: Notes,
    pub(super) paces: HashMap<&'static str, Pace>,
    /// WeChat tells nothing of it until then.
    pub(super) refused_until: Option<Timestamp>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    day: i64,
    known: HashMap<Account, KnownAccount>,
    /// Those that have a label of their own in metrics. They keep it: each would be a series.
    labelled: Vec<Account>,
}

impl KnownAccount {
    /// Today's calls of all endpoints together.
    pub(super) fn total(&self) -> u64 {
        self.calls.values().map(|called| called.ours).fold(0, u64::saturating_add)
    }

    fn add(&mut self, path: &'static str, count: u64, now: Timestamp) {
        let has_room = self.calls.len() < MOST_PATHS || self.calls.contains_key(path);
        let path = if has_room { path } else { OTHER_PATH };
        let called = self.calls.entry(path).or_insert(Called { ours: 0, since: now, refused: None });
        called.ours = called.ours.saturating_add(count);
        self.paces.entry(path).or_insert_with(|| Pace::new(0, now)).observe(called.ours, now);
    }
}

impl Accounts {
    /// Begins another day. That WeChat refused to tell stays known.
    pub(super) fn turn(&mut self, day: i64, now: Timestamp) {
        if self.day == day {
            return;
        }
        self.day = day;
        self.known.retain(|_, known| known.refused_until.is_some_and(|until| now < until));
        for known in self.known.values_mut() {
            let refused_until = known.refused_until;
            *known = KnownAccount { refused_until, ..KnownAccount::default() };
            known.notes.turn(day);
        }
    }

    /// Takes what a worker counted.
    pub(super) fn take(&mut self, counted: &mut AccountCalls, now: Timestamp) {
        for ((account, endpoint), count) in counted.0.drain() {
            if self.known.len() >= MOST && !self.known.contains_key(&account) {
                continue;
            }
            let path = catalogue::all().get(usize::from(endpoint)).map_or(OTHER_PATH, |known| known.path);
            let known = self.known.entry(account).or_default();
            known.notes.turn(self.day);
            known.add(path, count, now);
        }
    }

    pub(super) fn get_mut(&mut self, account: &Account) -> Option<&mut KnownAccount> {
        self.known.get_mut(account)
    }

    /// Those that were called most today, the busiest first.
    pub(super) fn busiest(&self) -> Vec<(&Account, &KnownAccount)> {
        let mut all: Vec<_> =
            self.known.iter().map(|(account, known)| (known.total(), account, known)).collect();
        all.retain(|(total, ..)| *total > 0);
        all.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
        all.into_iter().take(BUSIEST).map(|(_, account, known)| (account, known)).collect()
    }

    /// Gives labels to the busiest while there are any left.
    pub(super) fn label(&mut self) {
        let new: Vec<_> = self.busiest().into_iter().map(|(account, _)| account.clone()).collect();
        for account in new {
            if self.labelled.len() < BUSIEST && !self.labelled.contains(&account) {
                self.labelled.push(account);
            }
        }
    }

    /// Those with a label.
    pub(super) fn labelled(&self) -> impl Iterator<Item = (&Account, &KnownAccount)> {
        self.labelled.iter().filter_map(|account| Some((account, self.known.get(account)?)))
    }

    /// Today's calls of those without a label, by platform.
    pub(super) fn calls_of_others(&self) -> std::collections::BTreeMap<u16, u64> {
        let mut sums = std::collections::BTreeMap::<u16, u64>::new();
        for (account, known) in self.known.iter().filter(|(account, _)| !self.labelled.contains(account)) {
            let sum = sums.entry(account.0).or_default();
            *sum = sum.saturating_add(known.total());
        }
        sums.retain(|_, sum| *sum > 0);
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountCalls, Accounts, BUSIEST};
    use crate::observe::clock::Timestamp;
    use crate::wechat::catalogue;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn called(accounts: &mut Accounts, calls: &[(usize, usize)]) {
        let endpoint = catalogue::find("/cgi-bin/user/info").id;
        let mut counted = AccountCalls::default();
        for (account, count) in calls {
            (0..*count).for_each(|_| counted.begin(2, &format!("wxa{account:03}").into(), endpoint));
        }
        accounts.take(&mut counted, NOW);
    }

    #[test]
    fn no_more_than_fifty_accounts_have_a_label_of_their_own_whoever_is_busy_later() {
        let mut accounts = Accounts::default();
        accounts.turn(1, NOW);
        called(&mut accounts, &(0..60).map(|number| (number, 1 + number)).collect::<Vec<_>>());
        accounts.label();
        let busiest: Vec<_> = accounts.busiest().into_iter().map(|((_, appid), _)| appid.clone()).collect();
        assert_eq!((busiest.len(), &*busiest[0], &*busiest[49]), (BUSIEST, "wxa059", "wxa010"));
        assert_eq!(accounts.calls_of_others().into_iter().collect::<Vec<_>>(), [(2, (1..=10).sum::<u64>())]);
        accounts.turn(2, NOW);
        called(&mut accounts, &[(0, 9), (59, 2)]);
        accounts.label();
        assert_eq!(accounts.labelled().map(|((_, appid), _)| &**appid).collect::<Vec<_>>(), ["wxa059"]);
        assert_eq!(accounts.calls_of_others().into_iter().collect::<Vec<_>>(), [(2, 9)]);
    }

    #[test]
    fn a_refusal_outlasts_midnight() {
        let mut accounts = Accounts::default();
        accounts.turn(1, NOW);
        called(&mut accounts, &[(0, 1), (1, 1)]);
        let refused = (2, "wxa000".into());
        accounts.get_mut(&refused).expect("known").refused_until = Some(Timestamp(NOW.0 + 1));
        accounts.turn(2, NOW);
        assert!(accounts.busiest().is_empty());
        assert!(accounts.get_mut(&refused).is_some_and(|known| known.refused_until.is_some()));
        assert!(accounts.get_mut(&(2, "wxa001".into())).is_none());
        accounts.turn(3, Timestamp(NOW.0 + 1));
        assert!(accounts.get_mut(&refused).is_none());
    }
}
