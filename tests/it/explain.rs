//! `wxgate explain`: what it says is what the pipeline does.

use std::process::Command;

use http::Method;
use wxgate::app;
use wxgate::config::{Config, Outline};

/// What a planted secret looks like; must show up in no output.
const CANARY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

fn config(text: &str) -> Outline {
    let secret = |_: &str| Some(CANARY.to_owned());
    let text = match text.split_once("[server]\n") {
        Some((before, rest)) => format!("{before}[server]\nerror_status = 'http'\n{rest}"),
        None => format!("[server]\nerror_status = 'http'\n{text}"),
    };
    Config::parse(&text, "test.toml", &secret).expect("a configuration").into()
}

fn two_apps() -> Outline {
    let digest = |digit: &str| digit.repeat(64);
    config(&format!(
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = {{ env = 'S' }}\n\
         [[app]]\nname = 'cafe'\nappid = 'wx1123456789abcdef'\nsecret = {{ env = 'S' }}\nown_credential = 'reject'\n\
         [[caller]]\nname = 'orders'\nkey_sha256 = '{}'\napps = ['shop']\nallow = ['**', '/cgi-bin/clear_quota']\n\
         [[caller]]\nname = 'reports'\nkey_sha256 = '{}'\napps = ['shop', 'cafe']\nallow = ['GET /cgi-bin/user/**']\n",
        digest("a"),
        digest("b"),
    ))
}

/// The explanation with its line breaks undone, so that a test finds a sentence.
fn explain(method: Method, target: &str, config: Option<&Outline>) -> String {
    let text = app::explain(&method, target, config).expect("an explanation");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains(CANARY), "{text}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in {text}");
}

#[test]
fn a_plain_call_gets_the_apps_token_in_place_of_its_own() {
    let text = explain(Method::GET, "/cgi-bin/user/info?access_token=mine&openid=O", None);
    says(&text, "endpoint /cgi-bin/user/info guarded no credential the app's access token");
    says(&text, "removed access_token, sent by the caller");
    says(&text, "sent GET /cgi-bin/user/info?access_token=***&openid=O");
    says(&text, "replay yes:");
    says(&text, "evidence yes:");
    assert!(!text.contains("mine"), "{text}");
}

#[test]
fn callers_are_told_apart() {
    let text = explain(Method::POST, "/@shop/cgi-bin/clear_quota", Some(&two_apps()));
    says(&text, "app depends on the caller");
    says(&text, "guarded yes");
    says(&text, "orders: yes, for shop, named by the path's prefix");
    says(&text, "reports: no, 404 endpoint_forbidden: ");
}

#[test]
fn the_app_and_what_named_it_are_told() {
    let only = config(
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'S' }\ndefault = true\n",
    );
    let text = explain(Method::GET, "/cgi-bin/menu/get", Some(&only));
    says(&text, "app shop (wx0123456789abcdef), the default app");
    says(&text, "callers anybody: yes");
    let text = explain(Method::GET, "/@wx0123456789abcdef/cgi-bin/menu/get", Some(&only));
    says(&text, "named by the path's prefix");
    let text = explain(Method::GET, "/cgi-bin/token?appid=wx0123456789abcdef&secret=x", Some(&only));
    says(&text, "named by the query's appid");
    says(&text, "wxgate responds itself, with a placeholder token");
    let text = explain(Method::GET, "/@bakery/cgi-bin/menu/get", Some(&only));
    says(&text, "app none, see callers");
    says(&text, "anybody: no, 400 app_unknown: no app is named bakery");
}

#[test]
fn an_app_that_rejects_own_tokens_says_so() {
    let text = explain(Method::GET, "/@cafe/cgi-bin/user/info?access_token=mine", Some(&two_apps()));
    says(&text, "reports: no, 400 bad_request: leave the token out: this app rejects tokens");
    says(&text, "orders: no, 403 caller_forbidden: ");
    says(&text, "sent nothing");
}

