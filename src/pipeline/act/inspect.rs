//! What WeChat's answer says, as far as it is small enough to be an error.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{CONTENT_DISPOSITION, CONTENT_ENCODING};
use http::{HeaderMap, StatusCode};

use super::grants;
use super::outgoing::Outgoing;
use crate::pipeline::error::Error;
use crate::upstream::{Answer, Start};
use crate::wechat::Issuer;
use crate::wechat::catalogue::Endpoint;
use crate::wechat::errcode::{self, Proof, scan};

/// Real error bodies have 50 to 300 bytes; what is longer is content (FACTS: WeChat's error bodies
/// seen in the wild).
pub(crate) const LONGEST_ERROR: usize = 4 * 1024;

/// What an answer turned out to be.
#[derive(Default)]
pub(crate) struct Finding {
    /// The top-level errcode, if there is one that means something here.
    pub(crate) errcode: Option<i64>,
    /// The answer was looked at and begins as a JSON object.
    is_object: bool,
    /// WeChat's id of the request, from the error text.
    pub(crate) rid: Option<String>,
    /// What WeChat says where it refuses for a limit of its own.
    pub(crate) words: Option<String>,
}

impl Finding {
    /// What the answer proves of a credential of this issuer's. A user's token has no issuer here:
    /// it is sent as it is (`CredentialPlan::AsSent`), and no code of its endpoints is asked about.
    /// What isn't WeChat's JSON (a middlebox's page, the empty answer to a HEAD) proves nothing.
    pub(crate) fn proof(&self, issuer: Issuer) -> Proof {
        if self.is_object { issuer.proof(self.errcode) } else { Proof::Undecided }
    }
}

/// Reads as much of the answer as it takes to know whether it is an error.
pub(crate) async fn inspect(
    answer: &mut Answer<Outgoing>,
    endpoint: &Endpoint,
) -> Result<(Start, Finding), Error> {
    let length = answer.length();
    let small = length.is_none_or(|length| length <= LONGEST_ERROR as u64);
    let candidate =
        small && answer.status == StatusCode::OK && !answer.headers.contains_key(CONTENT_DISPOSITION);
    if !candidate && !endpoint.grants {
        return Ok((Start::Part(Bytes::new()), Finding::default()));
    }
    let gzip = is_gzip(&answer.headers);
    let decided = |bytes: &[u8]| !gzip && !may_be_json(bytes);
    let start = match endpoint.grants {
        false => answer.read(LONGEST_ERROR, decided).await?,
        true => answer.read(grants::LONGEST + 1, |_| false).await?,
    };
    if !candidate {
        return Ok((start, Finding::default()));
    }
    let (Start::Whole(bytes) | Start::Part(bytes)) = &start;
    let plain = if gzip { unpack(bytes) } else { None };
    let text = plain.as_deref().unwrap_or(bytes);
    let found = scan(text);
    // A user may have uploaded a text file that says {"errcode":40014}: WeChat's own errors bring
    // their errmsg.
    let errcode = found.errcode.filter(|_| !endpoint.binary || found.errmsg);
    let rid = errcode.filter(|code| *code != 0).and_then(|_| errcode::rid(text)).map(str::to_owned);
    let words = errcode.filter(|code| errcode::throttles(*code)).and_then(|_| errcode::words(text));
    let is_object = !text.is_empty() && may_be_json(text);
    Ok((start, Finding { errcode, is_object, rid, words }))
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

/// Whether what came so far can be the beginning of a JSON object; a byte order mark may precede
/// it.
fn may_be_json(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|first| *first == b'{')
}

/// The beginning of a gzip body, unpacked; as much as there is of one that is cut.
fn unpack(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(LONGEST_ERROR);
    let mut decoder = GzDecoder::new(bytes).take(LONGEST_ERROR as u64);
    match decoder.read_to_end(&mut plain) {
        Err(_) if plain.is_empty() => None,
        _ => Some(plain),
    }
}
