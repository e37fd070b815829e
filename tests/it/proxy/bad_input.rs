//! What comes in wrong, from callers and from WeChat: each has a clear outcome, and nobody else
//! notices.

mod bodies;
mod framing;
mod limits;
mod wechat;
pub mod wire;
