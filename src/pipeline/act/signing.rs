//! A request that is signed and encrypted on its way (API 安全), and its response: the caller sends
//! and gets plain JSON.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::Incoming;

use super::ahead::{BodyStart, read_on};
use super::conceal::{Manner, SentCredentials};
use super::inspect::{self, Finding, Inspected, LONGEST_ERROR};
use super::memory::Reservation;
use super::outgoing::Outgoing;
use super::signers::{SignedOutcome, Signers};
use crate::message::{headers, query};
use crate::pipeline::error::{Error, quoted};
use crate::pipeline::plan::{Head, RequestTarget};
use crate::texts::{marked, words};
use crate::upstream::{BodyError, Start, UpstreamResponse};
use crate::wechat::catalogue::Endpoint;
use crate::wechat::signing::{self, Keys, Merged, Sealed, Signed, Unverified, merge};

/// The longest response that is decrypted.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
/// So much of a response is read at a time.
const STEP: usize = 64 * 1024;
/// Of each byte of a body there are so many at once: the caller's, the merged and the encrypted
/// ones, the latter in base64, and what is signed.
const COPIES: u64 = 6;
/// Bytes of what signing adds to a head, at most.
pub(super) const HEADERS: usize = 2 * 1024;

const NO_RANDOMNESS: &str = marked!("could not sign the request: the system has no randomness");

/// What a signed request is made of.
pub(crate) struct Signing {
    keys: Arc<Keys>,
    signers: Arc<Signers>,
    path: Arc<str>,
    fields: Arc<Merged>,
    /// Of the latest attempt.
    headers: HeaderMap,
    /// Of the latest attempt's response.
    outcome: Cell<Option<SignedOutcome>>,
    _memory: Reservation,
}

impl Signing {
    /// Reads the caller's body whole, if it is no longer than `limit`, and joins the query to it.
    /// Returns the caller's bytes too.
    pub(crate) async fn read(
        keys: &Arc<Keys>,
        signers: &Arc<Signers>,
        target: &RequestTarget<'_>,
        start: Option<BodyStart>,
        mut body: Incoming,
        limit: u64,
    ) -> Result<(Self, Bytes), Error> {
        let mut memory = Reservation::of(&signers.memory.known);
        let mut reserve = |more: u64| match memory.grow(more * COPIES) {
            true => Ok(()),
            false => {
                Err(Error::Overloaded(marked!("too many request bodies are being signed (replay.memory)")))
            }
        };
        let (bytes, ended) = start.map_or_else(Default::default, |start| (start.bytes.to_vec(), start.whole));
        reserve(bytes.len() as u64)?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let (bytes, ended) = match ended {
            true => (bytes, true),
            false => read_on(bytes, &mut body, most, reserve).await?,
        };
        if !ended || bytes.len() > most {
            return Err(Error::TooLargeToSign { limit });
        }
        let query = query::rewrite("", target.query, None);
        let query = String::from_utf8_lossy(query.strip_prefix(b"?").unwrap_or_default());
        let fields = merge(&bytes, &query);
        let fields = fields.map_err(|why| {
            Error::BadRequest(words!(
                "could not sign this request (app.signing): {why}",
                why = format_args!("{}", quoted(&why.to_string()))
            ))
        })?;
        let signing = Self {
            keys: Arc::clone(keys),
            signers: Arc::clone(signers),
            path: target.path.into(),
            fields: Arc::new(fields),
            headers: HeaderMap::new(),
            outcome: Cell::new(None),
            _memory: memory,
        };
        Ok((signing, bytes.into()))
    }

    /// Encrypts and signs the request for another attempt; its body.
    pub(super) async fn seal(&mut self) -> Result<Bytes, Error> {
        let (keys, clock) = (Arc::clone(&self.keys), self.signers.clock.clone());
        let (path, fields) = (Arc::clone(&self.path), Arc::clone(&self.fields));
        // The time is of when it is its turn.
        let sealed = self.signers.run(move || keys.seal(&path, &fields, clock.now())).await?;
        let Sealed { body, headers } = sealed.map_err(|_| Error::Overloaded(NO_RANDOMNESS))?;
        self.headers = headers;
        Ok(body)
    }

    /// Gives `field` each header that goes to WeChat.
    pub(super) fn headers(&self, head: &Head<'_>, mut field: impl FnMut(&HeaderName, &HeaderValue)) {
        headers::request(&head.parts.headers, &head.noted, |name, value| {
            if *name != ACCEPT_ENCODING && *name != RANGE && !is_of_body(name) {
                field(name, value);
            }
        });
        field(&CONTENT_TYPE, &HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            field(name, value);
        }
    }

    /// What the response to the latest attempt was taken for.
    pub(super) fn outcome(&self) -> Option<SignedOutcome> {
        self.outcome.take()
    }

