//! Who a request's token or secret belongs to, and whether WeChat takes it.

use crate::sandbox::answer::Answer;
use crate::sandbox::call::Call;
use crate::sandbox::state::accounts::{App, AppKind};
use crate::sandbox::state::tokens::{Kind, Verdict, well_formed};
use crate::sandbox::state::world::State;

/// Whose token an endpoint demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// An account's own, or an authorizer's that a component fetched.
    App,
    /// A component's; by either name (FACTS 1.4).
    Component,
    /// Either, as `access_token`.
    Either,
    /// A WeCom suite's.
    Suite,
    /// A WeCom provider's.
    Provider,
}

/// The app whose token was taken.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    pub appid: String,
}

/// Checks the credential that an endpoint of this class demands; `Err` is the refusal.
pub(super) fn demand(state: &mut State, call: &Call, class: Class) -> Result<Holder, Answer> {
    let sent = match class {
        Class::App | Class::Either => call.param("access_token"),
        Class::Component => call.param("component_access_token").or_else(|| call.param("access_token")),
        Class::Suite => call.param("suite_access_token"),
        // `get_login_info` wants it under the ordinary name.
        Class::Provider => call.param("provider_access_token").or_else(|| call.param("access_token")),
    };
    let Some(value) = sent else { return Err(missing(class)) };
    let of_provider = matches!(class, Class::Suite | Class::Provider);
    if !well_formed(value) {
        return Err(if of_provider { not_a_providers() } else { Answer::error(40014) });
    }
    let Some(found) = state.tokens.find(value, call.now) else {
        return Err(if of_provider { not_a_providers() } else { unknown(call) });
    };
    match found.verdict {
        Verdict::Good => {}
        // FACTS 1.3: these have a code of their own.
        Verdict::Expired if matches!(found.owner.kind, Kind::Suite | Kind::Provider) => {
            return Err(Answer::error(42009));
        }
        Verdict::Expired => return Err(Answer::error(42001)),
        Verdict::Superseded => return Err(rejected(call, found.owner.kind)),
    }
    if state.lags.reject(&found.owner.appid, &call.path, found.issued_at, call.now) {
        return Err(rejected(call, found.owner.kind));
    }
    match (class, found.owner.kind) {
        (Class::Component, kind) if kind != Kind::Component => Err(unknown(call)),
        (Class::Suite, kind) if kind != Kind::Suite => Err(not_a_providers()),
        (Class::Provider, kind) if kind != Kind::Provider => Err(not_a_providers()),
        (Class::App, Kind::Component) => Err(Answer::error(48001)),
        _ => Ok(Holder { appid: found.owner.appid }),
    }
}

/// The app that these two belong to, calling from where it may.
pub(super) fn known(
    state: &State,
    call: &Call,
    appid: Option<&str>,
    secret: Option<&str>,
) -> Result<App, Answer> {
    let appid = appid.ok_or_else(|| Answer::error(41002))?;
    let secret = secret.ok_or_else(|| Answer::error(41004))?;
    let account = state.accounts.get(appid).filter(|app| !app.kind.is_wecom());
    let app = account.ok_or_else(|| Answer::error(40013))?;
    if app.kind != AppKind::MiniProgram && !app.admits(call.from) {
        let from = call.from.to_canonical();
        let mapped = match from {
            std::net::IpAddr::V4(v4) => format!("::ffff:{v4}"),
            std::net::IpAddr::V6(v6) => v6.to_string(),
        };
        return Err(Answer::error_with(40164, format!("invalid ip {from} ipv6 {mapped}, not in whitelist")));
    }
    if app.secret != secret {
        return Err(Answer::error(40125));
    }
    Ok(app.clone())
}

/// FACTS 1.3: WeCom's 40001 is a bad secret; a token that isn't taken is 40014 there, a suite's or
/// a provider's 40082.
fn rejected(call: &Call, kind: Kind) -> Answer {
    match kind {
        Kind::Wecom => Answer::error(40014),
        Kind::Suite | Kind::Provider => not_a_providers(),
        Kind::Classic | Kind::Stable | Kind::Component | Kind::Authorizer => unknown(call),
    }
}

fn not_a_providers() -> Answer {
    Answer::error_with(40082, "invalid suite_acccess_token or provider_access_token")
}

fn missing(class: Class) -> Answer {
    match class {
        Class::Suite => Answer::error_with(41022, "suite_access_token missing"),
        Class::App | Class::Component | Class::Either | Class::Provider => Answer::error(41001),
    }
}

fn unknown(call: &Call) -> Answer {
    Answer::error(if call.is_wecom() { 40014 } else { 40001 })
}
