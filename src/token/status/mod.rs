//! What there is to see of tokens.
//!
//! | file | holds |
//! | --- | --- |
//! | `glance` | an app's credentials at a glance |
//! | `state` | whether a credential is usable, and why not |
//! | `stats` | what a refresh task writes down for status and metrics; what makes a [`State`] |
//! | `metrics` | the metrics |
//! | `events` | what happened lately, for people |

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
