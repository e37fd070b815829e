//! Responses that hold refresh tokens of the accounts that authorised a platform: what the store
//! lacks is taken in, and each is replaced by a placeholder.

use std::borrow::Cow;
use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::placeholder;
use crate::message::body::Body;
use crate::observe::clock::Timestamp;
use crate::pipeline::error::Error;
use crate::pipeline::plan::{Plan, is_appid};
use crate::secret::Secret;
use crate::server::Response;
use crate::texts::marked;
use crate::token::Manager;
use crate::wechat::placeholder::StandsFor;
use crate::wechat::refresh_tokens::{self, Found};

/// Five hundred accounts, the most that WeChat lists at once, take a fifth of it.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// WeChat's response without refresh tokens, which are kept here; it was asked for at `asked_at`.
pub(crate) async fn keep(
    mut response: Response,
    plan: &Plan<'_>,
    manager: &Manager,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Response, Error> {
    let body = match response.body() {
        Body::Empty => return Ok(response),
        Body::Full(body) if body.len() <= LONGEST => body,
        Body::Full(_) | Body::Stream(_) => {
            return Err(Error::AnswerUnreadable(marked!("it is longer than 1 MiB, or repeats a credential")));
        }
    };
    let plain = decoded(response.headers(), body)?;
    let mut found =
        refresh_tokens::find(&plain).ok_or(Error::AnswerUnreadable(marked!("it is not a JSON object")))?;
    found.retain(|found| !found.token.is_empty());
    if found.is_empty() {
        return Ok(response);
    }
    let platform = plan.account.app;
    let granted = found.iter().filter_map(|found| Some((account(found)?, Secret::new(&*found.token))));
    manager.take_in(&platform.name, granted.collect(), asked_at).await?;
    let mut clean = Vec::with_capacity(plain.len());
    let mut done = 0;
    for found in &found {
        clean.extend_from_slice(plain.get(done..found.place.start).unwrap_or_default());
        let token = placeholder::issue(platform, StandsFor::App, account(found), plan.caller, now);
        clean.push(b'"');
        clean.extend_from_slice(token.as_bytes());
        clean.push(b'"');
        done = found.place.end;
    }
    clean.extend_from_slice(plain.get(done..).unwrap_or_default());
    *response.body_mut() = Bytes::from(clean).into();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(CONTENT_ENCODING);
    Ok(response)
}

/// Whose it is.
fn account<'f>(found: &'f Found<'_>) -> Option<&'f str> {
    found.appid.as_deref().filter(|appid| is_appid(appid))
}

fn decoded<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, Error> {
    match headers.get(CONTENT_ENCODING).map(|coding| coding.as_bytes()) {
        None => Ok(body.into()),
        Some(coding) if coding.eq_ignore_ascii_case(b"gzip") => {
            let mut plain = Vec::new();
            let read = MultiGzDecoder::new(body).take(LONGEST as u64 + 1).read_to_end(&mut plain);
            match read {
                Ok(length) if length <= LONGEST => Ok(plain.into()),
                Ok(_) => Err(Error::AnswerUnreadable(marked!("it is longer than 1 MiB"))),
                Err(_) => Err(Error::AnswerUnreadable(marked!("it is not valid gzip"))),
            }
        }
        Some(_) => Err(Error::AnswerUnreadable(marked!("it has an unexpected Content-Encoding"))),
    }
}
