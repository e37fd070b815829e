//! What WeChat and WeCom push.

use std::time::Duration;

use wxgate::observe::clock::Timestamp;
use wxgate::wechat::callback::Event;

use super::platform::{MALL, OTHER, Platform, Push, SUITE, event, now};
use super::receiver::{Receiver, forbidden, success};

async fn one(receiver: &Receiver, push: &Push) -> Event {
    assert_eq!(receiver.post(push).await, success());
    let mut arrived = receiver.arrived();
    assert_eq!(arrived.len(), 1);
    arrived.remove(0).event
}

fn seconds_apart(time: Timestamp) -> i64 {
    (time.0 / 1000).abs_diff(i64::try_from(now()).expect("a time")).cast_signed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_handed_on_before_success_is_answered() {
    let receiver = Receiver::start();
    assert_eq!(receiver.post(&MALL.ticket("1", "ticket@@@abc")).await, success());
    let [arrived] = receiver.arrived().try_into().expect("one event");
    assert_eq!(&*arrived.app, "mall");
    let Event::VerifyTicket { ticket, created } = &arrived.event else { panic!("{arrived:?}") };
    assert_eq!(ticket.expose(), "ticket@@@abc");
    assert!(seconds_apart(*created) < 60, "{created:?}");
    assert!(!format!("{arrived:?}").contains("abc"), "{arrived:?}");
    assert_eq!(receiver.counted("mall", "component_verify_ticket", "success"), 1);
    assert!(!receiver.metrics().contains("ticket@"));
}

#[tokio::test(flavor = "multi_thread")]
async fn authorisations_come_with_their_codes() {
    let receiver = Receiver::start();
    let granted = "<AuthorizerAppid>wx1</AuthorizerAppid><AuthorizationCode>queryauthcode@@@1</AuthorizationCode>\
                   <AuthorizationCodeExpiredTime>600</AuthorizationCodeExpiredTime><PreAuthCode>pre@1</PreAuthCode>";
    let push = MALL.push("1", &event("AppId", MALL.id, "authorized", granted));
    let Event::Authorized { appid, code, pre_auth_code, expires_at, created } = one(&receiver, &push).await
    else {
        panic!("another event")
    };
    assert_eq!((&*appid, code.expose()), ("wx1", "queryauthcode@@@1"));
    assert_eq!(pre_auth_code.as_ref().map(|code| code.expose()), Some("pre@1"));
    assert_eq!(expires_at, Some(created.plus(Duration::from_secs(600))));

    // Here the end is a time, and no code of the platform's is named.
    let granted = "<AuthorizerAppid>wx2</AuthorizerAppid><AuthorizationCode>c</AuthorizationCode>\
                   <AuthorizationCodeExpiredTime>1763624918</AuthorizationCodeExpiredTime>";
    let push = MALL.push("2", &event("AppId", MALL.id, "updateauthorized", granted));
    let updated = one(&receiver, &push).await;
    let Event::UpdateAuthorized { appid, pre_auth_code: None, expires_at, .. } = updated else {
        panic!("{updated:?}")
    };
    assert_eq!((&*appid, expires_at), ("wx2", Some(Timestamp(1_763_624_918_000))));

    let gone = "<AuthorizerAppid>wx1</AuthorizerAppid>";
    let push = MALL.push("3", &event("AppId", MALL.id, "unauthorized", gone));
    let left = one(&receiver, &push).await;
    assert!(matches!(&left, Event::Unauthorized { appid, .. } if &**appid == "wx1"), "{left:?}");

    // A company was registered for somebody: nested, and none of our business.
    let registered = "<appid>wx3</appid><status>0</status><info><name>n</name><code>c</code></info>";
    let push = MALL.push("4", &event("AppId", MALL.id, "notify_third_fasteregister", registered));
    let other = one(&receiver, &push).await;
    assert!(
        matches!(&other, Event::Other { info_type, .. } if &**info_type == "notify_third_fasteregister"),
        "{other:?}"
    );
    assert_eq!(receiver.counted("mall", "other", "success"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suites_events_come_as_wecom_writes_them() {
    let receiver = Receiver::start();
    let of = |nonce, info_type, fields| SUITE.push(nonce, &event("SuiteId", SUITE.id, info_type, fields));
    let push = of("1", "suite_ticket", "<SuiteTicket><![CDATA[asdf]]></SuiteTicket>");
    let event = one(&receiver, &push).await;
    assert!(matches!(&event, Event::SuiteTicket { ticket, .. } if ticket.expose() == "asdf"), "{event:?}");
    let push = of("2", "create_auth", "<AuthCode><![CDATA[AUTH]]></AuthCode><State><![CDATA[1]]></State>");
    let event = one(&receiver, &push).await;
    assert!(matches!(&event, Event::CorpAuthorized { code, .. } if code.expose() == "AUTH"), "{event:?}");
    let push = of("5", "reset_permanent_code", "<AuthCode><![CDATA[NEXT]]></AuthCode>");
    let event = one(&receiver, &push).await;
    assert!(matches!(&event, Event::CorpCodeReset { code, .. } if code.expose() == "NEXT"), "{event:?}");
    let push = of("3", "change_auth", "<AuthCorpId><![CDATA[wxf]]></AuthCorpId>");
    let event = one(&receiver, &push).await;
    assert!(matches!(&event, Event::CorpUpdated { corpid, .. } if &**corpid == "wxf"), "{event:?}");
    let push = of("4", "cancel_auth", "<AuthCorpId><![CDATA[wxf]]></AuthCorpId>");
    let event = one(&receiver, &push).await;
    assert!(matches!(&event, Event::CorpUnauthorized { corpid, .. } if &**corpid == "wxf"), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platform_has_its_own_address_by_name_and_by_id() {
    let receiver = Receiver::start();
    let mut nonces = 0..;
    let mut push = |platform: &Platform, segment: &str| {
        let push = platform.ticket(&nonces.next().expect("a nonce").to_string(), "t");
        Push { path: format!("/callback/{segment}"), ..push }
    };
    for platform in [MALL, OTHER] {
        for segment in [platform.name, platform.id] {
            assert_eq!(receiver.post(&push(&platform, segment)).await, success(), "{segment}");
            assert_eq!(&*receiver.arrived()[0].app, platform.name);
        }
    }
    assert_eq!(receiver.post(&push(&MALL, OTHER.name)).await, forbidden());
    for nowhere in ["", "nobody", "mall/", "mall/x", "MALL", "%6dall"] {
        assert_eq!(receiver.post(&push(&MALL, nowhere)).await, (404, String::new()), "{nowhere}");
    }
    assert!(receiver.arrived().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_platforms_after_a_reload_and_what_was_seen_stays_seen() {
    let receiver = Receiver::with(vec![MALL.options()]);
    let (seen, other) = (MALL.ticket("1", "t"), OTHER.ticket("1", "t"));
    assert_eq!(receiver.post(&seen).await, success());
    assert_eq!(receiver.post(&other).await.0, 404);
    receiver.callbacks.configure(vec![MALL.options(), OTHER.options()]);
    assert_eq!(receiver.post(&other).await, success());
    assert_eq!(receiver.post(&seen).await, forbidden());
    receiver.callbacks.configure(vec![OTHER.options()]);
    assert_eq!(receiver.post(&MALL.ticket("2", "t")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn wecoms_question_is_echoed() {
    let receiver = Receiver::start();
    // WeCom names the provider here, not the suite.
    let question = SUITE.question("1", &SUITE.encrypt_for("ww0000000000000000", "1616140317555161061"));
    let echo = (200, "1616140317555161061".to_owned());
    assert_eq!(receiver.get(&question).await, echo);
    assert_eq!(receiver.get(&question).await, echo, "nothing is handed on, so it may be asked again");
    assert_eq!(receiver.counted("suite", "none", "echo"), 2);
    assert!(receiver.arrived().is_empty());
}
