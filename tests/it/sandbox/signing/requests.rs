//! Which requests are taken, and with which code the others are refused.

use serde_json::{Value, json};
use wxgate::sandbox::{App, AppKind, MINI_PROGRAM, OFFICIAL_ACCOUNT, SECRET, SignedEndpoints, Signing};

use super::client::{Client, RISK, demand, send};
use crate::sandbox::client::{Caller, token_of};
use crate::signed_call::{AES_KEY_SN, Letter, Sealed};

#[tokio::test]
async fn the_request_that_wechat_published_is_taken() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tools/signing/signing-vectors.json")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (appid, request) = (text(&vectors["appid"]), &vectors["request"]);
    let caller = Caller::new();
    caller.sandbox.put(App::new(&appid, SECRET, AppKind::MiniProgram));
    let [key, sn, public] = ["aes_key", "aes_key_sn", "public_key_of_the_request_pem"];
    let [key, sn, public] = [key, sn, public].map(|name| text(&vectors[name]));
    caller.sandbox.demand_signing(Signing::new(&appid, key, sn, public)).expect("good keys");
    let timestamp = request["timestamp"].as_i64().expect("seconds");
    caller.sandbox.advance(timestamp * 1000 - caller.sandbox.now());
    let wanted = json!({"grant_type": "client_credential", "appid": &appid, "secret": SECRET});
    let token = token_of(&caller.post("/cgi-bin/stable_token", wanted.to_string()).await);

    let sealed = Sealed {
        path: RISK.to_owned(),
        query: format!("access_token={token}"),
        headers: vec![
            ("Wechatmp-Appid", appid),
            ("Wechatmp-TimeStamp", timestamp.to_string()),
            ("Wechatmp-Signature", text(&request["signature"])),
        ],
        body: text(&request["body"]),
    };
    let reply = send(&caller, &sealed).await;
    assert!(reply.header("wechatmp-signature").is_some(), "{}", reply.text());
    let plaintext = caller.sandbox.journal(Some(RISK))[0].plaintext.clone().expect("decrypted");
    let said: Value = serde_json::from_str(&plaintext).expect("JSON");
    assert_eq!((&said["_timestamp"], &said["scene"]), (&json!(timestamp), &json!(0)), "{plaintext}");
}

#[tokio::test]
async fn endpoints_answer_what_was_under_the_seal() {
    let client = Client::new(demand()).await;
    let letter = client.letter("/cgi-bin/message/custom/send", &json!({"touser": "O", "msgtype": "text"}));
    let reply = client.send(&letter).await;
    assert_eq!(client.open(&letter.path, &reply).expect("signed"), json!({"errcode": 0, "errmsg": "ok"}));
    let entry = client.caller.sandbox.journal(Some(&letter.path)).remove(0);
    assert_eq!(entry.plaintext, Some(letter.plaintext));
    assert_eq!((entry.status, entry.errcode), (Some(200), Some(0)));

    let answer = client.call("/cgi-bin/message/custom/send", &json!({"msgtype": "text"})).await;
    assert_eq!(answer["errcode"], 40003, "errors are sealed like everything else");
    let about = json!({"cgi_path": "/cgi-bin/message/custom/send"});
    assert_eq!(client.call("/cgi-bin/openapi/quota/get", &about).await["quota"]["used"], 2);
}

#[tokio::test]
async fn parameters_of_the_query_are_read_under_the_seal() {
    let client = Client::new(Signing { endpoints: SignedEndpoints::All, ..demand() }).await;
    assert_eq!(client.call("/cgi-bin/user/info", &json!({"openid": "alice"})).await["openid"], "alice");
    let mut sealed = client.letter("/cgi-bin/user/info", &json!({"openid": "alice"})).seal(&client.token);
    sealed.query.push_str("&lang=en");
    assert_eq!(send(&client.caller, &sealed).await.errcode(), 40234);
}

type Change<'a> = Box<dyn Fn(&mut Letter, &mut Sealed) + 'a>;

