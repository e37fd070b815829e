//! The switch by HTTP.

use serde_json::json;
use wxgate::sandbox::{OFFICIAL_ACCOUNT, PLATFORM_CERTIFICATES};

use super::client::RISK;
use crate::sandbox::client::Caller;
use crate::signed_call::{AES_KEY, AES_KEY_SN, PUBLIC_KEY};

#[tokio::test]
async fn signing_is_demanded_listed_and_ended_over_http() {
    let caller = Caller::new();
    let token = caller.token().await;
    let order = json!({
        "appid": OFFICIAL_ACCOUNT, "aes_key": AES_KEY, "aes_key_sn": AES_KEY_SN, "public_key": PUBLIC_KEY,
        "endpoints": "all", "certificate": "changing",
    });
    assert_eq!(caller.order("POST", "/sandbox/signing", &order).await.status, 200);
    let target = format!("/cgi-bin/tags/update?access_token={token}");
    assert_eq!(caller.post(&target, "{}").await.errcode(), 40232);

    let listed = caller.get("/sandbox/signing").await;
    let app = &listed.json()["apps"][0];
    assert_eq!((&app["appid"], &app["repeated_nonces"]), (&json!(OFFICIAL_ACCOUNT), &json!(0)));
    assert_eq!(listed.json()["platform_certificates"][1]["serial"], PLATFORM_CERTIFICATES[1].serial);
    assert!(!listed.text().contains(AES_KEY), "the key isn't shown");
    let defect = json!({"fault": "signed_answer", "defect": "iv", "path": RISK});
    assert_eq!(caller.order("POST", "/sandbox/faults", &defect).await.status, 200);
    let padding = json!({"fault": "signed_answer", "defect": {"padding": 100}});
    assert_eq!(caller.order("POST", "/sandbox/faults", &padding).await.status, 200);

    let target_of_end = format!("/sandbox/signing?appid={OFFICIAL_ACCOUNT}");
    assert_eq!(caller.order("DELETE", &target_of_end, &json!({})).await.status, 200);
    assert_eq!(caller.order("DELETE", &target_of_end, &json!({})).await.status, 404);
    assert_eq!(caller.post(&target, "{}").await.errcode(), 0);
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let caller = Caller::new();
    for (name, value) in [("aes_key", "c2hvcnQ="), ("public_key", AES_KEY), ("certificate", "third")] {
        let mut order = json!({"appid": OFFICIAL_ACCOUNT, "aes_key": AES_KEY, "public_key": PUBLIC_KEY});
        order[name] = value.into();
        let reply = caller.order("POST", "/sandbox/signing", &order).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
    }
}
