//! What `explain` says is what happens: random requests for all rows of the catalogue, from every
//! caller and for every app by every way of naming it, told beforehand and then sent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wxgate::config::Config;
use wxgate::pipeline::explain::{AnsweredBy, LocalResponse, Refused, Settled, explain};
use wxgate::sandbox::Entry;
use wxgate::wechat::catalogue::all;

use super::every_endpoint::{AUTHORIZER, COMPONENT, KEY, PLAIN_KEY, start_with};
use crate::harness::{APPID, Answer, Gate, OTHER_APPID, caller};

const GAME: &str = "\n[[app]]\nname = \"game\"\nappid = \"wx0000000000000002\"\nkind = \"mini_program\"\n\
                    secret = { env = \"OTHER_SECRET\" }\nhosts = [\"game.internal\"]\nown_credential = \"reject\"\n";
const READER_KEY: &str = "canary-key-of-a-reader-0b12";
/// Each with its key.
const CALLERS: [(Option<&str>, Option<&str>); 4] = [
    (None, None),
    (Some("operator"), Some(KEY)),
    (Some("service"), Some(PLAIN_KEY)),
    (Some("reader"), Some(READER_KEY)),
];
/// Names of apps and accounts, right and wrong.
const NAMES: [&str; 11] = [
    "shop",
    "game",
    "tenants",
    "hr",
    APPID,
    OTHER_APPID,
    COMPONENT,
    AUTHORIZER,
    "wxa000000000000001@tenants",
    "ww0000000000000001.1000001",
    "cafe",
];
/// Paths that aren't WeChat's.
const FOREIGN: [&str; 4] = ["/pay/unifiedorder", "/metrics", "/wxgate/unheard_of", "//wxgate/Token"];
/// What callers add to a query.
const QUERIES: [&str; 18] = [
    "access_token=own",
    "component_access_token=own&access_token=own",
    "suite_access_token=own&provider_access_token=own",
    "appid=wx0000000000000001&secret=canary-key-of-a-service-77e0",
    "appid=wx0000000000000002&secret=none",
    "component_appid=wxc000000000000001&authorizer_appid=wxa000000000000001",
    "access_token=wxgate-damaged",
    "Access_Token=wxgate-damaged",
    "access_token=own?type=jsapi",
    "Access.Token=own",
    "Secret=canary-key-of-a-service-77e0",
    "type=jsapi",
    "type=agent_config",
    "url=https%3A%2F%2Fshop.example%2F",
    "from_appid=shop",
    "device_access_token=own",
    "provider_access_token=own",
    "y=%7e+%e4%b8",
];
/// The same requests each time; another number makes others.
const SEED: u64 = 11;
/// Dead placeholders of a trusted proxy's are answered at once.
const PATIENT: &str = "trusted_proxies = [\"127.0.0.1\"]";
/// Requests on their way at once.
const AT_ONCE: usize = 200;

/// A request, and who sends it.
#[derive(Clone, Debug)]
struct Case {
    number: usize,
    caller: (Option<&'static str>, Option<&'static str>),
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
}

impl Case {
    fn random(
        rng: &mut fastrand::Rng,
        number: usize,
        path: &str,
        callers: &[(Option<&'static str>, Option<&'static str>)],
        placeholders: &[String],
    ) -> Self {
        let mut path = path.to_owned();
        match rng.u8(..16) {
            0 => path = path.to_ascii_uppercase(),
            1 => path.push('/'),
            2 => path.push_str("/below"),
            3 => path = "/wxgate/token".into(),
            4 => path = "/wxgate/jssdk/signature".into(),
            5 => path = FOREIGN[rng.usize(..FOREIGN.len())].into(),
            6 => path = format!("/{path}"),
            7 => path.push_str(".json"),
            _ => {}
        }
        let mut headers = Vec::new();
        let mut query = Vec::new();
        // Most requests name one app, some none or two.
        for _ in 0..[1, 1, 1, 1, 1, 0, 2][rng.usize(..7)] {
            let name = NAMES[rng.usize(..NAMES.len())];
            match rng.u8(..5) {
                0 | 1 if !path.starts_with("/@") => path = format!("/@{name}{path}"),
                2 if headers.is_empty() => headers.push(("x-wxgate-app", name.to_owned())),
                3 => query.push(format!("from_appid={name}")),
                _ => query.push(format!("access_token={}", placeholders[rng.usize(..placeholders.len())])),
            }
        }
        if rng.u8(..12) == 0 {
            headers.push(("host", "game.internal".into()));
        }
        if rng.u8(..24) == 0 {
            headers.push(("origin", "https://evil.example".into()));
        }
        for _ in 0..rng.usize(..3) {
            query.push(QUERIES[rng.usize(..QUERIES.len())].to_owned());
        }
        // Tells the requests apart in the journal.
        query.push(format!("case={number}"));
        Self {
            number,
            caller: callers[rng.usize(..callers.len())],
            method: ["GET", "GET", "POST"][rng.usize(..3)],
            target: format!("{path}?{}", query.join("&")),
            headers,
        }
    }

