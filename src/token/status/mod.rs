//! Status, metrics and events of tokens.
//!
//! | file | holds |
//! | --- | --- |
//! | `glance` | an app's credentials at a glance |
//! | `state` | whether a credential is usable, and why not |
//! | `stats` | a refresh task's figures for status and metrics; how a [`State`] follows from them |
//! | `metrics` | the metrics |
//! | `events` | recent events, for people |

mod events;
mod glance;
mod metrics;
mod state;
mod stats;

pub(crate) use events::Events;
pub use events::{Event, Happened};
pub use glance::{Authorizers, Further, Status};
pub(crate) use metrics::{Sample, expose};
pub use state::State;
pub(crate) use stats::Stats;
