//! Every row of the catalogue, called for every kind of account that has it: what reaches WeChat of
//! the request, and whether it comes again after its token was rejected.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wxgate::observe::clock::Clock;
use wxgate::sandbox::{Action, App, AppKind, Authorizer, Entry, Fault, Kind, Options, Sandbox};
use wxgate::secret::Secret;
use wxgate::store::{self, Location, Record, Store};
use wxgate::wechat::catalogue::{CredentialClass as Class, Endpoint, all};
use wxgate::wechat::{Family, TokenEndpoint};

use crate::harness::{APPID, Answer, Gate, OTHER_APPID, OTHER_SECRET, SECRET, SHOP, Setup, caller, sha256};

pub(super) const COMPONENT: &str = "wxc000000000000001";
const COMPONENT_SECRET: &str = "canary-component-secret-21d4";
pub(super) const AUTHORIZER: &str = "wxa000000000000001";
const REFRESH_TOKEN: &str = "canary-refreshtoken@@@1";
const CORP: &str = "ww0000000000000001";
const AGENT: &str = "1000001";
/// By which the sandbox tells the tokens of this corporation from each other.
const WORK: &str = "ww0000000000000001.1000001";
const PROVIDER: &str = "ww0000000000000001.provider";
const AGENT_SECRET: &str = "canary-agent-secret";
const SUITE: &str = "ww0000000000000999";
const SUITE_SECRET: &str = "canary-suite-secret";
const PROVIDER_SECRET: &str = "canary-provider-secret";
/// Of a caller that may do everything, what is guarded included.
pub(super) const KEY: &str = "canary-key-of-an-operator-5c1d";
/// Of one that may do everything else.
pub(super) const PLAIN_KEY: &str = "canary-key-of-a-service-77e0";

/// Every kind of credential that a caller could bring.
const OWN: &str = "access_token=own&component_access_token=own&suite_access_token=own\
                   &provider_access_token=own&cloudbase_access_token=own";
/// What is WeChat's alone, in a spelling that decoding and encoding would change.
const REST: &str = "x=1&y=%7e+%e4%b8";

/// For whom a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Account {
    /// An official account.
    Shop,
    /// An account that authorised a third-party platform.
    Authorizer,
    /// That platform itself.
    Platform,
    /// A WeCom app with a suite and a provider.
    Work,
}

