//! What the fake decided to answer, before it is put into one of WeChat's wire forms.

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;

/// A decision, without its wire form.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub content: Content,
}

/// What an answer carries.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A JSON object whose keys keep their order, as WeChat's do.
    Object(Vec<(&'static str, Value)>),
    /// JSON that a caller stored here, returned unchanged.
    Json(Bytes),
    /// `{"errcode":..,"errmsg":".. rid: .."}` in the variant that is set.
    Error { errcode: i64, errmsg: String },
    /// `{"errcode":0,"errmsg":"ok"}` for an endpoint that has no shape of its own here.
    Generic,
    /// An image, a voice, a video.
    File { content_type: String, filename: Option<String>, bytes: Bytes },
    /// So many deterministic bytes, made as they are sent.
    Blob(u64),
    /// What no WeChat endpoint says: a gateway's page.
    Page(&'static str),
    /// Nothing at all.
    Empty,
}

impl Answer {
    pub(super) fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self { status: StatusCode::OK, content: Content::Object(fields.into_iter().collect()) }
    }

    /// `{"errcode":0,"errmsg":"ok", ..}`
    pub(super) fn ok(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let head = [("errcode", Value::from(0)), ("errmsg", Value::from("ok"))];
        Self::object(head.into_iter().chain(fields))
    }

    /// The plain success of an endpoint that has no shape of its own here.
    pub(super) fn generic() -> Self {
        Self { status: StatusCode::OK, content: Content::Generic }
    }

    pub(super) fn is_generic(&self) -> bool {
        matches!(self.content, Content::Generic)
    }

    pub(super) fn error(errcode: i64) -> Self {
        Self::error_with(errcode, errmsg(errcode))
    }

    pub(super) fn error_with(errcode: i64, errmsg: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, content: Content::Error { errcode, errmsg: errmsg.into() } }
    }

    pub(super) fn file(content_type: impl Into<String>, filename: Option<String>, bytes: Bytes) -> Self {
        let content = Content::File { content_type: content_type.into(), filename, bytes };
        Self { status: StatusCode::OK, content }
    }

    pub(super) fn page(status: StatusCode) -> Self {
        let page = match status {
            StatusCode::BAD_GATEWAY => {
                "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                 <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
            }
            _ => "<html>\r\n<head><title>Busy</title></head>\r\n<body>system busy</body>\r\n</html>\r\n",
        };
        Self { status, content: Content::Page(page) }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, content: Content::Empty }
    }

    /// The code that the answer carries at its top level; 0 where it carries none.
    pub(super) fn errcode(&self) -> i64 {
        match &self.content {
            Content::Error { errcode, .. } => *errcode,
            _ => 0,
        }
    }
}

/// Lets an endpoint refuse with `?`.
pub(super) fn refusable(decide: impl FnOnce() -> Result<Answer, Answer>) -> Answer {
    decide().unwrap_or_else(|refusal| refusal)
}

/// A JSON object with its keys in the order given.
pub(super) fn write_object(fields: &[(&'static str, Value)]) -> String {
    let mut text = String::from("{");
    for (index, (key, value)) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(*key).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push('}');
    text
}

/// WeChat's text for a code, without hint and rid (FACTS 2.3, the error tables of the
/// documentation).
pub(super) fn errmsg(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => {
            "invalid credential, access_token is invalid or not latest, could get access_token by \
             getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40004 => "invalid media type",
        40006 => "invalid meida size",
        40007 => "invalid media_id",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40030 => "invalid refresh_token",
        40035 => "invalid parameter",
        40066 => "invalid url",
        40125 => "invalid appsecret,",
        40163 => "code been used,",
        40230 => "missing Wechatmp-Serial",
        40231 => "missing Wechatmp-TimeStamp",
        40232 => "missing Wechatmp-Signature",
        40233 => "missing Wechatmp-Appid",
        40234 => "invalid signature",
        40235 => "invalid encryption",
        40236 => "invalid Wechatmp-Appid",
        40237 => "Wechatmp-Appid mismatch",
        40238 => "symmetric key not set",
        40239 => "asymmetric key not set",
        40240 => "Wechatmp-TimeStamp expired",
        40243 => "AppSecret is frozen",
        41001 => "access_token missing",
        41002 => "appid missing",
        41003 => "refresh_token missing",
        41004 => "appsecret missing",
        41005 => "media data missing",
        41008 => "missing code",
        41009 => "missing openid",
        41030 => "invalid page",
        42001 => "access_token expired",
        42002 => "refresh_token expired",
        42003 => "code expired",
        43002 => "require POST method",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        46003 => "menu no exist",
        47001 => "data format error",
        48001 => "api unauthorized,",
        48006 => "forbid to clear quota because of reaching the limit",
        61003 => "component is not authorized by this account",
        61006 => "component ticket is invalid",
        61010 => "code is expired",
        61011 => "invalid component",
        61023 => "refresh_token is invalid",
        76001 => "rid not found",
        76003 => "cgi_path is invalid",
        76021 => "cgi_path not found",
        76022 => "could not use this cgi_path, no permission",
        934_011 => "signature required",
        _ => "system error",
    }
}
