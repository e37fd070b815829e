//! The header that ties a request to a trace: W3C Trace Context,
//! <https://www.w3.org/TR/trace-context/>.

use http::HeaderMap;
use http::header::HeaderName;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A trace's id, in 32 lower-case hexadecimal digits.
pub type TraceId = [u8; 32];

/// What a sane `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    trace_id: TraceId,
    parent_id: [u8; 16],
    /// Whether the caller records its own part.
    pub sampled: bool,
}

impl Traceparent {
    /// What the headers say; none where there is no `traceparent`, several, or a broken one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes())
    }

    /// `VERSION-TRACE-PARENT-FLAGS`. A version yet to come may add fields, but not change these.
    fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(55)?;
        let [v0, v1, b'-', rest @ ..] = known else { return None };
        let future = match [*v0, *v1] {
            [b'0', b'0'] => false,
            [b'f', b'f'] => return None,
            version => is_hex(&version).then_some(true)?,
        };
        if !(more.is_empty() || future && more.starts_with(b"-")) {
            return None;
        }
        let (trace_id, rest) = rest.split_first_chunk::<32>()?;
        let (parent_id, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<16>()?;
        let flags = rest.strip_prefix(b"-")?;
        let is_id = |id: &[u8]| is_hex(id) && id.iter().any(|digit| *digit != b'0');
        if !is_id(trace_id) || !is_id(parent_id) || !is_hex(flags) {
            return None;
        }
        let sampled = flags.last().is_some_and(|digit| char::from(*digit).to_digit(16).unwrap_or(0) & 1 == 1);
        Some(Self { trace_id: *trace_id, parent_id: *parent_id, sampled })
    }

    /// The trace's id.
    pub fn trace_id(&self) -> &str {
        str::from_utf8(&self.trace_id).unwrap_or_default()
    }

    /// The caller's span, in 16 lower-case hexadecimal digits.
    pub fn parent_id(&self) -> &str {
        str::from_utf8(&self.parent_id).unwrap_or_default()
    }
}

/// Lower case alone, as the specification demands.
fn is_hex(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::Traceparent;

    const SANE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_sane_header_names_trace_parent_and_sampling() {
        let parsed = Traceparent::parse(SANE.as_bytes()).expect("sane");
        assert_eq!(
            (parsed.trace_id(), parsed.parent_id(), parsed.sampled),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true)
        );
        let unsampled = SANE.replace("-01", "-02");
        assert!(!Traceparent::parse(unsampled.as_bytes()).expect("sane").sampled);
    }

    #[test]
    fn a_later_version_may_say_more() {
        for later in [SANE.replacen("00-", "cc-", 1), format!("{}-more", SANE.replacen("00-", "cc-", 1))] {
            assert!(Traceparent::parse(later.as_bytes()).is_some(), "{later}");
        }
    }

    #[test]
    fn what_is_broken_ties_to_nothing() {
        let long = format!("{SANE}-more");
        let glued = format!("{}more", SANE.replacen("00-", "cc-", 1));
        for broken in [
            "",
            "00",
            &SANE[..54],
            &long,
            &glued,
            &SANE.replacen("00-", "ff-", 1),
            &SANE.replacen("00-", "0x-", 1),
            &SANE.to_uppercase(),
            &SANE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &SANE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &SANE.replace("00f067aa0ba902b7", "00f067aa0ba902\"7"),
            &SANE.replace("-01", "-0g"),
            &SANE.replace("4736-", "47360"),
        ] {
            assert_eq!(Traceparent::parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn two_headers_tie_to_nothing() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", SANE.parse().expect("a value"));
        assert!(Traceparent::of(&headers).is_some());
        headers.append("traceparent", SANE.parse().expect("a value"));
        assert_eq!(Traceparent::of(&headers), None);
    }
}
