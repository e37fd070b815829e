//! Links that open a mini program from outside.

use serde_json::Value;

use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// Days that a link may live.
const LONGEST_DAYS: u64 = 30;

/// What both kinds of links refuse; a page whose path begins with `missing` isn't published.
fn check(body: &Value, page: &Value) -> Result<(), Answer> {
    if text(page, "path").is_some_and(|path| path.starts_with("missing") || path.contains('?')) {
        return Err(Answer::error_with(40165, "invalid weapp pagepath"));
    }
    if text(page, "env_version").is_some_and(|version| !["release", "trial", "develop"].contains(&version)) {
        return Err(Answer::error_with(40097, "invalid args"));
    }
    if body.get("expire_interval").is_some_and(|days| days.as_u64().is_none_or(|days| days > LONGEST_DAYS)) {
        return Err(Answer::error_with(85401, "time limit between 1min and 1month"));
    }
    Ok(())
}

/// `POST /wxa/generatescheme`
pub(in crate::sandbox::endpoints) fn scheme(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        check(&body, body.get("jump_wxa").unwrap_or(&Value::Null))?;
        let link = format!("weixin://dl/business/?t={}", &fresh(call.now, 14)[3..]);
        Ok(Answer::ok([("openlink", link.into())]))
    })
}

/// `POST /wxa/generate_urllink`
pub(in crate::sandbox::endpoints) fn url(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        check(&body, &body)?;
        let link = format!("https://wxaurl.cn/{}", &fresh(call.now, 14)[3..]);
        Ok(Answer::ok([("url_link", link.into())]))
    })
}
