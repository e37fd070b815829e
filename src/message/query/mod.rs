//! The query as it came: looked through, and edited without a byte of what stays being touched.
//!
//! Nothing is decoded and encoded again: signatures and upload tickets in a query don't survive
//! that.

mod edit;
mod keys;
mod look_up;
mod parameter;

pub use self::edit::{append, rewrite, set};
pub use self::keys::keys;
pub use self::look_up::{get, get_all, secrets, take};
pub use self::parameter::{CLOUD_RUN_APP, MayHold, credentials, others};
