//! How long WeChat's answers are awaited.

use std::sync::Arc;
use std::time::Duration;

use wxgate::sandbox::{Action, Fault};

use crate::harness::{Answer, Gate, Setup, at_once, sandbox};

/// What an SDK sends as an upload.
const FILE: &str = "--XX\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.mp4\"\r\n\
                    Content-Type: video/mp4\r\n\r\nabcd\r\n--XX--\r\n";

/// Every timeout is short but that of the slow endpoints, which has its default.
fn hasty() -> Setup {
    let short = |names: &[&str]| {
        names.iter().map(|name| format!("{name} = \"500ms\"\n")).collect::<Vec<_>>().concat()
    };
    Setup {
        server: short(&[
            "head_timeout",
            "idle_timeout",
            "body_timeout",
            "write_timeout",
            "request_timeout",
            "drain_timeout",
        ]),
        upstream: short(&["response_timeout", "body_timeout", "pool_idle", "pool_age"]),
        ..Setup::default()
    }
}

/// The answer to a POST, which WeChat takes so long to give.
async fn posted(gate: &Gate, path: &str, latency: Duration) -> Answer {
    let milliseconds = latency.as_millis().try_into().expect("short");
    let normal = path.split('?').next().expect("a path");
    gate.sandbox.fault(Fault::new(Action::Latency { milliseconds }).path(normal));
    let call = gate.client.post(gate.url(path)).header("content-type", "multipart/form-data; boundary=XX");
    Answer::of(call.body(FILE)).await
}

/// Longer than every timeout of [`hasty`] but one.
const LONG: Duration = Duration::from_millis(1200);

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_wechat_works_on_for_long_reaches_its_caller() {
    let gate = Arc::new(Gate::with(hasty()).await.settled().await);
    let paths = [
        "/cgi-bin/material/add_material?type=video",
        "/cgi-bin/media/upload?type=video",
        "/wxa/img_sec_check",
        "/wxa/media_check_async",
        "/wxa/commit",
        "/wxa/submit_audit",
        // The catalogue doesn't list it.
        "/wxa/brand_new/upload_video",
    ];
    let answers = at_once(paths.len(), |number| {
        let gate = Arc::clone(&gate);
        async move { (paths[number], posted(&gate, paths[number], LONG).await) }
    });
    for (path, answer) in answers.await {
        assert_eq!(
            (answer.status, answer.header("x-wxgate-error")),
            (200, None),
            "{path}: {}",
            answer.text()
        );
        assert_eq!(gate.journal(path.split('?').next().expect("a path")).len(), 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_request_is_cut_at_the_response_timeout() {
    let gate = Gate::with(hasty()).await.settled().await;
    for path in ["/cgi-bin/message/custom/send", "/wxa/anything", "/wxa/sec/order/upload_shipping_info"] {
        let answer = posted(&gate, path, LONG).await;
        assert_eq!(answer.refusal(), (504, "upstream_timeout", -70504), "{path}: {}", answer.text());
        assert_eq!(gate.journal(path).len(), 1, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_is_cut_at_its_own_response_timeout() {
    let mut setup = hasty();
    setup.upstream += "slow_response_timeout = \"700ms\"\n";
    let gate = Gate::with(setup).await.settled().await;
    let answer = posted(&gate, "/wxa/commit", LONG).await;
    assert_eq!(answer.refusal(), (504, "upstream_timeout", -70504), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_under_way_outlasts_the_request_timeout() {
    let setup = Setup { server: "request_timeout = \"200ms\"".into(), ..Setup::default() };
    let gate = Gate::with(setup).await.settled().await;
    let answer = posted(&gate, "/cgi-bin/tags/update", Duration::from_millis(600)).await;
    assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attempt_but_the_first_begins_once_the_request_timeout_is_spent() {
    let sandbox = sandbox();
    // The first token takes longer than the timeout; the second wouldn't.
    sandbox.fault(Fault::new(Action::TokenLatency { milliseconds: 1000 }).times(1));
    sandbox.fault(Fault::new(Action::AlwaysReject).path("/wxa/anything").times(1));
    let setup = Setup { server: "request_timeout = \"900ms\"".into(), ..Setup::default() };
    let gate = Gate::before(sandbox, setup).await;
    let answer = gate.post("/wxa/anything", "{}").await;
    // WeChat's own, since what it said of the token is all that is known.
    assert_eq!((answer.status, answer.errcode()), (200, 40001), "{}", answer.text());
    assert_eq!(answer.header("x-wxgate-replays"), Some("0"));
    assert_eq!(gate.journal("/wxa/anything").len(), 1);
}
