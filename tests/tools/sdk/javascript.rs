//! The SDKs for Node; `service.js`, `co_wechat_api_service.js` and `node_easywechat_service.js` say
//! how.

use std::process::Command;

use super::node;
use super::tour::{Sdk, exceptions_have_wxgates_words};

const SERVICE: &str = include_str!("service.js");

fn sdk(name: &'static str, script: &str, token_calls: &'static [&'static str]) -> Sdk {
    let mut command = Command::new("node");
    command.env("NODE_PATH", node::modules());
    Sdk { name, language: "js", script: format!("{SERVICE}{script}"), command, token_calls }
}

fn co_wechat_api() -> Sdk {
    sdk("co-wechat-api", include_str!("co_wechat_api_service.js"), &["/cgi-bin/token"])
}

fn node_easywechat() -> Sdk {
    let token_calls = &["/cgi-bin/token", "/cgi-bin/stable_token"];
    sdk("node-easywechat", include_str!("node_easywechat_service.js"), token_calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn co_wechat_api_never_notices_that_its_token_is_rotated_between_all_calls() {
    co_wechat_api().never_notices_rotations().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn co_wechat_api_is_the_caller_whose_key_it_takes_for_the_secret() {
    co_wechat_api().has_a_callers_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_has_is_a_wrong_secret_to_co_wechat_api() {
    co_wechat_api().takes_a_wrong_key_for_a_wrong_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_easywechat_never_notices_that_its_token_is_rotated_between_all_calls() {
    node_easywechat().never_notices_rotations().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_easywechat_is_the_caller_whose_key_it_takes_for_the_secret() {
    node_easywechat().has_a_callers_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_has_is_a_wrong_secret_to_node_easywechat() {
    node_easywechat().takes_a_wrong_key_for_a_wrong_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn co_wechat_api_tells_of_a_refusal_only_if_its_status_is_200() {
    let said = co_wechat_api().says_of_a_refusal("wechat").await;
    assert!(said.contains("code: -70403") && said.contains("caller_forbidden"), "{said}");
    let said = co_wechat_api().says_of_a_refusal("http").await;
    assert!(said.contains("status code: 403") && !said.contains("70403"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn co_wechat_apis_exceptions_have_wxgates_words() {
    let service =
        |lines: &str| Sdk { script: format!("\n(async () => {{\n{lines}}})();\n"), ..co_wechat_api() };
    let user = "await api.getUser('o1');\n";
    let guarded = "const { accessToken } = await api.ensureAccessToken();\n\
                   await api.request(`${api.prefix}clear_quota?access_token=${accessToken}`, { method: 'POST', data: '{}' });\n";
    exceptions_have_wxgates_words(service, user, guarded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_easywechat_hands_a_refusal_on_whatever_its_status() {
    for error_status in ["wechat", "http"] {
        let said = node_easywechat().says_of_a_refusal(error_status).await;
        assert!(said.contains("-70403") && said.contains("caller_forbidden"), "{said}");
    }
}
