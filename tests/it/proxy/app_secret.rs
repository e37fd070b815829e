//! Endpoints that want the AppSecret in the query: services that log users in hold none.

use crate::harness::{APPID, Answer, Gate, OTHER_APPID, SECRET, SHOP_AND_GAME, Setup, caller, sha256};

const KEY: &str = "canary-api-key-3c55";
const OTHER_KEY: &str = "canary-api-key-9a01";

async fn gate() -> Gate {
    let apps = [
        SHOP_AND_GAME,
        &caller("orders", &[KEY], &["shop", "game"], ""),
        &caller("mails", &[OTHER_KEY], &["shop"], "allow = [\"POST /cgi-bin/clear_quota/v2\", \"/sns/**\"]"),
    ]
    .concat();
    Gate::with(Setup { apps, ..Setup::default() }).await
}

async fn get(gate: &Gate, key: Option<&str>, path: &str) -> Answer {
    let request = gate.client.get(gate.url(path));
    Answer::of(key.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth)).await
}

#[tokio::test]
async fn appid_and_secret_are_the_apps_own_whatever_the_caller_sends() {
    let gate = gate().await;
    for (sent, reached) in [
        ("/@shop/sns/jscode2session?js_code=a", format!("js_code=a&appid={APPID}&secret={SECRET}")),
        (
            "/@shop/sns/jscode2session?secret=old&js_code=b&grant_type=authorization_code&access_token=T",
            format!("secret={SECRET}&js_code=b&grant_type=authorization_code&appid={APPID}"),
        ),
        (
            &format!(
                "/@shop/sns/oauth2/access_token?appid={APPID}&%73ecret={KEY}&code=c&secret=&grant_type=authorization_code"
            ),
            format!("appid={APPID}&secret={SECRET}&code=c&grant_type=authorization_code"),
        ),
    ] {
        let answer = get(&gate, Some(KEY), sent).await;
        assert!(answer.json()["openid"].is_string(), "{sent}: {}", answer.text());
        assert_eq!(gate.journal("/sns/*").last().map(|entry| entry.query.clone()), Some(reached), "{sent}");
    }
    // In the query or a form, a key never gets there, however the parameter's name is spelt.
    let real = format!("secret={SECRET}");
    for (sent, reached) in [
        (format!("js_code=d&Secret={KEY}"), format!("js_code=d&{real}&appid={APPID}")),
        (format!("js_code=e&secret[]={KEY}&SECRET={KEY}"), format!("js_code=e&{real}&appid={APPID}")),
        (format!("js_code=f&a=1;secret={KEY}"), format!("js_code=f&{real}&appid={APPID}")),
        (format!("amp;secret={KEY}&js_code=g"), format!("{real}&js_code=g&appid={APPID}")),
        (format!("js_code=h&app.secret%00={KEY}&secret=x"), format!("js_code=h&{real}&appid={APPID}")),
    ] {
        let answer = get(&gate, Some(KEY), &format!("/@shop/sns/jscode2session?{sent}")).await;
        assert!(answer.json()["openid"].is_string(), "{sent}: {}", answer.text());
        assert_eq!(gate.journal("/sns/*").last().map(|entry| entry.query.clone()), Some(reached), "{sent}");
    }
    for (form, left, query) in [
        (format!("js_code=i&Secret={KEY}"), "js_code=i".to_owned(), format!("appid={APPID}&{real}")),
        (format!("js_code=j&a;secret={KEY}&secret=x"), format!("js_code=j&{real}"), format!("appid={APPID}")),
    ] {
        let login = gate.client.post(gate.url("/@shop/sns/jscode2session")).bearer_auth(KEY);
        let login = login.header("content-type", "application/x-www-form-urlencoded").body(form);
        assert!(Answer::of(login).await.json()["openid"].is_string(), "{left}");
        let entry = gate.journal("/sns/*").pop().expect("a login");
        assert_eq!((entry.query, entry.body_sha256), (query, Some(sha256(left.as_bytes()))));
    }
    let clear = gate.client.post(gate.url("/@shop/cgi-bin/clear_quota/v2")).bearer_auth(OTHER_KEY);
    assert_eq!(Answer::of(clear).await.errcode(), 0);
    let reached = &gate.journal("/cgi-bin/clear_quota/v2")[0].query;
    assert_eq!(*reached, format!("appid={APPID}&appsecret={SECRET}"));
}