    /// Reads the response whole, verifies and decrypts it; an error of WeChat's and what isn't JSON
    /// may come in clear.
    pub(super) async fn inspect(
        &self,
        answer: &mut UpstreamResponse<Outgoing>,
        endpoint: &Endpoint,
        sent: &SentCredentials,
        whole_within: Duration,
    ) -> Result<Inspected, Error> {
        let signed = Signed::of(&answer.headers).is_some();
        let inspected = match signed {
            true => self.open(answer, endpoint, sent, whole_within).await,
            false if answer.status == StatusCode::OK => clear(answer, endpoint, sent, whole_within).await,
            // No success is claimed by it.
            false => inspect::inspect(answer, endpoint, sent, whole_within).await,
        };
        self.outcome.set(match &inspected {
            Ok(_) if signed => Some(SignedOutcome::Verified),
            Ok(_) => Some(SignedOutcome::Clear),
            Err(Error::AnswerUnverified(_)) => Some(SignedOutcome::Unverified),
            Err(_) => None,
        });
        headers::remove(&mut answer.headers, |name| signing::is_header(name.as_str()));
        inspected
    }

    async fn open(
        &self,
        answer: &mut UpstreamResponse<Outgoing>,
        endpoint: &Endpoint,
        sent: &SentCredentials,
        whole_within: Duration,
    ) -> Result<Inspected, Error> {
        let unverified = |why| Err(Error::AnswerUnverified(why));
        let mut memory = Reservation::of(&self.signers.memory.known);
        let mut body = BytesMut::new();
        loop {
            // In steps, so that a response without a length takes no more memory than it has.
            let read = answer.read(STEP, whole_within, |_| false).await?;
            let (Start::Whole(piece) | Start::Part(piece)) = &read;
            if body.len() + piece.len() > LONGEST_ANSWER {
                return unverified(Unverified::TooLong(LONGEST_ANSWER));
            }
            if !memory.grow(piece.len() as u64 * COPIES) {
                return unverified(Unverified::NoMemory);
            }
            body.extend_from_slice(piece);
            match read {
                Start::Whole(_) => break,
                Start::Part(piece) if piece.len() < STEP => return Err(BodyError::Slow(whole_within).into()),
                Start::Part(_) => {}
            }
        }
        let (keys, path) = (Arc::clone(&self.keys), Arc::clone(&self.path));
        let (headers, clock) = (answer.headers.clone(), self.signers.clock.clone());
        let opened = self.signers.run(move || {
            let signed = Signed::of(&headers).ok_or(Unverified::Clear)?;
            keys.open(&path, signed, &body, clock.now())
        });
        let opened = opened.await?.map_err(Error::AnswerUnverified)?;
        if let Some(serial) = opened.announced {
            self.signers.announce(self.keys.appid(), serial);
        }
        answer.headers.remove(CONTENT_LENGTH);
        headers::remove(&mut answer.headers, tells_of_bytes);
        let mut body = Bytes::from(opened.body);
        let mut finding = Finding::default();
        if answer.status == StatusCode::OK && body.len() <= LONGEST_ERROR {
            body = sent.masked(&body).map_or(body, Bytes::from);
            finding = inspect::judge(&body, false, endpoint);
        }
        Ok(Inspected { start: Start::Whole(body), finding, manner: Manner::AsItIs })
    }
}

/// Whether a header tells of a body's bytes, which are others once it is encrypted or decrypted.
fn tells_of_bytes(name: &HeaderName) -> bool {
    matches!(name.as_str(), "content-md5" | "digest" | "content-digest" | "repr-digest" | "etag")
}

/// Whether a header is of a caller's body, and not of the encrypted one.
fn is_of_body(name: &HeaderName) -> bool {
    *name == CONTENT_TYPE || *name == CONTENT_ENCODING || tells_of_bytes(name)
}

/// An unsigned response with status 200: good for an error, and for what isn't JSON.
async fn clear(
    answer: &mut UpstreamResponse<Outgoing>,
    endpoint: &Endpoint,
    sent: &SentCredentials,
    whole_within: Duration,
) -> Result<Inspected, Error> {
    // An unrequested coding could contain anything.
    let coded = answer.headers.contains_key(CONTENT_ENCODING) || !answer.codings.is_empty();
    let start = answer.read(LONGEST_ERROR + 1, whole_within, |bytes| !inspect::may_be_json(bytes)).await?;
    let (bytes, whole) = match &start {
        Start::Whole(bytes) => (bytes, true),
        Start::Part(bytes) => (bytes, false),
    };
    // It may be empty: that claims success as well.
    if !coded && !inspect::may_be_json(bytes) && !says_json(answer) {
        return Ok(Inspected { start, finding: Finding::default(), manner: Manner::AsItIs });
    }
    let finding = match !coded && whole && bytes.len() <= LONGEST_ERROR {
        true => inspect::judge(bytes, false, endpoint),
        false => Finding::default(),
    };
    if matches!(finding.errcode, None | Some(0)) {
        return Err(Error::AnswerUnverified(Unverified::Clear));
    }
    let start = sent.masked(bytes).map_or(start, |clean| Start::Whole(clean.into()));
    Ok(Inspected { start, finding, manner: Manner::AsItIs })
}

fn says_json(answer: &UpstreamResponse<Outgoing>) -> bool {
    let kind = answer.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.windows(4).any(|word| word.eq_ignore_ascii_case(b"json"))
}
