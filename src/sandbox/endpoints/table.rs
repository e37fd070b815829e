//! What the fake does of the endpoints that WeChat has, and what each demands.

use super::catalogue::{self, Listed};
use super::credentials::{self, Class};
use super::media::MULTIPART_OVERHEAD;
use super::shaped::{self, Behind, Shape};
use super::{authorizers, business, issue, media, oauth, quotas, suites};
use crate::sandbox::answer::Answer;
use crate::sandbox::call::Call;
use crate::sandbox::state::world::State;

/// JSON bodies are kept up to this many bytes; of longer ones only the digest.
const LONGEST_JSON: usize = 1024 * 1024;

/// An endpoint that settles its credential itself.
type Open = (&'static str, fn(&mut State, &Call) -> Answer);

const OPEN: &[Open] = &[
    ("/cgi-bin/token", issue::classic),
    ("/cgi-bin/stable_token", issue::stable),
    ("/cgi-bin/gettoken", issue::wecom),
    ("/cgi-bin/service/get_suite_token", issue::suite),
    ("/cgi-bin/service/get_provider_token", issue::provider),
    ("/cgi-bin/component/api_component_token", issue::component),
    ("/cgi-bin/component/api_authorizer_token", issue::authorizer),
    ("/cgi-bin/component/api_query_auth", issue::query_auth),
    ("/cgi-bin/component/api_start_push_ticket", |_, _| Answer::ok([])),
    ("/cgi-bin/clear_quota/v2", quotas::clear_with_secret),
    ("/cgi-bin/component/clear_quota/v2", quotas::clear_with_secret),
    ("/sns/component/jscode2session", oauth::component_session),
    ("/sns/oauth2/component/access_token", oauth::component_access_token),
];

/// An endpoint behind a token: path, whose token, whether it must be POST, what it does.
type Guarded = (&'static str, Class, bool, Behind);

const GUARDED: &[Guarded] = &[
    ("/cgi-bin/service/get_pre_auth_code", Class::Suite, false, suites::pre_auth_code),
    ("/cgi-bin/service/set_session_info", Class::Suite, true, business::fine),
    ("/cgi-bin/service/get_permanent_code", Class::Suite, true, suites::permanent_code),
    ("/cgi-bin/service/get_auth_info", Class::Suite, true, suites::auth_info),
    ("/cgi-bin/service/get_corp_token", Class::Suite, true, suites::corp_token),
    ("/cgi-bin/service/get_login_info", Class::Provider, true, business::fine),
    ("/cgi-bin/media/get/jssdk", Class::App, false, media::get),
    ("/cgi-bin/openapi/quota/get", Class::Either, true, |state, call, holder| {
        quotas::get(state, call, holder, lists)
    }),
    ("/cgi-bin/openapi/quota/clear", Class::Either, true, |state, call, holder| {
        quotas::clear_one(state, call, holder, lists)
    }),
    ("/cgi-bin/openapi/rid/get", Class::Either, true, quotas::rid),
    ("/cgi-bin/clear_quota", Class::Either, true, quotas::clear),
    ("/cgi-bin/component/api_create_preauthcode", Class::Component, true, business::preauthcode),
    ("/cgi-bin/component/api_get_authorizer_info", Class::Component, true, authorizers::info),
    ("/cgi-bin/component/api_get_authorizer_list", Class::Component, true, authorizers::list),
    // A component's token under the ordinary name (FACTS 1.4).
    ("/wxa/gettemplatedraftlist", Class::Either, false, business::fine),
    ("/wxa/gettemplatelist", Class::Either, false, business::fine),
    ("/wxa/addtotemplate", Class::Either, true, business::fine),
    ("/wxa/deletetemplate", Class::Either, true, business::fine),
    ("/cgi-bin/open/have", Class::Either, false, business::fine),
    ("/wxa/component/fastregisterbetaweapp", Class::Either, true, business::fine),
    ("/cgi-bin/component/get_authorizer_option", Class::Either, true, business::fine),
    ("/cgi-bin/component/set_authorizer_option", Class::Either, true, business::fine),
];

/// Whether the fake has the path in its tables by name.
fn lists(path: &str) -> bool {
    shaped::lists(path)
        || OPEN.iter().any(|(known, _)| *known == path)
        || GUARDED.iter().any(|(known, ..)| *known == path)
}

/// How many bytes of a body the endpoint can use.
pub(in crate::sandbox) fn body_limit(path: &str, media_limit: usize) -> usize {
    match path {
        "/cgi-bin/media/upload" | "/cgi-bin/media/uploadimg" | "/cgi-bin/material/add_material" => {
            media_limit + MULTIPART_OVERHEAD
        }
        _ => LONGEST_JSON,
    }
}

/// Whether WeChat has the endpoint for the token that it is called with.
pub(in crate::sandbox) fn is_listed(state: &State, path: &str, token: Option<&str>, now: i64) -> bool {
    find(state, path, token, now).is_some()
}

fn find(state: &State, path: &str, token: Option<&str>, now: i64) -> Option<Listed> {
    let found = token.and_then(|token| state.tokens.find(token, now));
    catalogue::find(path, found.map(|found| found.owner.kind))
}

/// What is taken for an endpoint that isn't listed: it demands whichever token it is called with.
fn unlisted(call: &Call) -> Listed {
    let class = match call.credential() {
        // The user's own.
        _ if call.path.starts_with("/sns/") => None,
        Some(("component_access_token", _)) => Some(Class::Component),
        Some(("suite_access_token", _)) => Some(Class::Suite),
        Some(("provider_access_token", _)) => Some(Class::Provider),
        _ => Some(Class::Either),
    };
    Listed { class, wecom: false }
}

/// What WeChat answers.
pub(in crate::sandbox) fn answer(state: &mut State, call: &Call) -> Answer {
    let token = call.credential().map(|(_, token)| token);
    let listed = match find(state, &call.path, token, call.now) {
        Some(listed) => listed,
        None if state.settings.allow_unlisted => unlisted(call),
        None => return Answer::error(40066),
    };
    let shape = shaped::find(&call.path, listed.wecom).map(|shaped| shaped.shape);
    if let Some(Shape::Open(decide)) = shape {
        return decide(state, call);
    }
    if let Some((_, decide)) = OPEN.iter().find(|(path, _)| *path == call.path) {
        return decide(state, call);
    }
    let guarded = GUARDED.iter().find(|(path, ..)| *path == call.path);
    let (class, post, decide) = match (shape, guarded, listed.class) {
        (Some(Shape::Any(decide)), ..) => (Class::App, false, decide),
        (Some(Shape::Post(decide)), ..) => (Class::App, true, decide),
        (_, Some((_, class, post, decide)), _) => (*class, *post, *decide),
        (_, None, Some(class)) => (class, false, business::fine as Behind),
        (_, None, None) => return Answer::generic(),
    };
    let holder = match credentials::demand(state, call, class) {
        Ok(holder) => holder,
        Err(refusal) => return refusal,
    };
    if post && !call.is_post() {
        return Answer::error(43002);
    }
    if let Err(errcode) = state.quota.spend(&holder.appid, &call.path, call.now) {
        return Answer::error(errcode);
    }
    decide(state, call, &holder)
}

#[cfg(test)]
mod tests {
    use super::shaped::SHAPED;
    use super::{GUARDED, OPEN, catalogue};
    use crate::sandbox::state::tokens::Kind;

    #[test]
    fn whatever_has_an_answer_of_its_own_is_an_endpoint_that_wechat_has() {
        let paths = OPEN.iter().map(|(path, _)| path).chain(GUARDED.iter().map(|(path, ..)| path));
        let unlisted: Vec<_> = paths.filter(|path| catalogue::find(path, None).is_none()).collect();
        assert!(unlisted.is_empty(), "{unlisted:?}");
    }

    #[test]
    fn whatever_is_shaped_is_an_endpoint_that_its_platform_has_and_stands_in_one_table() {
        for shaped in SHAPED {
            let kind = if shaped.is_wecom() { Kind::Wecom } else { Kind::Stable };
            assert!(catalogue::find(shaped.path, Some(kind)).is_some(), "{}", shaped.path);
            let again = OPEN.iter().any(|(path, _)| *path == shaped.path)
                || GUARDED.iter().any(|(path, ..)| *path == shaped.path);
            assert!(!again, "{} is in another table as well", shaped.path);
            let same = |other: &&super::shaped::Shaped| {
                other.path == shaped.path && other.is_wecom() == shaped.is_wecom()
            };
            assert_eq!(SHAPED.iter().filter(same).count(), 1, "{}", shaped.path);
        }
    }
}
