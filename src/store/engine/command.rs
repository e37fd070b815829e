//! The operations of an engine, and their results.

use std::borrow::Cow;
use std::time::Duration;

use crate::store::StoreError;

/// Identifies an addition, so that one whose response was lost can be repeated without counting
/// twice.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Who adds; its batches come one after the other.
    pub writer: &'a str,
    /// Higher than that of its batch before.
    pub number: u64,
}

impl Batch<'_> {
    /// Under which name among the counters the writer's last batch is remembered.
    pub(super) fn mark(&self) -> String {
        format!("{MARK}{}", self.writer)
    }
}

/// Begins the names of fields among the counters that are not counters.
pub(super) const MARK: char = '#';
/// Follows the mark in the names of fields that count resets within the day.
const RESET: &str = "#reset ";
/// No day has more of anything; beyond it Redis' scripts can't count by ones.
const LARGEST_TOTAL: u64 = 1 << 53;
/// More resets than a day can have; a larger count is not an operator's, and leaves no room for the
/// next one.
const MOST_RESETS: u64 = 999_999;

/// The value of a counter; none if the stored value is impossible, which is left unchanged.
pub type Total = Option<u64>;

/// What a counter grows by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addition<'a> {
    /// The counter.
    pub name: &'a str,
    /// By so much.
    pub by: u64,
    /// What it came to before, as far as is known: a store that has less lost it, and goes on from
    /// here.
    pub known: u64,
}

/// What is under a key.
pub(super) type Found = Result<Option<Vec<u8>>, StoreError>;

/// A compare-and-swap of one entry.
#[derive(Clone, Copy)]
pub(in crate::store) struct Swap<'a> {
    pub key: &'a str,
    /// What must be there; `None`: nothing.
    pub expected: Option<&'a [u8]>,
    /// What takes its place; `None` removes it.
    pub value: Option<&'a [u8]>,
    /// When the engine forgets it, by its own clock; `None`: never.
    pub lasts: Option<Duration>,
    /// Whether the users of the store are told.
    pub announced: bool,
}

/// A request for part of a counter that has a limit.
#[derive(Clone, Copy)]
pub(in crate::store) struct Claim<'a> {
    /// The counter.
    pub name: &'a str,
    pub want: u64,
    /// What the counter must not exceed.
    pub limit: u64,
    /// What was granted of it as far as is known, see [`Reserved::total`]: a store that has less
    /// lost it, and goes on from here.
    pub known: u64,
    /// How often it was reset within the day, as far as is known: `known` counts since then.
    pub resets: u64,
    /// When the counters of this key are forgotten, from now on.
    pub lasts: Duration,
}

/// Under which name among the counters is remembered how much of a budget was given back. What was
/// granted and what was given back only grow, so that a store that lost some of it can be told from
/// one that was given something back.
pub(super) fn returned_of(name: &str) -> String {
    format!("{MARK}returned {name}")
}

/// Under which name among the counters is remembered the highest [`Reserved::total`] of a budget.
/// Version 0.1.0 gives back without a word in [`returned_of`]: where the store remembers all that
/// is known, nothing is lost.
pub(super) fn highest_of(name: &str) -> String {
    format!("{MARK}highest {name}")
}

/// The field that counts the resets of `name`.
pub(in crate::store) fn resets_of(name: &str) -> String {
    format!("{RESET}{name}")
}

/// What was reset, if `name` is such a field.
pub(in crate::store) fn reset_of(name: &str) -> Option<&str> {
    name.strip_prefix(RESET)
}

/// The value of the counter of this name, if it is possible.
pub(super) fn total_of(name: &str, count: u64) -> Total {
    let most = if reset_of(name).is_some() { MOST_RESETS } else { LARGEST_TOTAL };
    (count <= most).then_some(count)
}

/// The name under which something is counted after so many resets.
pub fn name_since(name: &str, resets: u64) -> Cow<'_, str> {
    if resets == 0 { name.into() } else { format!("{name} {MARK}{resets}").into() }
}

/// The name, and how often it was reset.
pub fn without_resets(name: &str) -> (&str, u64) {
    let parts = name.rsplit_once(' ').and_then(|(name, end)| Some((name, end.strip_prefix(MARK)?)));
    let resets = parts.and_then(|(name, resets)| Some((name, resets.parse().ok()?)));
    resets.unwrap_or((name, 0))
}

/// An entry as the engine holds it.
pub(in crate::store) struct Entry {
    pub key: String,
    /// Or why it can't be read.
    pub value: Result<Vec<u8>, StoreError>,
    /// How long until it is forgotten; `None`: never.
    pub lasts: Option<Duration>,
}

/// What was granted of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// As much of what was wanted as there was.
    pub granted: u64,
    /// What has not been reserved yet.
    pub left: u64,
    /// What was ever granted of it, whether it was given back or not.
    pub total: u64,
    /// What is granted of it now; more than the limit where that was lowered, or where somebody
    /// else wrote it. None if what is there can't be.
    pub used: Total,
    /// How often it was reset within the day: all of this counts since then.
    pub resets: u64,
}
