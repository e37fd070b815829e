//! Web pages and honest programs before a listener that lets everybody in and that other machines
//! can reach. Browsers say least of themselves there: `Sec-Fetch-*` goes to https and loopback
//! alone.

pub(crate) mod evil;
mod neighbour;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::browser::Browser;
use crate::harness::{Gate, Setup, raw};
use crate::sdk::venv;
use crate::until::until;

/// It takes a GET at WeChat, and nothing guards it.
const PATH: &str = "/cgi-bin/menu/delete";

async fn open_to_all() -> Gate {
    let listen = format!("{}:0", neighbour::ADDRESS);
    let server = "anonymous = true\nhosts = []".to_owned();
    Gate::with(Setup { listen, server, ..Setup::default() }).await.settled().await
}

/// The first query key of each request that came, and what became of it.
fn came(gate: &Gate) -> Vec<(String, Value)> {
    let lines = gate.log.lines().into_iter().filter(|line| line["path"] == PATH);
    let key = |line: &Value| line["query_keys"][0].as_str().unwrap_or_default().to_owned();
    lines.map(|line| (key(&line), line["code"].clone())).collect()
}

/// Waits until all `expected` have come; they were refused and WeChat has heard of nothing.
async fn all_were_refused(gate: &Gate, expected: &[String]) {
    let missing = || {
        let seen: BTreeSet<_> = came(gate).into_iter().map(|(key, _)| key).collect();
        expected.iter().filter(|key| !seen.contains(*key)).cloned().collect::<Vec<_>>()
    };
    until(|| format!("{:?}", missing()), async || missing().is_empty()).await;
    let sent: Vec<_> = gate.sandbox.journal(None).iter().map(|entry| entry.query.clone()).collect();
    assert_eq!(sent, [""; 0], "reached WeChat");
    for (key, code) in came(gate) {
        assert_eq!(code, "caller_forbidden", "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_page_sends_reaches_wechat() {
    if !neighbour::is_here("web_pages::nothing_that_a_page_sends_reaches_wechat") {
        return;
    }
    let gate = open_to_all().await;
    let (host, port) = (neighbour::ADDRESS, gate.authority().rsplit(':').next().expect("a port").to_owned());
    let other = evil::serve(gate.url(PATH)).await;
    let rules = format!("MAP evil.example 127.0.0.1, MAP rebound.example {host}, EXCLUDE {host}");
    let mut browser = Browser::resolving(&rules).await;

    // Pages of another origin.
    for page in ["plain", "hidden"] {
        browser.open(&format!("http://evil.example:{other}/{page}")).await;
        let ways: Vec<_> = evil::WAYS.iter().map(|way| format!("{page}-{way}")).collect();
        all_were_refused(&gate, &ways[..ways.len() - 1]).await;
        browser.click("a").await;
        all_were_refused(&gate, &ways).await;
    }

    // A typed address that redirects, and the address itself, typed.
    for page in ["redirect", "hidden-redirect"] {
        browser.open(&format!("http://evil.example:{other}/{page}")).await;
        all_were_refused(&gate, &[page.to_owned()]).await;
    }
    browser.open(&format!("{}?typed=1", gate.url(PATH))).await;
    all_were_refused(&gate, &["typed".to_owned()]).await;
    let told = browser.text("body").await;
    assert!(told.contains(&format!("curl 'http://{host}:{port}{PATH}?...'")), "{told}");

    // A page whose own name was made to resolve to us is of the same origin.
    browser.open(&format!("http://rebound.example:{port}{PATH}?rebound=1")).await;
    let fetches = format!(
        "(async () => {{ \
         const bare = {{ referrerPolicy: 'no-referrer', headers: {{ 'Accept-Language': '*' }} }}; \
         const answers = [await fetch('{PATH}?rebound-fetch=1'), await fetch('{PATH}?rebound-any=1', bare), \
         await fetch('{PATH}?rebound-post=1', {{ ...bare, method: 'POST', body: '{{}}' }})]; \
         return answers.map((answer) => answer.status) }})()"
    );
    assert_eq!(browser.evaluate(&fetches).await, serde_json::json!([403, 403, 403]));
    let ways = ["rebound", "rebound-fetch", "rebound-any", "rebound-post"].map(str::to_owned);
    all_were_refused(&gate, &ways).await;
}

fn run(program: &mut Command) {
    let output = program.stdin(Stdio::null()).output().expect("it runs (tests/run installs it)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_honest_programs_send_reaches_wechat() {
    let python = venv::python();
    if !neighbour::is_here("web_pages::what_honest_programs_send_reaches_wechat") {
        return;
    }
    let gate = open_to_all().await;
    let url = |name: &str| format!("{}?{name}", gate.url(PATH));
    let script = "fetch(process.argv[1]).then((answer) => answer.text()).then(console.log)";
    run(Command::new("node").args(["-e", script]).arg(url("node")));
    run(Command::new("curl").args(["-sS", "--noproxy", "*"]).arg(url("curl")));
    let script = "import sys, urllib.request as r\n\
                  print(r.build_opener(r.ProxyHandler({})).open(sys.argv[1]).read())";
    run(Command::new(python).args(["-c", script]).arg(url("urllib")));
    let script = "import sys, requests\n\
                  s = requests.Session(); s.trust_env = False\n\
                  print(s.get(sys.argv[1]).text)";
    run(Command::new(python).args(["-c", script]).arg(url("requests")));
    // As java.net.http.HttpClient of Java 17 writes it, but for the close.
    let head = format!(
        "GET {PATH}?java HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings, close\r\nContent-Length: 0\r\nHost: {}\r\n\
         HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n\
         User-Agent: Java-http-client/17.0.15\r\n\r\n",
        gate.authority()
    );
    assert_eq!(raw(&gate.authority(), head.as_bytes()).await.status, 200);
    let mut came = Vec::new();
    for entry in gate.journal(PATH) {
        came.push(
            entry.query.split(['&', '?']).find(|part| !part.contains('=')).unwrap_or_default().to_owned(),
        );
    }
    assert_eq!(came, ["node", "curl", "urllib", "requests", "java"]);
}
