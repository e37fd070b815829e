//! The JSON of the admin API, as types. The admin address writes them, the command line and the
//! tests read them, and `GET /api/v1/openapi.json` is made of them. No credential is among them.
//!
//! The names and meanings of fields are public: a field is added, never renamed. Each type stands
//! next to its conversion from what the modules know, so that a new field costs a line in its
//! producer, one here and one where it is shown. The doc comments are the schema's descriptions.
//!
//! Whoever reads may be of another version than the proxy: unknown fields are ignored, and nearly
//! all that are missing have a default.
//!
//! | file | holds |
//! | --- | --- |
//! | `status` | the status: the process, its configuration, what expires soon |
//! | `apps` | apps and their tokens |
//! | `store` | where tokens are kept |
//! | `upstreams` | WeChat's hosts |
//! | `wechat` | WeChat's health |
//! | `readiness` | `/readyz` |
//! | `quota` | who uses which quota |
//! | `traffic`, `figures` | curves; success and percentiles of response times |
//! | `activity`, `audit` | recent events, and what operators did |
//! | `refusals`, `explained` | what wxgate responded by itself; what would become of a request |
//! | `endpoints` | the catalogue |
//! | `actions` | the results of what is done by `POST` |
//! | `snapshot` | what the status page follows |

mod actions;
mod activity;
mod apps;
mod audit;
mod endpoints;
mod explained;
mod figures;
mod quota;
mod readiness;
mod refusals;
mod snapshot;
mod status;
mod store;
mod traffic;
mod upstreams;
mod wechat;

pub use self::actions::{
    Cleared, ErrorResponse, QuotaReset, RefreshOutcome, Refreshed, Reloaded, Remembered,
};
pub use self::activity::{Activity, CallerActivity, Event};
pub use self::apps::{
    App, AppState, Authorizers, Credential, Export, LastFailure, LastRefresh, LostAuthorization, Token,
};
pub use self::audit::{AuditEntry, AuditTrail};
pub use self::endpoints::{Endpoint, Endpoints};
pub use self::explained::{Explained, ExplainedRefusal, ExplainedRow};
pub use self::figures::{AppFigures, Figures, RangeFigures};
pub use self::quota::{
    AccountQuota, AppQuota, CallerCount, EndpointQuota, ErrorCount, Quota, RateLimit, Warning,
};
pub use self::readiness::{AppReadiness, Readiness};
pub use self::refusals::{Refusal, Refusals};
pub use self::snapshot::{CodeErrors, ErrorPlace, Snapshot};
pub use self::status::{
    Caller, Configuration, Ending, IncludedFile, NearEnd, RefusedConfiguration, Status, Work,
};
pub use self::store::{RefusedRecord, Store};
pub use self::traffic::{Range, Traffic};
pub use self::upstreams::Upstream;
pub use self::wechat::{Trouble, Wechat};
