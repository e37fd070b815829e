//! What WeChat answers: a table of endpoints, and what each of them does.

mod authorizers;
mod business;
mod catalogue;
mod credentials;
mod issue;
mod media;
mod oauth;
mod quotas;
mod shaped;
mod shapes;
mod suites;
mod table;

pub(super) use self::issue::{appid_of, asks_force};
pub use self::shaped::{SHAPED, Shaped};
pub(super) use self::table::{answer, body_limit, is_listed};
