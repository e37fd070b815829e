//! The fields of an access log line, and how they are written.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::observe::clock::Timestamp;
use crate::observe::hex::DIGITS;
use crate::observe::redact::{SHORTEST_REDACTED, may_be_secret, redacted};
use crate::observe::remote::Remote;
use crate::observe::steering::steers;

/// Longer paths and causes are cut: a caller chooses the path's length.
const LONGEST_TEXT: usize = 1024;
/// Longer names of callers' programs are cut.
const LONGEST_AGENT: usize = 200;
/// More names of a query than this are not listed.
const MOST_QUERY_KEYS: usize = 16;
/// A longer name of a query is taken for a value that lost its name.
const LONGEST_QUERY_KEY: usize = 40;

/// A request with its response. Fields that are `None` are left out of the line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<'a> {
    /// When the response was finished.
    pub time: Timestamp,
    /// Name of the app, if the request got that far.
    pub app: Option<&'a str>,
    /// Name of the caller, or `anonymous`; none where the caller is not known.
    pub caller: Option<&'a str>,
    /// Whom the request came from.
    pub remote: Option<Remote>,
    /// The request's method.
    pub method: &'a str,
    /// The path alone.
    pub path: &'a str,
    /// The query as the caller sent it. Only its names are written, since its values may be
    /// credentials.
    pub query: Option<&'a str>,
    /// The endpoint catalogue's name.
    pub endpoint: Option<&'static str>,
    /// HTTP status as sent.
    pub status: u16,
    /// The error code of the response as sent, 0 if it carried none; none where nothing was sent.
    pub errcode: Option<i64>,
    /// Where the response comes from: `wechat` or `wxgate`.
    pub source: &'static str,
    /// WeChat's own request id, from its error text.
    pub rid: Option<&'a str>,
    /// The `X-Request-Id` of the response.
    pub request_id: &'a str,
    /// The trace that the request belongs to, as it says.
    pub trace_id: Option<&'a str>,
    /// How often the request was sent again with another token.
    pub replays: u32,
    /// From the request's head to the end of the response.
    pub duration: Duration,
    /// What of it was spent waiting for WeChat, all attempts together.
    pub upstream: Option<Duration>,
    /// Bytes of the request's body.
    pub bytes_in: Option<u64>,
    /// Bytes of the response's body.
    pub bytes_out: Option<u64>,
    /// The proxy's own error code, if the response is its own.
    pub code: Option<&'static str>,
    /// Why; what looks like a secret in it isn't written.
    pub cause: Option<&'a str>,
    /// The name of the caller's program, where the caller was refused.
    pub user_agent: Option<&'a str>,
}

/// Appends text that is known when this is compiled, so that it costs a few moves and no call.
macro_rules! put {
    ($out:expr, $($piece:literal),+) => {
        $out.extend_from_slice(concat!($($piece),+).as_bytes())
    };
}

/// Appends a key whose value is text, and that by `$write`.
macro_rules! text {
    ($out:ident, $key:literal, $write:expr) => {{
        put!($out, ",\"", $key, "\":\"");
        $write;
        $out.push(b'"');
    }};
}

/// Appends a key and its number.
macro_rules! number {
    ($out:ident, $key:literal, $value:expr) => {{
        put!($out, ",\"", $key, "\":");
        decimal($value, $out);
    }};
}

