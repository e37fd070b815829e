//! Everyday endpoints, answered in the shapes of the real ones.

use bytes::Bytes;
use serde_json::{Value, json};

use super::credentials::Holder;
use crate::sandbox::answer::{Answer, Content};
use crate::sandbox::call::{Call, text};
use crate::sandbox::state::tickets::Ticket;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

const TICKET_LIFETIME_S: i64 = 7_200;

/// The smallest JFIF that viewers take for a picture. Its comment holds what must not be mistaken
/// for an error.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\
    \xff\xfe\x00\x3a{\"errcode\":40001,\"errmsg\":\"a comment in a picture only\"}\xff\xd9";

/// `{"errcode":0,"errmsg":"ok"}`
pub(super) fn fine(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::ok([])
}

pub(super) fn api_domain_ip(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::object([("ip_list", json!(["101.226.103.0", "101.226.103.63", "58.247.206.141"]))])
}

pub(super) fn callback_ip(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::object([("ip_list", json!(["101.226.62.77", "101.226.62.78", "140.207.54.73"]))])
}

pub(super) fn user_info(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let Some(openid) = call.param("openid") else { return Answer::error(40003) };
    Answer::object([
        ("subscribe", 1.into()),
        ("openid", openid.into()),
        ("nickname", "".into()),
        ("sex", 0.into()),
        ("language", "zh_CN".into()),
        ("city", "".into()),
        ("province", "".into()),
        ("country", "".into()),
        ("headimgurl", "".into()),
        ("subscribe_time", 1_700_000_000.into()),
        ("remark", "".into()),
        ("groupid", 0.into()),
        ("tagid_list", json!([])),
        ("subscribe_scene", "ADD_SCENE_QR_CODE".into()),
        ("qr_scene", 0.into()),
        ("qr_scene_str", "".into()),
    ])
}

pub(super) fn user_get(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::object([
        ("total", 2.into()),
        ("count", 2.into()),
        ("data", json!({"openid": ["OPENID1", "OPENID2"]})),
        ("next_openid", "OPENID2".into()),
    ])
}

fn addressed(call: &Call) -> Result<Value, Answer> {
    let body = call.json().ok_or_else(|| Answer::error(47001))?;
    if text(&body, "touser").is_none() {
        return Err(Answer::error(40003));
    }
    Ok(body)
}

/// A template message; its id counts up, so that a test sees a message that went out twice.
pub(super) fn message(state: &mut State, call: &Call, _: &Holder) -> Answer {
    if let Err(refusal) = addressed(call) {
        return refusal;
    }
    state.last_message += 1;
    Answer::ok([("msgid", (200_228_331 + state.last_message).into())])
}

pub(super) fn custom_message(_: &mut State, call: &Call, _: &Holder) -> Answer {
    match addressed(call) {
        Ok(body) if text(&body, "msgtype").is_none() => Answer::error_with(40008, "invalid message type"),
        Ok(_) => Answer::ok([]),
        Err(refusal) => refusal,
    }
}

pub(super) fn menu_create(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    match (&call.body, call.json()) {
        (Some(body), Some(json)) if json.get("button").is_some_and(Value::is_array) => {
            let menu = [b"{\"menu\":", &**body, b"}"].concat();
            state.menus.insert(holder.appid.clone(), menu.into());
            Answer::ok([])
        }
        (_, Some(_)) => Answer::error_with(40016, "invalid button size"),
        _ => Answer::error(47001),
    }
}

pub(super) fn menu_get(state: &mut State, _: &Call, holder: &Holder) -> Answer {
    match state.menus.get(&holder.appid) {
        Some(menu) => Answer { status: http::StatusCode::OK, content: Content::Json(menu.clone()) },
        None => Answer::error(46003),
    }
}

pub(super) fn menu_delete(state: &mut State, _: &Call, holder: &Holder) -> Answer {
    state.menus.remove(&holder.appid);
    Answer::ok([])
}

pub(super) fn qrcode_create(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let Some(body) = call.json() else { return Answer::error(47001) };
    if text(&body, "action_name").is_none() {
        return Answer::error_with(40053, "invalid action info");
    }
    let ticket = fresh(call.now, 96);
    let seconds = body.get("expire_seconds").cloned().unwrap_or_else(|| 60.into());
    Answer::object([
        ("ticket", ticket.into()),
        ("expire_seconds", seconds),
        ("url", "http://weixin.qq.com/q/sandbox".into()),
    ])
}

/// The same ticket while it is valid, and always `7200`, never the rest (FACTS 4).
pub(super) fn ticket(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    let key = (holder.appid.clone(), call.param("type").unwrap_or("jsapi").to_owned());
    let ticket = match state.tickets.get(&key).filter(|ticket| call.now < ticket.expires_at) {
        Some(ticket) => ticket.clone(),
        None => Ticket { value: fresh(call.now, 86), expires_at: call.now + TICKET_LIFETIME_S * 1000 },
    };
    state.tickets.insert(key, ticket.clone());
    Answer::ok([("ticket", ticket.value.into()), ("expires_in", TICKET_LIFETIME_S.into())])
}

/// A picture, or JSON where something is wrong: an unlimited code without a scene, a page that
/// isn't published.
pub(super) fn mini_program_code(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let Some(body) = call.json() else { return Answer::error(47001) };
    if call.path.ends_with("unlimit") && text(&body, "scene").is_none() {
        return Answer::error_with(40129, "invalid scene");
    }
    if text(&body, "page").is_some_and(|page| page.starts_with("missing")) {
        return Answer::error(41030);
    }
    Answer::file("image/jpeg", None, Bytes::from_static(PICTURE))
}

pub(super) fn preauthcode(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let code = format!("preauthcode@@@{}", fresh(call.now, 64));
    Answer::object([("pre_auth_code", code.into()), ("expires_in", 600.into())])
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
