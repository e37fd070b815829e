//! API signing and encryption (API 安全), as WeChat demands it of accounts that switched it on:
//! requests are signed with the app's key, answers with the platform's, and both are encrypted with
//! the app's AES key.
//!
//! Written from WeChat's pages `getting_started/api_signature` and `open-ability/api_security`
//! alone, so that what it is there to test can't share its mistakes.

pub(super) mod answer;
pub(super) mod cipher;
mod exchange;
pub(super) mod pem;
pub(super) mod platform;
pub(super) mod request;
pub(super) mod supported;

/// The headers of both directions.
pub(super) mod header {
    use http::HeaderName;

    pub(in crate::sandbox) const APPID: HeaderName = HeaderName::from_static("wechatmp-appid");
    pub(in crate::sandbox) const TIMESTAMP: HeaderName = HeaderName::from_static("wechatmp-timestamp");
    pub(in crate::sandbox) const SERIAL: HeaderName = HeaderName::from_static("wechatmp-serial");
    pub(in crate::sandbox) const SIGNATURE: HeaderName = HeaderName::from_static("wechatmp-signature");
    pub(in crate::sandbox) const FORMER_SERIAL: HeaderName =
        HeaderName::from_static("wechatmp-serial-deprecated");
    pub(in crate::sandbox) const FORMER_SIGNATURE: HeaderName =
        HeaderName::from_static("wechatmp-signature-deprecated");
}

/// The fields of a plaintext that aren't the endpoint's.
pub(super) mod field {
    pub(in crate::sandbox) const NONCE: &str = "_n";
    pub(in crate::sandbox) const APPID: &str = "_appid";
    pub(in crate::sandbox) const TIMESTAMP: &str = "_timestamp";
}
