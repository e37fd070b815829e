//! What the codes that callers meet mean, in a clause, in both languages.

use crate::wechat::family::Family;

/// A code's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// In English.
    pub english: &'static str,
    /// In Chinese.
    pub chinese: &'static str,
}

/// WeChat's lists of codes.
const DOCUMENT: &str =
    "https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html";
const WORK_DOCUMENT: &str = "https://developer.work.weixin.qq.com/document/path/90313";

/// In the order of the codes.
const TABLE: &[(i64, &str, &str)] = &[
    (-1, "WeChat is busy", "系统繁忙"),
    (40001, "the access token is not valid, or not the latest", "access_token 无效或不是最新的"),
    (40002, "the grant_type is not valid", "grant_type 不正确"),
    (40003, "the openid is not valid, or another account's", "openid 不正确，或属于其他账号"),
    (40004, "the media type is not valid", "媒体文件类型不正确"),
    (40005, "the file type is not valid", "文件类型不正确"),
    (40006, "the file is too large", "文件大小超出限制"),
    (40007, "the media_id is not valid, or has expired", "media_id 无效或已过期"),
    (40008, "the message type is not valid", "消息类型不正确"),
    (40009, "the picture is too large", "图片大小超出限制"),
    (40013, "the appid is not valid", "appid 不正确"),
    (40014, "the access token is not valid", "access_token 不正确"),
    (40029, "the code is not valid, or was used", "code 无效或已被使用"),
    (40033, "the request has characters that aren't allowed", "请求包含不允许的字符"),
    (40035, "a parameter is not valid", "参数不正确"),
    (40036, "the template_id's length is not valid", "template_id 长度不正确"),
    (40037, "the template_id is not valid", "template_id 不正确"),
    (40066, "the URL is not valid", "URL 不正确"),
    (40097, "a parameter is not valid", "参数不正确"),
    (40125, "the app secret is not valid", "AppSecret 不正确"),
    (40163, "the code was used", "code 已被使用"),
    (40164, "the calling address is not in the IP whitelist", "调用地址不在 IP 白名单中"),
    (40226, "the user is a risk, and blocked", "高风险用户，已被拦截"),
    (40243, "the app secret is frozen", "AppSecret 已被冻结"),
    (41001, "the access token is missing", "缺少 access_token"),
    (41002, "the appid is missing", "缺少 appid"),
    (41004, "the app secret is missing", "缺少 AppSecret"),
    (41028, "the form_id is not valid, or has expired", "form_id 无效或已过期"),
    (41030, "the page's path is not valid", "page 路径不正确"),
    (42001, "the access token has expired", "access_token 已过期"),
    (42002, "the user's refresh token has expired", "用户的 refresh_token 已过期"),
    (42007, "the user changed the password: authorise anew", "用户修改了密码，需要重新授权"),
    (43002, "the call must be a POST", "需要使用 POST 请求"),
    (43003, "the call must use HTTPS", "需要使用 HTTPS 请求"),
    (43004, "the user doesn't follow the account", "用户未关注公众号"),
    (43101, "the user refused the message", "用户拒绝接收消息"),
    (44002, "the request's body is empty", "请求体为空"),
    (45001, "the file is too large", "文件大小超出限制"),
    (45002, "the text is too long", "内容长度超出限制"),
    (
        45009,
        "the day's quota of calls is used up, or a minute's",
        "接口调用次数已达到当日上限，或分钟频率上限",
    ),
    (45011, "too many calls in a minute", "调用过于频繁，请下一分钟再试"),
    (45015, "the user hasn't written for too long to be answered", "回复超出时间限制"),
    (45033, "too many calls at the same time", "并发调用超出限制"),
    (45047, "too many messages to this user", "客服消息下行条数超出限制"),
    (45066, "the clientmsgid comes too fast", "clientmsgid 调用过快"),
    (46001, "there is no such media", "媒体数据不存在"),
    (46003, "there is no such menu", "菜单数据不存在"),
    (46004, "there is no such user", "用户不存在"),
    (47001, "the body can't be parsed as JSON or XML", "请求体无法解析为 JSON/XML"),
    (47003, "a template's value is not valid", "模板参数不正确"),
    (48001, "the account has no permission for this endpoint", "该账号没有此接口的权限"),
    (48002, "the user refuses messages", "用户拒收消息"),
    (48004, "the endpoint is banned for this account", "该账号的此接口已被封禁"),
    (48006, "the quota was cleared as often as is allowed this month", "本月清零次数已用完"),
    (50001, "the user has not granted this", "用户未授权该接口"),
    (50002, "the user or account is restricted", "用户或账号受限"),
    (50007, "the account is frozen", "账号已被冻结"),
    (53500, "publishing is banned", "发布功能被封禁"),
    (61003, "the component is not authorised by this account", "该账号未授权此第三方平台"),
    (61007, "the account has not granted this permission to the platform", "该账号未将此权限授予第三方平台"),
    (61023, "the authorizer's refresh token is not valid", "授权方的 refresh_token 无效"),
    (76001, "the request is not remembered, or older than seven days", "rid 不存在或已超过 7 天"),
    (76021, "the path is not known", "cgi_path 不存在"),
    (85079, "the mini program has no online version", "小程序没有线上版本"),
    (87014, "the content is risky", "内容含有违法违规内容"),
    (88000, "the account may not use comments", "没有留言权限"),
    (89503, "the call must be confirmed by the administrator", "此次调用需要管理员确认"),
];

/// What `code` means to whoever made the call.
pub fn plain(code: i64) -> Option<Plain> {
    let at = TABLE.binary_search_by_key(&code, |(code, ..)| *code).ok()?;
    let (_, english, chinese) = TABLE[at];
    Some(Plain { english, chinese })
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
    use crate::wechat::errcode::known;

    #[test]
    fn the_table_is_in_order_and_of_published_codes() {
        assert!(TABLE.is_sorted_by(|one, other| one.0 < other.0));
        for (code, english, chinese) in TABLE {
            assert!(known(*code), "{code}");
            assert!(english.is_ascii() && !chinese.is_ascii(), "{code}");
            assert_eq!(plain(*code).map(|plain| plain.english), Some(*english));
        }
        assert_eq!(plain(0), None);
    }
}
