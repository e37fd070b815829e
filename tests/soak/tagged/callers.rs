//! Callers that know each byte of the answers to their requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::plan::Promise;
use super::tag::Tag;
use super::upstream::Upstream;
use super::{CALLERS, Wrong};

/// Longer than wxgate lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(100);

/// How many got what.
#[derive(Debug, Default)]
pub struct Outcomes {
    pub whole: u64,
    /// Within an answer.
    pub broken: u64,
    /// wxgate's own answers.
    pub refused: u64,
}

enum Outcome {
    Whole,
    Broken,
    Refused,
}

/// Whether WeChat's token is there.
pub async fn is_served(authority: &str) -> bool {
    let Ok(mut sender) = connect(authority).await else { return false };
    let request = http::Request::get("/cgi-bin/getcallbackip").header("Host", "x").body(Full::default());
    sender.send_request(request.expect("a request")).await.is_ok_and(|answer| answer.status() == 200)
}

/// Asks `count` times, many at once.
pub async fn ask(authority: &str, count: u64, seed: u64, upstream: &Upstream, wrong: &Wrong) -> Outcomes {
    let next = Arc::new(AtomicU64::new(0));
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        let mut random = Rng::with_seed(seed.wrapping_mul(1000) + number as u64);
        let (next, authority) = (Arc::clone(&next), authority.to_owned());
        let (upstream, wrong) = (upstream.clone(), wrong.clone());
        callers.spawn(async move {
            let mut outcomes = Outcomes::default();
            let mut connection = None;
            loop {
                let tag = Tag(next.fetch_add(1, Ordering::Relaxed));
                if tag.0 >= count {
                    return outcomes;
                }
                if tag.0 > 0 && tag.0.is_multiple_of(50_000) {
                    println!("{tag}");
                }
                let method = ["GET", "GET", "GET", "POST", "POST", "HEAD"][random.usize(..6)];
                let asked = timeout(PATIENCE, asks(&authority, &mut connection, tag, method)).await;
                let asked = asked.unwrap_or_else(|_| Err("no answer".to_owned()));
                let promised = upstream.promised(tag);
                match (asked, promised) {
                    (Err(what), _) => wrong.note(format!("{tag}, {method}, {promised:?}: {what}")),
                    (Ok(Outcome::Whole), Some((Promise::NoAnswer, kind))) => {
                        wrong.note(format!("{tag}, {method}: whole, after {kind:?}"));
                    }
                    (Ok(Outcome::Whole), None) => wrong.note(format!("{tag}, {method}: answered by nobody")),
                    (Ok(Outcome::Whole), _) => outcomes.whole += 1,
                    (Ok(_), Some((Promise::Answer, kind))) => {
                        wrong.note(format!("{tag}, {method}: no answer, after {kind:?}"));
                    }
                    (Ok(Outcome::Broken), _) => outcomes.broken += 1,
                    (Ok(Outcome::Refused), _) => outcomes.refused += 1,
                }
            }
        });
    }
    let mut all = Outcomes::default();
    while let Some(outcomes) = callers.join_next().await {
        let Outcomes { whole, broken, refused } = outcomes.expect("no caller panics");
        all.whole += whole;
        all.broken += broken;
        all.refused += refused;
    }
    all
}

#[expect(clippy::disallowed_methods, reason = "it ends with its sender")]
async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

/// One request, and what came of it; fails with what must not be.
async fn asks(
    authority: &str,
    connection: &mut Option<SendRequest<Full<Bytes>>>,
    tag: Tag,
    method: &str,
) -> Result<Outcome, String> {
    let mut kept = connection.take();
    if let Some(sender) = &mut kept
        && sender.ready().await.is_err()
    {
        kept = None;
    }
    let mut sender = match kept {
        Some(sender) => sender,
        None => connect(authority).await?,
    };
    let body = if method == "POST" { tag.question().into() } else { Bytes::new() };
    let path = if method == "POST" { "/cgi-bin/message/custom/send" } else { "/cgi-bin/user/info" };
    let request = http::Request::builder().method(method).uri(format!("{path}?openid={tag}"));
    let request = request.header("Host", "x").body(Full::new(body)).expect("a request");
    let Ok(answer) = sender.send_request(request).await else { return Ok(Outcome::Broken) };
    let (head, mut body) = answer.into_parts();
    let mut got = Vec::new();
    let whole = loop {
        match body.frame().await {
            Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    if whole {
        *connection = Some(sender);
    }
    let text = String::from_utf8_lossy(&got);
    if head.headers.contains_key("x-wxgate-error") {
        let foreign = text
            .split('T')
            .skip(1)
            .filter_map(|rest| Tag::of(&format!("T{rest}")))
            .find(|other| *other != tag);
        return foreign
            .map_or(Ok(Outcome::Refused), |other| Err(format!("an error with {other} in it: {text}")));
    }
    let shown =
        || format!("{} {:?} {}", head.status, head.headers, text.chars().take(300).collect::<String>());
    let named = head.headers.get("x-tag").and_then(|value| value.to_str().ok()).and_then(Tag::of);
    if named != Some(tag) {
        return Err(format!("another's head: {}", shown()));
    }
    let bodyless = method == "HEAD" || [204, 304].contains(&head.status.as_u16());
    let expected = if bodyless { Vec::new() } else { tag.answer() };
    match whole {
        true if got == expected => Ok(Outcome::Whole),
        false if expected.starts_with(&got) => Ok(Outcome::Broken),
        _ => Err(format!("whole: {whole}, another's body: {}", shown())),
    }
}