    /// What `explain` says of it, for its caller; none where it says nothing of this caller.
    fn told(&self, config: &Config, authority: &str) -> Option<Result<Settled, Refused>> {
        let mut request = http::Request::builder().method(self.method).uri(&self.target);
        if self.headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", authority);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let told = explain(&config.pipeline, &config.token, request.body(()).expect("a request"));
        match told {
            Err(refused) => Some(Err(refused)),
            Ok(told) => {
                let mut visits = told.visits.into_iter();
                visits.find(|visit| visit.caller.as_deref() == self.caller.0).map(|visit| visit.outcome)
            }
        }
    }

    /// A placeholder that holds says who calls, by itself.
    fn has_placeholder(&self) -> bool {
        let tokens: HashSet<_> =
            self.target.split(['?', '&', '=']).filter(|part| part.starts_with("wxgate-")).collect();
        tokens.len() == 1 && !tokens.contains("wxgate-damaged")
    }

    async fn send(self, client: reqwest::Client, base: String) -> (Self, Answer) {
        let method = reqwest::Method::from_bytes(self.method.as_bytes()).expect("a method");
        let mut request = client.request(method, format!("{base}{}", self.target));
        if let Some(key) = self.caller.1.filter(|_| !self.has_placeholder()) {
            request = request.header("x-wxgate-key", key);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        (self, Answer::of(request).await)
    }

    fn check(&self, told: &Result<Settled, Refused>, answer: &Answer, seen: &[Entry]) {
        let all = || format!("{self:?}\ntold {told:#?}\n{} {}\n{seen:#?}", answer.status, answer.text());
        match told {
            Err(refused) => {
                assert!(seen.is_empty(), "{}", all());
                let code = refused.code.unwrap_or("none");
                assert_eq!(answer.refusal(), (refused.status, code, refused.errcode), "{}", all());
                let errmsg = answer.json()["errmsg"].as_str().unwrap_or_default().to_owned();
                assert!(errmsg.contains(refused.reason.as_str()), "{}", all());
            }
            Ok(Settled { answered_by: AnsweredBy::Local(with), .. }) => {
                assert!(seen.is_empty() && answer.status == 200, "{}", all());
                let field = match with {
                    LocalResponse::Placeholder(field) => field,
                    LocalResponse::Lease => "access_token",
                    LocalResponse::Ticket => "ticket",
                    LocalResponse::Signature => "signature",
                };
                assert!(answer.json()[field].is_string(), "{}", all());
            }
            Ok(Settled { answered_by: AnsweredBy::Wechat(sent), .. }) => {
                assert!(!seen.is_empty(), "{}", all());
                for entry in seen {
                    assert_eq!(entry.method, self.method, "{}", all());
                    let reached = format!("{}?{}", entry.path, masked(&entry.query));
                    assert_eq!(reached, sent.path_and_query, "{}", all());
                    if sent.issuer.is_some() {
                        let token = entry.access_token.as_deref().unwrap_or_default();
                        assert!(token.len() > 10 && !token.starts_with("wxgate-"), "{}", all());
                    }
                }
            }
        }
    }
}

/// A query as `explain` prints it.
fn masked(query: &str) -> String {
    let mask = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        let bare = name.to_ascii_lowercase().replace(['_', '.'], "");
        match bare.ends_with("accesstoken") || bare.ends_with("secret") {
            true => format!("{name}=***"),
            false => parameter.to_owned(),
        }
    };
    query.split('&').map(mask).collect::<Vec<_>>().join("&")
}

