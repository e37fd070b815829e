//! The token that SDKs get from the proxy: worth nothing at WeChat, it says who calls and for which
//! app.
//!
//! `wxgate-` and, in base64url, a version, the kind of token if it isn't the app's own, the time of
//! issue, appid, caller, the digest of the caller's key, and a MAC. The MAC's key derives from the
//! app's secret, so that every replica takes what another one issued.

use std::fmt;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem::Finder;
use ring::hmac;
use subtle::ConstantTimeEq;

use super::issuer::Issuer;
use crate::secret::Secret;

/// What every placeholder begins with.
pub const PREFIX: &str = "wxgate-";
/// How long after its issue a placeholder holds: ten minutes more than it says, for requests under
/// way.
pub const VALID_FOR_SECONDS: i64 = 7800;
/// The `expires_in` that goes with it. SDKs take off up to 1500 s and break on what is left if that
/// is negative.
pub const EXPIRES_IN: u32 = 7200;

/// Of those that stand for the app's own token.
const VERSION: u8 = 1;
/// Of all others: a byte says which.
const VERSION_WITH_KIND: u8 = 2;
const KEY_LABEL: &[u8] = b"wxgate placeholder v1";
const DIGEST_LENGTH: usize = 8;
const MAC_LENGTH: usize = 16;
/// The shortest text behind the prefix: 35 bytes and an appid, encoded.
const MIN_LENGTH: usize = 48;
/// Longest that is looked at; what SDKs must be able to store, by WeChat's documentation.
const MAX_LENGTH: usize = 512;

/// Finds [`PREFIX`].
pub static PREFIX_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PREFIX));

/// For which of an app's tokens a placeholder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandsFor {
    /// Its own, or that of an account for which it acts.
    App,
    /// That of a WeCom app's suite.
    Suite,
    /// That of a WeCom app's provider.
    Provider,
}

/// The contents of a placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Which token was asked for.
    pub stands_for: StandsFor,
    /// The app, by WeChat's name for it.
    pub appid: String,
    /// The caller's name; empty: anonymous.
    pub caller: String,
    /// First bytes of the SHA-256 of the caller's key; zeros: none. Removing a key invalidates its
    /// placeholders.
    pub key_digest: [u8; DIGEST_LENGTH],
    /// Time of issue in seconds since the Unix epoch.
    pub issued_at: i64,
}

/// A placeholder that could be parsed; anyone may have made it, until [`Parsed::verify`] says
/// otherwise.
#[derive(Clone)]
pub struct Parsed {
    claims: Claims,
    mac: [u8; MAC_LENGTH],
}

/// Issues a placeholder.
///
/// With an appid and caller of up to 64 bytes each, it is shorter than 230 characters. One of more
/// than 255 bytes, which the configuration doesn't allow, gives a placeholder that can't be parsed.
pub fn issue(secret: &Secret, claims: &Claims) -> String {
    let mut bytes = claims.encode();
    bytes.extend_from_slice(&mac(secret, &bytes));
    let mut text = String::from(PREFIX);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

/// Whether `text` is a placeholder, damaged or quoted perhaps, or pretends to be one.
///
/// WeChat's own tokens begin with digits and `_`; a token endpoint that returns this is a proxy,
/// not WeChat.
pub fn looks_like(text: &str) -> bool {
    PREFIX_FINDER.find(text.as_bytes()).is_some()
}

/// Whether a whole placeholder stands somewhere in `text`; a shorter word with its prefix may be a
/// name.
pub fn is_within(text: &[u8]) -> bool {
    if text.len() < PREFIX.len() + MIN_LENGTH {
        return false;
    }
    PREFIX_FINDER.find_iter(text).any(|at| {
        let rest = text.get(at + PREFIX.len()..).unwrap_or_default();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        rest.iter().take_while(|byte| plain(byte)).count() >= MIN_LENGTH
    })
}

/// Reads a placeholder without believing it; none if it isn't well-formed.
pub fn parse(text: &str) -> Option<Parsed> {
    let encoded = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_LENGTH)?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (signed, mac) = bytes.split_last_chunk::<MAC_LENGTH>()?;
    Some(Parsed { claims: Claims::decode(signed)?, mac: *mac })
}

/// Without the MAC: a log line with it would hold all that the placeholder is made of.
impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parsed").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl Parsed {
    /// What it claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether it was issued with this secret, in time that doesn't depend on how it differs. Says
    /// nothing of its age.
    pub fn verify(&self, secret: &Secret) -> bool {
        mac(secret, &self.claims.encode()).ct_eq(&self.mac).into()
    }
}

