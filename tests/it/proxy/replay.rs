//! A token dies behind the proxy's back, and no caller notices.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wxgate::sandbox::{Action, Fault, Lag, Sandbox, VARIANTS};

use crate::harness::{APPID, Answer, Gate, Setup, at_once, chunked};
use crate::until::until;

/// Callers at once.
const CALLERS: usize = 300;

const CLASSIC: &str = r#"
[[app]]
name = "shop"
appid = "wx0000000000000001"
secret = { env = "SHOP_SECRET" }
token_mode = "classic"
default = true
"#;

fn setup(classic: bool) -> Setup {
    if classic {
        Setup { apps: CLASSIC.into(), token: "allow_unshared = true".into(), ..Setup::default() }
    } else {
        Setup::default()
    }
}

/// What happens to the token.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Rotated,
    Poisoned,
    Lagging,
}

impl Mishap {
    fn strike(self, sandbox: &Sandbox) {
        match self {
            Self::Rotated => assert!(sandbox.rotate(APPID) > 0),
            Self::Poisoned => assert!(sandbox.poison(APPID) > 0),
            Self::Lagging => sandbox.lag(Lag::default()),
        }
    }
}

/// Strikes and calls: each of the callers gets the right answer for its own question.
async fn survive(gate: &Arc<Gate>, mishap: Mishap, callers: usize) {
    mishap.strike(&gate.sandbox);
    let mut nodes = tokio::task::JoinSet::new();
    if let Mishap::Lagging = mishap {
        // The nodes agree once each caller was rejected. On a busy machine the first would be
        // rejected again before the last has come.
        let held_back = Fault::new(Action::Latency { milliseconds: 5 * callers as u64 });
        gate.sandbox.fault(Fault { times: Some(callers as u64), ..held_back.path("/cgi-bin/user/info") });
        let sandbox = gate.sandbox.clone();
        nodes.spawn(async move {
            sandbox.arrived("/cgi-bin/user/info", callers).await;
            sandbox.end_lag();
        });
    }
    let answers = at_once(callers, |number| {
        let gate = Arc::clone(gate);
        async move { (number, gate.get(&format!("/cgi-bin/user/info?openid=o{number}")).await) }
    })
    .await;
    for (number, answer) in answers {
        assert_eq!((answer.status, answer.errcode()), (200, 0), "{mishap:?}: {}", answer.text());
        assert_eq!(answer.json()["openid"], format!("o{number}"), "{mishap:?}: {}", answer.text());
    }
    nodes.join_all().await;
}

