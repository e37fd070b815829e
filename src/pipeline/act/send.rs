//! The request as WeChat gets it: once, and again if it must be replayed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::ahead::{BodyStart, broke_off};
use super::body::BodySource;
use super::memory::Memory;
use super::outgoing::{CallerBroke, Outgoing};
use super::signing::{self, Signing};
use crate::message::headers;
use crate::message::noted::Noted;
use crate::observe::chain::causes;
use crate::pipeline::error::Error;
use crate::pipeline::options::Options;
use crate::pipeline::plan::Head;
use crate::secret::Secret;
use crate::texts::{Words, words};
use crate::upstream::{Need, Patience, Pool, PooledConnection, Progress, SendError, UpstreamResponse};
use crate::wechat::catalogue::Endpoint;

/// The longest target that a request can have.
const LONGEST_TARGET: usize = 65_534;
/// To a longer body WeChat may respond before all of it has arrived, and then reset the connection.
const AT_ONCE: u64 = 16 * 1024;
/// So long a server waits for more of a body before it can have had enough of that. What it has
/// against a head it says earlier.
const WEARISOME: Duration = Duration::from_secs(2);

/// A request ready to be sent, as often as needed.
pub(crate) struct Sending<'r> {
    /// As the caller sent it: the headers for WeChat are made of it for each attempt, since nearly
    /// all need just one.
    head: &'r Head<'r>,
    has_length: bool,
    body: BodySource,
    progress: Rc<Progress>,
    request_timeout: Duration,
    /// It went out before.
    again: bool,
    /// Boxed, since few are signed.
    signing: Option<Box<Signing>>,
    /// A secret of ours in the body.
    secret: Option<Arc<Secret>>,
}

impl<'r> Sending<'r> {
    /// Prepares a caller's request; `start` stands for what was read of its body.
    pub(crate) async fn prepare(
        head: &'r Head<'r>,
        start: Option<BodyStart>,
        body: Incoming,
        options: &Options,
        memory: &Arc<Memory>,
    ) -> Result<Self, Error> {
        let declared = declared_length(&head.noted, &body);
        let secret = start.as_ref().and_then(|start| start.secret.clone());
        let body = BodySource::of(start, body, declared, options, memory).await?;
        let bodyless = body.length() == 0 && declared.is_none();
        let has_length = !bodyless || matches!(head.parts.method, Method::POST | Method::PUT);
        let progress = Progress::new();
        let request_timeout = options.request_timeout;
        Ok(Self { head, has_length, body, progress, request_timeout, again: false, signing: None, secret })
    }

    /// Prepares a caller's request that is signed on its way.
    pub(crate) fn signed(head: &'r Head<'r>, signing: Signing, body: Bytes, options: &Options) -> Self {
        Self {
            head,
            has_length: true,
            body: BodySource::Full { bytes: body, _memory: None },
            progress: Progress::new(),
            request_timeout: options.request_timeout,
            again: false,
            signing: Some(Box::new(signing)),
            secret: None,
        }
    }

    /// The secret of ours in its body; empty if there is none.
    pub(super) fn secret(&self) -> Bytes {
        self.secret
            .as_ref()
            .map(|secret| Bytes::copy_from_slice(secret.expose().as_bytes()))
            .unwrap_or_default()
    }

    /// What it is signed by, if it is.
    pub(super) fn signing(&self) -> Option<&Signing> {
        self.signing.as_deref()
    }

    /// Signs it for another attempt, if it is to be signed.
    pub(super) async fn seal(&mut self) -> Result<(), Error> {
        if let Some(signing) = &mut self.signing {
            let bytes = Box::pin(signing.seal()).await?;
            self.body = BodySource::Full { bytes, _memory: None };
        }
        Ok(())
    }