#[test]
fn the_secret_that_an_endpoint_wants_is_the_apps_own_and_not_printed() {
    // SHA-256 of "k".
    let config = config(
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'S' }\n[[caller]]\nname = 'orders'\n\
         key_sha256 = '8254c329a92850f6d539dd376f4816ee2764517da5e0235514af433164480d7a'\napps = ['shop']\n",
    );
    let text = explain(Method::GET, "/sns/jscode2session?secret=k&js_code=C", Some(&config));
    says(&text, "injected secret and appid, the app's own");
    says(&text, "sent GET /sns/jscode2session?secret=***&js_code=C&appid=wx0123456789abcdef");
    says(&text, "repeat no: it takes a code that is valid only once");
    let text = explain(Method::GET, "/sns/jscode2session?appid=A&secret=k&js_code=C", Some(&config));
    says(&text, "orders: no, 200 caller_forbidden with errcode 40013");
}

#[test]
fn what_is_wecoms_is_told_so() {
    let text = explain(Method::POST, "/cgi-bin/license/get_order", None);
    says(&text, "endpoint /cgi-bin/license/get_order, on qyapi.weixin.qq.com");
    says(&text, "200 endpoint_forbidden");
    let text = explain(Method::POST, "/cgi-bin/message/send", None);
    says(&text, "endpoint /cgi-bin/message/send, on qyapi.weixin.qq.com");
    says(&text, "kind = \"wecom\"");
    let text = explain(Method::POST, "/cgi-bin/menu/create", None);
    says(&text, "endpoint /cgi-bin/menu/create guarded no");
    says(&text, "replay yes: if WeChat rejects the token (40001, 40014, 42001)");
}

#[test]
fn money_signatures_and_the_window_of_the_quota_are_told() {
    let text = explain(Method::POST, "/xpay/refund_order", None);
    says(&text, "guarded yes: it moves money; only callers whose `allow` names it exactly may call it");
    says(&text, "200 endpoint_forbidden: this endpoint moves money");
    let text = explain(Method::POST, "/wxa/getwxacodeunlimit", None);
    says(&text, "signed WeChat accepts signed and encrypted calls of it (API 安全)");
    says(&text, "WeChat's 45009 may mean a limit per minute here");
    let text = explain(Method::GET, "/cgi-bin/user/info", None);
    says(&text, "WeChat's 45009 means the daily limit here");
    assert!(!text.contains("signed") && !text.contains("money"), "{text}");
}

#[test]
fn what_a_request_says_of_the_credential_of_an_unlisted_path_is_told() {
    let config = every_kind();
    for (target, credential, sent) in [
        ("/@hr/cgi-bin/new?provider_access_token=p", "a WeCom provider's token", "provider_access_token=***"),
        ("/@hr/cgi-bin/new?suite_access_token=s", "a WeCom suite's token", "suite_access_token=***"),
        (
            "/@tenants/cgi-bin/new?component_access_token=c",
            "a third-party platform's token",
            "component_access_token=***",
        ),
        (
            "/@hr/cgi-bin/new?device_access_token=d",
            "a device's or its model's token",
            "device_access_token=***",
        ),
        ("/@hr/cgi-bin/new", "the app's access token", "access_token=***"),
    ] {
        let text = explain(Method::GET, target, Some(&config));
        says(&text, &format!("credential {credential}"));
        says(&text, &format!("sent GET /cgi-bin/new?{sent} "));
        says(&text, "endpoint other: not in the catalogue");
    }
}

/// An official account, a third-party platform, and a WeCom app with a suite and a provider.
fn every_kind() -> Outline {
    config(&format!(
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = {{ env = 'S' }}\n\
         [[app]]\nname = 'tenants'\nappid = 'wxc000000000000001'\nkind = 'component'\nsecret = {{ env = 'S' }}\n\
         [[app]]\nname = 'hr'\nappid = 'ww0000000000000001'\nkind = 'wecom'\nagent_id = '1'\n\
         secret = {{ env = 'S' }}\nsuite_id = 'ww0000000000000999'\nsuite_secret = {{ env = 'S' }}\n\
         provider_secret = {{ env = 'S' }}\n\
         [[caller]]\nname = 'operator'\nkey_sha256 = '{}'\napps = ['shop', 'tenants', 'hr']\n\
         allow = ['**', '/cgi-bin/component/clear_quota/v2']\n",
        "a".repeat(64)
    ))
}

