//! Nodes that still reject a good token.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sandbox::paths::{PROBE, covers};

/// Some of WeChat's nodes reject good tokens for a while (FACTS 2.2). It ends by time or count,
/// whichever is first; with neither it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lag {
    /// The app; None: all.
    pub appid: Option<String>,
    /// How long, in milliseconds of the sandbox's clock.
    pub milliseconds: Option<i64>,
    /// How many rejections.
    pub requests: Option<u64>,
    /// The probe endpoint lags as well.
    pub probe: bool,
    /// Only these paths lag; a trailing `*` makes it a prefix.
    pub path: Option<String>,
    /// Of so many nodes one lags: every n-th request is rejected.
    pub one_in: Option<u64>,
    /// Every token lags for `milliseconds` from its issue, instead of all from now on.
    pub newly_issued: bool,
}

#[derive(Debug)]
struct ActiveLag {
    lag: Lag,
    since: i64,
    seen: u64,
    rejected: u64,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Lags {
    active: Vec<ActiveLag>,
}

impl Lags {
    pub(in crate::sandbox) fn add(&mut self, lag: Lag, now: i64) {
        self.active.push(ActiveLag { lag, since: now, seen: 0, rejected: 0 });
    }

    pub(in crate::sandbox) fn clear(&mut self) {
        self.active.clear();
    }

    /// Each lag with how often it rejected, and whether it still may.
    pub(in crate::sandbox) fn list(&self, now: i64) -> Vec<Value> {
        let described = |active: &ActiveLag| {
            let lag = &active.lag;
            let is_over = lag.requests.is_some_and(|requests| active.rejected >= requests)
                || (!lag.newly_issued && lag.milliseconds.is_some_and(|for_ms| now >= active.since + for_ms));
            json!({ "lag": lag, "rejected": active.rejected, "over": is_over })
        };
        self.active.iter().map(described).collect()
    }

    /// Whether the node that got this request doesn't know the good token yet.
    pub(in crate::sandbox) fn reject(&mut self, appid: &str, path: &str, issued_at: i64, now: i64) -> bool {
        self.active.iter_mut().any(|active| {
            let lag = &active.lag;
            let since = if lag.newly_issued { issued_at } else { active.since };
            let concerned = lag.appid.as_deref().is_none_or(|concerned| concerned == appid)
                && covers(lag.path.as_deref(), path)
                && (lag.probe || path != PROBE)
                && lag.milliseconds.is_none_or(|for_ms| now < since + for_ms)
                && lag.requests.is_none_or(|requests| active.rejected < requests);
            if !concerned {
                return false;
            }
            active.seen += 1;
            let rejects = active.seen % lag.one_in.unwrap_or(1).max(1) == 0;
            active.rejected += u64::from(rejects);
            rejects
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Lag, Lags, PROBE};

    #[test]
    fn the_probe_endpoint_is_spared_unless_named() {
        let mut lags = Lags::default();
        lags.add(Lag { requests: Some(1), ..Lag::default() }, 0);
        assert!(!lags.reject("a", PROBE, 0, 0));
        assert!(lags.reject("a", "/cgi-bin/user/info", 0, 0));
        assert!(!lags.reject("a", "/cgi-bin/user/info", 0, 0));
    }

    #[test]
    fn a_newly_issued_token_lags_from_its_issue() {
        let mut lags = Lags::default();
        lags.add(Lag { milliseconds: Some(100), newly_issued: true, ..Lag::default() }, 0);
        assert!(lags.reject("a", "/x", 5_000, 5_099));
        assert!(!lags.reject("a", "/x", 5_000, 5_100));
    }

    #[test]
    fn one_node_in_two_rejects_every_second_request() {
        let mut lags = Lags::default();
        lags.add(Lag { one_in: Some(2), ..Lag::default() }, 0);
        let rejected: Vec<bool> = (0..4).map(|_| lags.reject("a", "/x", 0, 0)).collect();
        assert_eq!(rejected, [false, true, false, true]);
    }
}
