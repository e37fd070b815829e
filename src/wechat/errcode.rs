//! WeChat's error codes: which of them concern the token, which are permanent, and what an operator does about them.

mod known;

use known::KNOWN;

/// Whether a top-level `errcode` says that the app's access token was not accepted.
///
/// The same codes on user OAuth endpoints concern the user's token, and 40001 at a token endpoint the app secret.
pub fn rejects_token(code: i64) -> bool {
    matches!(code, 40001 | 40014 | 42001)
}

/// Whether a token endpoint that answers this will go on doing so until somebody changes something.
pub fn permanent_at_token_endpoint(code: i64) -> bool {
    matches!(
        code,
        40001 | 40002 | 40013 | 40125 | 40164 | 40243 | 41002 | 41004 | 43002 | 48004 | 50007 | 89500
            ..=89599 | 45009
    )
}

/// Whether WeChat has published this code, so that it may be a metric's label.
pub fn known(code: i64) -> bool {
    KNOWN.binary_search(&code).is_ok()
}

/// What a code means where the proxy meets it, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What happened, in a clause.
    pub meaning: &'static str,
    /// What the operator should do, in a sentence.
    pub remedy: &'static str,
}

/// Explains the codes that an operator meets at token endpoints and in budgets; none for the callers' own business.
pub fn explain(code: i64) -> Option<Meaning> {
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
            "Add the address to the IP whitelist on mp.weixin.qq.com (developer settings), or run wxgate on a \
             machine whose address is in it.",
        ),
        40243 => (
            "the app secret is frozen",
            "Unfreeze or reset the app secret on mp.weixin.qq.com (developer settings).",
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
        50007 => ("the account is frozen", "Log in to mp.weixin.qq.com and have the account unfrozen."),
        61004 => (
            "this machine's address is not in the third-party platform's IP whitelist",
            "Add the address on open.weixin.qq.com.",
        ),
        61005 => (
            "the component_verify_ticket has expired",
            "See that the platform's callback is reachable; WeChat pushes a ticket every ten minutes.",
        ),
        61006 => (
            "the component_verify_ticket is not valid",
            "See that the newest pushed ticket is used, and of this platform.",
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
            "Have the administrator confirm it in WeChat, or add the address to the IP whitelist.",
        ),
        89503 => (
            "the call must be confirmed by the account's administrator",
            "Have the administrator confirm the message that WeChat sent, or add the address to the IP whitelist.",
        ),
        89506 => (
            "the administrator refused this machine's address; it may not be asked for again within 24 hours",
            "Add the address to the IP whitelist on mp.weixin.qq.com, or wait a day.",
        ),
        89507 => (
            "the administrator refused this machine's address; it may not be asked for again within an hour",
            "Add the address to the IP whitelist on mp.weixin.qq.com, or wait an hour.",
        ),
        89500..=89599 => (
            "WeChat wants the administrator's word on this machine's address",
            "Add the address to the IP whitelist on mp.weixin.qq.com.",
        ),
        _ => return None,
    };
    Some(Meaning { meaning, remedy })
}

/// The address that WeChat refused, from the `errmsg` of a 40164 (`invalid ip 203.0.113.7 ipv6 ..., not in whitelist`).
pub fn whitelist_address(errmsg: &str) -> Option<&str> {
    let rest = errmsg.split_once("invalid ip ")?.1;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':'))).unwrap_or(rest.len());
    let address = rest.get(..end)?;
    address.parse::<std::net::IpAddr>().is_ok().then_some(address)
}

