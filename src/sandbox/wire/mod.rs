//! Requests and answers as bytes.

pub(super) mod reply;
pub(super) mod request_body;
pub(super) mod response_body;
