//! Who a request's token belongs to, and whether WeChat takes it.

use super::answer::Answer;
use super::call::Call;
use super::state::State;
use super::tokens::{Kind, Verdict, well_formed};

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
        Class::Provider => call.param("provider_access_token").or_else(|| call.param("access_token")),
    };
    let Some(value) = sent else { return Err(Answer::error(41001)) };
    if !well_formed(value) {
        return Err(Answer::error(40014));
    }
    let Some(found) = state.tokens.find(value, call.now) else { return Err(unknown(call)) };
    match found.verdict {
        Verdict::Good => {}
        Verdict::Expired => return Err(Answer::error(42001)),
        // FACTS 1.3: WeCom's 40001 is a bad secret; a token that isn't taken is 40014 there.
        Verdict::Superseded if found.owner.kind == Kind::Wecom => return Err(Answer::error(40014)),
        Verdict::Superseded if matches!(class, Class::Suite | Class::Provider) => {
            return Err(Answer::error_with(40082, "invalid suite_acccess_token or provider_access_token"));
        }
        Verdict::Superseded => return Err(unknown(call)),
    }
    if state.lags.reject(&found.owner.appid, &call.path, found.issued_at, call.now) {
        return Err(unknown(call));
    }
    match (class, found.owner.kind) {
        (Class::Component, kind) if kind != Kind::Component => Err(unknown(call)),
        (Class::Suite, kind) if kind != Kind::Suite => Err(unknown(call)),
        (Class::Provider, kind) if kind != Kind::Provider => Err(unknown(call)),
        (Class::App, Kind::Component) => Err(Answer::error(48001)),
        _ => Ok(Holder { appid: found.owner.appid }),
    }
}

fn unknown(call: &Call) -> Answer {
    Answer::error(if call.is_wecom() { 40014 } else { 40001 })
}
