//! How much of what SDKs were seen to call is known, and whether each gets what they send.

use wxgate::wechat::Family;
use wxgate::wechat::catalogue::{CredentialClass, Endpoint, find_at};

/// What `regenerate.py` makes the catalogue from: ten SDKs as of 2026-11-28, the newest of
/// 2026-02-10.
const SEEN: &str = include_str!("endpoints.tsv");

/// Where the SDKs mislead; `regenerate.py` says how that is known.
const CORRECTED: [&str; 4] = [
    "/cgi-bin/webhook/send",
    "/cgi-bin/webhook/upload_media",
    "/cgi-bin/service/get_login_info",
    "/cgi-bin/service/externalcontact/unionid_to_external_userid_3rd",
];

/// Whether the endpoint gets what the SDKs send to it.
fn is_right(endpoint: &Endpoint, sent: &str) -> bool {
    // Nobody's requests for another credential go on, whatever is sent with them.
    if endpoint.issues() {
        return true;
    }
    match sent {
        "device_access_token" | "model_access_token" => endpoint.class == CredentialClass::HardwareToken,
        "user_oauth_access_token" | "none:appid+user_refresh_token" => {
            endpoint.class == CredentialClass::UserOauth
        }
        "appid_secret_query" | "appid_appsecret_query" => endpoint.class == CredentialClass::AppSecret,
        "appid_component_appid_appsecret_query" => endpoint.class == CredentialClass::ComponentSecret,
        "component_access_token" | "suite_access_token" | "provider_access_token" => {
            endpoint.parameter() == Some(sent)
        }
        none if none.starts_with("none") => endpoint.class == CredentialClass::None,
        _ => sent.contains("access_token") && endpoint.parameter() == Some("access_token"),
    }
}

#[test]
fn of_what_sdks_called_by_november_2026_99_percent_is_known_with_the_right_credential() {
    let (mut seen, mut known, mut wrong) = (0, 0, Vec::new());
    for row in SEEN.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let (host, path) = columns[1].split_at(columns[1].find('/').expect("a path"));
        let families = [Family::Mp, Family::Open, Family::Work];
        let family = families.into_iter().find(|family| family.host() == host).unwrap_or(Family::Api);
        let endpoint = find_at(family, path);
        seen += 1;
        known +=
            usize::from(endpoint.id != 0 && (endpoint.family == Family::Work) == (family == Family::Work));
        if endpoint.id != 0 && !CORRECTED.contains(&path) && !is_right(endpoint, columns[2]) {
            wrong.push((row, endpoint.class));
        }
    }
    assert!(seen > 2_500 && known * 100 >= seen * 99, "{known} of {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What wxgate keeps no token for is named as such, and none of its own goes there.
#[test]
fn families_that_are_not_served_are_known_as_such() {
    let is_hardware = |row: &&str| {
        ["device_access_token", "model_access_token"].iter().any(|sent| row.contains(&format!("\t{sent}\t")))
    };
    let hardware: Vec<&str> = SEEN.lines().filter(is_hardware).collect();
    assert_eq!(hardware.len(), 14);
    for row in hardware {
        let path = row
            .split(['\t'])
            .nth(1)
            .and_then(|path| path.strip_prefix(Family::Work.host()))
            .expect("WeCom's");
        let endpoint = find_at(Family::Work, path);
        assert!(path.starts_with("/cgi-bin/openhw/"), "{path}");
        assert!(endpoint.issues() || endpoint.class == CredentialClass::HardwareToken, "{path}");
        assert_eq!(endpoint.parameter(), None, "{path}");
    }
}
