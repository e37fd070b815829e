//! What WeChat's response says, as far as it is small enough to be an error.

use std::io::Read as _;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::StatusCode;
use http::header::CONTENT_DISPOSITION;

use super::conceal::{ContentCoding, Manner, SentCredentials};
use super::grants;
use super::outgoing::Outgoing;
use crate::pipeline::error::Error;
use crate::upstream::{BodyError, Start, UpstreamResponse};
use crate::wechat::Issuer;
use crate::wechat::catalogue::Endpoint;
use crate::wechat::errcode::{self, Proof, scan};

/// Real error bodies have 50 to 300 bytes; what is longer is content (FACTS: WeChat's error bodies
/// seen in the wild).
pub(crate) const LONGEST_ERROR: usize = 4 * 1024;
/// How long a response is held back at most for what has not come of it.
const LONGEST_PEEK: Duration = Duration::from_secs(1);

/// What a response turned out to be.
#[derive(Default)]
pub(crate) struct Finding {
    /// The top-level errcode, if there is one that means something here.
    pub(crate) errcode: Option<i64>,
    /// The response was looked at and begins as a JSON object.
    is_object: bool,
    /// The peek ended before the response said anything.
    pub(crate) cut: bool,
    /// WeChat's id of the request, from the error text.
    pub(crate) rid: Option<String>,
    /// What WeChat says where it refuses for a limit of its own.
    pub(crate) words: Option<String>,
    /// The address that WeChat refuses.
    pub(crate) address: Option<IpAddr>,
}

impl Finding {
    /// What the response proves of a credential of this issuer's. A user's token has no issuer
    /// here: it is sent as it is (`CredentialPlan::AsSent`), and no code of its endpoints is asked
    /// about. What isn't WeChat's JSON (a middlebox's page, the empty response to a HEAD) proves
    /// nothing.
    pub(crate) fn proof(&self, issuer: Issuer) -> Proof {
        if self.is_object { issuer.proof(self.errcode) } else { Proof::Undecided }
    }
}

/// A response that was looked at.
pub(super) struct Inspected {
    pub(super) start: Start,
    pub(super) finding: Finding,
    /// What is still to be done to its body.
    pub(super) manner: Manner,
}

/// Reads as much of the response as it takes to know whether it is an error, and no longer than a
/// second; one that holds refresh tokens whole, within `whole_within`.
pub(super) async fn inspect(
    answer: &mut UpstreamResponse<Outgoing>,
    endpoint: &Endpoint,
    sent: &SentCredentials,
    whole_within: Duration,
) -> Result<Inspected, Error> {
    let length = answer.length();
    let small = length.is_none_or(|length| length <= LONGEST_ERROR as u64);
    let candidate =
        small && answer.status == StatusCode::OK && !answer.headers.contains_key(CONTENT_DISPOSITION);
    let looked_at = candidate || endpoint.grants;
    let passes = |manner| {
        let (start, finding) = (Start::Part(Bytes::new()), Finding::default());
        Ok(Inspected { start, finding, manner })
    };
    if !looked_at && matches!(answer.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
        return passes(Manner::AsItIs);
    }
    let coding = ContentCoding::of(answer);
    let mut manner = sent.manner(answer, coding);
    if !looked_at {
        return passes(manner);
    }
    let gzip = coding == ContentCoding::Gzip;
    let mut start = match endpoint.grants {
        false => answer.read(LONGEST_ERROR, LONGEST_PEEK, |bytes| !may_be_error(bytes, gzip)).await?,
        true => answer.read(grants::LONGEST + 1, whole_within, |_| false).await?,
    };
    let mut cut = false;
    match &start {
        Start::Whole(bytes) => match manner {
            Manner::Overwrite => {
                manner = Manner::AsItIs;
                if let Some(clean) = sent.masked(bytes) {
                    start = Start::Whole(clean.into());
                }
            }
            Manner::Unpack
                if (endpoint.grants || bytes.len() <= LONGEST_ERROR) && !sent.are_in_gzip(bytes) =>
            {
                manner = Manner::AsItIs;
            }
            Manner::Unpack | Manner::AsItIs | Manner::Drop => {}
        },
        Start::Part(bytes) if endpoint.grants && bytes.len() <= grants::LONGEST => {
            return Err(BodyError::Slow(whole_within).into());
        }
        Start::Part(bytes) => cut = bytes.len() < LONGEST_ERROR && may_be_error(bytes, gzip),
    }
    let (Start::Whole(bytes) | Start::Part(bytes)) = &start;
    let finding = match candidate {
        true if cut => Finding { cut, ..Finding::default() },
        true => {
            let mut finding = judge(bytes, gzip, endpoint);
            finding.words = finding.words.map(|words| match sent.masked(words.as_bytes()) {
                Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
                None => words,
            });
            finding
        }
        false => Finding::default(),
    };
    Ok(Inspected { start, finding, manner })
}

/// What `bytes`, all of a response or its beginning, say.
pub(super) fn judge(bytes: &[u8], gzip: bool, endpoint: &Endpoint) -> Finding {
    let plain = if gzip { unpack(bytes) } else { None };
    let text = plain.as_deref().unwrap_or(bytes);
    let found = scan(text);
    // A user may have uploaded a text file that says {"errcode":40014}: WeChat's own errors bring
    // their errmsg.
    let errcode = found.errcode.filter(|_| !endpoint.binary || found.errmsg);
    let rid = errcode.filter(|code| *code != 0).and_then(|_| errcode::rid(text)).map(str::to_owned);
    let words = errcode.filter(|code| errcode::throttles(*code)).and_then(|_| errcode::words(text));
    let address = errcode.filter(|code| errcode::refuses_address(*code)).and_then(|_| refused_address(text));
    let is_object = !text.is_empty() && may_be_json(text);
    Finding { errcode, is_object, cut: false, rid, words, address }
}

fn refused_address(text: &[u8]) -> Option<IpAddr> {
    errcode::whitelist_address(std::str::from_utf8(text).ok()?)?.parse().ok()
}

/// Whether what came so far can be the beginning of one of WeChat's errors.
pub(super) fn may_be_error(bytes: &[u8], gzip: bool) -> bool {
    gzip || may_be_json(bytes)
}

/// Whether what came so far can be the beginning of a JSON object; a byte order mark may precede
/// it.
pub(super) fn may_be_json(bytes: &[u8]) -> bool {
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
