//! What codes mean to an operator, and what to do about them.

use crate::texts::{Words, marked, translated};
use crate::wechat::family::Family;

/// What a code means where the proxy meets it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What happened, in a clause.
    pub meaning: Words,
    /// What the operator should do, in a sentence.
    pub remedy: Words,
}

/// Explains the codes that an operator meets at token endpoints, in budgets and in signing, as the
/// hosts of `family` mean them; none for those that are up to the callers.
pub fn explain(family: Family, code: i64) -> Option<Meaning> {
    let (meaning, remedy) = match family {
        Family::Work => work(code).or_else(|| main(code)),
        Family::Api | Family::Mp | Family::Open => main(code).or_else(|| work(code)),
    }?;
    let words = |text| Words::of(|| translated(text));
    Some(Meaning { meaning: words(meaning), remedy: words(remedy) })
}

/// Meaning and remedy. A remedy that is carried out elsewhere says how wxgate, whose circuit is
/// open, learns of it.
type Row = (&'static str, &'static str);

/// Where WeCom's meaning, or what helps, differs from the official platform's.
fn work(code: i64) -> Option<Row> {
    Some(match code {
        40001 | 40125 => (
            marked!("the secret of the WeCom app is wrong"),
            marked!(
                "Set the app's current secret in the configuration (work.weixin.qq.com, app management); \
                 each app of the company has its own."
            ),
        ),
        40013 => (
            marked!("the corpid is not valid"),
            marked!(
                "Compare it with the one on work.weixin.qq.com (my company); it is case-sensitive and \
                 begins with ww or wx."
            ),
        ),
        40078 => (
            marked!("the temporary code is unknown, or was used or has expired"),
            marked!(
                "A code is good once, for ten minutes. Ask the company's administrator to authorise the app \
                 again, or fetch the secret again in the provider's console."
            ),
        ),
        40080 => (
            marked!("the suite's secret is wrong"),
            marked!(
                "Set the suite's current secret in the configuration (open.work.weixin.qq.com, service \
                 provider)."
            ),
        ),
        40082 => (
            marked!("the suite's or the provider's token is not valid"),
            marked!("Nothing to do if it is rare: wxgate replaces the token."),
        ),
        40083 => (
            marked!("the suite's id is not valid"),
            marked!("Compare it with the one on open.work.weixin.qq.com; it begins with ww or tj."),
        ),
        40084 => (
            marked!("the company's permanent code is not valid"),
            marked!("Ask the company's administrator to authorise the app again; wxgate can't repair it."),
        ),
        40085 => (
            marked!("the suite_ticket is not valid"),
            marked!(
                "Nothing to do if it is rare: the next ticket comes within ten minutes. Otherwise make \
                 sure WeCom can reach the suite's callback URL."
            ),
        ),
        42009 => (
            marked!("the suite's token has expired"),
            marked!("Nothing to do: wxgate replaces the token. Check the machine's clock."),
        ),
        45009 => (
            marked!("a limit on calls is used up"),
            marked!(
                "Wait for the next minute, hour or day, depending on the limit. \
                 wxgate_caller_requests_total shows who used it up."
            ),
        ),
        45033 => (
            marked!("too many calls at the same time"),
            marked!(
                "Nothing to do: wxgate tries again later. wxgate_caller_requests_total shows who sends \
                 the most."
            ),
        ),
        48003 => (
            marked!("the suite's token is another suite's"),
            marked!("Make sure that the request uses the app with the right suite_id."),
        ),
        48004 => (
            marked!("the company has not authorised the app, or no longer does"),
            marked!("Ask the company's administrator to authorise the app again; wxgate can't repair it."),
        ),
        60020 => (
            marked!("this machine's address is not among the app's trusted addresses"),
            marked!(
                "Add the address on work.weixin.qq.com (the app's page, the company's trusted IPs), for a \
                 suite on open.work.weixin.qq.com (service provider, IP whitelist). Then run `wxgate refresh \
                 APP`, or wait 5 minutes."
            ),
        ),
        _ => return None,
    })
}