#[tokio::test]
async fn what_is_wrong_with_a_request_has_its_code_in_clear() {
    let client = Client::new(Signing { demand_serial: true, ..demand() }).await;
    client.caller.sandbox.put(App::new(MINI_PROGRAM, SECRET, AppKind::MiniProgram));
    let without = |sealed: &mut Sealed, name| sealed.headers.retain(|(known, _)| *known != name);
    let again = |letter: &Letter, sealed: &mut Sealed| *sealed = with_serial(&client, letter);
    let cases: Vec<(i64, &str, Change<'_>)> = vec![
        (40230, "no serial", Box::new(|_, sealed| without(sealed, "Wechatmp-Serial"))),
        (40231, "no timestamp", Box::new(|_, sealed| without(sealed, "Wechatmp-TimeStamp"))),
        (40232, "no signature", Box::new(|_, sealed| without(sealed, "Wechatmp-Signature"))),
        (40232, "nothing", Box::new(|_, sealed| sealed.headers.clear())),
        (40233, "no appid", Box::new(|_, sealed| without(sealed, "Wechatmp-Appid"))),
        (40234, "another body", Box::new(|_, sealed| sealed.body.push('\n'))),
        (
            40234,
            "another time",
            Box::new(|letter, sealed| {
                sealed.headers[1].1 = (letter.timestamp - 1).to_string();
            }),
        ),
        (
            40234,
            "no token in the query",
            Box::new(|_, sealed| sealed.query = sealed.query.replace('=', "=&a=")),
        ),
        (
            40235,
            "an iv of another length",
            Box::new(|_, sealed| {
                sealed.body = sealed.body.replacen("\"iv\":\"", "\"iv\":\"AA", 1);
                sealed.sign();
            }),
        ),
        (
            40235,
            "no envelope",
            Box::new(|_, sealed| {
                sealed.body = "{}".to_owned();
                sealed.sign();
            }),
        ),
        (
            40235,
            "a short nonce",
            Box::new(|letter, sealed| {
                let said: Value = serde_json::from_str(&letter.plaintext).expect("JSON");
                letter.plaintext = letter.plaintext.replace(said["_n"].as_str().expect("text"), "c2hvcnQ=");
                again(letter, sealed);
            }),
        ),
        (
            40235,
            "another time inside",
            Box::new(|letter, sealed| {
                let time = letter.timestamp.to_string();
                letter.plaintext = letter.plaintext.replace(&time, &format!("\"{time}\""));
                again(letter, sealed);
            }),
        ),
        (40236, "nobody's appid", Box::new(|_, sealed| sealed.headers[0].1 = "wxnobody".to_owned())),
        (
            40237,
            "somebody else's appid",
            Box::new(|_, sealed| {
                sealed.headers[0].1 = MINI_PROGRAM.to_owned();
            }),
        ),
        (
            40237,
            "another appid inside",
            Box::new(|letter, sealed| {
                letter.plaintext = letter.plaintext.replace(OFFICIAL_ACCOUNT, MINI_PROGRAM);
                again(letter, sealed);
            }),
        ),
        (
            40240,
            "too old",
            Box::new(|letter, sealed| {
                letter.timestamp -= 310;
                again(letter, sealed);
            }),
        ),
        (
            40240,
            "too new",
            Box::new(|letter, sealed| {
                letter.timestamp += 310;
                again(letter, sealed);
            }),
        ),
    ];
    for (errcode, what, change) in cases {
        let mut letter = client.letter(RISK, &json!({"scene": 0}));
        let mut sealed = with_serial(&client, &letter);
        change(&mut letter, &mut sealed);
        let reply = send(&client.caller, &sealed).await;
        assert_eq!(reply.errcode(), errcode, "{what}: {}", reply.text());
        assert_eq!(reply.header("wechatmp-signature"), None, "{what}");
    }
    let good = with_serial(&client, &client.letter(RISK, &json!({})));
    assert!(client.open(RISK, &send(&client.caller, &good).await).is_ok());
    let taken: Vec<_> = client.caller.sandbox.journal(Some(RISK));
    assert_eq!(taken.iter().filter(|entry| entry.plaintext.is_some()).count(), 1);
}

fn with_serial(client: &Client, letter: &Letter) -> Sealed {
    let mut sealed = letter.seal(&client.token);
    sealed.headers.push(("Wechatmp-Serial", AES_KEY_SN.to_owned()));
    sealed
}