/// The same that `proxy/every_endpoint.rs` sees sent.
#[test]
fn an_endpoint_of_each_class_is_told_as_it_is_sent() {
    let config = every_kind();
    let own = "access_token=own&component_access_token=own&suite_access_token=own&provider_access_token=own\
               &cloudbase_access_token=own&x=1";
    let (again, once, none) = ("replay yes:", "replay no:", "sent nothing");
    for (method, path, sent, replay) in [
        ("GET", "/@shop/cgi-bin/user/info", "/cgi-bin/user/info?access_token=***&x=1", again),
        ("GET", "/@wxa000000000000001/cgi-bin/user/info", "/cgi-bin/user/info?access_token=***&x=1", again),
        (
            "POST",
            "/@shop/cgi-bin/openapi/quota/get",
            "/cgi-bin/openapi/quota/get?access_token=***&x=1",
            again,
        ),
        (
            "POST",
            "/@tenants/cgi-bin/openapi/quota/get",
            "/cgi-bin/openapi/quota/get?access_token=***&x=1",
            again,
        ),
        (
            "POST",
            "/@tenants/cgi-bin/component/api_create_preauthcode",
            "/cgi-bin/component/api_create_preauthcode?component_access_token=***&x=1",
            again,
        ),
        ("GET", "/@tenants/wxa/gettemplatelist", "/wxa/gettemplatelist?access_token=***&x=1", again),
        ("GET", "/@hr/cgi-bin/user/get", "/cgi-bin/user/get?access_token=***&x=1", again),
        (
            "GET",
            "/@hr/cgi-bin/service/get_pre_auth_code",
            "/cgi-bin/service/get_pre_auth_code?suite_access_token=***&x=1",
            again,
        ),
        (
            "POST",
            "/@hr/cgi-bin/license/list_order",
            "/cgi-bin/license/list_order?provider_access_token=***&x=1",
            again,
        ),
        (
            "POST",
            "/@hr/cgi-bin/service/get_login_info",
            "/cgi-bin/service/get_login_info?access_token=***&x=1",
            again,
        ),
        (
            "GET",
            "/@shop/sns/userinfo",
            "/sns/userinfo?access_token=***&component_access_token=***&suite_access_token=***\
             &provider_access_token=***&cloudbase_access_token=***&x=1",
            once,
        ),
        (
            "GET",
            "/@shop/sns/jscode2session",
            "/sns/jscode2session?x=1&appid=wx0123456789abcdef&secret=***",
            once,
        ),
        (
            "POST",
            "/@tenants/cgi-bin/component/clear_quota/v2",
            "/cgi-bin/component/clear_quota/v2?x=1&component_appid=wxc000000000000001&appsecret=***",
            once,
        ),
        ("GET", "/@shop/cgi-bin/showqrcode", "/cgi-bin/showqrcode?x=1", once),
        ("GET", "/@shop/cgi-bin/token", none, "response access_token, a placeholder"),
        ("GET", "/@hr/cgi-bin/gettoken", none, "response access_token, a placeholder"),
        (
            "POST",
            "/@tenants/cgi-bin/component/api_component_token",
            none,
            "response component_access_token, a placeholder",
        ),
        (
            "POST",
            "/@tenants/cgi-bin/component/api_get_authorizer_info",
            "/cgi-bin/component/api_get_authorizer_info?component_access_token=***&x=1",
            "response WeChat's, with a placeholder for each refresh token in it errors ",
        ),
        ("GET", "/@hr/cgi-bin/get_jsapi_ticket", none, "sent nothing: wxgate responds itself, with a ticket"),
        ("GET", "/@shop/wxa/gettemplatelist", none, "404 endpoint_forbidden"),
        ("GET", "/@tenants/cgi-bin/user/info", none, "400 bad_request"),
    ] {
        let request = Method::from_bytes(method.as_bytes()).expect("a method");
        let text = explain(request, &format!("{path}?{own}"), Some(&config));
        // A long path is broken where a line ends.
        let whole = if sent == none { none.to_owned() } else { format!("sent {method} {sent} to ") };
        says(&text.replace(' ', ""), &whole.replace(' ', ""));
        says(&text, replay);
        assert!(!text.contains("own&") && !text.contains("does not hold"), "{text}");
    }
}

