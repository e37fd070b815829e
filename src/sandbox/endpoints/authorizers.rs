//! What a component learns of the accounts that authorised it.

use serde_json::{Value, json};

use super::credentials::Holder;
use crate::sandbox::answer::Answer;
use crate::sandbox::call::{Call, text};
use crate::sandbox::state::accounts::Authorizer;
use crate::sandbox::state::world::State;

/// WeChat lists so many accounts at once.
const MOST: usize = 500;

/// `POST /cgi-bin/component/api_get_authorizer_info`
pub(super) fn info(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    let Some(body) = call.json() else { return Answer::error(47001) };
    let Some(appid) = text(&body, "authorizer_appid") else { return Answer::error(40013) };
    let Some(known) = state.accounts.authorizer(&holder.appid, appid) else { return Answer::error(61003) };
    let granted = json!({
        "authorizer_appid": known.authorizer_appid,
        "authorizer_refresh_token": known.refresh_token,
        "func_info": [{ "funcscope_category": { "id": 1 } }],
    });
    let account = json!({
        "nick_name": "测试号",
        "service_type_info": { "id": 2 },
        "verify_type_info": { "id": 0 },
    });
    Answer::object([("authorizer_info", account), ("authorization_info", granted)])
}

/// `POST /cgi-bin/component/api_get_authorizer_list`
pub(super) fn list(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    let Some(body) = call.json() else { return Answer::error(47001) };
    let number =
        |name| body.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let (offset, count) = (number("offset").unwrap_or(0), number("count").unwrap_or(MOST).min(MOST));
    let all = state.accounts.authorizers().iter().filter(|known| known.component_appid == holder.appid);
    let row = |known: &Authorizer| {
        json!({
            "authorizer_appid": known.authorizer_appid,
            "refresh_token": known.refresh_token,
            "auth_time": call.now / 1000,
        })
    };
    let total = all.clone().count();
    let list: Vec<_> = all.skip(offset).take(count).map(row).collect();
    Answer::object([("total_count", total.into()), ("list", list.into())])
}
