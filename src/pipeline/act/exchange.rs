//! The exchange with WeChat: sends the request, and again with another token where WeChat rejects
//! the one it had.

use std::rc::Rc;

use bytes::Bytes;
use http::{Response as HttpResponse, StatusCode};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::inject::{self, Injected};
use super::inspect::{self, Finding};
use super::outgoing::Outgoing;
use super::replay::{self, Decision};
use super::send::{self, Sending};
use crate::message::body::Body;
use crate::message::headers;
use crate::pipeline::error::Error;
use crate::pipeline::plan::{CredentialPlan, KeptToken, Target};
use crate::server::Response;
use crate::upstream::{Answer, Patience, Pool, Start};
use crate::wechat::errcode::Proof;

/// What an exchange came to.
pub(crate) struct Exchanged {
    /// WeChat's, fit for the caller.
    pub(crate) response: Response,
    pub(crate) finding: Finding,
    /// Of the token that it is the response to.
    pub(crate) generation: Option<u64>,
    pub(crate) sent_at: Instant,
}

/// Sends the request with `injected`, and again with another token where WeChat rejects the one it
/// had.
pub(crate) async fn exchange(
    pool: &Rc<Pool<Outgoing>>,
    target: &Target<'_>,
    credential: &CredentialPlan<'_>,
    mut sending: Sending<'_>,
    mut injected: Injected,
    attempts: &mut Attempts,
) -> Result<Exchanged, Error> {
    let patience = sending.patience(pool.options().response_timeout_at(target.endpoint.slow));
    let mut replayed_alive = false;
    loop {
        let Injected { path_and_query, generation } = injected;
        let sent_at = Instant::now();
        attempts.begin(generation, sent_at);
        let attempt = attempt(pool, target, path_and_query, &mut sending, &patience).await;
        let (answer, start, finding) = attempt.inspect_err(|error| attempts.failed(sent_at, error))?;
        attempts.answered(sent_at, answer.status, &finding);
        // Gives the connection of a whole answer back, before a new token is waited for.
        let response = respond(answer, start, target, credential);
        let rejected = match (credential, generation) {
            (CredentialPlan::Token(token), Some(generation))
                if finding.proof(token.issuer) == Proof::Dead =>
            {
                Some((token, generation))
            }
            _ => None,
        };
        let Some((KeptToken { handle, param, .. }, generation)) = rejected else {
            return Ok(Exchanged { response, finding, generation, sent_at });
        };
        attempts.rejected();
        let rejection = replay::rejection(generation, target, &finding, sent_at, replayed_alive);
        let verdict = handle.rejected(rejection).await;
        let may = sending.is_replayable() && attempts.replays < replay::MOST;
        match replay::decide(verdict, may, &patience).await? {
            Decision::PassOn => {
                return Ok(Exchanged { response, finding, generation: Some(generation), sent_at });
            }
            Decision::Again { with, alive } => {
                replayed_alive = alive;
                injected = inject::inject(target, *param, &with);
                attempts.replay();
            }
        }
    }
}

/// One attempt: sends the request and finds out what the answer is.
async fn attempt(
    pool: &Rc<Pool<Outgoing>>,
    target: &Target<'_>,
    path_and_query: Bytes,
    sending: &mut Sending<'_>,
    patience: &Patience,
) -> Result<(Answer<Outgoing>, Start, Finding), Error> {
    let mut answer = send::send(pool, sending, path_and_query, patience, target.endpoint).await?;
    let (start, finding) = inspect::inspect(&mut answer, target.endpoint).await?;
    Ok((answer, start, finding))
}

/// WeChat's answer for the caller.
fn respond(
    mut answer: Answer<Outgoing>,
    start: Start,
    target: &Target<'_>,
    credential: &CredentialPlan<'_>,
) -> Response {
    let mut response = HttpResponse::new(Body::Empty);
    *response.status_mut() = answer.status;
    let mut headers = std::mem::take(&mut answer.headers);
    headers::response(&mut headers);
    if answer.status.is_redirection() && !matches!(credential, CredentialPlan::AsSent) {
        inject::conceal(&mut headers, target.endpoint);
    }
    *response.headers_mut() = headers;
    *response.body_mut() = match start {
        Start::Whole(bytes) => {
            answer.finish();
            Body::from(bytes)
        }
        Start::Part(bytes) => Body::stream(answer.into_stream(bytes)),
    };
    response
}

impl Exchanged {
    /// Whether WeChat took the request as far as HTTP goes.
    pub(crate) fn is_ok(&self) -> bool {
        self.response.status() == StatusCode::OK
    }
}
