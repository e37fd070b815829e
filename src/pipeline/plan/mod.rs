//! Everything about a request that can be decided without asking WeChat: who calls, for which
//! account, which endpoint, which credential, and what is to be done. Nothing here does I/O, so a
//! refusal is a row of a table test (`tests`).
//!
//! | file | decides |
//! | --- | --- |
//! | `decide` | the order of all decisions, and the [`Plan`] |
//! | `target` | WeChat's path and query, and the endpoint in the catalogue |
//! | `foreign` | what isn't WeChat's, before it matters who asks |
//! | `caller`, `placeholder` | who calls |
//! | `stray` | whether a placeholder stands where it names nothing |
//! | `hints`, `account` | which app or authorised account |
//! | `access` | whether the caller may do this |
//! | `web_page` | whether a browser sent it where no key is needed |
//! | `credential` | which token or secret goes into the request |
//! | `auth_info` | which company's permanent code goes into the request |
//! | `signing` | whether it is signed on its way |
//! | `token_call`, `ticket`, `lease` | what wxgate responds to by itself |

mod access;
mod account;
mod auth_info;
mod caller;
mod credential;
mod decide;
mod facts;
mod foreign;
mod hints;
mod lease;
mod placeholder;
mod signing;
mod stray;
mod target;
#[cfg(test)]
mod tests;
mod ticket;
mod token_call;
mod unlisted;
mod web_page;

pub(crate) use account::{Account, Authorizer, is_appid, may_be_for};
pub(crate) use auth_info::AuthInfo;
pub(crate) use credential::{CredentialPlan, KeptToken};
pub(crate) use decide::{BodyFields, Draft, Opening, Plan, Then};
pub(crate) use facts::{Facts, Identity};
pub(crate) use foreign::Greeting;
pub use hints::NamedBy;
pub(crate) use hints::{APP_HEADER, AppHints};
pub(crate) use lease::{Lease, PATH as LEASE_PATH};
pub(crate) use placeholder::Placeholder;
pub(crate) use target::{Head, RequestTarget, split_prefix};
pub(crate) use ticket::{KeptTicket, TicketUse};
pub(crate) use token_call::Asked;
