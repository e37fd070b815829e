//! Which credential a path gets that isn't in the catalogue: the request says so.

use super::placeholder::Placeholder;
use super::target::RequestTarget;
use crate::message::credential::CredentialParam;
use crate::message::query;
use crate::wechat::catalogue::CredentialClass;
use crate::wechat::{Issuer, placeholder as text};

/// Tokens that wxgate has none of: the caller's own stays.
const OF_HARDWARE: [&str; 2] = ["device_access_token", "model_access_token"];

/// The target, with what its endpoint is taken to want if it isn't listed. What its name says has
/// been said: the users' side of the API, and what hands out credentials, stay what they are.
pub(crate) fn settled<'r>(target: RequestTarget<'r>, placeholder: &Placeholder<'_>) -> RequestTarget<'r> {
    if target.endpoint.id != 0 || target.endpoint.class != CredentialClass::AppToken {
        return target;
    }
    target.taken_to_want(wanted(&target, placeholder))
}

/// By the kind of the token for which a placeholder stands; else by the parameter that the caller
/// used.
fn wanted(target: &RequestTarget<'_>, placeholder: &Placeholder<'_>) -> CredentialClass {
    let in_query = |name: &str| target.query.is_some_and(|query| query::get(query, name).is_some());
    let in_form = |name: &str| target.form.is_some_and(|form| form.get(name).is_some());
    if OF_HARDWARE.iter().any(|name| in_query(name) || in_form(name)) {
        return CredentialClass::HardwareToken;
    }
    let stands_in = target.brought().find(|(_, value)| text::looks_like(value)).map(|(param, _)| param);
    let Some(param) = stands_in.or_else(|| target.brought().next().map(|(param, _)| param)) else {
        return CredentialClass::AppToken;
    };
    let by_param = match param {
        CredentialParam::AccessToken | CredentialParam::CloudbaseAccessToken => None,
        CredentialParam::ComponentAccessToken => Some(Issuer::Component),
        CredentialParam::SuiteAccessToken => Some(Issuer::Suite),
        CredentialParam::ProviderAccessToken => Some(Issuer::Provider),
    };
    let by_kind = stands_in.and_then(|_| placeholder.issuer());
    match (by_kind.or(by_param), by_param.is_none()) {
        (Some(Issuer::Component), false) => CredentialClass::ComponentToken,
        (Some(Issuer::Component), true) => CredentialClass::ComponentTokenAsAccessToken,
        (Some(Issuer::Suite), false) => CredentialClass::SuiteToken,
        (Some(Issuer::Suite), true) => CredentialClass::SuiteTokenAsAccessToken,
        (Some(Issuer::Provider), false) => CredentialClass::ProviderToken,
        (Some(Issuer::Provider), true) => CredentialClass::ProviderTokenAsAccessToken,
        _ => CredentialClass::AppToken,
    }
}
