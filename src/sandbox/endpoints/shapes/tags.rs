//! Tags of followers.

use serde_json::{Value, json};

use super::openid;
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::world::State;

/// Bytes of a name.
const LONGEST: usize = 30;
/// Users that are tagged at once.
const MOST: usize = 50;

/// `POST /cgi-bin/tags/create`
pub(in crate::sandbox::endpoints) fn create(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let name = body.get("tag").and_then(|tag| text(tag, "name")).ok_or_else(|| Answer::error(40035))?;
        if name.len() > LONGEST {
            return Err(Answer::error_with(45158, "tag name too long"));
        }
        let id = state.tags.create(&holder.appid, name);
        let id = id.ok_or_else(|| Answer::error_with(45157, "invalid tag name"))?;
        Ok(Answer::object([("tag", json!({ "id": id, "name": name }))]))
    })
}

/// `GET /cgi-bin/tags/get`
pub(in crate::sandbox::endpoints) fn get(state: &mut State, _: &Call, holder: &Holder) -> Answer {
    let tags = state.tags.list(&holder.appid);
    let tags = tags.map(|(id, name, count)| json!({ "id": id, "name": name, "count": count }));
    Answer::object([("tags", tags.collect::<Vec<_>>().into())])
}

/// `POST /cgi-bin/tags/members/batchtagging`
pub(in crate::sandbox::endpoints) fn tag_users(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let openids = openid::list(body.get("openid_list"), MOST)?;
        let id = body.get("tagid").and_then(Value::as_u64);
        match id.is_some_and(|id| state.tags.give(&holder.appid, id, openids)) {
            true => Ok(Answer::ok([])),
            false => Err(Answer::error_with(45159, "invalid tag id")),
        }
    })
}
