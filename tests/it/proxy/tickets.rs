//! Tickets and the signatures made with them.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use wxgate::sandbox::{Action, Fault};

use crate::harness::{APPID, Answer, Gate, SHOP, Setup, at_once};
use crate::until::until;

const TICKET: &str = "/cgi-bin/ticket/getticket";
const PROBE: &str = "/cgi-bin/get_api_domain_ip";
const FETCH: &str = "/cgi-bin/stable_token";
const SIGN: &str = "/wxgate/jssdk/signature?url=https%3A%2F%2Fshop.example.com%2F";

async fn shop(more: &str) -> Gate {
    let apps = format!("{SHOP}{more}");
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_fetched_once_and_its_life_is_not_stretched_by_being_asked_for() {
    let gate = shop("").await;
    let path = format!("{TICKET}?access_token=mine&type=jsapi");
    let answers = at_once(50, |_| Answer::of(gate.client.get(gate.url(&path)))).await;
    let first = answers[0].json();
    assert_eq!(first["errmsg"], "ok", "{first}");
    assert!(
        first["ticket"].is_string()
            && answers.iter().all(|answer| answer.json()["ticket"] == first["ticket"])
    );
    assert_eq!(gate.journal(TICKET).len(), 1);

    // WeChat would say 7200 again.
    gate.sandbox.advance(3_600_000);
    gate.clock.advance(3_600_000);
    let later = gate.get(&path).await.json();
    assert_eq!(later["ticket"], first["ticket"]);
    assert!(later["expires_in"].as_u64().is_some_and(|left| (3_590..=3_600).contains(&left)), "{later}");
    assert_eq!(gate.journal(TICKET).len(), 1);

    // Beyond its end there is another one.
    gate.sandbox.advance(3_700_000);
    gate.clock.advance(3_700_000);
    // What is held is shown until its keeper has seen the clock move.
    let another = async || {
        let ticket = &gate.get(&path).await.json()["ticket"];
        ticket.is_string() && *ticket != first["ticket"]
    };
    until(|| "another ticket", another).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_two_kinds_are_two() {
    let gate = shop("").await;
    let js = gate.get(&format!("{TICKET}?type=jsapi")).await.json()["ticket"].clone();
    let card = gate.get(&format!("{TICKET}?type=wx_card")).await.json()["ticket"].clone();
    assert!(js.is_string() && card.is_string() && js != card);
    assert_eq!(gate.journal(TICKET).len(), 2);
    // One that wxgate knows nothing of goes to WeChat.
    assert_eq!(gate.get(&format!("{TICKET}?type=2")).await.errcode(), 0);
    assert_eq!(gate.journal(TICKET).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_replaced_for_a_ticket_as_for_any_call() {
    let gate = shop("").await;
    gate.sandbox.rotate(APPID);
    assert!(gate.get(&format!("{TICKET}?type=jsapi")).await.json()["ticket"].is_string());
    assert_eq!(gate.counts(), (1, 0, 0));
}

/// An app whose pages are signed.
async fn signing() -> Gate {
    shop("jssdk_hosts = [\"shop.example.com\"]\n").await
}

fn fails(path: &str, errcode: i64) -> Fault {
    let errmsg = Some("system error hints: [ req_id: x ]".to_owned());
    Fault::new(Action::Errcode { errcode, errmsg }).path(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_refused_with_a_system_error_has_the_token_probed_and_replaced_if_it_is_dead() {
    for poisoned in [false, true] {
        let gate = signing().await;
        if poisoned {
            gate.sandbox.poison(APPID);
        } else {
            gate.sandbox.rotate(APPID);
        }
        gate.sandbox.fault(fails(TICKET, -1000).times(1));
        let answer = gate.get(SIGN).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = gate.sandbox.journal(None);
        let seen: Vec<_> = seen.iter().map(|entry| (&*entry.path, entry.errcode.unwrap_or(0))).collect();
        let mut expected = vec![(TICKET, -1000), (PROBE, 40001), (FETCH, 0), (TICKET, 0)];
        if poisoned {
            expected.insert(3, (FETCH, 0));
        }
        assert_eq!(seen, expected, "poisoned: {poisoned}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_always_refused_with_a_system_error_costs_two_probes_in_thirty_seconds_and_no_token() {
    let gate = signing().await;
    gate.sandbox.fault(fails(TICKET, -1000));
    for most in [2, 4] {
        for _ in 0..10 {
            let answer = gate.get(SIGN).await;
            assert_eq!(answer.refusal(), (502, "token_unavailable", -70502));
            assert!(answer.text().contains("-1000 (system error hints"), "{}", answer.text());
        }
        // What was found alive within these two seconds isn't asked again.
        let probes = gate.journal(PROBE).len();
        assert!(gate.journal(FETCH).is_empty() && (most - 1..=most).contains(&probes), "{probes} probes");
        gate.clock.advance(31_000);
    }
    let other = gate.get("/cgi-bin/user/info?openid=o").await;
    assert_eq!((other.errcode(), other.header("x-wxgate-replays")), (0, Some("0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_ends_the_pause_of_a_ticket_that_the_one_before_may_have_failed() {
    for errcode in [-1000, 40001] {
        let gate = signing().await;
        let pass = |milliseconds| {
            gate.sandbox.advance(milliseconds);
            gate.clock.advance(milliseconds);
        };
        gate.sandbox.fault(fails(TICKET, errcode));
        // Nobody can tell whether the token lives.
        gate.sandbox.fault(fails(PROBE, -1));
        assert_eq!(gate.get(SIGN).await.status, 502);
        for _ in 0..5 {
            pass(400_000);
            assert_eq!(gate.get(SIGN).await.status, 502);
        }
        // By now the pause is of 25 s and more; a token that nobody can tell of is looked into each
        // 5 s.
        pass(6_000);
        assert_eq!(gate.get(SIGN).await.status, 502);
        gate.sandbox.end_faults();
        gate.sandbox.rotate(APPID);
        assert_eq!(gate.get("/cgi-bin/user/info?openid=o").await.errcode(), 0);
        let answer = gate.get(SIGN).await;
        assert_eq!(answer.status, 200, "{errcode}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_signed_with_the_ticket() {
    let gate = signing().await;
    let page = "https://shop.example.com/item?id=1%26";
    let asked = format!(
        "/wxgate/jssdk/signature?url={}%23top",
        "https%3A%2F%2Fshop.example.com%2Fitem%3Fid%3D1%2526"
    );
    let answer = gate.get(&asked).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["appId"]), (200, &APPID.into()), "{said}");
    let ticket = gate.get(&format!("{TICKET}?type=jsapi")).await.json();
    let (nonce, at) = (said["nonceStr"].as_str().expect("a nonce"), &said["timestamp"]);
    let text = format!(
        "jsapi_ticket={}&noncestr={nonce}&timestamp={at}&url={page}",
        ticket["ticket"].as_str().expect("a ticket")
    );
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said["signature"], hex, "over {text}");
    assert_eq!(gate.journal(TICKET).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_page_is_signed() {
    let gate = signing().await;
    let sign = |url: &str| format!("/wxgate/jssdk/signature?url={url}");
    for (url, code) in [
        ("", "bad_request"),
        ("shop.example.com/", "bad_request"),
        ("javascript:alert(1)", "bad_request"),
        ("https://shop.example.com@evil.example/", "bad_request"),
        ("https://shop.example.com%5C@evil.example/", "bad_request"),
        ("https://evil.example/?shop.example.com", "caller_forbidden"),
        ("https://shop.example.com.evil.example/", "caller_forbidden"),
        ("https://evil.example%23@shop.example.com/", "caller_forbidden"),
    ] {
        let answer = gate.get(&sign(url)).await;
        assert_eq!(answer.refusal().1, code, "{url}: {}", answer.text());
    }
    let off = shop("").await;
    let answer = off.get(&sign("https://shop.example.com/")).await;
    assert_eq!(answer.refusal(), (404, "endpoint_forbidden", -70404));
    assert!(answer.text().contains("jssdk_hosts"), "{}", answer.text());
}
