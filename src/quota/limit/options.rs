//! What is configured of a limit, and how it is called.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Method;

use super::Rate;
use crate::wechat::pattern::Pattern;

/// A limit: whom and what it concerns, and how much that is. Everything that it concerns counts
/// together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitOptions {
    /// An app's name; none: all.
    pub app: Option<Arc<str>>,
    /// A caller's name, `anonymous` for those without a key; none: all.
    pub caller: Option<Arc<str>>,
    /// None: all.
    pub endpoint: Option<Pattern>,
    /// Each replica's own.
    pub rate: Option<Rate>,
    /// Requests of a Beijing day, of all replicas.
    pub daily: Option<u64>,
    /// What becomes of a request that is over it.
    pub mode: Mode,
    /// Parts of `daily` that are one caller's alone; no more than `daily` together.
    pub reserve: Vec<(Arc<str>, u64)>,
    /// Where it is configured: the name of a table.
    pub table: &'static str,
}

/// What becomes of a request that is over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is let through, and counted.
    Observe,
}

impl LimitOptions {
    /// The name of a caller without a key.
    pub const ANONYMOUS: &str = "anonymous";

    /// Whether it concerns this caller; none is one without a key.
    pub fn concerns_caller(&self, caller: Option<&str>) -> bool {
        self.caller.as_deref().is_none_or(|only| only == caller.unwrap_or(Self::ANONYMOUS))
    }

    /// Whether it concerns this endpoint, whose `path` is in lower case without trailing slash.
    pub fn concerns_endpoint(&self, method: &Method, path: &str) -> bool {
        self.endpoint.as_ref().is_none_or(|pattern| pattern.matches(method, path))
    }

    /// What it concerns, as a name in the store: two limits of one scope would count together.
    pub fn scope(&self) -> String {
        let endpoint = self.endpoint.as_ref().map(ToString::to_string);
        let parts = [
            ("app", self.app.as_deref()),
            ("caller", self.caller.as_deref()),
            ("endpoint", endpoint.as_deref()),
        ];
        let named: Vec<_> =
            parts.iter().filter_map(|(key, value)| Some(format!("{key}={}", (*value)?))).collect();
        if named.is_empty() { "all".to_owned() } else { named.join(" ") }
    }

    /// What of `daily` isn't reserved.
    pub(super) fn shared(&self) -> Option<u64> {
        self.daily.map(|daily| daily.saturating_sub(self.reserved()))
    }

    fn reserved(&self) -> u64 {
        self.reserve.iter().map(|(_, part)| part).sum()
    }

    /// `caller orders may send 50 requests a second to /cgi-bin/message/** (rate in [[caller]])`
    pub fn rate_text(&self) -> String {
        let text = self.text(&self.rate.map(|rate| rate.to_string()).unwrap_or_default());
        format!("{text} (rate in {})", self.table)
    }

    /// `caller orders may send 1000 requests a day to /cgi-bin/message/** (daily in [[caller]])`
    pub fn daily_text(&self) -> String {
        let mut text = self.text(&format!("{} requests a day", self.daily.unwrap_or_default()));
        if !self.reserve.is_empty() {
            let _ = write!(text, ", of which {} are reserved for some of them", self.reserved());
        }
        let _ = write!(text, " (daily in {})", self.table);
        text
    }

    fn text(&self, amount: &str) -> String {
        let mut text = match self.caller.as_deref() {
            None => "all callers together".to_owned(),
            Some(Self::ANONYMOUS) => "callers without a key".to_owned(),
            Some(name) => format!("caller {name}"),
        };
        let _ = write!(text, " may send {amount}");
        if let Some(endpoint) = &self.endpoint {
            let _ = write!(text, " to {endpoint}");
        }
        if let Some(app) = &self.app {
            let _ = write!(text, " for app {app}");
        }
        text
    }
}
