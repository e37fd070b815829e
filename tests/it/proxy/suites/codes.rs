//! Companies' codes that SDKs show, before WeCom pushes them or without: their order with what else
//! happened, their losses, and those that are nobody's.

use serde_json::{Value, json};
use wxgate::sandbox::{Action, Fault, PlatformEvent, Told};

use super::{PERMANENT_CODE, SUITE_TOKEN, Suite, corpid, create, told, user};
use crate::callback::platform::SUITE;
use crate::harness::{Answer, at_once, caller};
use crate::proxy::platform::{KEY, post};
use crate::until::until;

/// With an SDK's caller that has `more` in its table.
async fn with_sdk(more: &str) -> Suite {
    Suite::with("", &caller("crm", &[KEY], &[SUITE.name], more)).await
}

impl Suite {
    /// An SDK logs in, without a ticket as well; the path at which it then shows codes.
    async fn log_in(&self) -> String {
        let login = json!({ "suite_id": SUITE.id, "suite_secret": KEY, "suite_ticket": "anything" });
        let login = post(&self.gate, SUITE_TOKEN, &login).await.json();
        let token = login["suite_access_token"].as_str().expect("a placeholder");
        format!("{PERMANENT_CODE}?suite_access_token={token}")
    }

    async fn show(&self, path: &str, code: &str) -> Answer {
        post(&self.gate, path, &json!({ "auth_code": code })).await
    }

    /// Lets it happen, without a push.
    fn unpushed(&self, event: PlatformEvent) -> Told {
        self.gate.sandbox.occur(SUITE.id, event).expect("it happens")
    }

    fn refuse(&self, errcode: i64) {
        self.gate.sandbox.end_faults();
        self.gate.sandbox.fault(Fault::new(Action::Errcode { errcode, errmsg: None }).path(PERMANENT_CODE));
    }

    /// When the company's permanent code counts from, in seconds since the epoch.
    async fn counts_from(&self, number: usize) -> i64 {
        let key = format!("permanent_code:{}:{}", SUITE.id, corpid(number));
        let record = self.store.load(&key).await.expect("the store works").expect("a record");
        i64::try_from(record.generation).expect("a time")
    }
}

fn code(event: &Told) -> &str {
    event.field("AuthCode").expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_an_sdk_shows_first_counts_although_wecoms_clock_is_ahead() {
    let suite = with_sdk("allow = [\"**\"]").await;
    suite.ticket().await;
    let path = suite.log_in().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    suite.gate.sandbox.advance(120_000);
    let (_, receipt) = suite.push(PlatformEvent::CancelAuth { corpid: corpid(1) }).await;
    assert_eq!((told(&receipt), suite.kept(1).await.as_deref()), ((200, "success"), Some("")));

    let event = suite.unpushed(create(1));
    let shown = suite.show(&path, code(&event)).await;
    assert_eq!(shown.json()["auth_corp_info"]["corpid"], corpid(1), "{}", shown.text());
    let given = suite.gate.sandbox.permanent_code(SUITE.id, &corpid(1));
    assert_eq!(suite.kept(1).await, given);
    let key = [("X-Wxgate-Key", KEY)];
    let is_served = async || suite.gate.get_with(&user(&corpid(1)), &key).await.errcode() == 0;
    until(|| "it is served", is_served).await;

    // From its push on it counts from then.
    suite.gate.sandbox.advance(60_000);
    let pushed_at = suite.gate.sandbox.now() / 1000;
    assert!(suite.counts_from(1).await < pushed_at);
    assert_eq!(told(&suite.push_again(&event).await), (200, "success"));
    assert!(suite.counts_from(1).await >= pushed_at);
    assert_eq!(suite.kept(1).await, given);
    assert_eq!(suite.count(PERMANENT_CODE), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_code_that_is_older_than_what_is_known_is_not_used() {
    let suite = Suite::with("", "").await;
    suite.ticket().await;
    suite.authorise(1).await;
    suite.exchanged(1).await;
    suite.gate.sandbox.advance(120_000);
    suite.push(PlatformEvent::CancelAuth { corpid: corpid(1) }).await;
    suite.gate.sandbox.advance(-60_000);
    suite.authorise(1).await;
    until(|| "the exchange", async || suite.count(PERMANENT_CODE) == 2).await;
    until(|| "the code is settled", async || suite.codes().await.is_empty()).await;
    assert_eq!(suite.kept(1).await.as_deref(), Some(""));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_a_code_that_an_sdk_showed_before_its_push_is_named() {
    let suite = with_sdk("allow = [\"**\"]").await;
    suite.ticket().await;
    let path = suite.log_in().await;
    suite.refuse(-1);
    let event = suite.unpushed(create(1));
    assert_ne!(suite.show(&path, code(&event)).await.errcode(), 0);
    assert_eq!(suite.codes().await.len(), 1);
    assert_eq!(told(&suite.push_again(&event).await), (200, "success"));
    suite.refuse(40078);
    let lost = suite.lost().await;
    assert!(
        lost[0]["message"].as_str().is_some_and(|text| text.contains("another program exchanged it")),
        "{lost}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn showing_a_code_counts_for_its_callers_rate() {
    let suite = with_sdk("allow = [\"**\"]\nrate = \"1/h\"").await;
    suite.ticket().await;
    let path = suite.log_in().await;
    assert_eq!(suite.show(&path, "nobodys").await.errcode(), 40078);
    let refused = suite.show(&path, "nobodys").await;
    assert_eq!((refused.refusal().1, refused.refusal().2), ("rate_limited", 45011));
    assert_eq!(suite.count(PERMANENT_CODE), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_a_code_is_refused_at_once() {
    let suite = with_sdk("allow = [\"**\"]").await;
    suite.ticket().await;
    let path = suite.log_in().await;
    for no_code in [&*"c".repeat(513), "a code", "a\ncode"] {
        let refused = suite.show(&path, no_code).await;
        assert_eq!((refused.status, refused.errcode()), (200, 40078), "{}", refused.text());
    }
    assert_eq!(suite.count(PERMANENT_CODE), 0);
    assert_eq!(suite.show(&path, &"c".repeat(512)).await.errcode(), 40078);
    assert_eq!(suite.count(PERMANENT_CODE), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shown_code_is_not_kept_while_the_suite_has_no_token() {
    let suite = with_sdk("allow = [\"**\"]").await;
    let path = suite.log_in().await;
    let refused = suite.show(&path, "nobodys").await;
    assert_eq!(refused.refusal().1, "token_unavailable", "{}", refused.text());
    assert!(refused.errcode() > 0, "{}", refused.text());
    assert!(suite.codes().await.is_empty());
    // Pushed ones are.
    suite.authorise(1).await;
    assert_eq!(suite.codes().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_shown_codes_are_kept_at_once() {
    let suite = with_sdk("allow = [\"**\"]").await;
    suite.ticket().await;
    let path = suite.log_in().await;
    suite.refuse(-1);
    let answers = at_once(130, |number| {
        let body: Value = json!({ "auth_code": format!("nobodys-{number}") });
        Answer::of(suite.gate.client.post(suite.gate.url(&path)).body(body.to_string()))
    });
    let answers = answers.await;
    let turned_away = answers.iter().filter(|answer| answer.text().contains("too many codes"));
    assert!(turned_away.count() >= 30);
    assert_eq!(suite.codes().await.len(), 100);
    // They make room as soon as WeCom has refused them.
    suite.refuse(40078);
    until(|| "they are forgotten", async || suite.codes().await.is_empty()).await;
    assert_eq!(suite.show(&path, "nobodys").await.errcode(), 40078);
}
