//! wxgate holds the credentials of WeChat accounts, so that no other service has to: a service sends the plain request,
//! wxgate adds the current token, notices in the body when WeChat rejects it, gets one new token for everybody and sends
//! the same bytes again.
//!
//! ```text
//!  caller ──HTTP──▶ server ──▶ pipeline ─────────────────────────▶ upstream ──HTTPS──▶ WeChat
//!                               1 route       who calls, which app, endpoint, credential class
//!                               2 access      may this caller do this, and how often
//!                               3 credential  the token into the query, the caller's own out
//!                               4 forward     headers, Content-Length, replay buffer
//!                               5 inspect     the top-level errcode of a small JSON answer
//!                               6 replay      token rejected? another one, the same bytes again
//!                               7 report      one access line, the metrics
//!                                    │ reads a token: one atomic load     ▲
//!                                    ▼                                    │
//!                               token: one keeper per app ── fetches by upstream::control, over store
//! ```
//!
//! Layers, top to bottom; a file uses only those below its own (`tests/layers.rs`):
//!
//! - [`app`], the composition root, knows all parts; [`demo`], the tour, and the command line stand above it.
//! - [`config`] reads the file and builds the options that each module owns. Nobody imports it from below.
//! - [`sandbox`] is the fake WeChat; [`admin`] the status page, API and metrics; [`callback`] takes what WeChat pushes to
//!   third-party platforms; [`pipeline`] the seven steps, a file each. They answer requests for [`server`], whose
//!   [`server::Handler`] and message types are all they know of it.
//! - [`alert`] tells people what they must know of.
//! - [`export`] writes tokens for services that can't come through the proxy.
//! - [`quota`] counts who spends what and keeps callers to their limits; it and [`token`] don't know each other.
//! - [`token`] decides about an app's token in one task each, over [`store`] and [`upstream::control`].
//! - [`upstream`] has the way to WeChat: hosts, proxy, each worker's connections; [`wechat`] and [`message`] are vocabulary without I/O;
//!   [`secret`] and [`observe`] know nothing of the rest.
//!
//! A worker is a thread with a runtime, connections and an upstream pool of its own: on a request's way there is no lock,
//! no wake-up of another thread and no counter that other workers write to, but for the limits that are configured.
//! Everything else runs on one control-plane thread.
//!
//! Start reading at `pipeline/mod.rs` (`Pipeline::run`), then `token/ladder.rs`.

pub mod admin;
pub mod alert;
pub mod app;
pub mod callback;
pub mod config;
pub mod demo;
pub mod export;
pub mod message;
pub mod observe;
pub mod pipeline;
pub mod quota;
pub mod sandbox;
pub mod secret;
pub mod server;
pub mod store;
pub mod token;
pub mod upstream;
pub mod wechat;
