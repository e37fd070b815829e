//! Calls to WeChat about a credential: fetches and probes, and what their answers mean.
//!
//! Which call fetches what, and how it spells it, is in `wechat`'s tables.
//!
//! | file | holds |
//! | --- | --- |
//! | `call` | one fetch, whichever the credential |
//! | `by_token` | a call that carries another credential, and what follows if WeChat rejects that |
//! | `authorization` | the exchange of a code for what an account granted |
//! | `probe` | the call that tells a live credential from a dead one |
//! | `fields` | what calls say |
//! | `answer` | what WeChat answers |

mod answer;
mod authorization;
mod by_token;
mod call;
mod fields;
mod probe;

pub(super) use answer::{FetchError, Issued};
pub(super) use authorization::query_auth;
pub(super) use call::Fetch;
pub use call::trial;
pub(super) use probe::probe;
