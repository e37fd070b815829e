//! Facts of the endpoint catalogue that the proxy's safety rests on.

mod closed;
mod coverage;
mod page;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{CredentialClass, Endpoint, Window, all, find, find_work, normalise};

const TABLE: &str = include_str!("../../../src/wechat/catalogue/catalogue.tsv");
const SANDBOX: &str = include_str!("../../../src/sandbox/endpoints/catalogue.tsv");
/// Rows that one of the two tables has and the other hasn't, each with the reason.
const APART: &[(&str, &str)] = &[];

/// WeCom's rows, and all others.
fn is_work(row: &str) -> bool {
    row.contains("\tqyapi.weixin.qq.com\t")
}

#[test]
fn the_table_is_sorted_and_unique_within_each_platform() {
    let paths = |work: bool| -> Vec<&str> {
        let rows = TABLE.lines().filter(|row| is_work(row) == work);
        rows.map(|row| row.split('\t').next().expect("a path")).collect()
    };
    assert!(paths(false).is_sorted_by(|a, b| a < b) && paths(true).is_sorted_by(|a, b| a < b));
    assert!(TABLE.lines().map(is_work).is_sorted(), "WeCom's come last");
}

/// Of the 2,550 endpoints that the table was made from, five are there a second time, with the
/// retired host file.api.weixin.qq.com (`tests/it/catalogue/regenerate.py` counts them).
#[test]
fn every_known_endpoint_is_there_with_its_class() {
    assert_eq!(all().len() - 1, 2_550 - 5);
    let mut counts: BTreeMap<(Family, CredentialClass), usize> = BTreeMap::new();
    for endpoint in &all()[1..] {
        *counts.entry((endpoint.family, endpoint.class)).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_iter().map(|((family, class), count)| (family, class, count)).collect();
    assert_eq!(
        counts,
        [
            (Family::Api, CredentialClass::AppToken, 1683),
            (Family::Api, CredentialClass::AppOrComponentToken, 14),
            (Family::Api, CredentialClass::ComponentToken, 16),
            (Family::Api, CredentialClass::ComponentTokenAsAccessToken, 9),
            (Family::Api, CredentialClass::UserOauth, 3),
            (Family::Api, CredentialClass::AppSecret, 3),
            (Family::Api, CredentialClass::ComponentSecret, 1),
            (Family::Api, CredentialClass::TokenEndpoint, 2),
            (Family::Api, CredentialClass::IssuesCredential, 3),
            (Family::Api, CredentialClass::None, 1),
            (Family::Mp, CredentialClass::None, 6),
            (Family::Open, CredentialClass::None, 3),
            (Family::Work, CredentialClass::AppToken, 701),
            (Family::Work, CredentialClass::TokenEndpoint, 1),
            (Family::Work, CredentialClass::IssuesCredential, 9),
            (Family::Work, CredentialClass::SuiteToken, 17),
            (Family::Work, CredentialClass::ProviderToken, 58),
            (Family::Work, CredentialClass::ProviderTokenAsAccessToken, 1),
            (Family::Work, CredentialClass::HardwareToken, 12),
            (Family::Work, CredentialClass::None, 2),
        ]
    );
}

#[test]
fn paths_that_are_alike_in_normal_form_are_of_one_class() {
    let mut seen: HashMap<(bool, String), &Endpoint> = HashMap::new();
    for endpoint in &all()[1..] {
        let key = (endpoint.family == Family::Work, normalise(endpoint.path).into_owned());
        let first = *seen.entry(key).or_insert(endpoint);
        let care = |e: &Endpoint| (e.class, e.guarded, e.binary, e.one_time_code, e.slow);
        assert_eq!(care(first), care(endpoint), "{} and {}", first.path, endpoint.path);
    }
}

#[test]
fn every_row_is_well_formed() {
    for row in TABLE.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        assert_eq!(columns.len(), 7, "{row}");
        assert_eq!(wxgate::message::path::check(columns[0]), Ok(()), "{row}");
        assert!(["json", "either", "binary", "unknown"].contains(&columns[2]), "{row}");
        assert!(["GET", "POST", "-"].contains(&columns[3]), "{row}");
        let hosts = [Family::Mp, Family::Open, Family::Work].map(Family::host);
        assert!(columns[4] == "-" || hosts.contains(&columns[4]), "{row}");
        assert!(["signed", "-"].contains(&columns[5]), "{row}");
        assert!(["day", "minute", "-"].contains(&columns[6]), "{row}");
    }
}

