//! The lease endpoint, which hands the real token to services that can't come through the proxy.

use crate::harness::{APPID, Answer, Gate, OTHER_APPID, SHOP, SHOP_AND_GAME, Setup, at_once, caller};

const KEY: &str = "canary-key-of-legacy-5d1c";
const OTHER_KEY: &str = "canary-key-of-orders-77e0";
const LEASE: &str = "/wxgate/token";

async fn with_a_lease() -> Gate {
    let callers = [
        caller("legacy", &[KEY], &["shop"], "lease_token = true\nallow = [\"/cgi-bin/user/info\"]"),
        caller("orders", &[OTHER_KEY], &["shop"], ""),
    ];
    let apps = format!("{SHOP}{}", callers.concat());
    Gate::with(Setup { apps, ..Setup::default() }).await.settled().await
}

async fn lease(gate: &Gate, query: &str) -> Answer {
    gate.get_with(&format!("{LEASE}{query}"), &[("x-wxgate-key", KEY)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_may_gets_the_token_that_the_proxy_uses() {
    let gate = with_a_lease().await;
    let answer = lease(&gate, "").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let said = answer.json();
    assert_eq!(
        (said["access_token"].as_str(), said["generation"].as_u64()),
        (Some(&*gate.token(APPID)), Some(1))
    );
    assert!(said["expires_in"].as_u64().is_some_and(|left| (7190..=7200).contains(&left)), "{said}");
    assert_eq!(gate.counts(), (0, 0, 0));
    assert!(gate.sandbox.journal(None).is_empty(), "nothing goes to WeChat");
    let (metrics, token) = (gate.metrics().await, gate.token(APPID));
    let lines = gate.end().await;
    let line = lines.last().expect("an access line");
    assert_eq!((&line["caller"], &line["path"]), (&"legacy".into(), &LEASE.into()));
    assert!(!metrics.contains(&token) && !line.to_string().contains(&token));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_it() {
    let gate = with_a_lease().await;
    let forbidden = (403, "caller_forbidden", -70403);
    let by_orders = gate.get_with(LEASE, &[("x-wxgate-key", OTHER_KEY)]).await;
    assert_eq!(by_orders.refusal(), forbidden);
    assert!(by_orders.text().contains("lacks lease_token = true"), "{}", by_orders.text());
    assert_eq!(gate.get_with(LEASE, &[]).await.refusal(), (401, "caller_unknown", -70401));
    assert_eq!(gate.get_with(LEASE, &[("x-wxgate-key", "wrong")]).await.refusal().0, 401);
    let posted = gate.client.post(gate.url(LEASE)).header("x-wxgate-key", KEY);
    assert_eq!(Answer::of(posted).await.refusal(), (400, "bad_request", -70400));
    for query in ["?rejected=", "?rejected=-1", "?rejected=x"] {
        assert_eq!(lease(&gate, query).await.refusal(), (400, "bad_request", -70400), "{query}");
    }
    for text in [by_orders.text(), gate.metrics().await] {
        assert!(!text.contains(&gate.token(APPID)));
    }

    let open = Gate::start().await.settled().await;
    let answer = open.get_with(LEASE, &[]).await;
    assert_eq!(answer.refusal(), forbidden);
    assert!(answer.text().contains("[[caller]] with lease_token = true"), "{}", answer.text());
    assert!(open.sandbox.journal(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_apps_it_gives_the_one_that_is_named_and_allowed() {
    let apps =
        format!("{SHOP_AND_GAME}{}", caller("legacy", &[KEY], &["game", "shop"], "lease_token = true"));
    let gate = Gate::with(Setup { apps, ..Setup::default() }).await.settled().await;
    for (path, appid) in [("/@game/wxgate/token", OTHER_APPID), ("/@shop/wxgate/token", APPID)] {
        let answer = gate.get_with(path, &[("x-wxgate-key", KEY)]).await.json();
        assert_eq!(answer["access_token"], gate.token(appid).as_str(), "{path}");
    }
    assert_eq!(lease(&gate, "").await.refusal(), (400, "app_unknown", -70400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_that_many_tell_of_is_one_fetch() {
    let gate = with_a_lease().await;
    gate.sandbox.rotate(APPID);
    let url = gate.url("/wxgate/token?rejected=1");
    let answers = at_once(20, |_| {
        let request = gate.client.get(&url).header("x-wxgate-key", KEY);
        async { Answer::of(request).await.json() }
    })
    .await;
    let token = gate.token(APPID);
    for answer in answers {
        assert_eq!((&answer["access_token"], &answer["generation"]), (&token.as_str().into(), &2.into()));
    }
    assert_eq!(gate.counts(), (1, 0, 0));
    // A claim about a token that is gone already costs nothing.
    assert_eq!(lease(&gate, "?rejected=1").await.json()["generation"], 2);
    assert_eq!(gate.counts(), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_about_a_live_token_replaces_nothing() {
    let gate = with_a_lease().await;
    let token = gate.token(APPID);
    for _ in 0..20 {
        let answer = lease(&gate, "?rejected=1").await.json();
        assert_eq!((&answer["access_token"], &answer["generation"]), (&token.as_str().into(), &1.into()));
    }
    let (fetches, forces, _) = gate.counts();
    assert!(fetches <= 1 && forces == 0, "{fetches} fetches, {forces} forces");
    // Nor do claims without end cost a fetch every few seconds.
    // Real time: for two seconds of it, that the token was found alive is the answer to every
    // claim.
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    lease(&gate, "?rejected=1").await;
    assert_eq!(gate.counts().0, fetches);
}