async fn counts_after(classic: bool, mishap: Mishap) -> (u64, u64, u64) {
    let gate = Arc::new(Gate::with(setup(classic)).await.warm().await);
    survive(&gate, mishap, CALLERS).await;
    gate.counts()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_stable_token_costs_one_fetch_for_300_callers() {
    assert_eq!(counts_after(false, Mishap::Rotated).await, (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_stable_token_costs_two_fetches_one_of_them_forced_and_a_probe() {
    assert_eq!(counts_after(false, Mishap::Poisoned).await, (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_stable_token_costs_a_fetch_and_a_probe() {
    cost(counts_after(false, Mishap::Lagging).await, (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_classic_token_costs_a_fetch_and_a_probe() {
    assert_eq!(counts_after(true, Mishap::Rotated).await, (1, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_classic_token_is_probed_and_not_fetched() {
    cost(counts_after(true, Mishap::Lagging).await, (0, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_wechats_errors_is_recognised() {
    for variant in VARIANTS {
        for (classic, mishap, expected) in [
            (false, Mishap::Rotated, (1, 0, 0)),
            (false, Mishap::Poisoned, (2, 1, 1)),
            (false, Mishap::Lagging, (1, 0, 1)),
            (true, Mishap::Rotated, (1, 0, 1)),
            (true, Mishap::Lagging, (0, 0, 1)),
        ] {
            let gate = Gate::with(setup(classic)).await.warm().await;
            gate.sandbox.change(|settings| settings.error_variant = *variant);
            let gate = Arc::new(gate);
            survive(&gate, mishap, 20).await;
            let what = format!("{variant:?}, classic: {classic}, {mishap:?}");
            match mishap {
                Mishap::Lagging => cost(gate.counts(), expected),
                Mishap::Rotated | Mishap::Poisoned => assert_eq!(gate.counts(), expected, "{what}"),
            }
        }
    }
}

/// A call of another caller that succeeds in time is evidence, and saves the probe of a token that
/// lives.
#[track_caller]
fn cost(seen: (u64, u64, u64), expected: (u64, u64, u64)) {
    assert!(seen == expected || seen == (expected.0, expected.1, 0), "{seen:?}, expected {expected:?}");
}

/// A body that has no two equal pages, so that a lost or doubled one shows.
fn two_megabytes() -> Vec<u8> {
    (0..524_288_u32).flat_map(|number| number.to_le_bytes()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_2_mb_is_replayed_byte_for_byte_with_and_without_a_length() {
    for with_length in [true, false] {
        for (classic, mishap) in [
            (false, Mishap::Rotated),
            (false, Mishap::Poisoned),
            (false, Mishap::Lagging),
            (true, Mishap::Rotated),
            (true, Mishap::Lagging),
        ] {
            let gate = Gate::with(setup(classic)).await.warm().await;
            match mishap {
                Mishap::Lagging => gate.sandbox.lag(Lag { requests: Some(1), ..Lag::default() }),
                Mishap::Rotated | Mishap::Poisoned => mishap.strike(&gate.sandbox),
            }
            let body = two_megabytes();
            let sent = if with_length {
                reqwest::Body::from(body.clone())
            } else {
                chunked(body.chunks(50_000).map(<[u8]>::to_vec).collect())
            };
            gate.sandbox.change(|settings| settings.allow_unlisted = true);
            let answer = gate.post("/wxa/anything", sent).await;
            assert_eq!((answer.status, answer.errcode()), (200, 0), "{mishap:?}: {}", answer.text());
            let seen = gate.journal("/wxa/anything");
            assert!(seen.len() >= 2, "{mishap:?}: {} attempts", seen.len());
            for entry in seen {
                assert_eq!(entry.body_sha256.as_deref(), Some(sha256(&body).as_str()), "{mishap:?}");
                assert_eq!(entry.header("content-length"), Some("2097152"));
                assert!(entry.header("transfer-encoding").is_none() && entry.complete);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_sees_how_its_request_was_replayed_only_if_it_asks() {
    let gate = Gate::start().await.warm().await;
    gate.sandbox.rotate(APPID);
    let answer = gate.get("/cgi-bin/user/info?openid=o1").await;
    assert_eq!(answer.header("x-wxgate-replays"), Some("1"));
    assert_eq!(answer.header("x-wxgate-app"), Some("shop"));
    assert_eq!(answer.header("x-wxgate-token-generation"), Some("2"));
    let silent = Answer::of(gate.client.get(gate.url("/cgi-bin/user/info?openid=o1"))).await;
    assert!(silent.headers.keys().all(|name| !name.as_str().starts_with("x-wxgate")), "{:?}", silent.headers);
}

/// SDKs that give up and try again must not have their message sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_message_of_a_caller_that_hung_up_is_not_replayed_whatever_followed_it() {
    const PATH: &str = "/cgi-bin/message/custom/send";
    for mishap in [Mishap::Rotated, Mishap::Lagging] {
        for behind in
            ["", "\r\n", "GET /cgi-bin/menu/get HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /cgi-bin/m"]
        {
            for reset in [false, true] {
                let gate = Gate::start().await.warm().await;
                match mishap {
                    Mishap::Lagging => gate.sandbox.lag(Lag { requests: Some(1), ..Lag::default() }),
                    _ => mishap.strike(&gate.sandbox),
                }
                gate.sandbox.fault(Fault::new(Action::TokenLatency { milliseconds: 300 }));
                let mut caller = TcpStream::connect(gate.authority()).await.expect("a connection");
                let request = format!(
                    "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}{behind}"
                );
                caller.write_all(request.as_bytes()).await.expect("sent");
                gate.sandbox.arrived(PATH, 1).await;
                if reset {
                    socket2::SockRef::from(&caller).set_linger(Some(Duration::ZERO)).expect("set");
                }
                drop(caller);
                until(
                    || "the end of the request",
                    async || gate.log.lines().iter().any(|line| line["path"] == PATH),
                )
                .await;
                let what = format!("{mishap:?}, behind it {behind:?}, reset: {reset}");
                assert_eq!(gate.journal(PATH).len(), 1, "{what}");
                assert_eq!(
                    gate.log.lines().iter().find(|line| line["path"] == PATH).expect("seen")["status"],
                    499,
                    "{what}"
                );
            }
        }
    }
}