#[test]
fn the_sandboxs_table_differs_from_this_one_by_no_row_without_a_reason() {
    let own: BTreeSet<String> = TABLE
        .lines()
        .map(|row| {
            let columns: Vec<&str> = row.split('\t').collect();
            [columns[0], columns[1], columns[4]].join("\t")
        })
        .collect();
    let sandboxs: BTreeSet<String> = SANDBOX.lines().map(str::to_owned).collect();
    let apart: BTreeSet<String> = APART.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(own.symmetric_difference(&sandboxs).cloned().collect::<BTreeSet<_>>(), apart);
}

#[test]
fn two_token_endpoints_are_the_platforms_and_one_is_wecoms() {
    let listed: Vec<(Family, &str)> = all()
        .iter()
        .filter(|e| e.class == CredentialClass::TokenEndpoint)
        .map(|e| (e.family, e.path))
        .collect();
    assert_eq!(
        listed,
        [
            (Family::Api, "/cgi-bin/stable_token"),
            (Family::Api, "/cgi-bin/token"),
            (Family::Work, "/cgi-bin/gettoken")
        ]
    );
    assert_eq!(find("/CGI-BIN/Token/").class, CredentialClass::TokenEndpoint);
    assert_eq!(find_work("/CGI-BIN/GetToken/").class, CredentialClass::TokenEndpoint);
    let elsewhere = find("/cgi-bin/gettoken");
    assert_eq!((elsewhere.path, elsewhere.class), ("/cgi-bin/gettoken", CredentialClass::IssuesCredential));
    for path in ["/cgi-bin/token", "/cgi-bin/stable_token"] {
        assert_eq!(find_work(path).class, CredentialClass::IssuesCredential, "{path}");
    }
}

#[test]
fn a_path_of_both_platforms_is_known_as_each_ones_own() {
    for path in
        ["/cgi-bin/menu/create", "/cgi-bin/user/get", "/cgi-bin/media/get", "/cgi-bin/get_api_domain_ip"]
    {
        let (main, work) = (find(path), find_work(path));
        assert_eq!((main.family, work.family), (Family::Api, Family::Work), "{path}");
        assert_eq!((main.path, work.path), (path, path));
        assert_ne!(main.id, work.id, "{path}");
    }
    let only = find_work("/cgi-bin/message/send");
    assert_eq!(
        (only.family, only.path, only.class),
        (Family::Work, "/cgi-bin/message/send", CredentialClass::AppToken)
    );
    // The platform has no such path: its apps are told whose it is.
    assert_eq!(find("/cgi-bin/message/send"), only);
    assert_eq!(find("/cgi-bin/showqrcode").family, Family::Mp);
    assert_eq!(find("/connect/oauth2/authorize").family, Family::Open);
}

#[test]
fn nothing_of_the_apps_goes_to_user_oauth_endpoints() {
    for path in
        ["/sns/userinfo", "/sns/auth", "/SNS/UserInfo/", "/sns/oauth2/refresh_token", "/sns/unheard_of"]
    {
        assert_eq!(find(path).class, CredentialClass::UserOauth, "{path}");
    }
}

#[test]
fn the_secret_goes_into_three_endpoints_only() {
    let listed: Vec<&str> =
        all().iter().filter(|e| e.class == CredentialClass::AppSecret).map(|e| e.path).collect();
    assert_eq!(listed, ["/cgi-bin/clear_quota/v2", "/sns/jscode2session", "/sns/oauth2/access_token"]);
}

#[test]
fn one_time_codes_are_known() {
    for path in [
        "/sns/jscode2session",
        "/sns/component/jscode2session",
        "/sns/oauth2/access_token",
        "/sns/oauth2/refresh_token",
        "/sns/oauth2/component/access_token",
        "/sns/unheard_of",
    ] {
        assert!(find(path).one_time_code, "{path}");
    }
    assert!(!find("/cgi-bin/user/info").one_time_code);
    assert!(!find("/sns/userinfo").one_time_code);
    for path in [
        "/cgi-bin/user/getuserinfo",
        "/cgi-bin/auth/getuserinfo",
        "/cgi-bin/school/getuserinfo",
        "/cgi-bin/auth/get_tfa_info",
        "/cgi-bin/miniprogram/jscode2session",
        "/cgi-bin/service/miniprogram/jscode2session",
        "/cgi-bin/service/getuserinfo3rd",
        "/cgi-bin/service/auth/getuserinfo3rd",
        "/cgi-bin/service/get_login_info",
        // Not catalogued, named alike.
        "/cgi-bin/service/v2/getuserinfo3rd",
    ] {
        assert!(find_work(path).one_time_code, "{path}");
    }
    for path in ["/cgi-bin/user/get", "/cgi-bin/auth/getuserdetail", "/cgi-bin/unheard_of"] {
        assert!(!find_work(path).one_time_code, "{path}");
    }
}

