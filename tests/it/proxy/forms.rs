//! Credentials in forms: they mean what they mean in the query, and all other bytes stay.

use wxgate::sandbox::Entry;

use super::bad_input::wire::{Caller, send};
use crate::harness::{
    APPID, Answer, Gate, OTHER_APPID, SECRET, SHOP, SHOP_AND_GAME, Setup, caller, chunked, sha256,
};

const KEY: &str = "canary-key-of-orders-5d1c";
const CRM_KEY: &str = "canary-key-of-crm-0b9a";
const FORM: &str = "application/x-www-form-urlencoded";
const PATH: &str = "/cgi-bin/menu/delete";
const LOGIN: &str = "/sns/jscode2session";
const BAD_REQUEST: (u16, &str, i64) = (400, "bad_request", -70400);
const BORDER: usize = 64 * 1024;

/// Two apps, of which the first is the default.
fn two_apps() -> String {
    SHOP_AND_GAME.replacen("[[app]]", "[[app]]\ndefault = true", 1)
}

async fn with(apps: String) -> Gate {
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

async fn placeholder(gate: &Gate, appid: &str, key: &str) -> String {
    let answer = gate.get(&format!("/cgi-bin/token?appid={appid}&secret={key}")).await.json();
    answer["access_token"].as_str().expect("a placeholder").to_owned()
}

async fn post(gate: &Gate, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::of(gate.client.post(gate.url(path)).header("content-type", content_type).body(body)).await
}

#[track_caller]
fn assert_reached(entry: &Entry, query: &str, body: impl AsRef<[u8]>) {
    let body = body.as_ref();
    assert_eq!(entry.query, query);
    assert_eq!(entry.body_sha256.as_deref(), Some(&*sha256(body)), "{entry:?}");
    assert_eq!(entry.body_length, body.len() as u64);
    assert_eq!(entry.header("content-length"), Some(&*body.len().to_string()));
    assert_eq!((entry.header("transfer-encoding"), entry.complete), (None, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_in_a_form_names_app_and_caller_as_one_in_the_query_does() {
    let callers =
        [caller("orders", &[KEY], &["shop"], ""), caller("crm", &[CRM_KEY], &["shop", "game"], "")].concat();
    for (callers, key) in [(String::new(), "any"), (callers, CRM_KEY)] {
        let gate = with([two_apps(), callers].concat()).await;
        let games = placeholder(&gate, OTHER_APPID, key).await;
        let token = format!("access_token={}", gate.token(OTHER_APPID));
        for (before, behind, left) in [
            ("access_token=", "", ""),
            ("access_token=", "\r\n", ""),
            ("access_token=", "%0A&a=1", "a=1"),
            ("a=x y&access%5Ftoken=", "+&b=+%20", "a=x y&b=+%20"),
            ("\u{feff}a=1&component_access_token=", "&b=2\n", "\u{feff}a=1&b=2\n"),
            ("access_token=\"", "\"&a=1", ""),
        ] {
            gate.sandbox.reset();
            let answer = post(&gate, PATH, FORM, format!("{before}{games}{behind}")).await;
            if behind.starts_with('"') {
                assert_eq!(answer.refusal(), (200, "none", 40001), "{before}: {}", answer.text());
                continue;
            }
            assert_eq!(answer.errcode(), 0, "{before}: {}", answer.text());
            assert_reached(&gate.only(PATH), &token, left);
        }
        let torn = post(&gate, &format!("/@shop{PATH}"), FORM, format!("access_token={games}")).await;
        assert_eq!(torn.refusal(), BAD_REQUEST, "{}", torn.text());
        let damaged = post(&gate, PATH, FORM, "access_token=wxgate-damaged").await;
        assert_eq!(damaged.refusal(), (200, "none", 40001), "{}", damaged.text());
        // As the bearer token.
        gate.sandbox.reset();
        let bearer = ("authorization", &*format!("Bearer {games}"));
        assert_eq!(gate.get_with("/cgi-bin/user/get", &[bearer]).await.errcode(), 0);
        assert_eq!(gate.only("/cgi-bin/user/get").query, token);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_loses_its_tokens_alone() {
    let gate = Gate::start().await.settled().await;
    let token = format!("access_token={}", gate.token(APPID));
    for content_type in [FORM, "Application/X-WWW-Form-URLencoded; charset=GBK"] {
        for (body, left) in [
            (&b"access_token=own&a=\xd5\xc5&b=%zz"[..], &b"a=\xd5\xc5&b=%zz"[..]),
            (b"a=1&access_token=X&access_token=Y&a=1", b"a=1&a=1"),
            (b"a=1&&access_token&=", b"a=1&&="),
            (b"", b""),
            (b"a=1", b"a=1"),
            (b"Access_Token=X&access%255Ftoken=Y", b"Access_Token=X&access%255Ftoken=Y"),
        ] {
            for body in
                [reqwest::Body::from(body.to_vec()), chunked(body.chunks(3).map(<[u8]>::to_vec).collect())]
            {
                gate.sandbox.reset();
                let request =
                    gate.client.post(gate.url(PATH)).header("content-type", content_type).body(body);
                assert_eq!(Answer::of(request).await.errcode(), 0);
                assert_reached(&gate.only(PATH), &token, left);
            }
        }
    }
    // In a GET, and with a type beside it.
    for types in [
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/json\r\nContent-Type: application/x-www-form-urlencoded",
    ] {
        gate.sandbox.reset();
        let head = format!(
            "GET /cgi-bin/user/get HTTP/1.1\r\nHost: localhost\r\n{types}\r\nContent-Length: 18\r\n\r\n"
        );
        assert_eq!(send(&gate, format!("{head}a=1&access_token=T")).await.expect("an answer").status, 200);
        assert_reached(&gate.only("/cgi-bin/user/get"), &token, "a=1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_form_passes_untouched() {
    let gate = Gate::start().await.settled().await;
    let token = format!("access_token={}", gate.token(APPID));
    let json = "{\"content\":\"see /x?a=1&access_token=T&b=2\"}";
    for (content_type, body) in [
        (FORM, json.to_owned()),
        (FORM, format!("\u{feff}\r\n {json}")),
        (FORM, format!("[{json}]")),
        (FORM, "<xml>&access_token=T&</xml>".to_owned()),
        (FORM, "\"a&access_token=T&\"".to_owned()),
        ("application/json", "a=1&access_token=T".to_owned()),
        ("multipart/form-data; boundary=b", "--b\r\n\r\na&access_token=T&b\r\n--b--\r\n".to_owned()),
    ] {
        gate.sandbox.reset();
        assert_eq!(post(&gate, PATH, content_type, body.clone()).await.errcode(), 0);
        assert_reached(&gate.only(PATH), &token, body);
    }
    gate.sandbox.reset();
    let coded =
        gate.client.post(gate.url(PATH)).header("content-type", FORM).header("content-encoding", "gzip");
    assert_eq!(Answer::of(coded.body("a=1&access_token=T")).await.errcode(), 0);
    assert_reached(&gate.only(PATH), &token, "a=1&access_token=T");

    gate.sandbox.reset();
    let answer = post(&gate, PATH, FORM, "{\"url\":\"/x?access_token=wxgate-any\"}").await;
    assert_eq!(answer.refusal(), BAD_REQUEST);
    assert!(answer.text().contains("JSON that is declared as a form"), "{}", answer.text());
    assert!(gate.journal(PATH).is_empty());
}

/// A field of `length` bytes, the `&` behind it included.
fn filler(length: usize) -> String {
    format!("f={}&", "x".repeat(length - 3))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_form_streams_on_behind_its_beginning() {
    let setup = Setup { replay: "max_body = \"2MiB\"".into(), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    for length in [BORDER, 2 * BORDER, 1_500_000, 5_000_000] {
        let (first, rest) = (filler(100), filler(length));
        let (body, left) = (format!("{first}access_token=T&{rest}"), format!("{first}{rest}"));
        for chunks in [0, 1] {
            gate.sandbox.reset();
            // What can be kept is sent again, and is the same then.
            let replayed = length < 2_000_000 || chunks == 1;
            if replayed {
                gate.sandbox.rotate(APPID);
            }
            let sent = match chunks {
                0 => reqwest::Body::from(body.clone()),
                _ => chunked(body.as_bytes().chunks(50_000).map(<[u8]>::to_vec).collect()),
            };
            let answer = post(&gate, PATH, FORM, sent).await;
            assert_eq!(answer.errcode(), 0, "{length}: {}", answer.text());
            let seen = gate.journal(PATH);
            assert_eq!(seen.len(), if replayed { 2 } else { 1 }, "{length}");
            for entry in &seen {
                assert_reached(entry, &entry.query, &left);
            }
        }
    }
    // A caller that asks first is told to go on.
    gate.sandbox.reset();
    let body = format!("access_token=T&{}", filler(2 * BORDER));
    let mut caller = Caller::of(&gate).await;
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: {FORM}\r\n"
    );
    caller.send(format!("{head}Content-Length: {}\r\n\r\n", body.len())).await;
    assert_eq!(caller.answer().await.expect("an answer").status, 100);
    caller.send(&body).await;
    assert_eq!(caller.answer().await.expect("an answer").status, 200);
    assert_reached(&gate.only(PATH), &gate.only(PATH).query, filler(2 * BORDER));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_begins_within_64_kib_of_a_form_never_passes() {
    let gate = with(two_apps()).await;
    let games = placeholder(&gate, OTHER_APPID, "any").await;
    let token = format!("access_token={}", gate.token(OTHER_APPID));
    for (before, rest) in [
        (BORDER - 1, "&b=1".to_owned()),
        (BORDER - 1, String::new()),
        (BORDER - 20, format!("&{}", filler(BORDER))),
    ] {
        gate.sandbox.reset();
        let answer = post(&gate, PATH, FORM, format!("{}access_token={games}{rest}", filler(before))).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text());
        let left = format!("{}{}", filler(before), rest.trim_start_matches('&'));
        let left = if rest.is_empty() { left.trim_end_matches('&').to_owned() } else { left };
        assert_reached(&gate.only(PATH), &token, left);
    }
    gate.sandbox.reset();
    let endless = format!("{}access_token={games}{}", filler(BORDER - 1), "x".repeat(4096));
    let answer = post(&gate, PATH, FORM, endless).await;
    assert_eq!(answer.refusal(), BAD_REQUEST);
    assert!(
        answer.text().contains("a credential in the form extends beyond its first 64 KiB"),
        "{}",
        answer.text()
    );
    assert!(gate.journal(PATH).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_form_has_its_appid_and_secret_set_where_they_stand() {
    let gate = with(
        [
            SHOP_AND_GAME,
            &caller("orders", &[KEY], &["shop", "game"], ""),
            &caller("crm", &[CRM_KEY], &["shop"], ""),
        ]
        .concat(),
    )
    .await;
    let own = wxgate_secret(OTHER_APPID);
    for (query, body, reached_query, reached_body) in [
        (
            "",
            format!("appid={OTHER_APPID}&secret={KEY}&js_code=C%41&grant_type=authorization_code"),
            String::new(),
            format!("appid={OTHER_APPID}&secret={own}&js_code=C%41&grant_type=authorization_code"),
        ),
        (
            "",
            format!("js_code=C&%73ecret={KEY}%0A&secret=old&access_token=T"),
            format!("appid={APPID}"),
            format!("js_code=C&secret={SECRET}"),
        ),
        (
            &*format!("?secret={KEY}&a=1"),
            format!("secret={KEY}&js_code=C&appid={OTHER_APPID}"),
            format!("secret={own}&a=1"),
            format!("secret={own}&js_code=C&appid={OTHER_APPID}"),
        ),
        // A key where another endpoint wants the secret.
        (
            &*format!("?appsecret={KEY}&a=1"),
            format!("js_code=C&appsecret={KEY}&appid={OTHER_APPID}"),
            format!("secret={own}&a=1"),
            format!("js_code=C&appid={OTHER_APPID}"),
        ),
    ] {
        gate.sandbox.reset();
        let path = if body.contains("appid") { LOGIN.to_owned() } else { format!("/@shop{LOGIN}") };
        let answer = post(&gate, &format!("{path}{query}"), FORM, body.clone()).await;
        assert_eq!(answer.header("x-wxgate-error"), None, "{body}: {}", answer.text());
        assert_reached(&gate.only(LOGIN), &reached_query, &reached_body);
    }
    gate.sandbox.reset();
    for (query, body, code) in [
        ("", format!("appid={APPID}&secret=wrong&js_code=C"), 40125),
        ("", "js_code=C".to_owned(), 40125),
        (&*format!("?secret={CRM_KEY}"), format!("appid={APPID}&secret={KEY}"), 40125),
        ("", format!("appid={OTHER_APPID}&secret={CRM_KEY}&js_code=C"), 40013),
        (&*format!("?appid={APPID}"), format!("appid={OTHER_APPID}&secret={KEY}"), 40013),
        ("", format!("appid=wx00000000000000ff&secret={KEY}"), 40013),
    ] {
        let answer = post(&gate, &format!("{LOGIN}{query}"), FORM, body.clone()).await;
        assert_eq!((answer.status, answer.errcode()), (200, code), "{body}: {}", answer.text());
    }
    // What follows would stand behind the AppSecret.
    let cut = format!("appid={APPID}&{}secret={KEY}{}", filler(BORDER - 100), "y".repeat(700_000));
    let answer = post(&gate, LOGIN, FORM, cut).await;
    assert_eq!((answer.status, answer.errcode()), (200, 40125), "{}", answer.text());
    assert!(gate.journal(LOGIN).is_empty());
}

fn wxgate_secret(appid: &str) -> &'static str {
    if appid == APPID { SECRET } else { crate::harness::OTHER_SECRET }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_callers_own_in_a_form_is_rejected_where_it_would_be_in_the_query() {
    let gate = with(format!("{SHOP}own_credential = \"reject\"\n")).await;
    let answer = post(&gate, PATH, FORM, "a=1&access_token=mine").await;
    assert_eq!(answer.refusal(), BAD_REQUEST);
    assert!(answer.text().contains("own_credential"), "{}", answer.text());
    let token = placeholder(&gate, APPID, "any").await;
    assert_eq!(post(&gate, PATH, FORM, format!("access_token={token}")).await.errcode(), 0);
    assert_eq!(gate.journal(PATH).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_token_of_its_own_gets_past_own_credential() {
    let apps = SHOP.replace("default = true", "default = true\nown_credential = \"reject\"");
    let gate = with(apps).await;
    let path = "/cgi-bin/user/get";
    for query in [
        "access_token=T",
        "ACCESS_TOKEN=T",
        "a=1&access.token=T",
        "access_token%00=T",
        "access%20token=T",
        "access_token[]=T",
        "a=1;access_token=T",
        "a=1&amp;suite-access-token=T",
    ] {
        let answer = gate.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.refusal(), BAD_REQUEST, "{query}: {}", answer.text());
        assert!(answer.text().contains("own_credential"), "{}", answer.text());
    }
    assert!(gate.journal(path).is_empty());
    assert_eq!(gate.get(&format!("{path}?refresh_token=T")).await.errcode(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_form_stays_as_it_is_and_a_placeholder_in_it_is_refused() {
    let gate = Gate::start().await.settled().await;
    let token = placeholder(&gate, APPID, "any").await;
    for (path, says) in
        [("/sns/userinfo", "the user's OAuth access_token"), ("/cgi-bin/showqrcode", "takes no token")]
    {
        gate.sandbox.reset();
        post(&gate, path, FORM, "access_token=USERS&openid=o").await;
        assert_reached(&gate.only(path), "", "access_token=USERS&openid=o");
        gate.sandbox.reset();
        let answer = post(&gate, path, FORM, format!("access_token={token}&openid=o")).await;
        assert_eq!(answer.refusal(), BAD_REQUEST, "{path}: {}", answer.text());
        assert!(answer.text().contains(says), "{}", answer.text());
        assert!(gate.journal(path).is_empty());
    }
    // A path that nobody knows: the user's token stays too.
    gate.get("/sns/unlisted?access_token=USERS&openid=o").await;
    assert_eq!(gate.only("/sns/unlisted").query, "access_token=USERS&openid=o");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_in_any_other_place_is_refused_by_its_name() {
    let callers = caller("orders", &[KEY], &["game"], "");
    for callers in ["", &*callers] {
        let gate = with([two_apps(), callers.to_owned()].concat()).await;
        let games = placeholder(&gate, OTHER_APPID, KEY).await;
        gate.sandbox.reset();
        for (query, place) in [
            (format!("a=1&amp;access_token={games}"), "query's amp;access_token"),
            (format!("Access_Token={games}"), "query's Access_Token"),
            (format!("access_token[]={games}"), "query's access_token[]"),
            ("token=wxgate-any".to_owned(), "query's token"),
            (format!("a=1;access_token={games}"), "query's a"),
            (format!("access_token=T;access_token={games}"), "query's ;access_token"),
            (format!("access.token={games}"), "query's access.token"),
            (format!("url=https%3A%2F%2Fx%2F%3Faccess_token%3D{games}"), "query's url"),
            (format!("x=%77xgate%2D{}", &games["wxgate-".len()..]), "query's x"),
        ] {
            let answer = gate.get(&format!("/cgi-bin/user/get?{query}")).await;
            assert_eq!(answer.refusal(), BAD_REQUEST, "{query}: {}", answer.text());
            assert!(answer.text().contains(&format!("in the {place}")), "{query}: {}", answer.text());
        }
        for header in [
            ("access_token", &*games),
            ("token", "wxgate-any"),
            ("cookie", &*format!("t={games}")),
            ("x-token", &*games),
            ("authorization", &*games),
            ("authorization", &*format!("Token {games}")),
            ("host", &*games),
        ] {
            let answer = gate.get_with("/cgi-bin/user/get", &[header]).await;
            assert_eq!(answer.refusal(), BAD_REQUEST, "{header:?}: {}", answer.text());
            assert!(answer.text().contains(&format!("in the header {}", header.0)), "{}", answer.text());
        }
        let path = gate.get(&format!("/cgi-bin/user/get&access_token={games}")).await;
        assert!(path.refusal() == BAD_REQUEST && path.text().contains("in the path"), "{}", path.text());
        for field in [
            format!("Access_Token={games}"),
            format!("x=1;access_token={games}"),
            "token=wxgate-any".to_owned(),
        ] {
            let answer = post(&gate, PATH, FORM, format!("a=1&{field}")).await;
            assert!(
                answer.refusal() == BAD_REQUEST && answer.text().contains("in the form's"),
                "{}",
                answer.text()
            );
        }
        assert!(gate.sandbox.journal(None).is_empty());
        // Names that merely begin like one aren't tokens.
        let bearer = format!("Bearer {games}");
        for header in
            [("user-agent", "wxgate-client/1.0"), ("x-scene", "wxgate-prod"), ("x-trace", "wxgate-0b1e8f6a")]
        {
            let headers = [header, ("authorization", &*bearer)];
            assert_eq!(gate.get_with("/cgi-bin/user/get", &headers).await.errcode(), 0, "{header:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_behind_a_token_with_a_question_mark_is_a_parameter() {
    let gate = with(two_apps()).await;
    let games = placeholder(&gate, OTHER_APPID, "any").await;
    gate.sandbox.reset();
    assert_eq!(
        gate.get(&format!("/cgi-bin/user/get?access_token={games}?type=image&a=?")).await.errcode(),
        0
    );
    let expected = format!("access_token={}&type=image&a=?", gate.token(OTHER_APPID));
    assert_eq!(gate.only("/cgi-bin/user/get").query, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_fetch_is_let_in_without_a_key() {
    let gate = Gate::start().await.settled().await;
    let headers = [
        ("accept", "*/*"),
        ("accept-language", "*"),
        ("sec-fetch-mode", "cors"),
        ("user-agent", "node"),
        ("accept-encoding", "gzip, deflate"),
    ];
    assert_eq!(gate.get_with("/cgi-bin/user/get", &headers).await.errcode(), 0);
}