#[test]
fn endpoints_of_wxgates_own_are_told_as_such() {
    let config = config(&format!(
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = {{ env = 'S' }}\njssdk_hosts = ['shop.example']\n\
         [[caller]]\nname = 'orders'\nkey_sha256 = '{}'\napps = ['shop']\nlease_token = true\n\
         [[caller]]\nname = 'reports'\nkey_sha256 = '{}'\napps = ['shop']\n",
        "a".repeat(64),
        "b".repeat(64)
    ));
    let text = explain(Method::GET, "/wxgate/token", Some(&config));
    says(&text, "endpoint wxgate's own, not WeChat's");
    says(&text, "sent nothing: wxgate responds itself, with the real token");
    says(&text, "orders: yes");
    says(&text, "reports: no, 403 caller_forbidden: caller reports may not lease real tokens");
    let page = "/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example%2Fa";
    says(&explain(Method::GET, page, Some(&config)), "with the page's signature");
    let text =
        explain(Method::GET, "/wxgate/jssdk/signature?url=https%3A%2F%2Fevil.example%2F", Some(&config));
    says(&text, "orders: no, 403 caller_forbidden: the url's host is not among");
}

#[test]
fn paths_that_are_not_wechats_are_told_as_such() {
    let always_200 = config(
        "[server]\nerrors_as_200 = true\n[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'S' }\n",
    );
    for config in [None, Some(&always_200)] {
        let pay = explain(Method::POST, "/pay/unifiedorder", config);
        says(
            &pay,
            "refused 404 endpoint_forbidden: WeChat Pay does not go through wxgate: call https://api.mch.weixin.qq.com",
        );
        says(&explain(Method::GET, "/metrics", config), "refused 404 endpoint_forbidden: the metrics are at");
        says(
            &explain(Method::GET, "/@shop/wxgate/x", config),
            "refused 404 endpoint_forbidden: unknown path below /wxgate/",
        );
        for path in ["/", "/healthz", "/@shop"] {
            says(
                &explain(Method::GET, path, config),
                "callers anybody, with or without an API key sent nothing: wxgate responds itself, with a line of text",
            );
        }
    }
}

#[test]
fn two_slashes_in_front_of_a_path_are_told_as_one() {
    for path in [
        "//cgi-bin/message/mass/delete",
        "/@shop//cgi-bin/message/mass/delete",
        "//@shop//cgi-bin/message/mass/delete",
    ] {
        for config in [None, Some(&every_kind())] {
            let named = path.contains("shop") || config.is_none();
            let sent = if named {
                "sent POST /cgi-bin/message/mass/delete?access_token=***"
            } else {
                "sent nothing"
            };
            says(&explain(Method::POST, path, config), sent);
        }
    }
}

#[test]
fn a_users_token_stays_and_is_not_printed() {
    let text = explain(Method::GET, "/sns/userinfo?access_token=theirs&openid=O", None);
    says(&text, "the user's own OAuth token");
    says(&text, "sent GET /sns/userinfo?access_token=***&openid=O");
    says(&text, "replay no:");
    assert!(!text.contains("theirs") && !text.contains("injected"), "{text}");
}

