//! wxgate holds the credentials of WeChat accounts, so that no other service has to: a service
//! sends the plain request, wxgate adds the current token, notices in the body when WeChat rejects
//! it, gets one new token for everybody and sends the same bytes again.
//!
//! ```text
//!  caller ──HTTP──▶ server ──▶ pipeline: plan ──▶ permit ──▶ act ──▶ report
//!                    hyper               │ who calls, for which account, which endpoint,
//!                                        │ which credential, and what is to be done
//!                                        ▼
//!                            `explain` prints the same plan
//!
//!  act:  Forward ──▶ loop { send; inspect; replay? } ──▶ upstream ──HTTPS──▶ WeChat
//!                                                         http1, a codec of our own
//!        Greeting, Placeholder, Authorization, Lease, Ticket: answered here
//!           │ reads a token: one atomic load
//!           ▼
//!  token: one task per credential, over a pure Life ──▶ upstream::control, store
//! ```
//!
//! Layers, top to bottom. A module uses only those below its own, and no file reaches itself by its
//! imports (`tests/it/layers.rs`):
//!
//! - the command line and [`demo`], the tour; [`app`], the composition root, which knows all below;
//! - [`config`] reads the file and builds the options that each module owns;
//! - [`sandbox`] is the fake WeChat, which shares no code with what it is there to test;
//! - [`admin`] is the status page, API and metrics; [`callback`] takes WeChat's pushes;
//!   [`pipeline`] takes callers' requests. They are [`server::Handler`]s;
//! - [`api`] is the JSON of the admin API as types: `admin` writes them, the command line reads
//!   them, and each is made of what the modules below know;
//! - [`alert`] tells people, [`export`] writes tokens for services that can't come through the
//!   proxy;
//! - [`quota`] counts and limits, [`token`] keeps credentials alive; neither knows the other;
//! - [`trouble`] knows when WeChat is ill, out of what the pipeline counted;
//! - [`store`] is memory, files or Redis; [`server`] the callers' side, [`upstream`] WeChat's;
//! - [`wechat`] and [`message`] are vocabulary without I/O: kinds, catalogue, errcodes; headers,
//!   paths, queries, forms. [`secret`] and [`observe`] know nothing of the rest but [`texts`], in
//!   which every sentence for people has its Chinese.
//!
//! A worker is a thread with a runtime, connections and an upstream pool of its own: on a request's
//! way there is no lock, no wake-up of another thread and no counter that other workers write to,
//! but for the limits that are configured; of the places for requests at work a worker takes a
//! batch now and then. Everything else runs on one control-plane thread.
//!
//! Start reading at `pipeline/run.rs` (`Worker::run`), then `token/task/rejection.rs`.

pub mod admin;
pub mod alert;
pub mod api;
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
pub mod texts;
pub mod token;
pub mod trouble;
pub mod upstream;
pub mod wechat;
