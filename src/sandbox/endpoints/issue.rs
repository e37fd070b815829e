//! The endpoints that issue an app's tokens (FACTS 1).

use serde_json::{Value, json};

use super::credentials::{self, Class, known};
use crate::sandbox::answer::{Answer, refusable};
use crate::sandbox::call::{Call, text};
use crate::sandbox::state::accounts::{App, AppKind};
use crate::sandbox::state::companies::Company;
use crate::sandbox::state::settings::ExpiresIn;
use crate::sandbox::state::tokens::{Family, Issued, Kind, fresh};
use crate::sandbox::state::world::State;

/// `GET /cgi-bin/token`
pub(super) fn classic(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        if call.param("grant_type") != Some("client_credential") {
            return Err(Answer::error(40002));
        }
        let app = known(state, call, call.param("appid"), call.param("secret"))?;
        spend(state, call, &app)?;
        let rules = state.settings.rules();
        let token = state.tokens.with(&app.appid, Kind::Classic, |family| family.rotate(call.now, &rules));
        Ok(Answer::object(grant(state, call, "access_token", &token)))
    })
}

/// `POST /cgi-bin/stable_token`
pub(super) fn stable(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        if !call.is_post() {
            return Err(Answer::error(43002));
        }
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        if text(&body, "grant_type") != Some("client_credential") {
            return Err(Answer::error(40002));
        }
        let app = known(state, call, text(&body, "appid"), text(&body, "secret"))?;
        spend(state, call, &app)?;
        let rules = state.settings.rules();
        let issue = |family: &mut Family| match asks_force(&body) {
            true => family.force(call.now, &rules),
            false => Ok(family.plain(call.now, &rules)),
        };
        let token = state.tokens.with(&app.appid, Kind::Stable, issue).map_err(|_| Answer::error(45009))?;
        Ok(Answer::object(grant(state, call, "access_token", &token)))
    })
}

/// Whether a body asks for `force_refresh`.
pub(in crate::sandbox) fn asks_force(body: &Value) -> bool {
    body.get("force_refresh") == Some(&Value::Bool(true))
}

/// WeCom's `GET /cgi-bin/gettoken`; its success carries an errcode. The secret of a customized app
/// is its company's permanent code.
pub(super) fn wecom(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let corpid = call.param("corpid").ok_or_else(|| Answer::error_with(41002, "corpid missing"))?;
        let secret =
            call.param("corpsecret").ok_or_else(|| Answer::error_with(41004, "corpsecret missing"))?;
        let company = state.companies.list().iter().find(|company| company.corpid == corpid);
        if state.accounts.of(corpid, AppKind::Wecom).next().is_none() && company.is_none() {
            return Err(Answer::error_with(40013, "invalid corpid"));
        }
        if let Some(company) = customized(state, corpid, secret) {
            let fields = of_company(state, call, &company);
            return Ok(Answer::ok(fields));
        }
        let Some(app) = holder(state, Some(corpid), Some(secret), AppKind::Wecom) else {
            let text = format!(
                "invalid credential, hint: [{}], from ip: {}, more info at \
                 https://open.work.weixin.qq.com/devtool/query?e=40001",
                call.now, call.from
            );
            return Err(Answer::error_with(40001, text));
        };
        Ok(until_expiry(state, call, &app, Kind::Wecom, "access_token"))
    })
}

/// WeCom's `POST /cgi-bin/service/get_suite_token`
pub(super) fn suite(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let (id, secret) = (text(&body, "suite_id"), text(&body, "suite_secret"));
        if id.is_none_or(|id| state.accounts.of(id, AppKind::Suite).next().is_none()) {
            return Err(Answer::error_with(40083, "invalid suite_id"));
        }
        let app = holder(state, id, secret, AppKind::Suite);
        let app = app.ok_or_else(|| Answer::error_with(40080, "invalid suite_secret"))?;
        if !app.admits(call.from) {
            let text = format!(
                "not allow to access from your ip, hint: [{}], from ip: {}, more info at \
                 https://open.work.weixin.qq.com/devtool/query?e=60020",
                call.now, call.from
            );
            return Err(Answer::error_with(60020, text));
        }
        let ticket = text(&body, "suite_ticket");
        if ticket.is_none_or(|ticket| !state.pushed_tickets.takes(&app.appid, ticket, call.now)) {
            return Err(Answer::error_with(40085, "invalid suite_ticket"));
        }
        Ok(until_expiry(state, call, &app, Kind::Suite, "suite_access_token"))
    })
}

/// WeCom's `POST /cgi-bin/service/get_provider_token`
pub(super) fn provider(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let (id, secret) = (text(&body, "corpid"), text(&body, "provider_secret"));
        let app = holder(state, id, secret, AppKind::Provider);
        let app = app.ok_or_else(|| Answer::error_with(40086, "invalid provider secret"))?;
        Ok(until_expiry(state, call, &app, Kind::Provider, "provider_access_token"))
    })
}

fn holder(state: &State, id: Option<&str>, secret: Option<&str>, kind: AppKind) -> Option<App> {
    state.accounts.of(id?, kind).find(|app| Some(&*app.secret) == secret).cloned()
}

/// The company whose permanent code of a customized app this is.
fn customized(state: &State, corpid: &str, secret: &str) -> Option<Company> {
    let customized = |suite: &str| state.accounts.of(suite, AppKind::Suite).any(|app| app.customized);
    let mut companies = state.companies.list().iter().filter(|company| company.corpid == corpid);
    let found = companies.find(|it| it.permanent_code.as_deref() == Some(secret) && customized(&it.suite_id));
    found.cloned()
}

