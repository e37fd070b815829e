//! Everyday endpoints in the shapes of the real ones.

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Value, json};
use wxgate::sandbox::{App, AppKind, Authorizer, OFFICIAL_ACCOUNT, Options, Rate, SECRET};

use super::client::{Caller, Reply, token_of};

async fn upload(caller: &Caller, token: &str, content_type: &str, disposition: &str, file: &[u8]) -> Reply {
    let head = format!("--XX\r\nContent-Disposition: form-data; name=\"media\"{disposition}\r\n");
    let body = [head.as_bytes(), b"Content-Type: image/png\r\n\r\n", file, b"\r\n--XX--\r\n"].concat();
    let target = format!("/cgi-bin/media/upload?type=image&access_token={token}");
    let request = caller.request("POST", &target).header("content-type", content_type);
    caller.send(request.body(Full::from(body)).expect("a request")).await.expect("an answer")
}

#[tokio::test]
async fn an_upload_comes_back_byte_for_byte() {
    let caller = Caller::new();
    let token = caller.token().await;
    let file = b"{\"errcode\":40014}\r\n--X\x00\xff";
    for content_type in ["multipart/form-data; boundary=XX", "multipart/form-data"] {
        let name = "; filename=\"图.png\"";
        let uploaded = upload(&caller, &token, content_type, name, file).await.json();
        assert_eq!(uploaded["type"], "image");
        let id = uploaded["media_id"].as_str().expect("an id");
        let reply = caller.get(&format!("/cgi-bin/media/get?access_token={token}&media_id={id}")).await;
        assert_eq!(&*reply.body, file);
        assert_eq!(reply.header("content-type"), Some("image/png"));
        let disposition = reply.headers["content-disposition"].as_bytes();
        assert_eq!(disposition, "attachment; filename=\"图.png\"".as_bytes());
        let body = json!({"media_id": id}).to_string();
        let reply = caller.post(&format!("/cgi-bin/material/get_material?access_token={token}"), body).await;
        assert_eq!(&*reply.body, file);
    }
}

#[tokio::test]
async fn an_upload_without_a_file_name_or_too_long_is_refused() {
    let caller = Caller::new();
    let token = caller.token().await;
    let form = "multipart/form-data; boundary=XX";
    assert_eq!(upload(&caller, &token, form, "", b"abc").await.errcode(), 41005);
    caller.sandbox.change(|settings| settings.media_limit = 2);
    assert_eq!(upload(&caller, &token, form, "; filename=\"a\"", b"abc").await.errcode(), 40006);
    assert_eq!(
        caller.get(&format!("/cgi-bin/media/get?access_token={token}&media_id=no")).await.errcode(),
        40007
    );
}

#[tokio::test]
async fn a_blob_of_fifty_megabytes_has_the_digest_that_the_sandbox_tells() {
    let caller = Caller::new();
    let token = caller.token().await;
    let bytes = 50 << 20;
    let reply = caller.get(&format!("/cgi-bin/media/get?access_token={token}&media_id=blob-{bytes}")).await;
    assert_eq!(reply.header("content-length"), Some(&*bytes.to_string()));
    let digest = ring::digest::digest(&ring::digest::SHA256, &reply.body);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(caller.get(&format!("/sandbox/blob?bytes={bytes}")).await.json()["sha256"], hex);
}

