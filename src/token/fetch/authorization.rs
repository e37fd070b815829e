//! The exchange of a code for what an account granted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::by_token::CallByToken;
use super::fields::Fields;
use super::response::wipe;
use crate::secret::Secret;
use crate::store::is_text;
use crate::texts::words;
use crate::token::{Failure, Handle};
use crate::upstream::control::Control;
use crate::wechat::{Issuer, TokenEndpoint};

/// What an account that authorised a platform granted.
pub(in crate::token) struct Authorization {
    pub appid: Arc<str>,
    pub refresh_token: Secret,
    /// What else WeChat returned; it holds no credential.
    pub info: Value,
}

/// Exchanges the code that WeChat gave to an account which authorised the platform `component`.
pub(in crate::token) async fn query_auth(
    control: &Control,
    platform: &Handle,
    component: &str,
    code: &Secret,
    timeout: Duration,
) -> Result<Authorization, Failure> {
    const EXCHANGE: TokenEndpoint = TokenEndpoint::EXCHANGE;
    let code_field = EXCHANGE.code.map(|name| (name, code.expose()));
    let texts = std::iter::once((EXCHANGE.id, component)).chain(code_field).collect();
    let body = Fields { texts, ..Fields::default() }.json();
    let (path, body, issuer) = (EXCHANGE.path, Some(&**body), Issuer::Component);
    let call = CallByToken { path, query: "", body, secret: code, issuer };
    let mut answer = call.make(control, platform, timeout).await.map_err(|error| *error.failure)?;
    let mut take = |name: &str| answer.get_mut("authorization_info")?.as_object_mut()?.remove(name);
    let (appid, refresh_token) = (take("authorizer_appid"), take("authorizer_refresh_token"));
    take("authorizer_access_token").as_mut().map(wipe);
    let text = |value: Option<Value>| match value? {
        Value::String(text) if is_text(&text) => Some(text),
        _ => None,
    };
    let (Some(appid), Some(refresh_token)) = (text(appid), text(refresh_token)) else {
        return Err(Failure::transient(words!("WeChat's response lacks the account or the refresh token")));
    };
    let info = answer.remove("authorization_info").unwrap_or_default();
    Ok(Authorization { appid: appid.into(), refresh_token: Secret::new(refresh_token), info })
}
