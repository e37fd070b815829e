//! What becomes of requests, row by row: no socket, no WeChat.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Method, Request};
use ring::digest::{SHA256, digest};

use super::{CredentialPlan, Facts, Head, Identity, Opening, Then, TicketUse};
use crate::config::Config;
use crate::observe::clock::Clock;
use crate::observe::hex::hex;
use crate::observe::names::Names;
use crate::pipeline::directory::Directory;
use crate::pipeline::user_tokens::UserTokens;
use crate::server::Peer;
use crate::token::Handle;

/// Two accounts, a platform and WeCom, of which one corporation has two apps; "orders" may use all
/// but the mini program and "sales", "reports" only reads users.
const APPS: &str = r#"
[[app]]
name = "shop"
appid = "wx0000000000000001"
secret = { env = "S" }
jssdk_hosts = ["shop.example"]

[[app]]
name = "game"
appid = "wx0000000000000002"
secret = { env = "S" }
kind = "mini_program"
own_credential = "reject"
hosts = ["game.internal"]

[[app]]
name = "tenants"
appid = "wxc000000000000001"
kind = "component"
secret = { env = "S" }

[[app]]
name = "hr"
appid = "ww0000000000000001"
kind = "wecom"
agent_id = "1"
secret = { env = "S" }

[[app]]
name = "sales"
appid = "ww0000000000000002"
kind = "wecom"
agent_id = "1"
secret = { env = "S" }

[[app]]
name = "support"
appid = "ww0000000000000002"
kind = "wecom"
agent_id = "2"
secret = { env = "S" }
"#;
/// The hashes are filled in.
const CALLERS: &str = r#"
[[caller]]
name = "orders"
key_sha256 = "ORDERS"
apps = ["shop", "tenants", "hr", "support"]

[[caller]]
name = "reports"
key_sha256 = "REPORTS"
apps = ["shop"]
allow = ["GET /cgi-bin/user/**"]
"#;

const LOOPBACK: Peer = Peer::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1));
const NEIGHBOUR: Peer = Peer::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 1));
const UNIX: Peer = Peer::Unix(None);

/// What a plan comes to: a word for what is done, or why it isn't.
fn planned(callers: bool, request: &str, headers: &[(&str, &str)], body: &str) -> String {
    planned_for(LOOPBACK, callers, request, headers, body)
}

fn planned_for(peer: Peer, callers: bool, request: &str, headers: &[(&str, &str)], body: &str) -> String {
    decided(peer, callers, request, headers, body).0
}

