//! From WeChat's push to a call that needs what was pushed: a whole proxy between callback, store
//! and sandbox.

use wxgate::sandbox::{App, AppKind, Authorizer, Options, Sandbox};

use super::platform::{MALL, Push, event_of, now};
use crate::harness::{Answer, Gate, Setup};
use crate::until::until;

const SECRET: &str = "canary-component-secret-77aa";
const ACCOUNT: &str = "wxa000000000000001";

async fn mall() -> (Gate, tempfile::TempDir) {
    let sandbox = Sandbox::start(Options {
        apps: vec![App::new(MALL.id, SECRET, AppKind::Component)],
        authorizers: vec![Authorizer::new(MALL.id, ACCOUNT, "canary-refreshtoken@@@1")],
        ..Options::default()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let apps = format!(
        "[[app]]\nname = \"{}\"\nappid = \"{}\"\nkind = \"component\"\nsecret = \"{SECRET}\"\n\
         callback_token = \"{}\"\ncallback_aes_key = \"{}\"\n[callback]\nlisten = [\"127.0.0.1:0\"]\n\
         [store]\nurl = \"file:{}\"\n",
        MALL.name,
        MALL.id,
        MALL.token,
        MALL.aes_key,
        folder.path().display()
    );
    let setup = Setup { apps, ..Setup::default() };
    (Gate::before(sandbox.expect("the sandbox starts"), setup).await, folder)
}

/// Pushes until it is taken: a machine with its hands full may be too slow for the second that
/// WeChat waits.
async fn push(gate: &Gate, push: impl Fn(&str) -> Push) {
    let address = gate.running.callback_addresses()[0].to_string();
    for nonce in 0..10 {
        let Push { path, query, body } = push(&format!("{}", fastrand::u64(..).max(nonce)));
        let request = gate.client.post(format!("http://{address}{path}?{query}")).body(body);
        let answer = Answer::of(request).await;
        if (answer.status, &*answer.text()) == (200, "success") {
            return;
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
    panic!("the push was never taken");
}

/// Posts until the answer is one that is wanted.
async fn answered(gate: &Gate, path: &str, wanted: impl Fn(&Answer) -> bool) {
    until(|| format!("the answer of {path}"), async || wanted(&gate.post(path, "{}").await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_and_authorisations_that_are_pushed_are_what_calls_live_on() {
    let (gate, _folder) = mall().await;
    let preauthcode = "/@mall/cgi-bin/component/api_create_preauthcode";
    let answer = gate.post(preauthcode, "{}").await;
    assert_eq!(answer.refusal().1, "token_unavailable");
    assert!(answer.text().contains("no ticket"), "{}", answer.text());

    push(&gate, |nonce| MALL.ticket(nonce, "ticket@@@canary")).await;
    answered(&gate, preauthcode, |answer| answer.text().contains("pre_auth_code")).await;

    // The account is nobody's until it authorises; the sandbox takes its appid for its code.
    let user = format!("/@{ACCOUNT}/cgi-bin/user/info?openid=o");
    assert_eq!(gate.get(&user).await.refusal().1, "app_unknown");
    let account = format!("<AuthorizerAppid>{ACCOUNT}</AuthorizerAppid>");
    let authorized = format!(
        "{account}<AuthorizationCode>{ACCOUNT}</AuthorizationCode>\
         <AuthorizationCodeExpiredTime>600</AuthorizationCodeExpiredTime><PreAuthCode>p</PreAuthCode>"
    );
    // Events have whole seconds: one that counts as later is made later.
    let says = |later: u64, kind: &'static str, fields: &str| {
        let text = event_of(now() + later, "AppId", MALL.id, kind, fields);
        move |nonce: &str| MALL.push(nonce, &text)
    };
    push(&gate, says(0, "authorized", &authorized)).await;
    assert_eq!(gate.get(&user).await.errcode(), 0);

    // A service that was sent the same code, which WeChat takes once, gets what it stands for.
    let body = format!("{{\"component_appid\":\"{}\",\"authorization_code\":\"{ACCOUNT}\"}}", MALL.id);
    let info = gate.post("/@mall/cgi-bin/component/api_query_auth", body).await.json();
    assert_eq!(info["authorization_info"]["authorizer_appid"], ACCOUNT, "{info}");
    assert_eq!(gate.journal("/cgi-bin/component/api_query_auth").len(), 1);

    // It leaves, which ends what is held of it at once, and comes back.
    push(&gate, says(2, "unauthorized", &account)).await;
    answered(&gate, &user, |answer| answer.text().contains("took its authorisation back")).await;
    let anew = authorized.replace(&format!("<AuthorizationCode>{ACCOUNT}"), "<AuthorizationCode>another");
    push(&gate, says(2, "updateauthorized", &anew)).await;
    answered(&gate, &user, |answer| answer.errcode() == 0).await;

    let (metrics, status) = (gate.metrics().await, gate.status().await.to_string());
    let lines = gate.end().await;
    for text in [metrics, status, format!("{lines:?}")] {
        assert!(!text.contains("canary"), "{text}");
    }
}