impl Entry<'_> {
    /// Whether the request was refused, failed, or got an error of WeChat's.
    pub(super) fn is_error(&self) -> bool {
        let wechat_erred = self.errcode.is_some_and(|code| code != 0);
        self.code.is_some() || self.cause.is_some() || wechat_erred || self.status >= 400
    }

    /// The catalogue's own paths hold no secret.
    fn path_is_known(&self) -> bool {
        self.endpoint == Some(self.path)
    }

    /// Appends the entry as a line of JSON.
    pub(super) fn json(&self, time: &[u8; 24], out: &mut Vec<u8>) {
        put!(out, "{\"timestamp\":\"");
        out.extend_from_slice(time);
        put!(out, "\",\"level\":\"INFO\",\"kind\":\"access\"");
        if let Some(app) = self.app {
            text!(out, "app", escaped(shortened(app), out));
        }
        if let Some(caller) = self.caller {
            text!(out, "caller", escaped(shortened(caller), out));
        }
        if let Some(remote) = self.remote {
            text!(out, "remote", address(remote, out));
        }
        text!(out, "method", redact(shortened(self.method), out));
        if self.path_is_known() {
            text!(out, "path", own(self.path, out));
        } else {
            text!(out, "path", redact(shortened(self.path), out));
        }
        if let Some(query) = self.query {
            put!(out, ",\"query_keys\":[");
            for (position, name) in query_keys(query).enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                out.push(b'"');
                own(name, out);
                out.push(b'"');
            }
            out.push(b']');
        }
        if let Some(endpoint) = self.endpoint {
            text!(out, "endpoint", own(endpoint, out));
        }
        number!(out, "status", self.status);
        if let Some(errcode) = self.errcode {
            number!(out, "errcode", errcode);
        }
        text!(out, "source", own(self.source, out));
        if let Some(rid) = self.rid {
            text!(out, "rid", escaped(shortened(rid), out));
        }
        text!(out, "request_id", escaped(shortened(self.request_id), out));
        if let Some(trace_id) = self.trace_id {
            text!(out, "trace_id", escaped(shortened(trace_id), out));
        }
        number!(out, "replays", self.replays);
        put!(out, ",\"duration_ms\":");
        milliseconds(self.duration, out);
        if let Some(upstream) = self.upstream {
            put!(out, ",\"upstream_ms\":");
            milliseconds(upstream, out);
        }
        if let Some(bytes_in) = self.bytes_in {
            number!(out, "bytes_in", bytes_in);
        }
        if let Some(bytes_out) = self.bytes_out {
            number!(out, "bytes_out", bytes_out);
        }
        if let Some(code) = self.code {
            text!(out, "code", own(code, out));
        }
        if let Some(cause) = self.cause {
            text!(out, "cause", redact(shortened(cause), out));
        }
        if let Some(agent) = self.user_agent {
            text!(out, "user_agent", redact(cut(agent, LONGEST_AGENT), out));
        }
        put!(out, "}\n");
    }

    /// Appends the entry as a short line for people. `time` is Beijing's, whatever zone it names.
    pub(super) fn pretty(&self, time: &[u8; 24], out: &mut Vec<u8>) {
        out.extend_from_slice(&time[..23]);
        out.extend_from_slice(b"+08:00");
        out.push(b' ');
        decimal(self.status, out);
        out.push(b' ');
        redact(shortened(self.method), out);
        out.push(b' ');
        redact(shortened(self.path), out);
        for (position, name) in self.query.into_iter().flat_map(query_keys).enumerate() {
            out.push(if position == 0 { b'?' } else { b'&' });
            out.extend_from_slice(name.as_bytes());
        }
        out.push(b' ');
        milliseconds(self.duration, out);
        out.extend_from_slice(b"ms");
        if let Some(upstream) = self.upstream {
            out.extend_from_slice(b" upstream=");
            milliseconds(upstream, out);
            out.extend_from_slice(b"ms");
        }
        word(b" app=", self.app, out);
        word(b" caller=", self.caller, out);
        if let Some(remote) = self.remote {
            out.extend_from_slice(b" remote=");
            address(remote, out);
        }
        if let Some(errcode) = self.errcode.filter(|code| *code != 0) {
            out.extend_from_slice(b" errcode=");
            decimal(errcode, out);
        }
        if self.source != "wechat" {
            word(b" source=", Some(self.source), out);
        }
        word(b" rid=", self.rid, out);
        if self.replays > 0 {
            out.extend_from_slice(b" replays=");
            decimal(self.replays, out);
        }
        word(b" code=", self.code, out);
        if let Some(cause) = self.cause {
            out.extend_from_slice(b" cause=");
            redact(shortened(cause), out);
        }
        if let Some(agent) = self.user_agent {
            out.extend_from_slice(b" user_agent=");
            redact(cut(agent, LONGEST_AGENT), out);
        }
        out.push(b'\n');
    }
}

/// Appends one of wxgate's own words, a path of the catalogue, or what was looked at already: there
/// is nothing to escape.
fn own(word: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(word.as_bytes());
}

/// What a caller wrote may have a key where another word belongs. Nearly all methods are shorter
/// than that.
fn redact(value: &str, out: &mut Vec<u8>) {
    match value.len() {
        0..SHORTEST_REDACTED => escaped(value, out),
        _ => redacted(value).for_each(|piece| escaped(piece, out)),
    }
}