#[test]
fn endpoints_that_answer_with_files_are_known() {
    for path in [
        "/cgi-bin/media/get",
        "/cgi-bin/media/get/jssdk",
        "/cgi-bin/media/getfeedbackmedia",
        "/cgi-bin/material/get_material",
        "/wxa/getwxacode",
        "/wxa/getwxacodeunlimit",
        "/cgi-bin/wxaapp/createwxaqrcode",
        "/wxa/get_qrcode",
        "/channels/ec/basics/media/get",
    ] {
        assert!(find(path).binary, "{path}");
    }
    assert!(!find("/cgi-bin/user/info").binary);
    assert!(find_work("/cgi-bin/media/get").binary && find_work("/cgi-bin/media/get/jssdk").binary);
    assert!(!find_work("/cgi-bin/user/get").binary);
}

#[test]
fn endpoints_that_wechat_works_on_for_long_are_known() {
    for path in [
        // All that the SDKs send forms with files to.
        "/card/invoice/platform/setpdf",
        "/cgi-bin/component/uploadprivacyextfile",
        "/cgi-bin/material/add_material",
        "/cgi-bin/media/upload",
        "/cgi-bin/media/uploadimg",
        "/cgi-bin/media/voice/addvoicetorecofortext",
        "/channels/ec/basics/img/upload",
        "/channels/ec/basics/qualification/upload",
        "/customservice/kfaccount/uploadheadimg",
        "/cv/img/aicrop",
        "/cv/img/qrcode",
        "/cv/ocr/bizlicense",
        "/cv/ocr/drivinglicense",
        "/merchant/common/upload_img",
        "/product/img/upload",
        "/shakearound/material/add",
        "/shop/img/upload",
        "/wxa/icp/upload_icp_media",
        "/wxa/img_sec_check",
        "/wxa/sec/uploadauthmaterial",
        "/wxa/sec/vod/singlefileupload",
        "/wxa/uploadmedia",
        // And the rest.
        "/cgi-bin/media/uploadvideo",
        "/wxa/sec/vod/uploadpart",
        "/wxa/media_check_async",
        "/wxa/Commit/",
        "/wxa/submit_audit",
        // Not catalogued, named alike.
        "/wxa/game/brand_new/media_check_sync",
        "/wxa/brand_new/upload_video",
    ] {
        assert!(find(path).slow, "{path}");
    }
    for path in [
        "/cgi-bin/user/info",
        "/cgi-bin/media/get",
        "/cgi-bin/message/custom/send",
        "/cgi-bin/unheard_of",
        "/sns/jscode2session",
        "/tcb/brand_new/getuploadsignature",
        "/wxa/msg_sec_check",
        "/wxa/sec/order/upload_shipping_info",
        "/xpay/query_upload_goods",
    ] {
        assert!(!find(path).slow, "{path}");
    }
    for path in [
        "/cgi-bin/material/add_material",
        "/cgi-bin/media/upload",
        "/cgi-bin/media/upload_attachment",
        "/cgi-bin/media/uploadimg",
        "/cgi-bin/webhook/upload_media",
        "/cgi-bin/wedrive/file_upload",
    ] {
        assert!(find_work(path).slow, "{path}");
    }
    assert!(
        !find_work("/cgi-bin/message/send").slow
            && !find_work("/cgi-bin/media/get_upload_by_url_result").slow
    );
}

#[test]
fn only_what_demands_the_apps_token_is_evidence() {
    for path in
        ["/cgi-bin/user/info", "/cgi-bin/get_api_domain_ip", "/cgi-bin/openapi/quota/get", "/wxa/getwxacode"]
    {
        assert!(find(path).evidence, "{path}");
    }
    for path in [
        "/cgi-bin/unheard_of",
        "/sns/userinfo",
        "/sns/jscode2session",
        "/cgi-bin/token",
        "/cgi-bin/showqrcode",
        "/cgi-bin/component/get_card_merchant",
    ] {
        assert!(!find(path).evidence, "{path}");
    }
    let injected = [CredentialClass::AppToken, CredentialClass::AppOrComponentToken];
    assert!(all().iter().filter(|e| e.evidence).all(|e| injected.contains(&e.class) && e.id != 0));
    assert!(find_work("/cgi-bin/user/get").evidence && !find_work("/cgi-bin/unheard_of").evidence);
}

