//! What moves money or hands out secrets, path by path: closed to patterns, open to whom an exact
//! entry names it.

use serde_json::json;
use wxgate::wechat::catalogue::all;

use super::every_endpoint::{AUTHORIZER, KEY, PLAIN_KEY, start_with};
use crate::harness::{Answer, Gate, caller};

const EXACT_KEY: &str = "canary-key-of-a-cashier-90ab";

/// For an official account, a mini program or a store.
const MAIN: [&str; 28] = [
    "/card/giftcard/order/refund",
    "/card/pay/recharge",
    "/cgi-bin/express/intracity/setpaymode",
    "/cgi-bin/express/intracity/storecharge",
    "/cgi-bin/express/intracity/storerefund",
    "/cgi-bin/midas/present",
    "/channels/ec/aftersale/acceptapply",
    "/channels/ec/aftersale/refundpricediff",
    "/channels/ec/funds/setbankacct",
    "/channels/ec/funds/submitwithdraw",
    "/nontax/refund",
    "/nontax/vehicle/payapply",
    "/product/funds/setbankaccount",
    "/product/funds/submitwithdraw",
    "/shop/ecaftersale/acceptrefund",
    "/shop/funds/setbankaccount",
    "/shop/funds/submitwithdraw",
    "/shop/pay/profitsharingorder",
    "/shop/pay/refundorder",
    "/tcb/getcodesecret",
    "/wxa/business/insurance_freight/refund",
    "/wxaapi/minishop/bussiSupplyRefund",
    "/xpay/bind_transfer_accout",
    "/xpay/create_funds_bill",
    "/xpay/create_withdraw_order",
    "/xpay/present_currency",
    "/xpay/refund_order",
    "/xpay/submit_subscribe_pay_order",
];
const WORK: [&str; 16] = [
    "/cgi-bin/advanced_api/create_order",
    "/cgi-bin/advanced_api/submit_pay",
    "/cgi-bin/agent/migrate_to_customized_app",
    "/cgi-bin/externalpay/addmerchant",
    "/cgi-bin/externalpay/set_mch_use_scope",
    "/cgi-bin/license/batch_share_active_code",
    "/cgi-bin/license/batch_transfer_license",
    "/cgi-bin/license/create_new_order_job",
    "/cgi-bin/license/submit_new_order_job",
    "/cgi-bin/license/submit_order_job",
    "/cgi-bin/license/submit_pay_job",
    "/cgi-bin/miniapppay/apply_mch",
    "/cgi-bin/miniapppay/refund",
    "/cgi-bin/paytool/open_order",
    "/cgi-bin/service/externalcontact/finish_external_userid_migration",
    "/cgi-bin/externalcontact/finish_external_userid_migration",
];
/// What users buy themselves, and what only asks.
const OPEN: [(&str, &str); 16] = [
    ("shop", "/xpay/currency_pay"),
    ("shop", "/cgi-bin/midas/pay"),
    ("shop", "/wxa/game/pay"),
    ("shop", "/shop/pay/createorder"),
    ("shop", "/nontax/unifiedorder"),
    ("shop", "/xpay/query_withdraw_order"),
    ("shop", "/xpay/query_transfer_account"),
    ("shop", "/channels/ec/funds/getbalance"),
    ("shop", "/channels/ec/funds/getbankacct"),
    ("shop", "/channels/ec/order/delivery/compensation"),
    ("shop", "/cgi-bin/express/intracity/balancequery"),
    ("shop", "/card/pay/getpayprice"),
    ("hr", "/cgi-bin/license/get_order"),
    ("hr", "/cgi-bin/miniapppay/create_order"),
    ("hr", "/cgi-bin/advanced_api/get_order"),
    ("hr", "/cgi-bin/externalpay/get_bill_list"),
];

