//! Which headers go on, either way.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::noted::Noted;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Longest `X-Request-Id` that is taken from a caller.
const MAX_REQUEST_ID: usize = 64;

/// Gives `field` each header that goes to WeChat: the caller's own without those that end here.
///
/// `Host` and framing (`Content-Length`) are left to whoever sends them.
pub fn request(headers: &HeaderMap, noted: &Noted<'_>, mut field: impl FnMut(&HeaderName, &HeaderValue)) {
    if noted.accept_encoding && takes_gzip(headers) {
        field(&header::ACCEPT_ENCODING, &GZIP);
    }
    let named = if noted.connection { named_in_connection(headers) } else { Vec::new() };
    for (name, value) in headers {
        if !never_sent(name.as_str()) && !is_named(&named, name) {
            field(name, value);
        }
    }
}

/// How many bytes [`request`] gives at most, with what separates them.
pub fn most_sent(headers: &HeaderMap, noted: &Noted<'_>) -> usize {
    const SEPARATORS: usize = 4;
    let gzip = header::ACCEPT_ENCODING.as_str().len() + GZIP.len();
    noted.bytes + gzip + (headers.len() + 1) * SEPARATORS
}

/// Removes from WeChat's response the headers that only wxgate sets: callers identify its own
/// responses by them.
pub fn response(headers: &mut HeaderMap) {
    remove(headers, |name| is_own(name.as_str()));
}

/// Takes out those whose names are such.
pub fn remove(headers: &mut HeaderMap, is_such: impl Fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_such(name)).cloned() {
        headers.remove(name);
    }
}

/// Whether a (lower-case) name is one of `X-Wxgate-*`, also with `_` for `-`.
fn is_own(name: &str) -> bool {
    matches!(name.as_bytes(), [b'x', b'-' | b'_', b'w', b'x', b'g', b'a', b't', b'e', b'-' | b'_', ..])
}

/// The caller's own `X-Request-Id`, if it fits into a log line and a header: 1 to 64 of
/// `A-Za-z0-9._-:`.
pub fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(&X_REQUEST_ID)?.to_str().ok()?;
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    ((1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(sane)).then_some(id)
}

/// Whether a request header of this (lower-case) name ends here: hop by hop (RFC 9110, 7.6.1),
/// framing, rewritten, the caller's own business (its key, its cookies, where it sits, which page
/// it shows, its trace), or what has servers take the request for another than was let through.
///
/// A name with `_` for `-` is taken for the other by many a server behind.
fn never_sent(name: &str) -> bool {
    if memchr::memchr(b'_', name.as_bytes()).is_some() {
        return never_sent(&name.replace('_', "-"));
    }
    match name.as_bytes() {
        [b'x', b'-', rest @ ..] => {
            matches!(rest, b"request-id" | b"real-ip" | b"original-url" | b"rewrite-url")
                || rest.starts_with(b"wxgate-")
                || rest.starts_with(b"forwarded")
                || rest.starts_with(b"http-method")
        }
        [b'p', b'r', b'o', b'x', b'y', b'-', ..] => true,
        _ => matches!(
            name,
            "connection"
                | "keep-alive"
                | "te"
                | "trailer"
                | "upgrade"
                | "transfer-encoding"
                | "content-length"
                | "host"
                | "expect"
                | "accept-encoding"
                | "authorization"
                | "cookie"
                | "forwarded"
                | "via"
                | "origin"
                | "referer"
                | "traceparent"
                | "tracestate"
                | "baggage"
        ),
    }
}

/// The `Connection` values that name headers; empty for the usual `keep-alive` and `close`.
fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderValue> {
    let usual = |token: &str| token.eq_ignore_ascii_case("keep-alive") || token.eq_ignore_ascii_case("close");
    let unusual = |value: &&HeaderValue| *value != "keep-alive" && !tokens(value).all(usual);
    headers.get_all(header::CONNECTION).iter().filter(unusual).cloned().collect()
}

fn is_named(connection: &[HeaderValue], name: &HeaderName) -> bool {
    connection.iter().any(|value| tokens(value).any(|token| token.eq_ignore_ascii_case(name.as_str())))
}

/// The comma-separated members of a header's value except those that are not text.
fn tokens(value: &HeaderValue) -> impl Iterator<Item = &str> {
    let members = value.as_bytes().split(|byte| *byte == b',');
    members.filter_map(|member| Some(str::from_utf8(member).ok()?.trim())).filter(|token| !token.is_empty())
}

