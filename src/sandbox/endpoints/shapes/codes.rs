//! QR codes, mini-program codes, and short keys.

use bytes::Bytes;
use serde_json::Value;

use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// A month: neither a code nor a key lives longer.
const LONGEST_S: u64 = 2_592_000;
/// Bytes of what a short key stands for.
const LONGEST_DATA: usize = 4096;
/// Bytes of a mini program's path.
const LONGEST_PATH: usize = 1024;

/// The smallest JFIF that viewers take for a picture. Its comment holds what must not be mistaken
/// for an error.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\
    \xff\xfe\x00\x3a{\"errcode\":40001,\"errmsg\":\"a comment in a picture only\"}\xff\xd9";

/// Seconds that a body asks for, `default` where it doesn't.
fn seconds(body: &Value, default: u64) -> Result<u64, Answer> {
    let asked = body.get("expire_seconds").map_or(Some(default), Value::as_u64);
    asked.filter(|seconds| (1..=LONGEST_S).contains(seconds)).ok_or_else(|| Answer::error(40035))
}

/// `POST /cgi-bin/qrcode/create`: only what is temporary says for how long.
pub(in crate::sandbox::endpoints) fn qrcode(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let is_temporary = match text(&body, "action_name") {
            Some("QR_SCENE" | "QR_STR_SCENE") => true,
            Some("QR_LIMIT_SCENE" | "QR_LIMIT_STR_SCENE") => false,
            _ => return Err(Answer::error_with(40053, "invalid action info")),
        };
        let mut fields = vec![("ticket", fresh(call.now, 96).into())];
        if is_temporary {
            fields.push(("expire_seconds", seconds(&body, 60)?.into()));
        }
        fields.push(("url", "http://weixin.qq.com/q/sandbox".into()));
        Ok(Answer::object(fields))
    })
}

/// `POST /cgi-bin/shorten/gen`
pub(in crate::sandbox::endpoints) fn shorten(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        text(&body, "long_data")
            .filter(|data| data.len() <= LONGEST_DATA)
            .ok_or_else(|| Answer::error(40035))?;
        seconds(&body, LONGEST_S)?;
        Ok(Answer::ok([("short_key", fresh(call.now, 15).into())]))
    })
}

/// `POST /wxa/getwxacode` and others: a picture, or JSON where something is wrong, as a page that
/// isn't published.
pub(in crate::sandbox::endpoints) fn mini_program_code(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let Some(body) = call.json() else { return Answer::error(47001) };
    if body.get("path").is_some_and(|path| path.as_str().is_none_or(|path| path.len() > LONGEST_PATH)) {
        return Answer::error_with(40159, "invalid length for path, or the data is not json string");
    }
    if text(&body, "page").is_some_and(|page| page.starts_with("missing")) {
        return Answer::error(41030);
    }
    Answer::file("image/jpeg", None, Bytes::from_static(PICTURE))
}

/// `POST /wxa/getwxacodeunlimit`: its scene is 1 to 32 characters.
pub(in crate::sandbox::endpoints) fn unlimited(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    let scene = call.json().map(|body| text(&body, "scene").map_or(0, |scene| scene.chars().count()));
    match scene {
        Some(length) if !(1..=32).contains(&length) => Answer::error_with(40129, "invalid scene"),
        _ => mini_program_code(state, call, holder),
    }
}

#[cfg(test)]
mod tests {
    use super::PICTURE;

    #[test]
    fn the_comment_of_the_picture_has_the_length_that_it_announces() {
        let marker = PICTURE.windows(2).position(|pair| pair == [0xff, 0xfe]).expect("a comment");
        let length = u16::from_be_bytes([PICTURE[marker + 2], PICTURE[marker + 3]]);
        assert_eq!(&PICTURE[marker + 2 + usize::from(length)..], [0xff, 0xd9]);
    }
}
