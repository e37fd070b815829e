//! WeCom's suites: what a company that installed one is known by, and its tokens.

use serde_json::{Value, json};

use super::credentials::Holder;
use super::issue;
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::state::accounts::AppKind;
use crate::sandbox::state::companies::Company;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::world::State;

/// How long a pre_auth_code is good, seconds.
const PRE_AUTH_CODE_S: i64 = 1_200;

/// `GET /cgi-bin/service/get_pre_auth_code`
pub(super) fn pre_auth_code(_: &mut State, call: &Call, _: &Holder) -> Answer {
    let code = fresh(call.now, 64);
    Answer::ok([("pre_auth_code", code.into()), ("expires_in", PRE_AUTH_CODE_S.into())])
}

/// `POST /cgi-bin/service/get_permanent_code`: with the company's token, too, unless the app is
/// customized, whose permanent code is a secret for `gettoken` (WeCom, documents 90603 and 97163).
pub(super) fn permanent_code(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        // WeCom's list has this code alone, for used ones and for those that expired.
        let invalid = || Answer::error_with(40078, "invalid auth_code");
        let code = text(&body, "auth_code").ok_or_else(invalid)?;
        let company = state.companies.exchange(&holder.appid, code, call.now).ok_or_else(invalid)?;
        let customized = is_customized(state, &holder.appid);
        let mut fields = match customized {
            true => Vec::new(),
            false => issue::of_company(state, call, &company),
        };
        fields.push(("permanent_code", company.permanent_code.clone().into()));
        fields.extend(about(&company, customized));
        fields.push(("auth_user_info", json!({ "userid": "admin", "name": "admin", "avatar": "" })));
        Ok(Answer::object(fields))
    })
}

/// `POST /cgi-bin/service/get_auth_info`
pub(super) fn auth_info(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let company = authorised(state, call, holder)?;
        Ok(Answer::object(about(&company, is_customized(state, &holder.appid))))
    })
}

/// `POST /cgi-bin/service/get_corp_token`; the company of a customized app has no permanent code
/// that this takes. What WeCom says to that is not known.
pub(super) fn corp_token(state: &mut State, call: &Call, holder: &Holder) -> Answer {
    refusable(|| {
        let company = authorised(state, call, holder)?;
        if is_customized(state, &holder.appid) {
            return Err(invalid_permanent_code());
        }
        // WeCom: an errcode is there on failure alone (document 90605).
        Ok(Answer::object(issue::of_company(state, call, &company)))
    })
}

/// The company that the body names, with the code that it has now; one that cancelled has none.
fn authorised(state: &State, call: &Call, holder: &Holder) -> Result<Company, Answer> {
    let body = call.json().ok_or_else(|| Answer::error(47001))?;
    let corpid = text(&body, "auth_corpid").ok_or_else(|| Answer::error_with(40013, "invalid corpid"))?;
    let code =
        text(&body, "permanent_code").ok_or_else(|| Answer::error_with(41025, "permanent_code missing"))?;
    state.companies.holder(&holder.appid, corpid, code).cloned().ok_or_else(invalid_permanent_code)
}

fn invalid_permanent_code() -> Answer {
    Answer::error_with(40084, "invalid permanent_code")
}

/// Whether the suite is a template of customized apps (代开发).
fn is_customized(state: &State, suite: &str) -> bool {
    state.accounts.of(suite, AppKind::Suite).any(|app| app.customized)
}

fn about(company: &Company, customized: bool) -> Vec<(&'static str, Value)> {
    let name = company.name.as_deref().unwrap_or("测试企业");
    let agent = json!({
        "agentid": 1_000_001,
        "name": "测试应用",
        "auth_mode": 0,
        "is_customized_app": customized,
        "privilege": { "level": 1, "allow_party": [1], "allow_user": [], "allow_tag": [] },
    });
    vec![
        (
            "auth_corp_info",
            json!({ "corpid": company.corpid, "corp_name": name, "corp_type": "verified", "subject_type": 1 }),
        ),
        ("auth_info", json!({ "agent": [agent] })),
    ]
}
