//! Facts of the endpoint catalogue that the proxy's safety rests on.

use wxgate::wechat::catalogue::{CredentialClass, all, find};

const TABLE: &str = include_str!("../src/wechat/catalogue.tsv");

#[test]
fn the_table_is_complete_sorted_and_unique() {
    let paths: Vec<&str> = TABLE.lines().map(|row| row.split('\t').next().expect("a path")).collect();
    assert!(paths.len() >= 1_100, "{}", paths.len());
    assert!(paths.is_sorted_by(|a, b| a < b));
}

#[test]
fn every_row_is_well_formed() {
    for row in TABLE.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        assert_eq!(columns.len(), 5, "{row}");
        assert_eq!(wxgate::message::path::check(columns[0]), Ok(()), "{row}");
        assert!(["json", "either", "binary", "unknown"].contains(&columns[2]), "{row}");
        assert!(["GET", "POST", "-"].contains(&columns[3]), "{row}");
    }
}

#[test]
fn the_two_token_endpoints_are_the_only_ones() {
    let listed: Vec<&str> =
        all().iter().filter(|e| e.class == CredentialClass::TokenEndpoint).map(|e| e.path).collect();
    assert_eq!(listed, ["/cgi-bin/stable_token", "/cgi-bin/token"]);
    assert_eq!(find("/CGI-BIN/Token/").class, CredentialClass::TokenEndpoint);
}

#[test]
fn whatever_hands_out_credentials_is_known_as_such() {
    for path in [
        "/cgi-bin/gettoken",
        "/cgi-bin/GetToken/",
        "/cgi-bin/service/get_suite_token",
        "/cgi-bin/service/get_provider_token",
        "/cgi-bin/service/get_corp_token",
        "/cgi-bin/service/get_permanent_code",
        "/cgi-bin/corpgroup/corp/gettoken",
        "/cgi-bin/component/api_component_token",
        "/cgi-bin/component/api_authorizer_token",
        "/cgi-bin/component/api_query_auth",
        "/cgi-bin/component/api_get_authorizer_list",
        // Not catalogued, named alike.
        "/cgi-bin/service/v2/get_suite_token",
        "/cgi-bin/service/get_new_token",
        "/cgi-bin/component/API_component_token/v2",
        "/cgi-bin/token/v2",
        "/cgi-bin/stable_token/x",
    ] {
        assert_eq!(find(path).class, CredentialClass::IssuesCredential, "{path}");
    }
}

#[test]
fn what_can_harm_the_account_is_guarded_however_it_is_spelled() {
    for path in [
        "/cgi-bin/clear_quota",
        "/cgi-bin/Clear_Quota/",
        "/cgi-bin/clear_quota/v2",
        "/cgi-bin/clear_quota/v3",
        "/cgi-bin/component/clear_quota",
        "/cgi-bin/component/clear_quota/v2",
        "/cgi-bin/new/clear_quota/x",
        "/sns/clear_quota",
        "/cgi-bin/openapi/quota/clear",
        "/cgi-bin/openapi/quota/clear/v2",
        "/cgi-bin/openapi/rid/get",
        "/cgi-bin/component/api_start_push_ticket",
        "/cgi-bin/open/create",
        "/cgi-bin/open/bind",
        "/cgi-bin/open/unbind",
        "/wxa/change_visitstatus",
        "/cgi-bin/account/componentrebindadmin",
    ] {
        assert!(find(path).guarded, "{path}");
    }
    for path in
        ["/cgi-bin/openapi/quota/get", "/cgi-bin/open/get", "/cgi-bin/user/info", "/cgi-bin/unheard_of"]
    {
        assert!(!find(path).guarded, "{path}");
    }
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
    assert!(all().iter().filter(|e| e.evidence).all(|e| e.class == CredentialClass::AppToken && e.id != 0));
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
}

#[test]
fn an_unknown_path_gets_the_apps_token_and_the_label_other() {
    let endpoint = find("/cgi-bin/unheard_of");
    assert_eq!((endpoint.path, endpoint.id, endpoint.class), ("other", 0, CredentialClass::AppToken));
}
