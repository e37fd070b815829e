//! `GET /api/v1/events`: what the page shows, every two seconds, as server-sent events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::answer;
use super::backend::Admin;
use super::snapshot::snapshot;
use crate::api::Snapshot;
use crate::message::body::{Body, Broken};
use crate::server::Response;
use crate::texts::{Language, text};

const PERIOD: Duration = Duration::from_secs(2);

/// Each holds a connection and takes a snapshot every two seconds.
const MOST_LISTENERS: usize = 64;

/// Sent if nothing has changed, so that the client knows that the stream is open.
const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// What is sent to all clients.
#[derive(Debug)]
pub(super) struct Feed {
    places: Arc<Semaphore>,
    begun: Instant,
    /// In each language, with its turn: made once for all clients.
    latest: Mutex<[Option<(u128, Bytes)>; 2]>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST_LISTENERS)),
            begun: Instant::now(),
            latest: Mutex::default(),
        }
    }

    fn turn(&self) -> u128 {
        self.begun.elapsed().as_millis() / PERIOD.as_millis()
    }

    fn next_turn_at(&self) -> Instant {
        let within = self.begun.elapsed().as_nanos() % PERIOD.as_nanos();
        Instant::now() + PERIOD - Duration::from_nanos(u64::try_from(within).unwrap_or_default())
    }

    fn event(&self, admin: &Admin, language: Language, fresh: bool) -> Bytes {
        let turn = self.turn();
        let latest = &mut self.latest.lock()[language as usize];
        match latest {
            Some((made_in, event)) if *made_in == turn && !fresh => event.clone(),
            _ => {
                let event = language.scope(|| written(&snapshot(admin)));
                *latest = Some((turn, event.clone()));
                event
            }
        }
    }
}

fn written(snapshot: &Snapshot) -> Bytes {
    let mut event = b"event: snapshot\ndata: ".to_vec();
    if let Err(error) = serde_json::to_writer(&mut event, snapshot) {
        tracing::error!(error = &error as &dyn std::error::Error, "{}", text!("could not write a snapshot"));
        return KEEP_ALIVE;
    }
    event.extend_from_slice(b"\n\n");
    event.into()
}

/// The stream, or 503 if too many clients follow.
pub(super) fn answer(feed: &Arc<Feed>, admin: &Arc<Admin>) -> Response {
    let Ok(place) = Arc::clone(&feed.places).try_acquire_owned() else {
        let problem = text!("{most} clients follow already", most = MOST_LISTENERS);
        return answer::error(StatusCode::SERVICE_UNAVAILABLE, problem);
    };
    let listener = Listener {
        feed: Arc::clone(feed),
        admin: Arc::clone(admin),
        language: Language::current(),
        draining: admin.state.draining.subscribe(),
        sent: None,
        _place: place,
    };
    answer::events(Body::stream(Stream { next: Some(Box::pin(listener.next())) }))
}

struct Listener {
    feed: Arc<Feed>,
    admin: Arc<Admin>,
    language: Language,
    draining: watch::Receiver<bool>,
    sent: Option<Bytes>,
    _place: OwnedSemaphorePermit,
}

/// What is to be sent, and the listener that waits for the next.
type Turn = (Bytes, Option<Listener>);

impl Listener {
    /// The first snapshot is sent at once; the last one says that the process drains.
    async fn next(mut self) -> Turn {
        let mut draining = *self.draining.borrow();
        if self.sent.is_some() {
            tokio::select! {
                begun = self.draining.wait_for(|draining| *draining) => draining = begun.is_ok(),
                () = sleep_until(self.feed.next_turn_at()) => {}
            }
        }
        let event = self.feed.event(&self.admin, self.language, draining);
        let same = self.sent.as_ref() == Some(&event);
        self.sent = Some(event.clone());
        (if same { KEEP_ALIVE } else { event }, (!draining).then_some(self))
    }
}

struct Stream {
    next: Option<Pin<Box<dyn Future<Output = Turn>>>>,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let (bytes, listener) = ready!(next.as_mut().poll(context));
        self.next = listener.map(|listener| Box::pin(listener.next()) as _);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