/// A token that wxgate keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Held {
    Shop,
    Authorizer,
    Component,
    Work,
    Suite,
    Provider,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It has this token in this parameter, where the first of the caller's own stood, and none of
    /// those. When WeChat rejects the token, the same request comes once more with the new one.
    Token(&'static str, Held),
    /// It has the account's identifier and secret in place of the caller's, and no token. It comes
    /// once.
    Secret(&'static str, &'static str),
    /// The caller's own credentials are left. It comes once.
    AsSent,
    /// The caller's own credentials are taken out and none is put in. It comes once.
    Bare,
    /// It doesn't reach WeChat: the answer is a placeholder.
    Placeholder,
    /// It doesn't reach WeChat: the answer is a ticket that wxgate keeps.
    Ticket,
    /// It doesn't reach WeChat: the proxy says no, with this status and word.
    Refused(u16, &'static str),
}

const APP: &str = "access_token";
const NOT_THE_PLATFORMS: Fate = Fate::Refused(400, "bad_request");
const NOT_THIS_APPS: Fate = Fate::Refused(404, "endpoint_forbidden");

const TABLE: &[(Class, Account, Fate)] = &[
    (Class::AppToken, Account::Shop, Fate::Token(APP, Held::Shop)),
    (Class::AppToken, Account::Authorizer, Fate::Token(APP, Held::Authorizer)),
    (Class::AppToken, Account::Platform, NOT_THE_PLATFORMS),
    (Class::AppToken, Account::Work, Fate::Token(APP, Held::Work)),
    (Class::AppOrComponentToken, Account::Shop, Fate::Token(APP, Held::Shop)),
    (Class::AppOrComponentToken, Account::Authorizer, Fate::Token(APP, Held::Authorizer)),
    (Class::AppOrComponentToken, Account::Platform, Fate::Token(APP, Held::Component)),
    (Class::ComponentToken, Account::Shop, NOT_THIS_APPS),
    (Class::ComponentToken, Account::Authorizer, Fate::Token("component_access_token", Held::Component)),
    (Class::ComponentToken, Account::Platform, Fate::Token("component_access_token", Held::Component)),
    (Class::ComponentTokenAsAccessToken, Account::Shop, NOT_THIS_APPS),
    (Class::ComponentTokenAsAccessToken, Account::Authorizer, Fate::Token(APP, Held::Component)),
    (Class::ComponentTokenAsAccessToken, Account::Platform, Fate::Token(APP, Held::Component)),
    (Class::UserOauth, Account::Shop, Fate::AsSent),
    (Class::UserOauth, Account::Authorizer, Fate::AsSent),
    (Class::UserOauth, Account::Platform, Fate::AsSent),
    (Class::AppSecret, Account::Shop, Fate::Secret(APPID, SECRET)),
    (Class::AppSecret, Account::Authorizer, NOT_THE_PLATFORMS),
    (Class::AppSecret, Account::Platform, NOT_THE_PLATFORMS),
    (Class::ComponentSecret, Account::Shop, NOT_THIS_APPS),
    (Class::ComponentSecret, Account::Authorizer, Fate::Secret(COMPONENT, COMPONENT_SECRET)),
    (Class::ComponentSecret, Account::Platform, Fate::Secret(COMPONENT, COMPONENT_SECRET)),
    (Class::TokenEndpoint, Account::Shop, Fate::Placeholder),
    (Class::TokenEndpoint, Account::Authorizer, Fate::Placeholder),
    (Class::TokenEndpoint, Account::Platform, NOT_THIS_APPS),
    (Class::TokenEndpoint, Account::Work, Fate::Placeholder),
    (Class::IssuesCredential, Account::Shop, NOT_THIS_APPS),
    (Class::IssuesCredential, Account::Authorizer, NOT_THIS_APPS),
    (Class::IssuesCredential, Account::Platform, NOT_THIS_APPS),
    (Class::IssuesCredential, Account::Work, NOT_THIS_APPS),
    (Class::SuiteToken, Account::Work, Fate::Token("suite_access_token", Held::Suite)),
    (Class::ProviderToken, Account::Work, Fate::Token("provider_access_token", Held::Provider)),
    (Class::ProviderTokenAsAccessToken, Account::Work, Fate::Token(APP, Held::Provider)),
    (Class::HardwareToken, Account::Work, Fate::Bare),
    (Class::None, Account::Shop, Fate::Bare),
    (Class::None, Account::Authorizer, Fate::Bare),
    (Class::None, Account::Platform, Fate::Bare),
    (Class::None, Account::Work, Fate::Bare),
];

/// Rows that fare otherwise than their class.
const APART: &[(&str, &[Account], Fate)] = &[
    ("/cgi-bin/component/api_component_token", &[Account::Authorizer, Account::Platform], Fate::Placeholder),
    ("/cgi-bin/component/api_authorizer_token", &[Account::Authorizer, Account::Platform], Fate::Placeholder),
    ("/cgi-bin/component/api_query_auth", &[Account::Authorizer, Account::Platform], Fate::Placeholder),
    ("/cgi-bin/service/get_suite_token", &[Account::Work], Fate::Placeholder),
    ("/cgi-bin/service/get_provider_token", &[Account::Work], Fate::Placeholder),
    // They name no company here, and the app's own isn't meant.
    ("/cgi-bin/service/get_corp_token", &[Account::Work], Fate::Refused(400, "bad_request")),
    ("/cgi-bin/service/get_permanent_code", &[Account::Work], Fate::Refused(400, "bad_request")),
    ("/cgi-bin/get_jsapi_ticket", &[Account::Work], Fate::Ticket),
];

/// wxgate calls these too, to learn whether a token lives. Each is called apart from all others.
const PROBES: [&str; 2] = ["/cgi-bin/get_api_domain_ip", "/cgi-bin/openapi/quota/get"];

/// Requests on their way at once.
const AT_ONCE: usize = 500;

/// A row, called for an account.
#[derive(Clone, Copy, Debug)]
struct Case {
    account: Account,
    endpoint: &'static Endpoint,
    fate: Fate,
}

impl Account {
    const ALL: [Self; 4] = [Self::Shop, Self::Platform, Self::Authorizer, Self::Work];

    fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Authorizer => AUTHORIZER,
            Self::Platform => "tenants",
            Self::Work => "hr",
        }
    }

    fn cases(self) -> Vec<Case> {
        let has = |endpoint: &&Endpoint| (endpoint.family == Family::Work) == (self == Self::Work);
        let case = |endpoint| Case { account: self, endpoint, fate: fate(self, endpoint) };
        let mut cases: Vec<_> = all()[1..].iter().filter(has).map(case).collect();
        // See `check`.
        cases.sort_by_key(|case| !matches!(case.fate, Fate::Token(_, Held::Suite | Held::Provider)));
        cases
    }
}

