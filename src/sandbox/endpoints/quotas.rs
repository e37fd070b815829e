//! The endpoints about quota itself.

use serde_json::{Value, json};

use super::credentials::{Holder, known};
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::state::world::State;

/// The path that a call is about, as `openapi/quota/*` want it: one that is listed, or was called
/// before.
fn subject(state: &State, call: &Call, lists: fn(&str) -> bool) -> Result<String, Answer> {
    let body = call.json().ok_or_else(|| Answer::error(47001))?;
    let path = text(&body, "cgi_path").filter(|path| path.starts_with('/'));
    let path = path.ok_or_else(|| Answer::error(76003))?;
    if path.starts_with("/sns/") {
        return Err(Answer::error(76022));
    }
    if !lists(path) && !state.quota.knows(path) {
        return Err(Answer::error(76021));
    }
    Ok(path.to_owned())
}

/// `POST /cgi-bin/openapi/quota/get`
pub(super) fn get(state: &mut State, call: &Call, holder: &Holder, lists: fn(&str) -> bool) -> Answer {
    refusable(|| {
        let path = subject(state, call, lists)?;
        let standing = state.quota.standing(&holder.appid, &path, call.now);
        let quota = json!({
            "daily_limit": standing.limit,
            "used": standing.used,
            "remain": standing.limit.saturating_sub(standing.used),
        });
        let mut fields = vec![("quota", quota)];
        if let Some(rate) = standing.rate {
            let rate = json!({"call_count": rate.call_count, "refresh_second": rate.refresh_second});
            fields.push(("rate_limit", rate));
        }
        Ok(Answer::ok(fields))
    })
}

/// `POST /cgi-bin/openapi/quota/clear`
pub(super) fn clear_one(state: &mut State, call: &Call, holder: &Holder, lists: fn(&str) -> bool) -> Answer {
    refusable(|| {
        let path = subject(state, call, lists)?;
        cleared(state.quota.clear(&holder.appid, Some(&path), call.now))
    })
}

/// `POST /cgi-bin/clear_quota`
pub(super) fn clear(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        if body.get("appid").and_then(Value::as_str) != Some(&holder.appid) {
            return Err(Answer::error(40013));
        }
        cleared(state.quota.clear(&holder.appid, None, call.now))
    })
}

/// `POST /cgi-bin/clear_quota/v2`: by secret, for when no token is to be had.
pub(super) fn clear_with_secret(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        if !call.is_post() {
            return Err(Answer::error(43002));
        }
        let appid = call.param("component_appid").or_else(|| call.param("appid"));
        let app = known(state, call, appid, call.param("appsecret"))?;
        let subject = call.param("appid").unwrap_or(&app.appid).to_owned();
        cleared(state.quota.clear(&subject, None, call.now))
    })
}

fn cleared(done: bool) -> Result<Answer, Answer> {
    if done { Ok(Answer::ok([])) } else { Err(Answer::error(48006)) }
}

/// `POST /cgi-bin/openapi/rid/get`: the fake remembers none.
pub(super) fn rid(_: &mut State, _: &Call, _: &Holder) -> Answer {
    Answer::error(76001)
}
