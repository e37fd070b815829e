//! Puts an answer into one of WeChat's wire forms.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::response_body::{Outgoing, ResetBody, Source};
use crate::message::body::Body;
use crate::sandbox::answer::{Answer, Content, write_object};
use crate::sandbox::signing::answer::Seal;
use crate::sandbox::state::faults::Plan;
use crate::sandbox::variants::{JSON, Variant};
use crate::server::Response;

const RET_KEY: HeaderName = HeaderName::from_static("retkey");
const LOGIC_RET: HeaderName = HeaderName::from_static("logicret");
/// Marks what has no shape of its own here.
const SHAPE: HeaderName = HeaderName::from_static("x-sandbox-shape");

/// Headers and bytes of an answer, before framing.
struct Dressed {
    headers: HeaderMap,
    source: Source,
    chunked: bool,
    gzip: bool,
    bytewise: bool,
    json: bool,
}

/// The response for an answer; `variant` shapes errors alone, `plan` everything. What is JSON is
/// sealed, if there is a seal.
pub(in crate::sandbox) fn respond(
    answer: Answer,
    variant: Variant,
    plan: &Plan,
    takes_gzip: bool,
    now: i64,
    seal: Option<&Seal>,
) -> Response {
    let status = answer.status;
    let errcode = answer.errcode();
    let mut dressed = dress(answer.content, variant, now);
    if dressed.headers.contains_key(RET_KEY) {
        dressed.headers.insert(LOGIC_RET, errcode.into());
    }
    if let Some(seal) = seal.filter(|_| dressed.json)
        && let Source::Bytes(json) = &dressed.source
    {
        let Some(sealed) = seal.apply(json, now) else {
            return finish(StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), Bytes::new().into());
        };
        dressed.source = Source::Bytes(sealed.body);
        dressed.headers.extend(sealed.headers);
    }
    if plan.close {
        dressed.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if takes_gzip && (dressed.gzip || plan.gzip) {
        compress(&mut dressed);
    }
    let mut body = Outgoing::new(dressed.source);
    if let Some(cut) = plan.cut {
        if !(plan.chunked || dressed.chunked) {
            dressed.headers.insert(CONTENT_LENGTH, body.length().max(cut + 1).into());
        }
        body = body.cut_after(cut).unannounced();
    }
    if plan.chunked || dressed.chunked {
        body = body.unannounced();
    }
    if let Some((bytes, pause)) = plan.slow {
        body = body.in_steps(bytes, pause);
    } else if dressed.bytewise {
        body = body.in_steps(1, std::time::Duration::ZERO);
    }
    finish(status, dressed.headers, Body::stream(body))
}

/// Closes the connection without a byte of an answer.
pub(in crate::sandbox) fn reset() -> Response {
    finish(StatusCode::OK, HeaderMap::new(), Body::stream(ResetBody))
}

/// A plain JSON answer of the control API.
pub(in crate::sandbox) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    finish(status, headers, value.to_string().into())
}

/// A page, or a file of it.
pub(in crate::sandbox) fn page(headers: HeaderMap, text: String) -> Response {
    finish(StatusCode::OK, headers, text.into())
}

fn finish(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn dress(content: Content, variant: Variant, now: i64) -> Dressed {
    let mut headers = HeaderMap::new();
    if matches!(content, Content::Generic) {
        headers.insert(SHAPE, HeaderValue::from_static("generic"));
    }
    let mut content_type = |value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(CONTENT_TYPE, value);
        }
    };
    let json =
        matches!(content, Content::Object(_) | Content::Generic | Content::Json(_) | Content::Error { .. });
    let mut from_wechat = None;
    let mut error = None;
    let source = match content {
        Content::Object(fields) => {
            content_type(JSON);
            from_wechat = Some("14");
            Source::Bytes(write_object(&fields).into())
        }
        Content::Generic => {
            content_type(JSON);
            from_wechat = Some("14");
            Source::Bytes(Bytes::from_static(br#"{"errcode":0,"errmsg":"ok"}"#))
        }
        Content::Json(bytes) => {
            content_type(JSON);
            from_wechat = Some("14");
            Source::Bytes(bytes)
        }
        Content::Error { errcode, errmsg } => {
            if let Some(value) = variant.content_type() {
                content_type(value);
            }
            from_wechat = (variant != Variant::NoRetHeaders).then_some("11");
            error = Some(variant);
            Source::Bytes(variant.body(errcode, &errmsg, &rid(now)))
        }
        Content::File { content_type: value, filename, bytes } => {
            content_type(&value);
            attach(&mut headers, filename.as_deref());
            Source::Bytes(bytes)
        }
        Content::Blob(length) => {
            content_type("application/octet-stream");
            attach(&mut headers, Some(&format!("blob-{length}.bin")));
            Source::Blob { at: 0, length }
        }
        Content::Page(page) => {
            content_type("text/html");
            Source::Bytes(Bytes::from_static(page.as_bytes()))
        }
        Content::Empty => {
            // As seen in 2017 (FACTS 1.1).
            content_type("text/html; charset=gbk");
            Source::Bytes(Bytes::new())
        }
    };
    if let Some(key) = from_wechat {
        headers.insert(RET_KEY, HeaderValue::from_static(key));
    }
    if error == Some(Variant::Close) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Dressed {
        headers,
        source,
        chunked: error.is_some_and(Variant::chunked),
        gzip: error.is_some_and(Variant::gzip),
        bytewise: error == Some(Variant::Dribble),
        json,
    }
}

fn attach(headers: &mut HeaderMap, filename: Option<&str>) {
    let value = filename.map(|name| format!("attachment; filename=\"{}\"", name.replace('"', "")));
    if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
}

fn compress(dressed: &mut Dressed) {
    let Source::Bytes(bytes) = &dressed.source else { return };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory fails only where there is none left, which aborts.
    let Ok(compressed) = encoder.write_all(bytes).and_then(|()| encoder.finish()) else { return };
    dressed.source = Source::Bytes(compressed.into());
    dressed.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Three groups of eight hex digits; the first is the time (FACTS 2.3).
fn rid(now: i64) -> String {
    format!("{:08x}-{:08x}-{:08x}", now.div_euclid(1000), fastrand::u32(..), fastrand::u32(..))
}