#[tokio::test]
async fn an_app_without_a_key_has_a_code_of_its_own() {
    for (errcode, signing) in
        [(40238, Signing { aes_key: None, ..demand() }), (40239, Signing { public_key: None, ..demand() })]
    {
        let client = Client::new(signing).await;
        let sealed = client.letter(RISK, &json!({})).seal(&client.token);
        assert_eq!(send(&client.caller, &sealed).await.errcode(), errcode);
    }
}

#[tokio::test]
async fn a_repeated_nonce_is_counted_and_by_order_refused() {
    let client = Client::new(demand()).await;
    let sandbox = &client.caller.sandbox;
    let sealed = client.letter(RISK, &json!({})).seal(&client.token);
    assert!(client.open(RISK, &send(&client.caller, &sealed).await).is_ok());
    assert_eq!(sandbox.repeated_nonces(OFFICIAL_ACCOUNT), 0);
    assert!(client.open(RISK, &send(&client.caller, &sealed).await).is_ok());
    assert_eq!(sandbox.repeated_nonces(OFFICIAL_ACCOUNT), 1);
    sandbox.demand_signing(Signing { refuse_repeated_nonces: true, ..demand() }).expect("good keys");
    assert_eq!(send(&client.caller, &sealed).await.errcode(), 40235);
    assert_eq!(sandbox.repeated_nonces(OFFICIAL_ACCOUNT), 2);
    sandbox.reset();
    assert_eq!(sandbox.repeated_nonces(OFFICIAL_ACCOUNT), 0);
}

#[tokio::test]
async fn intracity_has_a_code_of_its_own_for_calls_in_clear() {
    let client = Client::new(demand()).await;
    let path = "/cgi-bin/express/intracity/getcity";
    let target = format!("{path}?access_token={}", client.token);
    assert_eq!(client.caller.post(&target, "{}").await.errcode(), 934_011);
    assert_eq!(client.call(path, &json!({})).await["errcode"], 0);
}

#[tokio::test]
async fn only_posts_to_endpoints_that_support_it_must_be_signed() {
    let client = Client::new(demand()).await;
    let (caller, token) = (&client.caller, &client.token);
    assert_eq!(caller.get(&format!("/wxa/getwxadevinfo?access_token={token}")).await.errcode(), 0);
    assert_eq!(caller.post(&format!("/cgi-bin/tags/update?access_token={token}"), "{}").await.errcode(), 0);
    let target = format!("{RISK}?access_token={token}");
    assert_eq!(caller.post(&target, "{}").await.errcode(), 40232);
    assert!(caller.sandbox.end_signing(OFFICIAL_ACCOUNT));
    assert_eq!(caller.post(&target, "{}").await.errcode(), 0);

    // Uploads can't be signed, and tokens are fetched without.
    caller
        .sandbox
        .demand_signing(Signing { endpoints: SignedEndpoints::All, ..demand() })
        .expect("good keys");
    let upload = caller
        .request("POST", &format!("/cgi-bin/media/upload?type=image&access_token={token}"))
        .header("content-type", "multipart/form-data; boundary=XX");
    let reply = caller.send(upload.body(http_body_util::Full::default()).expect("a request")).await;
    assert_eq!(reply.expect("an answer").errcode(), 41005);
    assert_eq!(caller.token().await, *token);
}

#[tokio::test]
async fn a_dead_token_is_rejected_in_clear_or_under_the_seal() {
    let client = Client::new(demand()).await;
    let sandbox = &client.caller.sandbox;
    sandbox.rotate(OFFICIAL_ACCOUNT);
    let letter = || client.letter(RISK, &json!({})).seal(&client.token);
    assert_eq!(send(&client.caller, &letter()).await.errcode(), 40001);
    sandbox.demand_signing(Signing { encrypt_token_errors: true, ..demand() }).expect("good keys");
    assert_eq!(client.call(RISK, &json!({})).await["errcode"], 40001);

    let mut unknown = letter();
    unknown.query = "access_token=55_nobody-has-issued-this".to_owned();
    let reply = send(&client.caller, &unknown).await;
    assert_eq!(client.open(RISK, &reply).expect("signed for the app that is named")["errcode"], 40001);
}
