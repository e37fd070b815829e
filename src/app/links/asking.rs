//! How quota asks WeChat: with the token that the app's keeper holds, by the client for the app's
//! calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;
use zeroize::Zeroizing;

use crate::quota::{Ask, Question};
use crate::secret::mask;
use crate::token::{AppOptions, Manager};
use crate::upstream::control::{Call, Control};

const PATIENCE: Duration = Duration::from_secs(5);

/// The apps and the clients for their calls; replaced when the configuration is reloaded.
pub(in crate::app) type Clients = Arc<ArcSwap<HashMap<Arc<str>, (AppOptions, Control)>>>;

pub(in crate::app) fn clients(apps: &[(AppOptions, Control)]) -> HashMap<Arc<str>, (AppOptions, Control)> {
    apps.iter().map(|(app, control)| (Arc::clone(&app.name), (app.clone(), control.clone()))).collect()
}

/// Asks by `clients`, with the tokens of `manager`.
pub(in crate::app) fn with(manager: Manager, clients: Clients) -> Ask {
    Arc::new(move |app, question| {
        let (manager, app) = (manager.clone(), Arc::clone(app));
        let client = clients.load().get(&app).cloned();
        Box::pin(async move {
            let (options, control) = client.ok_or("the app is not configured any more")?;
            ask(&manager, &options, &control, question).await
        })
    })
}

async fn ask(
    manager: &Manager,
    app: &AppOptions,
    control: &Control,
    question: Question,
) -> Result<Vec<u8>, String> {
    let handle = manager.handle(&app.name).ok_or("the app is not configured any more")?;
    let token = handle.obtain().await;
    let sent = token.as_ref().map_or(&app.secret, |token| &token.value);
    let (path, body) = match &question {
        Question::Quota { path } => ("/cgi-bin/openapi/quota/get", json!({ "cgi_path": path })),
        Question::ClearOne { path } => ("/cgi-bin/openapi/quota/clear", json!({ "cgi_path": path })),
        Question::Rid { rid } => ("/cgi-bin/openapi/rid/get", json!({ "rid": rid })),
        Question::ClearAll => ("/cgi-bin/clear_quota", json!({ "appid": &*app.appid })),
    };
    let target = match &token {
        Ok(token) => format!("{path}?access_token={}", token.value.expose()),
        // The quota of tokens may be the one that is used up; an account's secret clears as well
        // (FACTS 5).
        Err(_) if question == Question::ClearAll && !app.kind.is_platform() => {
            format!("/cgi-bin/clear_quota/v2?appid={}&appsecret={}", app.appid, app.secret.expose())
        }
        Err(unavailable) => return Err(unavailable.cause.clone()),
    };
    let target = Zeroizing::new(target);
    let call = Call::Post { path: &target, body: &body.to_string() };
    match control.call(call, PATIENCE).await {
        // What it says is shown to operators.
        Ok(answer) if answer.status.is_success() => {
            let clean = mask::masked(&answer.body, [sent.expose().as_bytes()]);
            Ok(clean.unwrap_or_else(|| answer.body.to_vec()))
        }
        Ok(answer) => Err(format!("WeChat answered HTTP {}", answer.status.as_u16())),
        Err(error) => Err(error.to_string()),
    }
}