impl StandsFor {
    /// That of what `issuer` hands out.
    pub fn token_of(issuer: Issuer) -> Self {
        match issuer {
            Issuer::Suite => Self::Suite,
            Issuer::Provider => Self::Provider,
            _ => Self::App,
        }
    }

    /// Version and kind.
    fn encode(self) -> &'static [u8] {
        match self {
            Self::App => &[VERSION],
            Self::Suite => &[VERSION_WITH_KIND, 1],
            Self::Provider => &[VERSION_WITH_KIND, 2],
        }
    }

    /// And what follows it.
    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let all = [Self::App, Self::Suite, Self::Provider];
        all.into_iter().find_map(|kind| Some((kind, bytes.strip_prefix(kind.encode())?)))
    }
}

impl Claims {
    /// The bytes under the MAC; there is one spelling of each claim, so they can be made again from
    /// what was read.
    fn encode(&self) -> Vec<u8> {
        let texts = [&self.appid, &self.caller];
        let length =
            2 + 8 + texts.map(|text| 1 + text.len()).iter().sum::<usize>() + DIGEST_LENGTH + MAC_LENGTH;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(self.stands_for.encode());
        bytes.extend_from_slice(&self.issued_at.to_be_bytes());
        for text in texts {
            bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&self.key_digest);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (stands_for, rest) = StandsFor::decode(bytes)?;
        let (issued_at, rest) = rest.split_first_chunk::<8>()?;
        let (appid, rest) = text(rest)?;
        let (caller, rest) = text(rest)?;
        let key_digest = <[u8; DIGEST_LENGTH]>::try_from(rest).ok()?;
        Some(Self { stands_for, appid, caller, key_digest, issued_at: i64::from_be_bytes(*issued_at) })
    }
}

/// A text behind its length, and what follows it.
fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?.to_owned(), rest))
}

