//! A request that carries another of the app's credentials.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::fields::with_credential;
use super::response::{FetchError, Object, object};
use crate::secret::{Secret, mask};
use crate::texts::{Words, words};
use crate::token::{Failure, Handle, Rejection, Token, Verdict};
use crate::upstream::control::{Answer, Call, CallError, Control};
use crate::wechat::Issuer;
use crate::wechat::catalogue::{self, Endpoint};
use crate::wechat::errcode::{Proof, casts_doubt, scan};

/// The most replays of a request whose own credential was rejected.
const REPLAYS: usize = 2;

/// The call, with a token in its query.
pub(super) struct CallByToken<'a> {
    pub path: &'static str,
    /// What stands before the credential.
    pub query: &'a str,
    /// None: a GET.
    pub body: Option<&'a str>,
    /// What WeChat's text is not to show.
    pub secret: &'a Secret,
    /// Of the credential that it carries.
    pub issuer: Issuer,
}

impl CallByToken<'_> {
    /// Returns WeChat's object, which has no errcode but 0. WeChat may reject the credential, or
    /// return an errcode that may come of a dead one: then the credential is checked, replaced if
    /// it is dead, and the request replayed.
    pub(super) async fn make(
        &self,
        control: &Control,
        by: &Handle,
        timeout: Duration,
    ) -> Result<Object, FetchError> {
        let mut token = by.obtain().await.map_err(|error| without(error.cause, 0))?;
        let mut replayed_alive = false;
        let mut replays = 0;
        loop {
            let sent_at = Instant::now();
            let answer = self.once(control, &token, timeout).await;
            let code = answer.as_ref().ok().and_then(|answer| scan(&answer.body).errcode);
            let rejected = self.issuer.proof(code) == Proof::Dead;
            let Some(errcode) = code.filter(|code| rejected || casts_doubt(*code)) else {
                return self.read(answer, &token);
            };
            let rejection = Rejection {
                generation: token.generation,
                endpoint: u64::from(self.endpoint().id),
                endpoint_path: self.path,
                errcode,
                sent_at,
                received_at: Instant::now(),
                replayed_alive,
            };
            let mut again = replays < REPLAYS;
            let mut pause = Duration::ZERO;
            match by.rejected(rejection).await {
                Verdict::Replay(newer) => (token, replayed_alive) = (newer, false),
                Verdict::ReplayAfter(same, delay) => (token, replayed_alive, pause) = (same, true, delay),
                Verdict::PassOn => again = false,
                Verdict::Unavailable(error) => return Err(without(error.cause, token.generation)),
            }
            if !again {
                // Where a secret is sent, a code that rejects a token accuses the secret; so it
                // isn't read as WeChat's response.
                if rejected {
                    return Err(without(
                        words!("WeChat rejects it with {errcode}", errcode),
                        token.generation,
                    ));
                }
                let blamed = Some(token.generation);
                return self.read(answer, &token).map_err(|error| FetchError { blamed, ..error });
            }
            sleep(pause).await;
            replays += 1;
        }
    }

    /// Without the credential that it carried: the rest of a response may go to callers.
    fn read(&self, answer: Result<Answer, CallError>, by: &Token) -> Result<Object, FetchError> {
        let answer = answer.map(|answer| {
            let clean = mask::masked(&answer.body, [by.value.expose().as_bytes()]);
            Answer { body: clean.map_or(answer.body, Into::into), ..answer }
        });
        object(answer, self.issuer.family(), &[self.secret, &by.value])
    }

    fn endpoint(&self) -> &'static Endpoint {
        catalogue::find_at(self.issuer.family(), self.path)
    }

    async fn once(&self, control: &Control, token: &Token, timeout: Duration) -> Result<Answer, CallError> {
        let query = with_credential(self.query, self.issuer.parameter(), &token.value);
        match self.body {
            None => control.call(Call::Get { path: self.path, query: &query }, timeout).await,
            Some(body) => {
                let path = Zeroizing::new(format!("{}?{}", self.path, &*query));
                control.call(Call::Post { path: &path, body }, timeout).await
            }
        }
    }
}

/// The fetch failed because of the credential that it is made with, of generation `blamed`.
fn without(cause: Words, blamed: u64) -> FetchError {
    let failure =
        Failure::transient(words!("the credential to fetch it with is not available: {cause}", cause));
    FetchError { blamed: Some(blamed), ..FetchError::of(failure) }
}