#[test]
fn tokens_of_other_kinds_are_never_taken_for_the_apps() {
    for (path, class) in [
        ("/cgi-bin/component/api_create_preauthcode", CredentialClass::ComponentToken),
        ("/sns/component/jscode2session", CredentialClass::ComponentToken),
        ("/wxa/gettemplatelist", CredentialClass::ComponentTokenAsAccessToken),
        ("/cgi-bin/service/get_agent", CredentialClass::SuiteToken),
        ("/cgi-bin/license/get_order", CredentialClass::ProviderToken),
        ("/cgi-bin/showqrcode", CredentialClass::None),
        ("/connect/oauth2/authorize", CredentialClass::None),
    ] {
        assert_eq!(find(path).class, class, "{path}");
    }
    for (path, class) in [
        ("/cgi-bin/service/get_agent", CredentialClass::SuiteToken),
        ("/cgi-bin/service/externalcontact/unionid_to_external_userid_3rd", CredentialClass::SuiteToken),
        ("/cgi-bin/license/get_order", CredentialClass::ProviderToken),
        ("/cgi-bin/service/get_login_info", CredentialClass::ProviderTokenAsAccessToken),
        ("/cgi-bin/webhook/send", CredentialClass::None),
    ] {
        assert_eq!(find_work(path).class, class, "{path}");
    }
}

#[test]
fn what_a_platform_may_ask_of_itself_takes_either_token() {
    for path in ["/cgi-bin/openapi/quota/get", "/cgi-bin/openapi/rid/get", "/cgi-bin/clear_quota"] {
        assert_eq!(find(path).class, CredentialClass::AppOrComponentToken, "{path}");
        assert_eq!(find(path).parameter(), Some("access_token"), "{path}");
    }
}

#[test]
fn each_class_names_the_parameter_that_is_filled() {
    for (endpoint, parameter) in [
        (find("/cgi-bin/user/info"), Some("access_token")),
        (find("/cgi-bin/component/api_create_preauthcode"), Some("component_access_token")),
        (find("/wxa/gettemplatelist"), Some("access_token")),
        (find("/sns/jscode2session"), Some("secret")),
        (find("/cgi-bin/clear_quota/v2"), Some("appsecret")),
        (find("/sns/userinfo"), None),
        (find("/cgi-bin/token"), None),
        (find_work("/cgi-bin/service/get_agent"), Some("suite_access_token")),
        (find_work("/cgi-bin/license/get_order"), Some("provider_access_token")),
        (find_work("/cgi-bin/service/get_login_info"), Some("access_token")),
        (find_work("/cgi-bin/webhook/send"), None),
    ] {
        assert_eq!(endpoint.parameter(), parameter, "{}", endpoint.path);
    }
}

#[test]
fn an_unknown_path_gets_the_apps_token_and_the_label_other() {
    let endpoint = find("/cgi-bin/unheard_of");
    assert_eq!((endpoint.path, endpoint.id, endpoint.class), ("other", 0, CredentialClass::AppToken));
    let endpoint = find_work("/cgi-bin/unheard_of");
    assert_eq!((endpoint.path, endpoint.id, endpoint.class), ("other", 0, CredentialClass::AppToken));
    assert_eq!(endpoint.family, Family::Work);
}

#[test]
fn what_wechat_takes_signed_is_known() {
    let listed: BTreeSet<&str> =
        include_str!("signed.txt").lines().filter(|line| line.starts_with('/')).collect();
    assert_eq!(listed.len(), 56);
    let signed: BTreeSet<&str> = all().iter().filter(|e| e.signed).map(|e| e.path).collect();
    assert_eq!(signed, listed);
    // It demands this here, of each of the 16.
    let within_a_city: Vec<&Endpoint> =
        all().iter().filter(|e| e.path.starts_with("/cgi-bin/express/intracity/")).collect();
    assert!(within_a_city.len() == 16 && within_a_city.iter().all(|endpoint| endpoint.signed));
    for endpoint in [find("/wxa/unheard_of"), find_work("/cgi-bin/message/custom/send")] {
        assert!(!endpoint.signed, "{endpoint:?}");
    }
}

#[test]
fn where_45009_may_be_a_minutes_is_known() {
    for path in [
        "/wxa/getwxacodeunlimit",
        "/cgi-bin/message/template/send",
        "/cgi-bin/message/wxopen/template/uniform_send",
    ] {
        assert_eq!(find(path).window, Some(Window::Minute), "{path}");
    }
    assert_eq!(find_work("/cgi-bin/webhook/send").window, Some(Window::Minute));
    for path in ["/cgi-bin/user/info", "/cgi-bin/component/api_create_preauthcode"] {
        assert_eq!(find(path).window, Some(Window::Day), "{path}");
    }
    for endpoint in [find("/cgi-bin/unheard_of"), find("/sns/userinfo"), find_work("/cgi-bin/user/get")] {
        assert_eq!(endpoint.window, None, "{}", endpoint.path);
    }
}
