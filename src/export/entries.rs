//! Keys and values as the SDKs' own caches have them.

use std::fmt;

use md5::{Digest as _, Md5};

use crate::observe::clock::Timestamp;
use crate::observe::hex::hex;
use crate::token::{AppOptions, Token};
use crate::wechat::{AppKind, TokenMode};

/// Whose cache it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// WxJava's `WxMpRedisConfigImpl` and `WxMaRedisConfigImpl`: the token as it is.
    WxJava,
    /// silenceper/wechat's `cache.Redis`: the token as it is.
    Silenceper,
    /// wechatpy's `RedisStorage`: the token as a JSON string, and a second key with its expiry.
    Wechatpy,
    /// PowerWeChat's `cache.Redis`: WeChat's response as JSON.
    PowerWeChat,
}

/// A key with its value.
pub(super) struct Entry {
    pub key: String,
    pub value: String,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WxJava => "wxjava",
            Self::Silenceper => "silenceper",
            Self::Wechatpy => "wechatpy",
            Self::PowerWeChat => "powerwechat",
        })
    }
}

impl Format {
    /// Whether it has keys that a cluster keeps on different nodes, so that they can't be written
    /// together.
    pub fn has_several_keys(self) -> bool {
        matches!(self, Self::Wechatpy)
    }

    /// All entries for `token`, the first under `key`.
    pub(super) fn entries(self, key: &str, token: &Token, now: Timestamp) -> Vec<Entry> {
        let value = token.value.expose();
        let entry = |key: String, value: String| Entry { key, value };
        match self {
            Self::WxJava | Self::Silenceper => vec![entry(key.to_owned(), value.to_owned())],
            Self::Wechatpy => vec![
                entry(key.to_owned(), json(value)),
                entry(format!("{key}_expires_at"), (token.expires_at.0 / 1000).to_string()),
            ],
            Self::PowerWeChat => {
                let seconds = token.expires_at.since(now).as_secs();
                let text = format!(r#"{{"access_token":{},"expires_in":{seconds}}}"#, json(value));
                vec![entry(key.to_owned(), text)]
            }
        }
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The key under which an SDK looks for an app's token unless its user chose another; `prefix`
/// stands for the part that is the user's choice.
pub fn key_of(format: Format, prefix: Option<&str>, app: &AppOptions) -> String {
    let appid = &app.appid;
    match format {
        Format::WxJava => {
            let prefix = prefix.unwrap_or(match app.kind {
                AppKind::MiniProgram => "wa",
                AppKind::Store => "wh",
                _ => "wx",
            });
            format!("{prefix}:access_token:{appid}")
        }
        Format::Silenceper => {
            let prefix = prefix.unwrap_or(match app.kind {
                AppKind::OfficialAccount => "gowechat_officialaccount_",
                // silenceper has no module for stores.
                AppKind::MiniProgram | AppKind::Store => "gowechat_miniprogram_",
                AppKind::Component => "gowechat_openplatform_",
                AppKind::Work => "gowechat_work_",
            });
            let family = match app.mode {
                TokenMode::Stable if app.kind.has_token_modes() => "stable_access_token",
                _ => "access_token",
            };
            format!("{prefix}_{family}_{appid}")
        }
        Format::Wechatpy => format!("{}:{appid}_access_token", prefix.unwrap_or("wechatpy")),
        Format::PowerWeChat => {
            let digest = Md5::new().chain_update(appid.as_bytes()).chain_update(app.secret.expose());
            let digest = hex(digest.finalize());
            format!("{}{digest}", prefix.unwrap_or("powerwechat.access_token."))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Format, key_of};
    use crate::secret::Secret;
    use crate::token::AppOptions;
    use crate::wechat::{AppKind, TokenMode};

    fn app(appid: &str, secret: &str, kind: AppKind, mode: TokenMode) -> AppOptions {
        AppOptions {
            name: "a".into(),
            appid: appid.into(),
            secret: Arc::new(Secret::new(secret)),
            kind,
            mode,
            probe: "/p".into(),
            agent: None,
            suite: None,
            provider_secret: None,
        }
    }

    #[test]
    fn keys_are_those_that_the_sdks_look_for() {
        use AppKind::{MiniProgram, OfficialAccount, Store};
        use TokenMode::{Classic, Stable};
        let key = |format, prefix, kind, mode| key_of(format, prefix, &app("wx1", "s", kind, mode));
        let wxjava = |prefix, kind| key(Format::WxJava, prefix, kind, Stable);
        assert_eq!(wxjava(None, OfficialAccount), "wx:access_token:wx1");
        assert_eq!(wxjava(None, MiniProgram), "wa:access_token:wx1");
        assert_eq!(wxjava(None, Store), "wh:access_token:wx1");
        assert_eq!(wxjava(Some("mine"), OfficialAccount), "mine:access_token:wx1");
        let silenceper = |kind, mode| key(Format::Silenceper, None, kind, mode);
        assert_eq!(silenceper(OfficialAccount, Classic), "gowechat_officialaccount__access_token_wx1");
        assert_eq!(silenceper(MiniProgram, Classic), "gowechat_miniprogram__access_token_wx1");
        assert_eq!(silenceper(OfficialAccount, Stable), "gowechat_officialaccount__stable_access_token_wx1");
        assert_eq!(key(Format::Wechatpy, None, OfficialAccount, Stable), "wechatpy:wx1_access_token");
        // The example of PowerWeChat's documentation; the digest there is that of the text with a
        // line feed, which its code (`GetDefaultCacheKey`) doesn't append.
        let example = app("testappid", "testsecret", OfficialAccount, Stable);
        assert_eq!(
            key_of(Format::PowerWeChat, None, &example),
            "powerwechat.access_token.4ed6a2e3bfccdf98beb48489b94cf486"
        );
    }
}