fn fate(account: Account, endpoint: &Endpoint) -> Fate {
    let apart =
        APART.iter().find(|(path, accounts, _)| *path == endpoint.path && accounts.contains(&account));
    let by_class = || TABLE.iter().find(|(class, of, _)| *class == endpoint.class && *of == account);
    apart
        .map(|(.., fate)| *fate)
        .or_else(|| by_class().map(|(.., fate)| *fate))
        .unwrap_or_else(|| panic!("{account:?} {endpoint:?}"))
}

impl Held {
    const ALL: [Self; 6] =
        [Self::Shop, Self::Authorizer, Self::Component, Self::Work, Self::Suite, Self::Provider];

    /// As the sandbox knows it.
    fn owner(self) -> (&'static str, Kind) {
        match self {
            Self::Shop => (APPID, Kind::Stable),
            Self::Authorizer => (AUTHORIZER, Kind::Authorizer),
            Self::Component => (COMPONENT, Kind::Component),
            Self::Work => (WORK, Kind::Wecom),
            Self::Suite => (SUITE, Kind::Suite),
            Self::Provider => (PROVIDER, Kind::Provider),
        }
    }

    fn now(gate: &Gate) -> HashMap<Self, String> {
        let token = |held: Self| {
            let (owner, kind) = held.owner();
            (held, gate.sandbox.token(owner, kind).unwrap_or_else(|| panic!("no token: {held:?}")))
        };
        Self::ALL.into_iter().map(token).collect()
    }
}

impl Case {
    fn method(&self) -> reqwest::Method {
        match self.endpoint.method {
            Some("POST") => reqwest::Method::POST,
            _ => reqwest::Method::GET,
        }
    }

    /// WeChat's names of the account's identifier and secret.
    fn secret_names(&self) -> Option<[&'static str; 2]> {
        match (self.endpoint.class, self.endpoint.path) {
            (Class::AppSecret, "/cgi-bin/clear_quota/v2") => Some(["appid", "appsecret"]),
            (Class::AppSecret, _) => Some(["appid", "secret"]),
            (Class::ComponentSecret, _) => Some(["component_appid", "appsecret"]),
            _ => None,
        }
    }

    fn query(&self) -> String {
        let Some([id, secret]) = self.secret_names() else { return format!("{OWN}&{REST}") };
        let own = match (self.endpoint.class, self.account) {
            (Class::ComponentSecret, _) => "own",
            (_, Account::Shop) => APPID,
            (_, Account::Authorizer) => AUTHORIZER,
            (_, Account::Platform | Account::Work) => COMPONENT,
        };
        format!("{OWN}&{id}={own}&{secret}=own&{REST}")
    }