/// The same, and what is known of the request by then.
fn decided(
    peer: Peer,
    callers: bool,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (String, Identity) {
    let digest = |key: &str| hex(digest(&SHA256, key.as_bytes()));
    let callers = if callers {
        CALLERS.replace("ORDERS", &digest("key-of-orders")).replace("REPORTS", &digest("key-of-reports"))
    } else {
        String::new()
    };
    let secret = |_: &str| Some("s3cret-of-every-account-000001".to_owned());
    let server = "[server]\nhosts = [\"Wxgate.Example\"]\n";
    let config =
        Config::parse(&format!("{server}{APPS}{callers}"), "test.toml", &secret).expect("a configuration");
    let clock = Clock::default();
    let credentials = |name: &str| {
        let app = config.pipeline.apps.iter().find(|app| &*app.token.name == name)?;
        Some(Handle::without_task(&app.token, &config.token, &clock))
    };
    let names = Names::default();
    let directory = Directory::new(config.pipeline.clone(), &[], credentials, &names, None, clock.now());
    let user_tokens = UserTokens::default();
    let facts = Facts { directory: &directory, user_tokens: &user_tokens, clock: &clock };

    let (method, target) = request.split_once(' ').expect("method and target");
    let mut builder =
        Request::builder().method(Method::from_bytes(method.as_bytes()).expect("a method")).uri(target);
    if headers.iter().all(|(name, _)| *name != "host") {
        builder = builder.header("host", "localhost");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).expect("a request").into_parts();
    let mut identity = Identity::default();
    let decided = (|| {
        let head = Head::read(&parts);
        let opening = Opening::read(facts, &head, peer, &mut identity)?;
        if let Some(greeting) = opening.greeting {
            return Ok(format!("{greeting:?}"));
        }
        let fields = opening.fields(body.as_bytes(), true)?;
        let draft = opening.caller(&fields, &mut identity)?;
        let account = draft.account(None)?;
        let plan = draft.plan(&account, &mut identity)?;
        let app = &account.app.name;
        Ok(match &plan.then {
            Then::Forward(CredentialPlan::Token(token)) => format!("{app}: token as {}", token.param.name()),
            Then::Forward(CredentialPlan::Secret(_)) => format!("{app}: secret"),
            Then::Forward(CredentialPlan::Nothing) => format!("{app}: bare"),
            Then::Forward(CredentialPlan::AsSent) => format!("{app}: as sent"),
            Then::Placeholder(asked) => format!("{app}: placeholder as {}", asked.issuer.field()),
            Then::Authorization(_) => format!("{app}: authorization"),
            Then::Lease(_) => format!("{app}: lease"),
            Then::Ticket(TicketUse::HandOut(_)) => format!("{app}: ticket"),
            Then::Ticket(TicketUse::Sign(_, page)) => format!("{app}: signature of {page}"),
        })
    })();
    let decided = decided.unwrap_or_else(|error: crate::pipeline::error::Error| {
        let error = identity.refusal(error);
        let view = error.view();
        let code = match view.code {
            Some(code) if view.errcode < 0 => code.as_str().to_owned(),
            _ => view.errcode.to_string(),
        };
        format!("{code}: {error}")
    });
    (decided, identity)
}

/// A request, its headers, and how what is planned for it begins.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[track_caller]
fn rows(callers: bool, rows: &[Row<'_>]) {
    for (request, headers, expected) in rows {
        let planned = planned(callers, request, headers, "");
        assert!(
            planned.starts_with(expected),
            "{request} {headers:?}\nexpected {expected}\nplanned  {planned}"
        );
    }
}

const ORDERS: (&str, &str) = ("x-wxgate-key", "key-of-orders");
const REPORTS: (&str, &str) = ("authorization", "Bearer key-of-reports");

#[test]
fn a_request_gets_what_its_endpoint_demands() {
    rows(
        false,
        &[
            ("GET /@shop/cgi-bin/user/info?access_token=mine", &[], "shop: token as access_token"),
            ("GET /cgi-bin/user/info", &[("x-wxgate-app", "wx0000000000000002")], "game: token"),
            ("GET /cgi-bin/user/info?from_appid=shop", &[], "shop: token"),
            ("GET /cgi-bin/user/info", &[("host", "game.internal:8080")], "game: token"),
            (
                "POST /@tenants/cgi-bin/component/api_create_preauthcode",
                &[],
                "tenants: token as component_access_token",
            ),
            (
                "POST /@tenants/cgi-bin/component/api_get_authorizer_info",
                &[],
                "tenants: token as component_access_token",
            ),
            ("GET /@shop/sns/userinfo?access_token=theirs", &[], "shop: as sent"),
            ("GET /sns/jscode2session?appid=wx0000000000000002&secret=x&js_code=C", &[], "game: secret"),
            ("GET /@shop/cgi-bin/showqrcode?ticket=T", &[], "shop: bare"),
            (
                "GET /cgi-bin/token?appid=wx0000000000000001&secret=x",
                &[],
                "shop: placeholder as access_token",
            ),
            ("GET /@hr/cgi-bin/get_jsapi_ticket", &[], "hr: ticket"),
            ("GET /@shop/cgi-bin/ticket/getticket?type=jsapi", &[], "shop: ticket"),
            ("GET /@shop/cgi-bin/ticket/getticket?type=2", &[], "shop: token"),
            ("POST /@shop/cgi-bin/ticket/getticket?type=jsapi", &[], "shop: token"),
            // Pages have such parameters; in this order alone they are another page's.
            (
                "GET /@shop/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example%2F%3Fa%3D1%26url%3Dx%26timestamp%3D1%26b%3D2",
                &[],
                "shop: signature of https://shop.example/?a=1&url=x&timestamp=1&b=2",
            ),
            (
                "GET /@shop/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example%2Fa%23b",
                &[],
                "shop: signature of https://shop.example/a",
            ),
        ],
    );
}

#[test]
fn a_request_that_could_be_read_two_ways_is_refused() {
    rows(
        false,
        &[
            ("CONNECT api.weixin.qq.com:443", &[], "bad_request: wxgate is not a tunnel"),
            ("TRACE /cgi-bin/user/info", &[], "bad_request: unknown method"),
            ("BREW /cgi-bin/user/info", &[], "bad_request: unknown method"),
            ("get /cgi-bin/user/info", &[], "bad_request: unknown method"),
            ("TRACK /cgi-bin/user/info", &[], "bad_request: unknown method"),
            ("DEBUG /cgi-bin/user/info", &[], "bad_request: unknown method"),
            ("PURGE /cgi-bin/user/info", &[], "bad_request: unknown method"),
            ("POSTS /cgi-bin/user/info", &[], "bad_request: unknown method"),
            (
                "GET /@shop/cgi-bin/user/info",
                // x:wxgate- and 48 more.
                &[(
                    "authorization",
                    "Basic eDp3eGdhdGUtQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB",
                )],
                "bad_request: placeholder token in the header authorization",
            ),
            (
                "GET /cgi-bin/user/info",
                &[("host", "a"), ("host", "b")],
                "bad_request: the Host header is given twice",
            ),
            ("GET http://example.com/cgi-bin/user/info", &[], "bad_request: as an HTTP proxy"),
            ("GET http://a:b@api.weixin.qq.com/cgi-bin/user/info", &[], "bad_request: the request target"),
            ("GET /cgi-bin/../user/info", &[], "bad_request: "),
            ("GET /cgi-bin//user/info", &[], "bad_request: the path has an empty segment"),
            ("GET ///cgi-bin/user/info", &[], "bad_request: the path has an empty segment"),
            ("GET /@shop///cgi-bin/user/info", &[], "bad_request: the path has an empty segment"),
            ("GET /@shop/a?from_appid=game", &[], "bad_request: the request names two different apps"),
            (
                "GET /a?from_appid=shop&from_appid=game",
                &[],
                "bad_request: the query has different values of from_appid",
            ),
            (
                "GET /a",
                &[("x-wxgate-app", "shop"), ("x-wxgate-app", "shop")],
                "bad_request: the X-Wxgate-App header is given twice",
            ),
            (
                "GET /@game/cgi-bin/token?appid=wx0000000000000001&secret=x",
                &[],
                "40013: the request names two",
            ),
            ("GET /cgi-bin/user/info?access_token=wxgate-1&access_token=wxgate-2", &[], "40001: "),
        ],
    );
}

#[test]
fn a_credential_in_the_path_is_told_that_a_question_mark_is_missing() {
    const SAYS: &str = "bad_request: the path contains a credential's name and `=`: put a `?`";
    rows(
        false,
        &[
            ("GET /@shop/cgi-bin/user/info&access_token=X", &[], SAYS),
            ("GET /@shop/cgi-bin/user/info&openid=O&Access.Token=X", &[], SAYS),
            ("GET /@shop/cgi-bin/user/infoaccess_token=X&openid=O", &[], SAYS),
            ("GET /@shop/cgi-bin/user/info/suite_access_token=X", &[], SAYS),
            ("GET /@shop/sns/jscode2session&appid=a&secret=K", &[], SAYS),
            ("GET /@shop&access_token=X/cgi-bin/user/info", &[], SAYS),
            // Business of WeChat's.
            ("GET /@shop/cgi-bin/user/info&openid=O", &[], "shop: token"),
            (
                "GET /@shop/cgi-bin/x=1,2:3/access_token",
                &[],
                "endpoint_forbidden: only wxgate fetches credentials",
            ),
            ("GET /@shop/cgi-bin/user/info&access_token", &[], "shop: token"),
        ],
    );
}

#[test]
fn a_guarded_or_issuing_path_stays_closed_whatever_it_goes_on_with() {
    const HARMS: &str = "endpoint_forbidden: this endpoint can harm";
    const ISSUES: &str = "endpoint_forbidden: only wxgate fetches credentials";
    let tails =
        [".", ",", "+", "$", "'", ":", "!", "|", "~", ".json", "-", "*", "@x", "=1", "&a", "/", "/v9"];
    for tail in tails {
        rows(
            false,
            &[
                (&format!("POST /@shop/cgi-bin/clear_quota{tail}"), &[], HARMS),
                (&format!("POST /@hr/cgi-bin/corpgroup/corp/gettoken{tail}"), &[], ISSUES),
            ],
        );
        // An `allow` of everything names none of them.
        rows(true, &[(&format!("GET /@shop/CGI-BIN/OpenAPI/rid/Get{tail}"), &[ORDERS], HARMS)]);
    }
    rows(
        false,
        &[
            ("POST /@shop/cgi-bin/clear_quota/.", &[], "bad_request: "),
            ("POST /@shop/cgi-bin/clear_quota_x", &[], "shop: token"),
        ],
    );
}

#[test]
fn a_key_in_a_secret_that_nobody_takes_is_refused() {
    for path in ["/sns/unlisted", "/sns/userinfo", "/cgi-bin/user/info", "/sns/jscode2session~"] {
        for name in ["secret", "SECRET", "app-secret%00", "a;secret", "access_token=x?secret"] {
            rows(
                true,
                &[(
                    &format!("GET /@shop{path}?{name}=key-of-reports"),
                    &[ORDERS],
                    "bad_request: an API key is given as a secret or token",
                )],
            );
        }
    }
    rows(
        true,
        &[
            (
                "GET /@shop/sns/userinfo?Access_Token=key-of-reports",
                &[ORDERS],
                "bad_request: an API key is given as a secret or token",
            ),
            ("GET /@shop/cgi-bin/user/info?access_token=key-of-reports", &[ORDERS], "shop: token"),
            ("GET /@shop/sns/unlisted?secret=other", &[ORDERS], "shop: as sent"),
            ("GET /@shop/sns/unlisted?key=key-of-orders", &[ORDERS], "shop: as sent"),
            ("GET /@shop/sns/jscode2session?Secret=key-of-orders", &[ORDERS], "shop: secret"),
        ],
    );
    rows(false, &[("GET /@shop/sns/unlisted?secret=key-of-orders", &[], "shop: as sent")]);
}

#[test]
fn a_request_for_no_app_is_refused() {
    rows(
        false,
        &[
            ("GET /cgi-bin/user/info", &[], "app_unknown: name an app"),
            ("GET /@cafe/cgi-bin/user/info", &[], "app_unknown: no app is named cafe"),
            ("GET /@shpo/cgi-bin/user/info", &[], "app_unknown: no app is named shpo, did you mean shop?"),
            (
                "GET /@wx0000000000000009/cgi-bin/user/info",
                &[],
                "app_unknown: no app is named wx0000000000000009, did you mean wx000000000000000",
            ),
            (
                "GET /@0123456789abcdef0123456789abcdef/cgi-bin/user/info",
                &[],
                "app_unknown: no app is named *",
            ),
            ("GET /cgi-bin/user/info", &[("x-wxgate-app", "a\"b")], "app_unknown: no app is named a\\\"b"),
            ("GET /cgi-bin/user/info?access_token=wxgate-damaged", &[], "40001: "),
        ],
    );
    rows(
        true,
        &[
            (
                "GET /@cafe/cgi-bin/user/info",
                &[ORDERS],
                "caller_forbidden: app cafe is not among this caller's `apps`",
            ),
            (
                "GET /@canary-key-of-orders-5d1c/cgi-bin/user/info",
                &[ORDERS],
                "caller_forbidden: app * is not among this caller's `apps`",
            ),
        ],
    );
}

#[test]
fn a_corporation_with_several_apps_is_none_of_them() {
    let request = "GET /@ww0000000000000002/cgi-bin/user/get";
    let expected = "app_unknown: several apps share ww0000000000000002: name one of them, such as ";
    let first = format!("{expected}/@sales/ or /@ww0000000000000002.1/");
    let second = format!("{expected}/@support/ or /@ww0000000000000002.2/");
    rows(false, &[(request, &[], &first), ("GET /@ww0000000000000002.2/cgi-bin/user/get", &[], "support: ")]);
    // A caller learns of its own apps alone.
    rows(
        true,
        &[
            (request, &[ORDERS], &second),
            (request, &[REPORTS], "caller_forbidden: app ww0000000000000002 is not among"),
        ],
    );
}

#[test]
fn a_login_that_wecom_does_not_have_is_refused_to_its_apps() {
    for (path, expected) in [
        (
            "/sns/jscode2session?secret=key-of-orders&js_code=C",
            "48001: this endpoint is the official platform's",
        ),
        ("//SNS/jscode2session/?secret=key-of-orders", "48001: this endpoint is the official"),
        ("/sns/oauth2/access_token?secret=key-of-orders&code=C", "48001: this endpoint is the official"),
        ("/sns/component/jscode2session?appid=a", "48001: this endpoint is the official"),
        ("/cgi-bin/component/clear_quota/v2", "endpoint_forbidden: this endpoint is the official"),
    ] {
        for headers in [&[][..], &[ORDERS]] {
            let planned = planned(!headers.is_empty(), &format!("POST /@hr{path}"), headers, "");
            assert!(planned.starts_with(expected), "{path}: {planned}");
            assert!(planned.contains("app hr is of kind wecom"), "{path}: {planned}");
        }
    }
    let login = "/cgi-bin/miniprogram/jscode2session";
    rows(
        false,
        &[
            (&format!("GET /@hr{login}?js_code=C"), &[], "hr: token as access_token"),
            ("GET /@shop/sns/jscode2session?js_code=C", &[], "shop: secret"),
            // Listed nowhere.
            ("GET /@hr/cgi-bin/x", &[], "hr: token as access_token"),
        ],
    );
}

#[test]
fn a_request_is_refused_what_its_account_does_not_have() {
    rows(
        false,
        &[
            (
                "GET /@tenants/cgi-bin/user/info",
                &[],
                "bad_request: this endpoint requires the token of an account",
            ),
            (
                "POST /@shop/cgi-bin/component/api_create_preauthcode",
                &[],
                "endpoint_forbidden: this endpoint requires a third-party platform",
            ),
            (
                "GET /@hr/cgi-bin/service/get_pre_auth_code",
                &[],
                "endpoint_forbidden: this endpoint requires a WeCom credential",
            ),
            (
                "POST /@shop/cgi-bin/component/api_get_authorizer_info",
                &[],
                "endpoint_forbidden: this endpoint requires a third-party platform",
            ),
            ("GET /@tenants/cgi-bin/token", &[], "48001: this endpoint issues a kind of credential"),
            (
                "POST /@shop/cgi-bin/clear_quota",
                &[],
                "endpoint_forbidden: this endpoint can harm the account",
            ),
            ("GET /@game/cgi-bin/user/info?access_token=mine", &[], "bad_request: leave the token out"),
            (
                "GET /@game/cgi-bin/user/info?a=1;Access.Token%00=mine",
                &[],
                "bad_request: leave the token out",
            ),
            (
                "GET /@shop/sns/userinfo?access_token=wxgate-x",
                &[],
                "bad_request: this endpoint requires the user's OAuth",
            ),
            (
                "GET /@game/wxgate/jssdk/signature?url=https://a/",
                &[],
                "endpoint_forbidden: app game signs no pages",
            ),
            (
                "GET /@shop/wxgate/jssdk/signature?url=https://evil.example/",
                &[],
                "caller_forbidden: the url's host",
            ),
            ("GET /@shop/wxgate/jssdk/signature", &[], "bad_request: url is missing"),
            // It reads as the string that is signed for the other page, with another nonceStr.
            (
                "GET /@shop/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example%2F%26noncestr%3Dx%26timestamp%3D1\
                 %26url%3Dhttps%3A%2F%2Fevil.example%2F",
                &[],
                "bad_request: url is ambiguous",
            ),
            (
                "GET /@shop/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example%2F%3Ftimestamp%3D1%26timestamp%3D\
                 %26url%3Dhttps%3A%2F%2Fevil.example%2F",
                &[],
                "bad_request: url is ambiguous",
            ),
        ],
    );
}

#[test]
fn two_slashes_in_front_of_a_path_are_taken_for_one() {
    rows(
        false,
        &[
            (
                "POST //cgi-bin/message/mass/delete",
                &[("x-wxgate-app", "shop")],
                "shop: token as access_token",
            ),
            ("POST /@shop//cgi-bin/message/mass/delete", &[], "shop: token as access_token"),
            ("GET //@shop//cgi-bin/user/info", &[], "shop: token as access_token"),
            ("GET //cgi-bin/token?appid=wx0000000000000001&secret=x", &[], "shop: placeholder"),
            ("POST /@shop//cgi-bin/clear_quota", &[], "endpoint_forbidden: this endpoint can harm"),
            ("POST //@shop//CGI-BIN/Clear_Quota.json/", &[], "endpoint_forbidden: this endpoint can harm"),
            (
                "POST /@tenants//cgi-bin/component/api_query_auth.json",
                &[],
                "endpoint_forbidden: only wxgate fetches credentials",
            ),
            (
                "GET //wxgate/jssdk/signature?url=https://shop.example/",
                &[("x-wxgate-app", "shop")],
                "shop: signature",
            ),
        ],
    );
}

#[test]
fn paths_that_are_not_wechats_end_here_whoever_asks() {
    let callers =
        [(false, None), (true, None), (true, Some(ORDERS)), (true, Some(("x-wxgate-key", "wrong")))];
    for (callers, key) in callers {
        for (request, expected) in [
            ("GET /", "Home"),
            ("HEAD /?x=1", "Home"),
            ("GET /@shop", "Home"),
            ("GET /healthz", "Health"),
            ("HEAD //healthz/", "Health"),
            ("POST /", "endpoint_forbidden: neither WeChat nor wxgate"),
            ("PUT /healthz", "endpoint_forbidden: neither WeChat nor wxgate"),
            ("GET /metrics", "endpoint_forbidden: the metrics are at"),
            ("GET /favicon.ico", "endpoint_forbidden: neither"),
            ("GET /robots.txt", "endpoint_forbidden: neither"),
            ("GET /wxgate", "endpoint_forbidden: unknown path below /wxgate/"),
            ("GET /WXGATE/", "endpoint_forbidden: unknown path below /wxgate/"),
            ("GET /@shop/wxgate/tokens", "endpoint_forbidden: unknown path below /wxgate/"),
            ("GET /@shop/wxgate/Token", "endpoint_forbidden: unknown path below /wxgate/"),
            ("GET /@shop/wxgate/token.json", "endpoint_forbidden: unknown path below /wxgate/"),
            (
                "POST /pay/unifiedorder",
                "endpoint_forbidden: WeChat Pay does not go through wxgate: call https://api.mch.weixin.qq.com",
            ),
            ("POST /@shop/V3/Pay/transactions/jsapi", "endpoint_forbidden: WeChat Pay does not go"),
            ("POST /secapi/pay/refund", "endpoint_forbidden: WeChat Pay does not go"),
            ("POST //mmpaymkttransfers/promotion/transfers", "endpoint_forbidden: WeChat Pay does not go"),
        ] {
            rows(callers, &[(request, key.as_slice(), expected)]);
        }
    }
    // Named alike, and WeChat's to judge.
    for path in ["/payment/x", "/v3/x", "/healthz/x", "/wxgateway/x", "/metrics/x"] {
        rows(false, &[(&format!("GET /@shop{path}"), &[], "shop: token")]);
    }
}

#[test]
fn a_call_of_wecoms_for_another_account_is_told_what_it_takes() {
    for path in [
        "/cgi-bin/message/send",
        "//CGI-BIN/message/send/",
        "/cgi-bin/gettoken",
        "/cgi-bin/gettoken?corpid=ww0000000000000001&corpsecret=x",
        "/cgi-bin/service/get_pre_auth_code",
        "/cgi-bin/license/get_order",
        "/cgi-bin/webhook/send?key=k",
        "/cgi-bin/batch/replaceuser",
    ] {
        let expected = match path {
            // A token call that names the corporation and another app names two.
            "/cgi-bin/gettoken?corpid=ww0000000000000001&corpsecret=x" => "40013: ",
            "/cgi-bin/gettoken" => "48001: ",
            _ => "endpoint_forbidden: ",
        };
        for app in ["shop", "game", "tenants"] {
            let planned = planned(false, &format!("POST /@{app}{path}"), &[], "");
            assert!(planned.starts_with(expected), "{path}: {planned}");
            assert!(path.contains("corpid") || planned.contains("kind = \"wecom\""), "{path}: {planned}");
            assert!(path.contains("corpid") || planned.contains(app), "{path}: {planned}");
        }
    }
    rows(
        false,
        &[
            ("POST /@hr/cgi-bin/message/send", &[], "hr: token as access_token"),
            // Both have it, unknown to each other.
            ("GET /@shop/cgi-bin/user/get", &[], "shop: token as access_token"),
            ("GET /@shop/cgi-bin/message/unheard_of", &[], "shop: token as access_token"),
        ],
    );
}

#[test]
fn a_caller_is_known_by_its_key_and_held_to_its_rules() {
    rows(
        true,
        &[
            ("GET /@shop/cgi-bin/user/info", &[], "caller_unknown: API key required"),
            ("GET /@shop/cgi-bin/user/info", &[("x-wxgate-key", "wrong")], "caller_unknown: unknown API key"),
            (
                "GET /@shop/cgi-bin/user/info",
                &[ORDERS, REPORTS],
                "bad_request: the request has API keys of two",
            ),
            ("GET /cgi-bin/user/info", &[REPORTS], "shop: token"),
            (
                "POST /cgi-bin/menu/create",
                &[REPORTS],
                "caller_forbidden: this caller's `allow` has no rule for this method and path",
            ),
            (
                "GET /@game/cgi-bin/user/info",
                &[ORDERS],
                "caller_forbidden: app game is not among this caller's `apps`",
            ),
            (
                "GET /cgi-bin/user/info",
                &[ORDERS, ("host", "game.internal")],
                "caller_forbidden: the app of this Host is not among this caller's `apps`",
            ),
            ("GET /cgi-bin/user/info", &[ORDERS], "app_unknown: name an app"),
            ("GET /@shop/sns/jscode2session?secret=key-of-orders&js_code=C", &[], "shop: secret"),
            (
                "GET /@shop/sns/jscode2session?secret=key-of-orders&js_code=C",
                &[REPORTS],
                "40125: the API key and the secret",
            ),
            ("GET /@shop/cgi-bin/token?secret=key-of-orders", &[], "shop: placeholder"),
            ("GET /@shop/cgi-bin/token?secret=key-of-orders&secret=key-of-reports", &[], "40125: "),
            ("GET /@shop/cgi-bin/token?secret=key-of-orders&secret=key-of-orders", &[], "shop: placeholder"),
            ("GET /@shop/cgi-bin/token?secret=wrong", &[], "40125: "),
            ("GET /@shop/cgi-bin/token?secret=wrong", &[ORDERS], "shop: placeholder"),
            ("GET /wxgate/token", &[], "caller_unknown: the lease endpoint requires an API key"),
            ("GET /@shop/wxgate/token", &[ORDERS], "caller_forbidden: caller orders may not lease"),
            ("POST /@shop/wxgate/token", &[ORDERS], "bad_request: the lease endpoint accepts GET"),
        ],
    );
}

#[test]
fn a_web_page_without_a_key_is_refused() {
    let request = "GET /@shop/cgi-bin/user/info";
    const MODE: (&str, &str) = ("sec-fetch-mode", "cors");
    const BROWSER: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)");
    const ENGLISH: (&str, &str) = ("accept-language", "en-US,en;q=0.9");
    const ANY: (&str, &str) = ("accept-language", "*");
    let host = ("host", "192.0.2.7:8080");
    let pages: &[&[(&str, &str)]] = &[
        &[("origin", "https://a")],
        &[("origin", "null")],
        &[("origin", "")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-dest", "image")],
        &[("sec-fetch-user", "?1")],
        &[("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-mode", "navigate")],
        &[("sec-fetch-mode", "cors, cors")],
        &[MODE, MODE],
        &[MODE, ("sec-fetch-mode", "navigate")],
        &[MODE, ("sec-fetch-dest", "empty")],
        &[("referer", "https://evil.example/")],
        &[("referer", "http://192.0.2.7.evil.example/")],
        &[("referer", "http://192.0.2.8:8080/")],
        &[("referer", "evil.example")],
        &[("referer", "http://192.0.2.7:8080@evil.example/")],
        &[("referer", "http://192.0.2.7:8080\\@evil.example/")],
        &[("referer", "http://192.0.2.7:8080/"), ("referer", "http://evil.example/")],
        &[BROWSER, ENGLISH],
        &[BROWSER, ("accept-language", "")],
        &[BROWSER, ANY, ENGLISH],
        &[("user-agent", "curl/8"), BROWSER, ENGLISH],
        &[BROWSER, MODE, ENGLISH],
        // A page can write this itself.
        &[BROWSER, ANY],
    ];
    for page in pages {
        for peer in [LOOPBACK, NEIGHBOUR, UNIX] {
            let mut headers = page.to_vec();
            if peer == NEIGHBOUR {
                headers.push(host);
            }
            let planned = planned_for(peer, false, request, &headers, "");
            let expected =
                "caller_forbidden: web pages may not call without an API key, and the request has ";
            assert!(planned.starts_with(expected), "{peer:?} {headers:?}: {planned}");
            headers.push(ORDERS);
            let planned = planned_for(peer, true, request, &headers, "");
            assert!(planned.starts_with("shop: token"), "{peer:?} {headers:?}: {planned}");
        }
    }
    let programs: &[&[(&str, &str)]] = &[
        &[],
        // Node's fetch, and under another name.
        &[MODE, ANY, ("user-agent", "node")],
        &[MODE, ANY, BROWSER],
        &[ENGLISH, ("user-agent", "python-requests/2.32")],
        &[ENGLISH],
        &[BROWSER],
        &[("referer", "http://192.0.2.7/x"), ("user-agent", "curl/8")],
        &[("referer", "https://192.0.2.7:1?x"), ("referer", "http://192.0.2.7:8080")],
    ];
    for program in programs {
        let headers = [*program, &[host]].concat();
        let planned = planned_for(NEIGHBOUR, false, request, &headers, "");
        assert!(planned.starts_with("shop: token"), "{program:?}: {planned}");
    }
}

#[test]
fn who_typed_the_address_is_told_the_command() {
    let page = ("sec-fetch-site", "none");
    for (request, host, expected) in [
        (
            "GET /@shop/cgi-bin/user/info?openid=o",
            "192.0.2.7:8080",
            "192.0.2.7:8080/@shop/cgi-bin/user/info?...'",
        ),
        ("GET /@shop/cgi-bin/user/info", "localhost:8080", "localhost:8080/@shop/cgi-bin/user/info'"),
        // The author of the link must not be able to inject a command.
        ("GET /@shop/cgi-bin/user/'$(id)'", "localhost", "localhost/...'"),
        ("GET /@shop/cgi-bin/$(id)", "a'b", "localhost/...'"),
        ("GET /@shop/cgi-bin/0123456789abcdef0123456789abcdef", "localhost", "localhost/...'"),
    ] {
        let planned = planned(false, request, &[page, ("host", host)], "");
        assert!(planned.ends_with(&format!("; use: curl 'http://{expected}")), "{planned}");
    }
}

#[test]
fn a_name_that_may_have_been_rebound_is_refused_without_a_key() {
    let request = "GET /@shop/cgi-bin/user/info";
    let rows = [
        ("rebound.example", false, false),
        ("rebound.example:8080", false, false),
        ("192.0.2.7.evil.example", false, false),
        ("localhost.evil.example", false, false),
        ("evil.weixin.qq.com", false, false),
        ("api.weixin.qq.com.evil.example", false, false),
        ("", false, false),
        // An address is no name, but on loopback no caller comes by another.
        ("192.0.2.7:8080", false, true),
        ("[2001:db8::7]:8080", false, true),
        ("127.8.8.8", true, true),
        ("[::1]:8080", true, true),
        ("localhost", true, true),
        ("wxgate:8080", true, true),
        ("wxgate.example:8080", true, true),
        ("WXGATE.example.", true, true),
        ("game.internal", true, true),
        ("api.weixin.qq.com", true, true),
        ("api2.weixin.qq.com", true, true),
        ("qyapi.weixin.qq.com:443", true, true),
        ("mp.weixin.qq.com", true, true),
        ("open.weixin.qq.com", true, true),
        ("file.api.weixin.qq.com", true, true),
        ("sh.API.weixin.qq.com", true, true),
    ];
    for (host, on_loopback, elsewhere) in rows {
        for (peer, known) in [(LOOPBACK, on_loopback), (NEIGHBOUR, elsewhere), (UNIX, true)] {
            let planned = planned_for(peer, false, request, &[("host", host)], "");
            let expected = if known { "shop: token" } else { "caller_forbidden: the Host " };
            assert!(planned.starts_with(expected), "{peer:?} {host}: {planned}");
            assert!(
                known || planned.contains("server.hosts") && planned.contains("unix socket"),
                "{planned}"
            );
            let planned = planned_for(peer, true, request, &[("host", host), ORDERS], "");
            assert!(planned.starts_with("shop: token"), "{peer:?} {host}: {planned}");
        }
    }
}

#[test]
fn a_placeholder_where_it_names_nothing_is_refused() {
    let path = "GET /cgi-bin/user/info";
    for callers in [false, true] {
        rows(
            callers,
            &[
                (
                    "GET /cgi-bin/user/info?Access_Token=wxgate-x",
                    &[],
                    "bad_request: placeholder token in the query's Access_Token",
                ),
                (
                    path,
                    &[("x-access-token", "wxgate-x")],
                    "bad_request: placeholder token in the header x-access-token",
                ),
                (
                    "GET /cgi-bin/user/info&access_token=wxgate-x",
                    &[],
                    "bad_request: placeholder token in the path",
                ),
                (
                    "GET /cgi-bin/user/info?access_token=x;access_token=wxgate-x",
                    &[],
                    "bad_request: placeholder token in the query's ;access_token",
                ),
                (path, &[("authorization", "Bearer wxgate-x")], "40001: "),
            ],
        );
    }
}

#[test]
fn a_token_call_may_say_all_in_its_body() {
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    let call = |headers: &[_], body| planned(true, "POST /cgi-bin/stable_token", headers, body);
    for (headers, body, expected) in [
        (&[][..], r#"{"appid":"wx0000000000000001","secret":"key-of-orders"}"#, "shop: placeholder"),
        (&[FORM], "appid=wx0000000000000001&secret=key-of-orders", "shop: placeholder"),
        (&[ORDERS], r#"{"appid":1}"#, "47001: appid in the body"),
        (&[ORDERS], "appid=wx0000000000000001", "47001: the body of a token call must be"),
        // It names no caller.
        (&[], r#"{"appid":1,"secret":"key-of-orders"}"#, "40125: appid in the body"),
        (&[], "", "40125: "),
    ] {
        let planned = call(headers, body);
        assert!(planned.starts_with(expected), "{body}: {planned}");
    }
}

#[test]
fn a_wrong_key_is_a_guess_wherever_it_stands_and_none_is_not() {
    let path = "GET /@shop/cgi-bin/user/info";
    let login = "GET /@shop/sns/jscode2session?js_code=C";
    let token_call = "GET /cgi-bin/token?appid=wx0000000000000001";
    let with = |request: &str, secret: &str| format!("{request}&secret={secret}");
    for (request, headers, expected) in [
        (path, &[("x-wxgate-key", "guess")][..], true),
        (path, &[("authorization", "Bearer guess")], true),
        (path, &[("proxy-authorization", "Basic eDpndWVzcw==")], true),
        (path, &[ORDERS, ("x-wxgate-key", "guess")], true),
        ("GET /wxgate/token", &[("x-wxgate-key", "guess")], true),
        (&with(login, "guess"), &[], true),
        (&with(token_call, "guess"), &[], true),
        (&with(&with(token_call, "guess"), "another"), &[], true),
        (path, &[], false),
        ("GET /wxgate/token", &[], false),
        (login, &[], false),
        (token_call, &[], false),
        (&with(token_call, ""), &[], false),
        (&with(token_call, "anonymous"), &[], false),
        // These are refused for something else, or not at all.
        (path, &[ORDERS, REPORTS], false),
        ("POST /@shop/cgi-bin/menu/create", &[REPORTS], false),
        ("GET /cgi-bin/user/info?access_token=wxgate-dead", &[], false),
        (&with(token_call, "guess"), &[ORDERS], false),
        (&with(login, "guess"), &[ORDERS], false),
        (&with(login, "key-of-orders"), &[], false),
    ] {
        let (planned, identity) = decided(LOOPBACK, true, request, headers, "");
        assert_eq!(identity.guessed, expected, "{request} {headers:?}: {planned}");
        // Without configured keys, none is wrong.
        assert!(!decided(LOOPBACK, false, request, headers, "").1.guessed, "{request} {headers:?}");
    }
}
