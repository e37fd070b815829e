//! What codes mean to an operator, and what to do about them.

use crate::wechat::family::Family;

/// What a code means where the proxy meets it, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What happened, in a clause.
    pub meaning: &'static str,
    /// What the operator should do, in a sentence.
    pub remedy: &'static str,
}

/// What ends the trouble is done elsewhere, and wxgate, whose circuit is open, hears nothing of it.
macro_rules! then_refresh {
    ($remedy:literal) => {
        concat!($remedy, " Then run `wxgate refresh APP`, or wait 5 minutes.")
    };
}

/// Explains the codes that an operator meets at token endpoints and in budgets, as the hosts of
/// `family` mean them; none for the callers' own business.
pub fn explain(family: Family, code: i64) -> Option<Meaning> {
    match family {
        Family::Work => work(code).or_else(|| main(code)),
        Family::Api | Family::Mp | Family::Open => main(code).or_else(|| work(code)),
    }
}

/// Where WeCom's meaning, or what helps, is another one than the official platform's.
fn work(code: i64) -> Option<Meaning> {
    let (meaning, remedy) = match code {
        40001 | 40125 => (
            "the secret of the WeCom app is wrong",
            "Put the app's current secret into the configuration (work.weixin.qq.com, app management); each app of the \
             company has its own.",
        ),
        40013 => (
            "the corpid is not valid",
            "Compare it, case included, with the one on work.weixin.qq.com (my company); it begins with ww or wx.",
        ),
        40080 => (
            "the suite's secret is wrong",
            "Put the suite's current secret into the configuration (open.work.weixin.qq.com, service provider).",
        ),
        40082 => (
            "the suite's or the provider's token is not valid",
            "Nothing to do if it is rare: the token is replaced.",
        ),
        40083 => (
            "the suite's id is not valid",
            "Compare it with the one on open.work.weixin.qq.com; it begins with ww or tj.",
        ),
        40084 => (
            "the company's permanent code is not valid",
            "Have the company's administrator authorise the app again; it can't be repaired from here.",
        ),
        40085 => (
            "the suite_ticket is not valid",
            "Nothing to do if it is rare: the next ticket comes within ten minutes. If not, see that the suite's callback \
             is reachable.",
        ),
        42009 => (
            "the suite's token has expired",
            "Nothing to do: the token is replaced. Check the machine's clock.",
        ),
        45009 => (
            "the limit of calls is used up",
            "Wait for the next minute, hour or day, whichever limit it was. See wxgate_caller_requests_total for who \
             spent it.",
        ),
        45033 => (
            "too many calls at the same time",
            "Nothing to do: it is tried again later. See wxgate_caller_requests_total for who sends the most.",
        ),
        60020 => (
            "this machine's address is not among the app's trusted addresses",
            then_refresh!(
                "Add the address on work.weixin.qq.com (the app's page, trusted IPs of the company)."
            ),
        ),
        _ => return None,
    };
    Some(Meaning { meaning, remedy })
}