    fn body(&self) -> String {
        match self.method() {
            reqwest::Method::POST => format!("{{\"row\":{:?}}}", self.endpoint.path),
            _ => String::new(),
        }
    }

    async fn call(self, client: reqwest::Client, base: String, key: &'static str) -> (Self, Answer) {
        let url = format!("{base}/@{}{}?{}", self.account.name(), self.endpoint.path, self.query());
        let request = client.request(self.method(), url).header("X-Wxgate-Key", key).body(self.body());
        (self, Answer::of(request).await)
    }

    /// The token that somebody else replaces before the call. The platform's has a turn of its own,
    /// and what was found out then about the new one holds for a while.
    fn dies(&self) -> Option<Held> {
        match (self.account, self.fate) {
            (Account::Authorizer, Fate::Token(_, Held::Component)) => None,
            (_, Fate::Token(_, held)) => Some(held),
            _ => None,
        }
    }

    /// How WeChat says that it doesn't take the token of this row.
    fn rejection(&self) -> i64 {
        match (self.account, self.endpoint.class) {
            (Account::Work, Class::SuiteToken | Class::ProviderToken | Class::ProviderTokenAsAccessToken) => {
                40082
            }
            (Account::Work, _) => 40014,
            _ => 40001,
        }
    }

    /// The first request for the row is rejected, whatever token it has; then WeChat is content.
    /// What doesn't come from callers is left to wxgate's own calls.
    fn faults(&self) -> Vec<Fault> {
        if matches!(self.fate, Fate::Placeholder | Fate::Ticket | Fate::Refused(..)) {
            return vec![];
        }
        let answers =
            |errcode, errmsg| Fault::new(Action::Errcode { errcode, errmsg }).path(self.endpoint.path);
        let rejected = answers(self.rejection(), None).times(1);
        match PROBES.contains(&self.endpoint.path) {
            true => vec![rejected],
            false => vec![rejected, answers(0, Some("ok".to_owned())).after(1)],
        }
    }

    fn check(&self, answer: &Answer, seen: &[Entry], tokens: [&HashMap<Held, String>; 2]) {
        let told = || format!("{self:?}\n{} {}\n{seen:#?}", answer.status, answer.text());
        for entry in seen {
            assert_eq!(entry.method, self.method().as_str(), "{}", told());
            assert_eq!(entry.body_sha256, Some(sha256(self.body().as_bytes())), "{}", told());
        }
        let queries: Vec<&str> = seen.iter().map(|entry| &*entry.query).collect();
        let sent_once = |query: String| {
            assert_eq!(queries, [query], "{}", told());
            assert_eq!((answer.status, answer.errcode()), (200, self.rejection()), "{}", told());
        };
        match self.fate {
            Fate::Token(parameter, held) => {
                let [before, now] = tokens.map(|tokens| format!("{parameter}={}&{REST}", tokens[&held]));
                // The one that replaces it may have come with another row's rejection.
                let [first, second] = queries[..] else { panic!("{}", told()) };
                assert!(first == before || first == now, "{}", told());
                assert_eq!(second, now, "{}", told());
                assert_ne!((answer.status, answer.errcode()), (200, self.rejection()), "{}", told());
            }
            Fate::Secret(id, secret) => {
                let [id_name, secret_name] = self.secret_names().expect("names");
                sent_once(format!("{id_name}={id}&{secret_name}={secret}&{REST}"));
            }
            Fate::AsSent => sent_once(format!("{OWN}&{REST}")),
            Fate::Bare => sent_once(REST.to_owned()),
            Fate::Placeholder => {
                assert!(queries.is_empty() && answer.text().contains("_token\":\"wxgate-"), "{}", told());
            }
            Fate::Ticket => {
                assert!(queries.is_empty() && answer.text().contains("\"ticket\":"), "{}", told());
            }
            Fate::Refused(status, word) => {
                // A negative code would pass for success there.
                let of_tokens = TokenEndpoint::find(self.endpoint.path).is_some() || self.endpoint.is_login();
                let refusal = match of_tokens {
                    true => (200, word, 48001),
                    false => (status, word, -70_000 - i64::from(status)),
                };
                assert!(queries.is_empty() && answer.refusal() == refusal, "{}", told());
            }
        }
    }
}

