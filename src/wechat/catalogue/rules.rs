//! What is ours and not WeChat's: which endpoints are guarded, which hand out credentials and which
//! are slow, listed or not.

use super::endpoint::Endpoint;
use super::guarded::{self, Guarded};
use super::others::Others;
use crate::wechat::family::Family;

/// The rules of the hosts that share one meaning of their paths. All paths are in normal form.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) guarded: &'static Guarded,
    /// Catalogued as demanding some token, yet what they answer is refresh tokens or tokens of
    /// other accounts.
    pub(super) issuing: &'static [&'static str],
    /// Responses hold refresh tokens of accounts together with what a platform can learn nowhere
    /// else.
    pub(super) granting: &'static [&'static str],
    /// Ends of paths that take a code which WeChat accepts once.
    coded: &'static [&'static str],
    /// Takes files or works on code: answers were seen a minute after the last byte (WxJava's
    /// issues 1957 and 3139, node-webot/wechat's 41).
    pub(super) slow: &'static [&'static str],
    /// Below it is the user's side of the API: a code may be behind any path, and the app's token
    /// is behind none.
    oauth: Option<&'static str>,
    pub(super) others: Others,
}

static MAIN: Rules = Rules {
    guarded: &guarded::MAIN,
    issuing: &["/cgi-bin/component/api_authorizer_token", "/cgi-bin/component/api_query_auth"],
    granting: &["/cgi-bin/component/api_get_authorizer_info", "/cgi-bin/component/api_get_authorizer_list"],
    coded: &["/code2verifyinfo", "/jscode2session"],
    slow: &[
        // Files, apart from the uploads that are known by their names.
        "/card/invoice/platform/setpdf",
        "/cgi-bin/material/add_material",
        "/cgi-bin/media/voice/addvoicetorecofortext",
        "/shakearound/material/add",
        // Pictures, which are checked or read.
        "/cv/img/aicrop",
        "/cv/img/qrcode",
        "/cv/img/superresolution",
        "/cv/ocr/bankcard",
        "/cv/ocr/bizlicense",
        "/cv/ocr/comm",
        "/cv/ocr/driving",
        "/cv/ocr/drivinglicense",
        "/cv/ocr/idcard",
        "/cv/ocr/menu",
        "/cv/ocr/platenum",
        "/wxa/img_sec_check",
        // The code of a mini program.
        "/wxa/addtotemplate",
        "/wxa/commit",
        "/wxa/release",
        "/wxa/submit_audit",
        // Runs the account's own code.
        "/tcb/invokecloudfunction",
    ],
    oauth: Some("/sns/"),
    others: Others::of(Family::Api),
};

static WORK: Rules = Rules {
    guarded: &guarded::WORK,
    issuing: &[
        "/cgi-bin/corpgroup/corp/gettoken",
        "/cgi-bin/openhw/get_device_secret",
        "/cgi-bin/service/get_corp_token",
        "/cgi-bin/service/get_permanent_code",
        // With the state of a registration comes a token for the new company's directory.
        "/cgi-bin/service/get_register_info",
    ],
    granting: &[],
    slow: &["/cgi-bin/material/add_material"],
    coded: &["/get_login_info", "/get_tfa_info", "/getuserinfo", "/getuserinfo3rd", "/jscode2session"],
    oauth: None,
    others: Others::of(Family::Work),
};

impl Rules {
    pub(super) fn of(family: Family) -> &'static Self {
        match family {
            Family::Api | Family::Mp | Family::Open => &MAIN,
            Family::Work => &WORK,
        }
    }

    /// Whether only callers whose rules name `path` exactly may call it.
    pub(super) fn guards(&self, path: &str) -> bool {
        self.guarded.all().any(|guarded| guarded == path) || clears_quota(path)
    }

    /// Whether `path` takes a code that is good once.
    pub(super) fn takes_code(&self, path: &str) -> bool {
        self.coded.iter().any(|end| path.ends_with(end))
            || self
                .oauth
                .is_some_and(|oauth| path.strip_prefix(oauth).is_some_and(|rest| rest.starts_with("oauth2/")))
    }

    /// Whether WeChat may work on `path` for long.
    pub(super) fn is_slow(&self, path: &str) -> bool {
        self.slow.contains(&path) || path.rsplit('/').next().is_some_and(is_slow_by_name)
    }

    /// What is assumed of a path that isn't listed.
    pub(super) fn assume(&'static self, path: &str) -> &'static Endpoint {
        // A path below one of these may be a version of it that we don't know, and one that goes on
        // as no name does (`.json`) may be taken for it.
        let below = |known: &&str| path.strip_prefix(known).is_some_and(|rest| rest.starts_with(ends_name));
        if clears_quota(path) || self.guarded.harmful.iter().any(below) {
            self.others.guarded.first()
        } else if self.guarded.money.iter().any(below) {
            self.others.money.first()
        } else if self.oauth.is_some_and(|oauth| path.starts_with(oauth)) {
            &self.others.oauth
        } else if path.split('/').map(stem).any(issues_by_name)
            || self.issuing.iter().chain(self.granting).any(below)
        {
            &self.others.issuing
        } else if self.takes_code(path) {
            self.others.coded.first()
        } else if self.is_slow(path) {
            self.others.slow.first()
        } else {
            self.others.plain.first()
        }
    }

    /// `other`, as which the catalogue lists what isn't listed.
    pub(super) fn other(&'static self) -> &'static Endpoint {
        self.others.plain.first()
    }
}

fn clears_quota(path: &str) -> bool {
    path.split('/').any(|segment| stem(segment) == "clear_quota")
}

/// Characters that no name of WeChat's contains.
fn ends_name(character: char) -> bool {
    !character.is_ascii_alphanumeric() && character != '_'
}

/// A segment as far as it can be a name of WeChat's: without `.json`.
fn stem(segment: &str) -> &str {
    segment.split(ends_name).next().unwrap_or_default()
}

/// Whether a last segment is named as WeChat names what takes files or has them checked. What asks
/// about an upload, or uploads a form's fields (`upload_shipping_info`), is as quick as others.
fn is_slow_by_name(segment: &str) -> bool {
    let asks = ["get", "query", "describe"].iter().any(|verb| segment.starts_with(verb));
    segment.contains("media_check") || (segment.contains("upload") && !asks && !segment.ends_with("info"))
}

/// Whether a segment is named as WeChat names what hands out tokens.
fn issues_by_name(segment: &str) -> bool {
    matches!(segment, "token" | "gettoken" | "stable_token" | "api_query_auth" | "get_permanent_code")
        || segment.strip_suffix("_token").is_some_and(|rest| {
            rest.starts_with("get_")
                || rest.starts_with("api_")
                || ["access", "authorizer", "component", "corp", "provider", "suite"]
                    .iter()
                    .any(|kind| rest.ends_with(kind))
        })
}
