//! The most memory that callers' connections can take.

use super::Options;

/// hyper has no smaller buffers.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// What a connection takes besides its buffers: the task, what watches it, its timers, the header
/// fields of the head that was read (100 at most).
const BESIDES: u64 = 24 * 1024;

/// The largest piece of a response that is copied into a connection's write buffer at once.
pub(super) const PIECE: usize = 16 * 1024;

/// What TLS takes more of each connection that speaks it: of rustls' buffers 64 KiB for what comes,
/// as much for what goes, 16 KiB for what was deciphered, and the session.
pub const TLS_MEMORY: u64 = 160 * 1024;

/// Bytes up to which hyper reads without having a whole head, and up to which it takes more of a
/// response while the caller reads none. Room for a whole head, and no more.
pub(super) fn buffer(max_head: usize) -> usize {
    max_head.max(SMALLEST_BUFFER)
}

/// The most memory that the connections of callers take, but for TLS ([`TLS_MEMORY`]) and the
/// bodies of requests in flight: both buffers of each at their longest. They grow by doubling while
/// they are too short, so that each has less than twice its bound, and keep what they have until
/// the connection parks: all of them may have been idle for less than that.
pub fn most_memory(options: &Options) -> u64 {
    let buffer = buffer(options.max_head) as u64;
    let of_one = 2 * buffer + 2 * (buffer + PIECE as u64) + BESIDES;
    of_one.saturating_mul(options.max_connections as u64)
}

/// What a request holds of its connection's buffer at most while it keeps a piece of its body as it
/// came: the connection then takes another one.
pub fn most_held(options: &Options) -> u64 {
    2 * buffer(options.max_head) as u64
}