/// A proxy before two callers, of which one may do everything and the other all that isn't guarded.
async fn start() -> (Gate, tempfile::TempDir) {
    let named: HashSet<_> = all().iter().filter(|row| row.guarded).map(|row| row.path).collect();
    let allow: Vec<_> = named.into_iter().chain(["**"]).collect();
    let apps = ["shop", "tenants", "hr"];
    let operator = caller("operator", &[KEY], &apps, &format!("allow = {allow:?}"));
    let service = caller("service", &[PLAIN_KEY], &apps, "allow = [\"**\"]");
    start_with("", &format!("{operator}{service}")).await
}

/// A proxy that holds a token of every kind, and the folder of its store. `server` is TOML of that
/// table, `more` whole tables.
pub(super) async fn start_with(server: &str, more: &str) -> (Gate, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::File(folder.path().to_owned());
    let store = Store::open(&store::Options { location, seal: None }).await.expect("a store");
    let now = Clock::default().now();
    for (key, value) in [
        (format!("component_verify_ticket:{COMPONENT}"), "canary-ticket@@@1"),
        (format!("refresh_token:{COMPONENT}:{AUTHORIZER}"), REFRESH_TOKEN),
        (format!("suite_ticket:{SUITE}"), "canary-suite-ticket"),
    ] {
        let value = Arc::new(Secret::new(value));
        let expires_at = now.plus(Duration::from_secs(1800));
        let record = Record { value, generation: 1, fetched_at: now, expires_at };
        store.save(&key, &record).await.expect("saved");
    }
    let agent = App { agent: Some(AGENT.into()), ..App::new(CORP, AGENT_SECRET, AppKind::Wecom) };
    let sandbox = Sandbox::start(Options {
        apps: vec![
            App::new(APPID, SECRET, AppKind::OfficialAccount),
            App::new(OTHER_APPID, OTHER_SECRET, AppKind::MiniProgram),
            App::new(COMPONENT, COMPONENT_SECRET, AppKind::Component),
            agent,
            App::new(SUITE, SUITE_SECRET, AppKind::Suite),
            App::new(CORP, PROVIDER_SECRET, AppKind::Provider),
        ],
        authorizers: vec![Authorizer::new(COMPONENT, AUTHORIZER, REFRESH_TOKEN)],
        ..Options::default()
    });
    let apps = format!(
        "{SHOP}\n[[app]]\nname = \"tenants\"\nappid = \"{COMPONENT}\"\nkind = \"component\"\n\
         secret = \"{COMPONENT_SECRET}\"\n\
         [[app]]\nname = \"hr\"\nappid = \"{CORP}\"\nkind = \"wecom\"\nagent_id = \"{AGENT}\"\n\
         secret = \"{AGENT_SECRET}\"\nsuite_id = \"{SUITE}\"\nsuite_secret = \"{SUITE_SECRET}\"\n\
         provider_secret = \"{PROVIDER_SECRET}\"\n{more}[store]\nurl = \"file:{}\"\n",
        folder.path().display()
    );
    let token = "fetch_timeout = \"15s\"\nrefresh_wait = \"18s\"".to_owned();
    let setup = Setup { server: server.into(), token, apps, ..Setup::default() };
    let gate = Gate::before(sandbox.expect("the sandbox starts"), setup).await.settled().await;
    // What is fetched when it is first asked for.
    for path in [
        format!("/@{AUTHORIZER}/cgi-bin/user/info?openid=o"),
        "/@hr/cgi-bin/service/get_pre_auth_code".to_owned(),
        "/@hr/cgi-bin/license/list_order".to_owned(),
    ] {
        let answer = gate.get_with(&path, &[("x-wxgate-key", KEY)]).await;
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{path}: {}", answer.text());
    }
    gate.sandbox.reset();
    (gate, folder)
}

