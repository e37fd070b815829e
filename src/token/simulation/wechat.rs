//! WeChat's part in tokens: which is valid, and who fetched when and why.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::upstream::control::{Answer, CallError, Script, Scripted};
use crate::wechat::TokenMode;

const LIFETIME: u64 = 7200;

/// The one account.
pub(super) struct WeChat {
    mode: TokenMode,
    state: Mutex<AccountState>,
}

#[derive(Default)]
struct AccountState {
    /// Number of the valid token; none after a rotation from outside.
    live: Option<u64>,
    issued: u64,
    fetches: Vec<TokenCall>,
    /// Chance that a response is lost, or comes late.
    lossy: f64,
    lost: Vec<Instant>,
}

/// A call of a token endpoint.
#[derive(Clone, Debug)]
pub(super) struct TokenCall {
    pub at: Instant,
    pub replica: usize,
    pub forced: bool,
    /// No token was valid.
    pub needed: bool,
}

impl WeChat {
    pub(super) fn new(mode: TokenMode) -> Arc<Self> {
        Arc::new(Self { mode, state: Mutex::default() })
    }

    /// Another party fetched, which invalidates our token.
    pub(super) fn rotate(&self) {
        self.state().live = None;
    }

    pub(super) fn lossy(&self, chance: f64) {
        self.state().lossy = chance;
    }

    pub(super) fn lives(&self, token: &str) -> bool {
        self.state().live.is_some_and(|live| token == name(live))
    }

    pub(super) fn fetches(&self) -> Vec<TokenCall> {
        self.state().fetches.clone()
    }

    /// When responses were lost or late.
    pub(super) fn lost(&self) -> Vec<Instant> {
        self.state().lost.clone()
    }

    /// What a replica's control client does in place of calls.
    pub(super) fn script(self: &Arc<Self>, replica: usize) -> Arc<Script> {
        let wechat = Arc::clone(self);
        Arc::new(move |call| {
            let wechat = Arc::clone(&wechat);
            Box::pin(async move { wechat.answer(replica, call).await })
        })
    }

    async fn answer(&self, replica: usize, call: Scripted) -> Result<Answer, CallError> {
        sleep(way()).await;
        let body = if call.path.contains("token") {
            self.fetch(replica, call.body.contains("\"force_refresh\":true"))
        } else if call.query.strip_prefix("access_token=").is_some_and(|token| self.lives(token)) {
            r#"{"ip_list":[]}"#.to_owned()
        } else {
            r#"{"errcode":40001,"errmsg":"invalid credential"}"#.to_owned()
        };
        if call.path.contains("token") && fastrand::f64() < self.state().lossy {
            self.state().lost.push(Instant::now());
            if fastrand::bool() {
                return Err(CallError::Timeout(Duration::ZERO));
            }
            sleep(Duration::from_millis(fastrand::u64(500..4000))).await;
        }
        sleep(way()).await;
        Ok(Answer { status: StatusCode::OK, headers: http::HeaderMap::new(), body: body.into() })
    }

    fn fetch(&self, replica: usize, forced: bool) -> String {
        let mut state = self.state();
        let needed = state.live.is_none();
        state.fetches.push(TokenCall { at: Instant::now(), replica, forced, needed });
        let number = match state.live {
            Some(live) if self.mode == TokenMode::Stable && !forced => live,
            _ => {
                state.issued += 1;
                state.issued
            }
        };
        state.live = Some(number);
        format!(r#"{{"access_token":"{}","expires_in":{LIFETIME}}}"#, name(number))
    }

    fn state(&self) -> MutexGuard<'_, AccountState> {
        self.state.lock()
    }
}

fn name(number: u64) -> String {
    format!("token-{number}")
}

/// To WeChat, or back.
pub(super) fn way() -> Duration {
    let most = if fastrand::u8(..8) == 0 { 400 } else { 30 };
    Duration::from_millis(fastrand::u64(1..most))
}
