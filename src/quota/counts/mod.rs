//! What went through wxgate.
//!
//! | file | holds |
//! | --- | --- |
//! | `tally` | what a worker counts |
//! | `ledger` | today's counters |
//! | `history` | the last day by minute, the last month by hour |

pub(super) mod history;
pub(super) mod ledger;
pub(super) mod tally;
