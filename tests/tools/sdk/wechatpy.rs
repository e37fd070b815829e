//! wechatpy; `wechatpy_service.py` says how.

use std::process::Command;

use super::tour::{Sdk, exceptions_have_wxgates_words};
use super::venv;

fn wechatpy() -> Sdk {
    let mut command = Command::new(venv::python());
    command.arg("-I");
    Sdk {
        name: "wechatpy",
        language: "python",
        script: include_str!("wechatpy_service.py").to_owned(),
        command,
        token_calls: &["/cgi-bin/token", "/cgi-bin/stable_token"],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_never_notices_that_its_token_is_rotated_between_all_calls() {
    wechatpy().never_notices_rotations().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_is_the_caller_whose_key_it_takes_for_the_secret() {
    wechatpy().has_a_callers_key().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_has_is_a_wrong_secret_to_wechatpy() {
    wechatpy().takes_a_wrong_key_for_a_wrong_secret().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpy_tells_of_a_refusal_only_if_its_status_is_200() {
    let said = wechatpy().says_of_a_refusal("wechat").await;
    assert!(said.contains("Error code: -70403") && said.contains("caller_forbidden"), "{said}");
    let said = wechatpy().says_of_a_refusal("http").await;
    assert!(said.contains("WeChatClientException") && !said.contains("70403"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wechatpys_exceptions_have_wxgates_words() {
    let service = |lines: &str| Sdk { script: format!("\n{lines}"), ..wechatpy() };
    let user = "client.user.get(\"o1\")\n";
    let guarded = "client.post(\"clear_quota\", data={\"appid\": client.appid})\n";
    exceptions_have_wxgates_words(service, user, guarded).await;
}
