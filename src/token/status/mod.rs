//! What there is to see of tokens.
//!
//! | file | holds |
//! | --- | --- |
//! | `state` | how a credential is doing |
//! | `journal` | what a refresh task writes down for status and metrics; what makes a [`State`] |
//! | `metrics` | the metrics |
//! | `events` | what happened lately, for people |

mod events;
mod journal;
mod metrics;
mod state;

pub(crate) use events::Events;
pub use events::{Event, Happened};
pub(crate) use journal::Journal;
pub(crate) use metrics::{Sample, expose};
pub use state::{Authorizers, Further, State, Status};
