//! Which endpoints are closed: those that hand out credentials, and those that only an exact entry
//! opens.

use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{CredentialClass, all, find, find_work};

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
        // Not catalogued, named alike.
        "/cgi-bin/component/api_get_authorizer_list/v2",
        "/cgi-bin/component/api_get_authorizer_info.json",
        "/cgi-bin/service/v2/get_suite_token",
        "/cgi-bin/service/get_new_token",
        "/cgi-bin/component/API_component_token/v2",
        "/cgi-bin/token/v2",
        "/cgi-bin/stable_token/x",
    ] {
        assert_eq!(find(path).class, CredentialClass::IssuesCredential, "{path}");
    }
    for path in [
        "/cgi-bin/service/get_suite_token",
        "/cgi-bin/service/get_provider_token",
        "/cgi-bin/service/get_corp_token",
        "/cgi-bin/service/get_permanent_code",
        "/cgi-bin/service/get_register_info",
        "/cgi-bin/corpgroup/corp/gettoken",
        "/cgi-bin/openhw/get_device_secret",
        "/cgi-bin/openhw/get_device_token",
        "/cgi-bin/openhw/get_model_token",
        // Not catalogued, named alike.
        "/cgi-bin/service/v2/get_permanent_code",
        "/cgi-bin/Service/get_new_token/",
        "/cgi-bin/gettoken/x",
    ] {
        assert_eq!(find_work(path).class, CredentialClass::IssuesCredential, "{path}");
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
    for path in [
        "/cgi-bin/batch/replaceuser",
        "/cgi-bin/Batch/ReplaceParty/",
        "/cgi-bin/batch/replaceuser/v2",
        "/cgi-bin/license/create_new_order",
        "/cgi-bin/corpgroup/corp/remove_corp",
    ] {
        assert!(find_work(path).guarded, "{path}");
    }
    for path in [
        "/cgi-bin/user/delete",
        "/cgi-bin/user/batchdelete",
        "/cgi-bin/message/send",
        "/cgi-bin/batch/syncuser",
        "/cgi-bin/license/list_order",
        // Guarded where it means something else.
        "/cgi-bin/open/bind",
    ] {
        assert!(!find_work(path).guarded, "{path}");
    }
}

/// Whatever is closed under its own name is closed under what could be read as that name.
#[test]
fn what_goes_on_behind_a_closed_path_is_closed_too() {
    for endpoint in
        all()[1..].iter().filter(|endpoint| endpoint.guarded || endpoint.issues() || endpoint.grants)
    {
        let find = if endpoint.family == Family::Work { find_work } else { find };
        for rest in ["/", "/below", ".json", "-v2", "~", "!", ",", ":x", "=", "@", ".json/x", "/.json"] {
            let path = format!("{}{rest}", endpoint.path.to_ascii_uppercase());
            let found = find(&path);
            assert!(
                found.guarded || found.issues() || (found == endpoint && rest == "/"),
                "{path}: {found:?}"
            );
        }
    }
    // Other names.
    for path in
        ["/cgi-bin/clear_quotas", "/cgi-bin/open/bind2", "/cgi-bin/token_x", "/cgi-bin/my_clear_quota"]
    {
        assert!(!find(path).guarded && !find(path).issues(), "{path}");
    }
}