fn mac(secret: &Secret, signed: &[u8]) -> [u8; MAC_LENGTH] {
    // A key of its own: what is signed here must mean nothing to anything else that knows the app
    // secret.
    let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()), KEY_LABEL);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), signed);
    let mut mac = [0; MAC_LENGTH];
    mac.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    mac
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    use super::{Claims, MAC_LENGTH, PREFIX, StandsFor, is_within, issue, looks_like, parse};
    use crate::secret::Secret;

    fn secret() -> Secret {
        Secret::new("0123456789abcdef0123456789abcdef")
    }

    fn claims() -> Claims {
        Claims {
            stands_for: StandsFor::App,
            appid: "wx0123456789abcdef".into(),
            caller: "orders".into(),
            key_digest: [1, 2, 3, 4, 5, 6, 7, 8],
            issued_at: 1_760_000_000,
        }
    }

    #[test]
    fn what_was_issued_is_read_and_verified() {
        let read = parse(&issue(&secret(), &claims())).expect("well-formed");
        assert_eq!(read.claims(), &claims());
        assert!(read.verify(&secret()));
    }

    #[test]
    fn replicas_and_later_versions_agree_on_the_form() {
        assert_eq!(
            issue(&secret(), &claims()),
            "wxgate-AQAAAABo53gAEnd4MDEyMzQ1Njc4OWFiY2RlZgZvcmRlcnMBAgMEBQYHCJOSun37evBkkD7qP31nPD4"
        );
    }

    #[test]
    fn the_kind_of_token_is_read_too_and_cannot_be_exchanged() {
        let kinds = [StandsFor::App, StandsFor::Suite, StandsFor::Provider];
        let issued = kinds.map(|stands_for| issue(&secret(), &Claims { stands_for, ..claims() }));
        for (kind, text) in kinds.iter().zip(&issued) {
            let read = parse(text).expect("well-formed");
            assert!(read.verify(&secret()) && read.claims().stands_for == *kind, "{kind:?}");
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(&issued[1][PREFIX.len()..]).expect("base64url");
        bytes[1] = 2;
        let forged = parse(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&bytes))).expect("well-formed");
        assert!(forged.claims().stands_for == StandsFor::Provider && !forged.verify(&secret()));
        bytes[1] = 3;
        assert!(parse(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&bytes))).is_none());
    }

    #[test]
    fn debug_shows_too_little_to_build_a_placeholder() {
        let read = parse(&issue(&secret(), &claims())).expect("well-formed");
        assert!(!format!("{read:?}").contains("mac"));
    }

    #[test]
    fn another_secret_does_not_verify() {
        let read = parse(&issue(&secret(), &claims())).expect("well-formed");
        assert!(!read.verify(&Secret::new("0123456789abcdef0123456789abcdee")));
        assert!(!read.verify(&Secret::new("")));
    }

    #[test]
    fn a_forged_mac_does_not_verify() {
        let issued = issue(&secret(), &claims());
        let mut bytes = URL_SAFE_NO_PAD.decode(&issued[PREFIX.len()..]).expect("base64url");
        let length = bytes.len();
        bytes[length - MAC_LENGTH..].fill(0);
        let forged = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        assert!(!parse(&forged).expect("well-formed").verify(&secret()));
    }

    #[test]
    fn no_byte_can_be_altered() {
        let issued = issue(&secret(), &claims());
        let bytes = URL_SAFE_NO_PAD.decode(&issued[PREFIX.len()..]).expect("base64url");
        for index in 0..bytes.len() {
            for flip in [1, 0x80] {
                let mut altered = bytes.clone();
                altered[index] ^= flip;
                let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(altered));
                assert!(!parse(&text).is_some_and(|read| read.verify(&secret())), "byte {index}");
            }
        }
    }

    #[test]
    fn nothing_can_be_cut_off_or_added() {
        let issued = issue(&secret(), &claims());
        for length in 0..issued.len() {
            assert!(!parse(&issued[..length]).is_some_and(|read| read.verify(&secret())), "{length}");
        }
        for more in ["A", "AA", "AAAA", "=", " ", "\n"] {
            assert!(
                !parse(&format!("{issued}{more}")).is_some_and(|read| read.verify(&secret())),
                "{more:?}"
            );
        }
    }

    #[test]
    fn appid_and_caller_cannot_be_shifted_into_each_other() {
        let one = Claims { appid: "ab".into(), caller: "c".into(), ..claims() };
        let other = Claims { appid: "a".into(), caller: "bc".into(), ..claims() };
        assert_ne!(issue(&secret(), &one), issue(&secret(), &other));
    }

    #[test]
    fn the_longest_names_stay_below_what_sdks_store() {
        let long =
            Claims { appid: "a".repeat(64), caller: format!("{}x", "\u{4f60}".repeat(21)), ..claims() };
        let issued = issue(&secret(), &long);
        assert!(issued.len() <= 512, "{}", issued.len());
        assert!(parse(&issued).expect("well-formed").verify(&secret()));
        assert!(issued.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn names_that_the_configuration_refuses_give_nothing_readable() {
        let huge = Claims { caller: "a".repeat(300), ..claims() };
        assert!(parse(&issue(&secret(), &huge)).is_none());
    }

    #[test]
    fn a_whole_one_is_found_within_a_text_and_names_are_not() {
        let issued = issue(&secret(), &Claims { appid: "ww1".into(), caller: String::new(), ..claims() });
        assert!(is_within(issued.as_bytes()) && is_within(format!("wxgate-a;x={issued}\n").as_bytes()));
        assert!(is_within(&issued.as_bytes()[..56]), "cut");
        for name in
            ["wxgate-", "wxgate-prod.svc.cluster.local:8080", "wxgate-0b1e8f6a-2f3b-4c5d-8e7f-001122334455"]
        {
            assert!(!is_within(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_prefix_alone_tells_a_pretender() {
        assert!(looks_like("wxgate-anything") && looks_like("\"wxgate-quoted\""));
        assert!(!looks_like("57_aToken"));
        for text in ["", "wxgate", "wxgate-", "wxgate-\u{4f60}", "wxgate-====", "wxgate-AQ", "WXGATE-AQ"] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse(&format!("wxgate-{}", "A".repeat(100_000))).is_none());
    }

    proptest! {
        #[test]
        fn garbage_never_panics_nor_verifies(text in "[A-Za-z0-9_-]{0,600}", any in ".{0,100}") {
            for text in [format!("{PREFIX}{text}"), format!("{PREFIX}{any}"), any] {
                prop_assert!(!parse(&text).is_some_and(|read| read.verify(&secret())));
            }
        }

        #[test]
        fn every_claim_survives(appid in "[a-z0-9]{0,64}", caller in "[ -~]{0,64}", digest: [u8; 8], issued_at: i64) {
            let claims = Claims { stands_for: StandsFor::App, appid, caller, key_digest: digest, issued_at };
            let issued = issue(&secret(), &claims);
            prop_assert!(issued.len() <= 512);
            let read = parse(&issued).expect("well-formed");
            prop_assert_eq!(read.claims(), &claims);
            prop_assert!(read.verify(&secret()));
        }
    }
}
