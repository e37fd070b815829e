//! What there is to see of tokens.
//!
//! | file | holds |
//! | --- | --- |
//! | `state` | how a credential is doing |
//! | `stats` | what a refresh task writes down for status and metrics; what makes a [`State`] |
//! | `metrics` | the metrics |
//! | `events` | what happened lately, for people |

mod events;
mod metrics;
mod state;
mod stats;

pub(crate) use events::Events;
pub use events::{Event, Happened};
pub(crate) use metrics::{Sample, expose};
pub use state::{Authorizers, Further, State, Status};
pub(crate) use stats::Stats;