fn main(code: i64) -> Option<Meaning> {
    let (meaning, remedy) = match code {
        -1 => ("WeChat is busy", "Nothing to do: it is tried again with growing pauses."),
        40001 => (
            "the app secret is wrong, or the token is not the latest one",
            "At a token endpoint: put the secret of this appid into the configuration (mp.weixin.qq.com, developer \
             settings). Elsewhere: find who else fetches tokens with this secret, and use token_mode = \"stable\".",
        ),
        40002 => (
            "the grant_type is not accepted",
            "Check that upstream.base_urls leads to WeChat and not to another proxy.",
        ),
        40013 => (
            "the appid is not valid",
            "Compare appid, case included, with the one on mp.weixin.qq.com; it begins with wx.",
        ),
        40014 => (
            "the access token is malformed or of another account",
            "Nothing to do if it is rare: the token is replaced. If not, find who else writes to the token store.",
        ),
        40125 => (
            "the app secret is wrong",
            "Put the current secret of this appid into the configuration; it changes when somebody resets it on \
             mp.weixin.qq.com.",
        ),
        40164 => (
            "this machine's address is not in the account's IP whitelist",
            "Add the address to the IP whitelist on mp.weixin.qq.com (developer settings), then run `wxgate refresh APP` \
             or wait 5 minutes; or run wxgate on a machine whose address is in it.",
        ),
        40243 => (
            "the app secret is frozen",
            then_refresh!("Unfreeze or reset the app secret on mp.weixin.qq.com (developer settings)."),
        ),
        41001 => (
            "the request had no access token",
            "The endpoint demands a token that was not sent: report the path, the catalogue has it wrong.",
        ),
        41002 => ("the appid is missing", "Set appid; see that nothing on the way to WeChat drops it."),
        41004 => ("the app secret is missing", "Set secret; see that its file or variable isn't empty."),
        42001 => (
            "the access token has expired",
            "Nothing to do: the token is replaced. Check the machine's clock.",
        ),
        43002 => (
            "the call must be a POST",
            "See that nothing on the way to WeChat turns POST into GET, such as a redirect.",
        ),
        45009 => (
            "the daily limit of calls is used up",
            "Wait for midnight in Beijing, or clear the quota (ten times a month) on mp.weixin.qq.com. See \
             wxgate_caller_requests_total for who spent it.",
        ),
        45011 => (
            "too many calls in a minute",
            "Nothing to do: it is tried again later. See wxgate_caller_requests_total for who sends the most.",
        ),
        48001 => (
            "the account has no permission for this endpoint",
            "Check the account's kind and permissions on mp.weixin.qq.com, and that the call is for the right app.",
        ),
        48004 => (
            "the endpoint is banned for this account",
            "Log in to mp.weixin.qq.com and read the notice about the ban.",
        ),
        48006 => (
            "the quota was cleared as often as is allowed this month",
            "Wait for the next month, or for midnight in Beijing.",
        ),
        50002 => ("the account is restricted", "Log in to mp.weixin.qq.com and read the notice about it."),
        50004 => ("the account may not use this endpoint", "Check the account's state on mp.weixin.qq.com."),
        50007 => (
            "the account is frozen",
            then_refresh!("Log in to mp.weixin.qq.com and have the account unfrozen."),
        ),
        61004 => (
            "this machine's address is not in the third-party platform's IP whitelist",
            then_refresh!("Add the address to the platform's IP whitelist on open.weixin.qq.com."),
        ),
        61005 => (
            "the component_verify_ticket has expired",
            "Nothing to do if it is rare: WeChat pushes a ticket every ten minutes, and the next one is used. If not, see \
             that the platform's callback is reachable.",
        ),
        61006 => (
            "the component_verify_ticket is not valid",
            "Nothing to do if it is rare: the next pushed ticket is used. If not, see that the callback's tickets are of \
             this platform.",
        ),
        61007 => (
            "the account has not granted this permission to the third-party platform",
            "Have the account's administrator authorise the platform again, with this permission.",
        ),
        61011 => ("the component_appid is not valid", "Compare it with the one on open.weixin.qq.com."),
        61023 => (
            "the authorizer's refresh token is not valid",
            "Have the account's administrator authorise the platform again; it can't be repaired from here.",
        ),
        89501 => (
            "the account's administrator must confirm this machine's address",
            then_refresh!(
                "Have the administrator confirm it in WeChat, or add the address to the IP whitelist."
            ),
        ),
        89503 => (
            "the call must be confirmed by the account's administrator",
            then_refresh!(
                "Have the administrator confirm the message that WeChat sent, or add the address to the IP whitelist."
            ),
        ),
        89506 => (
            "the administrator refused this machine's address; it may not be asked for again within 24 hours",
            "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or wait a day.",
        ),
        89507 => (
            "the administrator refused this machine's address; it may not be asked for again within an hour",
            "Add the address to the IP whitelist on mp.weixin.qq.com and run `wxgate refresh APP`, or wait an hour.",
        ),
        89500..=89599 => (
            "WeChat wants the administrator's word on this machine's address",
            then_refresh!("Add the address to the IP whitelist on mp.weixin.qq.com."),
        ),
        _ => return None,
    };
    Some(Meaning { meaning, remedy })
}