#[test]
fn a_code_that_is_good_once_is_never_sent_twice() {
    let text = explain(Method::GET, "/sns/jscode2session?appid=A&secret=hush&js_code=C", None);
    says(&text, "repeat no: it takes a code that is valid only once");
    says(&text, "secret=***");
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn an_endpoint_that_answers_with_files_needs_an_errmsg() {
    says(&explain(Method::GET, "/cgi-bin/media/get?media_id=1", None), "if it has an errmsg too");
    assert!(!explain(Method::GET, "/cgi-bin/user/info", None).contains("an errmsg too"));
}

#[test]
fn an_unknown_path_is_other() {
    says(&explain(Method::POST, "/not/listed", None), "endpoint other: not in the catalogue");
}

#[test]
fn limits_are_those_of_the_configuration() {
    let config = config(
        "[server]\nmax_body = '3MiB'\n[replay]\nmax_body = '512KiB'\n\
         [[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = { env = 'S' }\ndefault = true\n",
    );
    let text = explain(Method::POST, "/cgi-bin/media/upload", Some(&config));
    says(&text, "body up to 3 MiB (server.max_body)");
    says(
        &text,
        "2m from the end of the request to WeChat's response (upstream.slow_response_timeout: this may take WeChat long) \
         no further attempt begins after 20s of waiting (server.request_timeout)",
    );
    let ordinary = explain(Method::POST, "/cgi-bin/message/custom/send", Some(&config));
    says(&ordinary, "15s from the end of the request to WeChat's response (upstream.response_timeout)");
    says(&text, "bodies over 512 KiB (replay.max_body) are streamed and not replayed");
}

#[test]
fn what_no_sdk_calls_keeps_its_status() {
    let text = "[server]\nerror_status = 'wechat'\n[[app]]\nname = 'shop'\n\
                appid = 'wx0123456789abcdef'\nsecret = { env = 'S' }\n";
    let secret = |_: &str| Some(CANARY.to_owned());
    let config = Config::parse(text, "test.toml", &secret).expect("a configuration").into();
    let text = explain(Method::CONNECT, "api.weixin.qq.com:443", Some(&config));
    says(&text, "refused 400 bad_request: wxgate is not a tunnel");
    let text = explain(Method::POST, "//@shop//wxgate/token", Some(&config));
    says(&text, "anybody: no, 400 bad_request: the lease endpoint accepts GET");
}

#[test]
fn a_path_that_could_be_read_two_ways_is_told_as_refused() {
    for (path, reason) in [
        ("/cgi-bin/%75ser/info", "a `%`"),
        ("/cgi-bin/../sns/userinfo", "`..` segment"),
        ("/cgi-bin/user;x/info", "a `;`"),
        ("/@shop//cgi-bin//x", "an empty segment"),
    ] {
        let text = explain(Method::GET, path, None);
        says(&text, "refused 200 bad_request: ");
        says(&text, reason);
    }
}

#[test]
fn the_command_ends_with_0_even_for_a_refusal() {
    for arguments in [["GET", "/cgi-bin/user/info"], ["get", "/a%2fb"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_wxgate"))
            .arg("explain")
            .args(arguments)
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stdout.starts_with(b"GET /") && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn the_limits_that_concern_a_request_are_listed() {
    let config = config(&format!(
        "[[app]]\nname = 'shop'\nappid = 'wx0123456789abcdef'\nsecret = {{ env = 'S' }}\n\
         [[caller]]\nname = 'orders'\nkey_sha256 = '{}'\napps = ['shop']\nrate = '50/s'\n\
         daily = {{ '/cgi-bin/message/**' = 1000 }}\n\
         [[limit]]\nendpoint = 'GET /cgi-bin/user/**'\ndaily = 500\nmode = 'observe'\nreserve = {{ orders = 100 }}\n\
         [[limit]]\ncaller = 'anonymous'\nrate = '1/h'\n",
        "a".repeat(64)
    ));
    let text = explain(Method::GET, "/cgi-bin/user/info?openid=o", Some(&config));
    says(&text, "caller orders: 50 requests a second (rate in [[caller]]), on each replica");
    says(
        &text,
        "all callers together: 500 requests a day (100 reserved for some) to GET /cgi-bin/user/** \
         (daily in [[limit]]), only counted (mode = \"observe\")",
    );
    assert!(!text.contains("without a key:") && !text.contains("message"), "{text}");
    let text = explain(Method::POST, "/cgi-bin/message/custom/send", Some(&config));
    says(&text, "caller orders: 1000 requests a day to /cgi-bin/message/** (daily in [[caller]])");
}
