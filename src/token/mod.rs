//! The life of a credential: fetched ahead of time, replaced once for all requests when WeChat
//! rejects it.
//!
//! Each credential has one refresh task. It alone decides about the credential and handles one
//! message at a time, so that a refresh is single-flight. Requests read the published token with
//! one atomic load; they ask the task only if there is none or WeChat rejected it. The task
//! completes its work even if the caller hangs up.
//!
//! ```text
//!  pipeline, quota, admin ──▶ manager   starts, reloads and stops the tasks of all apps
//!      │                         │
//!      ▼                         ▼
//!   handle ──── inbox ────▶    task     rejection, renewal, store
//!      ▲                       │   │
//!      └──── view ◀────────────┘   ├──▶ life    state and decisions, without clock and I/O
//!                                  └──▶ fetch   requests to WeChat
//! ```
//!
//! Top to bottom; each uses only what stands below it:
//!
//! | folder or file | holds |
//! | --- | --- |
//! | `manager` | the apps and their tasks; what reaches them from store and callback |
//! | `task` | the task around one credential: inbox, timer and I/O |
//! | `stored` | checks the store's token, for `wxgate check` |
//! | `fetch` | requests to WeChat, and what the responses mean |
//! | `grant` | tickets, refresh tokens and permanent codes that WeChat granted |
//! | `auth_code` | codes of companies on their way to a permanent code |
//! | `settings`, `credential` | what a task fetches, and with what |
//! | `handle` | what requests and admins ask of a task, each wait bounded |
//! | `status` | status, metrics, events |
//! | `life` | state and decisions of one credential: pure, with time as an argument |
//! | `options` | the configuration |
//!
//! | to find out | look into |
//! | --- | --- |
//! | what a rejection leads to | `task/rejection.rs` |
//! | how long a rejecting endpoint is quarantined | `life/verdicts.rs`, `QUARANTINE` |
//! | what a replica does that loses a compare-and-set | `task/store_sync.rs`, `save` |
//! | which errcodes open an app's circuit | [`opens_circuit`] |
//! | how long the circuit stays open | `life/backoff.rs`, `CIRCUIT` |
//! | what makes an app not ready (`/readyz?app=NAME`) | `status/stats.rs`, `Stats::state` |
//!
//! [`opens_circuit`]: crate::wechat::errcode::opens_circuit

mod auth_code;
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

pub use auth_code::{LostAuthorization, forget_lost_authorizations};
pub use fetch::trial;
pub use grant::{import_permanent_code, import_refresh_token};
pub use handle::{Handle, RefreshReport, RefreshResult, Verdict};
pub use life::{Failure, Outcome, Reason, Refresh, Rejection, Token, Unavailable};
pub use manager::{Authorized, Manager};
pub use options::{AppOptions, Options, SuiteKind, SuiteOptions};
pub use status::{Authorizers, Event, Further, Happened, State, Status};
pub use stored::{Stored, probe_stored};