fn word(label: &[u8], value: Option<&str>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        out.extend_from_slice(label);
        escaped(shortened(value), out);
    }
}

fn address(remote: Remote, out: &mut Vec<u8>) {
    use std::io::Write as _;
    if let Remote::Address(IpAddr::V4(address)) = remote {
        // As Display does, at a fraction of the cost.
        for (position, octet) in address.octets().into_iter().enumerate() {
            if position > 0 {
                out.push(b'.');
            }
            let [hundreds, tens, ones] = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
            if octet >= 100 {
                out.push(hundreds);
            }
            if octet >= 10 {
                out.push(tens);
            }
            out.push(ones);
        }
        return;
    }
    // Writing to a Vec can't fail.
    let _ = write!(out, "{remote}");
}

/// Nearly all numbers of a line have a digit or two.
fn decimal<N: itoa::Integer + TryInto<u8> + Copy>(value: N, out: &mut Vec<u8>) {
    match value.try_into() {
        Ok(digit @ 0..10) => out.push(b'0' + digit),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// A `u128` of microseconds would be divided by a call.
fn milliseconds(duration: Duration, out: &mut Vec<u8>) {
    let [hundreds, tens, ones] = digits(u64::from(duration.subsec_micros() % 1000));
    let millis = duration.as_secs().saturating_mul(1000).saturating_add(duration.subsec_millis().into());
    decimal(millis, out);
    out.extend_from_slice(&[b'.', hundreds, tens, ones]);
}

/// The last three decimal digits.
fn digits(value: u64) -> [u8; 3] {
    [value / 100, value / 10, value].map(|digit| b'0' + (digit % 10) as u8)
}

fn shortened(value: &str) -> &str {
    cut(value, LONGEST_TEXT)
}

fn cut(value: &str, longest: usize) -> &str {
    let mut end = value.len().min(longest);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// Whether a text stands for itself within quotes: printable ASCII without `"` and `\`. Eight bytes
/// are looked at together, for most texts are too short for the compiler to do that by itself.
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let is_plain_word = |bytes: &[u8; 8]| {
        let word = u64::from_ne_bytes(*bytes);
        // Each of these has the high bit of some byte set if any byte is below that bound, or zero.
        let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
        let has = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let special = below(word, 0x20) | has(b'"') | has(b'\\');
        let beyond = word | word.wrapping_add(ONES);
        (special | beyond) & HIGH == 0
    };
    let is_plain_byte = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    let (words, rest) = text.as_chunks();
    words.iter().all(is_plain_word) && rest.iter().all(is_plain_byte)
}

/// JSON's escapes, which keep from a terminal what steers it as well.
fn escaped(value: &str, out: &mut Vec<u8>) {
    // Nearly every text is plain.
    if is_plain(value.as_bytes()) {
        out.extend_from_slice(value.as_bytes());
        return;
    }
    let mut rest = value;
    while let Some(position) = rest.find(|c: char| c == '"' || c == '\\' || steers(c)) {
        let (clean, special) = rest.split_at(position);
        out.extend_from_slice(clean.as_bytes());
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.extend_from_slice(b"\\\""),
            Some('\\') => out.extend_from_slice(b"\\\\"),
            Some(steering) => {
                for unit in steering.encode_utf16(&mut [0; 2]) {
                    let nibble = |shift: u32| DIGITS[usize::from(*unit >> shift) & 15];
                    out.extend_from_slice(&[b'\\', b'u', nibble(12), nibble(8), nibble(4), nibble(0)]);
                }
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

/// The names of a query that are surely names; `*` stands for a name that may hide a value: one
/// without `=`, an encoded one, a very long one, one that looks like a key.
fn query_keys(query: &str) -> impl Iterator<Item = &str> {
    let mut rest = query;
    let names = std::iter::from_fn(move || {
        while let Some(further) = rest.strip_prefix('&') {
            rest = further;
        }
        if rest.is_empty() {
            return None;
        }
        let length = rest.bytes().take_while(|byte| IN_NAME[usize::from(*byte)]).count();
        let (name, behind) = rest.split_at_checked(length)?;
        let is_name =
            behind.starts_with('=') && (1..=LONGEST_QUERY_KEY).contains(&length) && !may_be_secret(name);
        let next = memchr::memchr(b'&', behind.as_bytes()).unwrap_or(behind.len());
        rest = behind.get(next..).unwrap_or_default();
        Some(if is_name { name } else { "*" })
    });
    names.take(MOST_QUERY_KEYS)
}

/// The bytes that the name of a parameter of WeChat's may have.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let known = byte as u8;
        table[byte] = known.is_ascii_alphanumeric() || matches!(known, b'_' | b'-' | b'.' | b'[' | b']');
        byte += 1;
    }
    table
};

/// The text of the present second, formatted once for all lines of that second.
#[derive(Debug)]
pub(super) struct Clockface {
    second: i64,
    text: [u8; 24],
}

impl Default for Clockface {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00.000Z" }
    }
}

impl Clockface {
    /// RFC 3339 in UTC with milliseconds.
    pub(super) fn show(&mut self, time: Timestamp) -> &[u8; 24] {
        let millis = time.0.max(0);
        let second = millis / 1000;
        if second != self.second {
            use std::io::Write as _;
            let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(second.unsigned_abs());
            let mut text = self.text.as_mut_slice();
            // Twenty characters, but for years beyond 9999, which humantime refuses and this leaves
            // as it was.
            let _ = write!(text, "{}", humantime::format_rfc3339_seconds(moment));
            self.text[19] = b'.';
            self.text[23] = b'Z';
            self.second = second;
        }
        self.text[20..23].copy_from_slice(&digits(millis.unsigned_abs() % 1000));
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Clockface, Entry};
    use crate::observe::clock::Timestamp;
    use crate::observe::remote::Remote;

    fn json(entry: &Entry<'_>) -> String {
        let mut out = Vec::new();
        entry.json(Clockface::default().show(entry.time), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn pretty(entry: &Entry<'_>) -> String {
        let mut out = Vec::new();
        entry.pretty(Clockface::default().show(entry.time.shown_in_beijing()), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    fn example() -> Entry<'static> {
        Entry {
            time: Timestamp(1_700_000_000_042),
            app: Some("shop"),
            caller: Some("orders"),
            remote: Some(Remote::Address([203, 0, 113, 9].into())),
            method: "GET",
            path: "/cgi-bin/user/info",
            query: Some("openid=secret&lang=zh_CN"),
            endpoint: Some("/cgi-bin/user/info"),
            status: 200,
            errcode: Some(0),
            source: "wechat",
            rid: None,
            request_id: "r-1",
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
            replays: 1,
            duration: Duration::from_nanos(12_034_567),
            upstream: Some(Duration::from_millis(9)),
            bytes_in: None,
            bytes_out: Some(54),
            code: None,
            cause: None,
            user_agent: None,
        }
    }

    #[test]
    fn a_json_line_says_what_the_entry_says() {
        assert_eq!(
            json(&example()),
            "{\"timestamp\":\"2023-11-14T22:13:20.042Z\",\"level\":\"INFO\",\"kind\":\"access\",\"app\":\"shop\",\
             \"caller\":\"orders\",\"remote\":\"203.0.113.9\",\"method\":\"GET\",\"path\":\"/cgi-bin/user/info\",\
             \"query_keys\":[\"openid\",\"lang\"],\"endpoint\":\"/cgi-bin/user/info\",\"status\":200,\"errcode\":0,\
             \"source\":\"wechat\",\"request_id\":\"r-1\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"replays\":1,\"duration_ms\":12.034,\"upstream_ms\":9.000,\"bytes_out\":54}\n"
        );
    }

    #[test]
    fn a_pretty_line_is_short() {
        assert_eq!(
            pretty(&example()),
            "2023-11-15T06:13:20.042+08:00 200 GET /cgi-bin/user/info?openid&lang 12.034ms upstream=9.000ms app=shop \
             caller=orders remote=203.0.113.9 replays=1\n"
        );
    }

    #[test]
    fn values_of_the_query_never_reach_a_line() {
        for query in
            ["access_token=hunter2", "hunter2", "a%3Dhunter2=1", "=hunter2", "a=b&hunter2", "a\u{1}hunter2=1"]
        {
            let entry = Entry { query: Some(query), ..example() };
            for line in [json(&entry), pretty(&entry)] {
                assert!(!line.contains("hunter2"), "{query}: {line}");
            }
        }
        let long = format!("{}=1", "h".repeat(512));
        assert!(!json(&Entry { query: Some(&long), ..example() }).contains("hhh"));
    }

    #[test]
    fn a_hostile_path_forges_no_second_line() {
        let entry = Entry { path: "/a\"\n\u{1b}[2J\u{9b}2J\\\u{202e}\u{2028}\u{e0001}务", ..example() };
        let line = pretty(&entry);
        assert!(
            line.contains("/a\\\"\\u000a\\u001b[2J\\u009b2J\\\\\\u202e\\u2028\\udb40\\udc01务"),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn each_kind_of_remote_is_named() {
        for (remote, text) in [
            (Remote::Address("10.0.0.255".parse().expect("an address")), "10.0.0.255"),
            (Remote::Address("2001:db8::1".parse().expect("an address")), "2001:db8::1"),
            (Remote::Unix(Some(1000)), "uid:1000"),
            (Remote::Unix(None), "unix"),
        ] {
            let entry = Entry { remote: Some(remote), ..example() };
            assert!(json(&entry).contains(&format!("\"remote\":\"{text}\"")), "{}", json(&entry));
            assert!(pretty(&entry).contains(&format!(" remote={text} ")), "{}", pretty(&entry));
            assert_eq!(remote.to_string(), text);
        }
    }

    #[test]
    fn a_key_in_place_of_another_word_is_redacted() {
        let key = "canary-key-of-orders-5d1c";
        let (path, agent) =
            (format!("/@{key}/cgi-bin/user/info"), format!("shop/2 \"{key}\" {}", "x".repeat(500)));
        let cause = format!("no app is named {key}");
        let entry =
            Entry { method: key, path: &path, cause: Some(&cause), user_agent: Some(&agent), ..example() };
        assert!(json(&entry).contains("\"cause\":\"no app is named *\""), "{}", json(&entry));
        assert!(pretty(&entry).contains(" cause=no app is named * "), "{}", pretty(&entry));
        assert!(json(&entry).contains("\"path\":\"/@*/cgi-bin/user/info\""), "{}", json(&entry));
        assert!(json(&entry).contains("\"user_agent\":\"shop/2 \\\"*\\\" xxx"), "{}", json(&entry));
        assert!(json(&entry).contains("\"method\":\"*\""), "{}", json(&entry));
        for line in [json(&entry), pretty(&entry)] {
            assert!(!line.contains("canary") && line.len() < 800, "{line}");
        }
    }

    #[test]
    fn a_very_long_path_is_cut_between_characters() {
        let path = "务".repeat(10_000);
        let line = json(&Entry { path: &path, ..example() });
        assert!(line.len() < 2000);
    }

    #[test]
    fn the_second_is_formatted_anew_when_it_changes_either_way() {
        let mut clockface = Clockface::default();
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_700_000_000_999, "2023-11-14T22:13:20.999Z"),
            (1_700_000_000_001, "2023-11-14T22:13:20.001Z"),
            (1_700_000_060_000, "2023-11-14T22:14:20.000Z"),
            (1_699_999_999_500, "2023-11-14T22:13:19.500Z"),
            (-5, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(clockface.show(Timestamp(time)), text.as_bytes());
        }
    }

    #[test]
    fn a_text_is_plain_if_each_of_its_bytes_is() {
        for byte in 0..=u8::MAX {
            for (length, at) in [(1, 0), (8, 0), (8, 7), (9, 8), (13, 3), (16, 15)] {
                let mut text = vec![b'a'; length];
                text[at] = byte;
                let expected = matches!(byte, b' '..=b'~') && !b"\"\\".contains(&byte);
                assert_eq!(super::is_plain(&text), expected, "{byte:#x} at {at} of {length}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_the_json(path in "\\PC*|[\\x00-\\xff]{0,40}", cause in any::<String>()) {
            let line = json(&Entry { path: &path, cause: Some(&cause), ..example() });
            prop_assert_eq!(line.matches('\n').count(), 1);
            let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
            let path: String = super::redacted(super::shortened(&path)).collect();
            prop_assert_eq!(value["path"].as_str(), Some(&*path));
            prop_assert_eq!(value["cause"].as_str(), Some(super::shortened(&cause)));
        }
    }
}
