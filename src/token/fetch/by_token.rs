//! A call that carries another of the app's credentials.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::answer::FetchError;
use super::fields::with_credential;
use crate::token::{Failure, Handle, Rejection, Token, Verdict};
use crate::upstream::control::{Answer, Call, CallError, Control};
use crate::wechat::Issuer;
use crate::wechat::catalogue::{self, Endpoint};
use crate::wechat::errcode::Proof;
use crate::wechat::errcode::scan;

/// How often a call is made again at most whose own credential was rejected.
const REPLAYS: usize = 2;

/// The call, with a token in its query.
pub(super) struct CallByToken<'a> {
    pub path: &'static str,
    /// What stands before the credential.
    pub query: &'a str,
    /// None: a GET.
    pub body: Option<&'a str>,
    /// Of the credential that it carries.
    pub issuer: Issuer,
}

impl CallByToken<'_> {
    /// WeChat may reject the credential as it may any caller's: then it is replaced, and the call
    /// made again.
    pub(super) async fn make(
        &self,
        control: &Control,
        by: &Handle,
        timeout: Duration,
    ) -> Result<Result<Answer, CallError>, FetchError> {
        let mut token = by.obtain().await.map_err(|error| without(&error.cause))?;
        let mut replayed_alive = false;
        let mut replays = 0;
        loop {
            let sent_at = Instant::now();
            let answer = self.once(control, &token, timeout).await;
            let code = answer.as_ref().ok().and_then(|answer| scan(&answer.body).errcode);
            let (Some(errcode), Proof::Dead) = (code, self.issuer.proof(code)) else { return Ok(answer) };
            let rejection = Rejection {
                generation: token.generation,
                endpoint: u64::from(self.endpoint().id),
                endpoint_path: self.path,
                errcode,
                sent_at,
                received_at: Instant::now(),
                replayed_alive,
            };
            match by.rejected(rejection).await {
                Verdict::Replay(newer) => (token, replayed_alive) = (newer, false),
                Verdict::ReplayAfter(same, delay) => {
                    sleep(delay).await;
                    (token, replayed_alive) = (same, true);
                }
                Verdict::PassOn => return Err(without(&format!("WeChat rejects it with {errcode}"))),
                Verdict::Unavailable(error) => return Err(without(&error.cause)),
            }
            replays += 1;
            if replays > REPLAYS {
                return Err(without(&format!("WeChat goes on rejecting it with {errcode}")));
            }
        }
    }

    fn endpoint(&self) -> &'static Endpoint {
        catalogue::find_at(self.issuer.family(), self.path)
    }

    async fn once(&self, control: &Control, token: &Token, timeout: Duration) -> Result<Answer, CallError> {
        let query = with_credential(self.query, self.issuer.credential(), &token.value);
        match self.body {
            None => control.call(Call::Get { path: self.path, query: &query }, timeout).await,
            Some(body) => {
                let path = Zeroizing::new(format!("{}?{}", self.path, &*query));
                control.call(Call::Post { path: &path, body }, timeout).await
            }
        }
    }
}

fn without(cause: &str) -> FetchError {
    let failure = Failure::transient(format!("the credential to fetch it with is not to be had: {cause}"));
    FetchError { failure, lost: false }
}