/// The request's id in an error text, three groups of eight lower-case hexadecimal digits behind `rid: `.
///
/// WeChat explains it for a week, at `openapi/rid/get`.
pub fn rid(text: &[u8]) -> Option<&str> {
    const GROUPS: usize = 3;
    const LENGTH: usize = GROUPS * 8 + GROUPS - 1;
    memchr::memmem::find_iter(text, b"rid: ").find_map(|at| {
        let rid = text.get(at + 5..at + 5 + LENGTH)?;
        let well_formed = rid.iter().enumerate().all(|(index, byte)| match index % 9 {
            8 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
        let ends = text.get(at + 5 + LENGTH).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (well_formed && ends).then(|| std::str::from_utf8(rid).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::known::KNOWN;
    use super::{explain, known, permanent_at_token_endpoint, rejects_token, rid, whitelist_address};

    #[test]
    fn three_codes_reject_a_token() {
        let rejecting: Vec<i64> = (-100..100_000).filter(|code| rejects_token(*code)).collect();
        assert_eq!(rejecting, [40001, 40014, 42001]);
    }

    #[test]
    fn permanent_failures_are_those_that_only_people_end() {
        let permanent: Vec<i64> = (-100..89_500).filter(|code| permanent_at_token_endpoint(*code)).collect();
        assert_eq!(
            permanent,
            [40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 45009, 48004, 50007]
        );
        assert!(permanent_at_token_endpoint(89500) && permanent_at_token_endpoint(89599));
        assert!(!permanent_at_token_endpoint(89600) && !permanent_at_token_endpoint(-1));
    }

    #[test]
    fn every_permanent_failure_has_a_remedy() {
        for code in (0..100_000).filter(|code| permanent_at_token_endpoint(*code)) {
            let explained = explain(code).expect("a remedy");
            assert!(!explained.meaning.ends_with('.') && explained.remedy.ends_with('.'), "{code}");
        }
        assert_eq!(explain(40003), None);
    }

    #[test]
    fn published_codes_are_known_and_others_are_not() {
        assert!(KNOWN.is_sorted_by(|a, b| a < b));
        for code in [-1, 0, 40001, 40164, 45009, 47001, 48001, 61023, 85009, 87014, 89503, 9_001_001] {
            assert!(known(code), "{code}");
        }
        for code in [-40001, 1, 12345, 49999, 99999, i64::MAX, i64::MIN] {
            assert!(!known(code), "{code}");
        }
        for code in
            (-100..10_000_000).filter(|code| explain(*code).is_some() && !(89500..89600).contains(code))
        {
            assert!(known(code), "{code}");
        }
    }

    #[test]
    fn known_codes_stay_few_enough_for_a_label() {
        assert!((300..1500).contains(&KNOWN.len()), "{}", KNOWN.len());
    }

    #[test]
    fn the_refused_address_is_found() {
        let errmsg = "invalid ip 114.221.21.30 ipv6 ::ffff:114.221.21.30, not in whitelist rid: \
                      658cff8e-7783352d-44cb33e5";
        assert_eq!(whitelist_address(errmsg), Some("114.221.21.30"));
        assert_eq!(whitelist_address("invalid ip 2001:db8::7, not in whitelist"), Some("2001:db8::7"));
        assert_eq!(whitelist_address("invalid ip 203.0.113.7"), Some("203.0.113.7"));
        assert_eq!(whitelist_address("invalid ip , not in whitelist"), None);
        assert_eq!(whitelist_address("invalid appsecret"), None);
    }

    #[test]
    fn the_request_id_is_found() {
        for text in [
            "{\"errcode\":40001,\"errmsg\":\"... not latest rid: 630b6db2-67134d6f-09abfa92\"}",
            "invalid appsecret, rid: 630b6db2-67134d6f-09abfa92",
            "rid: rid: 630b6db2-67134d6f-09abfa92",
        ] {
            assert_eq!(rid(text.as_bytes()), Some("630b6db2-67134d6f-09abfa92"), "{text}");
        }
        for text in [
            "",
            "rid: xxx",
            "rid: 630B6DB2-67134d6f-09abfa92",
            "rid: 630b6db2-67134d6f-09abfa9",
            "rid: 630b6db2-67134d6f-09abfa92a",
        ] {
            assert_eq!(rid(text.as_bytes()), None, "{text}");
        }
    }
}
