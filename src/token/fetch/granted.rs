//! Credentials that take a ticket, a refresh token or another credential of the app's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::secret::{body, unset};
use super::{FetchError, Issued, Tools, issued, judge_call, judge_fetch, with_credential};
use crate::secret::Secret;
use crate::token::grant::{self, Grant};
use crate::token::handle::Settings;
use crate::token::{Failure, Handle, Rejection, Token, Verdict};
use crate::upstream::control::{Answer, Call, CallError, Control};
use crate::wechat::catalogue::{self, Endpoint};
use crate::wechat::errcode::Proof;
use crate::wechat::verdict::scan;
use crate::wechat::{Family, Issuer, TicketKind};

/// How often a call is made again at most whose own credential was rejected.
const REPLAYS: usize = 2;
/// WeChat's word for a refresh token that it will never take again: the account has to authorise
/// anew.
const REFRESH_TOKEN_INVALID: i64 = 61023;

/// The platform's token, by the ticket that WeChat pushed last.
pub(super) async fn component(
    tools: &Tools<'_>,
    settings: &Settings,
    grant: &mut Grant,
) -> Result<Issued, FetchError> {
    let (app, timeout) = (&settings.app, settings.options.fetch_timeout);
    let ticket = look(tools, settings, grant).await?;
    let body = body(&[
        ("component_appid", (&*app.appid).into()),
        ("component_appsecret", app.secret.expose().into()),
        ("component_verify_ticket", ticket.expose().into()),
    ]);
    let call = Call::Post { path: "/cgi-bin/component/api_component_token", body: &body };
    judge_fetch(tools.control.call(call, timeout).await, Issuer::Component, &app.secret)
}

/// A WeCom suite's token, by the ticket that WeCom pushed last.
pub(super) async fn suite(
    tools: &Tools<'_>,
    settings: &Settings,
    grant: &mut Grant,
) -> Result<Issued, FetchError> {
    let timeout = settings.options.fetch_timeout;
    let Some(suite) = &settings.app.suite else { return Err(unset("suite_id")) };
    let ticket = look(tools, settings, grant).await?;
    let body = body(&[
        ("suite_id", (&*suite.id).into()),
        ("suite_secret", suite.secret.expose().into()),
        ("suite_ticket", ticket.expose().into()),
    ]);
    let call = Call::Post { path: "/cgi-bin/service/get_suite_token", body: &body };
    judge_fetch(tools.control.call(call, timeout).await, Issuer::Suite, &suite.secret)
}

/// The token by which the platform acts for an account. WeChat may send another refresh token
/// along: that one is the store's before the token is anybody's.
pub(super) async fn authorizer(
    tools: &Tools<'_>,
    settings: &Settings,
    grant: &mut Grant,
) -> Result<Issued, FetchError> {
    const PATH: &str = "/cgi-bin/component/api_authorizer_token";
    let (app, credential) = (&settings.app, &settings.credential);
    let timeout = settings.options.fetch_timeout;
    let Some(platform) = &credential.by else { return Err(unset("platform")) };
    let refresh_token = look(tools, settings, grant).await?;
    let body = body(&[
        ("component_appid", (&*app.appid).into()),
        ("authorizer_appid", (&*credential.owner).into()),
        ("authorizer_refresh_token", refresh_token.expose().into()),
    ]);
    let call = CallBy { path: PATH, query: "", body: Some(&body), issuer: Issuer::Component };
    let answer = call.make(tools.control, platform, timeout).await?;
    let answer = judge_call(answer, Family::Api, &refresh_token).inspect_err(|error| {
        if error.failure.errcode == Some(REFRESH_TOKEN_INVALID) {
            grant.refuse();
        }
    })?;
    if let (Some(value), Some(key)) =
        (answer.get("authorizer_refresh_token").and_then(|value| value.as_str()), grant::key(app, credential))
    {
        grant.replace(tools.store, &key, value, tools.now).await;
    }
    issued(&answer, credential.issuer.field())
}

/// A ticket that web pages are signed with.
pub(super) async fn ticket(
    tools: &Tools<'_>,
    settings: &Settings,
    kind: TicketKind,
) -> Result<Issued, FetchError> {
    let timeout = settings.options.fetch_timeout;
    let Some(app) = &settings.credential.by else { return Err(unset("token")) };
    let (path, query, issuer) = match kind {
        TicketKind::JsApi => ("/cgi-bin/ticket/getticket", "type=jsapi", None),
        TicketKind::Card => ("/cgi-bin/ticket/getticket", "type=wx_card", None),
        TicketKind::WorkCorporation => ("/cgi-bin/get_jsapi_ticket", "", Some(Issuer::Work)),
        TicketKind::WorkAgent => ("/cgi-bin/ticket/get", "type=agent_config", Some(Issuer::Work)),
    };
    let issuer = issuer.unwrap_or(Issuer::App(settings.app.mode));
    let call = CallBy { path, query, body: None, issuer };
    judge_fetch(
        call.make(tools.control, app, timeout).await?,
        settings.credential.issuer,
        &settings.app.secret,
    )
}

