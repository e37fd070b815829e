//! The sandbox's page in a real browser: its journal fills, and its buttons work.

use serde_json::json;
use wxgate::sandbox::{App, AppKind, OFFICIAL_ACCOUNT, Options, SECRET, Sandbox};

use crate::browser::Browser;
use crate::harness;
use crate::web_pages::evil;

const NO_SIDEWAYS: &str = "document.documentElement.scrollWidth <= innerWidth";

fn sandbox() -> Sandbox {
    let mut options = Options::default();
    options.apps.push(App::new("ww1234567890abcdef", SECRET, AppKind::Wecom));
    Sandbox::start(options).expect("a sandbox")
}

async fn shown(sandbox: &Sandbox) -> Browser {
    let mut browser = Browser::start().await;
    browser.resize(1440, 900).await;
    browser.open(&format!("{}/sandbox/", sandbox.url())).await;
    browser.until_shown("#live", "live").await;
    browser
}

/// Nothing went wrong in the browser, and nobody but the sandbox was asked for anything.
async fn is_clean(browser: &mut Browser, sandbox: &Sandbox) {
    browser.evaluate("1").await;
    assert_eq!(browser.problems, [""; 0]);
    let own = format!("{}/sandbox/", sandbox.url());
    assert!(browser.requests.len() > 10, "{:?}", browser.requests);
    for url in &browser.requests {
        assert!(url.starts_with(&own) || url == "data:,", "{url}");
    }
}

/// A service that knows nothing of the page.
struct Service {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Service {
    async fn new(sandbox: &Sandbox) -> Self {
        let client = harness::client();
        let mut service = Self { client, url: sandbox.url(), token: String::new() };
        service.fetch().await;
        service
    }

    async fn fetch(&mut self) {
        let body = json!({"grant_type": "client_credential", "appid": OFFICIAL_ACCOUNT, "secret": SECRET});
        let reply = self.client.post(format!("{}/cgi-bin/stable_token", self.url)).body(body.to_string());
        let text = reply.send().await.expect("an answer").text().await.expect("a body");
        let reply: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        self.token = reply["access_token"].as_str().expect("a token").to_owned();
    }

    async fn call(&self, path: &str, body: Option<serde_json::Value>) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}{path}{sign}access_token={}", self.url, self.token);
        let request = match body {
            Some(body) => self.client.post(url).body(body.to_string()),
            None => self.client.get(url),
        };
        request.send().await.expect("an answer").text().await.expect("a body")
    }
}

async fn traffic(service: &Service) {
    for (path, body) in [
        ("/cgi-bin/user/info?openid=oABC", None),
        ("/cgi-bin/user/info?openid=invalid", None),
        ("/cgi-bin/message/template/send", Some(json!({"touser": "o", "template_id": "t"}))),
        ("/cgi-bin/message/custom/send", Some(json!({"touser": "o"}))),
        ("/cgi-bin/tags/update", Some(json!({"tag": {"id": 100, "name": "a"}}))),
        ("/cgi-bin/mesage/custom/send", Some(json!({}))),
        ("/wxa/getwxacodeunlimit", Some(json!({"scene": "a=1"}))),
        ("/cgi-bin/menu/get", None),
    ] {
        service.call(path, body).await;
    }
}

#[tokio::test]
async fn the_journal_fills_as_requests_come_and_shows_no_credential_whole() {
    let sandbox = sandbox();
    let mut browser = shown(&sandbox).await;
    browser.until_shown("#none", "No requests yet").await;
    browser.until_shown("#force", "Nothing is switched on").await;
    let service = Service::new(&sandbox).await;
    browser.until_shown("#journal ol", "/cgi-bin/stable_token").await;
    traffic(&service).await;
    for text in ["/cgi-bin/user/info", "40003", "generic", "unlisted", "40066", OFFICIAL_ACCOUNT] {
        browser.until_shown("#journal ol", text).await;
    }
    let first = "document.querySelector('#journal li .name').innerText";
    assert_eq!(browser.evaluate(first).await, "/cgi-bin/menu/get", "the newest comes first");
    browser.until_shown("#accounts", "stable_token").await;

    // All of a request, but for what opens an account.
    browser.fill("#filter", "template").await;
    browser.until("document.querySelectorAll('#journal li').length === 1").await;
    browser.click("#journal li .row").await;
    browser.until_shown(".details", "access_token=").await;
    browser.until_shown(".details a", "api_sendtemplatemessage").await;
    let text = browser.evaluate("document.documentElement.outerHTML").await;
    let text = text.as_str().expect("a text");
    assert!(!text.contains(&service.token) && text.contains(&service.token[..6]), "the token is masked");

    browser.fill("#filter", " ").await;
    browser.click("#failed").await;
    browser
        .until("[...document.querySelectorAll('#journal li .answer')].every((one) => one.innerText !== 'ok')")
        .await;
    browser.click("#failed").await;
    browser.click("#pause").await;
    browser.until_shown("#live", "paused").await;
    service.call("/cgi-bin/tags/get", None).await;
    browser.click("[data-order=minutes]").await;
    browser.until_shown("#force", "+5 min").await;
    let names = "[...document.querySelectorAll('#journal .name')].map((one) => one.innerText).join()";
    let names = browser.evaluate(names).await;
    assert!(!names.as_str().expect("names").contains("/cgi-bin/tags/get"), "{names}");
    browser.click("#pause").await;
    browser.until_shown("#journal ol", "/cgi-bin/tags/get").await;
    is_clean(&mut browser, &sandbox).await;
}

