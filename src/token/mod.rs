//! The life of a credential: fetched ahead of time, replaced when WeChat rejects it, once for all.
//!
//! Each credential has one refresh task, which alone decides about it and handles one thing at a
//! time: that is what makes a refresh single-flight. Requests read the token that it publishes with
//! one atomic load, and ask the task only when there is none or WeChat rejected it. A caller that
//! hangs up leaves the task's work undisturbed.
//!
//! ```text
//!  pipeline, quota, admin ──▶ manager   which apps have tokens; starts, reloads and stops the tasks
//!      │                         │
//!      ▼                         ▼
//!   handle ──── inbox ────▶    task     the rejection, the renewal, the store
//!      ▲                       │   │
//!      └──── view ◀────────────┘   ├──▶ life    what is known, without I/O
//!                                  └──▶ fetch   calls to WeChat
//! ```
//!
//! Top to bottom; each uses only what stands below it:
//!
//! | room or file | holds |
//! | --- | --- |
//! | `manager` | the apps and their tasks; what reaches them from store and callback |
//! | `task` | the task around one credential: inbox, timer and I/O |
//! | `stored` | a look at the store's token, for `wxgate check` |
//! | `fetch` | calls to WeChat, and what their answers mean |
//! | `grant` | tickets and refresh tokens that WeChat handed over |
//! | `settings`, `credential` | what a task fetches, and by what |
//! | `handle` | what requests and the admin ask of a task, each wait bounded |
//! | `status` | what there is to see: status, metrics, events |
//! | `life` | what is known of one credential and follows from it: pure, with time as an argument |
//! | `options` | what the configuration says |
//!
//! | to find out | look into |
//! | --- | --- |
//! | what a rejection leads to | `task/rejection.rs` |
//! | how long a rejected endpoint is left alone | `life/verdicts.rs`, `HOLD` |
//! | what a replica does that loses a compare-and-set | `task/store_sync.rs`, `save` |
//! | which errcodes open an app's circuit | [`opens_circuit`]; how long it stays open: `life/backoff.rs` |
//! | what makes `/readyz` answer 503 | `Admin::ready` in `admin`; for `?all` and `?app=NAME` each [`State`] but `Ready`, see `Stats::state` in `status/stats.rs` |
//!
//! [`opens_circuit`]: crate::wechat::errcode::opens_circuit

mod credential;
mod fetch;
mod grant;
mod handle;
mod life;
mod manager;
mod options;
mod settings;
#[cfg(test)]
mod simulation;
mod status;
mod stored;
mod task;

pub use fetch::trial;
pub use grant::import_refresh_token;
pub use handle::{Handle, RefreshReport, RefreshResult, Verdict};
pub use life::{Failure, Outcome, Reason, Refresh, Rejection, Token, Unavailable};
pub use manager::{Authorized, Manager};
pub use options::{AppOptions, Options, SuiteOptions};
pub use status::{Authorizers, Event, Further, Happened, State, Status};
pub use stored::{Stored, probe_stored};