/// Whether the caller accepts a gzip-coded response (RFC 9110, 12.5.3); what it says of gzip itself
/// outweighs `*`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for member in tokens(value) {
            let mut parameters = member.split(';').map(str::trim);
            let coding = parameters.next().unwrap_or_default();
            let wanted = parameters.all(|parameter| match parameter.split_once('=') {
                Some((q, weight)) if q.trim().eq_ignore_ascii_case("q") => {
                    weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0)
                }
                _ => true,
            });
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                return wanted;
            }
            any |= wanted && coding == "*";
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{Noted, request, request_id, response};

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from_static(value))
            })
            .collect()
    }

    fn appended(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn sent(headers: HeaderMap) -> Vec<(String, String)> {
        let mut sent = Vec::new();
        request(&headers, &Noted::of(&headers), |name, value| {
            sent.push((name.to_string(), value.to_str().expect("ASCII").to_owned()));
        });
        sent
    }

    #[test]
    fn what_concerns_the_caller_alone_is_never_sent() {
        for name in [
            "Authorization",
            "Cookie",
            "X-Wxgate-App",
            "X-Wxgate-Key",
            "X_Wxgate_Key",
            "Proxy_Authorization",
            "Content_Length",
            "Transfer_Encoding",
            "X-Wxgate-Explain",
            "X-Request-Id",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Real-IP",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-HTTP-Method",
            "X-HTTP-Method-Override",
            "X_HTTP_Method_Override",
            "X_Original-URL",
            "Accept_Encoding",
            "Keep_Alive",
            "Forwarded",
            "Via",
            "Origin",
            "Referer",
            "traceparent",
            "tracestate",
            "baggage",
            "Connection",
            "Keep-Alive",
            "Proxy-Connection",
            "Proxy-Authorization",
            "TE",
            "Trailer",
            "Upgrade",
            "Transfer-Encoding",
            "Content-Length",
            "Expect",
        ] {
            assert_eq!(sent(map(&[(name, "v")])), [], "{name}");
        }
    }

    #[test]
    fn all_else_goes_on_with_the_order_of_values_kept() {
        let headers = appended(&[
            ("host", "wxgate:8080"),
            ("wechatmp-signature", "s"),
            ("content-type", "multipart/form-data"),
            ("x-many", "1"),
            ("accept", "*/*"),
            ("x-many", "2"),
            ("x-many", "3"),
        ]);
        let expected = [
            ("wechatmp-signature", "s"),
            ("content-type", "multipart/form-data"),
            ("x-many", "1"),
            ("x-many", "2"),
            ("x-many", "3"),
            ("accept", "*/*"),
        ];
        assert_eq!(sent(headers), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn headers_named_in_connection_end_here() {
        let headers = appended(&[
            ("connection", "keep-alive, X-Hop"),
            ("connection", "x-other"),
            ("x-hop", "1"),
            ("x-hop", "2"),
            ("x-other", "3"),
            ("x-stays", "4"),
        ]);
        let sent = sent(headers);
        assert_eq!(sent, [("x-stays".to_owned(), "4".to_owned())]);
    }

    #[test]
    fn a_bad_byte_in_connection_voids_its_own_token_alone() {
        for value in [&b"x-hop, \xff"[..], b"\xff,X-Hop", b"close, x-\xffhop, x-hop", b"x-hop,\xe4\xbd\xa0"] {
            let mut headers = appended(&[("x-hop", "1"), ("x-stays", "4")]);
            headers.append("connection", HeaderValue::from_bytes(value).expect("a value"));
            let names: Vec<_> = sent(headers).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["x-stays"], "{value:?}");
        }
    }

    #[test]
    fn gzip_is_asked_for_only_if_the_caller_takes_it() {
        for (value, gzip) in [
            ("gzip", true),
            ("GZIP, deflate, br", true),
            ("x-gzip", true),
            ("br;q=1.0, gzip;q=0.5", true),
            ("gzip; q=0.001", true),
            ("*", true),
            ("identity, *;q=0.1", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("*, gzip;Q=0", false),
            ("*;q=0", false),
            ("gzip;q=x", false),
            ("identity", false),
            ("br, deflate", false),
            ("", false),
        ] {
            let sent = sent(map(&[("accept-encoding", value)]));
            let seen: Vec<_> = sent.iter().filter(|(name, _)| name == "accept-encoding").collect();
            let expected = ("accept-encoding".to_owned(), "gzip".to_owned());
            assert_eq!(seen, if gzip { vec![&expected] } else { vec![] }, "{value}");
        }
    }

    #[test]
    fn an_answer_keeps_all_but_wxgates_own() {
        let mut headers = appended(&[
            ("content-type", "application/json; encoding=utf-8"),
            ("logicret", "42001"),
            ("set-cookie", "a"),
            ("set-cookie", "b"),
            ("x-wxgate-error", "draining"),
            ("x-wxgate-error", "overloaded"),
            ("X_Wxgate_App", "shop"),
            ("x-wxgate_key", "k"),
            ("X_wxgate-", "k"),
        ]);
        response(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "logicret", "set-cookie"]);
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn only_a_sane_request_id_is_taken() {
        let id = |value| request_id(&map(&[("x-request-id", value)])).map(str::to_owned);
        assert_eq!(id("Root=1-67.a_b").as_deref(), None);
        assert_eq!(id("1-67.a_b:C").as_deref(), Some("1-67.a_b:C"));
        assert_eq!(id(""), None);
        assert_eq!(id("a b"), None);
        assert_eq!(
            id("1234567890123456789012345678901234567890123456789012345678901234").map(|s| s.len()),
            Some(64)
        );
        assert_eq!(id("12345678901234567890123456789012345678901234567890123456789012345"), None);
    }
}
