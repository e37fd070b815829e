//! Who follows an account.

use serde_json::{Map, Value, json};

use super::openid::{self, User};
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::Call;
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::world::State;

/// Everybody who follows.
const FOLLOWERS: [&str; 2] = ["OPENID1", "OPENID2"];
/// WeChat tells of so many users at once.
const MOST: usize = 100;

/// `GET /cgi-bin/user/info`
pub(in crate::sandbox::endpoints) fn info(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let openid = call.param("openid");
        openid::user(openid)?;
        Ok(Answer::object(described(state, holder, openid.unwrap_or_default())?))
    })
}

/// `POST /cgi-bin/user/info/batchget`
pub(in crate::sandbox::endpoints) fn batch(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let openids = openid::list(body.get("user_list"), MOST)?;
        let each = openids.iter().map(|openid| {
            let fields = described(state, holder, openid)?;
            Ok(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
        });
        let list = each.collect::<Result<Vec<_>, Answer>>()?;
        Ok(Answer::object([("user_info_list", list.into())]))
    })
}

/// Nickname and picture have been empty since the end of 2021. Of a user who doesn't follow WeChat
/// tells no more than that.
fn described(state: &State, holder: &Holder, openid: &str) -> Result<Vec<(&'static str, Value)>, Answer> {
    if openid::user(Some(openid))? == User::Stranger {
        return Ok(vec![("subscribe", 0.into()), ("openid", openid.into()), ("tagid_list", json!([]))]);
    }
    Ok(vec![
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
        ("tagid_list", state.tags.of(&holder.appid, openid).into()),
        ("subscribe_scene", "ADD_SCENE_QR_CODE".into()),
        ("qr_scene", 0.into()),
        ("qr_scene_str", "".into()),
    ])
}

/// `GET /cgi-bin/user/get`: behind the last follower there is nobody.
pub(in crate::sandbox::endpoints) fn followers(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let begin = match call.param("next_openid") {
        None => 0,
        Some(after) => match FOLLOWERS.iter().position(|openid| *openid == after) {
            Some(at) => at + 1,
            None => return Answer::error(40003),
        },
    };
    let rest = &FOLLOWERS[begin..];
    let mut fields = vec![("total", FOLLOWERS.len().into()), ("count", rest.len().into())];
    if !rest.is_empty() {
        fields.push(("data", json!({ "openid": rest })));
    }
    fields.push(("next_openid", rest.last().copied().unwrap_or_default().into()));
    Answer::object(fields)
}
