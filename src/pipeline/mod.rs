//! A request's way through the proxy: plan, permit, act, report. Begin with
//! `Worker::run` in `run.rs`.
//!
//! | file | holds |
//! | --- | --- |
//! | `run` | a worker's pipeline: the four steps, one after the other |
//! | `plan/` | caller, account, endpoint, credential, and what is to be done |
//! | `permit` | rates, day budgets and WeChat's own limits; budgets are spent after the body |
//! | `act/` | the exchange with WeChat, or the response that wxgate makes itself |
//! | `report/` | access line, metrics, trace; which trouble of WeChat's a request met |
//! | `error`, `code` | how each failure looks to a caller; wxgate's words and numbers for it |
//! | `explain` | the plan of a request that isn't sent |
//! | `directory`, `caller_limits` | apps and callers of the configuration, for look-up |
//! | `inflight` | how many requests may be in flight at once |
//! | `lanes` | the memory that a request is answered in |
//! | `most_memory` | what a request takes at most |
//! | `gate`, `snapshot` | what workers share, and a worker's hold on the configuration in force |
//! | `authorizers`, `user_tokens` | accounts of platforms, and users' tokens, that were seen |

mod act;
mod authorizers;
mod caller_limits;
mod code;
mod directory;
mod error;
pub mod explain;
mod gate;
mod inflight;
mod lanes;
mod most_memory;
mod options;
mod permit;
mod plan;
mod report;
mod run;
mod snapshot;
mod user_tokens;

pub use self::code::refusals;
pub use self::gate::{Gate, PlatformCertificate, Work};
pub use self::most_memory::{
    MOST_GRANTS_MEMORY, most_memory_of_request, most_memory_of_waiting, most_waiting,
};
pub use self::options::{
    AppOptions, CallerOptions, ErrorStatus, Options, OwnCredential, ReplayOptions, SignedEndpoints,
    SigningOptions,
};
pub use self::report::{CallerRequests, Percentiles, Refusal};
pub use self::run::Pipeline;
