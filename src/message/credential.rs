//! The names by which WeChat's credentials go, and what a server may take for one of them.
//!
//! Servers differ in what they make of a name: some know no case, PHP reads `.` and a space as `_`
//! and `a[]` as `a`, others cut at a NUL or split at `;`. So a name is looked for by its letters
//! and digits alone.

use super::percent::Decoded;

/// A query parameter that carries one of WeChat's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialParam {
    /// The app's own token, and the user's OAuth token.
    AccessToken,
    /// A third-party platform's.
    ComponentAccessToken,
    /// A WeCom suite's.
    SuiteAccessToken,
    /// A WeCom service provider's.
    ProviderAccessToken,
    /// Cloud hosting's, which WeChat takes in place of the first two.
    CloudbaseAccessToken,
}

/// The names of an app's secret. A caller's own may be its API key.
pub const SECRETS: [&str; 2] = ["secret", "appsecret"];

/// Length of the longest name.
const LONGEST_NAME: usize = 22;
/// Length of the shortest, which is a secret's.
const SHORTEST_NAME: usize = 6;

impl CredentialParam {
    /// The parameter's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::ComponentAccessToken => "component_access_token",
            Self::SuiteAccessToken => "suite_access_token",
            Self::ProviderAccessToken => "provider_access_token",
            Self::CloudbaseAccessToken => "cloudbase_access_token",
        }
    }

    /// The one whose name is `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::from_name(name.as_bytes())
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"access_token" => Self::AccessToken,
            b"component_access_token" => Self::ComponentAccessToken,
            b"suite_access_token" => Self::SuiteAccessToken,
            b"provider_access_token" => Self::ProviderAccessToken,
            b"cloudbase_access_token" => Self::CloudbaseAccessToken,
            _ => return None,
        })
    }

    /// The one whose name decodes once from `name`.
    pub(super) fn spelled(name: &[u8]) -> Option<Self> {
        if memchr::memchr(b'%', name).is_none() {
            return Self::from_name(name);
        }
        let mut decoded = Room::default();
        decoded.fill(Decoded(name))?;
        Self::from_name(decoded.text())
    }

    /// The one that a server may take `name` for.
    pub(super) fn resembled(name: &[u8]) -> Option<Self> {
        if let Some(exact) = Self::from_name(name) {
            return Some(exact);
        }
        let mut room = Room::default();
        Some(match room.letters(name)? {
            b"accesstoken" => Self::AccessToken,
            b"componentaccesstoken" => Self::ComponentAccessToken,
            b"suiteaccesstoken" => Self::SuiteAccessToken,
            b"provideraccesstoken" => Self::ProviderAccessToken,
            b"cloudbaseaccesstoken" => Self::CloudbaseAccessToken,
            _ => return None,
        })
    }
}

/// Whether a server may take `name` for that of a secret.
pub(super) fn resembles_secret(name: &[u8]) -> bool {
    matches!(Room::default().letters(name), Some(b"secret" | b"appsecret"))
}

/// The raw values of all that a server may take for secrets in one parameter or field: `;` may
/// separate too.
pub(super) fn secrets_in(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b';').filter_map(|piece| {
        let end = memchr::memchr(b'=', piece).unwrap_or(piece.len());
        let (name, value) = piece.split_at_checked(end)?;
        resembles_secret(name).then(|| value.get(1..).unwrap_or_default())
    })
}

/// Whether a name with this text before its `=` is that of a credential, or ends with one.
pub fn ends_a_name(before: &str) -> bool {
    let start = before.rfind(['/', '&']).map_or(0, |at| at + 1);
    let letters = before.bytes().skip(start).filter(u8::is_ascii_alphanumeric);
    let letters: Vec<u8> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
    letters.ends_with(b"accesstoken") || letters.ends_with(b"secret")
}

