//! Users' OAuth tokens that passed through here, so that one which is sent where the app's token
//! belongs is told from what SDKs make up. Nothing about the text of a token tells whose it is.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

use crate::message::query;
use crate::wechat::catalogue;

/// Those of so many users are remembered, give or take: half a megabyte.
const PLACES: usize = 1 << 16;

/// A table of digests in which the newer takes the older one's place. Looked at without a lock or a
/// write.
#[derive(Debug)]
pub(crate) struct UserTokens {
    places: Box<[AtomicU64]>,
    /// Keyed at random, so that an attacker can't construct colliding tokens.
    hasher: RandomState,
}

impl Default for UserTokens {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new() }
    }
}

#[derive(Deserialize)]
struct LoginResponse<'a> {
    access_token: &'a str,
}

impl UserTokens {
    /// WeChat's response to a call, without an error: a login's response has the user's token in
    /// it, the call for a user's data in its query.
    pub(crate) fn learn(&self, path: &str, query: Option<&str>, answer: &[u8]) {
        match &*catalogue::normalise(path) {
            "/sns/oauth2/access_token"
            | "/sns/oauth2/refresh_token"
            | "/sns/oauth2/component/access_token"
            | "/sns/oauth2/component/refresh_token" => {
                if let Ok(login) = serde_json::from_slice::<LoginResponse<'_>>(answer) {
                    self.remember(login.access_token);
                }
            }
            "/sns/userinfo" | "/sns/auth" => {
                if let Some(token) = query.and_then(|query| query::get(query, "access_token")) {
                    self.remember(&token);
                }
            }
            _ => {}
        }
    }

    /// Whether this is the token of a user who logged in a while ago at most.
    pub(crate) fn knows(&self, token: &str) -> bool {
        let (place, digest) = self.place(token);
        place.is_some_and(|place| place.load(Ordering::Relaxed) == digest)
    }

    fn remember(&self, token: &str) {
        if let (Some(place), digest) = self.place(token) {
            place.store(digest, Ordering::Relaxed);
        }
    }

    fn place(&self, token: &str) -> (Option<&AtomicU64>, u64) {
        let digest = self.hasher.hash_one(token);
        (self.places.get(digest as usize % PLACES), digest)
    }
}

#[cfg(test)]
mod tests {
    use super::UserTokens;

    #[test]
    fn tokens_of_logins_and_of_calls_for_user_data_are_known_and_no_others() {
        let tokens = UserTokens::default();
        tokens.learn("/sns/oauth2/access_token", None, br#"{"access_token":"user-1","openid":"o"}"#);
        tokens.learn("/SNS/userinfo/", Some("access_token=user-2&openid=o"), b"{}");
        tokens.learn("/cgi-bin/user/info", Some("access_token=app-1"), br#"{"access_token":"app-2"}"#);
        assert!(tokens.knows("user-1") && tokens.knows("user-2"));
        assert!(!tokens.knows("app-1") && !tokens.knows("app-2") && !tokens.knows(""));
    }
}
