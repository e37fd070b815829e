//! What WeChat saw: every POST at most once, and no budget exceeded.

use std::collections::HashMap;

use wxgate::sandbox::{Entry, Sandbox};

use crate::callers::LIMITED;

/// Young enough to be answered, or sent anew, still; microseconds.
const YOUNG: u64 = 45_000_000;
/// Older ones come no more.
const OLD: u64 = 4 * YOUNG;

/// Reads the journal as it grows.
#[derive(Default)]
pub struct Judge {
    last: u64,
    /// By the body's hash: when it came first, and how often it was carried out.
    posts: HashMap<String, (u64, u32)>,
    pub twice: Vec<String>,
    pub carried_out: usize,
    pub limited: usize,
}

impl Judge {
    /// Takes in what can't change any more; all of it at the end.
    pub fn look(&mut self, sandbox: &Sandbox, at_the_end: bool) {
        let entries = sandbox.journal_after(self.last);
        let Some(now) = entries.last().map(|entry| entry.at_us) else { return };
        for entry in &entries {
            if !at_the_end && entry.at_us + YOUNG > now {
                break;
            }
            assert!(self.last == 0 || entry.seq == self.last + 1, "the journal is too short");
            self.last = entry.seq;
            self.take(entry);
        }
        self.posts.retain(|_, (at, _)| *at + OLD > now);
    }

    fn take(&mut self, entry: &Entry) {
        let hash = match &entry.body_sha256 {
            Some(hash) if entry.method == "POST" && may_have_been_carried_out(entry) => hash,
            _ => return,
        };
        if entry.path == LIMITED {
            self.limited += 1;
        } else if !entry.path.starts_with("/cgi-bin/message/") && !entry.path.starts_with("/cgi-bin/media/") {
            return;
        }
        self.carried_out += 1;
        let (_, times) = self.posts.entry(hash.clone()).or_insert((entry.at_us, 0));
        *times += 1;
        if *times > 1 {
            self.twice.push(format!("{entry:?}"));
        }
    }
}

/// A rejected token is a promise that nothing was done; without the whole body nothing could be.
fn may_have_been_carried_out(entry: &Entry) -> bool {
    entry.complete && !matches!(entry.errcode, Some(40001 | 40014 | 42001))
}
