//! The user's side: OAuth tokens and mini-program sessions.

use serde_json::json;

use super::credentials::{self, Class, known};
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::Call;
use crate::sandbox::state::accounts::App;
use crate::sandbox::state::tokens::fresh;
use crate::sandbox::state::users::Login;
use crate::sandbox::state::world::State;

const LIFETIME_MS: i64 = 7_200_000;
const REFRESH_LIFETIME_MS: i64 = 30 * 86_400_000;

/// An openid that depends on app and code alone, so that a test knows it beforehand.
fn identity(prefix: char, appid: &str, code: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{appid}\n{code}").as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{}", &hex[..27])
}

/// The app that a login is for. SDKs also send it as a form.
fn by_secret(state: &State, call: &Call) -> Result<App, Answer> {
    known(state, call, call.param_or_field("appid").as_deref(), call.param_or_field("secret").as_deref())
}

/// `GET /sns/jscode2session`; an access_token that SDKs append is ignored.
pub(super) fn jscode2session(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let app = by_secret(state, call)?;
        session(state, call, &app.appid)
    })
}

/// `GET /sns/component/jscode2session`
pub(super) fn component_session(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        credentials::demand(state, call, Class::Component)?;
        let appid = call.param("appid").ok_or_else(|| Answer::error(41002))?.to_owned();
        session(state, call, &appid)
    })
}

fn session(state: &mut State, call: &Call, appid: &str) -> Result<Answer, Answer> {
    let code = &*call.param_or_field("js_code").ok_or_else(|| Answer::error(41008))?;
    state.users.use_code(code).map_err(Answer::error)?;
    Ok(Answer::object([
        ("session_key", "c2FuZGJveC1zZXNzaW9uLWtleQ==".into()),
        ("openid", identity('o', appid, code).into()),
        ("unionid", identity('u', "", code).into()),
    ]))
}

/// `GET /sns/oauth2/access_token`
pub(super) fn access_token(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let app = by_secret(state, call)?;
        login(state, call, app.appid)
    })
}

/// `GET /sns/oauth2/component/access_token`
pub(super) fn component_access_token(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        credentials::demand(state, call, Class::Component)?;
        let appid = call.param("appid").ok_or_else(|| Answer::error(41002))?.to_owned();
        login(state, call, appid)
    })
}

fn login(state: &mut State, call: &Call, appid: String) -> Result<Answer, Answer> {
    let code = &*call.param_or_field("code").ok_or_else(|| Answer::error(41008))?;
    if call.param_or_field("grant_type").as_deref() != Some("authorization_code") {
        return Err(Answer::error(40002));
    }
    state.users.use_code(code).map_err(Answer::error)?;
    let scope = if code.starts_with("base") { "snsapi_base" } else { "snsapi_userinfo" };
    let openid = identity('o', &appid, code);
    let refresh_token = fresh(call.now, 140);
    let login = Login { appid, openid, scope, expires_at: call.now + REFRESH_LIFETIME_MS };
    state.users.refresh_tokens.insert(refresh_token.clone(), login.clone());
    Ok(grant(state, call, login, refresh_token))
}

fn grant(state: &mut State, call: &Call, login: Login, refresh_token: String) -> Answer {
    let token = fresh(call.now, 140);
    let answer = Answer::object([
        ("access_token", token.clone().into()),
        ("expires_in", (LIFETIME_MS / 1000).into()),
        ("refresh_token", refresh_token.into()),
        ("openid", login.openid.clone().into()),
        ("scope", login.scope.into()),
    ]);
    state.users.tokens.insert(token, Login { expires_at: call.now + LIFETIME_MS, ..login });
    answer
}

/// `GET /sns/oauth2/refresh_token`
pub(super) fn refresh_token(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let appid = call.param("appid").ok_or_else(|| Answer::error(41002))?;
        let sent = call.param("refresh_token").ok_or_else(|| Answer::error(41003))?;
        let login = state.users.refresh_tokens.get(sent).filter(|login| login.appid == appid).cloned();
        let login = login.ok_or_else(|| Answer::error(40030))?;
        if login.expires_at <= call.now {
            return Err(Answer::error(42002));
        }
        Ok(grant(state, call, login, sent.to_owned()))
    })
}

fn user<'a>(state: &'a State, call: &Call) -> Result<&'a Login, Answer> {
    let sent = call.param("access_token").ok_or_else(|| Answer::error(41001))?;
    let openid = call.param("openid").ok_or_else(|| Answer::error(41009))?;
    let login = state.users.tokens.get(sent).ok_or_else(|| Answer::error(40001))?;
    if login.expires_at <= call.now {
        return Err(Answer::error(42001));
    }
    if login.openid != openid {
        return Err(Answer::error(40003));
    }
    Ok(login)
}

/// `GET /sns/userinfo`: the user's token, never the app's.
pub(super) fn userinfo(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let login = user(state, call)?;
        if login.scope != "snsapi_userinfo" {
            return Err(Answer::error(48001));
        }
        Ok(Answer::object([
            ("openid", login.openid.clone().into()),
            ("nickname", "沙盒用户".into()),
            ("sex", 0.into()),
            ("language", "".into()),
            ("city", "".into()),
            ("province", "".into()),
            ("country", "".into()),
            ("headimgurl", "https://thirdwx.qlogo.cn/mmopen/sandbox/132".into()),
            ("privilege", json!([])),
        ]))
    })
}

/// `GET /sns/auth`
pub(super) fn auth(state: &mut State, call: &Call) -> Answer {
    refusable(|| user(state, call).map(|_| Answer::ok([])))
}
