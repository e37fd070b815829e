//! A WeChat that can be broken on purpose: part of the product, and the upstream of its tests and
//! demo.
//!
//! It behaves as WeChat does, not as the proxy would like, and shares no code with the proxy but
//! the server: its own query parsing, its own endpoint table, its own rules. A fake must not have
//! the bug that it is there to find.
//!
//! What WeChat has no endpoint for is answered 40066 and marked in the journal, so that a misspelt
//! path shows here and not in production; [`Settings::allow_unlisted`] lets it through.
//!
//! The endpoints that people use most are answered as WeChat documents them ([`SHAPED`], each with
//! its source); any other that WeChat has is answered `{"errcode":0,"errmsg":"ok"}`, and marked in
//! the journal and by the header `X-Sandbox-Shape: generic`.
//!
//! Everything that its handle can do is also there over HTTP, under `/sandbox/`, which lists it.
//! Words:
//!
//! - a token is *rotated* when another program fetched one: the next plain fetch gives a new one,
//!   the previous is dead at once unless a grace is given;
//! - *poisoned* when WeChat still gives it out as current and takes it nowhere: only force helps;
//! - *lagging* when some nodes reject a good one for a while;
//! - a *fetch* is a request to an endpoint that issues an app's token; a *probe* is one to
//!   `get_api_domain_ip`.
//!
//! Events of platforms and suites happen by [`Sandbox::occur`], and are pushed by
//! [`Sandbox::push`].
//!
//! Time is the sandbox's own clock, moved by [`Sandbox::advance`].

mod answer;
mod call;
mod control;
mod endpoints;
mod handler;
mod page;
mod paths;
mod push;
mod signing;
mod state;
mod variants;
mod wire;

pub use self::control::handle::{MINI_PROGRAM, OFFICIAL_ACCOUNT, Options, SECRET, Sandbox};
pub use self::endpoints::{SHAPED, Shaped};
pub use self::push::Receipt;
pub use self::signing::platform::{PLATFORM_CERTIFICATES, PlatformCertificate};
pub use self::state::accounts::{App, AppKind, Authorizer};
pub use self::state::callbacks::{BadCallback, Callback};
pub use self::state::companies::Company;
pub use self::state::faults::{Action, Fault, When};
pub use self::state::journal::{Counts, Entry, Framing};
pub use self::state::platform_events::{Impossible, PlatformEvent, Told};
pub use self::state::quota::Rate;
pub use self::state::settings::{ExpiresIn, Settings};
pub use self::state::signing::{BadKey, CertificateInForce, Defect, SignedEndpoints, Signing};
pub use self::state::stale_node::Lag;
pub use self::state::token_events::Target;
pub use self::state::tokens::Kind;
pub use self::variants::{ALL as VARIANTS, Variant};
pub use self::wire::response_body::blob;
