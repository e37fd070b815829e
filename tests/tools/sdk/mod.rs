//! Unmodified SDKs behind the proxy: what they get, and what WeChat gets to see.

mod callback;
mod events;
mod exported;
mod guide;
mod javascript;
mod node;
mod tour;
pub(crate) mod venv;
mod walk;
mod wechatpy;
