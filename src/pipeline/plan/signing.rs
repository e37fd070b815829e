//! Whether a request is signed and encrypted on its way (API 安全).

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method};

use super::account::Account;
use super::target::RequestTarget;
use crate::pipeline::options::SigningOptions;
use crate::wechat::{Family, signing};

/// How this request with the app's token is signed; none if it goes as it is. WeChat takes no
/// signed uploads; a caller that signs by itself is left alone, and how a GET would be encrypted
/// isn't documented.
pub(super) fn options<'a>(
    account: &'a Account<'_>,
    parts: &Parts,
    target: &RequestTarget<'_>,
) -> Option<&'a SigningOptions> {
    let options = account.app.signing.as_ref()?;
    let signed = parts.method == Method::POST
        && target.endpoint.family == Family::Api
        && options.signs(target.path, target.endpoint)
        && !is_upload(&parts.headers)
        && !parts.headers.keys().any(|name| signing::is_header(name.as_str()));
    signed.then_some(options)
}

fn is_upload(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    const MULTIPART: &[u8] = b"multipart/";
    kind.get(..MULTIPART.len()).is_some_and(|start| start.eq_ignore_ascii_case(MULTIPART))
}
