//! Messages to users.

use serde_json::Value;

use super::openid::{self, User};
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::world::State;

/// The body, and whom it is for.
fn addressed(call: &Call) -> Result<(Value, User), Answer> {
    let body = call.json().ok_or_else(|| Answer::error(47001))?;
    let user = openid::user(text(&body, "touser"))?;
    Ok((body, user))
}

/// Ids count up, so that a test sees a message that went out twice.
fn sent(state: &mut State) -> Answer {
    state.last_message += 1;
    Answer::ok([("msgid", (200_228_331 + state.last_message).into())])
}

fn needs_template(body: &Value) -> Result<(), Answer> {
    let id = text(body, "template_id").filter(|id| !id.starts_with("invalid"));
    id.map(|_| ()).ok_or_else(|| Answer::error_with(40037, "invalid template_id"))
}

/// `POST /cgi-bin/message/template/send`
pub(in crate::sandbox::endpoints) fn template(state: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let (body, user) = addressed(call)?;
        needs_template(&body)?;
        match user {
            User::Follower => Ok(sent(state)),
            User::Stranger => Err(Answer::error_with(43004, "require subscribe")),
        }
    })
}

/// `POST /cgi-bin/message/subscribe/send`
pub(in crate::sandbox::endpoints) fn subscription(state: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let (body, user) = addressed(call)?;
        needs_template(&body)?;
        if !body.get("data").is_some_and(Value::is_object) {
            return Err(Answer::error_with(47003, "argument invalid! data is missing"));
        }
        match user {
            User::Follower => Ok(sent(state)),
            User::Stranger => Err(Answer::error_with(43101, "user refuse to accept the msg")),
        }
    })
}

/// `POST /cgi-bin/message/custom/send`
pub(in crate::sandbox::endpoints) fn custom(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let (body, user) = addressed(call)?;
        if text(&body, "msgtype").is_none() {
            return Err(Answer::error_with(40008, "invalid message type"));
        }
        if body.get("text").is_some_and(|content| text(content, "content").is_none()) {
            return Err(Answer::error_with(44004, "empty content"));
        }
        match user {
            User::Follower => Ok(Answer::ok([])),
            User::Stranger => {
                Err(Answer::error_with(45015, "response out of time limit or subscription is canceled"))
            }
        }
    })
}
