//! The callback address: where WeChat pushes a third-party platform's tickets and authorisations,
//! and WeCom a suite's.
//!
//! It is the only part that the internet reaches, so it discloses nothing: what isn't a push of a
//! configured platform gets an empty response, the same for every reason.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::Instant;

mod delivery;
mod outcome;
mod platforms;
mod replay;

pub use self::delivery::{Arrived, DELIVERY, Deliver, NotTaken, Pending};
pub use self::outcome::LONGEST_BODY;
use self::outcome::{Counts, Outcome};
pub use self::platforms::PlatformOptions;
use self::platforms::{Platform, Platforms};
use crate::message::body::Body;
use crate::observe::clock::Clock;
use crate::observe::exposition::Exposition;
use crate::server::{self, Handler, Peer, Refusal, Repeated, Request, Response, TrustedProxies};
use crate::texts::text;
use crate::wechat::callback::{open, open_echo};

/// How long a push's body may take to arrive, however steadily it does.
const BODY: Duration = Duration::from_secs(5);
/// Tight, since anyone can connect; WeChat sends a push at once.
const CONNECTIONS: usize = 256;

/// The options for connections to the callback address; `callers` are those of callers.
pub fn server_options(callers: &server::Options) -> server::Options {
    server::Options {
        max_connections: CONNECTIONS,
        // WeChat's pushes may all come from the one proxy in front of it.
        max_connections_per_address: CONNECTIONS,
        head_timeout: BODY,
        idle_timeout: Duration::from_secs(15),
        // An idle timeout doesn't end a body before it must be complete.
        body_timeout: 2 * BODY,
        write_timeout: BODY,
        drain_delay: callers.drain_delay,
        drain_timeout: callers.drain_timeout,
        ..server::Options::default()
    }
}

/// The handler of the callback address; shared by its workers.
pub struct Callbacks {
    platforms: Platforms,
    trusted_proxies: ArcSwap<TrustedProxies>,
    deliver: Deliver,
    clock: Clock,
    counts: Counts,
    /// TLS that came to this plain port.
    tls: Mutex<Repeated>,
}

/// Serves [`Callbacks`] on one worker.
#[derive(Clone)]
pub struct Endpoint(pub Arc<Callbacks>);

impl Callbacks {
    /// Receives the pushes for `platforms` and passes their events to `deliver`.
    pub fn new(platforms: Vec<PlatformOptions>, clock: Clock, deliver: Deliver) -> Self {
        let callbacks = Self {
            platforms: Platforms::default(),
            trusted_proxies: ArcSwap::default(),
            deliver,
            clock,
            counts: Counts::default(),
            tls: Mutex::default(),
        };
        callbacks.configure(platforms);
        callbacks
    }

    /// Replaces the platforms. A push that was seen stays seen.
    pub fn configure(&self, platforms: Vec<PlatformOptions>) {
        self.platforms.configure(platforms);
    }

    /// Replaces the proxies that are trusted on where pushes come from.
    pub fn trust(&self, proxies: TrustedProxies) {
        self.trusted_proxies.store(Arc::new(proxies));
    }

    /// Adds the metrics to a scrape.
    pub fn expose(&self, out: &mut Exposition) {
        self.counts.expose(out);
    }

    async fn answer(&self, request: Request, peer: Peer) -> Response {
        let remote = self.trusted_proxies.load().remote(peer, request.headers());
        let named = request.uri().path().strip_prefix("/callback/");
        let Some(platform) = named.and_then(|name| self.platforms.find(name)) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let (outcome, event, response) = match *request.method() {
            Method::POST => {
                let (outcome, event) = self.push(&platform, request).await;
                let success = matches!(outcome, Outcome::Success).then_some("success".into());
                (outcome, event, success)
            }
            Method::GET => match self.echo(&platform, request.uri().query().unwrap_or_default()) {
                Ok(echo) => (Outcome::Echo, "none", Some(echo.into())),
                Err(outcome) => (outcome, "none", None),
            },
            _ => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
                return response;
            }
        };
        self.counts.add(&platform.name, event, &outcome);
        outcome.log(&platform.name, event, remote);
        response.map_or_else(|| empty(outcome.status()), text)
    }

    /// Processes a push: its outcome, and the name of its event once that is known.
    async fn push(&self, platform: &Platform, request: Request) -> (Outcome, &'static str) {
        let (head, body) = request.into_parts();
        let body = match read(body).await {
            Ok(body) => body,
            Err(outcome) => return (outcome, "none"),
        };
        let push = match open(&platform.key, head.uri.query().unwrap_or_default(), &body) {
            Ok(push) => push,
            Err(rejected) => return (Outcome::Rejected(rejected), "none"),
        };
        let event = push.event.name();
        let turn = match platform.seen.admit(&push, self.clock.now()) {
            Ok(turn) => turn,
            Err(refused) => return (Outcome::Refused(refused), event),
        };
        let arrived = Arrived { app: Arc::clone(&platform.name), event: push.event };
        match tokio::time::timeout(DELIVERY, (self.deliver)(arrived)).await {
            Ok(Ok(())) => turn.keep(),
            Ok(Err(not_taken)) => return (Outcome::NotTaken(not_taken), event),
            Err(_) => return (Outcome::NotTakenInTime, event),
        }
        (Outcome::Success, event)
    }

    fn echo(&self, platform: &Platform, query: &str) -> Result<String, Outcome> {
        let (echo, sent) = open_echo(&platform.key, query).map_err(Outcome::Rejected)?;
        replay::check_age(sent, self.clock.now()).map_err(Outcome::Refused)?;
        Ok(echo)
    }
}

async fn read(body: Incoming) -> Result<Bytes, Outcome> {
    match tokio::time::timeout(BODY, Limited::new(body, LONGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Outcome::TooLong),
        Ok(Err(_)) => Err(Outcome::Broken),
        Err(_) => Err(Outcome::TooSlow),
    }
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

fn text(text: Body) -> Response {
    let mut response = Response::new(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

impl Handler for Endpoint {
    async fn handle(&self, request: Request, peer: Peer) -> Response {
        self.0.answer(request, peer).await
    }

    fn refuse(&self, refusal: Refusal, peer: Peer) -> Option<http::Response<Bytes>> {
        let status = match refusal {
            Refusal::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::AmbiguousFraming => StatusCode::BAD_REQUEST,
            Refusal::NotHttp => {
                if let Some(connections) = self.0.tls.lock().add(Instant::now()) {
                    tracing::warn!(
                        remote = %peer.remote(),
                        connections,
                        "{}",
                        text!(
                            "TLS connection to the callback address, which takes plain HTTP alone: the proxy in front of it \
                             must terminate TLS"
                        )
                    );
                }
                return None;
            }
            Refusal::Malformed
            | Refusal::RawTarget
            | Refusal::HeadTooLarge { .. }
            | Refusal::TooManyFields
            | Refusal::TargetTooLong
            | Refusal::NotTls => return None,
        };
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = status;
        Some(response)
    }
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callbacks").field("platforms", &self.platforms).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Endpoint").field(&self.0).finish()
    }
}
