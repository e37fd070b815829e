//! What is configured of a limit, and how it is called.

use std::sync::Arc;

use http::Method;

use super::Rate;
use crate::texts::{Words, text};
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

    /// `caller orders: 50 requests a second to /cgi-bin/message/** (rate in [[caller]])`
    pub fn rate_text(&self) -> Words {
        let rate = self.rate;
        self.text("rate", || rate.map(|rate| rate.to_string()).unwrap_or_default())
    }

    /// `caller orders: 1000 requests a day to /cgi-bin/message/** (daily in [[caller]])`
    pub fn daily_text(&self) -> Words {
        let (daily, reserved) = (self.daily.unwrap_or_default(), self.reserved());
        self.text("daily", || match reserved {
            0 => text!("{daily} requests a day", daily).to_string(),
            _ => text!("{daily} requests a day ({reserved} reserved for some)", daily, reserved).to_string(),
        })
    }

    fn text(&self, key: &str, amount: impl Fn() -> String) -> Words {
        let table = self.table;
        Words::of(|| {
            let who = match self.caller.as_deref() {
                None => text!("all callers together").to_string(),
                Some(Self::ANONYMOUS) => text!("callers without a key").to_string(),
                Some(name) => text!("caller {name}", name).to_string(),
            };
            let amount = amount();
            match (&self.endpoint, &self.app) {
                (None, None) => {
                    text!("{who}: {amount} ({key} in {table})", who, amount, key, table).to_string()
                }
                (Some(endpoint), None) => {
                    let text = text!(
                        "{who}: {amount} to {endpoint} ({key} in {table})",
                        who,
                        amount,
                        endpoint,
                        key,
                        table
                    );
                    text.to_string()
                }
                (None, Some(app)) => {
                    let text = text!(
                        "{who}: {amount} for app {app} ({key} in {table})",
                        who,
                        amount,
                        app,
                        key,
                        table
                    );
                    text.to_string()
                }
                (Some(endpoint), Some(app)) => text!(
                    "{who}: {amount} to {endpoint} for app {app} ({key} in {table})",
                    who,
                    amount,
                    endpoint,
                    app,
                    key,
                    table
                )
                .to_string(),
            }
        })
    }
}