#[tokio::test]
async fn a_mini_program_code_is_a_picture_or_a_json_error() {
    let caller = Caller::new();
    let token = caller.token().await;
    let target = format!("/wxa/getwxacodeunlimit?access_token={token}");
    let reply = caller.post(&target, r#"{"scene":"a=1"}"#).await;
    assert_eq!(reply.header("content-type"), Some("image/jpeg"));
    assert!(reply.body.starts_with(b"\xff\xd8\xff"));
    assert_eq!(caller.post(&target, r#"{"scene":"a=1","page":"missing/page"}"#).await.errcode(), 41030);
    assert_eq!(caller.post(&target, "{}").await.errcode(), 40129);
    assert_eq!(caller.post(&target, "no json").await.errcode(), 47001);
}

#[tokio::test]
async fn messages_menus_and_codes_look_like_the_real_ones() {
    let caller = Caller::new();
    let token = caller.token().await;
    let at = |path: &str| format!("/cgi-bin/{path}?access_token={token}");
    let sent = caller.post(&at("message/template/send"), r#"{"touser":"O","template_id":"T"}"#).await;
    assert!(sent.text().starts_with(r#"{"errcode":0,"errmsg":"ok","msgid":"#), "{}", sent.text());
    let again = caller.post(&at("message/template/send"), r#"{"touser":"O","template_id":"T"}"#).await;
    assert_ne!(sent.json()["msgid"], again.json()["msgid"]);
    assert_eq!(caller.get(&at("message/template/send")).await.errcode(), 43002);
    assert_eq!(
        caller.post(&at("message/custom/send"), r#"{"touser":"O","msgtype":"text"}"#).await.errcode(),
        0
    );

    assert_eq!(caller.get(&at("menu/get")).await.errcode(), 46003);
    let menu = r#"{"button":[{"name":"今日歌曲"}]}"#;
    assert_eq!(caller.post(&at("menu/create"), menu).await.errcode(), 0);
    assert_eq!(caller.get(&at("menu/get")).await.text(), format!(r#"{{"menu":{menu}}}"#));

    let info = caller.get(&format!("{}&openid=O", at("user/info"))).await.json();
    assert_eq!((&info["openid"], &info["subscribe"]), (&json!("O"), &json!(1)));
    assert_eq!(caller.get(&at("user/info")).await.errcode(), 40003);
    let code =
        caller.post(&at("qrcode/create"), r#"{"action_name":"QR_SCENE","expire_seconds":9}"#).await.json();
    assert_eq!(code["expire_seconds"], 9);
    assert!(caller.get(&at("getcallbackip")).await.json()["ip_list"].is_array());
}

#[tokio::test]
async fn a_ticket_stays_the_same_and_always_says_7200() {
    let caller = Caller::new();
    let token = caller.token().await;
    let ticket = async |token: &str| {
        caller.get(&format!("/cgi-bin/ticket/getticket?type=jsapi&access_token={token}")).await.json()
    };
    let first = ticket(&token).await;
    caller.sandbox.advance(3_600_000);
    caller.sandbox.rotate(OFFICIAL_ACCOUNT);
    let token = caller.token().await;
    assert_eq!(ticket(&token).await, first);
    assert_eq!(first["expires_in"], 7200);
    caller.sandbox.advance(3_600_000);
    assert_ne!(ticket(&caller.token().await).await["ticket"], first["ticket"]);
}

#[tokio::test]
async fn quota_counts_good_calls_and_ends_with_45009() {
    let caller = Caller::new();
    let token = caller.token().await;
    let path = "/cgi-bin/user/get";
    let quota = async |path: &str| {
        let target = format!("/cgi-bin/openapi/quota/get?access_token={token}");
        caller.post(&target, json!({"cgi_path": path}).to_string()).await
    };
    caller.sandbox.daily_limit(path, 2);
    caller.sandbox.rate_limit(path, Rate { call_count: 1000, refresh_second: 60 });
    assert_eq!(caller.verdict(&token).await, 0);
    assert_eq!(caller.verdict("89_a-token-that-nobody-ever-issued").await, 40001);
    let standing = quota(path).await.json();
    assert_eq!(standing["quota"], json!({"daily_limit": 2, "used": 1, "remain": 1}));
    assert_eq!(standing["rate_limit"], json!({"call_count": 1000, "refresh_second": 60}));
    assert_eq!((caller.verdict(&token).await, caller.verdict(&token).await), (0, 45009));
    assert_eq!(quota("cgi-bin/user/get").await.errcode(), 76003);
    assert_eq!(quota("/sns/userinfo").await.errcode(), 76022);
    assert_eq!(quota("/cgi-bin/never/heard").await.errcode(), 76021);

    let target = format!("/cgi-bin/clear_quota?access_token={token}");
    let body = json!({"appid": OFFICIAL_ACCOUNT}).to_string();
    assert_eq!(caller.post(&target, body.clone()).await.errcode(), 0);
    assert_eq!(caller.verdict(&token).await, 0);
    for _ in 1..10 {
        caller.post(&target, body.clone()).await;
    }
    assert_eq!(caller.post(&target, body).await.errcode(), 48006);
    let v2 = format!("/cgi-bin/clear_quota/v2?appid={OFFICIAL_ACCOUNT}&appsecret={SECRET}");
    assert_eq!(caller.post(&v2, "").await.errcode(), 48006, "one budget for both");
}

#[tokio::test]
async fn a_rate_limit_ends_with_45011() {
    let caller = Caller::new();
    let token = caller.token().await;
    caller.sandbox.rate_limit("/cgi-bin/user/get", Rate { call_count: 1, refresh_second: 1_000_000_000 });
    assert_eq!((caller.verdict(&token).await, caller.verdict(&token).await), (0, 45011));
}

#[tokio::test]
async fn a_code_opens_one_session() {
    let caller = Caller::new();
    let at = |code: &str| {
        format!(
            "/sns/jscode2session?appid={OFFICIAL_ACCOUNT}&secret={SECRET}&js_code={code}&grant_type=authorization_code"
        )
    };
    let session = caller.get(&at("one")).await.json();
    assert!(session["openid"].is_string() && session["session_key"].is_string());
    assert_eq!(caller.get(&at("one")).await.errcode(), 40163);
    assert_eq!(caller.get(&at("invalid")).await.errcode(), 40029);
    assert_eq!(caller.get(&at("two").replace("secret=secret", "secret=wrong")).await.errcode(), 40125);
}

#[tokio::test]
async fn a_login_may_be_a_form() {
    let caller = Caller::new();
    let post = async |path: &str, content_type: &str, form: &str| {
        let request = caller.request("POST", path).header("content-type", content_type);
        let body = Full::new(Bytes::copy_from_slice(form.as_bytes()));
        caller.send(request.body(body).expect("a request")).await.expect("an answer")
    };
    let form = "application/x-www-form-urlencoded; charset=UTF-8";
    let app = format!("appid={OFFICIAL_ACCOUNT}&secret={SECRET}&grant_type=authorization_code");
    let login = post("/sns/oauth2/access_token", form, &format!("{app}&code=a")).await.json();
    assert!(login["access_token"].is_string() && login["openid"].is_string(), "{login}");
    let session = post("/sns/jscode2session", form, &format!("{app}&js_code=b%2b")).await.json();
    assert!(session["session_key"].is_string(), "{session}");
    let target = format!("/sns/jscode2session?{app}&js_code=b%2B");
    assert_eq!(caller.get(&target).await.errcode(), 40163, "it is used already");
    let wrong = format!("appid={OFFICIAL_ACCOUNT}&secret=x&js_code=c");
    assert_eq!(post("/sns/jscode2session", form, &wrong).await.errcode(), 40125);
    let no_form = format!("{app}&code=d");
    assert_eq!(post("/sns/oauth2/access_token", "application/json", &no_form).await.errcode(), 41002);
}

#[tokio::test]
async fn a_users_token_is_no_apps_token() {
    let caller = Caller::new();
    let app_token = caller.token().await;
    let login = format!(
        "/sns/oauth2/access_token?appid={OFFICIAL_ACCOUNT}&secret={SECRET}&code=c&grant_type=authorization_code"
    );
    let login = caller.get(&login).await.json();
    let field = |name: &str| login[name].as_str().expect("a field").to_owned();
    let (token, openid) = (field("access_token"), field("openid"));
    let userinfo = |token: &str| format!("/sns/userinfo?access_token={token}&openid={openid}&lang=zh_CN");
    assert_eq!(caller.get(&userinfo(&token)).await.json()["openid"], *openid);
    assert_eq!(caller.get(&userinfo(&app_token)).await.errcode(), 40001);
    assert_eq!(caller.verdict(&token).await, 40001);
    assert_eq!(caller.get(&format!("/sns/auth?access_token={token}&openid={openid}")).await.errcode(), 0);
    caller.sandbox.advance(7_200_000);
    assert_eq!(caller.get(&userinfo(&token)).await.errcode(), 42001);
    let refresh = format!(
        "/sns/oauth2/refresh_token?appid={OFFICIAL_ACCOUNT}&grant_type=refresh_token&refresh_token={}",
        field("refresh_token")
    );
    let renewed = token_of(&caller.get(&refresh).await);
    assert_eq!(caller.get(&userinfo(&renewed)).await.errcode(), 0);
}

#[tokio::test]
async fn a_component_fetches_its_authorizers_tokens() {
    let caller = Caller::with(Options {
        apps: vec![App::new("wxcomponent", SECRET, AppKind::Component)],
        authorizers: vec![Authorizer::new("wxcomponent", "wxauthorizer", "refresh")],
        ..Options::default()
    });
    let body = json!({"component_appid": "wxcomponent", "component_appsecret": SECRET, "component_verify_ticket": "t"});
    let reply = caller.post("/cgi-bin/component/api_component_token", body.to_string()).await.json();
    let component = reply["component_access_token"].as_str().expect("a token").to_owned();
    let target =
        |token: &str| format!("/cgi-bin/component/api_authorizer_token?component_access_token={token}");
    let mut body = json!({
        "component_appid": "wxcomponent", "authorizer_appid": "wxauthorizer", "authorizer_refresh_token": "refresh",
    });
    let reply = caller.post(&target(&component), body.to_string()).await.json();
    let authorizer = reply["authorizer_access_token"].as_str().expect("a token").to_owned();
    assert_eq!(reply["authorizer_refresh_token"], "refresh");
    assert_eq!((caller.verdict(&authorizer).await, caller.verdict(&component).await), (0, 48001));
    assert_eq!(caller.post(&target(&authorizer), body.to_string()).await.errcode(), 40001);
    body["authorizer_refresh_token"] = Value::from("stale");
    assert_eq!(caller.post(&target(&component), body.to_string()).await.errcode(), 61023);
    let drafts = format!("/wxa/gettemplatedraftlist?access_token={component}");
    assert_eq!(caller.get(&drafts).await.errcode(), 0);
}

#[tokio::test]
async fn wecom_gives_one_token_and_rejects_with_40014() {
    let caller =
        Caller::with(Options { apps: vec![App::new("corp", SECRET, AppKind::Wecom)], ..Options::default() });
    let target = format!("/cgi-bin/gettoken?corpid=corp&corpsecret={SECRET}");
    let first = caller.get(&target).await;
    assert!(first.text().starts_with(r#"{"errcode":0,"errmsg":"ok","access_token":"#), "{}", first.text());
    assert_eq!(token_of(&caller.get(&target).await), token_of(&first));
    assert_eq!(caller.verdict(&token_of(&first)).await, 0);
    caller.sandbox.rotate("corp");
    assert_eq!(caller.verdict(&token_of(&first)).await, 40014);
    assert_eq!(caller.get("/cgi-bin/gettoken?corpid=corp&corpsecret=wrong").await.errcode(), 40001);
    let of_accounts = format!("/cgi-bin/token?grant_type=client_credential&appid=corp&secret={SECRET}");
    assert_eq!(caller.get(&of_accounts).await.errcode(), 40013, "a corporation is no account");
}

#[tokio::test]
async fn many_bodies_at_once_are_each_hashed_apart() {
    let caller = Caller::new();
    let token = caller.token().await;
    let target = format!("/cgi-bin/tags/update?access_token={token}");
    let bodies: Vec<Bytes> = (0..3_u8).map(|number| Bytes::from(vec![number; 100_000])).collect();
    let (a, b, c) = tokio::join!(
        caller.post(&target, bodies[0].clone()),
        caller.post(&target, bodies[1].clone()),
        caller.post(&target, bodies[2].clone()),
    );
    assert_eq!([a.errcode(), b.errcode(), c.errcode()], [0, 0, 0]);
    let mut seen: Vec<String> = caller
        .sandbox
        .journal(Some("/cgi-bin/tags/update"))
        .into_iter()
        .filter_map(|entry| entry.body_sha256)
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
}