/// Calls all of them at once; gives each with its answer and what WeChat saw of it.
async fn call(gate: &Gate, cases: &[Case], key: &'static str) -> Vec<(Case, Answer, Vec<Entry>)> {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut calls = JoinSet::new();
    for case in cases {
        let permits = Arc::clone(&permits);
        let call = case.call(gate.client.clone(), gate.url(""), key);
        calls.spawn(async move {
            let _permit = permits.acquire_owned().await;
            call.await
        });
    }
    let answers = calls.join_all().await;
    let mut seen: HashMap<String, Vec<Entry>> = HashMap::new();
    // wxgate's own calls have nothing of a caller's.
    for entry in gate.sandbox.journal(None).into_iter().filter(|entry| entry.query.contains(REST)) {
        seen.entry(entry.path.clone()).or_default().push(entry);
    }
    let with_seen = |(case, answer): (Case, Answer)| {
        let seen = seen.get(case.endpoint.path).cloned().unwrap_or_default();
        (case, answer, seen)
    };
    answers.into_iter().map(with_seen).collect()
}

/// Calls them with tokens that have just died, and looks at what came of it.
async fn check(gate: &Gate, cases: &[Case]) {
    let before = Held::now(gate);
    for held in cases.iter().filter_map(Case::dies).collect::<HashSet<_>>() {
        assert_eq!(gate.sandbox.rotate(held.owner().0), 1, "{held:?}");
    }
    // A suite's and a provider's token can't be probed: each of their rows must have been sent
    // before there is another token, since a new one that is rejected is left alone. On a busy
    // machine that takes a while.
    let latency = if cases.len() > 1 { 5000 } else { 0 };
    gate.sandbox.fault(Fault::new(Action::TokenLatency { milliseconds: latency }).path("/cgi-bin/service/*"));
    cases.iter().flat_map(Case::faults).for_each(|fault| {
        gate.sandbox.fault(fault);
    });
    let called = call(gate, cases, KEY).await;
    let now = Held::now(gate);
    for (case, answer, seen) in &called {
        case.check(answer, seen, [&before, &now]);
    }
    gate.sandbox.reset();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_gets_what_its_class_says_and_is_replayed_if_a_token_can_be_replaced() {
    let (gate, _folder) = start().await;
    let is_probe = |case: &Case| PROBES.contains(&case.endpoint.path) && case.dies().is_some();
    // First, while nothing is remembered of any token.
    for account in Account::ALL {
        for case in account.cases().into_iter().filter(is_probe) {
            check(&gate, &[case]).await;
        }
    }
    for account in Account::ALL {
        let cases: Vec<_> = account.cases().into_iter().filter(|case| !is_probe(case)).collect();
        check(&gate, &cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guarded_row_is_closed_to_a_caller_that_may_do_everything_else() {
    let (gate, _folder) = start().await;
    for account in Account::ALL {
        let cases: Vec<_> = account.cases().into_iter().filter(|case| case.endpoint.guarded).collect();
        assert!(cases.len() >= 10, "{account:?}: {}", cases.len());
        for (case, answer, seen) in call(&gate, &cases, PLAIN_KEY).await {
            assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404), "{case:?}: {}", answer.text());
            assert!(seen.is_empty(), "{case:?}: {seen:?}");
        }
        gate.sandbox.reset();
    }
}