/// The token of a company that installed a suite.
pub(super) fn of_company(state: &mut State, call: &Call, company: &Company) -> Vec<(&'static str, Value)> {
    current(state, call, &company.identity(), Kind::Wecom, "access_token")
}

fn until_expiry(state: &mut State, call: &Call, app: &App, kind: Kind, name: &'static str) -> Answer {
    Answer::ok(current(state, call, &app.identity(), kind, name))
}

/// WeCom hands out the same token until it ends.
fn current(
    state: &mut State,
    call: &Call,
    identity: &str,
    kind: Kind,
    name: &'static str,
) -> Vec<(&'static str, Value)> {
    let rules = state.settings.rules();
    let token = state.tokens.with(identity, kind, |family| family.until_expiry(call.now, &rules));
    grant(state, call, name, &token)
}

/// `POST /cgi-bin/component/api_component_token`
pub(super) fn component(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let app = known(state, call, text(&body, "component_appid"), text(&body, "component_appsecret"))?;
        if app.kind != AppKind::Component {
            return Err(Answer::error(61011));
        }
        let ticket = text(&body, "component_verify_ticket");
        if ticket.is_none_or(|ticket| !state.pushed_tickets.takes(&app.appid, ticket, call.now)) {
            return Err(Answer::error(61006));
        }
        let rules = state.settings.rules();
        let token = state.tokens.with(&app.appid, Kind::Component, |family| family.rotate(call.now, &rules));
        Ok(Answer::object(grant(state, call, "component_access_token", &token)))
    })
}

/// `POST /cgi-bin/component/api_authorizer_token`
pub(super) fn authorizer(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let holder = credentials::demand(state, call, Class::Component)?;
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let appid = text(&body, "authorizer_appid").ok_or_else(|| Answer::error(40013))?;
        let shown = text(&body, "authorizer_refresh_token").unwrap_or_default();
        let rotates = state.settings.rotate_refresh_tokens;
        let known = state.accounts.authorizer(&holder.appid, appid).ok_or_else(|| Answer::error(61023))?;
        if known.refresh_token == shown {
            known.former_refresh_token = None;
            if rotates {
                let next = format!("refreshtoken@@@{}", fresh(call.now, 40));
                known.former_refresh_token = Some(std::mem::replace(&mut known.refresh_token, next));
            }
        } else if known.former_refresh_token.as_deref() != Some(shown) {
            return Err(Answer::error(61023));
        }
        let refresh_token = known.refresh_token.clone();
        let rules = state.settings.rules();
        let token = state.tokens.with(appid, Kind::Authorizer, |family| family.rotate(call.now, &rules));
        let mut fields = grant(state, call, "authorizer_access_token", &token);
        fields.push(("authorizer_refresh_token", refresh_token.into()));
        Ok(Answer::object(fields))
    })
}

/// `POST /cgi-bin/component/api_query_auth`: an account's appid is its code; any other stands for
/// the first account that authorised the component. Each is good once.
pub(super) fn query_auth(state: &mut State, call: &Call) -> Answer {
    refusable(|| {
        let holder = credentials::demand(state, call, Class::Component)?;
        let body = call.json().ok_or_else(|| Answer::error(47001))?;
        let code = text(&body, "authorization_code").ok_or_else(|| Answer::error(61010))?;
        if !state.accounts.use_code(code) {
            return Err(Answer::error(61010));
        }
        let known = state.accounts.authorised_by(&holder.appid, code).cloned();
        let known = known.ok_or_else(|| Answer::error(61010))?;
        let rules = state.settings.rules();
        let rotate = |family: &mut Family| family.rotate(call.now, &rules);
        let token = state.tokens.with(&known.authorizer_appid, Kind::Authorizer, rotate);
        let info = json!({
            "authorizer_appid": known.authorizer_appid,
            "authorizer_access_token": token.value,
            "expires_in": token.remaining(call.now),
            "authorizer_refresh_token": known.refresh_token,
            "func_info": [],
        });
        Ok(Answer::object([("authorization_info", info)]))
    })
}

/// Which app a token request is for, whatever else is wrong with it.
pub(in crate::sandbox) fn appid_of(call: &Call) -> Option<String> {
    let names = ["appid", "corpid"].iter().find_map(|name| call.param(name)).map(str::to_owned);
    names.or_else(|| {
        let body = call.json()?;
        ["appid", "authorizer_appid", "component_appid", "suite_id", "corpid", "auth_corpid"]
            .iter()
            .find_map(|name| text(&body, name))
            .map(str::to_owned)
    })
}

fn spend(state: &mut State, call: &Call, app: &App) -> Result<(), Answer> {
    state.quota.spend(&app.appid, &call.path, call.now).map_err(Answer::error)
}

fn grant(state: &State, call: &Call, name: &'static str, token: &Issued) -> Vec<(&'static str, Value)> {
    let mut fields = vec![(name, Value::from(token.value.clone()))];
    match &state.settings.expires_in {
        ExpiresIn::Real => fields.push(("expires_in", token.remaining(call.now).into())),
        ExpiresIn::Value(value) => fields.push(("expires_in", value.clone())),
        ExpiresIn::Missing => {}
    }
    fields
}