/// A look at the length and the end of a name, which rules out nearly all other names:
/// the names of tokens end in `n`, those of secrets in `t`, but for what may follow these.
pub(super) fn may_resemble(name: &[u8]) -> bool {
    let [.., third, _, last] = name else { return false };
    name.len() >= SHORTEST_NAME
        && (matches!(last | 0x20, b'n' | b't') || !last.is_ascii_alphanumeric() || *third == b'%')
}

/// As much of a name as that of a credential can have.
#[derive(Default)]
struct Room {
    bytes: [u8; LONGEST_NAME],
    length: usize,
}

impl Room {
    /// Takes all of `bytes`; none if they are too many.
    fn fill(&mut self, bytes: impl Iterator<Item = u8>) -> Option<()> {
        for byte in bytes {
            *self.bytes.get_mut(self.length)? = byte;
            self.length += 1;
        }
        Some(())
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The letters and digits that decode once from `name`, in lower case; none if it can't be a
    /// credential's.
    fn letters(&mut self, name: &[u8]) -> Option<&[u8]> {
        if !may_resemble(name) {
            return None;
        }
        let letters = Decoded(name).filter(u8::is_ascii_alphanumeric);
        self.fill(letters.map(|byte| byte.to_ascii_lowercase()))?;
        Some(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::{CredentialParam, ends_a_name, resembles_secret, secrets_in};

    #[test]
    fn a_name_is_known_by_its_letters_and_digits_alone() {
        for name in [
            "access_token",
            "ACCESS_TOKEN",
            "Access_Token",
            "accesstoken",
            "accessToken",
            "access-token",
            "access.token",
            "access+token",
            "access%20token",
            "access%5Ftoken",
            "access_token%00",
            "access_token%2500",
            "%00access_token",
            "+access_token",
            "access_token[]",
            "access_token%5B%5D",
            "access_token%",
            "access_toke%6e",
            "access_toke%4E",
            "a%63cess_token",
            "[access]token",
            "access?token",
            "access_token\u{a0}",
            "access_token%FF",
        ] {
            let found = CredentialParam::resembled(name.as_bytes());
            assert_eq!(
                found,
                (name != "access_token%2500").then_some(CredentialParam::AccessToken),
                "{name}"
            );
        }
        for (name, is_one) in [
            ("Component.Access.Token", true),
            ("suiteAccessToken", true),
            ("provider%5faccess%5ftoken", true),
            ("CLOUDBASE-ACCESS-TOKEN", true),
            ("access_tokens", false),
            ("xaccess_token", false),
            ("my_access_token", false),
            ("device_access_token", false),
            ("refresh_token", false),
            ("access%255Ftoken", false),
            ("access_token2", false),
            ("token", false),
            ("openid", false),
            ("", false),
            ("n", false),
        ] {
            assert_eq!(CredentialParam::resembled(name.as_bytes()).is_some(), is_one, "{name}");
        }
        for name in
            ["secret", "Secret", "SECRET", "secret[]", "app.secret", "AppSecret", "%73ecret", "secret%00"]
        {
            assert!(resembles_secret(name.as_bytes()), "{name}");
        }
        for name in ["my_secret", "secrets", "corpsecret", "secret1", "ticket", "s"] {
            assert!(!resembles_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn secrets_are_looked_for_behind_a_semicolon_too() {
        let found = |text: &'static str| secrets_in(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(found("Secret=K"), [b"K"]);
        assert_eq!(found("js_code=C;secret=K;appsecret"), [&b"K"[..], b""]);
        assert_eq!(found("amp;secret=K=L"), [b"K=L"]);
        assert!(found("a=secret;b=secret").is_empty());
    }

    #[test]
    fn a_name_may_stand_at_the_end_of_a_path() {
        for before in
            ["/a&access_token", "/a/Access.Token", "/aaccess_token", "/a&b=1&suite_access_token", "/s&secret"]
        {
            assert!(ends_a_name(before), "{before}");
        }
        for before in ["/a&openid", "/access_token/x", "/secret&x", "/a"] {
            assert!(!ends_a_name(before), "{before}");
        }
    }
}