#[tokio::test]
async fn its_buttons_break_wechat_and_mend_it() {
    let sandbox = sandbox();
    let mut browser = shown(&sandbox).await;
    browser.click("[data-order=rotate]").await;
    browser.until_shown("#done", "There was no token to change yet").await;
    let mut service = Service::new(&sandbox).await;
    let info = "/cgi-bin/user/info?openid=o";
    assert!(service.call(info, None).await.contains("\"openid\":\"o\""));

    browser.click("[data-order=rotate]").await;
    browser.until_shown("#done.good", "Fetched elsewhere").await;
    assert!(service.call(info, None).await.contains("\"errcode\":40001"));
    service.fetch().await;

    // For one endpoint, once.
    browser.fill("#path", "/cgi-bin/menu/get").await;
    browser.click("[data-order=daily]").await;
    browser.until_shown("#force", "errcode 45009").await;
    assert!(service.call(info, None).await.contains("\"openid\""));
    assert!(service.call("/cgi-bin/menu/get", None).await.contains("\"errcode\":45009"));
    assert!(service.call("/cgi-bin/menu/get", None).await.contains("\"errcode\":46003"));
    browser.until_shown("#force", "Nothing is switched on").await;

    // For every endpoint, until it is ended.
    browser
        .evaluate("document.querySelector('#path').value = '', document.querySelector('#times').value = ''")
        .await;
    browser.click("[data-order=busy]").await;
    browser.until_shown("#force", "errcode -1").await;
    for _ in 0..2 {
        assert!(service.call(info, None).await.contains("\"errcode\":-1"));
    }
    browser.until_shown("#force", "2 hit").await;
    browser.click("#force li button").await;
    browser.until_shown("#force", "Nothing is switched on").await;
    assert!(service.call(info, None).await.contains("\"openid\""));

    browser.click("[data-order=poison]").await;
    browser.until_shown("#force", "Poisoned token").await;
    browser.click("[data-order=hours]").await;
    browser.until_shown("#force", "+2 h").await;
    browser.click("[data-order=lag]").await;
    browser.until_shown("#force", "Servers lag").await;
    browser.click("#all").await;
    browser.until_shown("#done.good", "Everything is back to normal").await;
    browser.until_shown("#none", "No requests yet").await;
    service.fetch().await;
    assert!(service.call(info, None).await.contains("\"openid\""));
    is_clean(&mut browser, &sandbox).await;
}

#[tokio::test]
async fn no_page_of_another_address_presses_them() {
    let sandbox = sandbox();
    let service = Service::new(&sandbox).await;
    let rotate = format!("{}/sandbox/rotate", sandbox.url());
    let other = evil::serve(rotate.clone()).await;
    let rules = "MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1, EXCLUDE 127.0.0.1";
    let mut browser = Browser::resolving(rules).await;
    browser.open(&format!("http://evil.example:{other}/plain")).await;
    let post =
        format!("fetch('{rotate}', {{ method: 'POST', mode: 'no-cors', body: '{{}}' }}).then(() => true)");
    assert_eq!(browser.evaluate(&post).await, true);
    assert!(service.call("/cgi-bin/user/info?openid=o", None).await.contains("\"openid\""), "rotated");

    // A page whose own name was made to resolve to this machine.
    let port = sandbox.url().rsplit(':').next().expect("a port").to_owned();
    browser.open(&format!("http://rebound.example:{port}/sandbox/")).await;
    browser.until_shown("body", "by its IP address").await;
    let post = "fetch('/sandbox/rotate', { method: 'POST', body: '{}' }).then((answer) => answer.status)";
    assert_eq!(browser.evaluate(post).await, 403);
    assert_eq!(browser.evaluate("fetch('/sandbox/journal').then((answer) => answer.status)").await, 403);
    assert!(service.call("/cgi-bin/user/info?openid=o", None).await.contains("\"openid\""), "rotated");
}

#[tokio::test]
async fn it_reads_well_in_both_languages_and_themes_on_a_desk_and_on_a_phone() {
    let sandbox = sandbox();
    let mut browser = shown(&sandbox).await;
    for busy in [false, true] {
        if busy {
            let service = Service::new(&sandbox).await;
            sandbox.poison(OFFICIAL_ACCOUNT);
            service.call("/cgi-bin/user/info?openid=o", None).await;
            sandbox.reset();
            let service = Service { token: service.token, ..Service::new(&sandbox).await };
            traffic(&service).await;
            let mut service = service;
            sandbox.rotate(OFFICIAL_ACCOUNT);
            service.fetch().await;
            traffic(&service).await;
            browser.evaluate("document.querySelector('#times').value = ''").await;
            for order in ["busy", "slow", "lag", "poison", "hours"] {
                browser.click(&format!("[data-order={order}]")).await;
            }
            browser.until("document.querySelectorAll('#force li').length === 5").await;
            browser.click("#journal li:nth-child(3) .row").await;
        }
        for (language, words) in [("en", "Make it fail"), ("zh", "注入故障")] {
            let is_other = language == "zh";
            let shown = browser.text("#language").await;
            if (shown == "English") != is_other {
                browser.click("#language").await;
            }
            browser.until_shown("#faults", words).await;
            for theme in ["light", "dark"] {
                browser.prefer(theme).await;
                for width in [1440, 1024, 390] {
                    browser.resize(width, 900).await;
                    browser.until(NO_SIDEWAYS).await;
                    let state = if busy { "busy" } else { "empty" };
                    browser.picture(&format!("sandbox-{language}-{state}-{theme}-{width}")).await;
                }
            }
        }
    }
    is_clean(&mut browser, &sandbox).await;
}