async fn start() -> (Gate, tempfile::TempDir) {
    let apps = ["shop", "tenants", "hr"];
    let named: Vec<&str> = MAIN.into_iter().chain(WORK).collect();
    let cashier = caller("cashier", &[EXACT_KEY], &apps, &format!("allow = {}", json!(named)));
    let service = caller("service", &[PLAIN_KEY], &apps, "allow = [\"**\", \"/channels/**\", \"/xpay/*\"]");
    let operator = caller("operator", &[KEY], &apps, "allow = [\"**\"]");
    start_with("", &format!("{cashier}{service}{operator}")).await
}

fn cases() -> Vec<(&'static str, &'static str)> {
    let accounts = ["shop", AUTHORIZER].into_iter().flat_map(|app| MAIN.map(|path| (app, path)));
    accounts.chain(WORK.map(|path| ("hr", path))).collect()
}

async fn post(gate: &Gate, (app, path): (&str, &str), key: &str) -> Answer {
    let call = gate.client.post(gate.url(&format!("/@{app}{path}"))).header("x-wxgate-key", key).body("{}");
    Answer::of(call).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_money_or_hands_out_secrets_is_closed_to_patterns_and_open_to_an_exact_entry() {
    let (gate, _folder) = start().await;
    for case in cases() {
        let answer = post(&gate, case, PLAIN_KEY).await;
        assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404), "{case:?}: {}", answer.text());
    }
    assert!(gate.sandbox.journal(None).is_empty());
    for case in cases() {
        let answer = post(&gate, case, EXACT_KEY).await;
        assert_eq!(answer.header("x-wxgate-error"), None, "{case:?}: {}", answer.text());
        assert!(!gate.journal(case.1).is_empty(), "{case:?}");
        gate.sandbox.reset();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_own_purchases_and_mere_queries_are_open_to_everything() {
    let (gate, _folder) = start().await;
    for case in OPEN {
        let answer = post(&gate, case, PLAIN_KEY).await;
        assert_eq!(answer.header("x-wxgate-error"), None, "{case:?}: {}", answer.text());
        assert_eq!(gate.journal(case.1).len(), 1, "{case:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_whether_it_is_for_money_or_for_harm() {
    let (gate, _folder) = start().await;
    for (case, words) in [
        (("shop", "/xpay/refund_order"), "this endpoint moves money"),
        (("shop", "/xpay/refund_order/v2"), "this endpoint moves money"),
        (("hr", "/cgi-bin/license/submit_pay_job"), "this endpoint moves money"),
        (("shop", "/tcb/getcodesecret"), "this endpoint can harm the account"),
        (("hr", "/cgi-bin/batch/replaceuser"), "this endpoint can harm the account"),
    ] {
        let answer = post(&gate, case, PLAIN_KEY).await;
        assert!(answer.text().contains(words), "{case:?}: {}", answer.text());
    }
}

/// Devices' secrets go to nobody, whatever `allow` names.
#[tokio::test(flavor = "multi_thread")]
async fn a_devices_secret_is_handed_out_to_nobody() {
    let path = "/cgi-bin/openhw/get_device_secret";
    let allow = format!("allow = [\"**\", {path:?}]");
    let (gate, _folder) =
        start_with("", &caller("operator", &[KEY], &["shop", "tenants", "hr"], &allow)).await;
    let answer = post(&gate, ("hr", path), KEY).await;
    assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404), "{}", answer.text());
    assert!(gate.journal(path).is_empty());
}

/// So that nothing is guarded as money by accident: queries don't move any.
#[test]
fn no_endpoint_that_only_asks_counts_as_one_that_moves_money() {
    for endpoint in all().iter().filter(|endpoint| endpoint.money) {
        let name = endpoint.path.rsplit('/').next().expect("a name");
        let asks = ["get", "query", "list", "scan", "download", "search"];
        assert!(!asks.iter().any(|verb| name.starts_with(verb)) && endpoint.guarded, "{}", endpoint.path);
    }
}
