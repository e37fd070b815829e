//! What is ours and not WeChat's: which endpoints are guarded, which hand out credentials and which
//! are slow, listed or not.

use super::class::CredentialClass;
use super::endpoint::Endpoint;
use crate::wechat::family::Family;

/// The rules of the hosts that share one meaning of their paths. All paths are in normal form.
#[derive(Debug)]
pub(super) struct Rules {
    /// Spends what the account has little of, shows other callers' requests, or changes who
    /// controls the account.
    pub(super) guarded: &'static [&'static str],
    /// Catalogued as demanding some token, yet what they answer is refresh tokens or tokens of
    /// other accounts.
    pub(super) issuing: &'static [&'static str],
    /// Answers hold refresh tokens of accounts beside what a platform can learn nowhere else.
    pub(super) granting: &'static [&'static str],
    /// Ends of paths that take a code which WeChat accepts once.
    coded: &'static [&'static str],
    /// Takes files or works on code: answers were seen a minute after the last byte (WxJava's
    /// issues 1957 and 3139, node-webot/wechat's 41).
    pub(super) slow: &'static [&'static str],
    /// Below it is the user's side of the API: a code may be behind any path, and the app's token
    /// is behind none.
    oauth: Option<&'static str>,
    others: Others,
}

/// What is assumed of paths that aren't listed.
#[derive(Debug)]
struct Others {
    plain: Endpoint,
    coded: Endpoint,
    slow: Endpoint,
    guarded: Endpoint,
    issuing: Endpoint,
    oauth: Endpoint,
}

impl Others {
    const fn of(family: Family) -> Self {
        const fn other(family: Family, class: CredentialClass) -> Endpoint {
            Endpoint {
                path: "other",
                family,
                id: 0,
                class,
                method: None,
                binary: false,
                guarded: false,
                grants: false,
                one_time_code: false,
                slow: false,
                evidence: false,
                signed: false,
                window: None,
            }
        }
        let token = CredentialClass::AppToken;
        Self {
            plain: other(family, token),
            coded: Endpoint { one_time_code: true, ..other(family, token) },
            slow: Endpoint { slow: true, ..other(family, token) },
            guarded: Endpoint { guarded: true, ..other(family, token) },
            issuing: other(family, CredentialClass::IssuesCredential),
            oauth: Endpoint { one_time_code: true, ..other(family, CredentialClass::UserOauth) },
        }
    }
}

static MAIN: Rules = Rules {
    guarded: &[
        // Ten, or fifty, clearings a month for the whole account. Every path with a `clear_quota`
        // segment is guarded too.
        "/cgi-bin/clear_quota",
        "/cgi-bin/openapi/quota/clear",
        // Shows URL, body and answer of anybody's request in the last seven days.
        "/cgi-bin/openapi/rid/get",
        // Demands the platform's secret, and sets its verify tickets flowing anew.
        "/cgi-bin/component/api_start_push_ticket",
        // Ties the account to an open-platform account, or off it: unionids change for all users.
        "/cgi-bin/open/bind",
        "/cgi-bin/open/create",
        "/cgi-bin/open/unbind",
        // Hands the account, or a new one, to another administrator.
        "/cgi-bin/account/componentrebindadmin",
        "/cgi-bin/account/fastregister",
        // Takes the mini program offline, or its last release back.
        "/wxa/change_visitstatus",
        "/wxa/revertcoderelease",
        // Hands out temporary keys of the account's Tencent Cloud.
        "/tcb/getqcloudtoken",
    ],
    issuing: &["/cgi-bin/component/api_authorizer_token", "/cgi-bin/component/api_query_auth"],
    granting: &["/cgi-bin/component/api_get_authorizer_info", "/cgi-bin/component/api_get_authorizer_list"],
    coded: &["/code2verifyinfo", "/jscode2session"],
    slow: &[
        // Files, beside the uploads that are known by their names.
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

/// Deleting members and customers one by one or by the hundred is what a directory's owner does
/// every day: free.
static WORK: Rules = Rules {
    guarded: &[
        // Replaces the whole directory: who isn't in the uploaded file is deleted, and so loses the
        // company's data.
        "/cgi-bin/batch/replaceparty",
        "/cgi-bin/batch/replaceuser",
        // Throws another company out of the group; its apps and chats go with it.
        "/cgi-bin/corpgroup/corp/remove_corp",
        // Changes the ids of all customers for good.
        "/cgi-bin/externalcontact/finish_external_userid_migration",
        // Says to whom customers pay.
        "/cgi-bin/externalpay/addmerchant",
        "/cgi-bin/externalpay/delmerchant",
        // Orders, pays for and uses up the provider's licences.
        "/cgi-bin/license/active_account",
        "/cgi-bin/license/batch_active_account",
        "/cgi-bin/license/batch_transfer_license",
        "/cgi-bin/license/cancel_order",
        "/cgi-bin/license/create_new_order",
        "/cgi-bin/license/create_renew_order_job",
        "/cgi-bin/license/set_auto_active_status",
        "/cgi-bin/license/submit_order_job",
        // The days of trial that a company can be given are numbered.
        "/cgi-bin/service/prolong_try",
        // Ends the token that it is called with, and the lock on the directory.
        "/cgi-bin/sync/contact_sync_success",
    ],
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
        self.guarded.contains(&path) || clears_quota(path)
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
        if clears_quota(path) || self.guarded.iter().any(below) {
            &self.others.guarded
        } else if self.oauth.is_some_and(|oauth| path.starts_with(oauth)) {
            &self.others.oauth
        } else if path.split('/').map(stem).any(issues_by_name)
            || self.issuing.iter().chain(self.granting).any(below)
        {
            &self.others.issuing
        } else if self.takes_code(path) {
            &self.others.coded
        } else if self.is_slow(path) {
            &self.others.slow
        } else {
            &self.others.plain
        }
    }

    /// `other`, as which the catalogue lists what isn't listed.
    pub(super) fn other(&'static self) -> &'static Endpoint {
        &self.others.plain
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
