//! The refresh task of one credential: inbox, timer and I/O around a [`Life`](super::life::Life).
//!
//! Top to bottom; each file calls only what stands below it:
//!
//! | file | holds |
//! | --- | --- |
//! | `run` | the loop: messages, and what is due by itself |
//! | `rejection` | what follows from a rejection: all five steps |
//! | `renewal` | one fetch: lease, look again, fetch, compare-and-set |
//! | `store_sync` | what passes between the task and the store |
//! | `refresh_task` | the task, and what each of these needs |
//! | `lease` | how long leases last, and what is known of another replica's |

mod lease;
mod refresh_task;
mod rejection;
mod renewal;
mod run;
mod store_sync;

pub(super) use lease::LEASE;
pub(super) use refresh_task::{Deps, RefreshTask};
