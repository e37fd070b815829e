//! How quota asks WeChat: with the token that the app's task holds, by the client for the app's
//! calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use serde_json::json;
use zeroize::Zeroizing;

use crate::observe::clock::Clock;
use crate::pipeline::{self, SigningOptions};
use crate::quota::{Ask, Question};
use crate::secret::{Secret, mask};
use crate::texts::{Words, text};
use crate::token::{AppOptions, Manager};
use crate::upstream::control::{Answer, Call, Control};
use crate::wechat::signing::{self, Keys, Signed, Unverified};
use crate::wechat::{catalogue, errcode};

const PATIENCE: Duration = Duration::from_secs(5);
const QUOTA: &str = "/cgi-bin/openapi/quota/get";

/// The apps and the clients for their calls; replaced when the configuration is reloaded.
pub(in crate::app) type Clients = Arc<ArcSwap<HashMap<Arc<str>, Client>>>;

/// How WeChat is called for an app.
#[derive(Clone)]
pub(in crate::app) struct Client {
    app: AppOptions,
    control: Control,
    signing: Option<SigningOptions>,
}

/// Those of `apps`, of which `options` say in the same order how they sign.
pub(in crate::app) fn clients(
    apps: &[(AppOptions, Control)],
    options: &pipeline::Options,
) -> HashMap<Arc<str>, Client> {
    let client = |((app, control), options): (&(AppOptions, Control), &pipeline::AppOptions)| {
        let client = Client::new(app.clone(), control.clone(), options.signing.clone());
        (Arc::clone(&app.name), client)
    };
    apps.iter().zip(&options.apps).map(client).collect()
}

/// Asks by `clients`, with the tokens of `manager`.
pub(in crate::app) fn with(manager: Manager, clients: Clients, clock: Clock) -> Ask {
    Arc::new(move |app, question| {
        let (manager, clock, app) = (manager.clone(), clock.clone(), Arc::clone(app));
        let client = clients.load().get(&app).cloned();
        Box::pin(async move {
            let client = client.ok_or_else(|| Words::of(gone))?;
            client.ask(&manager, &clock, question).await.map_err(Words::untranslated)
        })
    })
}

impl Client {
    /// The one for an app whose `control` leads to WeChat.
    pub(in crate::app) fn new(app: AppOptions, control: Control, signing: Option<SigningOptions>) -> Self {
        Self { app, control, signing }
    }

    /// Asks for a quota by a signed call, if the app signs; an answer is a success, whatever it
    /// says of the quota.
    pub(in crate::app) async fn try_signing(
        &self,
        token: &Secret,
        clock: &Clock,
    ) -> Option<Result<(), String>> {
        let keys = self.signing.as_ref()?.keys.as_ref()?;
        let target = Zeroizing::new(format!("{QUOTA}?access_token={}", token.expose_encoded()));
        let body = json!({ "cgi_path": QUOTA }).to_string();
        let answer = self.signed(keys, QUOTA, &target, &body, clock).await;
        Some(answer.and_then(|answer| match errcode::scan(&answer).errcode {
            Some(code) if code != 0 => {
                let clean = mask::masked(&answer, [token.expose().as_bytes()]);
                Err(String::from_utf8_lossy(clean.as_deref().unwrap_or(&answer)).into_owned())
            }
            _ => Ok(()),
        }))
    }

    async fn ask(&self, manager: &Manager, clock: &Clock, question: Question) -> Result<Vec<u8>, String> {
        let app = &self.app;
        let handle = match &question {
            Question::QuotaOfAccount { appid, .. } => {
                let handle = manager.authorizer(&app.name, appid).await;
                handle.map_err(|unavailable| unavailable.to_string())?.ok_or_else(gone)?
            }
            _ => manager.handle(&app.name).ok_or_else(gone)?,
        };
        let token = handle.obtain().await;
        let sent = token.as_ref().map_or(&app.secret, |token| &token.value);
        let (path, body) = match &question {
            Question::Quota { path } | Question::QuotaOfAccount { path, .. } => {
                (QUOTA, json!({ "cgi_path": path }))
            }
            Question::ClearOne { path } => ("/cgi-bin/openapi/quota/clear", json!({ "cgi_path": path })),
            Question::Rid { rid } => ("/cgi-bin/openapi/rid/get", json!({ "rid": rid })),
            Question::ClearAll => ("/cgi-bin/clear_quota", json!({ "appid": &*app.appid })),
        };
        let target = match &token {
            Ok(token) => format!("{path}?access_token={}", token.value.expose()),
            // The quota of tokens may be the one that is used up; an account's secret clears as
            // well (FACTS 5).
            Err(_) if question == Question::ClearAll && !app.kind.is_platform() => {
                format!("/cgi-bin/clear_quota/v2?appid={}&appsecret={}", app.appid, app.secret.expose())
            }
            Err(unavailable) => return Err(unavailable.to_string()),
        };
        let target = Zeroizing::new(target);
        let of_account = matches!(question, Question::QuotaOfAccount { .. });
        let answer = match self.keys(path).filter(|_| token.is_ok() && !of_account) {
            Some(keys) => self.signed(keys, path, &target, &body.to_string(), clock).await?,
            None => self.call(Call::Post { path: &target, body: &body.to_string() }).await?.body,
        };
        // What it says is shown to operators.
        Ok(mask::masked(&answer, [sent.expose().as_bytes()]).unwrap_or_else(|| answer.to_vec()))
    }

    /// What a call of `path` is signed by, if it is.
    fn keys(&self, path: &str) -> Option<&Keys> {
        let signing = self.signing.as_ref()?;
        signing.signs(path, catalogue::find(path)).then_some(signing.keys.as_deref()?)
    }

    async fn signed(
        &self,
        keys: &Keys,
        path: &str,
        target: &str,
        body: &str,
        clock: &Clock,
    ) -> Result<Bytes, String> {
        let fields = signing::merge(body.as_bytes(), "").map_err(|error| error.to_string())?;
        let sealed = keys.seal(path, &fields, clock.now()).map_err(|error| error.to_string())?;
        let call = Call::Signed { path: target, body: &sealed.body, headers: &sealed.headers };
        let answer = self.call(call).await?;
        match Signed::of(&answer.headers) {
            Some(signed) => match keys.open(path, signed, &answer.body, clock.now()) {
                Ok(opened) => Ok(opened.body.into()),
                Err(why) => {
                    Err(text!("WeChat's signed response could not be verified: {why}", why).to_string())
                }
            },
            None if matches!(errcode::scan(&answer.body).errcode, None | Some(0)) => {
                let why = Unverified::Clear;
                Err(text!("WeChat's signed response could not be verified: {why}", why).to_string())
            }
            None => Ok(answer.body),
        }
    }

    async fn call(&self, call: Call<'_>) -> Result<Answer, String> {
        match self.control.call(call, PATIENCE).await {
            Ok(answer) if answer.status.is_success() => Ok(answer),
            Ok(answer) => {
                Err(text!("WeChat responded with HTTP {status}", status = answer.status.as_u16()).to_string())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Of an app that a reload has removed.
pub(in crate::app) fn gone() -> String {
    text!("the app is no longer configured").to_string()
}
