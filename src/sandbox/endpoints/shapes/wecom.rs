//! WeCom's everyday endpoints. A userid that begins with `invalid` is nobody's.

use serde_json::json;

use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// `POST /cgi-bin/message/send`: who can't be reached is told; if nobody can, that is an error.
pub(in crate::sandbox::endpoints) fn send(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        text(&body, "msgtype").ok_or_else(|| Answer::error_with(40008, "invalid message type"))?;
        body.get("agentid").ok_or_else(|| Answer::error_with(41011, "missing agentid"))?;
        let users = text(&body, "touser").unwrap_or_default().split('|').filter(|user| !user.is_empty());
        let (nobodys, users): (Vec<_>, Vec<_>) = users.partition(|user| user.starts_with("invalid"));
        let others = ["toparty", "totag"].iter().any(|name| text(&body, name).is_some());
        if users.is_empty() && !others {
            return Err(Answer::error_with(81013, "user & party & tag all invalid"));
        }
        let mut fields = Vec::new();
        if !nobodys.is_empty() {
            fields.push(("invaliduser", nobodys.join("|").to_lowercase().into()));
        }
        fields.push(("msgid", fresh(call.now, 86).into()));
        Ok(Answer::ok(fields))
    })
}

/// `GET /cgi-bin/user/get`
pub(in crate::sandbox::endpoints) fn member(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let Some(userid) = call.param("userid") else { return Answer::error_with(40003, "invalid userid") };
    if userid.starts_with("invalid") {
        return Answer::error_with(60111, "userid not found");
    }
    Answer::ok([
        ("userid", userid.into()),
        ("name", userid.into()),
        ("department", json!([1])),
        ("order", json!([0])),
        ("position", "".into()),
        ("is_leader_in_dept", json!([0])),
        ("direct_leader", json!([])),
        ("telephone", "".into()),
        ("alias", "".into()),
        ("status", 1.into()),
        ("extattr", json!({ "attrs": [] })),
        ("external_position", "".into()),
        ("main_department", 1.into()),
    ])
}

/// `GET /cgi-bin/auth/getuserinfo`: each code is good once.
pub(in crate::sandbox::endpoints) fn visitor(state: &mut State, call: &Call, _: &Holder) -> Answer {
    let code = call.param("code").filter(|code| state.users.use_code(code).is_ok());
    match code {
        Some(code) => Answer::ok([("userid", format!("user-of-{code}").into())]),
        None => Answer::error(40029),
    }
}

/// `GET /cgi-bin/department/list`
pub(in crate::sandbox::endpoints) fn departments(_: &mut State, call: &Call, _: &Holder) -> Answer {
    if call.param("id").is_some_and(|id| id != "1") {
        return Answer::error_with(60003, "department not found");
    }
    let root = json!({
        "id": 1, "name": "沙箱", "name_en": "Sandbox", "department_leader": [], "parentid": 0, "order": 100_000_000,
    });
    Answer::ok([("department", json!([root]))])
}

/// `GET /cgi-bin/get_api_domain_ip`
pub(in crate::sandbox::endpoints) fn api_domain_ip(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::ok([("ip_list", json!(["182.254.11.176", "182.254.78.66"]))])
}

/// `GET /cgi-bin/getcallbackip`
pub(in crate::sandbox::endpoints) fn callback_ip(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::ok([("ip_list", json!(["101.226.103.59", "101.226.62.77"]))])
}
