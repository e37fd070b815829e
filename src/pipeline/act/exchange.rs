//! The exchange with WeChat: sends the request, and again with another token where WeChat rejects
//! the one it had.

use std::rc::Rc;

use http::{Response as HttpResponse, StatusCode};
use tokio::time::Instant;

use super::ahead;
use super::attempts::Attempts;
use super::conceal::{self, ContentCoding, Manner, SentCredentials};
use super::inject::{self, Injected};
use super::inspect::{self, Finding, Inspected};
use super::late::{Late, Look};
use super::outgoing::Outgoing;
use super::replay::{self, Decision};
use super::send::{self, Sending};
use super::signing::Signing;
use crate::message::body::Body;
use crate::message::headers;
use crate::pipeline::error::Error;
use crate::pipeline::plan::{CredentialPlan, KeptToken, RequestTarget};
use crate::server::Response;
use crate::upstream::{Patience, Pool, Start, UpstreamResponse};
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
    pool: &Rc<Pool>,
    target: &RequestTarget<'_>,
    credential: &CredentialPlan<'_>,
    mut sending: Sending<'_>,
    mut injected: Injected,
    attempts: &mut Attempts,
) -> Result<Exchanged, Error> {
    let patience = sending.patience(pool.options().response_timeout_at(target.endpoint.slow));
    let mut replayed_alive = false;
    let mut sent = SentCredentials::default();
    sent.add(sending.secret());
    loop {
        let Injected { path_and_query, generation, credential: credential_sent } = injected;
        sent.add(credential_sent);
        sending.seal().await?;
        let sent_at = Instant::now();
        attempts.begin(generation, sent_at);
        let attempt = attempt(pool, target, &path_and_query, &mut sending, &patience, &sent, sent_at).await;
        attempts.signed.extend(sending.signing().and_then(Signing::outcome));
        let (answer, inspected) = attempt.inspect_err(|error| attempts.failed(sent_at, error))?;
        let Inspected { start, finding, manner } = inspected;
        attempts.answered(sent_at, answer.status, &finding);
        let token = match (credential, generation) {
            (CredentialPlan::Token(token), Some(generation)) => Some((token, generation)),
            _ => None,
        };
        let look = finding.cut.then(|| {
            let nothing = Finding::default();
            let rejection =
                |generation| replay::rejection(generation, target, &nothing, sent_at, replayed_alive);
            Box::new(Look {
                gzip: ContentCoding::of(&answer) == ContentCoding::Gzip,
                endpoint: target.endpoint,
                errcode: attempts.is_late(),
                token: token
                    .map(|(token, generation)| (token.handle.clone(), token.issuer, rejection(generation))),
            })
        });
        // Gives the connection of a whole response back, before a new token is waited for.
        let response = respond(answer, Unread { start, manner, look }, target, credential, &sent);
        let rejected = token.filter(|(token, _)| finding.proof(token.issuer) == Proof::Dead);
        let Some((KeptToken { handle, param, .. }, generation)) = rejected else {
            return Ok(Exchanged { response, finding, generation, sent_at });
        };
        attempts.rejected();
        let rejection = replay::rejection(generation, target, &finding, sent_at, replayed_alive);
        let verdict = handle.rejected(rejection).await;
        attempts.judged(&verdict);
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

/// One attempt: sends the request and finds out what the response is.
async fn attempt(
    pool: &Rc<Pool>,
    target: &RequestTarget<'_>,
    path_and_query: &[u8],
    sending: &mut Sending<'_>,
    patience: &Patience,
    sent: &SentCredentials,
    now: Instant,
) -> Result<(UpstreamResponse<Outgoing>, Inspected), Error> {
    let endpoint = target.endpoint;
    let mut answer = send::send(pool, sending, path_and_query, patience, endpoint, now).await?;
    if sending.came_too_slowly(answer.status) {
        return Err(ahead::too_slow(answer.status));
    }
    let whole_within = pool.options().response_timeout_at(endpoint.slow);
    let inspected = match sending.signing() {
        None => inspect::inspect(&mut answer, endpoint, sent, whole_within).await?,
        Some(signing) => Box::pin(signing.inspect(&mut answer, endpoint, sent, whole_within)).await?,
    };
    Ok((answer, inspected))
}

/// WeChat's response for the caller.
fn respond(
    mut answer: UpstreamResponse<Outgoing>,
    body: Unread,
    target: &RequestTarget<'_>,
    credential: &CredentialPlan<'_>,
    sent: &SentCredentials,
) -> Response {
    let Unread { start, manner, look } = body;
    let mut response = HttpResponse::new(Body::Empty);
    *response.status_mut() = answer.status;
    let mut headers = std::mem::take(&mut answer.headers);
    headers::response(&mut headers);
    if answer.status.is_redirection() && !matches!(credential, CredentialPlan::AsSent) {
        conceal::conceal_redirect(&mut headers, target.endpoint);
    }
    sent.conceal(&mut headers);
    let mut body = match start {
        Start::Whole(bytes) => {
            answer.finish();
            Body::from(bytes)
        }
        Start::Part(bytes) => Body::stream(answer.into_stream(bytes)),
    };
    if let Some(look) = look {
        body = Body::stream(Late::new(body, look));
    }
    *response.body_mut() = sent.conceal_in(manner, body, &mut headers);
    *response.headers_mut() = headers;
    response
}

/// A response's body, and what is to be done to it.
struct Unread {
    start: Start,
    manner: Manner,
    /// Boxed, since few have one.
    look: Option<Box<Look>>,
}

impl Exchanged {
    /// Whether WeChat took the request as far as HTTP goes, and what it says of it is known.
    pub(crate) fn is_ok(&self) -> bool {
        self.response.status() == StatusCode::OK && !self.finding.cut
    }
}