fn main(code: i64) -> Option<Row> {
    Some(match code {
        -1 => {
            (marked!("WeChat is busy"), marked!("Nothing to do: wxgate tries again with increasing delays."))
        }
        40001 => (
            marked!("the app secret is wrong, or the token is not the latest one"),
            marked!(
                "At a token endpoint: set the secret of this appid in the configuration \
                 (mp.weixin.qq.com, developer settings). Elsewhere: find who else fetches tokens with \
                 this secret, and use token_mode = \"stable\"."
            ),
        ),
        40002 => (
            marked!("the grant_type is not accepted"),
            marked!("Make sure upstream.base_urls points to WeChat and not to another proxy."),
        ),
        40013 => (
            marked!("the appid is not valid"),
            marked!(
                "Compare appid with the one on mp.weixin.qq.com; it is case-sensitive and begins with wx."
            ),
        ),
        40014 => (
            marked!("the access token is malformed or of another account"),
            marked!(
                "Nothing to do if it is rare: wxgate replaces the token. Otherwise find who else writes \
                 to the token store."
            ),
        ),
        40125 => (
            marked!("the app secret is wrong"),
            marked!(
                "Set the current secret of this appid in the configuration; resetting it on \
                 mp.weixin.qq.com changes it."
            ),
        ),
        40164 => (
            marked!("this machine's address is not in the account's IP whitelist"),
            marked!(
                "Add the address to the IP whitelist on mp.weixin.qq.com (developer settings), then run \
                 `wxgate refresh APP` or wait 5 minutes; or run wxgate on a machine whose address is in \
                 it."
            ),
        ),
        40230..=40233 => (
            marked!("WeChat requires a signature here, and the request has none or not all of it"),
            marked!(
                "Add the endpoint to app.signing.endpoints, or leave that out; uploads and requests other \
                 than POST can't be signed."
            ),
        ),
        40234 => (
            marked!("the request's signature is wrong"),
            marked!(
                "Check app.signing.private_key: its public half must be the asymmetric key in WeChat's \
                 console."
            ),
        ),
        40235 => (
            marked!("the request's encryption is wrong"),
            marked!("Compare app.signing.aes_key and aes_key_sn with the symmetric key in WeChat's console."),
        ),
        40236 | 40237 => (
            marked!("the signed appid is not valid, or not the token's"),
            marked!(
                "Compare appid with the one on mp.weixin.qq.com, and make sure the request uses the right \
                 app."
            ),
        ),
        40238 => (
            marked!("the account has no symmetric key with this number"),
            marked!("Compare app.signing.aes_key and aes_key_sn with the symmetric key in WeChat's console."),
        ),
        40239 => (
            marked!("the account has no asymmetric key"),
            marked!("Upload the public half of app.signing.private_key in WeChat's console (API security)."),
        ),
        40240 => (marked!("the signature's timestamp has expired"), marked!("Check the machine's clock.")),
        40243 => (
            marked!("the app secret is frozen"),
            marked!(
                "Unfreeze or reset the app secret on mp.weixin.qq.com (developer settings). Then run \
                 `wxgate refresh APP`, or wait 5 minutes."
            ),
        ),
        41001 => (
            marked!("the request had no access token"),
            marked!(
                "The endpoint requires a token that was not sent. Report its path: wxgate's catalogue is \
                 wrong."
            ),
        ),
        41002 => (
            marked!("the appid is missing"),
            marked!("Set appid; make sure nothing between wxgate and WeChat removes it."),
        ),
        41004 => (
            marked!("the app secret is missing"),
            marked!("Set secret; make sure its file or environment variable isn't empty."),
        ),
        42001 => (
            marked!("the access token has expired"),
            marked!("Nothing to do: wxgate replaces the token. Check the machine's clock."),
        ),
        43002 => (
            marked!("the call must be a POST"),
            marked!("Make sure nothing between wxgate and WeChat turns POST into GET, such as a redirect."),
        ),
        45009 => (
            marked!("the daily limit of calls is used up"),
            marked!(
                "Wait for midnight in Beijing, or clear the quota on mp.weixin.qq.com (ten times a \
                 month). wxgate_caller_requests_total shows who used it up."
            ),
        ),
        45011 => (
            marked!("too many calls in a minute"),
            marked!(
                "Nothing to do: wxgate tries again later. wxgate_caller_requests_total shows who sends \
                 the most."
            ),
        ),
        48001 => (
            marked!("the account has no permission for this endpoint"),
            marked!(
                "Check the account's kind and permissions on mp.weixin.qq.com, and that the call is for \
                 the right app."
            ),
        ),
        48004 => (
            marked!("the endpoint is banned for this account"),
            marked!("Log in to mp.weixin.qq.com and read the notice about the ban."),
        ),
        48006 => (
            marked!("the quota was cleared as often as is allowed this month"),
            marked!("Wait for the next month, or for midnight in Beijing."),
        ),
        50002 => (
            marked!("the account is restricted"),
            marked!("Log in to mp.weixin.qq.com and read the notice about it."),
        ),
        50004 => (
            marked!("the account may not use this endpoint"),
            marked!("Check the account's state on mp.weixin.qq.com."),
        ),
        50007 => (
            marked!("the account is frozen"),
            marked!(
                "Log in to mp.weixin.qq.com and have the account unfrozen. Then run `wxgate refresh APP`, \
                 or wait 5 minutes."
            ),
        ),
        61004 => (
            marked!("this machine's address is not in the third-party platform's IP whitelist"),
            marked!(
                "Add the address to the platform's IP whitelist on open.weixin.qq.com. Then run `wxgate \
                 refresh APP`, or wait 5 minutes."
            ),
        ),
        61005 => (
            marked!("the component_verify_ticket has expired"),
            marked!(
                "Nothing to do if it is rare: WeChat pushes a ticket every ten minutes, and wxgate uses \
                 the next one. Otherwise make sure WeChat can reach the platform's callback URL."
            ),
        ),
        61006 => (
            marked!("the component_verify_ticket is not valid"),
            marked!(
                "Nothing to do if it is rare: wxgate uses the next ticket that is pushed. Otherwise make \
                 sure the callback receives this platform's tickets."
            ),
        ),
        61007 => (
            marked!("the account has not granted this permission to the third-party platform"),
            marked!("Ask the account's administrator to authorise the platform again, with this permission."),
        ),
        61011 => (
            marked!("the component_appid is not valid"),
            marked!("Compare it with the one on open.weixin.qq.com."),
        ),
        61023 => (
            marked!("the authorizer's refresh token is not valid"),
            marked!(
                "Ask the account's administrator to authorise the platform again; wxgate can't repair it."
            ),
        ),
        89501 => (
            marked!("the account's administrator must confirm this machine's address"),
            marked!(
                "Ask the administrator to confirm it in WeChat, or add the address to the IP whitelist. \
                 Then run `wxgate refresh APP`, or wait 5 minutes."
            ),
        ),
        89503 => (
            marked!("the account's administrator must confirm the call"),
            marked!(
                "Ask the administrator to confirm the message from WeChat, or add the address to the IP \
                 whitelist. Then run `wxgate refresh APP`, or wait 5 minutes."
            ),
        ),
        89506 => (
            marked!(
                "the administrator refused this machine's address; the next request is possible after 24 \
                 hours"
            ),
            marked!(
                "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or \
                 wait a day."
            ),
        ),
        89507 => (
            marked!(
                "the administrator refused this machine's address; the next request is possible after an \
                 hour"
            ),
            marked!(
                "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or \
                 wait an hour."
            ),
        ),
        89500..=89599 => (
            marked!("WeChat requires the administrator to confirm this machine's address"),
            marked!(
                "Add the address to the IP whitelist on mp.weixin.qq.com. Then run `wxgate refresh APP`, \
                 or wait 5 minutes."
            ),
        ),
        _ => return None,
    })
}