#[tokio::test]
async fn the_appid_names_the_app() {
    let gate = gate().await;
    let sent = |appid: &str| format!("/sns/jscode2session?appid={appid}&secret=x&js_code=1");
    assert!(get(&gate, Some(KEY), &sent(OTHER_APPID)).await.json()["openid"].is_string());
    assert!(gate.journal("/sns/*")[0].query.starts_with(&format!("appid={OTHER_APPID}&secret=")));
    assert_eq!(get(&gate, Some(OTHER_KEY), &sent(OTHER_APPID)).await.refusal().1, "caller_forbidden");
    let torn = format!("/@shop{}", sent(OTHER_APPID));
    assert_eq!(get(&gate, Some(KEY), &torn).await.refusal().1, "bad_request");
    assert_eq!(gate.journal("/sns/*").len(), 1);
}

#[tokio::test]
async fn an_sdk_that_knows_its_key_as_secret_is_known_by_it_and_wechat_does_not_get_it() {
    let gate = gate().await;
    let sent = format!("/sns/jscode2session?appid={APPID}&secret={OTHER_KEY}&js_code=1");
    assert!(get(&gate, None, &sent).await.json()["openid"].is_string());
    assert_eq!(gate.journal("/sns/*")[0].query, format!("appid={APPID}&secret={SECRET}&js_code=1"));
    assert_eq!(get(&gate, Some(KEY), &sent).await.refusal().1, "bad_request", "two callers' keys");
    let real = format!("/sns/jscode2session?appid={APPID}&secret={SECRET}&js_code=2");
    assert_eq!(get(&gate, None, &real).await.refusal().1, "caller_unknown", "the secret is no key");
    assert_eq!(gate.journal("/sns/*").len(), 1);
}

#[tokio::test]
async fn a_key_in_a_secret_that_no_endpoint_takes_never_reaches_wechat() {
    let gate = gate().await;
    for path in [
        "/sns/userinfo?openid=o&",
        "/sns/oauth2/refresh_token?",
        "/sns/unlisted?js_code=1&",
        "/sns/jscode2session.json?js_code=1&",
        "/cgi-bin/user/get?",
        "/wxa/unlisted?a=1;",
    ] {
        for name in ["secret", "Secret", "appsecret", "secret[]", "a=1;secret", "access_token=T?secret"] {
            let answer = get(&gate, Some(OTHER_KEY), &format!("{path}{name}={KEY}")).await;
            assert_eq!(answer.refusal().1, "bad_request", "{path}{name}: {}", answer.text());
            assert!(answer.text().contains("an API key is given as a secret or token"), "{}", answer.text());
        }
    }
    let form = gate.client.post(gate.url("/@shop/sns/unlisted")).bearer_auth(KEY);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body(format!("Secret={KEY}"));
    assert_eq!(Answer::of(form).await.refusal().1, "bad_request");
    // Nor as a token in a form that goes on as it is.
    let form = gate.client.post(gate.url("/@shop/cgi-bin/showqrcode")).bearer_auth(KEY);
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let form = form.body(format!("ticket=t&access_token={KEY}\n"));
    assert_eq!(Answer::of(form).await.refusal().1, "bad_request");
    let user = format!("/@shop/sns/userinfo?openid=o&access_token={KEY}");
    assert_eq!(get(&gate, Some(KEY), &user).await.refusal().1, "bad_request");
    assert!(gate.sandbox.journal(None).iter().all(|entry| entry.path.contains("token")));
    // Of any other, nobody knows what it is to the endpoint.
    get(&gate, Some(KEY), "/@shop/sns/unlisted?secret=other").await;
    assert_eq!(gate.only("/sns/unlisted").query, "secret=other");
}
