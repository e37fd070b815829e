//! What requests take of memory at most, besides `replay.memory` and the connections.

use super::act::{LONGEST_ERROR, SMALL, grants};
use super::gate::MOST_GRANTS;
use super::inflight::WAITING;
use crate::message::form;

/// What is known and noted of a request: its head parsed, its report, its future.
const NOTES: u64 = 24 * 1024;

/// Of each request in flight: what was read ahead of its body or a body that isn't long, what of
/// the response is looked at, in two forms, and what is known of it.
pub fn most_memory_of_request() -> u64 {
    SMALL.max(form::READ_AHEAD as u64) + 2 * LONGEST_ERROR as u64 + NOTES
}

/// Requests that are in line for their turn, or are about to leave it, where so many may be in
/// flight.
pub fn most_waiting(at_work: u64) -> u64 {
    2 * at_work.min(WAITING)
}

/// Of each of them: what was read ahead of its body, and what is known of it.
pub fn most_memory_of_waiting() -> u64 {
    form::READ_AHEAD as u64 + NOTES
}

/// Of all responses together that may hold refresh tokens: each as it came, decoded, and cleaned,
/// while what grows by doubling may be twice as long.
pub const MOST_GRANTS_MEMORY: u64 = MOST_GRANTS * 5 * grants::LONGEST as u64;
