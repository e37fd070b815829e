//! Requests to WeChat about a credential: fetches and probes, and what the responses mean.
//!
//! Which call fetches what, and how it spells it, is in `wechat`'s tables.
//!
//! | file | holds |
//! | --- | --- |
//! | `call` | one fetch, whichever the credential |
//! | `by_token` | a request with another credential, and what follows if that is rejected |
//! | `authorization` | the exchange of a code for what an account granted |
//! | `permanent_code` | the exchange of a company's code for the permanent one |
//! | `probe` | the request that tells whether a credential is alive |
//! | `fields` | the parameters of requests |
//! | `response` | what WeChat's responses mean |

mod authorization;
mod by_token;
mod call;
mod fields;
mod permanent_code;
mod probe;
mod response;

pub(super) use authorization::query_auth;
pub(super) use call::Fetch;
pub use call::trial;
pub(super) use permanent_code::{CODE_REFUSED, CodeAnswer, get_permanent_code};
pub(super) use probe::probe;
pub(super) use response::{FetchError, Issued};
