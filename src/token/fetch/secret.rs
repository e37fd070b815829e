//! Credentials for which a secret is enough.

use std::time::Duration;

use zeroize::Zeroizing;

use super::{FetchError, Issued, judge_fetch};
use crate::token::life::Failure;
use crate::token::options::AppOptions;
use crate::upstream::control::{Call, Control};
use crate::wechat::{Issuer, TokenMode};

/// Fetches the token of an app, or of a WeCom provider.
pub(super) async fn fetch(
    control: &Control,
    app: &AppOptions,
    issuer: Issuer,
    force: bool,
    timeout: Duration,
) -> Result<Issued, FetchError> {
    let secret = &app.secret;
    let answer = match issuer {
        Issuer::App(TokenMode::Stable) => {
            let body = body(&[
                ("grant_type", "client_credential".into()),
                ("appid", (&*app.appid).into()),
                ("secret", secret.expose().into()),
                ("force_refresh", force.into()),
            ]);
            control.call(Call::Post { path: "/cgi-bin/stable_token", body: &body }, timeout).await
        }
        Issuer::App(TokenMode::Classic) => {
            let query = query(&[
                ("grant_type", "client_credential"),
                ("appid", &app.appid),
                ("secret", secret.expose()),
            ]);
            control.call(Call::Get { path: "/cgi-bin/token", query: &query }, timeout).await
        }
        Issuer::Provider => {
            let Some(secret) = &app.provider_secret else { return Err(unset("provider_secret")) };
            let body = body(&[("corpid", (&*app.appid).into()), ("provider_secret", secret.expose().into())]);
            let call = Call::Post { path: "/cgi-bin/service/get_provider_token", body: &body };
            return judge_fetch(control.call(call, timeout).await, issuer, secret);
        }
        _ => {
            let query = query(&[("corpid", &app.appid), ("corpsecret", secret.expose())]);
            control.call(Call::Get { path: "/cgi-bin/gettoken", query: &query }, timeout).await
        }
    };
    judge_fetch(answer, issuer, secret)
}

/// A JSON object, wiped when it is dropped.
pub(super) fn body(fields: &[(&str, serde_json::Value)]) -> Zeroizing<String> {
    let object: serde_json::Map<_, _> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Zeroizing::new(serde_json::Value::Object(object).to_string())
}

fn query(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    Zeroizing::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

/// The configuration rules it out.
pub(super) fn unset(key: &str) -> FetchError {
    FetchError { failure: Failure::transient(format!("the app has no {key}")), lost: false }
}