    /// Whether the same bytes can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        self.body.is_replayable()
    }

    /// What all attempts have together, each of which may take WeChat `response_timeout`.
    pub(crate) fn patience(&self, response_timeout: Duration) -> Patience {
        Patience::new(Rc::clone(&self.progress), response_timeout, self.request_timeout)
    }

    /// Whether a response with this status says that the body came too slowly: WeChat's servers may
    /// have less patience for it than wxgate, and say so by a page that reads like anything else.
    pub(super) fn came_too_slowly(&self, status: StatusCode) -> bool {
        match status {
            StatusCode::REQUEST_TIMEOUT => self.progress.awaited().is_some(),
            StatusCode::BAD_REQUEST => self.progress.awaited().is_some_and(|awaited| awaited >= WEARISOME),
            _ => false,
        }
    }

    /// Bytes of the body.
    pub(crate) fn length(&self) -> u64 {
        self.body.length()
    }

    /// Sends the request for `target` on this connection.
    async fn attempt(
        &mut self,
        mut ready: PooledConnection,
        target: &[u8],
        patience: &Patience,
    ) -> Result<UpstreamResponse<Outgoing>, Attempted> {
        let unsendable = |text| Attempted::Unsendable(Error::BadRequest(text));
        let body = self.body.outgoing(&self.progress);
        let body = body.ok_or_else(|| unsendable(words!("the request body is gone")))?;
        let Head { parts, noted, .. } = self.head;
        let added = if self.signing.is_some() { signing::HEADERS } else { 0 };
        let head = ready.begin(&parts.method, target, headers::most_sent(&parts.headers, noted) + added);
        let mut head = head.map_err(|bad| unsendable(Words::of(|| bad.to_string())))?;
        match &self.signing {
            None => headers::request(&parts.headers, noted, |name, value| head.field(name, value)),
            Some(signing) => signing.headers(self.head, |name, value| head.field(name, value)),
        }
        head.end(self.has_length.then(|| self.length()));
        self.progress.restart();
        self.again = true;
        ready.send(body, patience).await.map_err(Attempted::Failed)
    }

    /// Which connections will do; `once` says that it must not go out twice.
    fn need(&self, once: bool) -> Need {
        match once {
            // The connection of the response before may be about to be reset.
            _ if self.again && self.length() > AT_ONCE => Need::Fresh,
            true => Need::Once,
            false => Need::Any,
        }
    }
}

/// The body's length, where the caller gave one. A chunked request has none, and one without either
/// has no body.
fn declared_length(noted: &Noted<'_>, body: &Incoming) -> Option<u64> {
    let length = noted.length?.to_str().ok()?.parse().ok();
    if noted.coded {
        return None;
    }
    length.or_else(|| body.size_hint().exact())
}

/// Sends a request. It is sent once more on a fresh connection only where WeChat can't have seen
/// it: no byte was handed to the kernel; or, for GET, where a connection that had served before was
/// closed without a byte of a response, since WeChat's idle close may have crossed the request. A
/// message must not go out twice; so that it goes out once where WeChat closes like that often, it
/// keeps off connections that have served before.
pub(crate) async fn send(
    pool: &Rc<Pool>,
    sending: &mut Sending<'_>,
    target: &[u8],
    patience: &Patience,
    endpoint: &Endpoint,
    now: Instant,
) -> Result<UpstreamResponse<Outgoing>, Error> {
    if target.len() > LONGEST_TARGET {
        return Err(Error::BadRequest(words!("path and query with the token are longer than 65,534 bytes")));
    }
    let once = sending.head.parts.method != Method::GET || endpoint.one_time_code;
    let ready = pool.ready(sending.need(once), now).await?;
    let error = match sending.attempt(ready, target, patience).await {
        Ok(answer) => return Ok(answer),
        Err(Attempted::Failed(error)) => error,
        Err(Attempted::Unsendable(error)) => return Err(error),
    };
    let repeatable = match &error {
        SendError::Broken { sent: false, .. } => true,
        SendError::Broken { stale, .. } => *stale && !once && patience.is_left(),
        SendError::Connect(_) | SendError::Switched | SendError::Timeout(_) | SendError::Stalled(_) => false,
    };
    if let Some(CallerBroke(source)) = callers_doing(&error) {
        return Err(broke_off(source));
    }
    if !repeatable || !sending.is_replayable() {
        return Err(error.into());
    }
    let ready = pool.ready(Need::Fresh, Instant::now()).await?;
    Ok(sending.attempt(ready, target, patience).await?)
}

/// Why an attempt brought no response.
enum Attempted {
    Failed(SendError),
    /// There was no request to be sent.
    Unsendable(Error),
}

impl From<Attempted> for Error {
    fn from(attempted: Attempted) -> Self {
        match attempted {
            Attempted::Failed(error) => error.into(),
            Attempted::Unsendable(error) => error,
        }
    }
}

fn callers_doing(error: &SendError) -> Option<&CallerBroke> {
    causes(error).find_map(|cause| cause.downcast_ref())
}