async fn look(tools: &Tools<'_>, settings: &Settings, grant: &mut Grant) -> Result<Arc<Secret>, FetchError> {
    let key = grant::key(&settings.app, &settings.credential).unwrap_or_default();
    let looked = grant.look(tools.store, &key, tools.now).await;
    looked.map_err(|failure| FetchError { failure, lost: false })
}

/// A call that carries another of the app's credentials.
struct CallBy<'a> {
    path: &'static str,
    /// What stands before the credential.
    query: &'a str,
    /// None: a GET.
    body: Option<&'a str>,
    /// Of the credential that it carries.
    issuer: Issuer,
}

impl CallBy<'_> {
    /// WeChat may reject the credential as it may any caller's: then it is replaced, and the call
    /// made again.
    async fn make(
        &self,
        control: &Control,
        by: &Handle,
        timeout: Duration,
    ) -> Result<Result<Answer, CallError>, FetchError> {
        let mut token = by.obtain().await.map_err(|error| without(&error.cause))?;
        let mut replayed_alive = false;
        let mut replays = 0;
        loop {
            let sent_at = Instant::now();
            let answer = self.once(control, &token, timeout).await;
            let code = answer.as_ref().ok().and_then(|answer| scan(&answer.body).errcode);
            let (Some(errcode), Proof::Dead) = (code, self.issuer.proof(code)) else { return Ok(answer) };
            let rejection = Rejection {
                generation: token.generation,
                endpoint: u64::from(self.endpoint().id),
                endpoint_path: self.path,
                errcode,
                sent_at,
                received_at: Instant::now(),
                replayed_alive,
            };
            match by.rejected(rejection).await {
                Verdict::Replay(newer) => (token, replayed_alive) = (newer, false),
                Verdict::ReplayAfter(same, delay) => {
                    sleep(delay).await;
                    (token, replayed_alive) = (same, true);
                }
                Verdict::PassOn => return Err(without(&format!("WeChat rejects it with {errcode}"))),
                Verdict::Unavailable(error) => return Err(without(&error.cause)),
            }
            replays += 1;
            if replays > REPLAYS {
                return Err(without(&format!("WeChat goes on rejecting it with {errcode}")));
            }
        }
    }

    fn endpoint(&self) -> &'static Endpoint {
        match self.issuer.family() {
            Family::Work => catalogue::find_work(self.path),
            Family::Api | Family::Mp | Family::Open => catalogue::find(self.path),
        }
    }

    async fn once(&self, control: &Control, token: &Token, timeout: Duration) -> Result<Answer, CallError> {
        let name = match self.issuer {
            Issuer::Component => "component_access_token",
            _ => "access_token",
        };
        let query = with_credential(self.query, name, &token.value);
        match self.body {
            None => control.call(Call::Get { path: self.path, query: &query }, timeout).await,
            Some(body) => {
                let path = Zeroizing::new(format!("{}?{}", self.path, &*query));
                control.call(Call::Post { path: &path, body }, timeout).await
            }
        }
    }
}

fn without(cause: &str) -> FetchError {
    let failure = Failure::transient(format!("the credential to fetch it with is not to be had: {cause}"));
    FetchError { failure, lost: false }
}

/// What an account that authorised a platform granted.
pub(in crate::token) struct Authorization {
    pub appid: Arc<str>,
    pub refresh_token: Secret,
    /// What else WeChat told; no credential is in it.
    pub info: serde_json::Value,
}

/// Exchanges the code that WeChat gave to an account which authorised the platform `component`.
pub(in crate::token) async fn query_auth(
    control: &Control,
    platform: &Handle,
    component: &str,
    code: &Secret,
    timeout: Duration,
) -> Result<Authorization, Failure> {
    const PATH: &str = "/cgi-bin/component/api_query_auth";
    let body = body(&[("component_appid", component.into()), ("authorization_code", code.expose().into())]);
    let call = CallBy { path: PATH, query: "", body: Some(&body), issuer: Issuer::Component };
    let answer = call.make(control, platform, timeout).await;
    let mut answer =
        answer.and_then(|answer| judge_call(answer, Family::Api, code)).map_err(|error| error.failure)?;
    let mut take = |name: &str| answer.get_mut("authorization_info")?.as_object_mut()?.remove(name);
    let (appid, refresh_token) = (take("authorizer_appid"), take("authorizer_refresh_token"));
    drop(take("authorizer_access_token"));
    let text = |value: Option<serde_json::Value>| value?.as_str().map(str::to_owned);
    let (Some(appid), Some(refresh_token)) = (text(appid), text(refresh_token)) else {
        return Err(Failure::transient("WeChat told neither account nor refresh token"));
    };
    let info = answer.remove("authorization_info").unwrap_or_default();
    Ok(Authorization { appid: appid.into(), refresh_token: Secret::new(refresh_token), info })
}