/// Placeholders that callers got, for the apps that they may use.
async fn placeholders(gate: &Gate, callers: &[(Option<&str>, Option<&str>)]) -> Vec<String> {
    let mut placeholders = Vec::new();
    for key in callers.iter().map(|(_, key)| key.unwrap_or("none")) {
        for (path, field) in [
            ("/@shop/cgi-bin/token", "access_token"),
            ("/@wxa000000000000001/cgi-bin/token", "access_token"),
            ("/@game/cgi-bin/token", "access_token"),
            ("/@tenants/cgi-bin/component/api_component_token", "component_access_token"),
            ("/@hr/cgi-bin/service/get_suite_token", "suite_access_token"),
            ("/@hr/cgi-bin/service/get_provider_token", "provider_access_token"),
        ] {
            let answer = gate.get_with(&format!("{path}?secret={key}"), &[("x-wxgate-key", key)]).await;
            placeholders.extend(answer.json()[field].as_str().map(str::to_owned));
        }
    }
    placeholders
}

async fn tell_and_send(gate: &Gate, callers: &[(Option<&'static str>, Option<&'static str>)]) {
    let config = gate.config();
    let placeholders = placeholders(gate, callers).await;
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut number = 0;
    let mut cases = Vec::new();
    for endpoint in &all()[1..] {
        for _ in 0..2 {
            let case = Case::random(&mut rng, number, endpoint.path, callers, &placeholders);
            if let Some(told) = case.told(&config, &gate.authority()) {
                cases.push((case, told));
            }
            number += 1;
        }
    }
    assert!(cases.len() > number / 2, "seed {SEED}: {} of {number} requests are told of", cases.len());
    gate.sandbox.reset();

    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut calls = JoinSet::new();
    for (case, _) in &cases {
        let permits = Arc::clone(&permits);
        let call = case.clone().send(gate.client.clone(), gate.url(""));
        calls.spawn(async move {
            let _permit = permits.acquire_owned().await;
            call.await
        });
    }
    let answers: HashMap<_, _> =
        calls.join_all().await.into_iter().map(|(case, answer)| (case.number, answer)).collect();
    let mut seen: HashMap<usize, Vec<Entry>> = HashMap::new();
    for entry in gate.sandbox.journal(None) {
        // wxgate's own calls have no number.
        let number = entry.query.split('&').find_map(|parameter| parameter.strip_prefix("case="));
        if let Some(number) = number {
            seen.entry(number.parse().expect("a number")).or_default().push(entry);
        }
    }
    let (mut sent, mut refused) = (0, 0);
    for (case, told) in &cases {
        let seen = seen.remove(&case.number).unwrap_or_default();
        case.check(told, &answers[&case.number], &seen);
        sent += usize::from(!seen.is_empty());
        refused += usize::from(told.is_err());
    }
    assert!(seen.is_empty(), "seed {SEED}: requests that nobody told of: {seen:#?}");
    assert!(sent > 300 && refused > 300, "seed {SEED}: {sent} sent, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_explain_says_is_what_happens_to_the_requests_of_callers() {
    let apps = ["shop", "game", "tenants", "hr"];
    let operator =
        caller("operator", &[KEY], &apps, "allow = [\"**\", \"/cgi-bin/clear_quota\"]\nlease_token = true");
    let service = caller("service", &[PLAIN_KEY], &["shop", "tenants"], "allow = [\"**\"]");
    let reader = caller("reader", &[READER_KEY], &["shop"], "allow = [\"GET /cgi-bin/**\", \"/wxgate/**\"]");
    let more = format!("{GAME}{operator}{service}{reader}");
    let (gate, _folder) = start_with(&format!("anonymous = true\n{PATIENT}"), &more).await;
    tell_and_send(&gate, &CALLERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_explain_says_is_what_happens_where_everybody_is_anonymous() {
    let (gate, _folder) = start_with(PATIENT, GAME).await;
    tell_and_send(&gate, &CALLERS[..1]).await;
}
