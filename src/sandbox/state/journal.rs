//! What the fake saw: one entry a request, in the order of arrival, and the three numbers that
//! tests assert.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::sandbox::paths::covers;

/// How a request's body was delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Neither header.
    None,
    /// `Content-Length`
    Length,
    /// `Transfer-Encoding: chunked`
    Chunked,
}

/// One request as it came in. It is a fake: credentials are shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 and never starts again.
    pub seq: u64,
    /// The sandbox's clock, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Real time since the start, microseconds, monotonic.
    pub at_us: u64,
    /// The caller's address, `unix` for a unix socket.
    pub peer: String,
    /// The method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without its `?`.
    pub query: String,
    /// All headers in order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The first credential of the query, decoded.
    pub access_token: Option<String>,
    /// Whose credential it is, or whose token was asked for, if it is known.
    #[serde(default)]
    pub appid: Option<String>,
    /// WeChat has no such endpoint, or not for the account that the credential is of.
    pub unlisted: bool,
    /// The endpoint has no shape of its own here: it was answered a plain success.
    #[serde(default)]
    pub generic: bool,
    /// Bytes of the body that came.
    pub body_length: u64,
    /// SHA-256 of those bytes in hex, once the body ended or was aborted.
    pub body_sha256: Option<String>,
    /// What a signed request that verified says, decrypted and otherwise as it came.
    #[serde(default)]
    pub plaintext: Option<String>,
    /// How the body was delimited.
    pub framing: Framing,
    /// The whole body came.
    pub complete: bool,
    /// The answer's status; None while there is none.
    pub status: Option<u16>,
    /// The answer's top-level errcode; 0 where it carries none.
    pub errcode: Option<i64>,
    /// Real time from the head of the request to that of the answer, microseconds.
    #[serde(default)]
    pub took_us: Option<u64>,
}

impl Entry {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }
}

/// The numbers that tests assert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests to endpoints that issue an app's token, forced ones included.
    pub fetches: u64,
    /// Those of them that asked for `force_refresh`.
    pub forces: u64,
    /// Requests to the probe endpoint, `/cgi-bin/get_api_domain_ip`.
    pub probes: u64,
}

#[derive(Debug, Default)]
pub(in crate::sandbox) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
    total: Counts,
    by_app: HashMap<String, Counts>,
}

impl Journal {
    /// Takes a request in and numbers it; the oldest entries beyond `limit` are dropped.
    pub(in crate::sandbox) fn arrive(&mut self, mut entry: Entry, limit: usize) -> u64 {
        self.last += 1;
        entry.seq = self.last;
        self.entries.push_back(entry);
        while self.entries.len() > limit {
            self.entries.pop_front();
        }
        self.last
    }

    /// Changes an entry that may have been dropped meanwhile.
    pub(in crate::sandbox) fn amend(&mut self, seq: u64, change: impl FnOnce(&mut Entry)) {
        let first = self.entries.front().map_or(0, |entry| entry.seq);
        let index = seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            change(entry);
        }
    }

    /// Counts for everybody, and for one app if it is known.
    pub(in crate::sandbox) fn count(&mut self, appid: Option<&str>, change: impl Fn(&mut Counts)) {
        change(&mut self.total);
        if let Some(appid) = appid {
            change(self.by_app.entry(appid.to_owned()).or_default());
        }
    }

    /// Those of a path, exact or with a trailing `*`; of all paths without one.
    pub(in crate::sandbox) fn select(&self, path: Option<&str>) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| covers(path, &entry.path))
    }

    pub(in crate::sandbox) fn counts(&self) -> Counts {
        self.total
    }

    pub(in crate::sandbox) fn counts_of(&self, appid: &str) -> Counts {
        self.by_app.get(appid).copied().unwrap_or_default()
    }

    /// Forgets entries and counts; numbers go on.
    pub(in crate::sandbox) fn clear(&mut self) {
        self.entries.clear();
        self.total = Counts::default();
        self.by_app.clear();
    }
}
