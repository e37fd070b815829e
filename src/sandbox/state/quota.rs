//! Daily limits, their counters, and the budget for clearing them (FACTS 5).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::clock;

/// Counted apart up to so many paths of all apps: callers may invent paths.
const MAX_COUNTERS: usize = 10_000;

/// Default limits of a new account.
const DEFAULTS: &[(&str, u64)] = &[
    ("/cgi-bin/token", 2_000),
    ("/cgi-bin/stable_token", 500_000),
    ("/cgi-bin/menu/create", 1_000),
    ("/cgi-bin/menu/get", 10_000),
    ("/cgi-bin/menu/delete", 1_000),
    ("/cgi-bin/media/upload", 5_000),
    ("/cgi-bin/media/get", 10_000),
    ("/cgi-bin/message/custom/send", 500_000),
    ("/cgi-bin/message/template/send", 100_000),
    ("/cgi-bin/message/mass/sendall", 100),
    ("/cgi-bin/qrcode/create", 100_000),
    ("/cgi-bin/user/get", 500),
    ("/cgi-bin/user/info", 5_000_000),
    ("/cgi-bin/callback/check", 1_440),
];
const OTHER: u64 = 100_000;
const CLEARS_PER_MONTH: u32 = 10;
const CLEARS_OF_ONE_PER_MONTH: u32 = 50;

/// So many calls in so many seconds, beyond that 45011.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Calls.
    pub call_count: u64,
    /// Seconds.
    pub refresh_second: u64,
}

/// What `openapi/quota/get` tells of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sandbox) struct Standing {
    pub limit: u64,
    pub used: u64,
    pub rate: Option<Rate>,
}

#[derive(Debug, Default)]
struct Counter {
    day: i64,
    used: u64,
    window: i64,
    in_window: u64,
}

/// Which monthly budget a clearing is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::sandbox) enum Budget {
    All,
    One,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Quota {
    counters: HashMap<(String, String), Counter>,
    limits: HashMap<String, u64>,
    rates: HashMap<String, Rate>,
    cleared: HashMap<(String, Budget), (i64, u32)>,
}

impl Quota {
    pub(in crate::sandbox) fn set_limit(&mut self, path: &str, limit: u64) {
        self.limits.insert(path.to_owned(), limit);
    }

    pub(in crate::sandbox) fn set_rate(&mut self, path: &str, rate: Rate) {
        self.rates.insert(path.to_owned(), rate);
    }

    pub(in crate::sandbox) fn set_used(&mut self, appid: &str, path: &str, used: u64, now: i64) {
        let counter = self.counters.entry((appid.to_owned(), path.to_owned())).or_default();
        counter.day = clock::day(now);
        counter.used = used;
    }

    fn limit(&self, path: &str) -> u64 {
        let default = || DEFAULTS.iter().find(|(known, _)| *known == path).map_or(OTHER, |(_, limit)| *limit);
        self.limits.get(path).copied().unwrap_or_else(default)
    }

    /// Counts a call; `Err` is the code to answer instead.
    pub(in crate::sandbox) fn spend(&mut self, appid: &str, path: &str, now: i64) -> Result<(), i64> {
        let limit = self.limit(path);
        let rate = self.rates.get(path).copied();
        let key = (appid.to_owned(), path.to_owned());
        if self.counters.len() >= MAX_COUNTERS && !self.counters.contains_key(&key) {
            return Ok(());
        }
        let counter = self.counters.entry(key).or_default();
        let today = clock::day(now);
        if counter.day != today {
            counter.day = today;
            counter.used = 0;
        }
        if counter.used >= limit {
            return Err(45009);
        }
        if let Some(rate) = rate {
            let window = now.div_euclid(i64::try_from(rate.refresh_second.max(1)).unwrap_or(i64::MAX) * 1000);
            if counter.window != window {
                counter.window = window;
                counter.in_window = 0;
            }
            if counter.in_window >= rate.call_count {
                return Err(45011);
            }
            counter.in_window += 1;
        }
        counter.used += 1;
        Ok(())
    }

    pub(in crate::sandbox) fn standing(&self, appid: &str, path: &str, now: i64) -> Standing {
        let today = clock::day(now);
        let used = self
            .counters
            .get(&(appid.to_owned(), path.to_owned()))
            .filter(|counter| counter.day == today)
            .map_or(0, |counter| counter.used);
        Standing { limit: self.limit(path), used, rate: self.rates.get(path).copied() }
    }

    /// Whether the path has a limit of its own or was called before.
    pub(in crate::sandbox) fn knows(&self, path: &str) -> bool {
        self.limits.contains_key(path)
            || DEFAULTS.iter().any(|(known, _)| *known == path)
            || self.counters.keys().any(|(_, called)| called == path)
    }

    /// Sets an app's counters, or one of them, to zero; `false` when the month's budget for that is
    /// spent.
    pub(in crate::sandbox) fn clear(&mut self, appid: &str, path: Option<&str>, now: i64) -> bool {
        let (budget, most) = match path {
            None => (Budget::All, CLEARS_PER_MONTH),
            Some(_) => (Budget::One, CLEARS_OF_ONE_PER_MONTH),
        };
        let month = clock::month(now);
        let spent = self.cleared.entry((appid.to_owned(), budget)).or_default();
        if spent.0 != month {
            *spent = (month, 0);
        }
        if spent.1 >= most {
            return false;
        }
        spent.1 += 1;
        self.counters.retain(|(app, called), _| app != appid || path.is_some_and(|path| path != called));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Quota, Rate};

    // 2024-03-01T00:00 in Beijing.
    const NOW: i64 = 1_709_222_400_000;

    #[test]
    fn a_limit_ends_with_the_day_in_beijing() {
        let mut quota = Quota::default();
        quota.set_limit("/x", 1);
        assert_eq!(quota.spend("a", "/x", NOW), Ok(()));
        assert_eq!(quota.spend("a", "/x", NOW + 86_399_999), Err(45009));
        assert_eq!(quota.spend("b", "/x", NOW), Ok(()));
        assert_eq!(quota.spend("a", "/x", NOW + 86_400_000), Ok(()));
    }

    #[test]
    fn a_rate_refuses_within_its_window_without_counting() {
        let mut quota = Quota::default();
        quota.set_rate("/x", Rate { call_count: 1, refresh_second: 60 });
        assert_eq!(quota.spend("a", "/x", NOW), Ok(()));
        assert_eq!(quota.spend("a", "/x", NOW + 1), Err(45011));
        assert_eq!(quota.standing("a", "/x", NOW).used, 1);
        assert_eq!(quota.spend("a", "/x", NOW + 60_000), Ok(()));
    }

    #[test]
    fn counters_are_cleared_ten_times_a_month() {
        let mut quota = Quota::default();
        quota.set_used("a", "/x", 7, NOW);
        for _ in 0..10 {
            assert!(quota.clear("a", None, NOW));
        }
        assert_eq!(quota.standing("a", "/x", NOW).used, 0);
        assert!(!quota.clear("a", None, NOW));
        assert!(quota.clear("a", Some("/x"), NOW), "one path's budget is another");
    }
}
