//! The request as WeChat gets it: once, and again if it must be replayed.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body::Body as _;
use hyper::body::Incoming;

use super::ahead::{BodyStart, broke_off};
use super::body::Source;
use super::memory::Memory;
use super::outgoing::{CallerBroke, Outgoing};
use crate::message::headers;
use crate::observe::chain::causes;
use crate::pipeline::error::Error;
use crate::pipeline::options::Options;
use crate::upstream::{Answer, Need, Patience, Pool, Progress, SendError};
use crate::wechat::catalogue::Endpoint;

/// The longest target that a request can have.
const LONGEST_TARGET: usize = 65_534;
/// Of a longer body WeChat may answer before all of it has arrived, and then reset the connection.
const AT_ONCE: u64 = 16 * 1024;
/// So long a server waits for more of a body before it can have had enough of that. What it has
/// against a head it says earlier.
const WEARISOME: Duration = Duration::from_secs(2);

/// A request ready to be sent, as often as needed.
pub(crate) struct Sending<'r> {
    /// As the caller sent it: the headers for WeChat are made of them for each attempt, since
    /// nearly all need just one.
    parts: &'r Parts,
    has_length: bool,
    body: Source,
    progress: Rc<Progress>,
    request_timeout: Duration,
    /// It went out before.
    again: bool,
}

impl<'r> Sending<'r> {
    /// Prepares a caller's request; `start` stands for what was read of its body.
    pub(crate) async fn prepare(
        parts: &'r Parts,
        start: Option<BodyStart>,
        body: Incoming,
        options: &Options,
        memory: &Arc<Memory>,
    ) -> Result<Self, Error> {
        let declared = declared_length(parts, &body);
        let body = Source::of(start, body, declared, options, memory).await?;
        let bodyless = body.length() == 0 && declared.is_none();
        let has_length = !bodyless || matches!(parts.method, Method::POST | Method::PUT);
        let progress = Progress::new(body.is_at_hand());
        let request_timeout = options.request_timeout;
        Ok(Self { parts, has_length, body, progress, request_timeout, again: false })
    }

    /// Whether the same bytes can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        self.body.is_replayable()
    }

    /// What all attempts have together, each of which WeChat may take `response_timeout` to answer.
    pub(crate) fn patience(&self, response_timeout: Duration) -> Patience {
        Patience::new(Rc::clone(&self.progress), response_timeout, self.request_timeout)
    }

    /// Whether an answer with this status says that the body came too slowly: WeChat's servers may
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

    /// The request for `target` on the host `authority`; none if its body is gone.
    fn request(&mut self, target: PathAndQuery, authority: &HeaderValue) -> Option<Request<Outgoing>> {
        let mut request = Request::new(self.body.outgoing(&self.progress)?);
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = Uri::from(target);
        *request.headers_mut() = headers::request(&self.parts.headers, authority);
        if self.has_length {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(self.length()));
        }
        self.progress.restart(self.body.is_at_hand());
        self.again = true;
        Some(request)
    }

    /// Which connections will do; `once` says that it must not go out twice.
    fn need(&self, once: bool) -> Need {
        match once {
            // The connection of the answer before may be about to be reset.
            _ if self.again && self.length() > AT_ONCE => Need::Fresh,
            true => Need::Once,
            false => Need::Any,
        }
    }
}

fn target(path_and_query: Bytes) -> Result<PathAndQuery, Error> {
    if path_and_query.len() > LONGEST_TARGET {
        let text = "the path and query are longer than 65,534 bytes with the token in them";
        return Err(Error::BadRequest(text.into()));
    }
    let bad = |_| Error::BadRequest("the path or query has bytes that no URL may have".into());
    PathAndQuery::from_maybe_shared(path_and_query).map_err(bad)
}

/// The body's length, where the caller gave one. A chunked request has none, and one without either
/// has no body.
fn declared_length(parts: &Parts, body: &Incoming) -> Option<u64> {
    let length = parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    if parts.headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    length.or_else(|| body.size_hint().exact())
}

/// Sends a request. It is sent once more on a fresh connection only where WeChat can't have seen
/// it: no byte was handed to the kernel; or, for GET, where a connection that had served before was
/// closed without a byte of an answer, since WeChat's idle close may have crossed the request. A
/// message must not go out twice; so that it goes out once where WeChat closes like that often, it
/// keeps off connections that have served before.
pub(crate) async fn send(
    pool: &Rc<Pool<Outgoing>>,
    sending: &mut Sending<'_>,
    path_and_query: Bytes,
    patience: &Patience,
    endpoint: &Endpoint,
) -> Result<Answer<Outgoing>, Error> {
    let lost = || Error::BadRequest("the request's body is gone".into());
    let target = target(path_and_query)?;
    let once = sending.parts.method != Method::GET || endpoint.one_time_code;
    let ready = pool.ready(sending.need(once)).await?;
    let request = sending.request(target.clone(), ready.authority()).ok_or_else(lost)?;
    let error = match ready.send(request, patience).await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
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
    let ready = pool.ready(Need::Fresh).await?;
    let request = sending.request(target, ready.authority()).ok_or_else(lost)?;
    Ok(ready.send(request, patience).await?)
}

fn callers_doing(error: &SendError) -> Option<&CallerBroke> {
    causes(error).find_map(|cause| cause.downcast_ref())
}
