//! What a mini program asks about its users.

use serde_json::{Value, json};

use super::openid;
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::endpoints::credentials::Holder;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// In a text: WeChat finds fault with it.
const RISKY: &str = "risky";

/// `POST /wxa/business/getuserphonenumber`: each code is good once.
pub(in crate::sandbox::endpoints) fn phone(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let code = text(&body, "code").ok_or_else(|| Answer::error(40029))?;
        state.users.use_code(code).map_err(|_| Answer::error(40029))?;
        let watermark = json!({ "timestamp": call.now / 1000, "appid": holder.appid });
        let phone = json!({
            "phoneNumber": "13800138000",
            "purePhoneNumber": "13800138000",
            "countryCode": "86",
            "watermark": watermark,
        });
        Ok(Answer::ok([("phone_info", phone)]))
    })
}

/// `POST /wxa/msg_sec_check`: the first version of it says yes or 87014, the second tells more.
pub(in crate::sandbox::endpoints) fn check_text(_: &mut State, call: &Call, _: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let content = text(&body, "content").ok_or_else(|| Answer::error_with(44004, "empty content"))?;
        let is_risky = content.contains(RISKY);
        if body.get("version").and_then(Value::as_u64) != Some(2) {
            return if is_risky {
                Err(Answer::error_with(87014, "risky content"))
            } else {
                Ok(Answer::ok([]))
            };
        }
        openid::user(text(&body, "openid"))?;
        if !body.get("scene").and_then(Value::as_u64).is_some_and(|scene| (1..=4).contains(&scene)) {
            return Err(Answer::error_with(40097, "invalid args"));
        }
        let (suggest, label) = if is_risky { ("risky", 20_006) } else { ("pass", 100) };
        let detail = json!([{
            "strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90,
        }]);
        Ok(Answer::ok([
            ("detail", detail),
            ("trace_id", fresh(call.now, 26)[3..].into()),
            ("result", json!({ "suggest": suggest, "label": label })),
        ]))
    })
}
