//! What the codes that callers meet mean, in a clause.

use crate::texts::{Words, marked, translated};
use crate::wechat::family::Family;

/// WeChat's lists of codes.
const DOCUMENT: &str =
    "https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html";
const WORK_DOCUMENT: &str = "https://developer.work.weixin.qq.com/document/path/90313";

/// In the order of the codes.
const TABLE: &[(i64, &str)] = &[
    (-1, marked!("WeChat is busy")),
    (40001, marked!("the access token is not valid, or not the latest")),
    (40002, marked!("the grant_type is not valid")),
    (40003, marked!("the openid is not valid, or another account's")),
    (40004, marked!("the media type is not valid")),
    (40005, marked!("the file type is not valid")),
    (40006, marked!("the file is too large")),
    (40007, marked!("the media_id is not valid, or has expired")),
    (40008, marked!("the message type is not valid")),
    (40009, marked!("the picture is too large")),
    (40013, marked!("the appid is not valid")),
    (40014, marked!("the access token is not valid")),
    (40029, marked!("the code is not valid, or was used already")),
    (40033, marked!("the request contains characters that are not allowed")),
    (40035, marked!("a parameter is not valid")),
    (40036, marked!("the template_id's length is not valid")),
    (40037, marked!("the template_id is not valid")),
    (40066, marked!("the URL is not valid")),
    (40078, marked!("the temporary code is unknown, or was used or has expired")),
    (40082, marked!("the suite's or the provider's token is not valid")),
    (40084, marked!("the company's permanent code is not valid")),
    (40085, marked!("the suite_ticket is not valid")),
    (40086, marked!("the id of an app of the suite is not valid")),
    (40097, marked!("a parameter is not valid")),
    (40125, marked!("the app secret is not valid")),
    (40163, marked!("the code was used already")),
    (40164, marked!("the caller's address is not in the IP whitelist")),
    (40226, marked!("the user is blocked as a risk")),
    (40243, marked!("the app secret is frozen")),
    (41001, marked!("the access token is missing")),
    (41002, marked!("the appid is missing")),
    (41004, marked!("the app secret is missing")),
    (41022, marked!("the suite's token is missing")),
    (41028, marked!("the form_id is not valid, or has expired")),
    (41030, marked!("the page's path is not valid")),
    (42001, marked!("the access token has expired")),
    (42002, marked!("the user's refresh token has expired")),
    (42007, marked!("the user changed the password and must authorise again")),
    (42009, marked!("the suite's token has expired")),
    (43002, marked!("the call must be a POST")),
    (43003, marked!("the call must use HTTPS")),
    (43004, marked!("the user doesn't follow the account")),
    (43101, marked!("the user refused the message")),
    (44002, marked!("the request's body is empty")),
    (45001, marked!("the file is too large")),
    (45002, marked!("the text is too long")),
    (45009, marked!("the day's quota of calls is used up, or a minute's")),
    (45011, marked!("too many calls in a minute")),
    (45015, marked!("the user's last message is too old to be replied to")),
    (45033, marked!("too many calls at the same time")),
    (45047, marked!("too many messages to this user")),
    (45066, marked!("calls with this clientmsgid come too fast")),
    (46001, marked!("the media does not exist")),
    (46003, marked!("the menu does not exist")),
    (46004, marked!("the user does not exist")),
    (47001, marked!("the body can't be parsed as JSON or XML")),
    (47003, marked!("a template's value is not valid")),
    (48001, marked!("the account has no permission for this endpoint")),
    (48002, marked!("the user refuses messages")),
    (48004, marked!("the endpoint is banned for this account")),
    (48006, marked!("the quota was cleared as often as is allowed this month")),
    (50001, marked!("the user has not granted this")),
    (50002, marked!("the user or account is restricted")),
    (50007, marked!("the account is frozen")),
    (53500, marked!("publishing is banned")),
    (60011, marked!("the member, department or tag is outside the app's permissions")),
    (60020, marked!("the caller's address is not in the IP whitelist")),
    (61003, marked!("the account has not authorised this third-party platform")),
    (61007, marked!("the account has not granted this permission to the platform")),
    (61023, marked!("the authorizer's refresh token is not valid")),
    (76001, marked!("the request is unknown, or older than seven days")),
    (76021, marked!("the path is unknown")),
    (85079, marked!("the mini program has no online version")),
    (87014, marked!("the content is risky")),
    (88000, marked!("the account may not use comments")),
    (89503, marked!("the administrator must confirm the call")),
];

/// What `code` means to whoever made the call.
pub fn plain(code: i64) -> Option<Words> {
    let at = TABLE.binary_search_by_key(&code, |(code, _)| *code).ok()?;
    let (_, meaning) = TABLE[at];
    Some(Words::of(|| translated(meaning)))
}

/// WeChat's page about the codes of a family's hosts.
pub fn document(family: Family) -> &'static str {
    match family {
        Family::Work => WORK_DOCUMENT,
        Family::Api | Family::Mp | Family::Open => DOCUMENT,
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLE, plain};
    use crate::texts::Words;
    use crate::wechat::errcode::known;

    #[test]
    fn the_table_is_in_order_and_of_published_codes() {
        assert!(TABLE.is_sorted_by(|one, other| one.0 < other.0));
        for (code, english) in TABLE {
            assert!(known(*code), "{code}");
            assert_eq!(plain(*code).as_ref().map(Words::as_str), Some(*english));
        }
        assert_eq!(plain(0), None);
    }
}
