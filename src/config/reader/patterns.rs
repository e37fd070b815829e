//! Patterns of endpoints, which callers and limits name.

use http::Method;

use super::endpoints::{self, Hosts};
use super::problem::{Place, Report, did_you_mean};
use crate::message::METHODS;
use crate::texts::{Words, words};
use crate::wechat::pattern::Pattern;

/// The pattern at `place`, of endpoints on these hosts; reports what is not a pattern, or matches
/// nothing.
pub(in crate::config) fn pattern(
    text: &str,
    hosts: Hosts,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Pattern> {
    let pattern = parse(text).map_err(|text| report.error(place, text)).ok()?;
    match pattern.method.as_ref().map(Method::as_str).filter(|method| !METHODS.contains(method)) {
        Some(method) => {
            // Version 0.1.0 accepted it, and it matched no request.
            let wrong =
                words!("{method} is a method that is never let through; the next release refuses it", method);
            let text = did_you_mean(&wrong, method, METHODS).unwrap_or_else(|| {
                words!("{wrong}, expected one of: {values}", wrong, values = METHODS.join(", "))
            });
            report.warn(place, text);
        }
        None => endpoints::check(&pattern, hosts, place, report),
    }
    Some(pattern)
}

/// Reads `/cgi-bin/message/**`, `GET /cgi-bin/user/info` or `**`.
fn parse(text: &str) -> Result<Pattern, Words> {
    let (method, pattern) = match text.split_once(' ') {
        Some((method, pattern)) => {
            if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(words!(
                    "has no method in capitals before the blank, expected one like \"GET /cgi-bin/user/info\""
                ));
            }
            let method = Method::from_bytes(method.as_bytes());
            (Some(method.map_err(|_| words!("has a malformed method"))?), pattern)
        }
        None => (None, text),
    };
    if pattern == "**" {
        return Ok(Pattern::new(method, pattern.to_owned()));
    }
    let Some(path) = pattern.strip_prefix('/') else {
        return Err(words!("has no path that begins with /, expected one like \"/cgi-bin/message/**\""));
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<_> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        match *segment {
            "" | "." | ".." => return Err(words!("has an empty, . or .. segment, which no request has")),
            "*" => {}
            "**" if index + 1 == segments.len() => {}
            "**" => {
                return Err(words!(
                    "has ** before its end, expected ** as the last segment alone, or * for one segment"
                ));
            }
            other if other.contains('*') => {
                return Err(words!(
                    "has a * within a segment, expected * for a whole segment or ** at the end"
                ));
            }
            other if !other.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~@:".contains(&byte)) => {
                return Err(words!(
                    "has a character that no endpoint's path has, expected a path without query and %"
                ));
            }
            _ => {}
        }
    }
    Ok(Pattern::new(method, format!("/{}", path.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::parse;

    #[test]
    fn patterns_are_normalised() {
        let pattern = |text| parse(text).map(|pattern| (pattern.method.clone(), pattern.path().to_owned()));
        assert_eq!(pattern("**"), Ok((None, "**".into())));
        assert_eq!(pattern("POST **"), Ok((Some(Method::POST), "**".into())));
        assert_eq!(pattern("/CGI-bin/Message/**"), Ok((None, "/cgi-bin/message/**".into())));
        assert_eq!(pattern("GET /cgi-bin/user/info/"), Ok((Some(Method::GET), "/cgi-bin/user/info".into())));
        assert_eq!(pattern("/wxa/*/list"), Ok((None, "/wxa/*/list".into())));
        for wrong in [
            "",
            "cgi-bin/x",
            "get /x",
            "GET  /x",
            "/a/**/b",
            "/a*",
            "/a//b",
            "/a/../b",
            "/a?b=c",
            "/a%2fb",
            "/",
            "*",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
