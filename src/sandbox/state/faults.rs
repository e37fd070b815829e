//! Faults by order: which requests they hit, and what they add up to for one of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::signing::Defect;
use crate::sandbox::paths::{covers, issues_app_token};

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The path that it hits; a trailing `*` makes it a prefix. None: every path.
    #[serde(default)]
    pub path: Option<String>,
    /// How many requests it hits; None: without an end.
    #[serde(default)]
    pub times: Option<u64>,
    /// How many matching requests go free first.
    #[serde(default)]
    pub after: u64,
    /// What happens to them.
    #[serde(flatten)]
    pub action: Action,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Action {
    /// The head is held back for so long. The decision falls before: a caller that gives up may
    /// have rotated a token.
    Latency {
        /// Milliseconds of real time.
        milliseconds: u64,
    },
    /// The same, on token endpoints alone.
    TokenLatency {
        /// Milliseconds of real time.
        milliseconds: u64,
    },
    /// The head is sent, then so many bytes after each pause.
    SlowBody {
        /// Bytes a step.
        bytes: usize,
        /// Milliseconds before each step.
        milliseconds: u64,
    },
    /// The connection ends after so many bytes of the body, which is short of the announced length.
    Cut {
        /// Bytes that are still sent.
        bytes: u64,
    },
    /// The connection ends without a byte of an answer.
    Reset {
        /// Before or after the request's body was read.
        #[serde(default)]
        when: When,
    },
    /// Status 200 and no body.
    Empty,
    /// A gateway's HTML page.
    Html {
        /// The status it comes with.
        status: u16,
    },
    /// A bare status without a body.
    Status {
        /// The status.
        status: u16,
    },
    /// An error of WeChat's, whatever was sent.
    Errcode {
        /// The code.
        errcode: i64,
        /// Its text; None: WeChat's own.
        #[serde(default)]
        errmsg: Option<String>,
    },
    /// The request is taken and never answered.
    Silence,
    /// 40001, whatever the token.
    AlwaysReject,
    /// Answers are compressed where the request takes gzip.
    Gzip,
    /// Answers have no announced length.
    Chunked,
    /// An error before the request's body was read.
    EarlyAnswer {
        /// The code.
        errcode: i64,
    },
    /// `Connection: close`
    Close,
    /// The answer to a signed request isn't what it must be; other requests go free.
    SignedAnswer {
        /// What is wrong with it.
        defect: Defect,
    },
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// As soon as the head is there; the kernel sends RST if it holds unread bytes of the body.
    BeforeBody,
    /// When the request was read and carried out.
    #[default]
    AfterBody,
}

impl Fault {
    /// A fault that hits every request.
    pub fn new(action: Action) -> Self {
        Self { path: None, times: None, after: 0, action }
    }

    /// Hits this path alone; a trailing `*` makes it a prefix.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Hits so many requests.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets so many matching requests go free first.
    #[must_use]
    pub fn after(mut self, after: u64) -> Self {
        self.after = after;
        self
    }
}

/// What all faults together mean for one request.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Plan {
    pub latency: Duration,
    pub slow: Option<(usize, Duration)>,
    pub cut: Option<u64>,
    pub reset: Option<When>,
    pub early: Option<i64>,
    pub silence: bool,
    pub gzip: bool,
    pub chunked: bool,
    pub close: bool,
    pub defect: Option<Defect>,
    /// The first that stands in for the endpoint's own answer.
    pub instead: Option<Action>,
}

#[derive(Debug)]
struct ActiveFault {
    id: u64,
    fault: Fault,
    seen: u64,
}

/// The faults in force, in the order they were set.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Faults {
    active: Vec<ActiveFault>,
    last_id: u64,
}

impl Faults {
    pub(in crate::sandbox) fn add(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        self.active.push(ActiveFault { id: self.last_id, fault, seen: 0 });
        self.last_id
    }

    pub(in crate::sandbox) fn remove(&mut self, id: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    pub(in crate::sandbox) fn clear(&mut self) {
        self.active.clear();
    }

    pub(in crate::sandbox) fn list(&self) -> impl Iterator<Item = (u64, u64, &Fault)> {
        self.active.iter().map(|active| (active.id, active.seen, &active.fault))
    }

    /// Counts the request against every fault that matches it and adds up what they do.
    pub(in crate::sandbox) fn plan(&mut self, path: &str) -> Plan {
        let mut plan = Plan::default();
        for active in &mut self.active {
            let fault = &active.fault;
            let token_only = matches!(fault.action, Action::TokenLatency { .. });
            if !covers(fault.path.as_deref(), path) || (token_only && !issues_app_token(path)) {
                continue;
            }
            active.seen += 1;
            let turn = active.seen.saturating_sub(fault.after);
            if turn == 0 || fault.times.is_some_and(|times| turn > times) {
                continue;
            }
            plan.include(&fault.action);
        }
        plan
    }
}

impl Plan {
    fn include(&mut self, action: &Action) {
        match action {
            Action::Latency { milliseconds } | Action::TokenLatency { milliseconds } => {
                self.latency += Duration::from_millis(*milliseconds);
            }
            Action::SlowBody { bytes, milliseconds } => {
                self.slow = Some(((*bytes).max(1), Duration::from_millis(*milliseconds)));
            }
            Action::Cut { bytes } => self.cut = Some(*bytes),
            Action::Reset { when } => self.reset = Some(*when),
            Action::Silence => self.silence = true,
            Action::Gzip => self.gzip = true,
            Action::Chunked => self.chunked = true,
            Action::Close => self.close = true,
            Action::SignedAnswer { defect } => {
                self.defect.get_or_insert(*defect);
            }
            Action::EarlyAnswer { errcode } => self.early = Some(*errcode),
            Action::Empty
            | Action::Html { .. }
            | Action::Status { .. }
            | Action::Errcode { .. }
            | Action::AlwaysReject => {
                self.instead.get_or_insert_with(|| action.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Fault, Faults};

    #[test]
    fn a_fault_hits_so_many_requests_after_so_many_went_free() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Action::Silence).path("/cgi-bin/*").after(1).times(2));
        let hit: Vec<bool> = (0..5).map(|_| faults.plan("/cgi-bin/user/info").silence).collect();
        assert_eq!(hit, [false, true, true, false, false]);
        assert!(!faults.plan("/wxa/getwxacode").silence);
    }

    #[test]
    fn token_latency_spares_business_endpoints() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Action::TokenLatency { milliseconds: 5 }));
        assert!(faults.plan("/cgi-bin/user/info").latency.is_zero());
        assert!(!faults.plan("/cgi-bin/stable_token").latency.is_zero());
    }
}
